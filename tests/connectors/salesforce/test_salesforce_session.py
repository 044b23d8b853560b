"""The one door to Salesforce: what the client library lacks, seen on the wire."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.http import RetryPolicy, Timeouts
from connectors.salesforce import SalesforceCrm
from connectors.salesforce_session import Wire, classify
from ringtrue.errors import (
    AllowanceSpent,
    ConnectionLost,
    CredentialRefused,
    FieldMissing,
    RateLimited,
    RingTrueError,
    SchemaChanged,
    ServiceUnavailable,
    SettingsError,
)
from ringtrue.records import RecordWrite
from tests.connectors.salesforce.kit import DATA, connect, scripted, token_answer
from tests.stand_ins import StandIn
from tests.wire import Reply, Seen

EXPIRED = Reply([{"errorCode": "INVALID_SESSION_ID", "message": "Session expired or invalid"}], 401)
CONTACT = "003Sb0000000001AAA"
WRITE = [RecordWrite(CONTACT, {"Phone": "+14155550123"})]


def refused(code: str, message: str, status: int) -> Reply:
    return Reply([{"errorCode": code, "message": message}], status)


def answer_writes(*replies: Reply) -> tuple[list[Seen], Any]:
    """A script that answers writes with these replies, the last one for ever."""
    seen: list[Seen] = []

    def answer(request: Seen) -> Reply | None:
        if request.path != f"{DATA}/composite/sobjects":
            return None
        seen.append(request)
        return replies[min(len(seen), len(replies)) - 1]

    return seen, answer


APPLIED = Reply([{"id": CONTACT, "success": True, "errors": []}])


def test_an_expired_session_renews_itself_once_and_keeps_the_headers() -> None:
    seen, answer = answer_writes(EXPIRED, APPLIED)
    with scripted(answer) as server:
        crm = connect(server.url)
        assert crm.write("Contact", WRITE)[0].outcome == "applied"
        crm.close()
    first, second = seen
    assert first.headers["Authorization"] == "Bearer 00DSb0000000001!token1"
    assert second.headers["Authorization"] == "Bearer 00DSb0000000001!token2"
    for name in ("Sforce-Duplicate-Rule-Header", "Sforce-Auto-Assign", "Sforce-Call-Options"):
        assert second.headers[name] == first.headers[name]
    assert second.headers["Sforce-Auto-Assign"] == "FALSE"
    assert second.body == first.body


@pytest.mark.parametrize(
    "reply", [EXPIRED, Reply("<html>Session expired</html>", 401), Reply(b"", 401)], ids=["json", "html", "empty"]
)
def test_a_session_refused_for_ever_ends_after_one_new_login(reply: Reply) -> None:
    seen, answer = answer_writes(reply)
    with scripted(answer) as server:
        crm = connect(server.url)
        with pytest.raises(CredentialRefused, match="just given us"):
            crm.write("Contact", WRITE)
        assert crm.usage.calls == {"login": 2, "describe": 1, "write": 2}
        crm.close()
    assert len(seen) == 2


def test_no_part_of_the_client_library_logs_in_without_end(org: StandIn) -> None:
    crm = connect(org.url)
    library: Any = crm._session.sf
    for op in ("read", "query", "bulk", "write"):
        org.fault(op, "expired_for_ever")
    calls: list[Callable[[], Any]] = [
        lambda: library.Contact.get(CONTACT),
        lambda: library.query("SELECT Id FROM Contact LIMIT 1"),
        lambda: library.restful("limits"),
        lambda: next(library.bulk2.Contact.query("SELECT Id FROM Contact")),
        lambda: library.toolingexecute("query/", params={"q": "SELECT Id FROM CustomField"}),
    ]
    for call in calls:
        before = crm.usage.calls["login"]
        with pytest.raises(CredentialRefused):
            call()
        assert crm.usage.calls["login"] - before <= 1
    crm.close()


def test_a_bulk_handler_with_an_old_token_sends_the_present_one() -> None:
    tokens: list[str] = []

    def answer(request: Seen) -> Reply | None:
        if request.path != f"{DATA}/jobs/query":
            return None
        tokens.append(request.headers["Authorization"])
        return EXPIRED if len(tokens) == 1 else Reply({"id": "750Sb0000000001IAA"})

    with scripted(answer) as server:
        crm = connect(server.url)
        handler: Any = crm._session.sf.bulk2
        for _ in range(2):
            handler.Contact._client.create_job("query", "SELECT Id FROM Contact")
        crm.close()
    assert tokens == ["Bearer 00DSb0000000001!token1", *["Bearer 00DSb0000000001!token2"] * 2]


def test_many_threads_renew_an_expired_session_together() -> None:
    def answer(request: Seen) -> Reply | None:
        if request.path != f"{DATA}/limits":
            return None
        return EXPIRED if request.headers["Authorization"].endswith("token1") else Reply({"DailyApiRequests": {}})

    with scripted(answer) as server:
        crm = connect(server.url)
        crm.identity()
        session = crm._session
        threads = [threading.Thread(target=session.json, args=("GET", "limits")) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert crm.usage.calls["login"] == 2
        crm.close()


def test_a_server_that_says_nothing_is_not_waited_for() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        wire = Wire(timeouts=Timeouts(1, 0.1), retry=RetryPolicy(attempts=1))
        crm = connect(f"http://127.0.0.1:{silent.getsockname()[1]}", wire=wire)
        with pytest.raises(ConnectionLost, match="No answer"):
            crm.identity()
        crm.close()


@pytest.mark.parametrize("kind", ["status_503", "status_500", "html_502", "status_429", "drop_before", "drop_mid_body"])
def test_reads_are_repeated_until_they_succeed(org: StandIn, kind: str) -> None:
    naps: list[float] = []
    crm = connect(org.url, naps=naps)
    crm.describe("Contact")
    org.fault("read", kind, times=2)
    crm.describe("Lead")
    assert crm.usage.calls["describe"] == 4
    assert crm.usage.retries == len(naps) == 2
    crm.close()


@pytest.mark.parametrize(
    "reply",
    [
        refused("SERVER_UNAVAILABLE", "Server is too busy", 503),
        refused("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record", 400),
        refused("REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded.", 403),
        Reply(b"", 429),
    ],
    ids=["503", "lock", "concurrent", "429"],
)
def test_a_write_turned_away_is_sent_again(reply: Reply) -> None:
    seen, answer = answer_writes(reply, reply, APPLIED)
    with scripted(answer) as server:
        crm = connect(server.url)
        assert crm.write("Contact", WRITE)[0].outcome == "applied"
        crm.close()
    assert len(seen) == 3


@pytest.mark.parametrize(
    "reply",
    [
        Reply(drop=True),
        Reply([{"id": CONTACT, "success": True}], cut=10),
        refused("UNKNOWN_EXCEPTION", "An unexpected error occurred", 500),
        Reply("<html>Bad Gateway</html>", 502),
        Reply("<html>We are setting things up</html>"),
        Reply(b"[{"),
        Reply([]),
    ],
    ids=["dropped", "half", "500", "502", "page", "broken json", "no results"],
)
def test_a_write_whose_fate_is_unknown_is_sent_once_and_says_so(reply: Reply) -> None:
    seen, answer = answer_writes(reply)
    with scripted(answer) as server:
        crm = connect(server.url)
        with pytest.raises(ConnectionLost):
            crm.write("Contact", WRITE)
        crm.close()
    assert len(seen) == 1


def test_the_days_calls_used_up_stops_and_too_many_at_once_waits() -> None:
    spent, answer = answer_writes(refused("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", 403))
    with scripted(answer) as server:
        crm = connect(server.url)
        with pytest.raises(AllowanceSpent, match="last 24 hours"):
            crm.write("Contact", WRITE)
        crm.close()
    assert len(spent) == 1
    busy, answer = answer_writes(refused("REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests Limit exceeded.", 403))
    with scripted(answer) as server:
        crm = connect(server.url, wire=Wire(retry=RetryPolicy(attempts=3)))
        with pytest.raises(RateLimited):
            crm.write("Contact", WRITE)
        crm.close()
    assert len(busy) == 3


def test_a_record_we_may_not_touch_fails_alone() -> None:
    denied = refused("INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id", 403)
    with scripted(lambda request: denied if request.path.endswith(CONTACT) else None) as server:
        crm = connect(server.url)
        result = crm.write_if_unmodified("Contact", WRITE[0], datetime.now(UTC))
        crm.close()
    assert result.outcome == "failed"
    assert "INSUFFICIENT_ACCESS_OR_READONLY" in (result.reason or "")


def test_a_login_that_is_down_is_not_asked_again_by_every_repeat() -> None:
    def answer(request: Seen) -> Reply | None:
        if request.path == f"{DATA}/limits":
            return EXPIRED
        if request.path == "/services/oauth2/token" and down:
            return Reply("<html>Bad Gateway</html>", 502)
        return None

    down = False
    with scripted(answer) as server:
        crm = connect(server.url, wire=Wire(retry=RetryPolicy(attempts=4)))
        crm.identity()
        down = True
        with pytest.raises(ServiceUnavailable, match="login cannot answer now"):
            crm._session.json("GET", "limits")
        assert crm.usage.calls["login"] == 1 + 4
        crm.close()


def test_our_share_of_the_days_calls_is_kept(org: StandIn) -> None:
    org.settings(daily_api_limit=100_000)
    crm = connect(org.url, wire=Wire(stop_at_share=1e-9))
    crm.describe("Contact")
    assert crm.usage.allowed_today == 100_000
    assert crm.usage.used_today
    with pytest.raises(AllowanceSpent, match="our share"):
        list(crm.pull_ids("Contact"))
    assert "query" not in crm.usage.calls
    crm.close()


def test_no_share_is_kept_where_none_is_set(org: StandIn) -> None:
    crm = connect(org.url, wire=Wire(stop_at_share=None))
    assert sum(map(len, crm.pull_ids("Lead"))) == org.count("Lead")
    crm.close()


@pytest.mark.parametrize(
    ("reply", "error", "said"),
    [
        (refused("INVALID_TYPE", "sObject type 'Contact' is not supported.", 400), FieldMissing, "object Contact"),
        (refused("API_DISABLED_FOR_ORG", "The REST API is not enabled", 403), CredentialRefused, "permissions"),
        (refused("INSUFFICIENT_ACCESS", "insufficient access rights", 403), CredentialRefused, "permissions"),
        (
            refused("UNSUPPORTED_API_VERSION", "The requested API version is retired.", 410),
            SettingsError,
            "api_version",
        ),
        (refused("MALFORMED_QUERY", "unexpected token: 'FORM'", 400), SchemaChanged, "MALFORMED_QUERY"),
        (Reply("<html>moved</html>", 302, {"Location": "https://elsewhere.example/"}), ServiceUnavailable, "domain"),
        (Reply("<html>hello</html>"), ServiceUnavailable, "page for people"),
        (Reply(b"not json"), ServiceUnavailable, "not JSON"),
        (Reply(b"teapot", 418), SchemaChanged, "418"),
        (Reply({"records": []}), SchemaChanged, "totalSize"),
    ],
)
def test_what_answers_mean(reply: Reply, error: type[RingTrueError], said: str) -> None:
    with scripted(lambda request: reply if "query" in request.path else None) as server:
        crm = connect(server.url, wire=Wire(retry=RetryPolicy(attempts=2)))
        with pytest.raises(error, match=said):
            list(crm.pull_ids("Contact"))
        crm.close()


def test_errors_show_no_numbers() -> None:
    _, answer = answer_writes(
        Reply(
            [
                {
                    "success": False,
                    "errors": [
                        {
                            "statusCode": "STRING_TOO_LONG",
                            "message": "Business Phone: data value too large: +14155550123 (max length=40)",
                            "fields": ["Phone"],
                        }
                    ],
                }
            ]
        )
    )
    with scripted(answer) as server:
        crm = connect(server.url)
        result = crm.write("Contact", WRITE)[0]
        crm.close()
    assert result.outcome == "failed"
    assert result.reason
    assert "STRING_TOO_LONG" in result.reason
    assert "+14155550123" not in result.reason


def test_calls_are_counted_by_what_they_are_for(sf: SalesforceCrm, org: StandIn) -> None:
    record_id = org.create("Contact", {"LastName": "Counted", "Phone": "030 123"})
    sf.read("Contact", [record_id], ["Phone"])
    sf.write("Contact", [RecordWrite(record_id, {"Phone": "030 124"})])
    list(sf.pull_ids("Lead"))
    assert sf.usage.calls == {"login": 1, "describe": 2, "read": 1, "write": 1, "query": 2}
    assert sf.usage.total() == org.stats()["requests"]


@pytest.mark.parametrize(
    ("method", "path", "kind", "repeatable"),
    [
        ("GET", "/query/?q=x", "query", True),
        ("GET", "/queryAll?q=x", "query", True),
        ("GET", "/query/0r8-2000", "query_page", True),
        ("POST", "/jobs/query", "bulk_control", True),
        ("GET", "/jobs/query/750", "poll", True),
        ("GET", "/jobs/query/750/results?locator=x", "bulk_page", True),
        ("GET", "/jobs/ingest/750/failedResults/", "bulk_page", True),
        ("GET", "/jobs/ingest/750/unprocessedRecords/", "bulk_page", True),
        ("PUT", "/jobs/ingest/750/batches", "bulk_upload", False),
        ("PATCH", "/jobs/ingest/750", "bulk_control", False),
        ("PATCH", "/composite/sobjects", "write", False),
        ("DELETE", "/composite/sobjects?ids=x", "write", False),
        ("POST", "/composite/sobjects/Contact", "read", True),
        ("POST", "/composite/sobjects", "write", False),
        ("PATCH", "/sobjects/Contact/003", "write", False),
        ("GET", "/sobjects/Contact/describe", "describe", True),
        ("GET", "/limits/", "limits", True),
        ("POST", "/tooling/sobjects/CustomField/", "prepare", False),
        ("GET", "/tooling/query/?q=x", "prepare", True),
    ],
)
def test_requests_are_told_apart(method: str, path: str, kind: str, repeatable: bool) -> None:
    assert classify(method, f"https://a.my.salesforce.com{DATA}{path}") == (kind, repeatable)


def test_an_upper_limit_of_our_own_spreads_calls(org: StandIn) -> None:
    naps: list[float] = []
    crm = connect(org.url, naps=naps, calls_per_second=2.0)
    for _ in range(6):
        crm.call_outcomes()
    assert sum(naps) > 0
    crm.close()


def test_a_moved_org_is_followed() -> None:
    hosts: list[str] = []

    def answer(request: Seen) -> Reply | None:
        if request.path == "/services/oauth2/token":
            first = not hosts
            reply = token_answer(request, f"00DSb0000000001!{len(hosts)}")
            body = dict(reply.body) | {
                "instance_url": "https://old.my.salesforce.com" if first else "https://new.my.salesforce.com"
            }
            return Reply(body)
        if request.path == f"{DATA}/limits":
            hosts.append(request.headers["Host"])
            return EXPIRED if len(hosts) == 1 else Reply({"at": datetime.now(UTC).isoformat()})
        return None

    with scripted(answer) as server:
        crm = connect(server.url)
        for _ in range(2):
            crm._session.json("GET", "limits")
        crm.close()
    assert hosts[0] == "old.my.salesforce.com"
    assert hosts[-1] == "new.my.salesforce.com"
