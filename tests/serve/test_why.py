"""The page behind the link field: who may see it, what it shows, and what becomes of an answer."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
import uvicorn

from app.serve.codes import Codes
from ringtrue.settings import Settings
from tests.serve.issuer import CLIENT, SECRET, Issuer
from tests.serve.server import ENVIRON, LANDLINE, MOBILE, Home, client, serving

ANN = "003000000000001AAA"


def code_for(home: Home, name: str = "Sally") -> str:
    return Codes(home.write().serve.sign_in, {}).add(name)


def sign_in(service: httpx.Client, code: str, goal: str = "") -> httpx.Response:
    return service.post("/sign-in", data={"code": code, "next": goal})


def field(page: httpx.Response, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page.text)
    assert found, f"no field {name}"
    return found[1]


def handle(page: httpx.Response, ending: str) -> str:
    found = re.search(rf'name="number" value="([0-9a-f]+)" required><span>[^<]*{ending}', page.text)
    assert found
    return found[1]


def say(service: httpx.Client, why_id: str, said: str, ending: str | None = None, **changed: str) -> httpx.Response:
    page = service.get(f"/why/{why_id}")
    fields = {"answer": field(page, "answer"), "token": field(page, "token"), "said": said}
    fields["number"] = handle(page, ending) if ending else ""
    return service.post(f"/why/{why_id}", data={**fields, **changed})


def test_without_signing_in_nothing_is_shown(service: httpx.Client, home: Home) -> None:
    why_id = home.why_id(ANN)
    for path in (f"/why/{why_id}", "/why/00000000000000000000"):
        answer = service.get(path)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/sign-in?next={path.rpartition('/')[2]}")
        assert service.post(path, data={"said": "stop"}).status_code == 303
    assert home.rows("SELECT count(*) FROM suppressions") == [(0,)]
    assert "ringtrue serve code add" in service.get("/sign-in").text


def test_a_code_opens_the_page_and_leads_back_to_it(service: httpx.Client, home: Home) -> None:
    home.observe(MOBILE, "right_person", contact_id=1)
    code, why_id = code_for(home), home.why_id(ANN)
    wrong = sign_in(service, "AAAAA-AAAAA-AAAAA-AAAAA-AAAAA", why_id)
    assert (wrong.status_code, "not known" in wrong.text) == (401, True)
    answer = sign_in(service, code.lower().replace("-", " "), why_id)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/why/{why_id}")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    page = service.get(f"/why/{why_id}")
    assert page.status_code == 200
    assert "Ann Example" in page.text
    assert "Spoke with the contact" in page.text
    assert page.text.count("ending in 3456") >= 1
    for number in (MOBILE, LANDLINE):
        assert number not in page.text
        assert number[3:] not in page.text
    assert page.headers["cache-control"] == "no-store"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "script" not in page.text
    assert " style=" not in page.text
    assert page.headers["x-frame-options"] == "DENY"
    assert service.get("/why/00000000000000000000").status_code == 404


def test_next_leads_to_our_own_pages_only(service: httpx.Client, home: Home) -> None:
    code = code_for(home)
    for goal in ("https://evil.example", "//evil.example", "../docs", "x" * 20):
        assert sign_in(service, code, goal).headers["location"] == "/"


def test_behind_https_the_cookie_is_secure(home: Home) -> None:
    code = code_for(home)
    settings = home.write({"public_url": "https://ringtrue.example.com"})
    with serving(settings) as url, client(url) as service:
        answer = sign_in(service, code)
        assert answer.headers["set-cookie"].startswith("__Host-ringtrue=")
        assert "Secure" in answer.headers["set-cookie"]
        assert "strict-transport-security" in answer.headers


def test_a_code_taken_away_ends_the_session(service: httpx.Client, home: Home) -> None:
    code, why_id = code_for(home), home.why_id(ANN)
    sign_in(service, code)
    assert service.get(f"/why/{why_id}").status_code == 200
    Codes(home.write().serve.sign_in, {}).remove("Sally")
    assert service.get(f"/why/{why_id}").status_code == 303
    assert sign_in(service, code).status_code == 401


def test_signing_out(service: httpx.Client, home: Home) -> None:
    sign_in(service, code_for(home))
    assert service.post("/sign-out").status_code == 303
    assert service.get(f"/why/{home.why_id(ANN)}").status_code == 303


def test_guessing_codes_is_slowed_down(home: Home) -> None:
    code_for(home)
    with serving(home.write({"visitor_burst": 3})) as url, client(url) as service:
        tried = [sign_in(service, f"GUESS-{place}").status_code for place in range(5)]
    assert tried == [401, 401, 401, 429, 429]


def test_an_answer_is_evidence_with_who_said_it(service: httpx.Client, home: Home) -> None:
    sign_in(service, code_for(home))
    why_id = home.why_id(ANN)
    answer = say(service, why_id, "talked", "3456")
    assert answer.headers["location"] == f"/why/{why_id}?saved=yes"
    assert home.rows("SELECT number, contact_id, outcome, raw FROM observations") == [
        (MOBILE, 1, "right_person", "Sally")
    ]
    page = service.get(answer.headers["location"])
    assert "Saved. Thank you." in page.text
    assert "told by Sally" in page.text
    with home.ledger() as ledger:
        home.decide(ledger)
    assert home.rows(
        "SELECT status FROM decisions WHERE current AND number = :number AND contact_id = 0", number=MOBILE
    ) == [("active",)]


def test_a_wrong_person_is_a_matter_of_this_contact(service: httpx.Client, home: Home) -> None:
    sign_in(service, code_for(home))
    say(service, home.why_id(ANN), "wrong_person", "5678")
    with home.ledger() as ledger:
        home.decide(ledger)
    own = home.rows(
        "SELECT status, contact_id FROM decisions WHERE current AND number = :number AND contact_id <> 0",
        number=LANDLINE,
    )
    assert own == [("wrong_person", 1)]
    assert "Wrong person" in service.get(f"/why/{home.why_id(ANN)}").text
    assert "Wrong person</span>" not in service.get(f"/why/{home.why_id('501')}").text


def test_stop_holds_at_once_for_the_person_and_the_numbers(service: httpx.Client, home: Home) -> None:
    sign_in(service, code_for(home))
    why_id = home.why_id(ANN)
    say(service, why_id, "stop")
    held = home.rows("SELECT scope, number, contact_id, actor FROM suppressions ORDER BY scope DESC, number")
    assert held == [("person", None, 1, "Sally"), ("number", LANDLINE, 1, "Sally"), ("number", MOBILE, 1, "Sally")]
    page = service.get(f"/why/{why_id}")
    assert "This person asked not to be called" in page.text
    assert page.text.count('<span class="status do_not_call">') == 2
    assert home.rows("SELECT count(*) FROM dirty_contacts WHERE stage = 'changes:hubspot'")[0][0] >= 1


def test_the_same_answer_sent_twice_counts_once(service: httpx.Client, home: Home) -> None:
    sign_in(service, code_for(home))
    why_id = home.why_id(ANN)
    page = service.get(f"/why/{why_id}")
    fields = {name: field(page, name) for name in ("answer", "token")} | {
        "said": "talked",
        "number": handle(page, "3456"),
    }
    places = [service.post(f"/why/{why_id}", data=fields).headers["location"] for _ in range(2)]
    assert places == [f"/why/{why_id}?saved=yes", f"/why/{why_id}?saved=again"]
    assert home.rows("SELECT count(*) FROM observations") == [(1,)]


def test_a_form_made_elsewhere_is_not_taken(service: httpx.Client, home: Home) -> None:
    sign_in(service, code_for(home))
    why_id, other = home.why_id(ANN), home.why_id("501")
    token_of_other = field(service.get(f"/why/{other}"), "token")
    assert say(service, why_id, "stop", token="0" * 64).status_code == 403
    assert say(service, why_id, "stop", token=token_of_other).status_code == 403
    assert say(service, why_id, "stop", answer="0" * 24).status_code == 403
    page = service.get(f"/why/{why_id}")
    fields = {name: field(page, name) for name in ("answer", "token")} | {"said": "stop"}
    for headers in ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"}):
        assert service.post(f"/why/{why_id}", data=fields, headers=headers).status_code == 403
    for wrong in ({"said": "nothing"}, {"said": "talked"}, {"said": "stop", "number": "0" * 16}):
        answer = service.post(f"/why/{why_id}", data={**fields, **wrong})
        assert (answer.status_code, "Nothing was saved" in answer.text) == (422, True)
    assert home.rows("SELECT (SELECT count(*) FROM observations) + (SELECT count(*) FROM suppressions)") == [(0,)]


def test_a_forged_or_foreign_session_is_none(service: httpx.Client, home: Home) -> None:
    why_id = home.why_id(ANN)
    for value in ("", "x.y.z", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJTYWxseSIsImV4cCI6OTk5OTk5OTk5OX0."):
        service.cookies.set("ringtrue", value)
        assert service.get(f"/why/{why_id}").status_code == 303


def test_a_merged_record_shows_its_survivor(service: httpx.Client, home: Home) -> None:
    old = home.why_id(ANN)
    home.pull(("003000000000009AAA", {"Name": "Ann Survivor", "Phone": LANDLINE}))
    with home.ledger() as ledger, ledger.write() as connection:
        connection.exec_driver_sql(
            f"UPDATE contacts SET merged_into = '003000000000009AAA', deleted_at = 1 WHERE record_id = '{ANN}'"
        )
    sign_in(service, code_for(home))
    assert "Ann Survivor" in service.get(f"/why/{old}").text


def test_in_chinese(home: Home) -> None:
    code = code_for(home)
    settings = home.write(policy={"language": "zh"})
    home.observe(MOBILE, "right_person", contact_id=1)
    with serving(settings) as url, client(url) as service:
        sign_in(service, code)
        page = service.get(f"/why/{home.why_id(ANN)}")
    assert '<html lang="zh-Hans">' in page.text
    assert "尾号 3456" in page.text
    assert "与联系人本人通话" in page.text


@contextmanager
def issuing() -> Iterator[Issuer]:
    issuer = Issuer()
    server = uvicorn.Server(uvicorn.Config(issuer.app, port=0, log_config=None, ws="none"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while not server.started:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    issuer.url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    yield issuer
    server.should_exit = True
    thread.join(30)


def with_issuer(home: Home, issuer: Issuer, **options: Any) -> Settings:
    oidc = {"issuer": issuer.url, "client_id": CLIENT, "label": "Acme", **options}
    return home.write({"sign_in": {"oidc": oidc, "codes_file": str(home.folder / "codes.json")}})


def through_the_issuer(service: httpx.Client, goal: str) -> httpx.Response:
    """What a browser does: follow the issuer's redirects and come back."""
    away = service.get("/sign-in/oidc", params={"next": goal})
    assert away.status_code == 303, away.text
    back = httpx.get(away.headers["location"], trust_env=False)
    return service.get(back.headers["location"])


