"""The job `prune`: deletes old runs with their events and logs, handled messages, plans that came to nothing, and old reports.

Dagster keeps runs for ever; its `retention` is about ticks only.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import sqlalchemy as db
from dagster import MetadataValue
from dagster._core.storage.dagster_run import FINISHED_STATUSES
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage

from assets.run_owner import is_ours, location_of
from assets.stage import now_ms, plain_errors
from connectors.resources import LedgerResource
from ringtrue.ledger import Ledger, pruning
from ringtrue.settings import Settings, load_settings

DAY_MS = 86_400_000
PAGE = 500
_REPORT = re.compile(r"(?:lead-sources|refund-[a-z0-9_]+)-(\d{4}-\d\d-\d\d)\.(?:html|csv)")


def needed_runs(instance: dg.DagsterInstance) -> set[str]:
    """Runs that hold the last materialization or observation of an asset, or the last result of a check: the UI shows these."""
    keys = list(instance.all_asset_keys())
    needed: set[str] = set()
    for record in instance.get_asset_records(keys):
        entry = record.asset_entry
        if entry.last_materialization is not None:
            needed.add(entry.last_materialization.run_id)
    for key in keys:
        needed.update(record.run_id for record in instance.fetch_observations(key, limit=1).records)
    storage = instance.event_log_storage
    if isinstance(storage, SqlEventLogStorage):
        checks = AssetCheckExecutionsTable
        last = db.select(db.func.max(checks.c.id)).group_by(checks.c.asset_key, checks.c.check_name)
        with storage.index_connection() as connection:
            needed.update(row[0] for row in connection.execute(db.select(checks.c.run_id).where(checks.c.id.in_(last))))
    return needed


def prune_runs(instance: dg.DagsterInstance, before: datetime, location: str | None) -> tuple[int, int]:
    """Delete this project's runs that were made before a moment and have ended, with events, results of checks and logs.

    Returns how many were deleted, and how many stay because something of theirs is the last of its kind.
    """
    needed = needed_runs(instance)
    old = dg.RunsFilter(statuses=FINISHED_STATUSES, created_before=before)
    deleted: list[str] = []
    kept = 0
    cursor: str | None = None
    while runs := instance.get_runs(old, cursor=cursor, limit=PAGE):
        cursor = runs[-1].run_id
        for run in runs:
            if not is_ours(run, location):
                continue
            if run.run_id in needed:
                kept += 1
            else:
                deleted.append(run.run_id)
    for run_id in deleted:
        _delete(instance, run_id)
    _delete_checks(instance, deleted)
    return len(deleted), kept


def _delete(instance: dg.DagsterInstance, run_id: str) -> None:
    instance.compute_log_manager.delete_logs(prefix=[run_id])
    instance.delete_run(run_id)
    storage = instance.event_log_storage
    if isinstance(storage, SqliteEventLogStorage):
        # Each run has a file of its own, of which Dagster would leave an empty one for ever.
        file = Path(storage.path_for_shard(run_id))
        for path in (file, *(file.with_name(file.name + end) for end in ("-wal", "-shm", "-journal"))):
            path.unlink(missing_ok=True)


def _delete_checks(instance: dg.DagsterInstance, run_ids: Sequence[str]) -> None:
    """Results of checks stand in a table of their own, which Dagster does not clear with their run."""
    storage = instance.event_log_storage
    if not isinstance(storage, SqlEventLogStorage):
        return
    for start in range(0, len(run_ids), PAGE):
        part = run_ids[start : start + PAGE]
        with storage.index_connection() as connection:
            connection.execute(AssetCheckExecutionsTable.delete().where(AssetCheckExecutionsTable.c.run_id.in_(part)))


def prune_ledger(ledger: Ledger, settings: Settings, now: int) -> dict[str, int]:
    """Delete from the ledger what `[retention]` says."""
    chosen = settings.retention
    changes_before = now - chosen.dropped_changes_days * DAY_MS
    # The guard compares with plans that old.
    plans_before = min(changes_before, now - settings.guard.usual_days * DAY_MS)
    return {
        "messages deleted": pruning.prune_inbox(ledger, now, chosen.inbox_days),
        "dropped changes deleted": pruning.prune_changes(ledger, changes_before),
        "empty plans deleted": pruning.prune_plans(ledger, plans_before),
    }


def prune_reports(folder: Path, before: datetime) -> int:
    """Delete reports and refund packs by the date in their name. Other files are left alone."""
    deleted = 0
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        found = _REPORT.fullmatch(path.name)
        if found and found[1] < f"{before:%Y-%m-%d}":
            path.unlink()
            deleted += 1
    return deleted


def build_prune() -> dg.JobDefinition:
    """The job `prune`. Runs of other projects on the same Dagster are never touched."""

    @dg.op(
        name="delete_old_traces",
        pool="prune",
        description="Deletes what [retention] says, and nothing of other projects.",
    )
    def delete_old_traces(context: dg.OpExecutionContext, ledger: LedgerResource) -> None:
        settings = load_settings()
        now = now_ms()
        present = datetime.fromtimestamp(now / 1000, UTC)
        with plain_errors(), ledger.open() as book:
            runs, kept = prune_runs(
                context.instance,
                present - timedelta(days=settings.retention.runs_days),
                location_of(context.run),
            )
            counted = {"runs deleted": runs, "old runs kept": kept, **prune_ledger(book, settings, now)}
            reports = present - timedelta(days=settings.retention.reports_days)
            counted["reports deleted"] = prune_reports(Path(settings.report.folder), reports)
        context.add_output_metadata({name: MetadataValue.int(count) for name, count in counted.items()})
        context.log.info(", ".join(f"{name}: {count}" for name, count in counted.items()))

    @dg.job(
        name="prune",
        description="Deletes runs, events, logs, handled messages and reports older than [retention] says.",
    )
    def prune() -> None:
        delete_old_traces()

    return prune
