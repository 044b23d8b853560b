"""What a decision rests on besides a number's evidence. Everything that decides shares it, so a replay tells what was decided live."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from assets.learning import expectations
from ringtrue.ledger import Ledger, calls, decisions
from ringtrue.ledger.decisions import PriorOf
from ringtrue.policy import Policy
from ringtrue.settings import Settings
from ringtrue.source_names import SourceMap
from ringtrue.status import decide
from ringtrue.trunks import trunk_alarms

DAY_MS = 86_400_000
TRUNK_DAYS = 90
"""How far back the calls of a trunk tell what is usual for it."""


def policy_of(settings: Settings) -> Policy:
    """The decision policy that the settings describe."""
    named = settings.policy
    return Policy.from_mapping(
        {"mode": named.mode, "language": named.language, "registry_flags": named.registry_flags, **named.extra()}
    )


def trunk_alarms_of(ledger: Ledger, policy: Policy, now: int) -> pd.DataFrame:
    """The stretches of the last months in which a trunk was in trouble, from all its calls."""
    with ledger.read() as connection:
        history = calls.trunk_history(connection, now - TRUNK_DAYS * DAY_MS)
    return trunk_alarms(history, policy)


@dataclass(frozen=True)
class Deciding:
    """Policy with what was learned, trunks in trouble, lead sources, moment (milliseconds since 1970)."""

    ledger: Ledger
    policy: Policy
    version: str
    """Changes with the policy and with everything learned; stands in every decision."""
    alarms: pd.DataFrame
    now: int
    prior_of: PriorOf | None = None

    @property
    def moment(self) -> pd.Timestamp:
        """`now`, in UTC."""
        return pd.Timestamp(self.now, unit="ms", tz="UTC")

    def evidence(self, connection: Any, numbers: Sequence[str]) -> pd.DataFrame:
        """All that is known about the numbers, as `decide` takes it."""
        return decisions.evidence(connection, self.ledger.key, numbers, self.now, self.prior_of)

    def decided(self, known: pd.DataFrame, moment: pd.Timestamp | None = None) -> pd.DataFrame:
        """The decisions that follow from evidence."""
        return decide(known, self.policy, moment or self.moment, alarms=self.alarms)


def deciding(
    ledger: Ledger, settings: Settings, now: int, *, policy: Policy | None = None, learn: bool = True
) -> Deciding:
    """How numbers are decided now: by the settings' policy or another one. `learn`: learn again where it is time for that; else nothing is written."""
    chosen = policy or policy_of(settings)
    sources = SourceMap(settings.sources)
    known = expectations(ledger, sources, now, learn=learn and chosen.learn)
    with_hazards = known.applied(chosen)

    def prior_of(connection: str, raw: str | None) -> float:
        return known.prior(sources.slug(connection, raw), chosen)

    return Deciding(
        ledger,
        with_hazards,
        known.version(chosen),
        trunk_alarms_of(ledger, with_hazards, now),
        now,
        prior_of if chosen.learn and known.priors else None,
    )
