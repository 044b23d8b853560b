"""`ringtrue serve` in a process of its own: codes, a kill in a burst, HubSpot's stand-in, a lookup."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from typing import Any

import httpx
import orjson
import pytest

from app.serve.hubspot import signature
from ringtrue.settings import load_settings
from tests.serve.server import DIALLER_KEY, ENVIRON, FORM_KEY, HUBSPOT_SECRET, MOBILE, Home, Process, client, serving
from tests.stand_ins import ROOT, Sandbox, StandIn, running_sandbox


def ringtrue(home: Home, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app.cli", *arguments],
        cwd=ROOT,
        env={**os.environ, **ENVIRON, "RINGTRUE_SETTINGS": str(home.path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )


def test_codes_are_made_shown_once_and_taken_away(home: Home) -> None:
    made = ringtrue(home, "serve", "code", "add", "Sally", "--json")
    code = orjson.loads(made.stdout)["code"]
    file = home.folder / "codes.json"
    assert code not in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    assert ringtrue(home, "serve", "code", "list").stdout.split() == ["Sally"]
    again = ringtrue(home, "serve", "code", "add", "Sally")
    assert (again.returncode, "has a code already" in again.stderr.replace("\n", " ")) == (2, True)
    assert ringtrue(home, "serve", "code", "remove", "Sally").returncode == 0


async def _burst(url: str, process: Process) -> tuple[list[str], list[str]]:
    """Send events and calls from several senders until the service is killed: what was acknowledged."""
    events: list[str] = []
    calls: list[str] = []
    over = asyncio.Event()

    async def hubspot(http: httpx.AsyncClient, sender: int) -> None:
        number = 0
        while not over.is_set():
            number += 1
            record = f"{sender}{number:06}"
            event = {
                "objectId": int(record),
                "eventId": number,
                "subscriptionId": sender,
                "portalId": 33,
                "occurredAt": 1,
                "subscriptionType": "contact.creation",
            }
            body, stamp = orjson.dumps([event]), str(int(time.time() * 1000))
            signed = signature(HUBSPOT_SECRET, "POST", f"{url}/webhooks/hubspot", body, stamp)
            headers = {"X-HubSpot-Signature-v3": signed, "X-HubSpot-Request-Timestamp": stamp}
            answer = await http.post("/webhooks/hubspot", content=body, headers=headers)
            if answer.status_code == 200:
                events.append(record)

    async def dialler(http: httpx.AsyncClient, sender: int) -> None:
        number = 0
        while not over.is_set():
            number += 1
            call = {"call_id": f"{sender}-{number}", "number": MOBILE, "outcome": "busy"}
            answer = await http.post("/v1/calls", json=call, headers={"X-API-Key": DIALLER_KEY})
            if answer.status_code == 200:
                calls.append(call["call_id"])

    async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=30) as http:
        senders = [asyncio.create_task(each(http, place)) for place in range(1, 5) for each in (hubspot, dialler)]
        deadline = time.monotonic() + 60
        while len(events) < 40 or len(calls) < 40:
            assert time.monotonic() < deadline, f"only {len(events)} events and {len(calls)} calls were taken"
            await asyncio.sleep(0.02)
        await asyncio.to_thread(process.kill)
        over.set()
        await asyncio.gather(*senders, return_exceptions=True)
    return events, calls


def test_no_acknowledged_event_is_lost_when_the_service_is_killed(home: Home) -> None:
    home.write()
    for _ in range(2):
        process = Process(home, ENVIRON, "--quiet")
        events, calls = asyncio.run(_burst(process.url, process))
        kept = {row[0] for row in home.rows("SELECT record_id FROM inbox")}
        assert set(events) <= kept
        assert set(calls) <= {row[0] for row in home.rows("SELECT external_id FROM calls")}
        assert home.rows("SELECT count(*) FROM calls") == home.rows("SELECT count(DISTINCT call_id) FROM dirty_calls")
    process = Process(home, ENVIRON, "--quiet")
    with client(process.url) as service:
        body, stamp = (
            orjson.dumps(
                [
                    {
                        "objectId": int(events[0]),
                        "eventId": int(events[0][1:]),
                        "subscriptionId": int(events[0][0]),
                        "portalId": 33,
                        "occurredAt": 1,
                        "subscriptionType": "contact.creation",
                        "attemptNumber": 1,
                    }
                ]
            ),
            str(int(time.time() * 1000)),
        )
        signed = signature(HUBSPOT_SECRET, "POST", f"{process.url}/webhooks/hubspot", body, stamp)
        again = service.post(
            "/webhooks/hubspot",
            content=body,
            headers={"X-HubSpot-Signature-v3": signed, "X-HubSpot-Request-Timestamp": stamp},
        )
    process.stop()
    assert again.json() == {"taken": 1, "new": 0}


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with running_sandbox(
        tmp_path_factory.mktemp("sandbox"), "--seed", "5", "--contacts", "60", "--no-calls"
    ) as sandbox:
        yield sandbox


def test_hubspots_stand_in_delivers_what_people_do(home: Home, stand_ins: Sandbox) -> None:
    hubspot = stand_ins["hubspot"]
    authorized = {"Authorization": "Bearer sandbox-token"}
    with serving(home.write()) as url:
        with httpx.Client(base_url=hubspot.url, headers=authorized, trust_env=False, timeout=30) as api:
            for kind, name in (("creation", None), ("deletion", None), ("propertyChange", "phone")):
                body = {"eventType": f"contact.{kind}", "propertyName": name, "active": True}
                assert api.post("/webhooks/v3/1160452/subscriptions", json=body).status_code == 201
        hubspot.settings(webhook_url=f"{url}/webhooks/hubspot", webhook_secret="wrong", webhook_retry_seconds=0.2)
        record = hubspot.create("contacts", {"firstname": "Web", "lastname": "Form", "phone": "07400 123456"})
        # HubSpot repeats a delivery that was refused; the right secret lets the repetition in.
        hubspot.settings(webhook_secret=HUBSPOT_SECRET)
        hubspot.edit("contacts", record, {"phone": "07400 123457"})
        hubspot.delete("contacts", record)
        wanted = {"created", "changed", "deleted"}
        deadline = time.monotonic() + 60
        while {
            row[0] for row in home.rows("SELECT kind FROM inbox WHERE record_id = :record", record=record)
        } != wanted:
            assert time.monotonic() < deadline, home.rows("SELECT * FROM inbox")
            time.sleep(0.1)
        hubspot.settings(webhook_url=None)
    assert home.rows("SELECT DISTINCT connection, object FROM inbox") == [("hubspot", "contacts")]


def lookups(home: Home, sandbox: Sandbox, **serve: Any) -> Any:
    """Settings at the sandbox, whose lookup services may be asked by the form's key."""
    service = {
        "enabled": False,
        "sandbox_url": f"{sandbox['lookups'].url}/twilio",
        "products": ["line_status"],
        "budget": {"day": 10.0},
    }
    crms = {
        name: {"kind": name, "sandbox_url": sandbox[name].url, "default_region": "US"}
        for name in ("salesforce", "hubspot")
    }
    keys = {"form": {"variable": "KEY_FORM", "lookup": True}, "page": {"variable": "KEY_DIALLER"}}
    return home.write({"keys": keys, **serve}, lookups={"twilio": service}, connections=crms)


