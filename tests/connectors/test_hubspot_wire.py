"""What HubSpot's connector does when the service is slow, full, broken or lying."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from connectors.hubspot import HubspotCrm
from connectors.hubspot_errors import problems_of, reason_of
from connectors.hubspot_records import without_nul
from ringtrue.errors import (
    AllowanceSpent,
    ConnectionLost,
    CredentialRefused,
    FieldMissing,
    HostUnreachable,
    LoopDetected,
    RateLimited,
    RingTrueError,
    SchemaChanged,
    ServiceUnavailable,
    SettingsError,
)
from ringtrue.records import RecordWrite
from tests.connectors.canned import Asked, Reply, canned
from tests.connectors.hubspot_help import GENERAL, PROPERTIES, connect, contact, portal


def limit(policy: str) -> Reply:
    return Reply(
        429,
        {"status": "error", "message": "You have reached your limit.", "policyName": policy, "errorType": "RATE_LIMIT"},
    )


def one_read(crm: HubspotCrm) -> dict[str, Any]:
    return {key: record.values for key, record in crm.read("contacts", ["1"], ["phone"]).items()}


FOUND = Reply(200, {"results": [contact("1", phone="+14155550123")]}, GENERAL)


@pytest.mark.parametrize(("policy", "seconds"), [("TEN_SECONDLY_ROLLING", 10.0), ("SECONDLY", 1.0), ("", 10.0)])
def test_limits_are_waited_out_without_a_retry_after_header(tmp_path: Path, policy: str, seconds: float) -> None:
    waits: list[float] = []
    with canned(portal(limit(policy), FOUND)) as server:
        crm = connect(server.url, tmp_path, waits)
        assert one_read(crm) == {"1": {"phone": "+14155550123"}}
        assert seconds in waits
        assert crm.usage.retries == 1
        crm.close()


def test_writes_are_sent_again_after_a_limit(tmp_path: Path) -> None:
    """hubspot-api-python 117: the client's own retry never fires on POST."""
    taken = Reply(200, {"results": [contact("1")]})
    with canned(portal(limit("TEN_SECONDLY_ROLLING"), taken)) as server:
        crm = connect(server.url, tmp_path)
        assert [row.outcome for row in crm.write("contacts", [RecordWrite("1", {"phone": "x"})])] == ["applied"]
        assert len(server.asked) == 2
        crm.close()


def test_the_daily_limit_stops_the_run_at_once(tmp_path: Path) -> None:
    with canned(portal(limit("DAILY"))) as server:
        crm = connect(server.url, tmp_path)
        with pytest.raises(AllowanceSpent, match="midnight in the portal's time zone"):
            one_read(crm)
        assert len(server.asked) == 2
        crm.close()


def test_our_share_of_the_day_is_kept_to(tmp_path: Path) -> None:
    headers = {"X-HubSpot-RateLimit-Daily": "1000", "X-HubSpot-RateLimit-Daily-Remaining": "500"}
    with canned(portal(Reply(200, FOUND.body, headers))) as server:
        crm = connect(server.url, tmp_path, daily_share=0.5)
        one_read(crm)
        assert (crm.usage.used_today, crm.usage.allowed_today) == (500, 1000)
        with pytest.raises(AllowanceSpent, match=r"500 of HubSpot's 1000 calls"):
            one_read(crm)
        crm.close()


def test_a_move_to_another_data_centre_is_waited_for_or_named(tmp_path: Path) -> None:
    waits: list[float] = []
    moving = Reply(477, {"status": "error"}, {"Retry-After": "40"})
    with canned(portal(moving, FOUND)) as server:
        crm = connect(server.url, tmp_path, waits)
        one_read(crm)
        assert max(waits) >= 40.0
        crm.close()
    with canned(portal(Reply(477, {}, {"Retry-After": "80000"}))) as server:
        crm = connect(server.url, tmp_path, waits)
        with pytest.raises(ServiceUnavailable, match="another data centre"):
            one_read(crm)
        crm.close()


