"""The job `back_up`: a backup of the ledger by schedule, old ones deleted."""

import os
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
from dagster import MetadataValue

from assets.stage import now_ms, plain_errors
from connectors.resources import LedgerResource, target_of
from ringtrue.backup_settings import OFF
from ringtrue.errors import SettingsError
from ringtrue.ledger import Ledger
from ringtrue.ledger.backup import SUFFIX, Manifest, back_up, prune
from ringtrue.settings import Settings, load_settings, settings_path

PASSPHRASE = "RINGTRUE_BACKUP_PASSPHRASE"  # noqa: S105 the variable's name
"""Environment variable: backups are sealed with it where it is set."""


def make_backup(ledger: Ledger, folder: Path, keep: int, now: int) -> tuple[Path, Manifest, list[Path]]:
    """Back up into a folder under the moment's name and delete all but the newest `keep`. Returns the file, what it holds, what was deleted."""
    name = datetime.fromtimestamp(now / 1000, UTC).strftime("%Y%m%d-%H%M%S")
    path = folder / f"ringtrue-{name}-{now % 1000:03}{SUFFIX}"
    manifest = back_up(ledger, path, now, os.environ.get(PASSPHRASE))
    return path, manifest, prune(folder, keep)


@dg.op(description="Writes everything the ledger holds as of now to one file, and deletes the oldest ones.")
def back_up_ledger(context: dg.OpExecutionContext, ledger: LedgerResource) -> None:
    """See `make_backup`; folder and number stand under [backup]."""
    settings = load_settings()
    with plain_errors(), ledger.open() as book:
        path, manifest, deleted = make_backup(book, Path(settings.backup.folder), settings.backup.keep, now_ms())
    context.add_output_metadata(
        {
            "file": MetadataValue.path(str(path)),
            "rows": MetadataValue.int(sum(facts.rows for facts in manifest.tables.values())),
            "suppression events": MetadataValue.int(manifest.chain[0]),
            "bytes": MetadataValue.int(path.stat().st_size),
            "old backups deleted": MetadataValue.int(len(deleted)),
        }
    )


@dg.job(name="back_up", description="Backs the ledger up to the folder of [backup].")
def back_up_job() -> None:
    """One step."""
    back_up_ledger()


def build_backup(settings: Settings) -> dg.Definitions:
    """The job and its schedule, which runs once a connection may be written. Raises SettingsError for a schedule that is none."""
    if settings.backup.schedule == OFF:
        return dg.Definitions(jobs=[back_up_job])
    running = any(target_of(name, connection).writes(connection) for name, connection in settings.connections.items())
    try:
        schedule = dg.ScheduleDefinition(
            name="back_up_schedule",
            job=back_up_job,
            cron_schedule=settings.backup.schedule,
            execution_timezone=settings.backup.timezone,
            description=back_up_job.description,
            default_status=dg.DefaultScheduleStatus.RUNNING if running else dg.DefaultScheduleStatus.STOPPED,
        )
    except dg.DagsterInvalidDefinitionError as error:
        raise SettingsError(f"The schedule under [backup] in {settings_path()} cannot be used: {error}") from error
    return dg.Definitions(jobs=[back_up_job], schedules=[schedule])
