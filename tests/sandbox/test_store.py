"""The record store keeps every change with its author, in order, over restarts."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandbox.store import RecordStore, json_value


@pytest.fixture
def store(tmp_path: Path) -> RecordStore:
    store = RecordStore(tmp_path / "crm.db")
    store.insert_many(
        "Contact", [(f"id{n:02d}", 1000 + n, {"Phone": f"555-01{n:02d}", "DoNotCall": False}) for n in range(10)]
    )
    return store


def test_an_equal_value_moves_the_time_but_leaves_no_history(store: RecordStore) -> None:
    assert store.update("Contact", "id03", {"Phone": "555-0103"}, "integration:x", 5000) is False
    assert store.require("Contact", "id03").modified_at == 5000
    assert store.history_of("Contact", "id03") == []


def test_history_names_field_values_author_and_time(store: RecordStore) -> None:
    store.update("Contact", "id03", {"Phone": "+15550103", "DoNotCall": True}, "user:ann", 6000)
    edits = {edit.field: edit for edit in store.history_of("Contact", "id03")}
    assert (edits["Phone"].old, edits["Phone"].new, edits["Phone"].source, edits["Phone"].at) == (
        "555-0103",
        "+15550103",
        "user:ann",
        6000,
    )
    assert (edits["DoNotCall"].old, edits["DoNotCall"].new) == (False, True)
    assert [edit.field for edit in store.history_of("Contact", "id03", ["Phone"])] == ["Phone"]


def test_a_batch_with_an_unknown_id_updates_the_others(store: RecordStore) -> None:
    results = store.update_many("Contact", [("id01", {"Phone": "1"}), ("none", {"Phone": "2"})], "user:ann", 7000)
    assert results[0] is not None
    assert results[0].changed
    assert results[1] is None


def test_an_error_inside_a_transaction_undoes_all_of_it(store: RecordStore) -> None:
    def fail() -> None:
        with store.transaction():
            store.update("Contact", "id01", {"Phone": "gone"}, "user:ann", 7000)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert store.require("Contact", "id01").fields["Phone"] == "555-0101"


def test_changes_come_by_time_then_id_and_ties_are_not_skipped(store: RecordStore) -> None:
    for record_id in ("id05", "id02", "id07"):
        store.update("Contact", record_id, {"Phone": "x"}, "user:ann", 9000)
    seen, cursor = [], (8000, "")
    while page := store.changed_since("Contact", *cursor, limit=1):
        seen.append(page[0].record_id)
        cursor = (page[0].modified_at, page[0].record_id)
    assert seen == ["id02", "id05", "id07"]


def test_deleted_and_merged_records_leave_lists_and_lead_to_the_survivor(store: RecordStore) -> None:
    store.delete("Contact", "id00", "user:ann", 2000)
    store.merge("Contact", "id01", "id02", "merge:id02", 3000, {"HomePhone": "555-0199"})
    store.merge("Contact", "id03", "id01", "merge:id01", 4000)
    assert [record.record_id for record in store.page_by_id("Contact", limit=3)] == ["id03", "id04", "id05"]
    survivor = store.resolve("Contact", "id02")
    assert survivor is not None
    assert survivor.record_id == "id03"
    assert store.count("Contact") == 7
    assert store.count("Contact", include_deleted=True) == 10
    assert store.undelete("Contact", "id00", "user:ann", 5000)
    assert store.count("Contact") == 8


def test_queries_see_field_values(store: RecordStore) -> None:
    found = store.query("Contact", f"{json_value('Phone')} LIKE ? AND {json_value('DoNotCall')} = 0", ("%0104",))
    assert [record.record_id for record in found] == ["id04"]


def test_associations_read_from_both_sides(store: RecordStore) -> None:
    store.link_many("Task", "Contact", [("t1", "id01"), ("t2", "id01")], 5)
    assert [one for one, _ in store.linked("Contact", "id01", "Task")] == ["t1", "t2"]
    store.unlink_many("Contact", "Task", [("id01", "t1")])
    assert store.linked("Task", "t1", "Contact") == []


def test_a_second_start_finds_everything(store: RecordStore, tmp_path: Path) -> None:
    store.set_setting("job:1", {"state": "Open"})
    number = store.next_number("jobs")
    store.update("Contact", "id03", {"Phone": "new"}, "user:ann", 6000)
    store.close()
    again = RecordStore(tmp_path / "crm.db")
    assert again.setting("job:1") == {"state": "Open"}
    assert again.next_number("jobs") == number + 1
    assert again.history_of("Contact", "id03")[0].new == "new"
    again.close()
