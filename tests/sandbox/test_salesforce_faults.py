"""What goes wrong on the wire and with the day's allowance, and that a second start continues where the first stopped."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from tests.sandbox.salesforce_wire import Wire, serving


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        ("status_429", 429, "REQUEST_LIMIT_EXCEEDED"),
        ("status_500", 500, "UNKNOWN_EXCEPTION"),
        ("status_503", 503, "SERVER_UNAVAILABLE"),
        ("expired_session", 401, "INVALID_SESSION_ID"),
    ],
)
def test_refusals_speak_salesforce(salesforce: Wire, kind: str, status: int, code: str) -> None:
    salesforce.hands.fault("query", kind, nth=2)
    soql = {"q": "SELECT COUNT() FROM Contact"}
    assert salesforce.call("GET", "/query", params=soql).status_code == 200
    refused = salesforce.refused("GET", "/query", params=soql)
    assert (refused[0], refused[1]["errorCode"]) == (status, code)
    if status == 401:
        assert salesforce.call("GET", "/query", params=soql).status_code == 401, "the old token is of no use any more"
        salesforce.log_in()
    assert salesforce.call("GET", "/query", params=soql).status_code == 200


def test_a_fault_may_have_words_of_its_own(salesforce: Wire) -> None:
    words = {"status": 403, "code": "TXN_SECURITY_METERING_ERROR", "message": "Policies took too long to complete."}
    salesforce.hands.fault("read", "status_500", **words)
    status, error = salesforce.refused("GET", "/limits")
    assert (status, error) == (403, {"message": words["message"], "errorCode": words["code"]})


def test_the_edge_answers_in_html(salesforce: Wire) -> None:
    salesforce.hands.fault("read", "html_502")
    answer = salesforce.call("GET", "/limits")
    assert (answer.status_code, answer.headers["content-type"]) == (502, "text/html")


def test_a_dropped_answer_may_hide_a_write_that_happened(salesforce: Wire) -> None:
    first, second = salesforce.ids("Contact", 2)
    for kind, identifier, written in (("drop_after", first, True), ("drop_before", second, False)):
        salesforce.hands.fault("write", kind)
        with pytest.raises(httpx.TransportError):
            salesforce.call("PATCH", f"/sobjects/Contact/{identifier}", json={"Phone": "hidden"})
        assert (salesforce.hands.record("Contact", identifier)["fields"].get("Phone") == "hidden") is written


def test_half_a_csv_is_noticed(salesforce: Wire) -> None:
    job = salesforce.bulk_query("SELECT Id, Name, Phone FROM Contact")
    salesforce.hands.fault("bulk", "drop_mid_body")
    with pytest.raises(httpx.TransportError):
        salesforce.call("GET", f"/jobs/query/{job['id']}/results")


def test_the_days_allowance(salesforce: Wire) -> None:
    used, limit = _usage(salesforce)
    assert limit == 100_000
    assert _usage(salesforce)[0] == used + 1
    salesforce.hands.settings(daily_api_limit=used + 1)
    assert salesforce.call("GET", "/limits").status_code == 403
    status, error = salesforce.refused("GET", "/query", params={"q": "SELECT COUNT() FROM Contact"})
    assert (status, error) == (403, {"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"})
    salesforce.hands.settings(daily_api_limit=100_000)
    remaining = salesforce.json("GET", "/limits")["DailyApiRequests"]["Remaining"]
    assert remaining == 100_000 - used - 2


def test_every_answer_carries_the_usage(salesforce: Wire) -> None:
    contact = salesforce.ids("Contact", 1)[0]
    answers = [
        salesforce.call("GET", "/query", params={"q": "SELECT Id FROM Contact"}),
        salesforce.call("PATCH", f"/sobjects/Contact/{contact}", json={"Phone": "1"}),
        salesforce.call("GET", "/nothing"),
        salesforce.call("GET", "/jobs/query"),
    ]
    assert all(answer.headers["sforce-limit-info"].startswith("api-usage=") for answer in answers)


def test_requests_are_counted_by_what_they_do(salesforce: Wire) -> None:
    contact = salesforce.ids("Contact", 1)[0]
    salesforce.hands.reset_stats()
    salesforce.query("SELECT Id FROM Contact")
    salesforce.json("PATCH", f"/sobjects/Contact/{contact}", json={"Phone": "1"})
    salesforce.bulk_query("SELECT Id FROM Contact")
    stats = salesforce.hands.stats()
    assert (stats["by_op"]["query"], stats["by_op"]["write"]) == (1, 1)
    assert stats["by_path"]["PATCH /data/sobjects/{sobject}/{identifier}"] == 1


def test_random_locks(salesforce: Wire) -> None:
    salesforce.hands.settings(random_lock_rate=0.5)
    identifiers = salesforce.ids("Contact", 100)
    job = salesforce.ingest("Id,Department\n" + "".join(f"{identifier},Sales\n" for identifier in identifiers))
    assert 20 < job["numberRecordsFailed"] < 80


def test_equal_times_of_change_are_the_rule(salesforce: Wire) -> None:
    identifiers = salesforce.ids("Contact", 150)
    salesforce.ingest("Id,Department\n" + "".join(f"{identifier},Sales\n" for identifier in identifiers))
    soql = "SELECT Id, SystemModstamp FROM Contact WHERE Department = 'Sales' ORDER BY SystemModstamp, Id"
    rows = salesforce.query(soql)["records"]
    assert len({row["SystemModstamp"] for row in rows}) <= 2
    moment, last = rows[99]["SystemModstamp"].replace("+0000", "Z"), rows[99]["Id"]
    after = f"SystemModstamp > {moment} OR (SystemModstamp = {moment} AND Id > '{last}')"
    rest = salesforce.query(f"SELECT Id FROM Contact WHERE {after} ORDER BY SystemModstamp, Id")["records"]
    assert [row["Id"] for row in rest] == [row["Id"] for row in rows[100:]]


def test_a_second_start_continues_where_the_first_stopped(salesforce_home: Path, tmp_path: Path) -> None:
    with serving(salesforce_home, tmp_path) as first:
        contact = first.ids("Contact", 1)[0]
        first.add_field("Contact.Phone_Status__c", type="Text", length=40)
        first.grant("Contact.Phone_Status__c")
        first.json("PATCH", f"/sobjects/Contact/{contact}", json={"Phone_Status__c": "invalid"})
        first.hands.settings(daily_api_limit=50_000)
        job = first.bulk_query("SELECT Id FROM Contact")
    with serving(None, tmp_path) as second:
        assert second.json("GET", f"/sobjects/Contact/{contact}")["Phone_Status__c"] == "invalid"
        assert second.hands.settings()["daily_api_limit"] == 50_000
        answer = second.call("GET", f"/jobs/query/{job['id']}/results")
        assert answer.text.count("\n") == job["numberRecordsProcessed"] + 1


def _usage(wire: Wire) -> tuple[int, int]:
    used, limit = wire.call("GET", "/limits").headers["sforce-limit-info"].removeprefix("api-usage=").split("/")
    return int(used), int(limit)
