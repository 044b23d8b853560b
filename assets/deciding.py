"""What a decision rests on besides a number's evidence. Everything that decides shares it, so a replay tells what was decided live."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
import pandas as pd

from assets import trunk_watch
from assets.learning import expectations
from ringtrue.expectations import Expectations
from ringtrue.ledger import Ledger, decisions
from ringtrue.ledger.decisions import PriorOf
from ringtrue.policy import Policy
from ringtrue.settings import Settings
from ringtrue.source_names import SourceMap
from ringtrue.status import decide


def policy_of(settings: Settings) -> Policy:
    """The decision policy that the settings describe."""
    named = settings.policy
    return Policy.from_mapping(
        {"mode": named.mode, "language": named.language, "registry_flags": named.registry_flags, **named.extra()}
    )


@dataclass(frozen=True)
class Deciding:
    """Policy with what was learned, trunks in trouble, lead sources, moment (milliseconds since 1970)."""

    ledger: Ledger
    policy: Policy
    version: str
    """Changes with the policy, with everything learned and with the rules of the lead sources; stands in every decision."""
    alarms: pd.DataFrame
    now: int
    prior_of: PriorOf | None = None
    reports: Mapping[str, float] = field(default_factory=dict)
    """By lines, the share of calls that report a suspension, where it was learned."""

    @property
    def moment(self) -> pd.Timestamp:
        """`now`, in UTC."""
        return pd.Timestamp(self.now, unit="ms", tz="UTC")

    def evidence(self, connection: Any, numbers: Sequence[str]) -> pd.DataFrame:
        """All that is known about the numbers, as `decide` takes it."""
        return decisions.evidence(connection, self.ledger.key, numbers, self.now, self.prior_of)

    def decided(self, known: pd.DataFrame, moment: pd.Timestamp | None = None) -> pd.DataFrame:
        """The decisions that follow from evidence."""
        return decide(known, self.policy, moment or self.moment, alarms=self.alarms, reports=self.reports)


def deciding(
    ledger: Ledger, settings: Settings, now: int, *, policy: Policy | None = None, learn: bool = True
) -> Deciding:
    """How numbers are decided now: by the settings' policy or another one. `learn`: learn again where it is time for that; else nothing is written."""
    own = policy_of(settings)
    chosen = policy or own
    sources = SourceMap(settings.sources)
    known = expectations(ledger, sources, now, learn=learn and chosen.learn)
    by_source = chosen.learn and bool(known.priors)

    def prior_of(connection: str, raw: str | None) -> float:
        return known.prior(sources.slug(connection, raw), chosen)

    return Deciding(
        ledger,
        known.applied(chosen),
        _version(known, chosen, settings) if by_source else known.version(chosen),
        trunk_watch.alarms(ledger) if trunk_watch.alike(chosen, own) else trunk_watch.alarms_under(ledger, chosen, now),
        now,
        prior_of if by_source else None,
        known.reports if chosen.learn else {},
    )


def _version(known: Expectations, policy: Policy, settings: Settings) -> str:
    """The version of what was learned, with the rules that say which source a number came from: a prior belongs to a source's name."""
    rules = [
        [slug, [match.model_dump(exclude_defaults=True) for match in rule.match]]
        for slug, rule in settings.sources.items()
    ]
    content = known.version(policy).encode() + orjson.dumps(rules, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(content).hexdigest()[:12]
