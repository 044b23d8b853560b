"""Search over the wire: operators, limits, ties in time, the lag of the index."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.hubspot_wire import CONTACTS, HubSpotWire


def _f(name: str, operator: str, value: Any = None, **more: Any) -> dict[str, Any]:
    return {"propertyName": name, "operator": operator, **({} if value is None else {"value": value}), **more}


@pytest.fixture
def people(portal: HubSpotWire) -> dict[str, str]:
    found = {}
    for first, last, phone, stage in (
        ("Ann", "Archer", "+14155552671", "lead"),
        ("Ben", "Baker", "+442079460123", "customer"),
        ("Cem", "", "", "lead"),
    ):
        found[first] = portal.create(firstname=first, lastname=last, phone=phone, lifecyclestage=stage)
        portal.clock.move(10)
    return found


@pytest.mark.parametrize(
    ("one", "names"),
    [
        (_f("firstname", "EQ", "ANN"), {"Ann"}),
        (_f("firstname", "NEQ", "ann"), {"Ben", "Cem"}),
        (_f("firstname", "IN", values=["ann", "cem"]), {"Ann", "Cem"}),
        (_f("firstname", "IN", values=["Ann"]), set()),
        (_f("firstname", "NOT_IN", values=["ann"]), {"Ben", "Cem"}),
        (_f("lifecyclestage", "EQ", "lead"), {"Ann", "Cem"}),
        (_f("lifecyclestage", "EQ", "LEAD"), set()),
        (_f("lastname", "HAS_PROPERTY"), {"Ann", "Ben"}),
        (_f("lastname", "NOT_HAS_PROPERTY"), {"Cem"}),
        (_f("lastname", "CONTAINS_TOKEN", "arch*"), {"Ann"}),
        (_f("hs_searchable_calculated_phone_number", "EQ", "4155552671"), {"Ann"}),
        (_f("hs_calculated_phone_number", "EQ", "+442079460123"), {"Ben"}),
    ],
)
def test_operators(portal: HubSpotWire, people: dict[str, str], one: dict[str, Any], names: set[str]) -> None:
    found = portal.search(one, properties=["firstname"])
    assert {record["properties"]["firstname"] for record in found["results"]} == names
    assert found["total"] == len(names)


def test_groups_are_alternatives_and_filters_stand_alone_too(portal: HubSpotWire, people: dict[str, str]) -> None:
    groups = [{"filters": [_f("firstname", "EQ", "ann")]}, {"filters": [_f("firstname", "EQ", "ben")]}]
    assert portal.json("POST", f"{CONTACTS}/search", {"filterGroups": groups})["total"] == 2
    assert portal.json("POST", f"{CONTACTS}/search", {"filters": [_f("firstname", "EQ", "ann")]})["total"] == 1


def test_a_window_of_time_in_id_order(portal: HubSpotWire, people: dict[str, str]) -> None:
    end = portal.clock.ms
    window = _f("lastmodifieddate", "BETWEEN", str(end - 25_000), highValue=str(end))
    sorts = [{"propertyName": "hs_object_id", "direction": "ASCENDING"}]
    first = portal.search(window, _f("hs_object_id", "GT", "0"), sorts=sorts, limit=1)
    assert [one["id"] for one in first["results"]] == [people["Ben"]]
    assert first["paging"]["next"] == {"after": "1"}
    rest = portal.search(window, _f("hs_object_id", "GT", people["Ben"]), sorts=sorts, limit=1)
    assert [one["id"] for one in rest["results"]] == [people["Cem"]]
    assert "paging" not in rest


def test_many_contacts_may_share_one_moment(full_portal: HubSpotWire) -> None:
    records = list(full_portal.hands.records("contacts"))
    stamps = [record["modified_at"] for record in records]
    common = max(set(stamps), key=stamps.count)
    same = [record["record_id"] for record in records if record["modified_at"] == common]
    assert len(same) >= 10
    seen: list[str] = []
    while True:
        page = full_portal.search(
            _f("lastmodifieddate", "EQ", str(common)),
            _f("hs_object_id", "GT", seen[-1] if seen else "0"),
            sorts=[{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
            limit=4,
        )
        if not page["results"]:
            break
        seen += [record["id"] for record in page["results"]]
    assert seen == same


def test_fresh_writes_are_found_only_after_the_lag(portal: HubSpotWire) -> None:
    portal.hands.fault("search", "index_lag", ms=5000)
    portal.create(firstname="Ann")
    assert portal.search(_f("firstname", "EQ", "ann"))["total"] == 0
    portal.clock.move(6)
    assert portal.search(_f("firstname", "EQ", "ann"))["total"] == 1


@pytest.mark.parametrize(
    "body",
    [
        {"limit": 201},
        {"limit": 200, "after": "9900"},
        {"filterGroups": [{"filters": [_f("firstname", "EQ", "x")]}] * 6},
        {"filterGroups": [{"filters": [_f("firstname", "EQ", "x")] * 7}]},
        {"filterGroups": [{"filters": [_f("firstname", "LIKE", "x")]}]},
        {"filterGroups": [{"filters": [_f("hs_lastmodifieddate", "GT", "0")]}]},
        {"filterGroups": [{"filters": [_f("no_such", "EQ", "x")]}]},
        {"filterGroups": [{"filters": [_f("firstname", "EQ", "x" * 3000)]}]},
        {"sorts": [{"propertyName": "firstname"}, {"propertyName": "lastname"}]},
    ],
)
def test_what_search_refuses(portal: HubSpotWire, body: dict[str, Any]) -> None:
    assert portal.refused("POST", f"{CONTACTS}/search", body)[0] == 400
