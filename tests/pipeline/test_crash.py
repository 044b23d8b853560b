"""Killed with SIGKILL anywhere, and rerun: the CRM equals the uninterrupted run and no field's history shows our value twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.pipeline.project import FLAGS, MOMENTS, OBJECTS, OURS, PHONES, Project
from tests.pipeline.stages import deliver, plan
from tests.stand_ins import ROOT

# How each CRM is written: Salesforce by collections or by Bulk jobs, HubSpot by batches.
WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "collections": ("salesforce", {"bulk_from": 100_000}),
    "bulk": ("salesforce", {"bulk_from": 10}),
    "batches": ("hubspot", {}),
}
BOUNDARIES = [
    ("collections", "write", 1, "before"), ("collections", "write", 1, "received"), ("collections", "write", 1, "answered"),
    ("collections", "write", 2, "before"),
    ("bulk", "bulk", 1, "received"), ("bulk", "bulk", 2, "before"), ("bulk", "bulk", 2, "received"), ("bulk", "bulk", 3, "before"),
    ("bulk", "bulk", 3, "received"), ("bulk", "bulk", 4, "answered"), ("bulk", "bulk", 5, "before"), ("bulk", "bulk", 5, "answered"),
    ("batches", "write", 1, "before"), ("batches", "write", 1, "received"), ("batches", "write", 1, "answered"), ("batches", "write", 2, "before"),
]  # fmt: skip


def planned(project: Project, way: str) -> str:
    """Plan the changes of the CRM that is written in this way; its name."""
    name, settings = WAYS[way]
    project.write_settings(**{name: settings})
    assert plan(project.settings(), name).plan.records > 0
    return name


def start_delivery(project: Project, name: str) -> subprocess.Popen[str]:
    """A process that is ready to write back and waits for the word."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.pipeline.stages", name],
        cwd=ROOT,
        env={**os.environ, **project.environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def go(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("go\n")
    process.stdin.flush()


def end(process: subprocess.Popen[str]) -> int:
    process.communicate(timeout=120)
    return process.returncode


def values_written_twice(project: Project, name: str) -> list[tuple[str, str, Any]]:
    """Fields of ours where the CRM's history shows the same value written by us more than once."""
    twice = []
    for object_name in OBJECTS[name]:
        seen: dict[tuple[str, str, str], int] = {}
        for record in project.sandbox[name].records(object_name):
            record_id = record["record_id"]
            for row in project.sandbox[name].call("GET", "/history", object=object_name, id=record_id):
                ours = row["field"].startswith(OURS[name]) or row["field"] in PHONES or row["field"] == FLAGS[name]
                if ours and str(row["source"]).startswith("integration"):
                    key = (record_id, row["field"], str(row["new"]))
                    seen[key] = seen.get(key, 0) + 1
        twice += [key for key, count in seen.items() if count > 1 and key[1] not in MOMENTS]
    return twice


@pytest.fixture(scope="module")
def uninterrupted(
    prepared_world: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], dict[str, dict[str, Any]]]:
    """What each CRM looks like after a run that nothing disturbed."""
    import shutil

    from tests.pipeline.conftest import CONTACTS
    from tests.pipeline.project import make_home, open_project
    from tests.stand_ins import running_sandbox

    known: dict[str, dict[str, dict[str, Any]]] = {}

    def state(way: str) -> dict[str, dict[str, Any]]:
        name = WAYS[way][0]
        if name not in known:
            home = tmp_path_factory.mktemp("calm")
            shutil.copytree(prepared_world, home / "sandbox")
            with running_sandbox(home / "sandbox", "--seed", "11", "--contacts", str(CONTACTS)) as sandbox:
                project = open_project(make_home(home), sandbox)
                planned(project, way)
                deliver(project.settings(), name)
                known[name] = project.crm_state(name)
        return known[name]

    return state


def assert_like_uninterrupted(project: Project, name: str, expected: dict[str, dict[str, Any]]) -> None:
    assert project.crm_state(name) == expected
    assert values_written_twice(project, name) == []
    open_rows = project.query("SELECT count(*) FROM changes WHERE state NOT IN ('applied', 'superseded')")
    assert open_rows == [(0,)]


@pytest.mark.parametrize(("way", "op", "nth", "at"), BOUNDARIES)
def test_killed_at_a_boundary(
    project: Project, uninterrupted: Callable[[str], dict[str, dict[str, Any]]], way: str, op: str, nth: int, at: str
) -> None:
    expected = uninterrupted(way)
    name = planned(project, way)
    process = start_delivery(project, name)
    project.sandbox[name].fault(op, "kill", nth=nth, pid=process.pid, at=at)
    go(process)
    assert end(process) == -signal.SIGKILL
    project.sandbox[name].clear_faults()
    plan(project.settings(), name, "second")
    deliver(project.settings(), name, "second")
    assert_like_uninterrupted(project, name, expected)


@pytest.mark.parametrize("way", list(WAYS))
def test_killed_at_random_moments_again_and_again(
    project: Project, uninterrupted: Callable[[str], dict[str, dict[str, Any]]], way: str
) -> None:
    expected = uninterrupted(way)
    name = planned(project, way)
    chance = random.Random(way)
    for turn in range(4):
        process = start_delivery(project, name)
        op = chance.choice(["write", "read", "bulk", "any"])
        project.sandbox[name].fault(
            op, "kill", nth=chance.randint(1, 6), pid=process.pid, at=chance.choice(["before", "received", "answered"])
        )
        go(process)
        end(process)
        project.sandbox[name].clear_faults()
        plan(project.settings(), name, f"turn {turn}")
    deliver(project.settings(), name, "last")
    assert_like_uninterrupted(project, name, expected)


def test_a_lost_answer_is_settled_by_reading_in_the_same_run(project: Project) -> None:
    name = planned(project, "collections")
    project.sandbox[name].fault("write", "drop_after", nth=1)
    outcome = deliver(project.settings(), name)
    assert outcome.totals["failed"] == 0
    assert values_written_twice(project, name) == []
    assert project.query("SELECT count(*) FROM changes WHERE state <> 'applied'") == [(0,)]


def test_a_whole_dagster_run_killed_and_rerun(
    project: Project, uninterrupted: Callable[[str], dict[str, dict[str, Any]]]
) -> None:
    expected = uninterrupted("batches")
    process = project.start("sync", "hubspot")
    project.sandbox["hubspot"].fault("write", "kill", nth=2, pid=process.pid, at="received")
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    project.sandbox["hubspot"].clear_faults()
    again = project.run("sync", "hubspot")
    assert again.returncode == 0, again.stdout + again.stderr
    assert_like_uninterrupted(project, "hubspot", expected)
