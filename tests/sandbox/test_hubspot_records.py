"""Single HubSpot records over the wire, in both path families: list, read, create, merge, archive, erase, history."""

from __future__ import annotations

import pytest

from tests.sandbox.hubspot_wire import CONTACTS, DATED, HubSpotWire

PATHS = pytest.mark.parametrize("path", [CONTACTS, DATED, "/crm/objects/2026-09/0-1"])


@PATHS
def test_paging_by_the_link_in_the_answer_shows_every_contact_once(full_portal: HubSpotWire, path: str) -> None:
    found: list[str] = []
    link: str | None = f"{path}?limit=60&properties=phone"
    while link:
        page = full_portal.json("GET", link)
        found += [record["id"] for record in page["results"]]
        following = page.get("paging", {}).get("next")
        link = following["link"] if following else None
        if link:
            assert link.startswith(full_portal.url)
            assert "properties=phone" in link
    assert len(found) == len(set(found)) == full_portal.hands.count("contacts") == 250


@PATHS
def test_trailing_slashes_and_both_ways_of_naming_properties(full_portal: HubSpotWire, path: str) -> None:
    comma = full_portal.json("GET", f"{path}/?limit=1&properties=phone,mobilephone,no_such")["results"][0]["properties"]
    repeated = full_portal.json("GET", f"{path}?limit=1&properties=phone&properties=mobilephone")["results"][0][
        "properties"
    ]
    assert comma == repeated
    assert set(comma) == {"phone", "mobilephone", "hs_object_id", "createdate", "lastmodifieddate"}


def test_without_named_properties_there_are_the_six_default_ones(full_portal: HubSpotWire) -> None:
    properties = full_portal.json("GET", CONTACTS)["results"][0]["properties"]
    assert set(properties) == {"createdate", "email", "firstname", "hs_object_id", "lastmodifieddate", "lastname"}
    assert len(full_portal.json("GET", CONTACTS)["results"]) == 10


def test_every_value_is_text_or_null(full_portal: HubSpotWire) -> None:
    names = [one["name"] for one in full_portal.json("GET", "/crm/v3/properties/contacts")["results"]]
    assert len(names) > 40
    body = {"inputs": [{"id": one} for one in full_portal.ids()[:100]], "properties": names}
    for record in full_portal.json("POST", f"{CONTACTS}/batch/read", body)["results"]:
        assert all(value is None or isinstance(value, str) for value in record["properties"].values())
        assert not any(name.startswith("_") for name in record["properties"])


@pytest.mark.parametrize("limit", ["0", "101", "many"])
def test_a_page_has_at_most_100(full_portal: HubSpotWire, limit: str) -> None:
    assert full_portal.refused("GET", f"{CONTACTS}?limit={limit}")[0] == 400


def test_pages_with_history_have_at_most_50(full_portal: HubSpotWire) -> None:
    assert full_portal.refused("GET", f"{CONTACTS}?limit=51&propertiesWithHistory=phone")[0] == 400
    assert len(full_portal.json("GET", f"{CONTACTS}?limit=50&propertiesWithHistory=phone")["results"]) == 50


def test_an_address_that_is_too_long_is_a_414(full_portal: HubSpotWire) -> None:
    many = "&".join(f"properties=some_property_with_a_long_name_{n}" for n in range(220))
    assert full_portal.call("GET", f"{CONTACTS}?{many}").status_code == 414


def test_create_update_and_clear(portal: HubSpotWire) -> None:
    record_id = portal.create(email="Ann@Example.com", phone="+1 415 555 2671", country="United States")
    assert portal.get(
        record_id, "email", "hs_calculated_phone_number", "hs_searchable_calculated_phone_number"
    ) | {} == {
        **portal.get(record_id, "email"),
        "hs_calculated_phone_number": "+14155552671",
        "hs_searchable_calculated_phone_number": "4155552671",
    }
    assert portal.get(record_id, "email")["email"] == "ann@example.com"
    portal.clock.move(60)
    answer = portal.json("PATCH", f"{CONTACTS}/{record_id}", {"properties": {"phone": "", "do_not_call": True}})
    assert answer["properties"]["phone"] is None
    assert answer["properties"]["do_not_call"] == "true"
    assert answer["updatedAt"] > answer["createdAt"]
    assert portal.get(record_id, "hs_calculated_phone_number")["hs_calculated_phone_number"] is None


def test_a_second_contact_with_the_same_address_is_a_409_that_names_the_first(portal: HubSpotWire) -> None:
    first = portal.create(email="ann@example.com")
    status, body = portal.refused("POST", CONTACTS, {"properties": {"email": "ANN@example.com"}})
    assert (status, body["category"]) == (409, "CONFLICT")
    assert body["message"] == f"Contact already exists. Existing ID: {first}"


def test_read_by_address(portal: HubSpotWire) -> None:
    first = portal.create(email="ann@example.com")
    assert portal.json("GET", f"{CONTACTS}/ann@example.com?idProperty=email")["id"] == first
    assert portal.refused("GET", f"{CONTACTS}/Ann?idProperty=firstname")[0] == 400


