"""Killed with SIGKILL anywhere, and rerun: the CRM equals the uninterrupted run and no field's history shows our value twice."""

from __future__ import annotations

import random
import signal
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from sqlalchemy import text

from tests.pipeline.killing import Deliverer
from tests.pipeline.people import await_that, contact, lead, national, number, person
from tests.pipeline.project import FLAGS, MOMENTS, OBJECTS, OURS, PHONES, Project
from tests.pipeline.stages import deliver, plan

# How each CRM is written: Salesforce by collections or by Bulk jobs, HubSpot by batches.
WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "collections": ("salesforce", {"bulk_from": 100_000}),
    "bulk": ("salesforce", {"bulk_from": 1}),
    "batches": ("hubspot", {}),
}
# The first writes are those of guarded rows: single conditional ones on Salesforce, a batch on HubSpot.
BOUNDARIES = [
    ("collections", "write", 1, "before"), ("collections", "write", 1, "answered"), ("collections", "write", 2, "received"),
    ("collections", "write", 3, "received"),
    ("bulk", "bulk", 2, "before"), ("bulk", "bulk", 2, "received"),
    ("bulk", "bulk", 3, "received"), ("bulk", "bulk", 5, "answered"),
    ("batches", "write", 1, "before"), ("batches", "write", 1, "received"), ("batches", "write", 1, "answered"),
    ("batches", "write", 2, "received"),
]  # fmt: skip


def killed(project: Project, deliverer: Deliverer, name: str, op: str, *, nth: int = 1, at: str) -> int:
    """Write back and be killed at a request; the exit code."""
    pid = deliverer.ready(name)
    project.sandbox[name].fault(op, "kill", nth=nth, pid=pid, at=at)
    deliverer.go()
    code = deliverer.end()
    project.sandbox[name].clear_faults()
    return code


def some_work(project: Project, name: str) -> list[tuple[str, str]]:
    """Records that need guarded and unguarded changes; (object, id) of each."""
    stopped = number()
    if name == "hubspot":
        ids = [person(project, national(number())) for _ in range(3)]
        ids += [person(project, number()), person(project, stopped, do_not_call="true"), person(project, stopped)]
        return [("contacts", record) for record in ids]
    contacts = [contact(project, number()) for _ in range(3)]
    contacts += [contact(project, stopped, DoNotCall=True), contact(project, stopped), contact(project, "12")]
    return [*(("Contact", record) for record in contacts), ("Lead", lead(project, number()))]


def promised(project: Project, plan_id: str) -> dict[tuple[str, str], Any]:
    """What the CRM must hold when a plan is carried out: value by record and field."""
    rows = project.query(
        "SELECT record_id, fields FROM changes WHERE plan_id = :plan AND state = 'planned'", plan=plan_id
    )
    return {
        (record, field): after
        for record, fields in rows
        for field, (_, after) in orjson.loads(fields).items()
        if field not in MOMENTS
    }


def held(project: Project, name: str, fields: dict[tuple[str, str], Any]) -> dict[tuple[str, str], Any]:
    """What the CRM holds in these fields, as text."""
    records = {
        record["record_id"]: record["fields"]
        for object_name in OBJECTS[name]
        for record in project.sandbox[name].records(object_name)
    }
    found = {key: records[key[0]].get(key[1]) for key in fields}
    return {
        key: ("true" if value else "false") if isinstance(value, bool) else value or None
        for key, value in found.items()
    }


def values_written_twice(project: Project, name: str, among: list[tuple[str, str]]) -> list[tuple[str, str, Any]]:
    """Fields of ours where the CRM's history shows the same value written by us more than once."""
    twice = []
    for object_name, record_id in among:
        seen: dict[tuple[str, str, str], int] = {}
        for row in project.sandbox[name].call("GET", "/history", object=object_name, id=record_id):
            ours = row["field"].startswith(OURS[name]) or row["field"] in PHONES or row["field"] == FLAGS[name]
            if ours and str(row["source"]).startswith("integration"):
                key = (record_id, row["field"], str(row["new"]))
                seen[key] = seen.get(key, 0) + 1
        twice += [key for key, count in seen.items() if count > 1 and key[1] not in MOMENTS]
    return twice


def everybody(project: Project, name: str) -> list[tuple[str, str]]:
    return [
        (object_name, record["record_id"])
        for object_name in OBJECTS[name]
        for record in project.sandbox[name].records(object_name)
    ]


def assert_nothing_left(project: Project, name: str) -> None:
    left = project.query(
        "SELECT state, error FROM changes WHERE connection = :name AND state NOT IN ('applied', 'superseded')",
        name=name,
    )
    assert left == []


@pytest.mark.parametrize(("way", "op", "nth", "at"), BOUNDARIES)
def test_killed_at_a_boundary(shared: Project, deliverer: Deliverer, way: str, op: str, nth: int, at: str) -> None:
    name, changed = WAYS[way]
    settings = shared.write_settings(**{name: changed})
    records = some_work(shared, name)
    plan_id = plan(settings, name).plan.plan_id
    wanted = promised(shared, plan_id)
    assert len({record for record, _ in wanted}) >= len(records)
    assert killed(shared, deliverer, name, op, nth=nth, at=at) == -signal.SIGKILL
    states = {row[0] for row in shared.query("SELECT DISTINCT state FROM changes WHERE plan_id = :plan", plan=plan_id)}
    # Once the answer is out the process may commit before the signal reaches it; then the batch is applied, never planned again.
    inside = {"sending", "applied"} if at == "answered" else {"sending"}
    assert states & inside or (op, nth) == ("bulk", 1)
    plan(settings, name, "second")
    deliver(settings, name, "second")
    assert held(shared, name, wanted) == wanted
    assert values_written_twice(shared, name, records) == []
    assert_nothing_left(shared, name)


