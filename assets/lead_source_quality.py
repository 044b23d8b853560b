"""`lead_source_quality`: which lead sources bring bad numbers."""

import dagster as dg
from dagster import MetadataValue

from assets.lead_sources import source_key
from assets.stage import plain_errors
from connectors.resources import LedgerResource
from ringtrue.ledger import Ledger, lead_sources
from ringtrue.records import STATUSES
from ringtrue.settings import Settings, load_settings
from ringtrue.source_names import SourceMap

BAD = ("invalid", "disconnected", "wrong_person")


def count_by_source(ledger: Ledger, settings: Settings) -> dict[str, dict[str, int]]:
    """Numbers by status for each source that has any."""
    sources = SourceMap(settings.sources)
    with ledger.read() as book:
        rows = lead_sources.statuses(book)
    if rows.empty:
        return {}
    rows["slug"] = sources.slugs_of(rows["connection"], rows["raw"])
    by_source: dict[str, dict[str, int]] = {}
    for slug, status, numbers in zip(rows["slug"], rows["status"], rows["numbers"], strict=True):
        counted = by_source.setdefault(str(slug), dict.fromkeys(STATUSES, 0))
        counted[str(status)] += int(numbers)
    return by_source


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
        """Counts the numbers of each lead source by status, and logs the counts on the source's own page."""
        settings = load_settings()
        with plain_errors(), ledger.open() as book:
            by_source = count_by_source(book, settings)
        sources = SourceMap(settings.sources)
        lines = ["| source | numbers | invalid or dead | share |", "|---|---:|---:|---:|"]
        for slug, statuses in sorted(by_source.items(), key=lambda item: -_share(item[1])):
            total, bad = sum(statuses.values()), sum(statuses[status] for status in BAD)
            label = sources.label(slug).replace("|", "\\|")
            lines.append(f"| {label} | {total} | {bad} | {_share(statuses):.1%} |")
            context.log_event(
                dg.AssetObservation(
                    source_key(slug),
                    metadata={
                        "numbers": MetadataValue.int(total),
                        "share bad": MetadataValue.float(_share(statuses)),
                        **{f"status {status}": MetadataValue.int(count) for status, count in statuses.items()},
                    },
                )
            )
        return dg.MaterializeResult(
            metadata={"sources": MetadataValue.int(len(by_source)), "table": MetadataValue.md("\n".join(lines))}
        )

    return lead_source_quality


def _share(statuses: dict[str, int]) -> float:
    total = sum(statuses.values())
    return sum(statuses[status] for status in BAD) / total if total else 0.0
