"""`lead_source_quality`: which lead sources bring bad numbers."""

from typing import Any

import dagster as dg
from dagster import MetadataValue

from assets.lead_sources import source_key
from assets.source_measure import Measured, advice, figures, measure, overview, remember
from assets.stage import now_ms, plain_errors, root_run
from connectors.resources import LedgerResource
from ringtrue.ledger.source_states import SourceState
from ringtrue.records import STATUSES
from ringtrue.settings import Settings, load_settings

_SHARES = {
    "bad on arrival": "bad_share",
    "bad on arrival, 5 % bound": "bad_low",
    "bad on arrival, 95 % bound": "bad_high",
    "do-not-call share": "do_not_call_share",
    "reached share": "reach_share",
    "dead in 90 days": "decay_90d",
    "share of duplicates": "duplicate_share",
    "checked on arrival, share": "coverage",
    "money spent": "money_spent",
    "money wasted": "money_wasted",
}
_COUNTS = {
    "leads": "leads",
    "numbers": "numbers",
    "invalid on arrival": "arrived_invalid",
    "disconnected on arrival": "arrived_disconnected",
    "wrong person on arrival": "arrived_wrong_person",
    "checked on arrival": "arrived_verified",
    **{f"status {status}": f"status_{status}" for status in STATUSES},
}
REASONS_SHOWN = 8


def node_metadata(
    row: dict[str, Any], reasons: dict[str, int], returned: int, state: SourceState, to_change: list[str]
) -> dict[str, MetadataValue[Any]]:
    """A source's figures as its page plots them. What is not known is left out: a gap, not a zero."""
    known = float(row["evidence"]) > 0
    shares = {
        name: MetadataValue.float(float(row[column]))
        for name, column in _SHARES.items()
        if row[column] is not None and (known or not column.startswith("bad_"))
    }
    return {
        **shares,
        **{name: MetadataValue.int(int(row[column])) for name, column in _COUNTS.items()},
        **{f"reason {reason}": MetadataValue.int(count) for reason, count in list(reasons.items())[:REASONS_SHOWN]},
        "leads that came again": MetadataValue.int(returned),
        "alarm rings": MetadataValue.int(int(state.alarm.ringing)),
        "alarm sum": MetadataValue.float(state.alarm.total),
        "grade": MetadataValue.text(row["grade"] or "not enough data"),
        "what to change": MetadataValue.text(" ".join(to_change) or "nothing stands out"),
    }


def log_nodes(
    context: dg.AssetExecutionContext, settings: Settings, measured: Measured, states: dict[str, SourceState]
) -> None:
    """Log each source's figures on its own node."""
    sentences = advice(measured, settings)
    for row in figures(measured.quality):
        slug = str(row["source"])
        own = measured.reasons[measured.reasons["source"] == slug]
        reasons = dict(zip(own["reason"].astype("str"), own["numbers"].astype("int64").tolist(), strict=True))
        context.log_event(
            dg.AssetObservation(
                source_key(slug),
                metadata=node_metadata(
                    row,
                    reasons,
                    measured.returned.get(slug, 0),
                    states.get(slug, SourceState()),
                    sentences.get(slug, []),
                ),
            )
        )


def build_lead_source_quality() -> dg.AssetsDefinition:
    """The `lead_source_quality` asset below status."""

    @dg.asset(
        name="lead_source_quality",
        deps=[dg.AssetKey("status")],
        group_name="lead_sources",
        kinds={"python", "pandas"},
        owners=["team:marketing"],
        pool="ledger_quality",
    )
    def lead_source_quality(context: dg.AssetExecutionContext, ledger: LedgerResource) -> dg.MaterializeResult[None]:
        """Measures every lead source by what its numbers were on arrival, and logs the figures on the source's own page."""
        settings = load_settings()
        with plain_errors(), ledger.open() as book:
            measured = measure(book, settings, keep=True)
            states = remember(book, settings, measured, root_run(context), now_ms())
        log_nodes(context, settings, measured, states)
        quality = measured.quality
        return dg.MaterializeResult(
            metadata={
                "sources": MetadataValue.int(int((quality["numbers"] > 0).sum())),
                "leads": MetadataValue.int(int(quality["leads"].sum())),
                "numbers": MetadataValue.int(int(quality["numbers"].sum())),
                "sources graded": MetadataValue.int(int((quality["grade"] != "").sum())),
                "alarms ringing": MetadataValue.int(sum(state.alarm.ringing for state in states.values())),
                "money wasted": MetadataValue.float(float(quality["money_wasted"].sum())),
                "table": MetadataValue.md(overview(measured)),
            }
        )

    return lead_source_quality
