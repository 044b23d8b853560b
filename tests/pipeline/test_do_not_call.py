"""Do-not-call over the wire: it reaches every record, never comes back as callable, and is lifted by two people only."""

from __future__ import annotations

import csv
import json
import tomllib
from typing import Any

import tomli_w
from typer.testing import CliRunner

from app.cli import cli
from assets.dialing_list import run as write_dialing_list
from assets.stage import now_ms
from ringtrue.errors import RingTrueError
from tests.pipeline.project import Project

X, Y, Z, OTHER = "+447400123456", "+447400123457", "+447400123458", "+441212345678"
FLAG, STATUS = "DoNotCall", "RingTrue_Status__c"


def settings(project: Project, **parts: Any) -> None:
    """Put whole tables into the project's settings."""
    values = tomllib.loads(project.path.read_text(encoding="utf-8"))
    project.path.write_text(tomli_w.dumps({**values, **parts}), encoding="utf-8")


def contact(project: Project, name: str, number: str, **fields: Any) -> str:
    return project.sandbox["salesforce"].create("Contact", {"LastName": name, "MobilePhone": number, **fields})


def person(project: Project, name: str, number: str, **fields: Any) -> str:
    return project.sandbox["hubspot"].create("contacts", {"lastname": name, "mobilephone": number, **fields})


def shown(project: Project, record_id: str) -> dict[str, Any]:
    found: dict[str, Any] = project.sandbox["salesforce"].record("Contact", record_id)["fields"]
    return found


def in_hubspot(project: Project, record_id: str) -> dict[str, Any]:
    found: dict[str, Any] = project.sandbox["hubspot"].record("contacts", record_id)["fields"]
    return found


def command(project: Project, *arguments: str) -> Any:
    """What a command prints as JSON. Called in this process; the fixture has put the project's settings in force."""
    assert project
    done = CliRunner().invoke(cli, [*arguments, "--json"])
    assert done.exit_code == 0, done.output + repr(done.exception)
    return json.loads(done.stdout)


def refusal(project: Project, *arguments: str) -> str:
    """The sentence with which a command is refused."""
    assert project
    error = CliRunner().invoke(cli, list(arguments)).exception
    assert isinstance(error, RingTrueError)
    return str(error)


def sync(project: Project, *names: str) -> None:
    for name in names:
        ran = project.sync(name)
        assert ran.success, ran.failures


def dialing(project: Project) -> tuple[dict[str, dict[str, str]], dict[str, dict[str, str]]]:
    """The rows of the two files, by record id. No registry is required unless the settings say so."""
    settings_now = project.settings()
    with project.ledger() as ledger:
        listed = write_dialing_list(ledger, settings_now, now_ms())
    rows = []
    for name in ("callable.csv", "not_callable.csv"):
        with (listed.folder / name).open(encoding="utf-8-sig", newline="") as file:
            rows.append({row["record_id"]: row for row in csv.DictReader(file)})
    return rows[0], rows[1]


def anytime(project: Project, **more: Any) -> dict[str, Any]:
    """Settings of a dialling list that is open day and night, so that tests do not hang on the clock."""
    always = {
        "weekday": [["00:00", "23:59:59"]],
        "saturday": [["00:00", "23:59:59"]],
        "sunday": [["00:00", "23:59:59"]],
    }
    lands = {land: {**always, "holidays": "as_weekday"} for land in ("GB", "US", "CA", "default")}
    return {"folder": str(project.home / "dialing"), "registries_required": [], "countries": lands, **more}


def test_add_prove_and_retract_clears_the_flags_that_we_set_and_no_others(project: Project) -> None:
    ours, theirs = contact(project, "Ours", X), contact(project, "Theirs", Y)
    elsewhere = person(project, "Elsewhere", X)
    asked = contact(project, "Asked", Y, DoNotCall=True)
    first = command(project, "suppress", "add", X, "--by", "Ann", "--evidence", "letter of 2 May")["event"]
    second = command(project, "suppress", "add", Y, "--by", "Ann", "--evidence", "e-mail")["event"]
    for _ in range(2):
        sync(project, "salesforce", "hubspot")
    assert shown(project, ours)[FLAG] is True
    assert shown(project, theirs)[FLAG] is True
    assert in_hubspot(project, elsewhere)["ringtrue_do_not_call"] == "true"

    proof = command(project, "suppress", "prove", X)
    assert proof["suppressed"] is True
    assert proof["chain"]["whole"] is True
    assert proof["events"][0]["evidence"] == "letter of 2 May"
    alone = refusal(
        project, "suppress", "retract", str(first), "--by", "Ann", "--second", " ann ", "--reason", "typing error"
    )
    assert "Two different people" in alone
    for event in (first, second):
        command(project, "suppress", "retract", str(event), "--by", "Ann", "--second", "Bo", "--reason", "typing error")
    sync(project, "salesforce", "hubspot")
    assert not shown(project, ours)[FLAG]
    assert shown(project, ours)[STATUS] == "unverified"
    assert in_hubspot(project, elsewhere)["ringtrue_do_not_call"] == "false"
    assert shown(project, theirs)[FLAG] is True, "somebody else asked on the same number"
    assert shown(project, asked)[FLAG] is True, "a flag that a person set is theirs to clear"
    proof = command(project, "suppress", "prove", X)
    assert proof["suppressed"] is False
    assert proof["events"][-1]["second_person"] == "Bo"
    again = refusal(project, "suppress", "retract", str(first), "--by", "Ann", "--second", "Bo", "--reason", "x")
    assert "holds any more" in again


