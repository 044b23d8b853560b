"""One job per connection and its schedule: the pull, the shared stages, the preview and the write-back. And the jobs beside them."""

from typing import NamedTuple

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from assets.cleaning import SCRUB, clean_monthly, clean_quarterly, registry_scrub, retry_policy, schedule_of
from assets.dialling_lists import extra_stages
from assets.freshness import freshness_of
from assets.pruning import build_prune
from assets.source_checks import check_keys
from connectors.resources import target_of
from ringtrue.schedule_settings import OFF
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


class Jobs(NamedTuple):
    """Jobs, their schedules, and the freshness that the running schedules promise."""

    jobs: list[UnresolvedAssetJobDefinition | dg.JobDefinition]
    schedules: list[dg.ScheduleDefinition]
    freshness: dict[dg.AssetKey, dg.FreshnessPolicy]


def stages_of(name: str, connection: Connection) -> list[dg.AssetKey]:
    """Asset keys of a connection's job, in the order the data flows."""
    own = ["contacts", "calls"] if connection.kind == "files" else ["contacts", "calls", "changes", "writeback"]
    keys = [*(dg.AssetKey([name, stage]) for stage in own), *extra_stages(name, connection)]
    return [*keys, *(dg.AssetKey(stage) for stage in SHARED)]


def build_jobs(settings: Settings, *, retries: bool = True) -> Jobs:
    """A job `sync_<connection>` and `clean_quarterly_<connection>` for each connection, and those of all of them together.

    A schedule runs once its connection may be written, those of all with the first of them.
    """
    made = Jobs([], [], {})
    source_checks = dg.AssetSelection.checks(*check_keys(settings))
    policy = retry_policy(settings) if retries else None
    running = {name: target_of(name, one).writes(one) for name, one in settings.connections.items()}
    chosen = settings.schedules
    for name, connection in settings.connections.items():
        stages = stages_of(name, connection)
        if name in settings.source_quality.feedback:
            stages.append(dg.AssetKey([name, "source_feedback"]))
        job = dg.define_asset_job(
            f"sync_{name}",
            selection=dg.AssetSelection.assets(*stages) | source_checks,
            tags={"connection": name},
            op_retry_policy=policy,
            description=f"Pulls {name}, decides what is new, and writes the differences back.",
        )
        made.jobs.append(job)
        made.schedules.append(_schedule(job, connection.schedule, connection.timezone, running=running[name]))
        quarterly = clean_quarterly(settings, name, stages, policy)
        made.jobs.append(quarterly)
        made.schedules.extend(schedule_of(settings, quarterly, chosen.clean_quarterly, running=running[name]))
        if running[name]:
            _promise(made, freshness_of(connection.schedule, connection.timezone), stages)
    anything = any(running.values())
    report = dg.define_asset_job(
        "lead_source_report",
        selection=dg.AssetSelection.assets(dg.AssetKey("report")),
        op_retry_policy=policy,
        description="Writes the lead-source report and the refund packs.",
    )
    dialing = dg.define_asset_job(
        "write_dialing_list",
        selection=dg.AssetSelection.assets(dg.AssetKey("dialing_list")),
        op_retry_policy=policy,
        description="Writes who may be called now, and why the others may not.",
    )
    listing, reporting = settings.dialing_list, settings.report
    made.schedules.append(_schedule(dialing, listing.schedule, "UTC", running=anything, name="dialing_list_schedule"))
    made.schedules.append(
        _schedule(report, reporting.schedule, reporting.timezone, running=anything, name="report_schedule")
    )
    scrub, monthly, prune = registry_scrub(policy), clean_monthly(settings, policy), build_prune()
    made.schedules.extend(schedule_of(settings, scrub, chosen.registry_scrub, running=anything))
    made.schedules.extend(schedule_of(settings, monthly, chosen.clean_monthly, running=anything))
    made.schedules.extend(schedule_of(settings, prune, chosen.prune, running=anything))
    made.jobs.extend([report, dialing, scrub, monthly, prune])
    if anything:
        _promise(made, freshness_of(listing.schedule, "UTC"), [dg.AssetKey("dialing_list")])
        _promise(made, freshness_of(reporting.schedule, reporting.timezone), [dg.AssetKey("report")])
        if chosen.registry_scrub != OFF:
            scrubbed = freshness_of(chosen.registry_scrub, chosen.timezone)
            _promise(made, scrubbed, [dg.AssetKey(stage) for stage in SCRUB])
    return made


def _promise(made: Jobs, policy: dg.FreshnessPolicy, keys: list[dg.AssetKey]) -> None:
    """The first promise for an asset holds."""
    for key in keys:
        made.freshness.setdefault(key, policy)


def _schedule(
    job: UnresolvedAssetJobDefinition, cron: str, timezone: str, *, running: bool, name: str | None = None
) -> dg.ScheduleDefinition:
    return dg.ScheduleDefinition(
        name=name or f"{job.name.removeprefix('sync_')}_schedule",
        job=job,
        cron_schedule=cron,
        execution_timezone=timezone,
        description=job.description,
        default_status=dg.DefaultScheduleStatus.RUNNING if running else dg.DefaultScheduleStatus.STOPPED,
    )
