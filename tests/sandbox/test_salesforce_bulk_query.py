"""Bulk API 2.0 queries: pages, quoting, states."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path
from typing import Any

import pytest

from tests.sandbox.salesforce_wire import Wire


def test_pages_repeat_the_header_and_end_with_the_word_null(salesforce: Wire) -> None:
    job = salesforce.bulk_query("SELECT Id, LastName, DoNotCall, SystemModstamp, Account.Name FROM Contact")
    total = salesforce.query("SELECT COUNT() FROM Contact")["totalSize"]
    assert job["numberRecordsProcessed"] == total
    assert (job["state"], job["jobType"], job["object"]) == ("JobComplete", "V2Query", "Contact")
    path, params, seen = f"/jobs/query/{job['id']}/results", {"maxRecords": "83"}, []
    while True:
        answer = salesforce.call("GET", path, params=params)
        lines = answer.text.split("\n")
        assert lines[0] == '"Id","LastName","DoNotCall","SystemModstamp","Account.Name"'
        rows = list(csv.reader(io.StringIO(answer.text, newline="")))[1:]
        assert int(answer.headers["sforce-numberofrecords"]) == len(rows) <= 83
        assert "sforce-limit-info" in answer.headers
        seen += rows
        if answer.headers["sforce-locator"] == "null":
            break
        params = {"maxRecords": "83", "locator": answer.headers["sforce-locator"]}
    assert len(seen) == len({row[0] for row in seen}) == total
    assert {row[2] for row in seen} == {"true", "false"}
    assert all(row[3].endswith("Z") and "T" in row[3] for row in seen)


def test_any_page_can_be_fetched_again(salesforce: Wire) -> None:
    job = salesforce.bulk_query("SELECT Id FROM Contact")
    path = f"/jobs/query/{job['id']}/results"
    first = salesforce.call("GET", path, params={"maxRecords": 10})
    second = {"maxRecords": 10, "locator": first.headers["sforce-locator"]}
    page = salesforce.call("GET", path, params=second).text
    salesforce.json("PATCH", f"/sobjects/Contact/{salesforce.ids('Contact', 11)[10]}", json={"Phone": "1"})
    assert salesforce.call("GET", path, params=second).text == page


def test_cells_are_quoted_and_null_looks_like_nothing(empty_salesforce: Wire) -> None:
    notes = 'line one\nline "two", with comma\r\nline three'
    wire = empty_salesforce
    wire.json("POST", "/sobjects/Contact", json={"LastName": "Quote", "Description": notes})
    wire.json("POST", "/sobjects/Contact", json={"LastName": "Zero\x00byte", "Phone": None})
    job = wire.bulk_query("SELECT LastName, Phone, Description FROM Contact ORDER BY LastName")
    path = f"/jobs/query/{job['id']}/results"
    text = wire.call("GET", path).text
    assert text.startswith('"LastName","Phone","Description"\n"Quote","","line one\nline ""two""')
    assert "\x00" in text, "the platform hands on NUL characters"
    rows = wire.rows(path)
    assert rows[0]["Description"] == notes
    split = wire.call("GET", path, params={"maxRecords": 1})
    assert split.headers["sforce-numberofrecords"] == "1"
    following = wire.call("GET", path, params={"maxRecords": 1, "locator": split.headers["sforce-locator"]})
    assert following.text == '"LastName","Phone","Description"\n"Zero\x00byte","",""\n'


def test_an_empty_result_is_a_header(empty_salesforce: Wire) -> None:
    job = empty_salesforce.bulk_query("SELECT Id FROM Contact")
    answer = empty_salesforce.call("GET", f"/jobs/query/{job['id']}/results")
    assert (answer.text, answer.headers["sforce-numberofrecords"]) == ('"Id"\n', "0")
    assert answer.headers["sforce-locator"] == "null"


def test_gzip_is_sent_only_where_it_is_asked_for(salesforce: Wire) -> None:
    path = f"/jobs/query/{salesforce.bulk_query('SELECT Id, Phone FROM Contact')['id']}/results"
    plain = salesforce.call("GET", path, headers={"Accept-Encoding": "identity"})
    packed = salesforce.call("GET", path, headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.text == plain.text
    raw = salesforce.http.build_request("GET", packed.request.url, headers={"Accept-Encoding": "gzip"})
    with_bytes = salesforce.http.send(raw, stream=True)
    assert gzip.decompress(b"".join(with_bytes.iter_raw())).decode() == plain.text


def test_query_all_brings_deleted_rows(salesforce: Wire) -> None:
    gone = salesforce.ids("Contact", 1)[0]
    salesforce.hands.delete("Contact", gone)
    soql = f"SELECT Id, IsDeleted FROM Contact WHERE Id = '{gone}'"
    assert salesforce.bulk_query(soql)["numberRecordsProcessed"] == 0
    job = salesforce.bulk_query(soql, "queryAll")
    assert salesforce.rows(f"/jobs/query/{job['id']}/results") == [{"Id": gone, "IsDeleted": "true"}]


@pytest.mark.parametrize(
    ("soql", "code"),
    [
        ("SELECT Id, MailingAddress FROM Contact", "API_ERROR"),
        ("SELECT COUNT(Id) FROM Contact", "API_ERROR"),
        ("SELECT Id, (SELECT Id FROM Tasks) FROM Contact", "API_ERROR"),
        ("SELECT Id FROM Person", "INVALIDENTITY"),
        ("SELECT Nope FROM Contact", "INVALID_FIELD"),
        ("SELECT Id FORM Contact", "MALFORMED_QUERY"),
    ],
)
def test_what_bulk_cannot_query(empty_salesforce: Wire, soql: str, code: str) -> None:
    status, error = empty_salesforce.refused("POST", "/jobs/query", json={"operation": "query", "query": soql})
    assert (status, error["errorCode"]) == (400, code)


def test_states(salesforce: Wire) -> None:
    salesforce.hands.fault("any", "slow_job", seconds=0.3)
    body = {"operation": "query", "query": "SELECT Id FROM Contact"}
    job = salesforce.json("POST", "/jobs/query", json=body)
    assert (job["state"], job["concurrencyMode"], job["apiVersion"]) == ("UploadComplete", "Parallel", 59.0)
    path = f"/jobs/query/{job['id']}"
    status, error = salesforce.refused("GET", f"{path}/results")
    assert (status, error["errorCode"]) == (400, "INVALIDJOBSTATE")
    assert salesforce.json("GET", path)["state"] == "InProgress"
    assert salesforce.refused("DELETE", path)[1]["errorCode"] == "INVALIDJOBSTATE"
    assert salesforce.wait(path)["state"] == "JobComplete"
    error = salesforce.refused("PATCH", path, json={"state": "Aborted"})[1]
    assert error == {"message": "Aborting already Completed Job not allowed", "errorCode": "INVALIDJOBSTATE"}
    assert salesforce.call("GET", f"/services/data/v60.0{path}/results").status_code == 409
    assert salesforce.call("DELETE", path).status_code == 204
    assert salesforce.call("GET", path).status_code == 404


def test_an_aborted_job_stays_aborted(salesforce: Wire) -> None:
    salesforce.hands.fault("any", "slow_job", seconds=0.2)
    body = {"operation": "query", "query": "SELECT Id FROM Contact"}
    path = f"/jobs/query/{salesforce.json('POST', '/jobs/query', json=body)['id']}"
    assert salesforce.json("PATCH", path, json={"state": "Aborted"})["state"] == "Aborted"
    salesforce.hands.clear_faults()
    salesforce.bulk_query("SELECT Id FROM Lead")
    assert salesforce.json("GET", path)["state"] == "Aborted"


def test_a_failed_job_says_why(salesforce: Wire) -> None:
    salesforce.hands.fault("bulk", "job_failed", message="InternalServerError : out of luck")
    job = salesforce.bulk_query("SELECT Id FROM Contact")
    assert (job["state"], job["errorMessage"]) == ("Failed", "InternalServerError : out of luck")


def test_simple_salesforce_downloads_to_files(salesforce: Wire, tmp_path: Path) -> None:
    bulk: Any = salesforce.simple_salesforce().bulk2
    files = bulk.Contact.download("SELECT Id, Phone FROM Contact", path=str(tmp_path), max_records=90, wait=0)
    rows = [row for one in files for row in csv.DictReader(io.StringIO(Path(one["file"]).read_text()))]
    assert len(rows) == sum(one["number_of_records"] for one in files) == salesforce.hands.count("Contact")
    assert len(files) > 1


def test_a_stripped_header_is_the_trap_it_is_elsewhere(salesforce: Wire) -> None:
    job = salesforce.bulk_query("SELECT Id FROM Contact")
    salesforce.hands.fault("bulk", "strip_header", name="Sforce-NumberOfRecords")
    answer = salesforce.call("GET", f"/jobs/query/{job['id']}/results")
    assert "sforce-numberofrecords" not in answer.headers
    assert answer.text.count("\n") == job["numberRecordsProcessed"] + 1
