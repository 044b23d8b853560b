"""`POST /v1/calls` and `GET /v1/suppressed`: what a dialler tells, and what it is told."""

from __future__ import annotations

import time
from typing import Any

import httpx
import pytest

from assets import call_evidence
from ringtrue.ledger import Ledger, suppressions
from ringtrue.ledger.suppressions import Suppression
from ringtrue.settings import load_settings
from tests.serve.server import DIALLER_KEY, FORM_KEY, FREE, LANDLINE, MOBILE, OTHER, Home, client, serving

ANN = "003000000000001AAA"
DIALLER = {"Authorization": f"Bearer {DIALLER_KEY}"}


def report(service: httpx.Client, *calls: dict[str, Any]) -> dict[str, int]:
    answer = service.post("/v1/calls", json={"calls": list(calls)} if len(calls) != 1 else calls[0], headers=DIALLER)
    assert answer.status_code == 200, answer.text
    told: dict[str, int] = answer.json()
    return told


def feed(service: httpx.Client, since: str | None = None, limit: int | None = None) -> dict[str, Any]:
    params = {name: value for name, value in (("since", since), ("limit", limit)) if value is not None}
    answer = service.get("/v1/suppressed", params=params, headers=DIALLER)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_a_call_is_in_the_ledger_once_and_becomes_evidence(service: httpx.Client, home: Home) -> None:
    call = {
        "call_id": "c1",
        "number": MOBILE,
        "outcome": "spoke with customer",
        "duration_seconds": 95,
        "trunk": "sip-1",
    }
    assert report(service, call) == {"taken": 1, "new": 1, "changed": 0, "opt_outs": 0}
    call["started_at"] = "2026-01-05T08:30:00+01:00"
    assert report(service, call)["changed"] == 1
    assert report(service, call) == {"taken": 1, "new": 0, "changed": 0, "opt_outs": 0}
    with home.ledger() as ledger:
        call_evidence.run(ledger, load_settings(home.path), "test")
    assert home.rows("SELECT number, source, contact_id, trunk FROM observations") == [
        (MOBILE, "calls:dialler", 1, "sip-1")
    ]


def test_a_batch_is_taken_together(service: httpx.Client) -> None:
    calls = [{"call_id": f"c{place}", "number": "07400 123456", "outcome": "busy"} for place in range(50)]
    assert report(service, *calls)["new"] == 50


def test_an_opt_out_covers_the_person_and_every_number_at_once(service: httpx.Client, home: Home) -> None:
    told = report(
        service,
        {
            "call_id": "c1",
            "number": MOBILE,
            "records": [ANN],
            "outcome": "connected",
            "notes": "asked us to stop calling, do not call again",
        },
    )
    assert told["opt_outs"] == 3
    items = feed(service)["items"]
    assert {item["e164"] for item in items} == {None, MOBILE, LANDLINE}
    assert [item["records"] for item in items if item["records"]] == [[f"salesforce:{ANN}"]]
    with home.ledger() as ledger, ledger.read() as connection:
        assert suppressions.broken_link(connection) is None
    # The pipeline reads the same call later and adds nothing.
    with home.ledger() as ledger:
        totals, _, _ = call_evidence.run(ledger, load_settings(home.path), "test")
    assert totals["opt-outs added"] == 0


def test_an_opt_out_of_a_number_nobody_carries_holds_for_the_number(service: httpx.Client, home: Home) -> None:
    assert report(service, {"call_id": "c1", "number": FREE, "outcome": "do not call"})["opt_outs"] == 1
    assert [(item["e164"], item["state"]) for item in feed(service)["items"]] == [(FREE, "suppressed")]
    with home.ledger() as ledger:
        totals, _, _ = call_evidence.run(ledger, load_settings(home.path), "test")
    assert totals["opt-outs added"] == 0


def test_a_switchboard_is_not_silenced_by_one_person(service: httpx.Client, home: Home) -> None:
    people = [(f"0030000000001{place:02}AAA", {"Name": f"Person {place}", "Phone": OTHER}) for place in range(8)]
    home.pull(*people)
    told = report(service, {"call_id": "c1", "number": OTHER, "records": [people[0][0]], "outcome": "do not call"})
    assert told["opt_outs"] == 1
    assert [item["e164"] for item in feed(service)["items"]] == [None]
    assert home.rows("SELECT kind, text FROM review") == [("switchboard", OTHER)]


