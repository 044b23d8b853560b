"""Writing to HubSpot: one result for each row, whatever the others do; and what its history says afterwards."""

from __future__ import annotations

import pytest

from connectors.http import Timeouts
from connectors.hubspot import HubspotCrm
from ringtrue.errors import ConnectionLost, FieldMissing, FieldNotWritable, SettingsError
from ringtrue.records import RecordWrite, RowResult
from tests.connectors.conftest import Connect
from tests.stand_ins import StandIn

GOOD: dict[str, str | None] = {"do_not_call": "true"}
BAD: dict[str, str | None] = {"do_not_call": "perhaps"}


def make(hubspot: StandIn, count: int) -> list[str]:
    return [hubspot.create("contacts", {"lastname": f"Row {n}", "phone": "+14155550120"}) for n in range(count)]


def outcomes(results: list[RowResult]) -> list[str]:
    return [result.outcome for result in results]


def flag(hubspot: StandIn, record_id: str) -> str | None:
    value: str | None = hubspot.record("contacts", record_id)["fields"].get("do_not_call")
    return value


def test_a_batch_is_one_call_and_clears_what_is_none(crm: HubspotCrm, hubspot: StandIn) -> None:
    ids = make(hubspot, 3)
    hubspot.reset_stats()
    rows = [
        RecordWrite(record_id, {"do_not_call": "true", "mobilephone": None, "phone": "+14155550121"})
        for record_id in ids
    ]
    hubspot.edit("contacts", ids[0], {"mobilephone": "+14155550122"})
    assert outcomes(crm.write("contacts", rows)) == ["applied"] * 3
    assert hubspot.stats()["by_op"] == {"write": 1}
    fields = hubspot.record("contacts", ids[0])["fields"]
    assert (fields["do_not_call"], fields.get("mobilephone"), fields["phone"]) == ("true", None, "+14155550121")
    assert crm.usage.calls == {"write": 1}


@pytest.mark.parametrize("status", [400, 207])
def test_one_bad_row_never_fails_its_neighbours(crm: HubspotCrm, hubspot: StandIn, status: int) -> None:
    """hubspot-api-python 51: one bad row failed a hundred, and only the first error was reported."""
    hubspot.settings(invalid_value_status=status)
    ids = make(hubspot, 12)
    rows = [RecordWrite(record_id, BAD if place in {4, 9} else GOOD) for place, record_id in enumerate(ids)]
    results = crm.write("contacts", rows)
    assert [result.record_id for result in results] == ids
    assert outcomes(results) == ["failed" if place in {4, 9} else "applied" for place in range(12)]
    assert (
        results[4].reason == "do_not_call: perhaps was not one of the allowed options: [true, false] (INVALID_OPTION)"
    )
    assert [flag(hubspot, record_id) for record_id in ids] == [None if n in {4, 9} else "true" for n in range(12)]


def test_a_whole_batch_with_one_bad_row_costs_few_calls(crm: HubspotCrm, hubspot: StandIn) -> None:
    ids = make(hubspot, 100)
    hubspot.reset_stats()
    rows = [RecordWrite(record_id, BAD if place == 57 else GOOD) for place, record_id in enumerate(ids)]
    assert outcomes(crm.write("contacts", rows)).count("applied") == 99
    assert hubspot.stats()["by_op"]["write"] <= 1 + 2 * 7
    for record_id in (ids[0], ids[99]):
        assert len(hubspot.history("contacts", record_id, "do_not_call")) == 1


def test_a_row_that_always_fails_keeps_its_reason(crm: HubspotCrm, hubspot: StandIn) -> None:
    ids = make(hubspot, 5)
    hubspot.fault("any", "hold_rows", ids=[ids[2]])
    results = crm.write("contacts", [RecordWrite(record_id, GOOD) for record_id in ids])
    assert outcomes(results) == ["applied", "applied", "failed", "applied", "applied"]
    assert results[2].reason


