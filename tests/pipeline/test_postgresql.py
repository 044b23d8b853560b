"""The same job with the ledger on PostgreSQL."""

from __future__ import annotations

import signal
import tomllib
from collections.abc import Callable

import pytest
import tomli_w
from sqlalchemy import make_url

from tests.pipeline.killing import delivering
from tests.pipeline.people import command, in_hubspot, in_salesforce, lead, national, number, person
from tests.pipeline.project import Project
from tests.pipeline.stages import deliver, plan


@pytest.fixture
def on_postgresql(
    small_projects: Callable[[], Project], new_database: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> Project:
    """A project whose ledger is a PostgreSQL database."""
    project = small_projects()
    for name, value in project.environment.items():
        monkeypatch.setenv(name, value)
    values = tomllib.loads(project.path.read_text(encoding="utf-8"))
    address = make_url(new_database()).set(drivername="postgresql").render_as_string(hide_password=False)
    project.path.write_text(tomli_w.dumps({**values, "ledger": {"url": address}}), encoding="utf-8")
    return project


def test_the_main_job_a_kill_and_an_undo(on_postgresql: Project) -> None:
    project = on_postgresql
    stopped, plain = number(), number()
    said_so = person(project, stopped, do_not_call="true")
    other = lead(project, stopped)
    typed = person(project, national(plain))
    for name in ("hubspot", "salesforce"):
        ran = project.sync(name)
        assert ran.success, ran.failures
    assert in_hubspot(project, said_so)["ringtrue_status"] == "do_not_call"
    assert in_salesforce(project, other, "Lead")["DoNotCall"] is True
    assert in_hubspot(project, typed)["phone"] == plain

    later = number()
    project.sandbox["hubspot"].edit("contacts", typed, {"phone": national(later)})
    project.sandbox["hubspot"].edit("contacts", said_so, {"ringtrue_do_not_call": "false"})
    plan(project.settings(), "hubspot", "run-killed")
    with delivering(project) as deliverer:
        project.sandbox["hubspot"].fault("write", "kill", pid=deliverer.ready("hubspot"), at="received")
        deliverer.go()
        assert deliverer.end() == -signal.SIGKILL
    project.sandbox["hubspot"].clear_faults()
    plan(project.settings(), "hubspot", "after")
    deliver(project.settings(), "hubspot", "after")
    assert in_hubspot(project, typed)["phone"] == later
    assert in_hubspot(project, said_so)["ringtrue_do_not_call"] == "true"
    written = [row["new"] for row in project.sandbox["hubspot"].history("contacts", typed, "phone")]
    assert written.count(later) == 1

    assert command("undo", "run")["connections"]["hubspot"]["put back"] >= 1
    assert in_hubspot(project, typed)["phone"] == national(later)
    plan(project.settings(), "hubspot", "idle")
    deliver(project.settings(), "hubspot", "idle")
    assert in_hubspot(project, typed)["phone"] == national(later)
