"""Small writes and reads by id: every row with its own fate."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from connectors.salesforce import SalesforceCrm
from ringtrue.errors import ConnectionLost, FieldMissing, FieldNotWritable
from ringtrue.records import RecordWrite, RowResult
from tests.connectors.salesforce.kit import connect
from tests.stand_ins import StandIn


def contact(org: StandIn, **fields: object) -> str:
    return org.create("Contact", {"LastName": "Written", **fields})


def lead(org: StandIn, **fields: object) -> str:
    return org.create("Lead", {"LastName": "Written", "Company": "Written Ltd", **fields})


def outcomes(results: list[RowResult]) -> list[str]:
    return [result.outcome for result in results]


def test_two_hundred_rows_are_one_call_with_results_in_order(sf: SalesforceCrm, org: StandIn) -> None:
    ids = [contact(org, Phone=f"030 {number}") for number in range(200)]
    rows = [RecordWrite(record_id, {"Phone": f"031 {number}"}) for number, record_id in enumerate(ids)]
    results = sf.write("Contact", rows)
    assert [result.record_id for result in results] == ids
    assert set(outcomes(results)) == {"applied"}
    assert sf.usage.calls["write"] == 1
    assert org.record("Contact", ids[7])["fields"]["Phone"] == "031 7"
    with pytest.raises(ValueError, match="at most 200"):
        sf.write("Contact", [*rows, rows[0]])
    assert sf.write("Contact", []) == []


def test_values_keep_their_types_and_none_clears(sf: SalesforceCrm, org: StandIn) -> None:
    record_id = contact(org, Phone="030 1", MobilePhone="0170 1", Email="a@example.com")
    row = RecordWrite(record_id, {"DoNotCall": "true", "Phone": None, "MobilePhone": ""})
    assert outcomes(sf.write("Contact", [row])) == ["applied"]
    fields = org.record("Contact", record_id)["fields"]
    assert fields["DoNotCall"] is True
    assert fields.get("Phone") is None
    assert fields.get("MobilePhone") is None
    assert fields["Email"] == "a@example.com"


def test_one_bad_row_never_fails_its_neighbours(sf: SalesforceCrm, org: StandIn) -> None:
    good, long, late, gone = contact(org), contact(org), contact(org), contact(org)
    converted = lead(org)
    org.call("POST", "/convert", body={"id": converted, "contact": good})
    org.delete("Contact", gone)
    rows = [
        RecordWrite(long, {"Phone": "1" * 41}),
        RecordWrite(good, {"Phone": "030 7"}),
        RecordWrite(gone, {"Phone": "030 8"}),
        RecordWrite("003Sb000000zzzzAAA", {"Phone": "030 9"}),
        RecordWrite("no id", {"Phone": "030 9"}),
        RecordWrite(late, {"Phone": "030 6"}),
    ]
    results = sf.write("Contact", rows)
    assert outcomes(results) == ["failed", "applied", "gone", "gone", "failed", "applied"]
    assert results[0].reason
    assert "STRING_TOO_LONG" in results[0].reason
    assert "1" * 41 not in results[0].reason
    assert org.record("Contact", late)["fields"]["Phone"] == "030 6"
    [refused] = sf.write("Lead", [RecordWrite(converted, {"Phone": "030 1"})])
    assert refused.outcome == "gone"
    assert refused.reason == "The lead was converted and is read-only: its contact carries the numbers now."


def test_a_validation_rule_is_reported_in_its_own_words(sf: SalesforceCrm, org: StandIn) -> None:
    rule = {"object": "Contact", "field": "Phone", "pattern": r"^\+", "message": "Numbers start with a plus."}
    org.settings(validation_rules=[rule])
    one, other = contact(org), contact(org)
    results = sf.write("Contact", [RecordWrite(one, {"Phone": "030"}), RecordWrite(other, {"Phone": "+49"})])
    assert outcomes(results) == ["failed", "applied"]
    assert "Numbers start with a plus." in (results[0].reason or "")


def test_a_locked_row_comes_back_to_be_tried_again(sf: SalesforceCrm, org: StandIn) -> None:
    ids = [contact(org) for _ in range(3)]
    org.fault("write", "row_locked", rows="one")
    results = sf.write("Contact", [RecordWrite(record_id, {"Phone": "030 5"}) for record_id in ids])
    assert outcomes(results) == ["retry", "applied", "applied"]
    assert "UNABLE_TO_LOCK_ROW" in (results[0].reason or "")


def test_a_merged_record_names_the_one_that_is_left(sf: SalesforceCrm, org: StandIn) -> None:
    first, second, third = contact(org), contact(org), contact(org)
    org.merge("Contact", second, first)
    [result] = sf.write("Contact", [RecordWrite(first, {"Phone": "030 5"})])
    assert (result.outcome, result.merged_into) == ("gone", second)
    org.merge("Contact", third, second)
    [result] = sf.write("Contact", [RecordWrite(first, {"Phone": "030 5"})])
    assert (result.outcome, result.merged_into) == ("gone", third), "merges of merges are followed"


def test_a_hidden_column_stops_the_run_and_names_the_remedy(sf: SalesforceCrm, org: StandIn) -> None:
    record_id = contact(org)
    with pytest.raises(FieldMissing, match=r"RT_Nope__c of Contact.*edit access.*ringtrue prepare"):
        sf.write("Contact", [RecordWrite(record_id, {"RT_Nope__c": "x", "Phone": "030 5"})])
    assert org.record("Contact", record_id)["fields"].get("Phone") is None


def test_a_read_only_column_stops_the_run(sf: SalesforceCrm, org: StandIn) -> None:
    record_id = contact(org)
    org.fault("any", "read_only_field", field="Contact.OtherPhone")
    assert not connect(org.url).describe("Contact")["OtherPhone"].writable
    with pytest.raises(FieldNotWritable, match="OtherPhone"):
        sf.write("Contact", [RecordWrite(record_id, {"OtherPhone": "030 5"})])


def test_duplicate_rules_do_not_stand_in_the_way(sf: SalesforceCrm, org: StandIn) -> None:
    contact(org, Phone="+49 30 901820")
    org.settings(duplicate_fields={"Contact": ["Phone"]})
    record_id = contact(org)
    assert outcomes(sf.write("Contact", [RecordWrite(record_id, {"Phone": "+49 30 901820"})])) == ["applied"]


def test_leads_keep_their_owner_even_after_a_renewed_session(sf: SalesforceCrm, org: StandIn) -> None:
    record_id = lead(org)
    owner = org.record("Lead", record_id)["fields"]["OwnerId"]
    sf.describe("Lead")
    org.fault("write", "expired_session")
    assert outcomes(sf.write("Lead", [RecordWrite(record_id, {"Phone": "030 5"})])) == ["applied"]
    assert sf.usage.calls["login"] == 2
    assert org.record("Lead", record_id)["fields"]["OwnerId"] == owner
    assert len(org.history("Lead", record_id, "Phone")) == 1


@pytest.mark.parametrize("kind", ["drop_before", "drop_after", "drop_mid_body", "status_500", "html_502"])
def test_a_write_of_unknown_fate_is_sent_once(sf: SalesforceCrm, org: StandIn, kind: str) -> None:
    record_id = contact(org)
    sf.describe("Contact")
    org.fault("write", kind)
    with pytest.raises(ConnectionLost):
        sf.write("Contact", [RecordWrite(record_id, {"Phone": "030 5"})])
    arrived = kind in ("drop_after", "drop_mid_body")
    assert len(org.history("Contact", record_id, "Phone")) == int(arrived)
    assert sf.usage.calls["write"] == 1
    assert sf.read("Contact", [record_id], ["Phone"])[record_id].values["Phone"] == ("030 5" if arrived else None)


@pytest.mark.parametrize("kind", ["status_503", "status_429", "expired_session"])
def test_a_write_that_was_turned_away_happens_once(sf: SalesforceCrm, org: StandIn, kind: str) -> None:
    record_id = contact(org)
    sf.describe("Contact")
    org.fault("write", kind, times=1)
    assert outcomes(sf.write("Contact", [RecordWrite(record_id, {"Phone": "030 5"})])) == ["applied"]
    assert sf.usage.calls["write"] == 2
    assert len(org.history("Contact", record_id, "Phone")) == 1


def test_the_history_names_us(sf: SalesforceCrm, org: StandIn) -> None:
    record_id = contact(org)
    sf.write("Contact", [RecordWrite(record_id, {"Phone": "030 5"})])
    assert org.history("Contact", record_id, "Phone")[0]["source"] == "integration:RingTrue"


def test_a_conditional_write_leaves_a_newer_edit_alone(sf: SalesforceCrm, org: StandIn) -> None:
    record_id = contact(org, Phone="030 1")
    modified = sf.read("Contact", [record_id], ["Phone"])[record_id].modified_at
    before = modified - timedelta(seconds=2)
    result = sf.write_if_unmodified("Contact", RecordWrite(record_id, {"Phone": "030 2"}), before)
    assert result.outcome == "changed"
    assert org.record("Contact", record_id)["fields"]["Phone"] == "030 1"
    result = sf.write_if_unmodified("Contact", RecordWrite(record_id, {"Phone": None}), modified)
    assert result.outcome == "applied"
    assert org.record("Contact", record_id)["fields"].get("Phone") is None
    assert sf.usage.calls["write"] == 2


def test_conditional_writes_tell_the_fates_apart(sf: SalesforceCrm, org: StandIn) -> None:
    now = datetime.now(UTC) + timedelta(days=900)
    alive, other, gone, survivor = contact(org), contact(org), contact(org), contact(org)
    org.merge("Contact", survivor, gone)
    merged = sf.write_if_unmodified("Contact", RecordWrite(gone, {"Phone": "030 1"}), now)
    assert (merged.outcome, merged.merged_into) == ("gone", survivor)
    long = sf.write_if_unmodified("Contact", RecordWrite(alive, {"Phone": "1" * 41}), now)
    assert long.outcome == "failed"
    assert "STRING_TOO_LONG" in (long.reason or "")
    org.fault("write", "row_locked", rows="all", times=0)
    assert sf.write_if_unmodified("Contact", RecordWrite(other, {"Phone": "030 1"}), now).outcome == "retry"
    org.clear_faults()
    org.fault("write", "row_locked", rows="all", times=2)
    assert sf.write_if_unmodified("Contact", RecordWrite(other, {"Phone": "030 1"}), now).outcome == "applied"
    with pytest.raises(FieldMissing, match="RT_Nope__c"):
        sf.write_if_unmodified("Contact", RecordWrite(alive, {"RT_Nope__c": "x"}), now)
    with pytest.raises(ValueError, match="not a Salesforce record id"):
        sf.write_if_unmodified("Contact", RecordWrite("../../limits", {"Phone": "1"}), now)


def test_reads_tell_the_living_the_dead_and_the_merged(sf: SalesforceCrm, org: StandIn) -> None:
    alive, dead, survivor, loser = contact(org, Phone="030 1"), contact(org), contact(org), contact(org)
    org.delete("Contact", dead)
    org.merge("Contact", survivor, loser)
    short = alive[:15]
    found = sf.read("Contact", [short, dead, loser, survivor, "003Sb000000zzzzAAA"], ["Phone", "DoNotCall"])
    assert set(found) == {short, dead, loser, survivor}
    assert found[short].values == {"Phone": "030 1", "DoNotCall": "false"}
    assert found[short].record_id == alive
    assert not found[short].deleted
    assert found[dead].deleted
    assert found[dead].merged_into is None
    assert (found[loser].deleted, found[loser].merged_into) == (True, survivor)
    assert sf.read("Contact", [], ["Phone"]) == {}
    with pytest.raises(ValueError, match="at most 2000"):
        sf.read("Contact", [alive] * 2001, ["Phone"])
    with pytest.raises(ValueError, match="not a Salesforce record id"):
        sf.read("Contact", ["x' OR Name != '"], ["Phone"])


def test_six_hundred_records_are_one_call(sf: SalesforceCrm, org: StandIn) -> None:
    ids = [one for page in sf.pull_ids("Contact") for one in page][:2000]
    sf.describe("Contact")
    before = sf.usage.total()
    assert set(sf.read("Contact", ids, ["Phone"])) == set(ids)
    assert sf.usage.total() - before == 1