def test_signing_in_with_the_company_account(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    why_id = home.why_id(ANN)
    with issuing() as issuer:
        settings = with_issuer(home, issuer, allowed_domains=["example.com"])
        with serving(settings, {**ENVIRON, "RINGTRUE_OIDC_SECRET": SECRET}) as url, client(url) as service:
            assert "Sign in with Acme" in service.get("/sign-in").text
            answer = through_the_issuer(service, why_id)
            assert (answer.status_code, answer.headers["location"]) == (303, f"/why/{why_id}")
            assert "Signed in as Sally Example" in service.get(f"/why/{why_id}").text


def test_what_the_issuer_did_not_say_lets_nobody_in(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with issuing() as issuer:
        settings = with_issuer(home, issuer, allowed_domains=["example.com"])
        environ = {**ENVIRON, "RINGTRUE_OIDC_SECRET": SECRET}
        with serving(settings, environ) as url, client(url) as service:
            wrong: list[dict[str, Any]] = [
                {"email": "sally@other.example"},
                {"email_verified": False},
                {"aud": "another-client"},
                {"iss": "https://other.example"},
                {"nonce": "another"},
                {"exp": int(time.time()) - 3_600},
            ]
            for claims in wrong:
                issuer.claims = claims
                assert through_the_issuer(service, "").status_code == 403, claims
            issuer.claims = {}
            issuer.key = Issuer().key
            assert through_the_issuer(service, "").status_code == 403
            issuer.key = issuer.published
            away = service.get("/sign-in/oidc")
            back = httpx.get(away.headers["location"], trust_env=False).headers["location"]
            with client(url) as stranger:
                assert stranger.get(back).status_code == 400
            assert service.get(back.replace("state=", "state=x")).status_code == 400
            assert service.get("/sign-in/done").status_code == 400
            assert service.get(f"/why/{home.why_id(ANN)}").status_code == 303
            assert service.get(back).status_code == 303
        with serving(settings, {**ENVIRON, "RINGTRUE_OIDC_SECRET": "wrong"}) as url, client(url) as service:
            assert through_the_issuer(service, "").status_code == 403
    with serving(settings, environ) as url, client(url) as service:
        assert service.get("/sign-in/oidc").status_code == 502
