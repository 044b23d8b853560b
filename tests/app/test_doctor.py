"""`ringtrue doctor`: what is wrong is named with what to do, a missing right is a warning, one broken part hides no other, nothing is changed."""

from __future__ import annotations

import os
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import orjson
import pytest
import tomli_w
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import (
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, ScheduleInstigatorData
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._daemon.types import DaemonHeartbeat

from app.cli import main
from ringtrue.ledger import suppressing
from tests.pipeline.project import Project, make_home, open_project
from tests.stand_ins import Sandbox, running_sandbox

Found = dict[tuple[str, str], dict[str, str]]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running_sandbox(tmp_path_factory.mktemp("doctor"), "--seed", "11", "--contacts", "20") as running:
        yield running


@pytest.fixture
def project(small: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    project = open_project(make_home(tmp_path), small)
    for name, value in project.environment.items():
        monkeypatch.setenv(name, value)
    for name in list(os.environ):
        if name.startswith(("SALESFORCE_", "HUBSPOT_")):
            monkeypatch.delenv(name)
    return project


@pytest.fixture
def doctor(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Found]:
    def look(*arguments: str, code: int) -> Found:
        monkeypatch.setattr(sys, "argv", ["ringtrue", "doctor", "--json", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert int(ended.value.code or 0) == code, said.out + said.err
        findings = orjson.loads(said.out)["findings"]
        assert [one for one in findings if one["state"] != "ok" and len(one["todo"]) < 10] == []
        return {(one["part"], one["what"]): one for one in findings}

    return look


def change(project: Project, **parts: Any) -> None:
    values = tomllib.loads(project.path.read_text(encoding="utf-8"))
    for name, part in parts.items():
        values[name] = {**values.get(name, {}), **part}
    project.path.write_text(tomli_w.dumps(values), encoding="utf-8")


def test_from_a_fresh_checkout_to_all_in_place(
    project: Project, doctor: Callable[..., Found], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = doctor(code=1)
    assert first["ledger", "reachable"]["state"] == "warning"
    assert not (project.home / "ledger.db").exists()
    assert "ringtrue prepare salesforce" in first["salesforce", "fields"]["todo"]
    assert first["salesforce", "fields"]["state"] == first["hubspot", "fields"]["state"] == "wrong"
    assert "sandbox" in first["hubspot", "credentials"]["said"]
    project.prepare()
    with project.ledger():
        pass
    second = doctor(code=0)
    assert second["salesforce", "fields"]["state"] == second["hubspot", "fields"]["state"] == "ok"
    assert {what for (part, what), one in second.items() if part == "ledger" and one["state"] == "ok"} >= {
        "reachable", "private", "migrated", "suppressions", "inbox",
    }  # fmt: skip
    assert "names ringtrue_do_not_call" in second["hubspot", "automation"]["said"]
    assert second["salesforce", "automation"]["state"] == "warning"
    assert second["salesforce", "clock"]["state"] == "ok"
    assert "API calls of the day" in second["salesforce", "allowance"]["said"]
    assert second["alerts", "ways"]["state"] == "warning"
    assert second["dagster", "DAGSTER_HOME"]["state"] == "ok"
    assert second["machine", "numbering kernel"]["said"]
    monkeypatch.setattr(sys, "argv", ["ringtrue", "doctor"])
    with pytest.raises(SystemExit):
        main()
    table = " ".join(capsys.readouterr().out.split())
    assert "0 wrong" in table
    for named in ("Tell the owner", "Mail the desk", "LeadStamp"):
        assert named in table
    assert "Old welcome call" not in table
    assert "Greet a new lead" not in table


def test_what_our_user_may_not_see_is_a_warning_what_it_may_not_write_is_wrong(
    small: Sandbox, project: Project, doctor: Callable[..., Found]
) -> None:
    project.prepare()
    salesforce, hubspot = small["salesforce"], small["hubspot"]
    salesforce.settings(view_setup=False, read_only_fields=["Contact.DoNotCall"])
    hubspot.settings(missing_scopes=["automation"])
    try:
        found = doctor(code=1)
    finally:
        salesforce.settings(view_setup=True, read_only_fields=[])
        hubspot.settings(missing_scopes=[])
    assert "View Setup" in found["salesforce", "automation"]["todo"]
    assert "scope automation" in found["hubspot", "automation"]["todo"]
    assert found["salesforce", "automation"]["state"] == found["hubspot", "automation"]["state"] == "warning"
    assert found["salesforce", "fields"] == {
        **found["salesforce", "fields"], "state": "wrong", "said": "Our user may not write Contact.DoNotCall.",
    }  # fmt: skip


def test_one_broken_part_hides_no_other(
    small: Sandbox, project: Project, doctor: Callable[..., Found], monkeypatch: pytest.MonkeyPatch
) -> None:
    project.prepare()
    with project.ledger() as ledger, ledger.write() as book:
        suppressing.add(
            book, ledger.key, [("+447400123456", "c1")], source="manual", evidence="asked", actor="Ann", at=1, now=1
        )
        book.exec_driver_sql("UPDATE suppressions SET evidence = 'never asked'")
    (project.home / "ledger.db").chmod(0o644)
    monkeypatch.setenv("DAGSTER_HOME", "dagster_home")
    values = tomllib.loads(project.path.read_text(encoding="utf-8"))
    connections = values["connections"]
    connections["hubspot"]["sandbox_url"] = "http://127.0.0.1:9"
    connections["files"]["folder"] = str(project.home / "gone")
    change(
        project,
        connections=connections,
        registries={"us": {"kind": "us_national", "folder": str(project.home)}},
        serve={"keys": {"form": {"variable": "NOBODYS_KEY"}}},
        alerts={"webhook_variable": "NOBODYS_WEBHOOK"},
    )
    found = doctor(code=1)
    wrong = {place for place, one in found.items() if one["state"] == "wrong"}
    assert wrong == {
        ("ledger", "private"), ("ledger", "suppressions"), ("dagster", "DAGSTER_HOME"), ("hubspot", "credentials"),
        ("registries", "us"), ("entry service", "key form"), ("alerts", "secrets"),
    }  # fmt: skip
    assert "chmod 600" in found["ledger", "private"]["todo"]
    assert "event 1" in found["ledger", "suppressions"]["said"]
    assert found["salesforce", "credentials"]["state"] == "ok"
    assert found["files", "folder"]["state"] == "warning"
    assert "ringtrue sandbox" in found["hubspot", "credentials"]["todo"]
    offline = doctor("--offline", code=1)
    assert ("salesforce", "credentials") not in offline
    assert ("registries", "us") in offline


def test_a_dagster_that_stands_still_and_a_schedule_that_was_switched_off(
    project: Project, doctor: Callable[..., Found]
) -> None:
    home = project.home / "dagster_home"
    assert "has not run here" in doctor("--offline", code=0)["dagster", "schedules"]["said"]
    code = ManagedGrpcPythonEnvCodeLocationOrigin(LoadableTargetOrigin(module_name="assets.definitions"), "ringtrue")
    origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(code, "__repository__"), "sync_hubspot")
    with dg.DagsterInstance.from_config(str(home)) as instance:
        instance.add_instigator_state(
            InstigatorState(
                origin, InstigatorType.SCHEDULE, InstigatorStatus.STOPPED, ScheduleInstigatorData("0 * * * *")
            )
        )
        instance.add_daemon_heartbeat(DaemonHeartbeat(time.time() - 7_200, "SCHEDULER", None, None))
    found = doctor("--offline", code=0)
    assert found["dagster", "schedules"]["said"] == "Switched off: sync_hubspot."
    assert "2.0 hours ago" in found["dagster", "daemon"]["said"]


def test_a_lookup_service_that_is_on_needs_its_key_and_tells_its_credit(
    small: Sandbox, project: Project, doctor: Callable[..., Found], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUBSPOT_TOKEN", "a-real-one")
    monkeypatch.setenv("ZEROBOUNCE_API_KEY", "sandbox-key")
    values = tomllib.loads(project.path.read_text(encoding="utf-8"))
    files = {"files": values["connections"]["files"]}
    values["connections"] = files
    values["lookups"] = {
        "melissa": {"enabled": True},
        "zerobounce": {"enabled": True, "base_url": f"{small['lookups'].url}/zerobounce", "budget": {"month": 20}},
    }
    project.path.write_text(tomli_w.dumps(values), encoding="utf-8")
    found = doctor(code=1)
    assert "MELISSA_LICENSE" in found["lookups", "melissa"]["said"]
    assert found["lookups", "zerobounce"]["said"] == "on; 20.00 of 20.00 are left this month"
    assert "left" in found["lookups", "zerobounce credit"]["said"]


def test_settings_that_cannot_be_read(project: Project, doctor: Callable[..., Found]) -> None:
    project.path.write_text("[connections.salesforce]\nkind = 'zoho'\n")
    found = doctor(code=1)
    assert found["settings", str(project.path)]["state"] == "wrong"
    project.path.unlink()
    assert "ringtrue init" in doctor(code=1)["settings", str(project.path)]["todo"]
