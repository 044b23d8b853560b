"""`report`: where the bad numbers come from, as one HTML file, and the refund packs of sources that cost money."""

import base64
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pandas as pd
from dagster import MetadataValue

from assets.source_measure import Measured, advice, measure
from assets.stage import plain_errors
from connectors.resources import LedgerResource
from ringtrue.errors import FileUnreadable
from ringtrue.ledger import Ledger, source_states
from ringtrue.report import ReportData, plots, refund_pack, render_report
from ringtrue.settings import Settings, load_settings
from ringtrue.source_names import SourceMap

COMPARED_WITH = timedelta(days=30)
"""The report says what each source's grade was so long ago."""


def report_data(ledger: Ledger, settings: Settings, measured: Measured, now: datetime) -> ReportData:
    """Everything the report shows."""
    with ledger.read() as book:
        before = source_states.grades_on(book, f"{now - COMPARED_WITH:%Y-%m-%d}")
    return ReportData(
        quality=measured.quality,
        weeks=measured.weeks,
        reasons=measured.reasons,
        statuses=measured.statuses,
        generated_at=now,
        currency=settings.source_quality.currency,
        tolerated_share=settings.source_quality.tolerated_share,
        arrival_days=settings.source_quality.arrival_days,
        advice=advice(measured, settings),
        ringing={
            source: state.alarm.since
            for source, state in measured.states.items()
            if state.alarm.ringing and state.alarm.since
        },
        grades_before=before,
    )


def refund_rows(ledger: Ledger, settings: Settings) -> pd.DataFrame:
    """Every number that was bad on arrival, with its source, in the columns that `refund_pack` takes."""
    sources = SourceMap(settings.sources)
    with ledger.read() as book:
        found = source_states.bad_arrivals(book)
    rows = pd.DataFrame(found, columns=source_states.BAD_ARRIVAL_COLUMNS)
    rows["source"] = sources.slugs_of(rows["connection"], rows["raw_source"])
    rows["record"] = rows["connection"] + ":" + rows["record_id"]
    for name in ("created_at", "first_verified_at"):
        rows[name] = pd.to_datetime(rows[name], unit="ms", utc=True)
    rows["evidence"] = rows["said"].where(rows["said"].notna(), "called or looked up on the day of the check")
    return rows


def pack_of(
    ledger: Ledger, settings: Settings, source: str, now: datetime, *, delivered: int | None = None
) -> tuple[bytes, str, int]:
    """CSV, page and number of lines of one source's refund pack."""
    rows = refund_rows(ledger, settings)
    if delivered is None:
        with ledger.read() as book:
            stored = source_states.latest(book, source)
        delivered = int(stored[0].figures["numbers"]) if stored else None
    table, page = refund_pack(
        rows,
        source,
        label=SourceMap(settings.sources).label(source),
        generated_at=now,
        arrival_days=settings.source_quality.arrival_days,
        delivered=delivered,
    )
    return table, page, int((rows["source"] == source).sum())


def write_privately(path: Path, content: bytes) -> None:
    """Write a file that only its owner reads; a reader never sees half of it. Raises FileUnreadable."""
    half = path.with_name(path.name + ".tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        half.unlink(missing_ok=True)
        with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(content)
        half.rename(path)
    except OSError as error:
        raise FileUnreadable(
            f"{path.name} cannot be written to the folder of [report] ({error.strerror}). Check the folder and the space left."
        ) from error


def write_report(ledger: Ledger, settings: Settings, now: datetime) -> tuple[Path, ReportData, list[Path]]:
    """Write the report, and the refund packs where they are wanted. Returns the report's path, its data, and the packs' paths."""
    measured = measure(ledger, settings, keep=False)
    data = report_data(ledger, settings, measured, now)
    folder = Path(settings.report.folder)
    path = folder / f"lead-sources-{now:%Y-%m-%d}.html"
    write_privately(path, render_report(data).encode("utf-8"))
    packs: list[Path] = []
    numbers = dict(zip(measured.quality["source"], measured.quality["numbers"], strict=True))
    bought = [slug for slug, rule in settings.sources.items() if rule.cost_per_lead > 0 and numbers.get(slug)]
    for slug in bought if settings.report.refund_packs else ():
        table, page, lines = pack_of(ledger, settings, slug, now, delivered=int(numbers[slug]))
        if lines:
            packs += write_pack(folder, slug, now, table, page)
    return path, data, packs


def write_pack(folder: Path, source: str, now: datetime, table: bytes, page: str) -> list[Path]:
    """Write a refund pack's two files. `source` is a slug, so the name is safe."""
    paths = [folder / f"refund-{source}-{now:%Y-%m-%d}.{kind}" for kind in ("csv", "html")]
    for path, content in zip(paths, (table, page.encode("utf-8")), strict=True):
        write_privately(path, content)
    return paths


def build_report() -> dg.AssetsDefinition:
    """The `report` asset below lead_source_quality."""

    @dg.asset(
        name="report",
        deps=[dg.AssetKey("lead_source_quality")],
        group_name="lead_sources",
        kinds={"python", "html"},
        owners=["team:marketing"],
        pool="ledger_quality",
    )
    def report_asset(ledger: LedgerResource) -> dg.MaterializeResult[None]:
        """Writes the lead-source report: sources ranked, trend, reasons, statuses over time, money. It holds no number."""
        settings = load_settings()
        with plain_errors(), ledger.open() as book:
            path, data, packs = write_report(book, settings, datetime.now(UTC))
        pictures = {
            name: MetadataValue.md(f"![{name}](data:image/png;base64,{base64.b64encode(picture).decode('ascii')})")
            for name, picture in plots(data).items()
        }
        return dg.MaterializeResult(
            metadata={
                "path": MetadataValue.path(str(path)),
                "refund packs": MetadataValue.json([str(pack) for pack in packs]),
                "sources": MetadataValue.int(int((data.quality["numbers"] > 0).sum())),
                "alarms ringing": MetadataValue.int(len(data.ringing)),
                **pictures,
            }
        )

    return report_asset
