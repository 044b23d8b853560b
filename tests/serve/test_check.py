"""`POST /v1/check`: what a web form gets to know."""

from __future__ import annotations

import sqlite3
from typing import Any

import httpx
import pytest

from tests.serve.server import DIALLER_KEY, FORM_KEY, LANDLINE, MOBILE, PAGE_KEY, Home, client, serving


def check(service: httpx.Client, key: str = FORM_KEY, **body: Any) -> dict[str, Any]:
    answer = service.post("/v1/check", json=body, headers={"Authorization": f"Bearer {key}"})
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def test_tells_what_is_known_of_a_number_typed_in_any_way(service: httpx.Client, home: Home) -> None:
    home.observe(MOBILE, "right_person", contact_id=1)
    told = check(service, number="07400 123 456", country="United Kingdom")
    assert (told["e164"], told["valid"], told["region"], told["status"]) == (MOBILE, True, "GB", "active")
    assert told["do_not_call"] is False
    assert told["reason"] == "ok"
    assert "spoke" in told["explanation"]
    assert told["checked_at"].endswith("Z")


def test_an_opt_out_is_told_at_the_door_at_once(service: httpx.Client) -> None:
    assert check(service, number=MOBILE)["do_not_call"] is False
    taken = service.post(
        "/v1/calls",
        json={"call_id": "1", "number": MOBILE, "outcome": "do not call"},
        headers={"X-API-Key": DIALLER_KEY},
    )
    assert taken.json()["opt_outs"] > 0
    told = check(service, number=MOBILE)
    assert (told["status"], told["do_not_call"]) == ("do_not_call", True)


@pytest.mark.parametrize(
    ("body", "reason", "suggested"),
    [
        ({"number": "200 0123", "region": "US", "place": "Jersey City, NJ"}, "missing_area_code", True),
        ({"number": "200 0123", "region": "US"}, "missing_area_code", False),
        ({"number": "ask at reception", "region": "US"}, "is_name", False),
        ({"number": "12", "region": "US"}, "too_short", False),
        ({"number": "0000000000", "region": "US"}, "placeholder", False),
    ],
)
def test_says_what_to_enter_differently(
    service: httpx.Client, body: dict[str, str], reason: str, suggested: bool
) -> None:
    told = check(service, **body)
    assert (told["valid"], told["status"], told["reason"]) == (False, "invalid", reason)
    assert told["e164"] is None or not told["valid"]
    assert told["suggestion"]["text"]
    assert (told["suggestion"]["e164"] is not None) is suggested


def test_names_every_number_of_a_field(service: httpx.Client) -> None:
    told = check(service, number=f"{MOBILE} or {LANDLINE}")
    assert (told["e164"], told["other_numbers"]) == (MOBILE, [LANDLINE])


def test_a_country_nobody_understands_holds_no_form_up(service: httpx.Client) -> None:
    assert check(service, number=MOBILE, country="Ruritania")["e164"] == MOBILE


def test_a_public_key_tells_nothing_of_our_records(service: httpx.Client, home: Home) -> None:
    home.observe(MOBILE, "right_person", contact_id=1)
    told = check(service, PAGE_KEY, number=MOBILE, lookup=True)
    assert (told["valid"], told["status"], told["do_not_call"], told["lookup"]) == (
        True,
        "unverified",
        None,
        "not_allowed",
    )
    assert told["confidence"] is None


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ([], "object"),
        ({}, "number"),
        ({"number": 447400123456}, "number"),
        ({"number": {"e164": MOBILE}}, "number"),
        ({"number": "  "}, "number"),
        ({"number": "1" * 201}, "200"),
        ({"number": MOBILE, "region": "Great Britain"}, "region"),
        ({"number": MOBILE, "region": "XX"}, "region"),
        ({"number": MOBILE, "lookup": "yes"}, "lookup"),
        ({"number": MOBILE, "e-mail": "x"}, "field"),
    ],
)
def test_bad_input_is_refused_with_one_sentence(service: httpx.Client, body: Any, word: str) -> None:
    answer = service.post("/v1/check", json=body, headers={"Authorization": f"Bearer {FORM_KEY}"})
    assert answer.status_code == 422
    assert list(answer.json()) == ["error"]
    assert word in answer.json()["error"]
    assert "123456" not in answer.text


