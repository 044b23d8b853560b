"""Single records: create, read, update under a condition, delete, what changed; and the org's rules for each row."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from tests.sandbox.salesforce_wire import Wire


def test_a_record_lives_and_goes(empty_salesforce: Wire) -> None:
    wire = empty_salesforce
    made = wire.call("POST", "/sobjects/Contact/", json={"LastName": "Abel", "Phone": " +1 415 555 0100 ", "Fax": ""})
    assert made.status_code == 201
    assert made.json()["success"]
    identifier = made.json()["id"]
    record = wire.json("GET", f"/sobjects/Contact/{identifier}", params={"fields": "Id,Phone,Fax,Owner.LastName"})
    assert (record["Phone"], record["Fax"]) == ("+1 415 555 0100", None)
    assert record["Owner"]["LastName"] == "Integration"
    changed = wire.call("PATCH", f"/sobjects/Contact/{identifier[:15]}", json={"Phone": None, "DoNotCall": True})
    assert (changed.status_code, changed.content) == (204, b"")
    whole = wire.json("GET", f"/sobjects/Contact/{identifier}/")
    assert (whole["Phone"], whole["DoNotCall"], whole["IsDeleted"]) == (None, True, False)
    assert wire.call("DELETE", f"/sobjects/Contact/{identifier}").status_code == 204
    for method in ("GET", "PATCH", "DELETE"):
        status, error = wire.refused(
            method, f"/sobjects/Contact/{identifier}", **({"json": {"Phone": "1"}} if method == "PATCH" else {})
        )
        assert (status, error["errorCode"], error["fields"]) == (404, "ENTITY_IS_DELETED", [])


def test_what_was_never_there_is_not_found(empty_salesforce: Wire) -> None:
    for path in ("/sobjects/Contact/003Sb0000000099IAA", "/sobjects/Nobody/describe", "/nonsense"):
        status, error = empty_salesforce.refused("GET", path)
        assert (status, error["errorCode"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("values", "code", "fields"),
    [
        ({"Phone": "1" * 41}, "STRING_TOO_LONG", ["Phone"]),
        ({"LastName": None}, "REQUIRED_FIELD_MISSING", ["LastName"]),
        ({"Nope__c": "x"}, "INVALID_FIELD", []),
        ({"Name": "Ada Abel"}, "INVALID_FIELD_FOR_INSERT_UPDATE", ["Name"]),
        ({"SystemModstamp": "2026-01-01T00:00:00Z"}, "INVALID_FIELD_FOR_INSERT_UPDATE", ["SystemModstamp"]),
        ({"DoNotCall": "perhaps"}, "INVALID_TYPE_ON_FIELD_IN_RECORD", ["DoNotCall"]),
        ({"Birthdate": "yesterday"}, "INVALID_TYPE_ON_FIELD_IN_RECORD", ["Birthdate"]),
        ({"AccountId": "Hollow & Sons"}, "MALFORMED_ID", ["AccountId"]),
        ({"Email": "not an address"}, "INVALID_EMAIL_ADDRESS", ["Email"]),
    ],
)
def test_values_that_do_not_fit_are_refused(
    salesforce: Wire, values: dict[str, Any], code: str, fields: list[str]
) -> None:
    identifier = salesforce.ids("Contact", 1)[0]
    before = salesforce.hands.record("Contact", identifier)
    status, error = salesforce.refused("PATCH", f"/sobjects/Contact/{identifier}", json=values)
    assert (status, error["errorCode"], error["fields"]) == (400, code, fields)
    assert salesforce.hands.record("Contact", identifier) == before


def test_a_phone_field_takes_any_forty_characters(salesforce: Wire) -> None:
    identifier = salesforce.ids("Contact", 1)[0]
    text = "Büro 030/12345 ab 9 Uhr — bitte Frau X"
    salesforce.json("PATCH", f"/sobjects/Contact/{identifier}", json={"Phone": text})
    assert salesforce.hands.record("Contact", identifier)["fields"]["Phone"] == text


def test_a_conditional_write_protects_a_newer_edit(salesforce: Wire) -> None:
    identifier = salesforce.ids("Contact", 1)[0]
    salesforce.hands.edit("Contact", identifier, {"Phone": "edited by Ann"})
    path = f"/sobjects/Contact/{identifier}"
    early = {"If-Unmodified-Since": format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)}
    refused = salesforce.call("PATCH", path, json={"Phone": "ours"}, headers=early)
    assert refused.status_code == 412
    assert salesforce.hands.record("Contact", identifier)["fields"]["Phone"] == "edited by Ann"
    late = {"If-Unmodified-Since": salesforce.call("GET", path).headers["last-modified"]}
    assert salesforce.call("PATCH", path, json={"Phone": "ours"}, headers=late).status_code == 204
    fresh = {"If-Modified-Since": format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)}
    assert salesforce.call("GET", path, headers=fresh).status_code == 304


def test_validation_rules_look_at_the_whole_record(salesforce: Wire) -> None:
    identifier = salesforce.ids("Contact", 1)[0]
    salesforce.hands.edit("Contact", identifier, {"MobilePhone": "not E.164"})
    rule = {"object": "Contact", "field": "MobilePhone", "pattern": r"^\+\d+$", "message": "Mobile must be E.164."}
    salesforce.hands.settings(validation_rules=[rule])
    status, error = salesforce.refused("PATCH", f"/sobjects/Contact/{identifier}", json={"Department": "Sales"})
    assert (status, error["errorCode"], error["message"]) == (
        400,
        "FIELD_CUSTOM_VALIDATION_EXCEPTION",
        "Mobile must be E.164.",
    )
    salesforce.json("PATCH", f"/sobjects/Contact/{identifier}", json={"MobilePhone": "+14155550100"})


def test_duplicate_rules_hold_unless_the_header_allows_saving(salesforce: Wire) -> None:
    first, second = salesforce.ids("Contact", 2)
    salesforce.hands.settings(duplicate_fields={"Contact": ["Phone"]})
    salesforce.hands.edit("Contact", first, {"Phone": "+1 415 555 0100"})
    path, values = f"/sobjects/Contact/{second}", {"Phone": "+1 415 555 0100"}
    status, error = salesforce.refused("PATCH", path, json=values)
    assert (status, error["errorCode"], error["message"]) == (400, "DUPLICATES_DETECTED", "Use one of these records?")
    assert error["duplicateResult"]["matchResults"][0]["matchRecords"][0]["record"]["Id"] == first
    allowed = {"Sforce-Duplicate-Rule-Header": "allowSave=true"}
    assert salesforce.call("PATCH", path, json=values, headers=allowed).status_code == 204


def test_restricted_picklists(salesforce: Wire) -> None:
    identifier = salesforce.ids("Contact", 1)[0]
    path = f"/sobjects/Contact/{identifier}"
    salesforce.json("PATCH", path, json={"LeadSource": "made up"})
    salesforce.hands.settings(restricted_picklists=["Contact.LeadSource"])
    assert (
        salesforce.refused("PATCH", path, json={"LeadSource": "made up, too"})[1]["errorCode"]
        == "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
    )
    field = next(
        one for one in salesforce.json("GET", "/sobjects/Contact/describe")["fields"] if one["name"] == "LeadSource"
    )
    assert field["restrictedPicklist"]


def test_a_converted_lead_cannot_be_written(salesforce: Wire) -> None:
    lead = salesforce.ids("Lead", 1)[0]
    with pytest.raises(AssertionError, match="INVALID_FIELD_FOR_INSERT_UPDATE"):
        salesforce.hands.edit("Lead", lead, {"IsConverted": True})
    contact = salesforce.hands.call("POST", "/convert", body={"id": lead})["contact"]
    found = salesforce.query(f"SELECT IsConverted, ConvertedContactId FROM Lead WHERE Id = '{lead}'")["records"][0]
    assert (found["IsConverted"], found["ConvertedContactId"]) == (True, contact)
    before, after = (
        salesforce.hands.record("Lead", lead)["fields"],
        salesforce.hands.record("Contact", contact)["fields"],
    )
    assert (after["LastName"], after.get("Phone")) == (before["LastName"], before.get("Phone"))
    status, error = salesforce.refused("PATCH", f"/sobjects/Lead/{lead}", json={"DoNotCall": True})
    assert (status, error["errorCode"]) == (400, "CANNOT_UPDATE_CONVERTED_LEAD")


def test_writing_a_lead_gives_it_away_unless_told_not_to(salesforce: Wire) -> None:
    first, second = salesforce.ids("Lead", 2)
    owner = salesforce.hands.record("Lead", second)["fields"]["OwnerId"]
    salesforce.json("PATCH", f"/sobjects/Lead/{first}", json={"DoNotCall": True})
    assert (
        salesforce.query(f"SELECT Owner.FirstName FROM Lead WHERE Id = '{first}'")["records"][0]["Owner"]["FirstName"]
        == "Robin"
    )
    salesforce.json(
        "PATCH", f"/sobjects/Lead/{second}", json={"DoNotCall": True}, headers={"Sforce-Auto-Assign": "FALSE"}
    )
    assert salesforce.hands.record("Lead", second)["fields"]["OwnerId"] == owner


def test_history_names_the_client(salesforce: Wire) -> None:
    identifier = salesforce.ids("Contact", 1)[0]
    headers = {"Sforce-Call-Options": "client=ringtrue"}
    salesforce.json("PATCH", f"/sobjects/Contact/{identifier}", json={"Phone": "1"}, headers=headers)
    salesforce.hands.edit("Contact", identifier, {"Phone": "2"}, source="user:ben")
    assert [(edit["new"], edit["source"]) for edit in salesforce.hands.history("Contact", identifier, "Phone")] == [
        ("1", "integration:ringtrue"),
        ("2", "user:ben"),
    ]


def test_updated_and_deleted_since(salesforce: Wire) -> None:
    changed, gone, survivor, loser = salesforce.ids("Contact", 4)
    salesforce.json("PATCH", f"/sobjects/Contact/{changed}", json={"Phone": "1"})
    salesforce.json("DELETE", f"/sobjects/Contact/{gone}")
    salesforce.hands.merge("Contact", survivor, loser)
    now = datetime.now(UTC)
    window = {"start": _stamp(now - timedelta(minutes=2)), "end": _stamp(now + timedelta(minutes=2))}
    updated = salesforce.json("GET", "/sobjects/Contact/updated/", params=window)
    assert {changed, survivor} <= set(updated["ids"])
    deleted = salesforce.json("GET", "/sobjects/Contact/deleted", params=window)
    assert {row["id"] for row in deleted["deletedRecords"]} == {gone, loser}
    assert set(deleted) == {"deletedRecords", "earliestDateAvailable", "latestDateCovered"}
    too_long = {**window, "start": _stamp(now - timedelta(days=31))}
    assert salesforce.refused("GET", "/sobjects/Contact/updated", params=too_long)[0] == 400
    assert salesforce.refused("GET", "/sobjects/Contact/updated", params={**window, "end": window["start"]})[0] == 400


def test_upsert_by_external_id(salesforce: Wire) -> None:
    salesforce.add_field("Contact.Key__c", type="Text", length=20, externalId=True, unique=True)
    salesforce.grant("Contact.Key__c")
    path = "/sobjects/Contact/Key__c/k-1"
    made = salesforce.call("PATCH", path, json={"LastName": "Upserted"})
    assert (made.status_code, made.json()["created"]) == (201, True)
    again = salesforce.call("PATCH", path, json={"Phone": "1"})
    assert (again.status_code, again.json()["id"]) == (200, made.json()["id"])
    twin = {"LastName": "Other", "Key__c": "K-1"}
    assert salesforce.refused("POST", "/sobjects/Contact", json=twin)[1]["errorCode"] == "DUPLICATE_VALUE"
    assert salesforce.json("GET", path)["LastName"] == "Upserted"
    assert salesforce.refused("PATCH", "/sobjects/Contact/Phone/1", json={})[0] == 400


def test_a_call_is_logged_as_a_task(salesforce: Wire) -> None:
    contact = salesforce.ids("Contact", 1)[0]
    call = {
        "Subject": "Call",
        "Status": "Completed",
        "TaskSubtype": "Call",
        "CallType": "Outbound",
        "CallDurationInSeconds": 42,
        "CallDisposition": "Wrong number",
        "CallObject": "call-1",
        "WhoId": contact,
        "ActivityDate": "2026-11-20",
    }
    task = salesforce.json("POST", "/sobjects/Task", json=call)["id"]
    found = salesforce.json("GET", f"/sobjects/Task/{task}")
    assert {name: found[name] for name in call} == call
    assert found["IsClosed"]
    assert found["CompletedDateTime"].endswith("+0000")
    assert salesforce.refused("PATCH", f"/sobjects/Task/{task}", json={"TaskSubtype": "Email"})[0] == 400
    who = salesforce.query("SELECT Who.Name, Who.Phone FROM Task WHERE CallObject = 'call-1'")["records"][0]["Who"]
    assert who["attributes"]["type"] == "Contact"


def test_old_calls_are_archived_and_need_query_all(salesforce: Wire) -> None:
    contact = salesforce.ids("Contact", 1)[0]
    for day in ("2020-02-03", "2999-01-01"):
        call = {"Subject": "Call", "Status": "Completed", "WhoId": contact, "ActivityDate": day, "CallObject": "test"}
        salesforce.json("POST", "/sobjects/Task", json=call)
    soql = "SELECT ActivityDate, IsArchived FROM Task WHERE CallObject = 'test' ORDER BY ActivityDate"
    assert [row["IsArchived"] for row in salesforce.query(soql)["records"]] == [False]
    assert [row["IsArchived"] for row in salesforce.query(soql, "queryAll")["records"]] == [True, False]
    assert salesforce.bulk_query(soql, "queryAll")["numberRecordsProcessed"] == 2


def test_a_person_leaves_a_campaign_by_deleting_the_membership(salesforce: Wire) -> None:
    member = salesforce.query("SELECT Id, CampaignId, ContactId FROM CampaignMember WHERE ContactId != null LIMIT 1")[
        "records"
    ][0]
    twice = {"CampaignId": member["CampaignId"], "ContactId": member["ContactId"]}
    assert salesforce.refused("POST", "/sobjects/CampaignMember", json=twice)[1]["errorCode"] == "DUPLICATE_VALUE"
    assert salesforce.call("DELETE", f"/sobjects/CampaignMember/{member['Id']}").status_code == 204
    again = salesforce.json("POST", "/sobjects/CampaignMember", json=twice)["id"]
    assert salesforce.json("GET", f"/sobjects/CampaignMember/{again}")["Status"] == "Sent"
    wrong = salesforce.refused("POST", "/sobjects/CampaignMember", json={"CampaignId": member["CampaignId"]})[1]
    assert wrong["errorCode"] == "REQUIRED_FIELD_MISSING"


def test_a_merge_moves_calls_and_memberships_to_the_survivor(salesforce: Wire) -> None:
    survivor, loser = salesforce.ids("Contact", 2)
    task = salesforce.json("POST", "/sobjects/Task", json={"Subject": "Call", "WhoId": loser})["id"]
    campaign = salesforce.json("POST", "/sobjects/Campaign", json={"Name": "Calls"})["id"]
    member = salesforce.json("POST", "/sobjects/CampaignMember", json={"CampaignId": campaign, "ContactId": loser})[
        "id"
    ]
    salesforce.hands.merge("Contact", survivor, loser)
    assert salesforce.json("GET", f"/sobjects/Task/{task}")["WhoId"] == survivor
    assert salesforce.json("GET", f"/sobjects/CampaignMember/{member}")["ContactId"] == survivor
    assert salesforce.hands.record("Contact", loser)["merged_into"] == survivor


def test_a_new_campaign_has_statuses(empty_salesforce: Wire) -> None:
    campaign = empty_salesforce.json("POST", "/sobjects/Campaign", json={"Name": "Calls"})["id"]
    soql = f"SELECT Label, HasResponded FROM CampaignMemberStatus WHERE CampaignId = '{campaign}' ORDER BY SortOrder"
    found = [(row["Label"], row["HasResponded"]) for row in empty_salesforce.query(soql)["records"]]
    assert found == [("Sent", False), ("Responded", True)]


def test_address_codes_exist_only_with_state_and_country_picklists(salesforce: Wire) -> None:
    assert salesforce.query("SELECT MailingCountryCode, MailingAddress FROM Contact LIMIT 1")["records"][0][
        "MailingAddress"
    ]["country"]
    salesforce.hands.settings(state_country_picklists=False)
    names = {field["name"] for field in salesforce.json("GET", "/sobjects/Contact/describe")["fields"]}
    assert "MailingCountry" in names
    assert not {"MailingCountryCode", "MailingStateCode"} & names


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S+00:00")
