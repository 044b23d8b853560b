"""The definitions load anywhere, and a schedule and a sensor that are RUNNING launch runs by themselves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import dagster as dg
from dagster._core.test_utils import environ

from tests.pipeline.at_once import opt_out
from tests.pipeline.people import contact, in_salesforce, number
from tests.pipeline.project import Project
from tests.pipeline.stages import deliver, plan
from tests.stand_ins import ROOT

LOAD = """
import os, sys

opened, called = [], []

def watch(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, bytes)):
        opened.append(os.path.abspath(os.fsdecode(arguments[0])))
    if event in ("socket.connect", "socket.getaddrinfo"):
        called.append(arguments)

sys.addaudithook(watch)
from assets.definitions import defs

defs()
assert not called, called
code = (".py", ".pyc", ".so")
print("\\n".join(path for path in opened if path.startswith(os.getcwd() + os.sep) and not path.endswith(code)))
"""


def test_the_definitions_load_without_secrets_and_network_and_read_the_settings_only(tmp_path: Path) -> None:
    bare = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    loaded = subprocess.run(
        [sys.executable, "-c", LOAD], cwd=ROOT, env=bare, capture_output=True, text=True, check=False, timeout=120
    )
    assert loaded.returncode == 0, loaded.stderr
    inside = [Path(path).relative_to(ROOT) for path in loaded.stdout.split()]
    ours = {str(path) for path in inside if path.parts[0] not in (".venv",)}
    assert "ringtrue.toml" in ours
    assert {path for path in ours if not path.startswith("ringtrue/data/")} <= {"ringtrue.toml", "pyproject.toml"}


def test_a_running_schedule_and_a_running_sensor_launch_runs_at_real_ticks(
    small_projects: Callable[[], Project],
) -> None:
    project = small_projects()
    phone = number()
    record = contact(project, phone)
    with environ(project.environment):
        plan(project.settings(), "salesforce")
        deliver(project.settings(), "salesforce")
    opt_out(project, phone)
    every_minute, new_year = {"schedule": "* * * * *"}, {"schedule": "0 0 1 1 *"}
    settings = project.write_settings(hubspot=every_minute, salesforce=new_year, files=new_year)
    assert settings.connections["hubspot"].schedule == "* * * * *"
    environment = {**os.environ, **project.environment}
    log = project.home / "daemon.log"
    with log.open("wb") as stream:
        daemon = subprocess.Popen(
            [sys.executable, "-m", "dagster._daemon", "run", "-w", "workspace.yaml"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    try:
        with environ(project.environment), dg.DagsterInstance.get() as instance:
            deadline = time.monotonic() + 150
            for tag, name, job in (
                ("dagster/sensor_name", "do_not_call", "deliver_do_not_call_salesforce"),
                ("dagster/schedule_name", "hubspot_schedule", "sync_hubspot"),
            ):
                run = None
                while run is None or not run.is_finished:
                    assert daemon.poll() is None, log.read_text()
                    assert time.monotonic() < deadline, log.read_text()
                    time.sleep(0.5)
                    run = next(reversed(instance.get_runs(dg.RunsFilter(tags={tag: name}))), None)
                assert run.job_name == job
                assert run.status == dg.DagsterRunStatus.SUCCESS
        assert in_salesforce(project, record)["DoNotCall"] is True
        shown = project.crm_state("hubspot")
        assert any(record.get("ringtrue_status") for record in shown.values())
    finally:
        os.killpg(daemon.pid, signal.SIGTERM)
        try:
            daemon.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(daemon.pid, signal.SIGKILL)
            daemon.wait()