def test_rows_that_hubspot_leaves_out_of_a_batch_are_told_apart(crm: HubspotCrm, hubspot: StandIn) -> None:
    """Multiwoven 910: a run was a success while its rows had failed."""
    ids = make(hubspot, 4)
    hubspot.fault("write", "partial_failure", n=2)
    results = crm.write("contacts", [RecordWrite(record_id, GOOD) for record_id in ids])
    assert outcomes(results) == ["failed", "failed", "applied", "applied"]
    assert all(result.reason for result in results[:2])
    assert outcomes(crm.write("contacts", [RecordWrite(record_id, GOOD) for record_id in ids[:2]])) == ["applied"] * 2


@pytest.mark.parametrize("status", [207, 400])
def test_deleted_and_merged_records_are_gone_and_the_rest_applied(
    crm: HubspotCrm, hubspot: StandIn, status: int
) -> None:
    hubspot.settings(missing_id_status=status)
    alive, deleted, loser, survivor = make(hubspot, 4)
    hubspot.delete("contacts", deleted)
    survivor = hubspot.merge("contacts", survivor, loser)
    results = crm.write("contacts", [RecordWrite(record_id, GOOD) for record_id in (alive, deleted, loser, "7")])
    assert outcomes(results) == ["applied", "gone", "gone", "gone"]
    assert results[2].merged_into == survivor
    assert flag(hubspot, alive) == "true"


def test_ids_that_are_no_ids_and_ids_that_come_twice(crm: HubspotCrm, hubspot: StandIn) -> None:
    """hubspot-api-nodejs 548: an e-mail address for an id does nothing in silence; segment 3969: an id twice fails the batch."""
    (record_id,) = make(hubspot, 1)
    rows = [
        RecordWrite(record_id, {"do_not_call": "true", "city": "Reno"}),
        RecordWrite("ann@example.com", GOOD),
        RecordWrite(record_id, {"city": "Troy"}),
    ]
    results = crm.write("contacts", rows)
    assert outcomes(results) == ["applied", "failed", "applied"]
    assert "ann@" not in str(results[1].reason)
    fields = hubspot.record("contacts", record_id)["fields"]
    assert (fields["do_not_call"], fields["city"]) == ("true", "Troy")


def test_more_rows_than_a_call_takes_are_refused(crm: HubspotCrm) -> None:
    with pytest.raises(SettingsError, match="takes 100 records a call, not 101"):
        crm.write("contacts", [RecordWrite(str(number), GOOD) for number in range(101)])


def test_a_field_that_does_not_exist_or_may_not_be_written_stops_when_it_concerns_every_row(
    crm: HubspotCrm, hubspot: StandIn
) -> None:
    ids = make(hubspot, 3)
    with pytest.raises(FieldMissing, match="no property nosuch: run `ringtrue prepare`"):
        crm.write("contacts", [RecordWrite(record_id, {"nosuch": "x"}) for record_id in ids])
    with pytest.raises(FieldNotWritable, match="does not let us write hs_email_optout"):
        crm.write("contacts", [RecordWrite(record_id, {"hs_email_optout": "true"}) for record_id in ids])
    mixed = [RecordWrite(ids[0], GOOD), RecordWrite(ids[1], {"nosuch": "x"}), RecordWrite(ids[2], GOOD)]
    assert outcomes(crm.write("contacts", mixed)) == ["applied", "failed", "applied"]


def test_a_locked_batch_waits_two_seconds_and_is_sent_again(to_hubspot: Connect, hubspot: StandIn) -> None:
    waits: list[float] = []
    crm = to_hubspot(waits)
    ids = make(hubspot, 4)
    hubspot.fault("write", "status_423")
    assert outcomes(crm.write("contacts", [RecordWrite(record_id, GOOD) for record_id in ids])) == ["applied"] * 4
    assert [wait for wait in waits if wait >= 2.0] == [2.0]