@pytest.mark.parametrize(
    "broken",
    [
        Reply(502, b"<html>Bad Gateway</html>", {"Content-Type": "text/html"}),
        Reply(500, b"\xff\xfe\xfa not utf-8"),
        Reply(200, b"<html>maintenance</html>", {"Content-Type": "text/html"}),
        Reply(200, b'{"results": ['),
        Reply(524, b""),
    ],
)
def test_reads_outlive_broken_answers(tmp_path: Path, broken: Reply) -> None:
    with canned(portal(broken, FOUND)) as server:
        crm = connect(server.url, tmp_path)
        assert one_read(crm) == {"1": {"phone": "+14155550123"}}
        crm.close()


@pytest.mark.parametrize("broken", [Reply(500, b"\xff\xfe"), Reply(504, b""), Reply(200, b"<html></html>")])
def test_a_write_whose_fate_is_unknown_is_not_repeated(tmp_path: Path, broken: Reply) -> None:
    with canned(portal(broken)) as server:
        crm = connect(server.url, tmp_path)
        with pytest.raises(ConnectionLost):
            crm.write("contacts", [RecordWrite("1", {"phone": "x"})])
        assert len(server.asked) == 1
        crm.close()


@pytest.mark.parametrize(
    ("status", "body", "says"),
    [
        (401, {"category": "INVALID_AUTHENTICATION"}, "refused the token.*Service Keys"),
        (401, {"category": "EXPIRED_AUTHENTICATION"}, "has expired: make a new one"),
        (
            403,
            {"errors": [{"context": {"requiredGranularScopes": ["crm.objects.contacts.read"]}}]},
            "give it the scope crm.objects.contacts.read",
        ),
        (403, {}, "give it the scope crm.objects.contacts.read"),
        (530, {}, "does not know this portal"),
    ],
)
def test_a_refused_token_is_one_sentence_and_one_call(tmp_path: Path, status: int, body: Any, says: str) -> None:
    with canned(portal(Reply(status, body))) as server:
        crm = connect(server.url, tmp_path)
        with pytest.raises(CredentialRefused, match=says):
            one_read(crm)
        assert len(server.asked) == 2
        crm.close()


def test_unknown_refusals_of_reads_say_that_the_schema_changed(tmp_path: Path) -> None:
    with canned(portal(Reply(400, {"message": "no such thing for ann@example.com, 4155550123"}))) as server:
        crm = connect(server.url, tmp_path)
        with pytest.raises(SchemaChanged) as caught:
            one_read(crm)
        assert "ann@" not in str(caught.value)
        assert "4155550123" not in str(caught.value)
        crm.close()


def test_one_connection_serves_all_calls(tmp_path: Path) -> None:
    """hubspot-api-python 331: every access to the client's API objects opens a new pool."""
    with canned(portal(FOUND)) as server:
        crm = connect(server.url, tmp_path)
        for _ in range(10):
            one_read(crm)
        assert (len(server.asked), server.connections) == (11, 1)
        crm.close()


def test_nobody_listening_and_wrong_addresses_are_named(tmp_path: Path) -> None:
    with canned(portal(FOUND)) as server:
        url = server.url
    crm = connect(url, tmp_path)
    with pytest.raises(HostUnreachable, match="Nobody answers"):
        one_read(crm)
    crm.close()
    with pytest.raises(SettingsError, match="must begin with https"):
        connect("http://crm.example", tmp_path)
    with pytest.raises(SettingsError, match="token is empty"):
        connect(url, tmp_path, token="")
    with pytest.raises(SettingsError, match="no path family 'v9'"):
        connect(url, tmp_path, paths="v9")


def test_a_search_that_goes_round_in_circles_is_stopped(tmp_path: Path) -> None:
    page = {"total": 900, "results": [contact(str(number)) for number in range(1, 201)]}
    with canned(portal(Reply(200, page))) as server:
        crm = connect(server.url, tmp_path)
        cursor = json.dumps({"phase": "done", "end": 1_790_000_000_000})
        with pytest.raises(LoopDetected, match="round in circles"):
            list(crm.pull("contacts", ["phone"], cursor=cursor))
        crm.close()


def test_a_list_that_goes_round_in_circles_is_stopped(tmp_path: Path) -> None:
    page = {"results": [contact("5")], "paging": {"next": {"after": "6"}}}
    with canned(portal(Reply(200, page))) as server:
        crm = connect(server.url, tmp_path)
        with pytest.raises(LoopDetected, match="round in circles"):
            list(crm.pull_ids("contacts"))
        crm.close()