@pytest.mark.parametrize("way", list(WAYS))
def test_killed_at_random_moments_again_and_again(shared: Project, deliverer: Deliverer, way: str) -> None:
    name, changed = WAYS[way]
    settings = shared.write_settings(**{name: changed})
    records = some_work(shared, name) + some_work(shared, name)
    wanted = promised(shared, plan(settings, name).plan.plan_id)
    chance = random.Random(way)
    for turn in range(3):
        op, at = chance.choice(["write", "read", "bulk", "any"]), chance.choice(["before", "received", "answered"])
        killed(shared, deliverer, name, op, nth=chance.randint(1, 6), at=at)
        plan(settings, name, f"turn {turn}")
    deliver(settings, name, "last")
    assert held(shared, name, wanted) == wanted
    assert values_written_twice(shared, name, records) == []
    assert_nothing_left(shared, name)


def test_a_lost_answer_is_settled_by_reading_in_the_same_run(shared: Project) -> None:
    settings = shared.settings()
    records = some_work(shared, "salesforce")
    made = plan(settings, "salesforce").plan
    wanted = promised(shared, made.plan_id)
    shared.sandbox["salesforce"].fault("write", "drop_after", nth=3)
    outcome = deliver(settings, "salesforce")
    assert (outcome.totals["sent"], outcome.totals["applied"], outcome.totals["failed"]) == (
        made.records,
        made.records,
        0,
    )
    assert held(shared, "salesforce", wanted) == wanted
    assert values_written_twice(shared, "salesforce", records) == []


def test_an_edit_while_a_write_was_interrupted_is_a_conflict_and_stays(shared: Project, deliverer: Deliverer) -> None:
    settings = shared.settings()
    typed, corrected = number(), number()
    record = person(shared, national(typed))
    plan(settings, "hubspot")
    assert killed(shared, deliverer, "hubspot", "write", at="received") == -signal.SIGKILL
    shared.sandbox["hubspot"].edit("contacts", record, {"phone": national(corrected)})
    plan(settings, "hubspot")
    assert shared.query("SELECT count(*) FROM changes WHERE record_id = :id AND state = 'conflict'", id=record) == [
        (1,)
    ]
    deliver(settings, "hubspot")
    assert shared.sandbox["hubspot"].record("contacts", record)["fields"]["phone"] == corrected


def test_an_edit_overtaken_by_a_write_whose_answer_never_came_is_restored(
    shared: Project, deliverer: Deliverer
) -> None:
    """The run dies between its write and the look into the history: the next run looks."""
    settings = shared.settings()
    typed, corrected = number(), number()
    record = person(shared, national(typed))
    plan(settings, "hubspot")
    crm = shared.sandbox["hubspot"]
    crm.reset_stats()
    pid = deliverer.ready("hubspot")
    crm.fault("write", "slow", seconds=2)
    crm.fault("write", "kill", pid=pid, at="received")
    deliverer.go()
    await_that(lambda: crm.stats()["by_op"].get("write", 0))
    crm.edit("contacts", record, {"phone": national(corrected)})
    assert deliverer.end() == -signal.SIGKILL
    crm.clear_faults()
    for run in ("second", "third"):
        plan(settings, "hubspot", run)
        deliver(settings, "hubspot", run)
    assert crm.record("contacts", record)["fields"]["phone"] == corrected
    assert crm.record("contacts", record)["fields"]["ringtrue_best_number"] == corrected


def test_a_job_that_salesforce_no_longer_knows_is_settled_by_reading(shared: Project, deliverer: Deliverer) -> None:
    settings = shared.write_settings(salesforce={"bulk_from": 1})
    records = some_work(shared, "salesforce")
    wanted = promised(shared, plan(settings, "salesforce").plan.plan_id)
    assert killed(shared, deliverer, "salesforce", "bulk", nth=5, at="answered") == -signal.SIGKILL
    with shared.ledger() as ledger, ledger.write() as book:
        book.execute(text("UPDATE changes SET job = '750000000000000AAA' WHERE state = 'sending'"))
    plan(settings, "salesforce", "second")
    deliver(settings, "salesforce", "second")
    assert held(shared, "salesforce", wanted) == wanted
    assert values_written_twice(shared, "salesforce", records) == []


def test_a_whole_dagster_run_killed_and_rerun_equals_the_uninterrupted_one(
    small_projects: Callable[[], Project],
) -> None:
    project, calm = small_projects(), small_projects()
    process = project.start("sync", "hubspot")
    project.sandbox["hubspot"].fault("write", "kill", nth=2, pid=process.pid, at="received")
    ran = calm.run("sync", "hubspot")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    process.communicate(timeout=240)
    assert process.returncode == -signal.SIGKILL
    project.sandbox["hubspot"].clear_faults()
    again = project.run("sync", "hubspot")
    assert again.returncode == 0, again.stdout + again.stderr
    assert project.crm_state("hubspot") == calm.crm_state("hubspot")
    assert values_written_twice(project, "hubspot", everybody(project, "hubspot")) == []
    assert_nothing_left(project, "hubspot")
