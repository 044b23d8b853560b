"""Lookups in the main job: asked once, within a budget, the most valuable first; a service in trouble is left out and the others go on."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import openpyxl
import orjson
import pytest

from app.cli import cli
from app.console import guarded
from connectors.lookups.active import active
from ringtrue.errors import SettingsError
from tests.pipeline.conftest import CONTACTS
from tests.pipeline.lookup_stage import ask, take_in
from tests.pipeline.project import Project, make_home, open_project
from tests.stand_ins import ROOT, StandIn, running_sandbox

ALL: dict[str, dict[str, Any]] = {"twilio": {}, "melissa": {}, "zerobounce": {}}
NUMBER, LANDLINE = "+447400123456", "+441212345678"


@pytest.fixture(scope="module")
def taken_in(prepared_world: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A project whose ledger holds Salesforce's contacts and numbers, and nothing asked yet."""
    folder = tmp_path_factory.mktemp("taken_in")
    shutil.copytree(prepared_world, folder / "sandbox")
    with running_sandbox(folder / "sandbox", "--seed", "11", "--contacts", str(CONTACTS)) as sandbox:
        project = open_project(make_home(folder), sandbox)
        take_in(project.settings(), "salesforce")
        yield project
        project.close()


@pytest.fixture
def project(taken_in: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A copy of that ledger under settings of its own, and the stand-ins as at the start."""
    own = open_project(make_home(tmp_path), taken_in.sandbox)
    for file in taken_in.home.glob("ledger.*"):
        shutil.copy(file, own.home / file.name)
    for name, value in own.environment.items():
        monkeypatch.setenv(name, value)
    for name in ALL:
        stand_in(own, name).call("DELETE", "/settings")
    own.write_settings(lookups=ALL)
    return own


def stand_in(project: Project, service: str) -> StandIn:
    """One lookup service of the sandbox; the sandbox closes it at its end."""
    return project.sandbox[f"lookups/{service}"]


def billed(project: Project, service: str) -> dict[str, int]:
    told = stand_in(project, service).call("GET", "/billed")["by_subject"]
    return {subject: times for subject, times in told.items() if times}


def test_every_question_is_paid_once_and_a_second_run_asks_nothing(project: Project) -> None:
    outcome = ask(project.settings(), "first")
    assert outcome.totals["questions"] > 100
    assert not outcome.left_out
    for service in ALL:
        paid = billed(project, service)
        assert paid, service
        assert set(paid.values()) == {1}, service
        (row,) = project.query(
            "SELECT asked, answered + abstained + refused, lost, cost FROM spend WHERE service = :s AND period = 'first'",
            s=service,
        )
        assert row[0] == row[1]
        assert row[2] == 0
        assert row[3] == sum(
            cost for (cost,) in project.query("SELECT cost FROM intents WHERE service = :s", s=service)
        )
    before = {service: billed(project, service) for service in ALL}
    again = ask(project.settings(), "second")
    everything = ask(project.settings(), "third", full=True)
    assert [each.asked for run in (again, everything) for each in run.services.values()] == [0] * 6
    assert {service: billed(project, service) for service in ALL} == before


def test_the_dearer_service_is_asked_only_what_the_cheaper_one_left_open(project: Project) -> None:
    stand_in(project, "twilio").settings(misses=0, slanders=0, abstains=0)
    ask(project.settings(), "run")
    (told,) = project.query(
        "SELECT count(*) FROM intents AS m JOIN observations AS o ON o.number = m.subject AND o.source = 'twilio' "
        "WHERE m.service = 'melissa' AND o.outcome = 'lookup_alive'"
    )
    assert told == (0,), "Twilio found these alive: the decision stood"
    (doubted,) = project.query(
        "SELECT count(*) FROM intents AS m JOIN observations AS o ON o.number = m.subject AND o.source = 'twilio' "
        "WHERE m.service = 'melissa' AND o.outcome = 'lookup_dead'"
    )
    assert doubted[0] > 0, "one service alone retires no number: a second is asked"


def test_nobody_pays_for_a_number_that_nobody_may_call(project: Project) -> None:
    outcome = ask(project.settings(), "run")
    stopped = {
        number for (number,) in project.query("SELECT DISTINCT number FROM suppressions WHERE number IS NOT NULL")
    }
    invalid = {
        number for (number,) in project.query("SELECT DISTINCT e164 FROM phones WHERE NOT valid AND e164 IS NOT NULL")
    }
    asked = {number for service in ("twilio", "melissa") for number in billed(project, service)}
    assert stopped
    assert asked.isdisjoint(stopped | invalid)
    assert outcome.totals["numbers nobody may call"] >= len(stopped & set(_valid(project)))


def _valid(project: Project) -> list[str]:
    return [
        number for (number,) in project.query("SELECT DISTINCT number FROM phones WHERE valid AND e164 IS NOT NULL")
    ]


def test_numbers_that_may_not_leave_their_country_are_never_sent(project: Project) -> None:
    services: dict[str, Any] = {"twilio": {}, "melissa": {}}
    project.write_settings(lookups=services, common={"keep_in_country": ["GB"]})
    ask(project.settings(), "run")
    assert any(region == "GB" for (region,) in project.query("SELECT DISTINCT region FROM phones"))
    asked = {number for service in services for number in billed(project, service)}
    assert asked
    assert not [number for number in asked if number.startswith("+44")]


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        ("wrong key", "Check the secrets"),
        ("no credit", "credit"),
        ("down", "Nobody answers at 127.0.0.1:9"),
        ("other schema", "contract does not know"),
    ],
)
def test_a_service_in_trouble_is_left_out_and_the_others_go_on(project: Project, trouble: str, said: str) -> None:
    twilio = stand_in(project, "twilio")
    if trouble == "wrong key":
        twilio.fault("query", "expired_for_ever", nth=30)
    elif trouble == "no credit":
        twilio.settings(credit=30)
    elif trouble == "other schema":
        twilio.fault("query", "status", status=418, nth=30, times=0)
    else:
        project.write_settings(lookups={**ALL, "twilio": {"sandbox_url": "http://127.0.0.1:9/twilio"}})
    outcome = ask(project.settings(), "run")
    assert set(outcome.left_out) == {"twilio"}
    assert said in outcome.left_out["twilio"]
    assert "\n" not in outcome.left_out["twilio"]
    paid = billed(project, "twilio")
    assert set(paid.values()) <= {1}
    assert len(paid) == (0 if trouble == "down" else len(paid))
    kept = {number for (number,) in project.query("SELECT number FROM observations WHERE source = 'twilio'")}
    assert set(paid) <= kept, "nothing that was paid for is lost"
    assert len(billed(project, "melissa")) > 50
    assert billed(project, "zerobounce")

    twilio.clear_faults()
    twilio.settings(credit=None)
    project.write_settings(lookups=ALL)
    mended = ask(project.settings(), "mended")
    assert not mended.left_out
    assert set(billed(project, "twilio").values()) == {1}
    assert len(billed(project, "twilio")) > len(paid), "what it could not be asked then, it is asked now"


def test_the_page_of_the_run_says_who_was_left_out_and_the_run_succeeds(project: Project) -> None:
    stand_in(project, "twilio").fault("query", "expired_for_ever")
    ran = project.sync("salesforce")
    assert ran.success, ran.failures
    (check,) = [check for check in ran.checks if check.startswith("lookups:")]
    assert "twilio_was_of_use: twilio was left out: " in check
    page = ran.metadata["lookups"]
    assert "twilio was left out" in page["what a person should know"]
    assert page["melissa cost (USD)"] > 0
    assert "data:image/png;base64," in page["by month"]


def test_words_that_no_table_knows_wait_for_a_person_and_decide_nothing(project: Project) -> None:
    numbers = project.query("SELECT DISTINCT number FROM phones WHERE type = 'MOBILE' AND valid")
    stand_in(project, "twilio").settings(coverage=1, say={number: "hibernating" for (number,) in numbers})
    project.write_settings(lookups={"twilio": {}})
    outcome = ask(project.settings(), "run")
    (row,) = project.query("SELECT kind, text, count FROM review WHERE kind = 'lookup_word'")
    assert row[:2] == ("lookup_word", "twilio: line_status hibernating")
    assert row[2] > 50
    assert "hibernating" in " ".join(outcome.said)
    assert project.query(
        "SELECT count(*) FROM observations AS o JOIN phones AS p ON p.number = o.number "
        "WHERE p.type = 'MOBILE' AND o.outcome <> 'lookup_abstained'"
    ) == [(0,)]


def test_budgets_hold_across_runs_and_the_most_valuable_were_asked(project: Project) -> None:
    project.write_settings(lookups={"twilio": {"budget": {"run": 0.21, "day": 0.35}}})
    for run, spent in (("first", "0.210"), ("second", "0.140"), ("third", "0")):
        outcome = ask(project.settings(), run)
        assert outcome.services["twilio"].cost == Decimal(spent)
        assert outcome.totals["unsettled"] > 0
    assert len(billed(project, "twilio")) >= 50
    first = _values(project, "first")
    second = _values(project, "second")
    assert min(first) >= max(second)
    project.write_settings(lookups={"twilio": {"budget": {}}})
    ask(project.settings(), "free")
    assert min(second) >= max(_values(project, "free"))


def _values(project: Project, run: str) -> list[float]:
    return [
        orjson.loads(row)["value"] for (row,) in project.query("SELECT question FROM intents WHERE run = :run", run=run)
    ]


def test_email_is_suggested_only_where_a_service_found_it_good(project: Project) -> None:
    ran = project.sync("salesforce")
    assert ran.success, ran.failures
    states = dict(project.query("SELECT email, state FROM email_states"))
    assert {"good", "bad"} <= set(states.values())
    by_mail = []
    for object_name in ("Contact", "Lead"):
        for record in project.sandbox["salesforce"].records(object_name):
            fields = record["fields"]
            if fields.get("RingTrue_Next_Channel__c") == "email":
                by_mail.append(states.get(str(fields["Email"]).lower()))
    assert by_mail
    assert set(by_mail) == {"good"}
    (poor,) = project.query("SELECT email FROM email_states WHERE state = 'good' LIMIT 1")
    with project.ledger() as ledger, ledger.write() as book:
        from ringtrue.ledger import dirty, emails

        emails.store(book, [emails.EmailAnswer(poor[0], "bad", "zerobounce", 1)], 1)
        assert dirty.waiting(book, "contact_id", "changes:salesforce") >= 1


# Killed.


def start(project: Project, run: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.pipeline.lookup_stage", run],
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


@pytest.mark.parametrize("at", ["before", "received", "answered"])
def test_after_a_kill_nothing_is_paid_twice_and_only_calls_in_flight_are_lost(project: Project, at: str) -> None:
    in_flight = 8
    project.write_settings(lookups={"twilio": {"concurrency": in_flight}})
    twilio = stand_in(project, "twilio")
    process = start(project, "killed")
    twilio.fault("query", "kill", nth=60, pid=process.pid, at=at)
    process.communicate("go\n", timeout=120)
    assert process.returncode == -signal.SIGKILL
    twilio.clear_faults()
    paid = billed(project, "twilio")
    kept = {number for (number,) in project.query("SELECT number FROM observations WHERE source = 'twilio'")}
    left = {number for (number,) in project.query("SELECT subject FROM intents WHERE state = 'open'")}
    assert len(left) <= in_flight
    assert set(paid) <= kept | left
    assert kept.isdisjoint(left)

    ask(project.settings(), "at once")
    assert set(billed(project, "twilio").values()) == {1}, "its run may still be alive: nobody asks the same"
    assert {number for (number,) in project.query("SELECT subject FROM intents WHERE state = 'open'")} == left

    ask(project.settings(), "later", over=frozenset({"killed"}))
    assert set(billed(project, "twilio").values()) == {1}
    assert {number for (number,) in project.query("SELECT subject FROM intents WHERE state = 'unknown'")} == left
    assert project.query("SELECT coalesce(sum(lost), 0) FROM spend WHERE period = 'killed'") == [(len(left),)]
    done = ask(project.settings(), "idle")
    assert done.services["twilio"].asked == 0


# Sandbox and real world apart.


def test_a_stand_in_never_decides_about_real_people(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SALESFORCE_CONSUMER_KEY", "SALESFORCE_CONSUMER_SECRET"):
        monkeypatch.setenv(name, "real")
    assert active(project.settings()).settings.enabled == {}, "as delivered, stand-ins are for the sandbox only"
    project.write_settings(lookups={"twilio": {"enabled": True}})
    with pytest.raises(SettingsError, match="twilio is only a stand-in, whose answers are made up"):
        ask(project.settings(), "run")
    assert billed(project, "twilio") == {}


def test_made_up_numbers_are_not_sent_to_a_real_service(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write_settings(lookups={"twilio": {"enabled": True, "sandbox_url": None}})
    for name in ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"):
        monkeypatch.setenv(name, "real")
    with pytest.raises(SettingsError, match="made-up numbers would be sent"):
        ask(project.settings(), "run")
    monkeypatch.setenv("SALESFORCE_CONSUMER_KEY", "real")
    monkeypatch.setenv("SALESFORCE_CONSUMER_SECRET", "real")
    with pytest.raises(SettingsError, match="'hubspot' is the sandbox's, but the lookup service twilio is a real one"):
        ask(project.settings(), "run")


def test_secrets_in_the_environment_do_not_lead_the_sandbox_to_the_real_service(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"):
        monkeypatch.setenv(name, "real")
    chosen = active(project.settings())
    assert chosen.sandbox
    assert dict(chosen.environ) == {}


# Files by hand.


class Said(NamedTuple):
    """What a command left."""

    code: int
    out: str
    err: str


def command(capsys: pytest.CaptureFixture[str], *arguments: str) -> Said:
    """Run the command line in this process."""
    capsys.readouterr()
    code = guarded(lambda: cli(list(arguments), standalone_mode=False))
    told = capsys.readouterr()
    return Said(code, told.out, " ".join(told.err.split()))


def test_a_round_trip_by_the_command_line(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    options = {
        "enabled": True,
        "sandbox_url": None,
        "columns": {"number": "Phone", "answer": "Result"},
        "words": {"DEAD": "dead", "OK": "alive"},
        "prices": {"file": "0.004"},
    }
    project.write_settings(lookups={"roundtrip": options}, common={"folder": str(project.home / "lookups")})
    told = command(capsys, "lookups", "export", "--limit", "5", "--json")
    assert told.code == 0, told.err
    exported = orjson.loads(told.out)
    assert exported["numbers"] == 5
    assert exported["cost"] == "0.020"
    batch = Path(exported["file"])
    numbers = [line.split(",")[0] for line in batch.read_text(encoding="utf-8-sig").splitlines()[1:]]
    assert command(capsys, "lookups", "export", "--limit", "5", "--json").out != told.out
    answer = project.home / "answer.csv"

    answer.write_text(f"Phone,Result\n{numbers[0]},DEAD\n+14155550123,OK\n{numbers[1]},\n")
    refused = command(capsys, "lookups", "import", str(answer), "--batch", batch.stem)
    assert refused.code == 2
    assert "is refused whole" in refused.err
    assert "row 3 hold a number that was not asked" in refused.err
    assert "row 4 hold no answer" in refused.err
    assert project.query("SELECT count(*) FROM observations WHERE source = 'roundtrip'") == [(0,)]

    unclear = command(capsys, "lookups", "import", str(answer))
    assert unclear.code == 2
    assert "It cannot be told which batch answer.csv answers" in unclear.err

    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in [("Phone", "Result"), (numbers[0], "DEAD"), *((number, "OK") for number in numbers[1:4])]:
        sheet.append(row)
    named = project.home / f"{batch.stem}.xlsx"
    book.save(named)
    taken = command(capsys, "lookups", "import", str(named), "--json")
    assert taken.code == 0, taken.err
    assert orjson.loads(taken.out) == {
        "batch": batch.stem, "numbers": 5, "answered": 4, "told nothing": 0, "missing in the file": 1, "unknown words": 0,
    }  # fmt: skip
    assert sorted(
        project.query("SELECT outcome, count(*) FROM observations WHERE source = 'roundtrip' GROUP BY outcome")
    ) == [
        ("lookup_alive", 3),
        ("lookup_dead", 1),
    ]
    spent = command(capsys, "lookups", "spend")
    assert "roundtrip" in spent.out
