"""HubSpot's batches: what fails alone, what fails everything, what does nothing at all."""

from __future__ import annotations

import pytest

from tests.sandbox.hubspot_wire import CONTACTS, DATED, HubSpotWire


@pytest.fixture
def pair(portal: HubSpotWire) -> tuple[str, str]:
    return portal.create(firstname="Ann", lastname="A"), portal.create(firstname="Ben", lastname="B")


def test_an_unknown_id_is_named_and_the_others_are_written(portal: HubSpotWire, pair: tuple[str, str]) -> None:
    answer = portal.update((pair[0], {"phone": "1"}), ("9", {"phone": "2"}), (pair[1], {"phone": "3"}))
    assert answer.status_code == 207
    body = answer.json()
    assert [one["id"] for one in body["results"]] == list(pair)
    assert (body["numErrors"], body["errors"][0]["category"], body["errors"][0]["context"]) == (
        1,
        "OBJECT_NOT_FOUND",
        {"ids": ["9"]},
    )


def test_by_switch_an_unknown_id_refuses_the_batch(portal: HubSpotWire, pair: tuple[str, str]) -> None:
    portal.hands.settings(missing_id_status=400)
    answer = portal.update((pair[0], {"phone": "1"}), ("9", {"phone": "2"}))
    assert (answer.status_code, answer.json()["category"]) == (400, "OBJECT_NOT_FOUND")
    assert portal.get(pair[0], "phone")["phone"] is None


def test_one_bad_value_fails_the_whole_batch(portal: HubSpotWire, pair: tuple[str, str]) -> None:
    answer = portal.update((pair[0], {"phone": "1"}), (pair[1], {"lifecyclestage": "dream"}))
    assert answer.status_code == 400
    assert portal.get(pair[0], "phone")["phone"] is None


def test_by_switch_a_bad_value_fails_alone(portal: HubSpotWire, pair: tuple[str, str]) -> None:
    portal.hands.settings(invalid_value_status=207)
    answer = portal.update((pair[0], {"phone": "1"}), (pair[1], {"lifecyclestage": "dream"}))
    assert answer.status_code == 207
    assert answer.json()["errors"][0]["context"] == {"ids": [pair[1]]}
    assert portal.get(pair[0], "phone")["phone"] == "1"


def test_an_address_in_place_of_an_id_does_nothing_silently(portal: HubSpotWire) -> None:
    record_id = portal.create(email="ann@example.com")
    answer = portal.update(("ann@example.com", {"phone": "1"}))
    assert (answer.status_code, answer.json()["results"]) == (200, [])
    assert portal.get(record_id, "phone")["phone"] is None


def test_the_record_id_is_no_id_property(portal: HubSpotWire, pair: tuple[str, str]) -> None:
    body = {"inputs": [{"id": pair[0], "idProperty": "hs_object_id", "properties": {"phone": "1"}}]}
    status, refusal = portal.refused("POST", f"{CONTACTS}/batch/update", body)
    assert status == 400
    assert refusal["message"] == "Unable to perform update/upsert by non-unique 0-1 property hs_object_id"


def test_an_id_may_appear_once(portal: HubSpotWire, pair: tuple[str, str]) -> None:
    assert portal.update((pair[0], {"phone": "1"}), (pair[0], {"phone": "2"})).status_code == 400


def test_a_batch_has_at_most_100(portal: HubSpotWire) -> None:
    assert portal.update(*((str(n), {}) for n in range(101))).status_code == 400
    assert portal.refused("POST", f"{CONTACTS}/batch/read", {"inputs": []})[0] == 400


def test_a_merged_away_id_is_written_to_the_survivor(portal: HubSpotWire, pair: tuple[str, str]) -> None:
    portal.hands.merge("contacts", pair[0], pair[1])
    assert portal.update((pair[1], {"phone": "1"})).json()["results"][0]["id"] == pair[0]
    assert portal.get(pair[0], "phone")["phone"] == "1"