def test_malformed_and_oversized_bodies(service: httpx.Client) -> None:
    headers = {"Authorization": f"Bearer {FORM_KEY}", "Content-Type": "application/json"}
    assert service.post("/v1/check", content=b'{"number": ', headers=headers).status_code == 400
    assert service.post("/v1/check", content=b"\xff\xfe", headers=headers).status_code == 400
    assert (
        service.post("/v1/check", content=b"number=1", headers={"Authorization": f"Bearer {FORM_KEY}"}).status_code
        == 415
    )
    for content in (b"x" * 600_000, iter([b"x" * 300_000] * 3)):
        answer = service.post("/v1/check", content=content, headers=headers)
        assert answer.status_code == 413
        assert "larger" in answer.json()["error"]


def test_keys(service: httpx.Client) -> None:
    for headers in ({}, {"Authorization": "Bearer wrong"}, {b"X-API-Key": "é".encode()}):
        answer = service.post("/v1/check", json={"number": MOBILE}, headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
    forbidden = service.post("/v1/check", json={"number": MOBILE}, headers={"X-API-Key": DIALLER_KEY})
    assert forbidden.status_code == 403
    assert "serve.keys.dialler" in forbidden.json()["error"]


def test_too_many_questions_are_told_how_long_to_wait(home: Home) -> None:
    settings = home.write({"keys": {"form": {"variable": "KEY_FORM", "rate_per_second": 0.01, "burst": 3}}})
    with serving(settings) as url, client(url) as service:
        answers = [
            service.post("/v1/check", json={"number": MOBILE}, headers={"X-API-Key": FORM_KEY}) for _ in range(4)
        ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert int(answers[-1].headers["retry-after"]) >= 60


def test_fails_open_when_the_ledger_is_away(home: Home) -> None:
    settings = home.write()
    (home.folder / "ledger.db").write_bytes(b"this is no database" * 100)
    for leftover in ("ledger.db-wal", "ledger.db-shm"):
        (home.folder / leftover).unlink(missing_ok=True)
    with serving(settings) as url, client(url) as service:
        told = check(service, number=MOBILE)
        assert (told["e164"], told["valid"], told["status"], told["do_not_call"]) == (MOBILE, True, "unknown", None)
        assert service.get("/health").status_code == 503
        taken = service.post(
            "/v1/calls", json={"call_id": "1", "number": MOBILE, "outcome": "busy"}, headers={"X-API-Key": DIALLER_KEY}
        )
        assert taken.status_code == 503
        assert taken.headers["retry-after"]
        feed = service.get("/v1/suppressed", headers={"X-API-Key": DIALLER_KEY})
        assert feed.status_code == 503


def test_answers_while_somebody_writes_and_says_try_again_when_it_cannot_write(home: Home) -> None:
    settings = home.write({"commit_seconds": 0.5})
    lock = sqlite3.connect(home.folder / "ledger.db", isolation_level=None)
    with serving(settings) as url, client(url) as service:
        lock.execute("BEGIN IMMEDIATE")
        assert check(service, number=MOBILE)["status"] == "unverified"
        call = {"call_id": "1", "number": MOBILE, "outcome": "busy"}
        answer = service.post("/v1/calls", json=call, headers={"X-API-Key": DIALLER_KEY})
        assert answer.status_code == 503
        lock.execute("ROLLBACK")
        again = service.post("/v1/calls", json=call, headers={"X-API-Key": DIALLER_KEY})
        assert again.status_code == 200
    lock.close()
    assert home.rows("SELECT count(*) FROM calls") == [(1,)]


def test_cors_is_for_named_origins_only(home: Home) -> None:
    settings = home.write({"cors_origins": ["https://www.example.com"]})
    with serving(settings) as url, client(url) as service:
        asked = {
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
        }
        for origin, allowed in (("https://www.example.com", True), ("https://other.example", False)):
            preflight = service.options("/v1/check", headers={"Origin": origin, **asked})
            assert (preflight.headers.get("access-control-allow-origin") == origin) is allowed
            refused = service.post("/v1/check", json={}, headers={"Origin": origin})
            assert refused.status_code == 401
            assert (refused.headers.get("access-control-allow-origin") == origin) is allowed