def test_a_search_page_with_fewer_rows_than_it_counts_is_asked_for_again_and_then_fails(tmp_path: Path) -> None:
    """airbyte 10700: rows went missing in silence."""
    short = Reply(200, {"total": 3, "results": [contact("1"), contact("2")]})
    whole = Reply(200, {"total": 3, "results": [contact("1"), contact("2"), contact("3")]})
    empty = Reply(200, {"results": []})
    cursor = json.dumps({"phase": "done", "end": 1_790_000_000_000})
    with canned(portal(short, whole, empty)) as server:
        crm = connect(server.url, tmp_path)
        pages = list(crm.pull("contacts", ["phone"], cursor=cursor))
        assert [record.record_id for page in pages for record in page.records] == ["1", "2", "3"]
        crm.close()
    with canned(portal(short)) as server:
        crm = connect(server.url, tmp_path)
        with pytest.raises(ServiceUnavailable, match="counts 3 contacts but hands over 2"):
            list(crm.pull("contacts", ["phone"], cursor=cursor))
        crm.close()


def test_nul_characters_are_taken_out(tmp_path: Path) -> None:
    with canned(portal(Reply(200, {"results": [contact("1", phone="+1415\x005550123")]}))) as server:
        crm = connect(server.url, tmp_path)
        assert one_read(crm) == {"1": {"phone": "+14155550123"}}
        crm.close()
    texts = ["\x00", "a\x00b", "\\\x00", "\\u0000", "\\\\u0000", "\x00\x00", 'say "\x00"']
    for text in texts:
        assert json.loads(without_nul(json.dumps([text, "end"]).encode())) == [text.replace("\x00", ""), "end"]


def test_a_field_the_portal_does_not_have_is_named(tmp_path: Path) -> None:
    with canned(portal(FOUND)) as server:
        crm = connect(server.url, tmp_path)
        with pytest.raises(FieldMissing, match="no property nosuch on contacts"):
            crm.read("contacts", ["1"], ["phone", "nosuch"])
        crm.close()


def test_a_stored_cursor_that_cannot_be_read_says_what_to_do(tmp_path: Path) -> None:
    with canned(portal(FOUND)) as server:
        crm = connect(server.url, tmp_path)
        with pytest.raises(SettingsError, match="run this connection once with `full`"):
            next(crm.pull("contacts", ["phone"], cursor="2026-11-07"))
        crm.close()


def test_the_portal_is_named_even_by_a_token_that_may_not_see_the_account(tmp_path: Path) -> None:
    def answer(asked: Asked) -> Reply:
        if asked.path.startswith("/account-info"):
            return Reply(403, {"category": "MISSING_SCOPES"})
        return Reply(200, {"hubId": 4711, "appId": 7})

    with canned(answer) as server:
        crm = connect(server.url, tmp_path)
        assert crm.identity() == "4711"
        assert crm.identity() == "4711"
        assert len(server.asked) == 2
        crm.close()


def test_a_private_apps_token_knows_which_values_are_ours(tmp_path: Path) -> None:
    versions = [
        {
            "value": "+14155550125",
            "timestamp": "2026-11-07T16:50:06.678Z",
            "sourceType": "INTEGRATION",
            "sourceId": "7",
        },
        {"value": "+14155550124", "timestamp": "1762534206000", "sourceType": "INTEGRATION", "sourceId": "8"},
        {"value": "", "timestamp": "2024-11-07T16:50:06Z", "sourceType": "CRM_UI", "sourceId": "userId:1"},
    ]
    row = {**contact("1"), "propertiesWithHistory": {"phone": versions}}

    def answer(asked: Asked) -> Reply:
        return Reply(200, {"hubId": 4711, "appId": 7} if "token" in asked.path else {"results": [row]})

    with canned(answer) as server:
        crm = connect(server.url, tmp_path)
        edits = crm.history("contacts", ["1"], ["phone"])["1"]["phone"]
        assert [(edit.value, edit.ours) for edit in edits] == [
            ("+14155550125", True),
            ("+14155550124", False),
            (None, False),
        ]
        crm.close()