@pytest.mark.parametrize(
    ("call", "word"),
    [
        ({"number": MOBILE, "outcome": "busy"}, "call_id"),
        ({"call_id": "1", "outcome": "busy"}, "number"),
        ({"call_id": "1", "number": MOBILE}, "outcome"),
        ({"call_id": "1", "number": "not a number", "outcome": "busy"}, "number"),
        ({"call_id": "1", "number": "0800", "region": "GB", "outcome": "busy"}, "number"),
        ({"call_id": "1", "number": MOBILE, "outcome": "busy", "started_at": "yesterday"}, "started_at"),
        ({"call_id": "1", "number": MOBILE, "outcome": "busy", "started_at": "2026-01-01T10:00:00"}, "offset"),
        ({"call_id": "1", "number": MOBILE, "outcome": "busy", "started_at": "2126-01-01T10:00:00Z"}, "future"),
        ({"call_id": "1", "number": MOBILE, "outcome": "busy", "duration_seconds": -3}, "duration"),
        ({"call_id": "1", "number": MOBILE, "outcome": "busy", "direction": "sideways"}, "direction"),
        ({"call_id": "1", "number": MOBILE, "outcome": "busy", "records": [1]}, "records"),
        ({"call_id": "1", "number": MOBILE, "outcome": "busy", "agent": "ann"}, "agent"),
        ({"calls": []}, "calls"),
        ({"calls": [{"call_id": "1", "number": MOBILE, "outcome": "busy"}, {"call_id": "2"}]}, "calls[1]"),
        ("busy", "JSON object"),
    ],
)
def test_a_wrong_call_is_refused_with_one_sentence_and_nothing_is_kept(
    service: httpx.Client, home: Home, call: Any, word: str
) -> None:
    answer = service.post("/v1/calls", json=call, headers=DIALLER)
    assert answer.status_code == 422
    assert word in answer.json()["error"]
    assert home.rows("SELECT count(*) FROM calls") == [(0,)]


def test_the_feed_is_read_piece_by_piece_and_goes_on_where_it_ended(service: httpx.Client) -> None:
    begin = feed(service)
    assert (begin["items"], begin["more"]) == ([], False)
    for place, number in enumerate((FREE, OTHER)):
        report(service, {"call_id": f"c{place}", "number": number, "outcome": "do not call"})
    first = feed(service, begin["next"], limit=1)
    assert ([item["e164"] for item in first["items"]], first["more"]) == ([FREE], True)
    second = feed(service, first["next"])
    assert ([item["e164"] for item in second["items"]], second["more"]) == ([OTHER], False)
    assert feed(service, second["next"]) == {"items": [], "next": second["next"], "more": False}


def lift(ledger: Ledger, event: int) -> None:
    now = int(time.time() * 1000)
    taken_back = Suppression(
        "retract", "number", None, None, f"retract {event}", "manual", "typing error", "ann", now, "bob", event
    )
    with ledger.write() as connection:
        suppressions.append(connection, ledger.key, [taken_back], now)


def test_a_lift_is_told_only_when_nothing_else_holds_the_number(service: httpx.Client, home: Home) -> None:
    for place in range(2):
        report(service, {"call_id": f"c{place}", "number": FREE, "outcome": "do not call"})
    cursor = feed(service)["next"]
    with home.ledger() as ledger:
        lift(ledger, 1)
        held = feed(service, cursor)
        assert [(item["e164"], item["state"]) for item in held["items"]] == [(FREE, "suppressed")]
        lift(ledger, 2)
    assert [(item["e164"], item["state"]) for item in feed(service, held["next"])["items"]] == [(FREE, "lifted")]


def test_a_cursor_of_another_ledger_is_noticed(service: httpx.Client) -> None:
    report(service, {"call_id": "1", "number": FREE, "outcome": "do not call"})
    for cursor in ("1.000000000000", "99.0123456789ab"):
        answer = service.get("/v1/suppressed", params={"since": cursor}, headers=DIALLER)
        assert answer.status_code == 410
    for wrong in ("yesterday", "1", "1.xyz", "-1.000000000000"):
        assert service.get("/v1/suppressed", params={"since": wrong}, headers=DIALLER).status_code == 400
    assert service.get("/v1/suppressed", params={"limit": "0"}, headers=DIALLER).status_code == 400
    assert service.get("/v1/suppressed", headers={"X-API-Key": FORM_KEY}).status_code == 403


def test_a_dialler_with_its_own_words(home: Home) -> None:
    settings = home.write({"keys": {"dialler": {"variable": "KEY_DIALLER", "may": ["calls"], "namespace": "vicidial"}}})
    with serving(settings) as url, client(url) as service:
        assert report(service, {"call_id": "1", "number": MOBILE, "outcome": "DNC"})["opt_outs"] > 0
