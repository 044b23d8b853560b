"""RingTrue as one more code location of a Dagster that exists already: started elsewhere, with a home and other projects of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import dagster as dg
import pytest
import tomli_w
import yaml
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget

from assets.definitions import refuse_second_ledger
from ringtrue.errors import SettingsError
from ringtrue.settings import Settings
from tests.stand_ins import ROOT

THEIRS = """
import dagster as dg

@dg.op
def count(): ...

@dg.job
def their_job():
    count()

defs = dg.Definitions(jobs=[their_job])
"""
JOBS = {"sync_salesforce", "sync_hubspot", "registry_scrub", "clean_monthly", "clean_quarterly_hubspot", "prune"}


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is not ours: where their Dagster is started, with one file of theirs, its home, and our settings by an absolute path."""
    home = tmp_path / "their_home"
    home.mkdir()
    servers = {"local_startup_timeout": 180, "wait_for_local_processes_on_shutdown": True}
    (home / "dagster.yaml").write_text(yaml.safe_dump({"code_servers": servers, "telemetry": {"enabled": False}}))
    (tmp_path / "theirs.py").write_text(THEIRS)
    settings = {
        "ledger": {"url": f"sqlite:///{tmp_path}/ledger.db"},
        "connections": {
            "salesforce": {"kind": "salesforce", "domain": "acme.my", "schedule": "5 * * * *"},
            "hubspot": {"kind": "hubspot", "enabled": True},
        },
    }
    (tmp_path / "ringtrue.toml").write_text(tomli_w.dumps(settings))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    monkeypatch.setenv("RINGTRUE_SETTINGS", str(tmp_path / "ringtrue.toml"))
    monkeypatch.delenv("PYTHONPATH", raising=False)
    return tmp_path


def test_loaded_by_their_dagster_from_an_environment_of_its_own(elsewhere: Path) -> None:
    theirs = {"python_file": {"relative_path": "theirs.py", "location_name": "theirs"}}
    ours = {
        "python_module": {
            "module_name": "assets.definitions",
            "working_directory": str(ROOT),
            "executable_path": sys.executable,
            "location_name": "ringtrue",
        }
    }
    (elsewhere / "workspace.yaml").write_text(yaml.safe_dump({"load_from": [theirs, ours]}))
    with (
        dg.DagsterInstance.get() as instance,
        WorkspaceProcessContext(instance, WorkspaceFileTarget(["workspace.yaml"])) as process,
    ):
        seen = process.create_request_context()
        entries = seen.get_code_location_entries()
        assert {name: entry.load_error for name, entry in entries.items() if entry.load_error} == {}
        found = {one.name: next(iter(one.get_repositories().values())) for one in seen.code_locations}
        assert set(found) == {"theirs", "ringtrue"}
        assert {job.name for job in found["theirs"].get_all_jobs()} == {"their_job"}
        assert {job.name for job in found["ringtrue"].get_all_jobs()} >= JOBS
        schedules = {schedule.name: schedule for schedule in found["ringtrue"].get_schedules()}
        # Their Dagster keeps the time; what may not be written does not run by itself.
        assert schedules["salesforce_schedule"].cron_schedule == "5 * * * *"
        assert schedules["salesforce_schedule"].default_status == dg.DefaultScheduleStatus.STOPPED
        assert schedules["hubspot_schedule"].default_status == dg.DefaultScheduleStatus.RUNNING
    assert not (elsewhere / "data").exists(), "loading makes no second ledger where their Dagster happens to run"


def test_a_ledger_that_would_begin_anew_in_their_folder_is_refused(
    elsewhere: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings.model_validate({"ledger": {"url": "sqlite:///data/ledger.db"}})
    refuse_second_ledger(settings)
    monkeypatch.chdir(tmp_path_factory.mktemp("theirs"))
    with pytest.raises(SettingsError, match=f'Write url = "sqlite:///{elsewhere}/data/ledger.db"'):
        refuse_second_ledger(settings)
    refuse_second_ledger(Settings.model_validate({"ledger": {"url": f"sqlite:///{elsewhere}/ledger.db"}}))
    refuse_second_ledger(Settings.model_validate({"ledger": {"url": "postgresql://ringtrue@db.example.com/ringtrue"}}))