def test_a_batch_that_stays_locked_comes_back_as_retry(to_hubspot: Connect, hubspot: StandIn) -> None:
    waits: list[float] = []
    crm = to_hubspot(waits)
    ids = make(hubspot, 2)
    hubspot.fault("write", "status_423", times=0)
    results = crm.write("contacts", [RecordWrite(record_id, GOOD) for record_id in ids])
    assert outcomes(results) == ["retry", "retry"]
    assert flag(hubspot, ids[0]) is None


@pytest.mark.parametrize("kind", ["drop_after", "drop_before", "status_500", "html_502", "drop_mid_body"])
def test_a_lost_answer_is_raised_and_not_repeated(crm: HubspotCrm, hubspot: StandIn, kind: str) -> None:
    (record_id,) = make(hubspot, 1)
    hubspot.reset_stats()
    hubspot.fault("write", kind)
    with pytest.raises(ConnectionLost):
        crm.write("contacts", [RecordWrite(record_id, GOOD)])
    assert hubspot.stats()["by_op"] == {"write": 1}
    hubspot.clear_faults()
    crm.write("contacts", [RecordWrite(record_id, GOOD)])
    assert flag(hubspot, record_id) == "true"
    assert len(hubspot.history("contacts", record_id, "do_not_call")) == 1


@pytest.mark.parametrize("kind", ["status_429", "status_503"])
def test_a_write_that_was_turned_away_is_sent_again(crm: HubspotCrm, hubspot: StandIn, kind: str) -> None:
    """hubspot-api-python 117."""
    (record_id,) = make(hubspot, 1)
    hubspot.fault("write", kind)
    assert outcomes(crm.write("contacts", [RecordWrite(record_id, GOOD)])) == ["applied"]
    assert crm.usage.retries == 1


def test_no_call_waits_for_ever(to_hubspot: Connect, hubspot: StandIn) -> None:
    crm = to_hubspot(timeouts=Timeouts(connect_seconds=1.0, read_seconds=0.2))
    (record_id,) = make(hubspot, 1)
    hubspot.fault("write", "slow", seconds=1.0)
    with pytest.raises(ConnectionLost, match="No answer"):
        crm.write("contacts", [RecordWrite(record_id, GOOD)])


def test_history_tells_our_writes_from_a_persons(to_hubspot: Connect, hubspot: StandIn) -> None:
    crm = to_hubspot(own_source_id="4800777")
    (record_id,) = make(hubspot, 1)
    hubspot.edit("contacts", record_id, {"phone": "+14155550123"}, source="user:ann")
    crm.write("contacts", [RecordWrite(record_id, {"phone": "+14155550124"})])
    versions = crm.history("contacts", [record_id], ["phone", "mobilephone"])[record_id]
    assert [(version.value, version.ours) for version in versions["phone"][:2]] == [
        ("+14155550124", True),
        ("+14155550123", False),
    ]
    assert versions["phone"][1].source == "CRM_UI:userId:ann"
    assert versions["phone"] == sorted(versions["phone"], key=lambda version: version.at, reverse=True)
    assert versions["mobilephone"] == []
    other = to_hubspot(own_source_id="1")
    assert not other.history("contacts", [record_id], ["phone"])[record_id]["phone"][0].ours


def test_history_is_asked_for_fifty_records_at_a_time(crm: HubspotCrm, hubspot: StandIn) -> None:
    ids = [record_id for page in crm.pull_ids("contacts") for record_id in page][:120]
    found = crm.history("contacts", ids, ["phone"])
    assert set(found) == set(ids)
    assert crm.usage.calls["history"] == 3


def test_there_are_no_bulk_jobs_and_no_conditional_writes(crm: HubspotCrm) -> None:
    assert not crm.has_bulk
    assert not crm.conditional_writes
    with pytest.raises(SettingsError, match="hubspot has no bulk jobs"):
        crm.bulk_open("contacts", ["phone"])