def test_bad_rows_of_a_create_fail_alone_only_if_every_row_has_a_trace_id(portal: HubSpotWire) -> None:
    good, bad = {"properties": {"firstname": "Ann"}}, {"properties": {"missing": "1"}}
    assert (
        portal.refused("POST", f"{CONTACTS}/batch/create", {"inputs": [good, {**bad, "objectWriteTraceId": "b"}]})[0]
        == 400
    )
    assert portal.ids() == []
    traced = {"inputs": [{**good, "objectWriteTraceId": "a"}, {**bad, "objectWriteTraceId": "b"}]}
    answer = portal.call("POST", f"{CONTACTS}/batch/create", traced)
    assert answer.status_code == 207
    assert answer.json()["errors"][0]["context"] == {"objectWriteTraceId": ["b"]}
    assert len(portal.ids()) == 1


def test_upsert_needs_a_unique_property_and_says_what_was_new(portal: HubSpotWire) -> None:
    portal.create(email="ann@example.com")
    rows = [
        {"id": "ann@example.com", "idProperty": "email", "properties": {"phone": "1"}},
        {"id": "ben@example.com", "idProperty": "email", "properties": {"phone": "2"}},
    ]
    answer = portal.json("POST", f"{DATED}/batch/upsert", {"inputs": rows})
    assert [one["new"] for one in answer["results"]] == [False, True]
    without = [{"id": "ann@example.com", "properties": {}}]
    assert portal.refused("POST", f"{DATED}/batch/upsert", {"inputs": without})[0] == 400


def test_reading_names_the_missing(portal: HubSpotWire, pair: tuple[str, str]) -> None:
    answer = portal.call(
        "POST", f"{CONTACTS}/batch/read", {"inputs": [{"id": pair[0]}, {"id": "9"}], "properties": ["firstname"]}
    )
    assert answer.status_code == 207
    assert answer.json()["errors"][0]["context"] == {"ids": ["9"]}
    assert [one["properties"]["firstname"] for one in answer.json()["results"]] == ["Ann"]


def test_archive(portal: HubSpotWire, pair: tuple[str, str]) -> None:
    answer = portal.call("POST", f"{CONTACTS}/batch/archive", {"inputs": [{"id": pair[0]}, {"id": "9"}]})
    assert (answer.status_code, answer.content) == (204, b"")
    assert portal.ids() == [pair[1]]


def test_rules_of_the_administrator_hold_on_dated_paths_only(portal: HubSpotWire) -> None:
    portal.hands.settings(enforce_admin_rules=True, required_properties=["lastname"])
    record_id = portal.create(firstname="Ann")
    assert portal.update((record_id, {"phone": "1"})).status_code == 200
    answer = portal.update((record_id, {"phone": "2"}), path=DATED)
    assert (answer.status_code, answer.json()["category"]) == (400, "VALIDATION_ERROR")
    assert portal.update((record_id, {"phone": "2", "lastname": "A"}), path=DATED).status_code == 200


def test_a_held_row_poisons_every_batch_it_is_in(portal: HubSpotWire, pair: tuple[str, str]) -> None:
    portal.hands.fault("write", "hold_rows", ids=[pair[1]])
    assert portal.update((pair[0], {"phone": "1"}), (pair[1], {"phone": "2"})).status_code == 400
    assert portal.update((pair[0], {"phone": "1"})).status_code == 200
    assert portal.update((pair[1], {"phone": "2"})).status_code == 400


def test_some_rows_may_fail_once(portal: HubSpotWire, pair: tuple[str, str]) -> None:
    portal.hands.fault("write", "partial_failure", n=1)
    answer = portal.update((pair[0], {"phone": "1"}), (pair[1], {"phone": "2"}))
    assert (answer.status_code, len(answer.json()["results"])) == (207, 1)
    assert portal.update((pair[0], {"phone": "1"})).status_code == 200


def test_hidden_and_read_only_properties(portal: HubSpotWire, pair: tuple[str, str]) -> None:
    portal.hands.fault("any", "hidden_field", field="mobilephone")
    portal.hands.fault("any", "read_only_field", field="phone")
    assert "PROPERTY_DOESNT_EXIST" in portal.update((pair[0], {"mobilephone": "1"})).text
    assert "READ_ONLY_VALUE" in portal.update((pair[0], {"phone": "1"})).text
    assert "mobilephone" not in portal.get(pair[0], "mobilephone")
