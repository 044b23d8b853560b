"""What runs by itself and when, what is repeated, and when an asset counts as stale."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.freshness import TimeWindowFreshnessPolicy

from assets.cleaning import retry_policy
from assets.definitions import build
from assets.freshness import windows
from assets.jobs import Jobs, build_jobs
from assets.stage import plain_errors
from ringtrue.errors import RetryLater, SettingsError, StopRun
from ringtrue.settings import Settings

SANDBOX = {"kind": "hubspot", "sandbox_url": "http://127.0.0.1:9"}
RUNNING, STOPPED = dg.DefaultScheduleStatus.RUNNING, dg.DefaultScheduleStatus.STOPPED
HOUR = timedelta(hours=1)


def settings(**tables: Any) -> Settings:
    return Settings.model_validate({"connections": {"hubspot": SANDBOX}, **tables})


def schedules(made: Jobs) -> dict[str, dg.ScheduleDefinition]:
    return {schedule.name: schedule for schedule in made.schedules}


def test_every_job_runs_by_itself_once_a_connection_may_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    found = schedules(build_jobs(settings()))
    assert {name: schedule.cron_schedule for name, schedule in found.items()} == {
        "hubspot_schedule": "0 * * * *",
        "clean_quarterly_hubspot_schedule": "0 1 2 1,4,7,10 *",
        "dialing_list_schedule": "50 * * * *",
        "report_schedule": "0 6 * * *",
        "registry_scrub_schedule": "30 4 * * *",
        "clean_monthly_schedule": "0 2 1 * *",
        "prune_schedule": "15 3 * * *",
    }
    assert {schedule.default_status for schedule in found.values()} == {RUNNING}
    # With a token it is the real portal, which nobody has enabled.
    monkeypatch.setenv("HUBSPOT_TOKEN", "a-token")
    made = build_jobs(settings())
    assert {schedule.default_status for schedule in made.schedules} == {STOPPED}
    assert made.freshness == {}, "what does not run by itself is not stale"


def test_a_schedule_is_moved_and_switched_off_by_the_settings() -> None:
    chosen = {"timezone": "Europe/Berlin", "registry_scrub": "0 5 * * *", "prune": "off", "clean_quarterly": "off"}
    found = schedules(build_jobs(settings(schedules=chosen)))
    scrub = found["registry_scrub_schedule"]
    assert (scrub.cron_schedule, scrub.execution_timezone) == ("0 5 * * *", "Europe/Berlin")
    assert {"prune_schedule", "clean_quarterly_hubspot_schedule"} & set(found) == set()
    with pytest.raises(SettingsError, match=r"A schedule in .* cannot be used"):
        build(settings(schedules={"prune": "at night"}))
    with pytest.raises(SettingsError, match=r"A schedule in .* cannot be used"):
        build(Settings.model_validate({"connections": {"hubspot": {**SANDBOX, "schedule": "hourly or so"}}}))


def test_cleaning_asks_what_is_due_and_each_quarter_reads_and_compares_everything() -> None:
    definitions = build(settings())
    monthly = definitions.resolve_job_def("clean_monthly")
    steps = set(monthly.graph.node_dict)
    assert {"lookups", "status", "hubspot__changes", "hubspot__writeback"} <= steps
    assert "hubspot__contacts" not in steps
    quarterly = definitions.resolve_job_def("clean_quarterly_hubspot")
    assert {"hubspot__contacts", "hubspot__calls", "phones", "lookups", "hubspot__writeback"} <= set(
        quarterly.graph.node_dict
    )
    for job in (monthly, quarterly):
        assert dg.validate_run_config(job), "the config that it carries fits"
    full = quarterly.run_config or {}
    assert full["ops"]["hubspot__contacts"] == full["ops"]["hubspot__changes"] == {"config": {"full": True}}


@pytest.mark.parametrize(
    ("cron", "one", "two"),
    [
        ("0 * * * *", 1 * HOUR, 2 * HOUR),
        ("*/5 * * * *", HOUR / 12, HOUR / 6),
        ("30 4 * * *", 24 * HOUR, 48 * HOUR),
        ("0 8-18 * * 1-5", 62 * HOUR, 63 * HOUR),
        ("0 8 * * 1-5", 72 * HOUR, 96 * HOUR),
        ("0 2 1 * *", 31 * 24 * HOUR, 62 * 24 * HOUR),
        ("0 1 2 1,4,7,10 *", 92 * 24 * HOUR, 184 * 24 * HOUR),
    ],
)
def test_an_asset_is_yellow_after_one_missed_run_and_red_after_two(cron: str, one: timedelta, two: timedelta) -> None:
    grace = max(timedelta(minutes=10), one * 0.1)
    assert windows(cron, "UTC") == (one + grace, two + grace)


def test_every_asset_that_runs_by_itself_has_a_freshness_policy() -> None:
    graph = build(settings()).resolve_asset_graph()
    without = {key.path[-1] for key in graph.materializable_asset_keys if graph.get(key).freshness_policy is None}
    assert without <= {"do_not_call", "fresh_contacts"}, "sensors start these when something has happened"
    slow = build(settings(connections={"hubspot": {**SANDBOX, "schedule": "30 4 * * *"}})).resolve_asset_graph()
    policy = slow.get(dg.AssetKey("status")).freshness_policy
    assert isinstance(policy, TimeWindowFreshnessPolicy)
    assert policy.fail_window.to_timedelta() > timedelta(hours=48)


@pytest.mark.parametrize(
    ("error", "tries"), [(RetryLater("busy"), 3), (StopRun("renew the token"), 1), (ValueError(), 1)]
)
def test_only_errors_that_may_pass_are_repeated(error: Exception, tries: int) -> None:
    tried = 0

    @dg.op
    def stage() -> None:
        nonlocal tried
        tried += 1
        with plain_errors():
            raise error

    @dg.graph
    def job() -> None:
        stage()

    policy = retry_policy(settings(schedules={"retry_seconds": 0.01}))
    ran = job.to_job(op_retry_policy=policy).execute_in_process(raise_on_error=False)
    assert not ran.success
    assert tried == tries
