"""Properties, lists and e-mail preferences of a HubSpot portal."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from connectors.crm import WantedField
from connectors.hubspot import HubspotCrm
from ringtrue.errors import CredentialRefused, SettingsError
from ringtrue.records import RecordWrite
from tests.stand_ins import StandIn

OPTIONS = (("active", "Active"), ("invalid", "Invalid"))


def wanted(suffix: str) -> list[WantedField]:
    return [
        WantedField("contacts", f"ringtrue_status_{suffix}", "Phone status", "picklist", options=OPTIONS),
        WantedField("contacts", f"ringtrue_e164_{suffix}", "Phone (E.164)", "text", 20),
        WantedField("contacts", f"ringtrue_reason_{suffix}", "Reason", "long_text"),
        WantedField("contacts", f"ringtrue_checked_{suffix}", "Checked at", "datetime"),
        WantedField("contacts", f"ringtrue_dnc_{suffix}", "Do not call (RingTrue)", "checkbox"),
    ]


def post(hubspot: StandIn, path: str, body: Any, method: str = "POST") -> Any:
    answer = httpx.request(
        method, hubspot.url + path, json=body, headers={"Authorization": "Bearer sandbox-token"}, trust_env=False
    )
    assert answer.is_success, answer.text
    return answer.json()


def test_prepare_makes_what_is_missing_and_nothing_twice(crm: HubspotCrm, hubspot: StandIn) -> None:
    fields = wanted(crm.paths.replace("-", "_"))
    preview = crm.prepare(fields, dry_run=True)
    assert {step.result for step in preview} <= {"would_create", "by_hand", "exists"}
    assert [step.result for step in preview].count("would_create") >= 5
    assert fields[0].name not in crm.describe("contacts")
    made = crm.prepare(fields, dry_run=False)
    assert [step.result for step in made].count("created") >= 5
    known = crm.describe("contacts")
    assert {name: known[name].type for name in (field.name for field in fields)} == {
        fields[0].name: "enumeration",
        fields[1].name: "string",
        fields[2].name: "string",
        fields[3].name: "datetime",
        fields[4].name: "bool",
    }
    assert all(known[field.name].writable and known[field.name].custom for field in fields)
    again = crm.prepare(fields, dry_run=False)
    assert {step.result for step in again} == {"exists", "by_hand"}
    (view,) = [step for step in again if step.result == "by_hand"]
    assert "1. Open CRM > Contacts" in str(view.instruction)


def test_the_fields_that_prepare_made_take_our_values(crm: HubspotCrm, hubspot: StandIn) -> None:
    fields = wanted(f"w{crm.paths.replace('-', '_')}")
    crm.prepare(fields, dry_run=False)
    record_id = hubspot.create("contacts", {"lastname": "Prepared"})
    values: dict[str, str | None] = {
        fields[0].name: "active",
        fields[1].name: "+14155550123",
        fields[2].name: "Answered last week.",
        fields[3].name: "2026-11-24T05:39:00.000Z",
        fields[4].name: "true",
    }
    assert crm.write("contacts", [RecordWrite(record_id, values)])[0].outcome == "applied"
    assert crm.read("contacts", [record_id], list(values))[record_id].values == values


def test_prepare_adds_options_and_leaves_those_of_the_portal(crm: HubspotCrm, hubspot: StandIn) -> None:
    field = wanted(f"o{crm.paths.replace('-', '_')}")[0]
    crm.prepare([field], dry_run=False)
    wider = field._replace(options=(*OPTIONS, ("suspended", "Suspended")))
    assert "would_create" in {step.result for step in crm.prepare([wider], dry_run=True)}
    assert "updated" in {step.result for step in crm.prepare([wider], dry_run=False)}
    assert "updated" not in {step.result for step in crm.prepare([wider], dry_run=False)}
    record_id = hubspot.create("contacts", {"lastname": "Optional"})
    rows = [RecordWrite(record_id, {field.name: "suspended"})]
    assert crm.write("contacts", rows)[0].outcome == "applied"


def test_a_property_of_another_type_is_left_to_a_person(crm: HubspotCrm) -> None:
    steps = crm.prepare([WantedField("contacts", "createdate", "Created", "picklist", options=OPTIONS)], dry_run=False)
    step = next(step for step in steps if "createdate" in step.what)
    assert step.result == "by_hand"
    assert "exists as datetime, RingTrue needs enumeration" in str(step.instruction)


def test_the_scope_prepare_needs_is_named(crm: HubspotCrm, hubspot: StandIn) -> None:
    hubspot.settings(missing_scopes=["crm.schemas.contacts.write"])
    with pytest.raises(
        CredentialRefused, match=r"may not create properties: give it the scope crm\.schemas\.contacts\.write"
    ):
        crm.prepare(wanted("scope"), dry_run=False)


def make_list(hubspot: StandIn, name: str, members: list[str], kind: str = "MANUAL") -> str:
    made = post(hubspot, "/crm/v3/lists", {"name": name, "objectTypeId": "0-1", "processingType": kind})
    list_id = str(made.get("list", made)["listId"])
    if members:
        post(hubspot, f"/crm/v3/lists/{list_id}/memberships/add", members, method="PUT")
    return list_id


def test_dialling_lists_are_read_and_cleaned(crm: HubspotCrm, hubspot: StandIn) -> None:
    ids = [record_id for page in crm.pull_ids("contacts") for record_id in page][:260]
    list_id = make_list(hubspot, f"Dialler {crm.paths}", ids)
    pages = list(crm.list_members([list_id]))
    assert [len(page) for page in pages] == [250, 10]
    assert {member for page in pages for member in page} == {(list_id, record_id) for record_id in ids}
    outsider = hubspot.create("contacts", {"lastname": "Outsider"})
    results = crm.remove_list_members(list_id, [ids[0], ids[1], outsider, "7"])
    assert [result.outcome for result in results][:3] == ["applied"] * 3
    assert results[3].outcome in {"gone", "applied"}
    left = {member for page in crm.list_members([list_id]) for _, member in page}
    assert left == set(ids[2:])


def test_a_dynamic_list_cannot_be_changed_and_says_so(crm: HubspotCrm, hubspot: StandIn) -> None:
    list_id = make_list(hubspot, f"Dynamic {crm.paths}", [], kind="DYNAMIC")
    (result,) = crm.remove_list_members(list_id, ["900000000001"])
    assert result.outcome == "failed"
    assert "Only manual and snapshot lists" in str(result.reason)


def test_e_mail_opt_outs_are_read_for_e_mail_only(crm: HubspotCrm, hubspot: StandIn) -> None:
    leaver, stayer = f"out.{crm.paths}@example.com", f"in.{crm.paths}@example.com"
    for address in (leaver, stayer):
        hubspot.create("contacts", {"lastname": "Reader", "email": address})
    post(hubspot, f"/communication-preferences/v4/statuses/{leaver}/unsubscribe-all?channel=EMAIL", {})
    found = crm.email_opt_outs([leaver, stayer, "nobody@example.com"])
    assert found == {leaver: True, stayer: False, "nobody@example.com": False}


def test_a_list_that_does_not_exist_is_named(crm: HubspotCrm) -> None:
    with pytest.raises(SettingsError, match="HubSpot has no list 4711"):
        next(crm.list_members(["4711"]))
    with pytest.raises(SettingsError, match="HubSpot has no list 4711"):
        crm.remove_list_members("4711", ["900000000001"])
