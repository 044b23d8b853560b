"""One job per connection and its schedule: the pull, the shared stages, the preview and the write-back. And the report's."""

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from assets.dialling_lists import extra_stages
from assets.source_checks import check_keys
from connectors.resources import target_of
from ringtrue.settings import Connection, Settings

SHARED = (
    "phones",
    "call_evidence",
    "opt_outs",
    "registries",
    "suppressions",
    "lookups",
    "status",
    "review_queue",
    "lead_source_quality",
)
"""Stages that work on what the ledger holds, whichever connection brought it."""


def stages_of(name: str, connection: Connection) -> list[dg.AssetKey]:
    """Asset keys of a connection's job, in the order the data flows."""
    own = ["contacts", "calls"] if connection.kind == "files" else ["contacts", "calls", "changes", "writeback"]
    keys = [*(dg.AssetKey([name, stage]) for stage in own), *extra_stages(name, connection)]
    return [*keys, *(dg.AssetKey(stage) for stage in SHARED)]


def build_jobs(
    settings: Settings,
) -> tuple[list[UnresolvedAssetJobDefinition], list[dg.ScheduleDefinition]]:
    """A job `sync_<connection>` and a schedule for each connection, and those of the report. A schedule runs once its connection may be written, the report's with the first of them."""
    jobs: list[UnresolvedAssetJobDefinition] = []
    schedules: list[dg.ScheduleDefinition] = []
    source_checks = dg.AssetSelection.checks(*check_keys(settings))
    any_running = False
    for name, connection in settings.connections.items():
        stages = stages_of(name, connection)
        if name in settings.source_quality.feedback:
            stages.append(dg.AssetKey([name, "source_feedback"]))
        job = dg.define_asset_job(
            f"sync_{name}",
            selection=dg.AssetSelection.assets(*stages) | source_checks,
            tags={"connection": name},
            description=f"Pulls {name}, decides what is new, and writes the differences back.",
        )
        running = target_of(name, connection).writes(connection)
        any_running = any_running or running
        jobs.append(job)
        schedules.append(
            dg.ScheduleDefinition(
                name=f"{name}_schedule",
                job=job,
                cron_schedule=connection.schedule,
                execution_timezone=connection.timezone,
                default_status=dg.DefaultScheduleStatus.RUNNING if running else dg.DefaultScheduleStatus.STOPPED,
            )
        )
    report = dg.define_asset_job(
        "lead_source_report",
        selection=dg.AssetSelection.assets(dg.AssetKey("report")),
        description="Writes the lead-source report and the refund packs.",
    )
    jobs.append(report)
    dialing = dg.define_asset_job(
        "write_dialing_list",
        selection=dg.AssetSelection.assets(dg.AssetKey("dialing_list")),
        description="Writes who may be called now, and why the others may not.",
    )
    jobs.append(dialing)
    schedules.append(
        dg.ScheduleDefinition(
            name="dialing_list_schedule",
            job=dialing,
            cron_schedule=settings.dialing_list.schedule,
            default_status=dg.DefaultScheduleStatus.RUNNING if any_running else dg.DefaultScheduleStatus.STOPPED,
        )
    )
    schedules.append(
        dg.ScheduleDefinition(
            name="report_schedule",
            job=report,
            cron_schedule=settings.report.schedule,
            execution_timezone=settings.report.timezone,
            default_status=dg.DefaultScheduleStatus.RUNNING if any_running else dg.DefaultScheduleStatus.STOPPED,
        )
    )
    return jobs, schedules
