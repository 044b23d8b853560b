"""The drill: everything is lost, put back, or not; no do-not-call flag is cleared in any CRM, and no change is written twice."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets.backup import back_up_job
from assets.definitions import build
from connectors.resources import LedgerResource
from ringtrue.errors import LedgerError
from tests.pipeline.people import command, contact, in_salesforce, number, person
from tests.pipeline.project import FLAGS, OBJECTS, Project
from tests.pipeline.stages import deliver, plan


@pytest.fixture
def drill(small_projects: Callable[[], Project], monkeypatch: pytest.MonkeyPatch) -> Project:
    project = small_projects()
    for name, value in project.environment.items():
        monkeypatch.setenv(name, value)
    return project


def sync(project: Project, rounds: int = 2) -> None:
    for _ in range(rounds):
        for name in ("salesforce", "hubspot"):
            plan(project.settings(), name)
            deliver(project.settings(), name)


def flags(project: Project) -> set[tuple[str, str]]:
    """Every record that carries the do-not-call flag."""
    return {
        (name, record["record_id"])
        for name in FLAGS
        for object_name in OBJECTS[name]
        for record in project.sandbox[name].records(object_name)
        if not record.get("deleted") and str(record["fields"].get(FLAGS[name])).lower() == "true"
    }


def histories(project: Project, name: str, record_id: str, fields: tuple[str, ...]) -> list[Any]:
    object_name = OBJECTS[name][0]
    return [project.sandbox[name].history(object_name, record_id, field) for field in fields]


def lose(project: Project) -> None:
    for path in project.home.glob("ledger.*"):
        path.unlink()


STATUS = {
    "salesforce": ("RingTrue_Status__c", "DoNotCall", "RingTrue_Best_Number__c", "MobilePhone"),
    "hubspot": ("ringtrue_status", "ringtrue_do_not_call", "ringtrue_best_number", "phone"),
}


@pytest.mark.parametrize("saved", [True, False], ids=["from a backup", "from nothing"])
def test_after_total_loss_no_flag_is_cleared_and_nothing_is_written_twice(drill: Project, saved: bool) -> None:
    stopped, plain = number(), number()
    asked = person(drill, stopped, do_not_call="true")
    followed = contact(drill, stopped, LastName="Followed")
    free = contact(drill, plain, LastName="Free")
    command("suppress", "add", number(), "--by", "Ann", "--evidence", "letter")
    sync(drill)
    before, state = flags(drill), {name: drill.crm_state(name) for name in FLAGS}
    assert {("hubspot", asked), ("salesforce", followed)} <= before
    written = [histories(drill, "salesforce", each, STATUS["salesforce"]) for each in (followed, free)]
    written.append(histories(drill, "hubspot", asked, STATUS["hubspot"]))
    file = drill.home / "kept" / "one.backup"
    command("backup", str(file))

    lose(drill)
    if saved:
        assert command("restore", str(file))["restored"] is True
    sync(drill)
    assert flags(drill) >= before
    assert flags(drill) == before, "nor does a flag that was ours spread to anybody"
    again = [histories(drill, "salesforce", each, STATUS["salesforce"]) for each in (followed, free)]
    again.append(histories(drill, "hubspot", asked, STATUS["hubspot"]))
    assert again == written
    assert {name: drill.crm_state(name) for name in FLAGS} == state
    assert command("suppress", "prove", stopped)["suppressed"] is True


def test_an_older_backup_takes_what_happened_since_from_the_crms(drill: Project) -> None:
    stopped, late, moved = number(), number(), number()
    first = contact(drill, stopped, LastName="First", DoNotCall=True)
    second = contact(drill, late, LastName="Second")
    twin = person(drill, late, lastname="Second")
    changed = contact(drill, moved, LastName="Moved")
    listed = contact(drill, number(), LastName="Listed")
    plan(drill.settings(), "salesforce")  # its plan is open in the backup, and carried out afterwards
    file = drill.home / "older.backup"
    command("backup", str(file))
    sync(drill)

    # Since then: somebody asks on the phone (only the ledger knows it), a record is made, a number changes.
    command("suppress", "add", late, "--by", "Ann", "--evidence", "on the phone")
    created = contact(drill, number(), LastName="Created")
    newer = number()
    drill.sandbox["salesforce"].edit("Contact", changed, {"MobilePhone": newer})
    sync(drill)
    before = flags(drill)
    assert {("salesforce", second), ("hubspot", twin)} <= before
    state = {name: drill.crm_state(name) for name in FLAGS}
    written = [
        histories(drill, "salesforce", each, STATUS["salesforce"]) for each in (first, second, changed, listed, created)
    ]

    with pytest.raises(LedgerError, match="--force"):
        command("restore", str(file))
    restored = command("restore", str(file), "--force")
    assert Path(restored["aside"]).exists()
    assert command("suppress", "prove", late)["suppressed"] is False, "the backup does not know it"
    deliver(drill.settings(), "salesforce")  # a write-back alone, without a pull before it, has nothing to carry out
    sync(drill)
    assert flags(drill) == before
    assert command("suppress", "prove", late)["suppressed"] is True, "but the flag in the CRM says it"
    assert [
        histories(drill, "salesforce", each, STATUS["salesforce"]) for each in (first, second, changed, listed, created)
    ] == written
    assert {name: drill.crm_state(name) for name in FLAGS} == state
    assert drill.query("SELECT count(*) FROM contacts WHERE record_id = :id", id=created) == [(1,)]
    assert drill.query("SELECT count(*) FROM phones WHERE number = :n", n=newer) == [(1,)]


def test_a_flag_of_ours_that_a_lost_wish_rested_on_is_not_cleared(drill: Project) -> None:
    """Set for a list, then asked for in person, then off the list: an older backup knows only the list."""
    e164 = number()
    record_id = contact(drill, e164, LastName="Both")
    stop = drill.home / "stop.txt"
    stop.write_text(e164 + "\n", encoding="utf-8")
    imported = command("suppress", "import", str(stop), "--by", "Ann", "--evidence", "list")["import"]
    sync(drill)
    file = drill.home / "older.backup"
    command("backup", str(file))
    command("suppress", "add", e164, "--by", "Ann", "--evidence", "on the phone", "--record", f"salesforce/{record_id}")
    command("restore", str(file), "--force")
    command("suppress", "retract", imported, "--by", "Ann", "--second", "Bo", "--reason", "wrong list")
    sync(drill)
    assert in_salesforce(drill, record_id)["DoNotCall"] is True


def test_the_scheduled_backup(drill: Project) -> None:
    person(drill, number())
    sync(drill, rounds=1)
    folder = drill.home / "backups"
    text = drill.path.read_text(encoding="utf-8")
    drill.path.write_text(f'{text}\n[backup]\nfolder = "{folder}"\nkeep = 2\n', encoding="utf-8")
    assert "back_up" in {job.name for job in build(drill.settings()).get_repository_def().get_all_jobs()}
    for _ in range(3):
        done = back_up_job.execute_in_process(
            resources={"ledger": LedgerResource()}, instance=dg.DagsterInstance.ephemeral()
        )
        assert done.success
        time.sleep(0.002)
    kept = sorted(folder.iterdir())
    assert len(kept) == 2
    assert command("restore", str(kept[-1]), "--check")["restored"] is False