def test_a_lookup_at_the_door_is_asked_once_and_kept(home: Home, stand_ins: Sandbox) -> None:
    settings = lookups(home, stand_ins, lookup_seconds=30.0)
    records = [record for record in stand_ins["hubspot"].records("contacts") if record["fields"].get("phone")]
    with serving(settings) as url, client(url) as service:
        answers = []
        for record in records:
            body = {"number": record["fields"]["phone"], "country": record["fields"].get("country"), "lookup": True}
            told = service.post("/v1/check", json=body, headers={"X-API-Key": FORM_KEY}).json()
            if told["lookup"] == "answered":
                answers.append((body, told))
            if len(answers) == 2:
                break
        assert answers
        spent = home.rows("SELECT count(*), sum(cost) FROM intents WHERE state = 'answered'")
        body, first = answers[0]
        again = service.post("/v1/check", json=body, headers={"X-API-Key": FORM_KEY}).json()
        assert (again["status"], again["e164"]) == (first["status"], first["e164"])
        without = service.post("/v1/check", json=body, headers={"X-API-Key": DIALLER_KEY}).json()
        assert without["lookup"] == "not_allowed"
    assert home.rows("SELECT count(*), sum(cost) FROM intents WHERE state = 'answered'") == spent
    assert home.rows("SELECT count(*) FROM observations WHERE kind = 'lookup'")[0][0] == spent[0][0]
    assert home.rows("SELECT DISTINCT substr(run, 1, 6) FROM intents") == [("entry-",)]


def test_a_slow_lookup_holds_no_form_up_and_its_answer_is_kept(home: Home, stand_ins: Sandbox) -> None:
    settings = lookups(home, stand_ins, lookup_seconds=0.05)
    numbers = [
        record["fields"]["phone"]
        for record in stand_ins["hubspot"].records("contacts")
        if record["fields"].get("phone")
    ]
    twilio = StandIn(f"{stand_ins['lookups'].url}/twilio")
    twilio.fault("any", "slow", times=0, seconds=1.0)
    try:
        with serving(settings) as url, client(url) as service:
            found = ""
            for number in numbers:
                body = {"number": number, "region": "US", "lookup": True}
                told = service.post("/v1/check", json=body, headers={"X-API-Key": FORM_KEY}).json()
                if told["lookup"] == "pending":
                    found = told["e164"]
                    break
            assert found
            deadline = time.monotonic() + 30
            while not home.rows("SELECT 1 FROM intents WHERE subject = :number AND state = 'answered'", number=found):
                assert time.monotonic() < deadline
                time.sleep(0.1)
    finally:
        twilio.clear_faults()
        twilio.close()


def test_no_service_is_asked_where_none_is_switched_on(home: Home) -> None:
    settings = home.write({"keys": {"form": {"variable": "KEY_FORM", "lookup": True}}})
    with serving(settings) as url, client(url) as service:
        told = service.post(
            "/v1/check", json={"number": MOBILE, "lookup": True}, headers={"X-API-Key": FORM_KEY}
        ).json()
    assert (told["lookup"], told["status"]) == ("unknown", "unverified")
    assert load_settings(home.path).lookups.enabled == {}
