"""Bulk API 2.0 ingest: what a file does to the records, and what the results say."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.salesforce_wire import Wire


def test_an_empty_cell_changes_nothing_and_not_available_clears(salesforce: Wire) -> None:
    first, second = salesforce.ids("Contact", 2)
    for identifier in (first, second):
        salesforce.hands.edit("Contact", identifier, {"Department": "Sales", "Phone": "1"})
    job = salesforce.ingest(f"Id,Phone,Department\n{first},+1 415 555 0100,\n{second},,#N/A\n")
    assert (job["state"], job["numberRecordsProcessed"], job["numberRecordsFailed"]) == ("JobComplete", 2, 0)
    fields = [salesforce.hands.record("Contact", identifier)["fields"] for identifier in (first, second)]
    assert [(one["Phone"], one["Department"]) for one in fields] == [("+1 415 555 0100", "Sales"), ("1", None)]


def test_results_tell_good_rows_from_bad_ones(salesforce: Wire) -> None:
    good, long, gone = salesforce.ids("Contact", 3)
    salesforce.hands.delete("Contact", gone)
    content = f'Id,Phone\n{good},"a ""quoted"", number"\n{long},{"1" * 41}\n{gone},1\nnonsense,1\n'
    job = salesforce.ingest(content)
    assert (job["state"], job["numberRecordsProcessed"], job["numberRecordsFailed"]) == ("JobComplete", 4, 3)
    path = f"/jobs/ingest/{job['id']}"
    assert salesforce.rows(f"{path}/successfulResults/") == [
        {"sf__Id": good, "sf__Created": "false", "Id": good, "Phone": 'a "quoted", number'}
    ]
    failed = {row["Id"]: row["sf__Error"] for row in salesforce.rows(f"{path}/failedResults")}
    assert failed == {
        long: f"STRING_TOO_LONG:Business Phone: data value too large: {'1' * 41} (max length=40):Phone--",
        gone: "ENTITY_IS_DELETED:entity is deleted:--",
        "nonsense": "MALFORMED_ID:bad id nonsense:Id--",
    }
    assert salesforce.call("GET", f"{path}/unprocessedrecords").text == '"Id","Phone"\n'


@pytest.mark.parametrize("name", ["unprocessedRecords", "unprocessedrecords", "UNPROCESSEDRECORDS/"])
def test_result_paths_are_found_in_any_case(salesforce: Wire, name: str) -> None:
    job = salesforce.ingest(f"Id,Phone\n{salesforce.ids('Contact', 1)[0]},1\n")
    assert salesforce.call("GET", f"/jobs/ingest/{job['id']}/{name}").status_code == 200


def test_result_rows_come_in_another_order(salesforce: Wire) -> None:
    identifiers = salesforce.ids("Contact", 150)
    job = salesforce.ingest("Id,Department\n" + "".join(f"{identifier},Sales\n" for identifier in identifiers))
    found = [row["sf__Id"] for row in salesforce.rows(f"/jobs/ingest/{job['id']}/successfulResults")]
    assert found != identifiers
    assert sorted(found) == sorted(identifiers)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("Id,Phone_Status__c\n{0},valid\n", "InvalidBatch : Field name not found : Phone_Status__c"),
        ("\ufeffId,Phone\n{0},1\n", "InvalidBatch : Field name not found : \ufeffId"),
        ("Phone\n1\n", "InvalidBatch : Field name not found : Id"),
        (
            "Id,Phone\r\n{0},1\r\n",
            "ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is LF",
        ),
        ("", "InvalidBatch : Failed to read the header row: the file is empty"),
        (
            'Id,Phone\n{0},"un"escaped"\n',
            "InvalidBatch : The file is not valid UTF-8 CSV: ',' expected after '\"'",
        ),
    ],
    ids=["unknown or hidden", "byte order mark", "no id", "line ends", "nothing", "quotes"],
)
def test_a_wrong_file_fails_the_whole_job(salesforce: Wire, content: str, message: str) -> None:
    identifier = salesforce.ids("Contact", 1)[0]
    before = salesforce.hands.record("Contact", identifier)
    content = content.format(identifier)
    job = salesforce.ingest(content)
    assert (job["state"], job["errorMessage"], job["numberRecordsProcessed"]) == ("Failed", message, 0)
    assert salesforce.hands.record("Contact", identifier) == before
    assert salesforce.call("GET", f"/jobs/ingest/{job['id']}/unprocessedrecords").text == content


def test_a_field_hidden_from_us_fails_the_job_like_a_typing_error(salesforce: Wire) -> None:
    identifier = salesforce.ids("Contact", 1)[0]
    salesforce.hands.fault("any", "hidden_field", field="Contact.DoNotCall")
    job = salesforce.ingest(f"Id,DoNotCall\n{identifier},true\n")
    assert job["errorMessage"] == "InvalidBatch : Field name not found : DoNotCall"
    salesforce.hands.clear_faults()
    assert salesforce.ingest(f"Id,DoNotCall\n{identifier},true\n")["state"] == "JobComplete"


def test_delimiters_and_line_ends_of_the_job(salesforce: Wire) -> None:
    identifier = salesforce.ids("Contact", 1)[0]
    content = f"Id;Phone\r\n{identifier};1,2\r\n"
    job = salesforce.ingest(content, columnDelimiter="SEMICOLON", lineEnding="CRLF")
    assert salesforce.hands.record("Contact", identifier)["fields"]["Phone"] == "1,2"
    answer = salesforce.call("GET", f"/jobs/ingest/{job['id']}/successfulResults").text
    assert answer.startswith('"sf__Id";"sf__Created";"Id";"Phone"\r\n')


def test_one_upload_for_each_job(salesforce: Wire) -> None:
    job = salesforce.open_ingest()
    path = f"/jobs/ingest/{job}"
    assert salesforce.refused("PATCH", path, json={"state": "UploadComplete"})[1]["errorCode"] == "INVALIDJOBSTATE"
    assert salesforce.call("PUT", f"{path}/batches/", content=_chunked("Id,Phone\n")).status_code == 201
    status, error = salesforce.refused("PUT", f"{path}/batches", content="Id,Phone\n")
    assert (status, error["errorCode"]) == (400, "INVALIDJOBSTATE")
    assert salesforce.json("PATCH", path, json={"state": "Aborted"})["state"] == "Aborted"
    assert salesforce.refused("PATCH", path, json={"state": "Aborted"})[1]["errorCode"] == "INVALIDJOBSTATE"
    assert salesforce.call("GET", f"{path}/unprocessedrecords").text == "Id,Phone\n"
    assert salesforce.call("DELETE", path).status_code == 204
    assert salesforce.call("GET", path).status_code == 404


def test_an_open_job_that_was_never_closed_never_runs(salesforce: Wire) -> None:
    identifier = salesforce.ids("Contact", 1)[0]
    job = salesforce.open_ingest()
    salesforce.call("PUT", f"/jobs/ingest/{job}/batches", content=f"Id,Phone\n{identifier},never\n")
    salesforce.bulk_query("SELECT Id FROM Lead")
    assert salesforce.json("GET", f"/jobs/ingest/{job}")["state"] == "Open"
    assert salesforce.hands.record("Contact", identifier)["fields"].get("Phone") != "never"


def test_insert_upsert_and_delete(salesforce: Wire) -> None:
    salesforce.add_field("Contact.Key__c", type="Text", length=20, externalId=True, unique=True)
    salesforce.grant("Contact.Key__c")
    made = salesforce.ingest("LastName,Phone,Key__c\nNew,1,k\n,2,l\n", "insert")
    assert (made["numberRecordsProcessed"], made["numberRecordsFailed"]) == (2, 1)
    [row] = salesforce.rows(f"/jobs/ingest/{made['id']}/successfulResults")
    assert row["sf__Created"] == "true"
    job = salesforce.ingest("Key__c,LastName,Phone\nk,New,3\nm,Newer,4\n", "upsert", externalIdFieldName="Key__c")
    created = {
        row["Key__c"]: row["sf__Created"] for row in salesforce.rows(f"/jobs/ingest/{job['id']}/successfulResults")
    }
    assert created == {"k": "false", "m": "true"}
    assert salesforce.ingest("Id,Phone\nx,1\n", "delete")["state"] == "Failed"
    assert salesforce.ingest(f"Id\n{row['sf__Id']}\n", "delete")["numberRecordsFailed"] == 0
    assert salesforce.hands.record("Contact", row["sf__Id"])["deleted_at"] is not None


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"object": "Person", "operation": "update"}, "INVALIDENTITY"),
        ({"object": "Contact", "operation": "repair"}, "INVALIDJOB"),
        ({"object": "Contact", "operation": "upsert"}, "INVALIDJOB"),
        ({"object": "Contact", "operation": "update", "columnDelimiter": "DOT"}, "INVALIDJOB"),
    ],
)
def test_jobs_that_make_no_sense(empty_salesforce: Wire, body: dict[str, Any], code: str) -> None:
    status, error = empty_salesforce.refused("POST", "/jobs/ingest", json=body)
    assert (status, error["errorCode"]) == (400, code)


def test_a_locked_row_fails_alone(salesforce: Wire) -> None:
    identifiers = salesforce.ids("Contact", 3)
    salesforce.hands.fault("bulk", "row_locked", rows="one")
    job = salesforce.ingest("Id,Phone\n" + "".join(f"{identifier},1\n" for identifier in identifiers))
    assert (job["state"], job["numberRecordsFailed"]) == ("JobComplete", 1)
    [row] = salesforce.rows(f"/jobs/ingest/{job['id']}/failedResults")
    assert row["sf__Error"].startswith(
        "UNABLE_TO_LOCK_ROW:unable to obtain exclusive access to this record or 1 records:"
    )
    assert row["sf__Id"] == row["Id"] == identifiers[0]


def test_a_job_that_fails_half_way_leaves_rows_unprocessed(salesforce: Wire) -> None:
    identifiers = [*salesforce.ids("Contact", 200), *salesforce.ids("Contact", 205)[200:]]
    salesforce.hands.fault("bulk", "job_failed", message="InternalServerError : Retried more than 20 times")
    job = salesforce.ingest("Id,Department\n" + "".join(f"{identifier},Half\n" for identifier in identifiers))
    assert (job["state"], job["numberRecordsProcessed"]) == ("Failed", 200)
    left = salesforce.rows(f"/jobs/ingest/{job['id']}/unprocessedrecords")
    assert [row["Id"] for row in left] == identifiers[200:]


def test_siblings_that_stand_apart_lock_each_other_out(salesforce: Wire) -> None:
    rows = salesforce.query("SELECT Id, AccountId FROM Contact WHERE AccountId != null ORDER BY AccountId")["records"]
    together = [row["Id"] for row in rows]
    apart = together[::2] + together[1::2]
    assert len(together) > 200
    salesforce.hands.settings(parent_lock_rate=1.0)
    failed = [
        salesforce.ingest("Id,Department\n" + "".join(f"{identifier},{value}\n" for identifier in order))[
            "numberRecordsFailed"
        ]
        for value, order in (("a", apart), ("b", together))
    ]
    assert failed[0] > 0
    assert failed[1] < failed[0]


def test_bulk_does_not_give_leads_away(salesforce: Wire) -> None:
    lead = salesforce.ids("Lead", 1)[0]
    owner = salesforce.hands.record("Lead", lead)["fields"]["OwnerId"]
    salesforce.ingest(f"Id,Phone\n{lead},1\n", object="Lead")
    assert salesforce.hands.record("Lead", lead)["fields"]["OwnerId"] == owner


def test_simple_salesforce_turns_none_into_a_change_that_never_happens(salesforce: Wire) -> None:
    identifier = salesforce.ids("Contact", 1)[0]
    salesforce.hands.edit("Contact", identifier, {"Department": "Sales"})
    bulk: Any = salesforce.simple_salesforce().bulk2
    [result] = bulk.Contact.update(records=[{"Id": identifier, "Department": None}], wait=0)
    assert result["numberRecordsFailed"] == 0
    assert salesforce.hands.record("Contact", identifier)["fields"]["Department"] == "Sales"


def test_batches_count_against_the_day(salesforce: Wire) -> None:
    before = salesforce.json("GET", "/limits")["DailyBulkApiBatches"]["Remaining"]
    salesforce.ingest(f"Id,Phone\n{salesforce.ids('Contact', 1)[0]},1\n")
    assert salesforce.json("GET", "/limits/")["DailyBulkApiBatches"]["Remaining"] == before - 1


def _chunked(text: str) -> Any:
    """A body without a length, as jsforce sends it."""
    yield text.encode()