def test_a_suppressed_number_cannot_come_back_as_callable(project: Project) -> None:
    """Merge, re-creation, CRM edit, file import, another CRM: whichever way it comes, it is do-not-call from its first sync on."""
    settings(project, dialing_list=anytime(project))
    command(project, "suppress", "add", X, "--by", "Ann", "--evidence", "letter")
    crm = project.sandbox["salesforce"]
    loser, survivor = contact(project, "Loser", X), contact(project, "Survivor", OTHER)
    free, edited = contact(project, "Free", Z), contact(project, "Edited", Y)
    sync(project, "salesforce", "hubspot")
    merged = crm.merge("Contact", survivor, loser)
    crm.edit("Contact", merged, {"HomePhone": X})
    crm.edit(
        "Contact",
        edited,
        {"MobilePhone": "07400 123456", "MailingCountry": "United Kingdom", "MailingCountryCode": "GB"},
    )
    created = contact(project, "Created", "0044 7400 123456")
    elsewhere = person(project, "Elsewhere", X)
    (project.home / "imports" / "leads.csv").write_text("name,phone\nImported,+44 7400 123 456\nNew,+44 7400 123 459\n")
    sync(project, "salesforce", "hubspot", "files")
    may, may_not = dialing(project)
    numbers = {row["number"] for row in may.values()}
    assert X not in numbers
    assert Z in numbers
    assert "+447400123459" in numbers
    assert may[free]["call_before"] > "2026"
    for record_id in (edited, created, elsewhere):
        assert may_not[record_id]["cause"] == "do_not_call"
    assert [row["cause"] for row in may_not.values() if row["connection"] == "files"] == ["do_not_call"]
    for record_id in (merged, edited, created):
        assert shown(project, record_id)[FLAG] is True
    crm.edit("Contact", edited, {FLAG: False})
    sync(project, "salesforce")
    assert shown(project, edited)[FLAG] is True


def test_a_number_suppressed_between_two_syncs_is_off_the_dialling_list_at_once(project: Project) -> None:
    settings(project, dialing_list=anytime(project))
    record_id = contact(project, "Soon", X)
    sync(project, "salesforce")
    assert record_id in dialing(project)[0]
    command(project, "suppress", "add", X, "--by", "Ann", "--evidence", "call")
    may, may_not = dialing(project)
    assert record_id not in may
    assert may_not[record_id]["cause"] == "do_not_call"


def test_imports_exports_reconsents_and_the_blacklist(project: Project) -> None:
    listed, agreed, wrong = (
        contact(project, "Listed", X),
        contact(project, "Agreed", Y),
        contact(project, "Wrong", "+44 7400 12"),
    )
    stop = project.home / "stop.csv"
    stop.write_text(f"who,tel\n=HYPERLINK(1),{X}\nB,{Y}\n")
    imported = command(
        project, "suppress", "import", str(stop), "--column", "tel", "--by", "Ann", "--evidence", "=cmd|old list"
    )
    assert imported["numbers"] == 2
    assert "no phone number" in refusal(
        project, "suppress", "import", str(stop), "--by", "Ann", "--evidence", "old list"
    )
    sync(project, "salesforce")
    assert shown(project, listed)[FLAG] is True

    out = project.home / "out.csv"
    assert command(project, "suppress", "export", str(out))["suppressions"] >= 2
    cells = [cell for row in csv.reader(out.read_text(encoding="utf-8-sig").splitlines()) for cell in row]
    assert "manual" in cells or any("old list" in cell for cell in cells)
    assert not any(cell.startswith(("=", "@")) for cell in cells)
    assert command(project, "suppress", "check", X, Z)[0]["may_be_called"] is False
    blacklist = project.home / "blacklist.csv"
    command(project, "blacklist", "export", str(blacklist))
    assert "disconnected" in blacklist.read_text() or "invalid" in blacklist.read_text()
    assert shown(project, wrong)[STATUS] == "invalid"

    ended = command(project, "suppress", "reconsent", Y, "--by", "Ann", "--second", "Bo", "--evidence", "form of 3 May")
    assert ended["suppressions_ended"] == 1
    sync(project, "salesforce")
    assert not shown(project, agreed)[FLAG]
    assert shown(project, listed)[FLAG] is True
    command(
        project, "suppress", "retract", imported["import"], "--by", "Ann", "--second", "Bo", "--reason", "wrong list"
    )
    sync(project, "salesforce")
    assert not shown(project, listed)[FLAG]


def test_a_registry_listing_is_the_status_of_its_field_and_flags_the_record_when_no_number_is_left(
    project: Project,
) -> None:
    folder = project.home / "tps"
    folder.mkdir()
    (folder / "tps.txt").write_text("07400123456\n01214960000\n")
    settings(
        project,
        registries={"tps": {"kind": "uk_tps", "folder": str(folder)}},
        dialing_list=anytime(project, registries_required=["GB"]),
    )
    only = contact(project, "Only", X)
    both = contact(project, "Both", X, Phone=OTHER)
    sync(project, "salesforce")
    assert shown(project, only)[FLAG] is True
    assert shown(project, both)["RingTrue_MobilePhone_Status__c"] == "do_not_call"
    assert shown(project, both)["RingTrue_Status__c"] == "unverified"
    assert not shown(project, both)[FLAG]
    may, may_not = dialing(project)
    assert may[both]["number"] == OTHER
    assert may_not[only]["cause"] == "do_not_call"
    settings(project, registries={}, dialing_list=anytime(project, registries_required=["GB"]))
    assert dialing(project)[1][both]["cause"] == "registry", "no fresh scrub: not callable"
    assert shown(project, both)["RingTrue_Status__c"] == "unverified", "and no status says so"
    settings(project, registries={"tps": {"kind": "uk_tps", "folder": str(folder)}})
    (folder / "tps.txt").write_text("01214960000\n01214960001\n")
    sync(project, "salesforce")
    assert not shown(project, only)[FLAG], "off the registry: the flag that we set is cleared"
