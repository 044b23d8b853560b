"""Jobs beside the syncs: the registry scrub, the monthly and the quarterly cleaning."""

from collections.abc import Sequence
from typing import Any

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from ringtrue.schedule_settings import OFF
from ringtrue.settings import Settings

FULL: dict[str, Any] = {"config": {"full": True}}
SCRUB = ("registries", "opt_outs", "suppressions")
MONTHLY = ("lookups", "status", "review_queue")
FULL_STAGES = ("phones", "opt_outs", "lookups", "status")
"""Shared stages that can go through everything."""


def retry_policy(settings: Settings) -> dg.RetryPolicy | None:
    """How stages are repeated whose error may pass by itself; `plain_errors` says which ones may not. Every stage may be repeated without a duplicate effect."""
    chosen = settings.schedules
    if not chosen.retries:
        return None
    return dg.RetryPolicy(
        max_retries=chosen.retries,
        delay=chosen.retry_seconds,
        backoff=dg.Backoff.EXPONENTIAL,
        jitter=dg.Jitter.PLUS_MINUS,
    )


def schedule_of(
    settings: Settings, job: UnresolvedAssetJobDefinition | dg.JobDefinition, cron: str, *, running: bool
) -> list[dg.ScheduleDefinition]:
    """The schedule of a job in the words of `[schedules]`; none where it is off."""
    if cron == OFF:
        return []
    return [
        dg.ScheduleDefinition(
            name=f"{job.name}_schedule",
            job=job,
            cron_schedule=cron,
            execution_timezone=settings.schedules.timezone,
            description=job.description,
            default_status=dg.DefaultScheduleStatus.RUNNING if running else dg.DefaultScheduleStatus.STOPPED,
        )
    ]


def registry_scrub(retries: dg.RetryPolicy | None) -> UnresolvedAssetJobDefinition:
    """Loads new registry files, finds new opt-outs, and compares every number with the lists."""
    return dg.define_asset_job(
        "registry_scrub",
        selection=dg.AssetSelection.assets(*(dg.AssetKey(stage) for stage in SCRUB)),
        op_retry_policy=retries,
        description="Loads new do-not-call registry files, compares every number with them and checks the chain of suppressions.",
    )


def clean_monthly(settings: Settings, retries: dg.RetryPolicy | None) -> UnresolvedAssetJobDefinition:
    """Asks what is due among all numbers, decides, and writes the differences to every CRM."""
    crms = [name for name, connection in settings.connections.items() if connection.kind != "files"]
    keys = [*([stage] for stage in MONTHLY), *([name, stage] for name in crms for stage in ("changes", "writeback"))]
    return dg.define_asset_job(
        "clean_monthly",
        selection=dg.AssetSelection.assets(*(dg.AssetKey(key) for key in keys)),
        config={"ops": {"lookups": FULL}},
        op_retry_policy=retries,
        description="Looks at every number for what is due to be asked again, decides, and writes the differences.",
    )


def clean_quarterly(
    settings: Settings, name: str, stages: Sequence[dg.AssetKey], retries: dg.RetryPolicy | None
) -> UnresolvedAssetJobDefinition:
    """A connection's whole job once more from the beginning: every record pulled, every number decided, every record compared."""
    own = ["contacts"] if settings.connections[name].kind == "files" else ["contacts", "calls", "changes"]
    ops = [*(f"{name}__{stage}" for stage in own), *FULL_STAGES]
    return dg.define_asset_job(
        f"clean_quarterly_{name}",
        selection=dg.AssetSelection.assets(*stages),
        config={"ops": dict.fromkeys(ops, FULL)},
        tags={"connection": name},
        op_retry_policy=retries,
        description=f"Pulls every record of {name} again, decides every number and compares every record.",
    )
