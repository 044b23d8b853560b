"""`status`: one decision per number, from everything that is known about it."""

from collections import Counter
from collections.abc import Sequence

import dagster as dg
from dagster import MetadataValue

from assets.deciding import deciding, policy_of
from assets.stage import BATCH, columns, counts, now_ms, plain_errors
from assets.trunk_watch import watch
from connectors.resources import LedgerResource
from ringtrue.collector import rare_collections
from ringtrue.ledger import Ledger, decisions, dirty
from ringtrue.records import STATUSES
from ringtrue.settings import Settings, load_settings


class StatusConfig(dg.Config):
    """What one run decides."""

    full: bool = False
    """Decide every number again, not only those with new evidence."""


@rare_collections()
def run(ledger: Ledger, settings: Settings, config: StatusConfig) -> tuple[dict[str, int], dict[str, int]]:
    """Decide every number that has new evidence, an expired decision or one of another policy. Returns counts and statuses."""
    totals = Counter[str]()
    now = now_ms()
    totals["trunk alarms"], totals["numbers called in a trunk's alarm"] = watch(ledger, policy_of(settings), now)
    way = deciding(ledger, settings, now)
    with ledger.write() as connection:
        totals["expired or of another policy"] = decisions.mark_due(connection, now, way.version)
        if config.full:
            decisions.mark_all(connection)
    after = ""
    while True:
        with ledger.read() as connection:
            marks = dirty.next_numbers(connection, decisions.STAGE, BATCH, after)
            numbers = [number for number, _ in marks]
            known = way.evidence(connection, numbers) if marks else None
        if known is None:
            break
        after = numbers[-1]
        decided = way.decided(known)
        with ledger.write() as connection:
            stored = decisions.store(connection, decided, marks, way.version, now)
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