@pytest.mark.parametrize(
    ("properties", "error"),
    [
        ({"ringtrue_status": "active"}, "PROPERTY_DOESNT_EXIST"),
        ({"hs_object_id": "5"}, "READ_ONLY_VALUE"),
        ({"lifecyclestage": "dream"}, "INVALID_OPTION"),
        ({"do_not_call": "perhaps"}, "INVALID_OPTION"),
        ({"email": "nobody"}, "INVALID_EMAIL"),
    ],
)
def test_refused_values_come_packed_into_the_message(
    portal: HubSpotWire, properties: dict[str, str], error: str
) -> None:
    status, body = portal.refused("POST", CONTACTS, {"properties": properties})
    assert (status, body["category"]) == (400, "VALIDATION_ERROR")
    assert body["message"].startswith("Property values were not valid: [{")
    assert f'"error":"{error}"' in body["message"]


def test_archived_contacts_are_listed_apart_and_found_by_no_search(portal: HubSpotWire) -> None:
    gone, here = portal.create(firstname="Gone"), portal.create(firstname="Here")
    assert portal.call("DELETE", f"{CONTACTS}/{gone}").status_code == 204
    assert portal.ids() == [here]
    archived = portal.json("GET", f"{CONTACTS}?archived=true")["results"]
    assert [(one["id"], one["archived"]) for one in archived] == [(gone, True)]
    assert archived[0]["archivedAt"]
    assert portal.search({"propertyName": "firstname", "operator": "HAS_PROPERTY"})["total"] == 1
    assert portal.refused("GET", f"{CONTACTS}/{gone}")[0] == 404


def test_a_merge_fills_gaps_moves_calls_and_leaves_the_old_id_pointing_at_the_survivor(portal: HubSpotWire) -> None:
    winner, loser = (
        portal.create(firstname="Ann", phone="+14155552671"),
        portal.create(lastname="Lee", phone="+14155552672"),
    )
    association = {"to": {"id": loser}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 194}]}
    body = {"properties": {"hs_timestamp": "2026-11-20T10:00:00.000Z"}, "associations": [association]}
    call = portal.json("POST", "/crm/v3/objects/calls", body)["id"]
    merged = portal.json("POST", f"{CONTACTS}/merge", {"primaryObjectId": winner, "objectIdToMerge": loser})
    assert merged["id"] == winner
    assert merged["properties"]["hs_merged_object_ids"] == loser
    assert merged["properties"]["hs_calculated_merged_vids"] == f"{loser}:{portal.clock.ms}"
    assert portal.get(winner, "firstname", "lastname", "phone")["lastname"] == "Lee"
    assert portal.get(loser, "phone")["hs_object_id"] == winner
    linked = portal.json("GET", f"/crm/v4/objects/contacts/{winner}/associations/calls")["results"]
    assert [one["toObjectId"] for one in linked] == [int(call)]


def test_a_portal_may_give_the_survivor_a_new_id(portal: HubSpotWire) -> None:
    portal.hands.settings(merge_keeps_id=False)
    winner, loser = portal.create(firstname="Ann", email="a@example.com"), portal.create(firstname="Lee")
    merged = portal.json("POST", f"{DATED}/merge", {"primaryObjectId": winner, "objectIdToMerge": loser})
    assert merged["id"] not in (winner, loser)
    assert merged["properties"]["hs_merged_object_ids"] == f"{winner};{loser}"
    assert portal.get(winner)["hs_object_id"] == portal.get(loser)["hs_object_id"] == merged["id"]
    assert portal.json("GET", f"{CONTACTS}/a@example.com?idProperty=email")["id"] == merged["id"]


def test_erasing_leaves_nothing(portal: HubSpotWire) -> None:
    record_id = portal.create(email="ann@example.com")
    body = {"objectId": "ann@example.com", "idProperty": "email"}
    assert portal.call("POST", f"{CONTACTS}/gdpr-delete", body).status_code == 204
    assert portal.refused("GET", f"{CONTACTS}/{record_id}")[0] == 404
    assert portal.hands.call("GET", "/history", object="contacts", id=record_id) == []


def test_history_tells_who_wrote_what_newest_first(portal: HubSpotWire) -> None:
    record_id = portal.create(phone="415 555 2671")
    portal.clock.move(60)
    portal.hands.edit("contacts", record_id, {"phone": "415 555 2672"}, "user:ann")
    portal.clock.move(60)
    portal.update((record_id, {"phone": "+14155552672"}))
    found = portal.json("GET", f"{CONTACTS}/{record_id}?propertiesWithHistory=phone")["propertiesWithHistory"]["phone"]
    assert [(one["value"], one["sourceType"]) for one in found] == [
        ("+14155552672", "INTEGRATION"),
        ("415 555 2672", "CRM_UI"),
        ("415 555 2671", "IMPORT"),
    ]
    assert found[1]["sourceId"] == "userId:ann"
    assert found[0]["timestamp"] > found[1]["timestamp"] > found[2]["timestamp"]


def test_a_call_needs_a_time_and_shows_its_contact(portal: HubSpotWire) -> None:
    assert portal.refused("POST", "/crm/v3/objects/calls", {"properties": {"hs_call_title": "x"}})[0] == 400
    contact = portal.create(firstname="Ann")
    association = {"to": {"id": contact}, "types": []}
    body = {"properties": {"hs_timestamp": "1795000000000", "hs_call_status": "BUSY"}, "associations": [association]}
    call = portal.json("POST", "/crm/objects/2026-09/calls", body)["id"]
    shown = portal.json("GET", f"/crm/v3/objects/calls/{call}?associations=contacts&properties=hs_timestamp")
    assert shown["properties"]["hs_timestamp"] == "2026-11-18T11:06:40.000Z"
    assert shown["associations"]["contacts"]["results"] == [{"id": contact, "type": "call_to_contact"}]