def test_many_archived_records_are_listed_once_a_day_and_none_is_missed(tmp_path: Path) -> None:
    # The stand-in's answers carry the real date, and the connector goes by it.
    now = [datetime.now(UTC)]
    later = (now[0] + timedelta(minutes=30)).isoformat()
    archived = [
        {**contact(str(number)), "archived": True, "archivedAt": "2026-01-20T00:00:00.000Z"}
        for number in range(1, 2_201)
    ]

    def answer(asked: Asked) -> Reply:
        if "/properties/" in asked.path:
            return Reply(200, {"results": PROPERTIES})
        if asked.path.endswith("/search"):
            return Reply(200, {"total": 0, "results": []})
        if "archived=true" not in asked.path:
            return Reply(200, {"results": []})
        start = int(parse_qs(urlsplit(asked.path).query).get("after", ["1"])[0]) - 1
        page: dict[str, Any] = {"results": archived[start : start + 100]}
        if start + 100 < len(archived):
            page["paging"] = {"next": {"after": str(start + 101)}}
        return Reply(200, page)

    with canned(answer) as server:
        crm = connect(server.url, tmp_path, clock=lambda: now[0])

        def pull(cursor: str | None) -> tuple[list[str], str]:
            pages = list(crm.pull("contacts", ["phone"], cursor=cursor))
            return [record.record_id for page in pages for record in page.records], pages[-1].cursor

        found, cursor = pull(None)
        assert len(found) == 2_200
        now[0] += timedelta(hours=1)
        archived.append({**contact("5000"), "archived": True, "archivedAt": later})
        server.asked.clear()
        assert pull(cursor)[0] == []
        assert len(server.asked) == 1
        now[0] += timedelta(days=2)
        assert pull(cursor)[0] == ["5000"]
        crm.close()


def test_half_an_answer_to_a_read_is_asked_for_again(tmp_path: Path) -> None:
    half = Reply(200, b'{"results": []}', {"Content-Length": "5000", "Connection": "close"})
    with canned(portal(half, FOUND)) as server:
        crm = connect(server.url, tmp_path)
        assert one_read(crm) == {"1": {"phone": "+14155550123"}}
        crm.close()


def test_the_limit_a_portal_names_sets_our_pace(tmp_path: Path) -> None:
    waits: list[float] = []
    headers = {
        "X-HubSpot-RateLimit-Max": "20",
        "X-HubSpot-RateLimit-Remaining": "15",
        "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
    }
    with canned(portal(Reply(200, FOUND.body, headers))) as server:
        crm = connect(server.url, tmp_path, waits)
        for _ in range(40):
            one_read(crm)
        # Twenty calls in ten seconds: forty calls need more than the ten seconds of one window.
        assert sum(waits) == 0 or max(waits) > 10.0
        crm.close()


def test_an_app_that_is_nearly_out_of_calls_waits(tmp_path: Path) -> None:
    waits: list[float] = []
    headers = {**GENERAL, "X-HubSpot-RateLimit-Remaining": "2"}
    with canned(portal(Reply(200, FOUND.body, headers))) as server:
        crm = connect(server.url, tmp_path, waits)
        one_read(crm)
        one_read(crm)
        assert any(wait > 0.5 for wait in waits)
        crm.close()


def test_reasons_are_read_out_of_the_json_inside_the_message() -> None:
    inner = [{"isValid": False, "message": "+14155550123 is not a number", "error": "INVALID_PHONE", "name": "phone"}]
    error = {"message": f"Property values were not valid: {json.dumps(inner)}", "category": "VALIDATION_ERROR"}
    assert [(problem.name, problem.code) for problem in problems_of(error)] == [("phone", "INVALID_PHONE")]
    assert reason_of(error) == "phone: +1*********23 is not a number (INVALID_PHONE)".replace("*********", "*" * 8)
    assert reason_of({}) == "HubSpot gave no reason"
    assert reason_of({"message": "Broken: [{not json"}) == "Broken"


def test_errors_are_ours_whatever_happens(tmp_path: Path) -> None:
    with canned(portal(limit("SECONDLY"))) as server:
        crm = connect(server.url, tmp_path)
        with pytest.raises(RingTrueError) as caught:
            one_read(crm)
        assert isinstance(caught.value, RateLimited)
        crm.close()
