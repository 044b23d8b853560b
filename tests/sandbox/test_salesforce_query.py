"""SOQL and the pages of its answers."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.salesforce_errors import RequestError
from sandbox.salesforce_soql import parse
from tests.sandbox.salesforce_wire import Wire


@pytest.fixture
def people(empty_salesforce: Wire) -> Wire:
    """Five contacts, one without a phone, at one company."""
    wire = empty_salesforce
    account = wire.json("POST", "/sobjects/Account", json={"Name": "Hollow & Sons"})["id"]
    rows: dict[str, dict[str, Any]] = {
        "Abel": {"Phone": "+1 415 555 0100", "DoNotCall": True, "FirstName": "Ada"},
        "brandt": {"Phone": "+1 415 555 0101", "LeadSource": "Web"},
        "O'Neill": {"Phone": "100% sure", "AccountId": account, "Birthdate": "1980-02-03"},
        "Čapek": {"MobilePhone": "_none_"},
        "Zeta": {"Phone": "\\back", "LeadSource": "web"},
    }
    for last, values in rows.items():
        wire.json("POST", "/sobjects/Contact", json={"LastName": last, **values})
    return wire


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("LastName = 'abel'", "Abel"),
        ("LastName = 'O\\'Neill'", "O'Neill"),
        ("LastName LIKE 'b%'", "brandt"),
        ("Phone LIKE '%\\%%'", "O'Neill"),
        ("MobilePhone LIKE '\\_none%'", "Čapek"),
        ("Phone = null", "Čapek"),
        ("Phone = ''", "Čapek"),
        ("Phone != null AND DoNotCall = true", "Abel"),
        ("LeadSource != 'Web'", "Abel O'Neill Čapek"),
        ("LeadSource IN ('web', 'Other')", "brandt Zeta"),
        ("LeadSource NOT IN ('Web')", "Abel O'Neill Čapek"),
        ("(LastName = 'Abel' OR LastName = 'Zeta') AND NOT DoNotCall = true", "Zeta"),
        ("Account.Name = 'hollow & sons'", "O'Neill"),
        ("Account.Owner.LastName = 'Integration'", "O'Neill"),
        ("Name = 'Ada Abel'", "Abel"),
        ("Birthdate < 2000-01-01", "O'Neill"),
        ("CreatedDate = TODAY AND LastName > 'y'", "Zeta Čapek"),
        ("SystemModstamp >= LAST_N_DAYS:3 AND FirstName != null", "Abel"),
        ("AccountId IN (SELECT Id FROM Account WHERE Name LIKE 'Hollow%')", "O'Neill"),
        ("Id NOT IN (SELECT ContactId FROM CampaignMember WHERE ContactId != null) AND FirstName = 'Ada'", "Abel"),
        ("CreatedDate > 2030-01-01T00:00:00Z", ""),
        ("c.FirstName = 'ADA'", "Abel"),
    ],
)
def test_conditions(people: Wire, where: str, expected: str) -> None:
    records = people.query(f"SELECT LastName FROM Contact c WHERE {where}")["records"]
    assert " ".join(row["LastName"] for row in records) in (expected, " ".join(reversed(expected.split(" "))))


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("Phone", ["Čapek", "Abel", "brandt"]),
        ("Phone NULLS LAST", ["Abel", "brandt", "O'Neill"]),
        ("LastName DESC", ["Čapek", "Zeta", "O'Neill"]),
        ("LeadSource NULLS LAST, LastName DESC", ["Zeta", "brandt", "Čapek"]),
    ],
)
def test_order_limit_and_offset(people: Wire, order: str, expected: list[str]) -> None:
    soql = f"SELECT LastName FROM Contact ORDER BY {order} LIMIT 2"
    assert [row["LastName"] for row in people.query(soql)["records"]] == expected[:2]
    assert people.query(f"{soql} OFFSET 2")["records"][0]["LastName"] == expected[2]


def test_records_carry_their_attributes_and_parents(people: Wire) -> None:
    soql = "SELECT Id, Phone, MobilePhone, DoNotCall, Account.Name, CreatedDate FROM Contact WHERE LastName IN ('O\\'Neill', 'Zeta') ORDER BY Id"
    first, second = people.query(soql)["records"]
    assert first["attributes"] == {"type": "Contact", "url": f"/services/data/v59.0/sobjects/Contact/{first['Id']}"}
    assert (first["MobilePhone"], first["DoNotCall"]) == (None, False)
    assert first["Account"]["attributes"]["type"] == "Account"
    assert first["Account"]["Name"] == "Hollow & Sons"
    assert second["Account"] is None
    assert first["CreatedDate"].endswith(".000+0000"), "the platform keeps whole seconds"


def test_children_come_with_their_parents(people: Wire) -> None:
    contact = people.ids("Contact", 1)[0]
    for subject in ("Call", "Email"):
        people.json("POST", "/sobjects/Task", json={"Subject": subject, "WhoId": contact, "Status": "Completed"})
    records = people.query("SELECT LastName, (SELECT Subject FROM Tasks ORDER BY Subject) FROM Contact ORDER BY Id")[
        "records"
    ]
    assert [task["Subject"] for task in records[0]["Tasks"]["records"]] == ["Call", "Email"]
    assert records[1]["Tasks"] is None


def test_counts_and_groups(people: Wire) -> None:
    assert people.query("SELECT COUNT() FROM Contact WHERE Phone != null") == {
        "totalSize": 4,
        "done": True,
        "records": [],
    }
    grouped = people.query("SELECT DoNotCall, COUNT(Id), MAX(LastName) top FROM Contact GROUP BY DoNotCall")["records"]
    assert [(row["DoNotCall"], row["expr1"]) for row in grouped] == [(False, 4), (True, 1)]
    assert grouped[1]["top"] == "Abel"
    assert grouped[0]["attributes"] == {"type": "AggregateResult"}


@pytest.mark.parametrize(
    ("soql", "code", "part"),
    [
        ("SELECT Id FORM Contact", "MALFORMED_QUERY", "unexpected token: 'FORM'"),
        ("SELECT Id FROM Contact WHERE Phone = '1' AND Fax = '2' OR Fax = '3'", "MALFORMED_QUERY", "unexpected token"),
        ("SELECT Id FROM Contact WHERE Phone = 'open", "MALFORMED_QUERY", "unexpected token"),
        ("SELECT Id FROM Contact ALL ROWS", "MALFORMED_QUERY", "ALL ROWS"),
        ("SELECT Nope__c FROM Contact", "INVALID_FIELD", "No such column 'Nope__c' on entity 'Contact'"),
        ("SELECT Id FROM Contact WHERE Nope = 1", "INVALID_FIELD", "No such column"),
        ("SELECT Nobody.Name FROM Contact", "INVALID_FIELD", "relationship"),
        ("SELECT Id FROM Person", "INVALID_TYPE", "sObject type 'Person' is not supported"),
        ("SELECT Id FROM Contact WHERE SystemModstamp > '2026-01-01'", "INVALID_FIELD", "dateTime"),
        ("SELECT Id FROM Contact WHERE Phone = 5", "INVALID_FIELD", "enclosed in quotes"),
        ("SELECT Id FROM Contact WHERE Id = 'nonsense'", "INVALID_QUERY_FILTER_OPERATOR", "invalid ID field"),
        ("SELECT Id FROM Contact LIMIT 1 OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE", "2000"),
    ],
)
def test_wrong_queries_are_refused_in_salesforces_words(
    empty_salesforce: Wire, soql: str, code: str, part: str
) -> None:
    status, error = empty_salesforce.refused("GET", "/query", params={"q": soql})
    assert (status, error["errorCode"]) == (400, code)
    assert part in error["message"]


def test_ids_may_have_15_characters(salesforce: Wire) -> None:
    identifier = salesforce.ids("Contact", 1)[0]
    assert salesforce.query(f"SELECT Id FROM Contact WHERE Id = '{identifier[:15]}'")["records"][0]["Id"] == identifier


def test_pages_follow_each_other_and_can_be_fetched_again(salesforce: Wire) -> None:
    salesforce.hands.settings(query_page=60)
    page = salesforce.query("SELECT Id FROM Contact ORDER BY LastName")
    total, seen, locators = page["totalSize"], [row["Id"] for row in page["records"]], []
    while not page["done"]:
        locators.append(page["nextRecordsUrl"])
        page = salesforce.json("GET", page["nextRecordsUrl"])
        seen += [row["Id"] for row in page["records"]]
    assert "nextRecordsUrl" not in page
    assert len(locators) >= 3
    assert len(set(seen)) == len(seen) == total
    assert [row["Id"] for row in salesforce.json("GET", locators[0])["records"]] == seen[60:120]


def test_the_eleventh_cursor_pushes_out_the_first(salesforce: Wire) -> None:
    salesforce.hands.settings(query_page=50)
    cursors = [salesforce.query("SELECT Id FROM Contact")["nextRecordsUrl"] for _ in range(11)]
    status, error = salesforce.refused("GET", cursors[0])
    assert (status, error["errorCode"]) == (400, "INVALID_QUERY_LOCATOR")
    assert salesforce.call("GET", cursors[10]).status_code == 200


def test_a_cursor_keeps_the_rows_it_met(salesforce: Wire) -> None:
    salesforce.hands.settings(query_page=100)
    page = salesforce.query("SELECT Id FROM Contact")
    salesforce.json("POST", "/sobjects/Contact", json={"LastName": "Late"})
    assert salesforce.query("SELECT COUNT() FROM Contact")["totalSize"] == page["totalSize"] + 1
    following = salesforce.json("GET", page["nextRecordsUrl"])
    assert following["totalSize"] == page["totalSize"]


def test_query_all_shows_the_deleted_and_the_merged(salesforce: Wire) -> None:
    gone, survivor, loser = salesforce.ids("Contact", 3)
    salesforce.json("DELETE", f"/sobjects/Contact/{gone}")
    salesforce.hands.merge("Contact", survivor, loser)
    soql = (
        f"SELECT Id, IsDeleted, MasterRecordId FROM Contact WHERE Id IN ('{gone}', '{loser}', '{survivor}') ORDER BY Id"
    )
    assert [row["Id"] for row in salesforce.query(soql)["records"]] == [survivor]
    found = {
        row["Id"]: (row["IsDeleted"], row["MasterRecordId"]) for row in salesforce.query(soql, "queryAll")["records"]
    }
    assert found == {gone: (True, None), loser: (True, survivor), survivor: (False, None)}


def test_simple_salesforces_own_paging(salesforce: Wire) -> None:
    salesforce.hands.settings(query_page=70)
    client = salesforce.simple_salesforce()
    total = salesforce.query("SELECT COUNT() FROM Contact")["totalSize"]
    assert sum(1 for _ in client.query_all_iter("SELECT Id FROM Contact")) == total


def test_a_uri_that_is_too_long_is_refused(empty_salesforce: Wire) -> None:
    soql = "SELECT Id FROM Contact WHERE Phone IN (" + ",".join(["'+1 415 555 0100'"] * 1200) + ")"
    assert empty_salesforce.call("GET", "/query", params={"q": soql}).status_code in (414, 431)


@pytest.mark.parametrize(
    "soql", ["SELECT", "SELECT Id", "SELECT Id FROM", "SELECT Id FROM Contact LIMIT x", "SELECT MAX() FROM Contact"]
)
def test_the_parser_says_where_it_stopped(soql: str) -> None:
    with pytest.raises(RequestError, match="MALFORMED_QUERY"):
        parse(soql)


def test_campaign_members_show_the_person(salesforce: Wire) -> None:
    soql = "SELECT Phone, DoNotCall, Status, HasResponded, Contact.Phone, Contact.DoNotCall FROM CampaignMember WHERE ContactId != null"
    members: list[dict[str, Any]] = salesforce.query(soql)["records"]
    assert len(members) > 20
    assert all(member["Phone"] == member["Contact"]["Phone"] for member in members)
    assert all(member["DoNotCall"] == member["Contact"]["DoNotCall"] for member in members)
    assert {(member["Status"], member["HasResponded"]) for member in members} == {("Sent", False)}
