"""Contacts and calls out of HubSpot: everything, what changed, what was archived or merged."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors.crm import Page
from connectors.hubspot import HubspotCrm
from connectors.hubspot_calls import CALL_FIELDS
from ringtrue.errors import CredentialRefused, FieldMissing
from ringtrue.records import PulledRecord
from tests.connectors.conftest import Connect
from tests.connectors.hubspot_help import connect
from tests.stand_ins import Sandbox, StandIn, running_sandbox

FIELDS = ("phone", "mobilephone", "email", "hs_email_optout", "createdate")


def records(pages: Iterable[Page]) -> list[PulledRecord]:
    return [record for page in pages for record in page.records]


def drain(crm: HubspotCrm, cursor: str | None, **options: Any) -> tuple[dict[str, PulledRecord], str]:
    """Everything a pull gives, by id, and the cursor behind it."""
    pages = list(crm.pull("contacts", FIELDS, cursor=cursor, **options))
    return {record.record_id: record for record in records(pages)}, pages[-1].cursor


def alive(stand_in: StandIn) -> dict[str, dict[str, Any]]:
    return {row["record_id"]: row for row in stand_in.records("contacts") if row["deleted_at"] is None}


def test_a_full_pull_brings_every_contact_in_pages_of_a_hundred(crm: HubspotCrm, hubspot: StandIn) -> None:
    truth = alive(hubspot)
    pages = list(crm.pull("contacts", FIELDS, cursor=None))
    living = [record for record in records(pages) if not record.deleted]
    assert {record.record_id for record in living} == set(truth)
    assert len(living) == len(truth)
    assert max(len(page.records) for page in pages) == 100
    for record in living:
        fields = truth[record.record_id]["fields"]
        assert set(record.values) == set(FIELDS)
        assert record.values["phone"] == ((fields.get("phone") or "").replace("\x00", "") or None)
        assert record.values["hs_email_optout"] in {"true", "false", None}
        assert str(record.values["createdate"]).endswith("Z")
        assert record.created_at is not None
        assert record.modified_at.tzinfo is not None
    assert crm.usage.calls["describe"] == 1
    assert crm.usage.calls["list"] == hubspot.stats()["by_path"]["GET /objects/{}"]
    assert crm.usage.used_today is not None


def test_a_pull_can_be_taken_up_at_any_page(crm: HubspotCrm, hubspot: StandIn) -> None:
    """airbyte 62467: a run that dies half way must not begin anew."""
    pages = crm.pull("contacts", FIELDS, cursor=None)
    first = [next(pages), next(pages)]
    rest, _ = drain(crm, first[-1].cursor)
    assert {record.record_id for record in records(first)}.isdisjoint(rest)
    everything = {record.record_id for record in records(first)} | rest.keys()
    assert everything >= alive(hubspot).keys()


def test_a_delta_brings_what_changed_and_an_idle_one_only_the_overlap(crm: HubspotCrm, hubspot: StandIn) -> None:
    _, cursor = drain(crm, None)
    idle, _ = drain(crm, cursor)
    record_id = next(iter(alive(hubspot)))
    hubspot.edit("contacts", record_id, {"phone": "+14155550111"})
    changed, later = drain(crm, cursor)
    assert changed[record_id].values["phone"] == "+14155550111"
    assert len(changed) <= len(idle) + 1
    again, _ = drain(crm, later)
    assert record_id in again, "the overlap is read again"


def test_since_replaces_the_time_of_the_cursor(crm: HubspotCrm, hubspot: StandIn) -> None:
    record_id = next(iter(alive(hubspot)))
    hubspot.edit("contacts", record_id, {"phone": "+14155550112"})
    recent, _ = drain(crm, None, since=datetime.now(UTC) - timedelta(minutes=1))
    assert record_id in recent
    assert len(recent) < hubspot.count("contacts")
    everything, _ = drain(crm, None, since=datetime(2000, 1, 1, tzinfo=UTC))
    assert everything.keys() >= alive(hubspot).keys()


def test_searches_use_pages_of_two_hundred(crm: HubspotCrm, hubspot: StandIn) -> None:
    """airbyte 45653."""
    drain(crm, None, since=datetime(2000, 1, 1, tzinfo=UTC))
    assert crm.usage.calls["search"] == -(-hubspot.count("contacts") // 200)
    assert hubspot.stats()["by_op"]["search"] == crm.usage.calls["search"]


def test_a_row_that_the_index_shows_late_is_found_by_the_look_back(to_hubspot: Connect, hubspot: StandIn) -> None:
    """airbyte 69203, 40591, 34446."""
    crm = to_hubspot()
    _, cursor = drain(crm, None)
    record_id = next(iter(alive(hubspot)))
    hubspot.fault("any", "index_lag", ms=600_000)
    hubspot.edit("contacts", record_id, {"phone": "+14155550113"})
    unseen, cursor = drain(crm, cursor)
    assert unseen.get(record_id) is None or unseen[record_id].values["phone"] != "+14155550113"
    hubspot.clear_faults()
    seen, _ = drain(crm, cursor)
    assert seen[record_id].values["phone"] == "+14155550113"


def test_archived_contacts_are_noticed_once(crm: HubspotCrm, hubspot: StandIn) -> None:
    record_id = hubspot.create("contacts", {"lastname": "Gone", "phone": "+14155550114"})
    _, cursor = drain(crm, None)
    hubspot.delete("contacts", record_id)
    changed, _ = drain(crm, cursor)
    assert changed[record_id].deleted
    assert changed[record_id].merged_into is None
    later, _ = drain(crm, None, since=datetime.now(UTC) + timedelta(hours=1))
    assert record_id not in later


def test_merged_contacts_name_their_losers(crm: HubspotCrm, hubspot: StandIn) -> None:
    """hubspot-api-nodejs 6: where are merged contacts?"""
    kept, lost = (hubspot.create("contacts", {"lastname": name, "phone": "+14155550115"}) for name in ("Kept", "Lost"))
    _, cursor = drain(crm, None)
    survivor = hubspot.merge("contacts", kept, lost)
    changed, _ = drain(crm, cursor)
    assert lost in changed[survivor].merged_from
    found = crm.read("contacts", [lost, survivor], ["phone"])
    assert found[lost].deleted
    assert found[lost].merged_into == survivor
    assert not found[survivor].deleted
    assert lost not in {record_id for page in crm.pull_ids("contacts") for record_id in page}


def test_a_merge_that_makes_a_new_record_is_followed(crm: HubspotCrm, hubspot: StandIn) -> None:
    hubspot.settings(merge_keeps_id=False)
    first, second = (hubspot.create("contacts", {"lastname": name, "phone": "+14155550116"}) for name in ("One", "Two"))
    _, cursor = drain(crm, None)
    survivor = hubspot.merge("contacts", first, second)
    changed, _ = drain(crm, cursor)
    assert survivor not in {first, second}
    assert {first, second} <= set(changed[survivor].merged_from)
    assert crm.read("contacts", [first, second], ["phone"])[first].merged_into == survivor


def test_ids_of_the_daily_reconcile_are_all_living_ones(crm: HubspotCrm, hubspot: StandIn) -> None:
    ids = [record_id for page in crm.pull_ids("contacts") for record_id in page]
    assert sorted(ids) == sorted(alive(hubspot))


def test_reading_by_id_leaves_out_what_does_not_exist(crm: HubspotCrm, hubspot: StandIn) -> None:
    record_id = next(iter(alive(hubspot)))
    found = crm.read("contacts", [record_id, "5", record_id], FIELDS)
    assert set(found) == {record_id}


def test_many_properties_are_read_by_id_when_the_url_would_grow_too_long(crm: HubspotCrm, hubspot: StandIn) -> None:
    """dlt verified-sources 600: 414 with many properties."""
    mark = crm.paths.replace("-", "_")
    names = [f"a_rather_long_name_of_a_property_of_this_portal_{mark}_{number}" for number in range(150)]
    make_properties(hubspot, names[:75])
    make_properties(hubspot, names[75:])
    record_id = next(iter(alive(hubspot)))
    hubspot.edit("contacts", record_id, {names[149]: "filled"})
    wide = {record.record_id: record for record in records(crm.pull("contacts", ("phone", *names), cursor=None))}
    assert wide[record_id].values[names[149]] == "filled"
    assert wide.keys() >= alive(hubspot).keys()
    recent = datetime.now(UTC) - timedelta(minutes=1)
    delta = records(crm.pull("contacts", ("phone", *names), cursor=None, since=recent))
    assert next(record for record in delta if record.record_id == record_id).values[names[149]] == "filled"


def make_properties(stand_in: StandIn, names: Sequence[str]) -> None:
    base = {"groupName": "contactinformation", "type": "string", "fieldType": "text"}
    body = {"inputs": [{**base, "name": name, "label": name} for name in names]}
    headers = {"Authorization": "Bearer sandbox-token"}
    url = f"{stand_in.url}/crm/v3/properties/contacts/batch/create"
    answer = httpx.post(url, json=body, headers=headers, trust_env=False)
    assert answer.status_code == 201, answer.text


def test_a_hidden_field_is_named(crm: HubspotCrm, hubspot: StandIn) -> None:
    hubspot.fault("any", "hidden_field", field="mobilephone")
    with pytest.raises(FieldMissing, match="no property mobilephone on contacts, or hides it"):
        next(crm.pull("contacts", FIELDS, cursor=None))
    assert "mobilephone" not in crm.available_fields("contacts").phones


def test_the_standard_map_fits_the_portal(crm: HubspotCrm) -> None:
    fields = crm.available_fields("contacts")
    assert fields.phones == ("phone", "mobilephone", "hs_whatsapp_phone_number")
    assert fields.do_not_call == ()
    assert fields.email_opt_out == ("hs_email_optout",)
    assert fields.lead_source[0] == "hs_analytics_source"
    assert not crm.describe("contacts")["hs_analytics_source"].writable
    assert crm.describe("contacts")["do_not_call"].custom


def test_the_portal_is_named(crm: HubspotCrm) -> None:
    assert crm.identity().isdigit()


def test_pulls_outlive_a_bad_line(crm: HubspotCrm, hubspot: StandIn) -> None:
    hubspot.fault("read", "drop_mid_body", nth=2)
    hubspot.fault("read", "status_500", nth=4)
    hubspot.fault("read", "html_502", nth=6)
    hubspot.fault("read", "status_429", nth=8)
    found, _ = drain(crm, None)
    assert found.keys() >= alive(hubspot).keys()
    assert crm.usage.retries >= 3


def test_a_wrong_token_is_refused_once(to_hubspot: Connect, hubspot: StandIn) -> None:
    with pytest.raises(CredentialRefused, match="refused the token"):
        next(to_hubspot(token="nonsense").pull("contacts", FIELDS, cursor=None))
    assert hubspot.stats()["requests"] == 1


def test_a_missing_scope_is_named(crm: HubspotCrm, hubspot: StandIn) -> None:
    hubspot.settings(missing_scopes=["crm.objects.contacts.read"])
    with pytest.raises(CredentialRefused, match=r"give it the scope crm\.objects\.contacts\.read"):
        next(crm.pull_ids("contacts"))


def test_calls_come_with_contacts_outcome_and_seconds(crm: HubspotCrm, hubspot: StandIn) -> None:
    truth = {row["record_id"]: row["fields"] for row in hubspot.records("calls") if row["deleted_at"] is None}
    labels = crm.call_outcomes()
    assert labels["9d9162e7-6cf3-4944-bf63-4dff82258764"] == "Busy"
    pages = list(crm.pull_calls(cursor=None))
    calls = {call.call_id: call for page in pages for call in page.calls}
    assert calls.keys() == truth.keys()
    assert calls
    for call_id, call in calls.items():
        fields = truth[call_id]
        assert call.number == fields["hs_call_to_number"]
        assert call.direction == "outbound"
        assert call.duration_seconds == float(fields["hs_call_duration"]) / 1000
        assert call.outcome is None or call.label == labels[call.outcome]
        assert call.started_at is not None
        assert call.contact_ids
        assert all(contact_id.isdigit() for contact_id in call.contact_ids)
    assert set(CALL_FIELDS) <= set(crm.describe("calls"))
    idle = [call for page in crm.pull_calls(cursor=pages[-1].cursor) for call in page.calls]
    assert len(idle) < max(len(calls), 1)


def test_two_connections_search_together_within_the_portals_limit(hubspot: StandIn, tmp_path: Path) -> None:
    """hubspot-ruby 27, tap-hubspot 93: search has a limit of its own, and bursts break it."""
    hubspot.settings(search_per_second=5)
    both = [
        connect(hubspot.url, tmp_path, sleep=time.sleep, searches_per_second=4.0),
        connect(hubspot.url, tmp_path, sleep=time.sleep, searches_per_second=4.0),
    ]
    pulls = [crm.pull("contacts", FIELDS, cursor=None, since=datetime(2000, 1, 1, tzinfo=UTC)) for crm in both]
    with ThreadPoolExecutor() as pool:
        found = pool.map(records, pulls)
        assert all(len(pulled) >= hubspot.count("contacts") for pulled in found)
    assert hubspot.stats()["status_429"] == 0
    for crm in both:
        crm.close()


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with running_sandbox(tmp_path_factory.mktemp("large"), "--seed", "3", "--contacts", "10400") as running:
        yield running


def test_a_window_of_more_than_ten_thousand_changes_is_read_whole(large: Sandbox, tmp_path: Path) -> None:
    """airbyte 10700, 23630, 43317: the cap of 10,000 results lost rows, or read the same ones for ever."""
    stand_in = large["hubspot"]
    stand_in.settings(burst=1_000_000, search_per_second=0)
    crm = connect(stand_in.url, tmp_path)
    found = [
        record.record_id
        for record in records(crm.pull("contacts", ["phone"], cursor=None, since=datetime(2000, 1, 1, tzinfo=UTC)))
    ]
    assert stand_in.count("contacts") > 10_000
    assert len(found) == len(set(found)) == stand_in.count("contacts")
    crm.close()


def test_cursors_are_text_that_names_no_person(crm: HubspotCrm) -> None:
    _, cursor = drain(crm, None)
    assert json.loads(cursor)["phase"] == "done"
