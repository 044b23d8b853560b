"""`ringtrue undo` and `ringtrue release` over the wire."""

from __future__ import annotations

import signal

import pytest

from assets.writeback import WritebackConfig, write_back
from connectors.resources import connect
from ringtrue.errors import LedgerError, PlanRefused
from tests.pipeline.people import command, in_hubspot, national, number, person
from tests.pipeline.project import Project
from tests.pipeline.stages import deliver, plan


def sync(project: Project, run: str) -> int:
    """Pull, plan and write back; how many records the plan changes."""
    planned = plan(project.settings(), "hubspot", run).plan.records
    deliver(project.settings(), "hubspot", run)
    return planned


def test_undo_puts_back_what_is_still_ours_and_keeps_do_not_call(shared: Project) -> None:
    hubspot = shared.sandbox["hubspot"]
    first, second, third = number(), number(), number()
    plain, edited = person(shared, national(first)), person(shared, national(second))
    stopped = person(shared, national(third), do_not_call="true")
    assert sync(shared, "run-undone") == 3
    assert in_hubspot(shared, plain)["phone"] == first
    assert in_hubspot(shared, stopped)["ringtrue_do_not_call"] == "true"
    hubspot.edit("contacts", edited, {"ringtrue_next_channel": "email", "phone": "0121 234 5678"})

    undone = command("undo", "run-undone")
    counted = undone["connections"]["hubspot"]
    assert counted["put back"] == 3
    assert counted["edited since, left alone"] == 1
    assert counted["do-not-call flags kept"] == 1
    assert in_hubspot(shared, plain)["phone"] == national(first)
    assert not in_hubspot(shared, plain).get("ringtrue_status")
    assert in_hubspot(shared, edited)["phone"] == "0121 234 5678"
    assert in_hubspot(shared, edited)["ringtrue_next_channel"] == "email"
    assert in_hubspot(shared, stopped)["ringtrue_do_not_call"] == "true"
    assert not in_hubspot(shared, stopped).get("ringtrue_status")

    sync(shared, "after")
    assert in_hubspot(shared, plain)["phone"] == national(first), "what an undo put back is held"
    assert not in_hubspot(shared, plain).get("ringtrue_status")
    with pytest.raises(PlanRefused, match="wrote nothing that could be undone"):
        command("undo", "run-undone")

    fourth = number()
    hubspot.edit("contacts", plain, {"phone": national(fourth)})
    sync(shared, "new number")
    assert in_hubspot(shared, plain)["phone"] == fourth, "another number is another decision"
    assert in_hubspot(shared, plain)["ringtrue_best_number"] == fourth
    assert not in_hubspot(shared, plain).get("ringtrue_status"), "its status is the one that was refused"

    released = command("release", "--run", undone["run"])
    assert released["released"] > 0
    sync(shared, "released")
    assert in_hubspot(shared, plain)["ringtrue_status"] == "unverified"
    assert in_hubspot(shared, stopped)["ringtrue_status"] == "do_not_call"
    assert sync(shared, "idle") == 0


def test_undo_of_a_run_takes_its_retries_with_it(shared: Project) -> None:
    people = [person(shared, national(number())) for _ in range(2)]
    settings = shared.settings()
    plan(settings, "hubspot", "root-run")
    crm = connect("hubspot", settings.connections["hubspot"])
    with shared.ledger() as ledger:
        write_back(ledger, crm, settings, "hubspot", "root-run", "root-run", WritebackConfig(record=people[0]))
        write_back(ledger, crm, settings, "hubspot", "retry-run", "root-run", WritebackConfig())
    crm.close()
    assert all(in_hubspot(shared, record)["ringtrue_status"] == "unverified" for record in people)
    assert command("undo", "root-run")["connections"]["hubspot"]["put back"] == 2
    assert not any(in_hubspot(shared, record).get("ringtrue_status") for record in people)


def test_an_undo_that_was_killed_is_held_and_finished_by_the_next_one(shared: Project) -> None:
    numbers = [number() for _ in range(3)]
    people = [person(shared, national(one)) for one in numbers]
    sync(shared, "run-killed")
    process = shared.start("undo", "run-killed")
    shared.sandbox["hubspot"].fault("write", "kill", nth=1, pid=process.pid, at="received")
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    shared.sandbox["hubspot"].clear_faults()

    sync(shared, "between")
    assert [in_hubspot(shared, record)["phone"] for record in people] == [national(one) for one in numbers]
    with pytest.raises(PlanRefused, match="wrote nothing that could be undone"):
        command("undo", "run-killed")
    sync(shared, "afterwards")
    for record, one in zip(people, numbers, strict=True):
        assert in_hubspot(shared, record)["phone"] == national(one)
        written = [row["new"] for row in shared.sandbox["hubspot"].history("contacts", record, "phone")]
        assert written.count(one) == 1
    left = shared.query("SELECT count(*) FROM changes WHERE state IN ('planned', 'sending')")
    assert left == [(0,)]


def test_undo_and_a_sync_do_not_write_at_the_same_time(shared: Project) -> None:
    person(shared, national(number()))
    sync(shared, "run-alone")
    with (
        shared.ledger() as ledger,
        ledger.alone("writing to hubspot"),
        pytest.raises(LedgerError, match="Another run is at writing to hubspot now"),
    ):
        command("undo", "run-alone")
