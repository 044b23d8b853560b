"""Privacy requests through the command line, over syncs with both CRMs: what was erased does not come back, and nobody becomes callable by it."""

from __future__ import annotations

import json
import stat
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli import cli
from ringtrue.errors import LedgerError, SettingsError
from tests.pipeline.people import await_that, command, contact, in_hubspot, in_salesforce, number, person
from tests.pipeline.project import Project
from tests.pipeline.stages import deliver, plan

FLAG = "DoNotCall"


def sync(project: Project, *names: str) -> None:
    for name in names:
        plan(project.settings(), name)
        deliver(project.settings(), name)


def in_ledger(project: Project, *traces: str) -> list[str]:
    """Which of the texts stand anywhere in the ledger's files."""
    content = b"".join(
        path.read_bytes() for path in project.home.glob("ledger.db*") if path.suffix not in (".lock", ".key")
    )
    return [trace for trace in traces if trace.encode() in content]


def forget(e164: str, *more: str) -> Any:
    return command("forget", e164, "--by", "Bo", "--reason", "letter of 3 May", "--yes", *more)


def test_export_hands_out_everything_and_prints_counts_only(shared: Project, tmp_path: Path) -> None:
    e164 = number()
    record_id = contact(shared, e164, FirstName="Xanthe", LastName="Ex-Ported", Email="xanthe@ported.example")
    elsewhere = person(shared, e164, firstname="Xanthe", lastname="Ex-Ported")
    sync(shared, "salesforce", "hubspot")
    file = tmp_path / "request.json"
    done = CliRunner().invoke(cli, ["export", e164, "--out", str(file)])
    assert done.exit_code == 0, done.output
    assert "2 records" in done.output
    assert not [trace for trace in (e164[-6:], "Xanthe", "xanthe@") if trace in done.output.replace(str(file), "")]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    told = json.loads(file.read_text(encoding="utf-8"))
    assert {each["record_id"] for each in told["records"]} == {record_id, elsewhere}
    assert {"contacts", "phones", "decisions", "changes"} <= set(told["tables"])
    assert {row["email"] for row in told["tables"]["contacts"]} == {"xanthe@ported.example", None}
    again = CliRunner().invoke(cli, ["export", e164, "--out", str(file)])
    assert isinstance(again.exception, SettingsError)
    by_mail = command("export", number(), "--email", "Xanthe@Ported.example", "--out", str(tmp_path / "mail.json"))
    assert by_mail["people"] == 1


def test_a_forgotten_number_stays_do_not_call_wherever_it_comes_from(shared: Project) -> None:
    e164 = number()
    record_id = contact(shared, e164, FirstName="Yolanda", LastName="Goneaway", Email="yolanda@goneaway.example")
    sync(shared, "salesforce")
    flagged = contact(shared, number(), LastName="Asked", DoNotCall=True)
    traces = (e164[1:], e164[-7:], "Yolanda", "Goneaway", "goneaway.example")
    assert set(in_ledger(shared, *traces)) == set(traces)

    done = forget(e164)
    assert done["people"] == 1
    assert done["rows"]["contacts"] == 1
    assert in_ledger(shared, *traces) == []
    proof = command("suppress", "prove", e164)
    assert proof["suppressed"] is True
    assert proof["chain"]["whole"] is True

    # The record is still in the CRM, and changes there: it is flagged, and nothing of it is stored again.
    shared.sandbox["salesforce"].edit("Contact", record_id, {"Title": "Director", "FirstName": "Yolanda J."})
    sync(shared, "salesforce", "salesforce")
    assert in_salesforce(shared, record_id)[FLAG] is True
    assert in_salesforce(shared, record_id)["RingTrue_Status__c"] == "do_not_call"
    assert in_ledger(shared, *traces) == []
    written = int(time.time())
    await_that(lambda: int(time.time()) > written)  # Salesforce tells the second only
    shared.sandbox["salesforce"].edit("Contact", record_id, {FLAG: False})
    sync(shared, "salesforce")
    assert in_salesforce(shared, record_id)[FLAG] is True, "an unticked flag is ticked again"

    # The same number on a new record, in either CRM: do-not-call from its first sync on.
    again, elsewhere = contact(shared, e164, LastName="Imported"), person(shared, e164, lastname="Imported")
    sync(shared, "salesforce", "hubspot")
    assert in_salesforce(shared, again)[FLAG] is True
    assert in_hubspot(shared, elsewhere)["ringtrue_status"] == "do_not_call"
    assert in_salesforce(shared, flagged)[FLAG] is True
    requests = shared.query("SELECT kind, actor, reason FROM privacy_requests ORDER BY request_id")
    assert requests[-1] == ("forget", "Bo", "letter of 3 May")


def test_undo_trace_and_report_work_after_it(shared: Project, tmp_path: Path) -> None:
    e164, other = number(), number()
    gone, stays = contact(shared, e164, LastName="Vanishing"), contact(shared, other, LastName="Staying")
    plan(shared.settings(), "salesforce", "run-before-forget")
    deliver(shared.settings(), "salesforce", "run-before-forget")
    before = in_salesforce(shared, gone)
    forget(e164)
    undone = command("undo", "run-before-forget")["connections"]["salesforce"]
    assert undone["put back"] >= 1
    assert not in_salesforce(shared, stays).get("RingTrue_Best_Number__c")
    # What was erased is not known any more, so it is not put back; what says nothing of the person is.
    assert in_salesforce(shared, gone).get("RingTrue_MobilePhone_E164__c") == before.get("RingTrue_MobilePhone_E164__c")
    assert command("trace", f"salesforce:{gone}")
    with shared.path.open("a", encoding="utf-8") as settings:
        settings.write(f'\n[report]\nfolder = "{tmp_path}"\n')
    assert Path(command("report")["report"]).exists()
    assert CliRunner().invoke(cli, ["trace", e164]).exit_code == 0


def test_one_of_several_people_is_named(shared: Project) -> None:
    e164 = number()
    one = contact(shared, e164, FirstName="Una", LastName="First")
    two = contact(shared, e164, FirstName="Duo", LastName="Second")
    sync(shared, "salesforce")
    for line in (["forget", e164, "--by", "Bo", "--reason", "letter", "--yes"], ["export", e164]):
        refused = CliRunner().invoke(cli, line).exception
        assert isinstance(refused, SettingsError)
        assert f"salesforce/{one}" in str(refused)
    asked = CliRunner().invoke(
        cli, ["forget", e164, "--by", "Bo", "--reason", "letter", "--record", f"salesforce/{one}"], input="n\n"
    )
    assert asked.exit_code == 1
    assert in_ledger(shared, "Una") == ["Una"]
    with (
        shared.ledger() as ledger,
        ledger.alone("writing to hubspot"),
        pytest.raises(LedgerError, match="writing to hubspot"),
    ):
        forget(e164, "--record", f"salesforce/{one}")
    forget(e164, "--record", f"salesforce/{one}")
    assert in_ledger(shared, "Una", "Duo", e164) == ["Duo", e164]
    sync(shared, "salesforce")
    assert in_salesforce(shared, one)[FLAG] is True
    assert not in_salesforce(shared, two).get(FLAG)
