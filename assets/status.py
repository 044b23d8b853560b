"""`status`: one decision per number, from everything that is known about it."""

from collections import Counter
from collections.abc import Sequence

import dagster as dg
import pandas as pd
from dagster import MetadataValue

from assets.stage import BATCH, columns, counts, now_ms, plain_errors
from connectors.resources import LedgerResource
from ringtrue.collector import rare_collections
from ringtrue.ledger import Ledger, calls, decisions, dirty
from ringtrue.policy import Policy
from ringtrue.records import STATUSES
from ringtrue.settings import Settings, load_settings
from ringtrue.status import decide
from ringtrue.trunks import trunk_alarms

DAY_MS = 86_400_000
TRUNK_DAYS = 90
"""How far back the calls of a trunk tell what is usual for it."""


class StatusConfig(dg.Config):
    """What one run decides."""

    full: bool = False
    """Decide every number again, not only those with new evidence."""


def policy_of(settings: Settings) -> Policy:
    """The decision policy that the settings describe."""
    named = settings.policy
    return Policy.from_mapping(
        {"mode": named.mode, "language": named.language, "registry_flags": named.registry_flags, **named.extra()}
    )


def alarm_spans(alarms: pd.DataFrame) -> list[tuple[str, int, int]]:
    """Trunk, begin and end in milliseconds of each stretch in which a trunk was in trouble."""
    begins = alarms["begins"].astype("datetime64[ms, UTC]").astype("int64")
    ends = alarms["ends"].astype("datetime64[ms, UTC]").astype("int64")
    return list(zip(alarms["trunk"].astype(str), begins.tolist(), ends.tolist(), strict=True))


def trunk_alarms_of(ledger: Ledger, policy: Policy, now: int) -> pd.DataFrame:
    """The stretches of the last months in which a trunk was in trouble, from all its calls."""
    with ledger.read() as connection:
        history = calls.trunk_history(connection, now - TRUNK_DAYS * DAY_MS)
    return trunk_alarms(history, policy)


@rare_collections()
def run(ledger: Ledger, settings: Settings, config: StatusConfig) -> tuple[dict[str, int], dict[str, int]]:
    """Decide every number that has new evidence, an expired decision or one of another policy. Returns counts and statuses."""
    policy = policy_of(settings)
    totals = Counter[str]()
    now = now_ms()
    with ledger.write() as connection:
        totals["expired or of another policy"] = decisions.mark_due(connection, now, policy.version)
        if config.full:
            decisions.mark_all(connection)
    alarms = trunk_alarms_of(ledger, policy, now)
    if len(alarms):
        with ledger.write() as connection:
            totals["numbers called in a trunk's alarm"] = calls.mark_called(connection, alarm_spans(alarms))
    totals["trunk alarms"] = len(alarms)
    after = ""
    while True:
        with ledger.read() as connection:
            marks = dirty.next_numbers(connection, decisions.STAGE, BATCH, after)
            numbers = [number for number, _ in marks]
            known = decisions.evidence(connection, ledger.key, numbers, now) if marks else None
        if known is None:
            break
        after = numbers[-1]
        decided = decide(known, policy, pd.Timestamp(now, unit="ms", tz="UTC"), alarms=alarms)
        with ledger.write() as connection:
            stored = decisions.store(connection, decided, marks, policy.version, now)
        totals["numbers"] += len(marks)
        totals["observations"] += len(known)
        for name, value in stored.items():
            totals[f"decisions {name}"] += value
    with ledger.read() as connection:
        statuses = decisions.status_counts(connection)
    return dict(totals), statuses


def build_status(deps: Sequence[dg.AssetKey]) -> dg.AssetsDefinition:
    """The `status` asset below numbers, calls, lookups and suppressions."""

    @dg.asset(
        name="status",
        deps=list(deps),
        group_name="decision",
        kinds={"python", "pandas"},
        owners=["team:data"],
        pool="ledger_status",
        metadata={
            "dagster/column_schema": columns(
                number="E.164, or the key of a text that holds none",
                contact_id="0, or the contact a fact is about",
                status="the displayed status",
                line="alive, suspended, disconnected, nonexistent, unknown",
                reach="reached, voicemail, persistent_no_answer, unknown",
                identity="right, wrong, unknown",
                permission="ok, do_not_call",
                confidence="how sure, 0 to 1",
                reason="one sentence for a sales person",
                evidence="what it rests on",
                recheck_at="when it is looked at again",
            )
        },
    )
    def status_asset(
        context: dg.AssetExecutionContext, config: StatusConfig, ledger: LedgerResource
    ) -> dg.MaterializeResult[None]:
        """Decides one status per number. The same evidence always gives the same decision."""
        with plain_errors(), ledger.open() as book:
            totals, statuses = run(book, load_settings(), config)
        context.log.info("Decided %s numbers.", totals.get("numbers", 0))
        return dg.MaterializeResult(
            metadata={
                **counts(totals),
                "trunks in trouble": MetadataValue.int(totals.get("trunk alarms", 0)),
                **{f"status {status}": MetadataValue.int(statuses.get(status, 0)) for status in STATUSES},
            }
        )

    return status_asset
