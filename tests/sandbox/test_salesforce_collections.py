"""sObject Collections: 200 rows in a request, an outcome for each."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.salesforce_wire import Wire

PATH = "/composite/sobjects"


def _rows(identifiers: list[str], sobject: str = "Contact", **values: Any) -> list[dict[str, Any]]:
    return [{"attributes": {"type": sobject}, "id": identifier, **values} for identifier in identifiers]


def test_outcomes_come_in_request_order_and_the_status_is_200(salesforce: Wire) -> None:
    good, gone, other, fourth = salesforce.ids("Contact", 4)
    salesforce.hands.delete("Contact", gone)
    records = [
        *_rows([good], Phone="+1 415 555 0100"),
        *_rows([gone], Phone="1"),
        *_rows([other], Phone="1" * 41),
        *_rows(["003Sb0000000ZZZIAA"], Phone="1"),
        *_rows([good[:15]], Phone="2"),
        *_rows([fourth], Nope="1"),
        {"attributes": {"type": "Contact"}, "Phone": "1"},
    ]
    answer = salesforce.call("PATCH", PATH, json={"allOrNone": False, "records": records})
    assert answer.status_code == 200
    results = answer.json()
    assert results[0] == {"id": good, "success": True, "errors": []}
    codes = [result["errors"][0]["statusCode"] for result in results[1:]]
    assert codes == [
        "ENTITY_IS_DELETED",
        "STRING_TOO_LONG",
        "INVALID_CROSS_REFERENCE_KEY",
        "DUPLICATE_VALUE",
        "INVALID_FIELD",
        "MISSING_ARGUMENT",
    ]
    assert all("errorCode" not in result["errors"][0] for result in results[1:])
    assert salesforce.hands.record("Contact", good)["fields"]["Phone"] == "+1 415 555 0100"


def test_all_or_none_rolls_back_every_chunk(salesforce: Wire) -> None:
    contacts, leads = salesforce.ids("Contact", 2), salesforce.ids("Lead", 1)
    before = salesforce.hands.record("Contact", contacts[0])
    records = [*_rows(contacts, Phone="1"), *_rows(leads, "Lead", Phone="1" * 41)]
    results = salesforce.json("PATCH", PATH, json={"allOrNone": True, "records": records})
    assert [result["errors"][0]["statusCode"] for result in results] == [
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "STRING_TOO_LONG",
    ]
    assert salesforce.hands.record("Contact", contacts[0]) == before


def test_two_hundred_rows_cost_one_api_call(salesforce: Wire) -> None:
    identifiers = salesforce.ids("Contact", 200)
    used = _used(salesforce)
    results = salesforce.json("PATCH", PATH, json={"records": _rows(identifiers, Department="Sales")})
    assert all(result["success"] for result in results)
    assert _used(salesforce) == used + 2, "the write and the question"


def test_more_than_200_rows_or_10_chunks_are_refused(salesforce: Wire) -> None:
    status, error = salesforce.refused("PATCH", PATH, json={"records": _rows(["x"] * 201)})
    assert (status, error["errorCode"]) == (400, "EXCEEDED_MAX_SIZE_REQUEST")
    contact, lead = salesforce.ids("Contact", 1)[0], salesforce.ids("Lead", 1)[0]
    mixed = [row for _ in range(6) for row in (*_rows([contact], Phone="1"), *_rows([lead], "Lead", Phone="1"))]
    assert salesforce.refused("PATCH", PATH, json={"records": mixed})[0] == 400
    assert salesforce.refused("PATCH", PATH, content=b"{broken")[1]["errorCode"] == "JSON_PARSER_ERROR"
    assert salesforce.refused("PATCH", PATH, json={"records": _rows(["x"], "Nobody")})[1]["errorCode"] == "INVALID_TYPE"


def test_create_read_upsert_delete(salesforce: Wire) -> None:
    records = [{"attributes": {"type": "Contact"}, "LastName": name} for name in ("One", "Two")]
    bad = {"attributes": {"type": "Contact"}, "FirstName": "Nameless"}
    made = salesforce.json("POST", PATH, json={"records": [*records, bad]})
    assert made[2]["errors"][0] == {
        "statusCode": "REQUIRED_FIELD_MISSING",
        "message": "Required fields are missing: [LastName]",
        "fields": ["LastName"],
    }
    one, two = made[0]["id"], made[1]["id"]
    body = {"ids": [two, "003Sb0000000ZZZIAA", one[:15]], "fields": ["LastName"]}
    read = salesforce.json("POST", f"{PATH}/Contact", json=body)
    assert [row and row["LastName"] for row in read] == ["Two", None, "One"]
    gone = salesforce.json("DELETE", f"{PATH}?ids={one},{two},003Sb0000000ZZZIAA&allOrNone=false")
    assert [row["success"] for row in gone] == [True, True, False]
    assert salesforce.json("POST", f"{PATH}/Contact", json={"ids": [one], "fields": ["Id"]}) == [None]


def test_rolled_back_creates_leave_nothing(salesforce: Wire) -> None:
    count = salesforce.hands.count("Contact")
    records = [{"attributes": {"type": "Contact"}, "LastName": "One"}, {"attributes": {"type": "Contact"}}]
    results = salesforce.json("POST", PATH, json={"allOrNone": True, "records": records})
    assert [result["success"] for result in results] == [False, False]
    assert salesforce.hands.count("Contact") == count


def test_upsert_of_a_batch(salesforce: Wire) -> None:
    salesforce.add_field("Contact.Key__c", type="Text", length=20, externalId=True, unique=True)
    salesforce.grant("Contact.Key__c")
    records = [{"attributes": {"type": "Contact"}, "Key__c": key, "LastName": key} for key in ("a", "b")]
    first = salesforce.json("PATCH", f"{PATH}/Contact/Key__c", json={"records": records})
    second = salesforce.json("PATCH", f"{PATH}/Contact/Key__c", json={"records": records})
    assert [row["created"] for row in (*first, *second)] == [True, True, False, False]
    assert [row["id"] for row in first] == [row["id"] for row in second]


@pytest.mark.parametrize(("rows", "expected"), [("one", [False, True, True]), ("all", [False, False, False])])
def test_locked_rows(salesforce: Wire, rows: str, expected: list[bool]) -> None:
    records = _rows(salesforce.ids("Contact", 3), Phone="1")
    salesforce.hands.fault("write", "row_locked", rows=rows)
    results = salesforce.json("PATCH", PATH, json={"records": records})
    assert [result["success"] for result in results] == expected
    assert results[0]["errors"][0]["statusCode"] == "UNABLE_TO_LOCK_ROW"
    assert all(result["success"] for result in salesforce.json("PATCH", PATH, json={"records": records}))


def test_a_held_row_fails_until_it_is_let_go(salesforce: Wire) -> None:
    held, free = salesforce.ids("Contact", 2)
    salesforce.hands.fault("any", "hold_rows", ids=[held])
    for _ in range(3):
        results = salesforce.json("PATCH", PATH, json={"records": _rows([held, free], Phone="1")})
        assert [result["success"] for result in results] == [False, True]
    salesforce.hands.clear_faults()
    assert salesforce.json("PATCH", PATH, json={"records": _rows([held], Phone="1")})[0]["success"]


def test_partial_failures(salesforce: Wire) -> None:
    salesforce.hands.fault("write", "partial_failure", n=2)
    results = salesforce.json("PATCH", PATH, json={"records": _rows(salesforce.ids("Contact", 4), Phone="1")})
    assert [result["success"] for result in results] == [False, False, True, True]
    assert results[0]["errors"][0]["statusCode"] == "FIELD_CUSTOM_VALIDATION_EXCEPTION"


def _used(wire: Wire) -> int:
    return int(wire.call("GET", "/limits").headers["sforce-limit-info"].removeprefix("api-usage=").split("/")[0])
