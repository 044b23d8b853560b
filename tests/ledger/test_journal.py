"""The journal: every change is written down before it is sent, and has one end."""

from __future__ import annotations

import pytest

from ringtrue.ledger import Ledger, contacts, dirty, journal
from ringtrue.ledger.database import fetch
from ringtrue.ledger.journal import Change, Fields, Plan, Planned
from tests.ledger.build import MOBILE, NOW, OWN, pull, record

STATUS: Fields = {OWN.status: [None, "active"]}


@pytest.fixture(autouse=True)
def records(ledger: Ledger) -> None:
    """Contacts 1, 2 and 3 that wait for nothing."""
    pull(ledger, record("a", Phone=MOBILE), record("b"), record("c"))
    with ledger.write() as book:
        book.exec_driver_sql("DELETE FROM dirty_contacts")


def change(
    contact_id: int, fields: Fields | None = None, *, guarded: bool = False, undoes: int | None = None
) -> Planned:
    return Planned("Contact", "abc"[contact_id - 1], contact_id, fields or STATUS, guarded, [], undoes)


def sealed(ledger: Ledger, *rows: Planned, run: str = "run", purpose: journal.Purpose = "sync") -> Plan:
    plan_id = journal.new_plan_id()
    with ledger.write() as book:
        journal.supersede(book, "salesforce", [row.contact_id for row in rows] or [0], NOW)
        journal.add(book, plan_id, "salesforce", rows, run, NOW)
        return journal.seal(book, plan_id, "salesforce", purpose, run, NOW, {})


def waiting(
    ledger: Ledger, plan: Plan, *, guarded: bool = False, limit: int = 10, only: str | None = None
) -> list[Change]:
    with ledger.read() as book:
        return journal.planned(
            book, "salesforce", plan.plan_id, "Contact", guarded=guarded, after=0, limit=limit, only=only
        )


def start(ledger: Ledger, rows: list[Change], *, job: str | None = None, run: str = "run") -> None:
    with ledger.write() as book:
        journal.start(book, rows, batch="b1", job=job, run=run, root_run=run, now=NOW)


def end(ledger: Ledger, row: Change, state: journal.State, error: str | None = None) -> None:
    with ledger.write() as book:
        journal.finish(book, [(state, error, row.change_id)], NOW)


def states(ledger: Ledger) -> list[tuple[str, str]]:
    with ledger.read() as book:
        return [(row[0], row[1]) for row in fetch(book, "SELECT record_id, state FROM changes ORDER BY change_id")]


def test_a_plan_holds_what_is_to_be_sent_and_its_hash_is_its_content(ledger: Ledger) -> None:
    both: Fields = {OWN.status: [None, 'a ":[ b'], OWN.reason: [None, "why"]}
    first = sealed(ledger, change(1, both), change(2))
    assert (first.records, first.fields) == (2, 3)
    with ledger.read() as book:
        assert journal.open_plan(book, "salesforce") == first
        assert journal.find_plan(book, first.plan_id) == first
        assert journal.open_plan(book, "hubspot") is None
    again = sealed(ledger)
    assert again.hash == first.hash, "the same changes, adopted"
    assert sealed(ledger, change(3)).hash != first.hash


def test_a_newer_plan_replaces_what_it_plans_anew_and_adopts_the_rest(ledger: Ledger) -> None:
    first = sealed(ledger, change(1), change(2), change(3))
    end(ledger, waiting(ledger, first)[1], "failed", "locked")
    second = sealed(ledger, change(1, {OWN.status: [None, "invalid"]}))
    assert second.records == 3
    assert states(ledger) == [("a", "superseded"), ("b", "planned"), ("c", "planned"), ("a", "planned")]
    assert [row.record_id for row in waiting(ledger, second)] == ["b", "c", "a"]
    with ledger.read() as book:
        assert fetch(book, "SELECT state FROM plans WHERE plan_id = :id", {"id": first.plan_id}) == [("closed",)]


def test_what_a_planner_journalled_before_it_was_killed_is_adopted(ledger: Ledger) -> None:
    with ledger.write() as book:
        journal.add(book, journal.new_plan_id(), "salesforce", [change(1), change(2)], "killed", NOW)
    plan = sealed(ledger, change(2), change(3))
    assert plan.records == 3
    assert [row.record_id for row in waiting(ledger, plan)] == ["a", "b", "c"]
    assert states(ledger) == [("a", "planned"), ("b", "superseded"), ("b", "planned"), ("c", "planned")]


def test_a_count_kept_while_planning_gives_the_hash_of_the_rows(ledger: Ledger) -> None:
    plan_id = journal.new_plan_id()
    with ledger.write() as book:
        content = journal.add(book, plan_id, "salesforce", [change(1)], "run", NOW)
        content.merge(journal.add(book, plan_id, "salesforce", [change(2)], "run", NOW))
        kept = journal.seal(book, plan_id, "salesforce", "sync", "run", NOW, {}, content)
    assert sealed(ledger).hash == kept.hash
    stale = journal.new_plan_id()
    with ledger.write() as book:
        content = journal.add(book, stale, "salesforce", [change(3)], "run", NOW)
        # Somebody else ended the row meanwhile: the count is not believed.
        journal.supersede(book, "salesforce", [3], NOW)
        assert journal.seal(book, stale, "salesforce", "sync", "run", NOW, {}, content).hash == kept.hash


def test_changes_come_in_order_in_batches_and_by_record(ledger: Ledger) -> None:
    plan = sealed(ledger, change(1), change(2, guarded=True), change(3))
    assert [row.record_id for row in waiting(ledger, plan)] == ["a", "c"]
    assert [row.record_id for row in waiting(ledger, plan, limit=1)] == ["a"]
    assert [row.record_id for row in waiting(ledger, plan, guarded=True)] == ["b"]
    assert [row.record_id for row in waiting(ledger, plan, only="c")] == ["c"]
    with ledger.read() as book:
        assert journal.count_planned(book, "salesforce", plan.plan_id) == {
            ("Contact", False): 2,
            ("Contact", True): 1,
        }


def test_a_contact_whose_decision_changed_since_is_not_sent(ledger: Ledger) -> None:
    plan = sealed(ledger, change(1), change(2))
    with ledger.write() as book:
        dirty.mark_contacts(book, dirty.changes_stage("salesforce"), [1])
    assert [row.record_id for row in waiting(ledger, plan)] == ["b"]


def test_what_is_sent_is_known_with_its_batch_or_job_before_it_goes(ledger: Ledger) -> None:
    plan = sealed(ledger, change(1), change(2))
    one, two = waiting(ledger, plan)
    start(ledger, [one])
    start(ledger, [two], job="750")
    with ledger.read() as book:
        open_rows = journal.sending(book, "salesforce", 10)
        assert [
            (row.record_id, row.batch, row.job, row.attempts) for row in journal.of_job(book, "salesforce", "750")
        ] == [("b", "b1", "750", 1)]
        assert journal.sending(book, "hubspot", 10) == []
    assert {row.record_id for row in open_rows} == {"a", "b"}
    end(ledger, one, "applied")
    end(ledger, two, "failed", "no")
    with ledger.read() as book:
        assert journal.sending(book, "salesforce", 10) == []
        assert journal.run_counts(book, "run") == {"applied": 1, "failed": 1}
        assert journal.has_written(book, "salesforce")
        assert not journal.has_written(book, "hubspot")


def test_a_change_that_did_not_arrive_goes_back_unless_a_newer_one_waits(ledger: Ledger) -> None:
    plan = sealed(ledger, change(1), change(2))
    rows = waiting(ledger, plan)
    start(ledger, rows)
    newer = sealed(ledger, change(1, {OWN.status: [None, "invalid"]}))
    with ledger.write() as book:
        journal.back_to_plan(book, "salesforce", rows, "lost", NOW)
        journal.back_to_plan(book, "salesforce", [], "lost", NOW)
    assert states(ledger) == [("a", "superseded"), ("b", "planned"), ("a", "planned")]
    assert [row.record_id for row in waiting(ledger, newer)] == ["b", "a"], "it moved into the open plan"


def test_fields_that_end_otherwise_are_split_off(ledger: Ledger) -> None:
    plan = sealed(ledger, change(1, {"Phone": ["1", "+1"], OWN.status: [None, "active"]}, guarded=True))
    [row] = waiting(ledger, plan, guarded=True)
    with ledger.write() as book:
        rest = journal.split_off(
            book, plan.plan_id, "salesforce", row, {"Phone": ["1", "+1"]}, "conflict", "edited", "run", NOW
        )
    assert rest.after() == {OWN.status: "active"}
    assert states(ledger) == [("a", "planned"), ("a", "conflict")]
    assert waiting(ledger, plan, guarded=True)[0].fields == rest.fields


def test_a_persons_edit_to_be_restored_outlives_a_crash_and_a_newer_plan(ledger: Ledger) -> None:
    plan = sealed(ledger, change(1))
    [row] = waiting(ledger, plan)
    start(ledger, [row])
    end(ledger, row, "conflict")
    with ledger.write() as book:
        back = change(1, {"Phone": ["+1", "2"]}, guarded=True, undoes=row.change_id)
        journal.add(book, plan.plan_id, "salesforce", [back], "run", NOW)
    newer = sealed(ledger, change(1, {OWN.status: [None, "invalid"]}))
    assert [one.fields for one in waiting(ledger, newer, guarded=True)] == [{"Phone": ["+1", "2"]}]


def test_changes_of_an_undo_are_no_part_of_a_sync(ledger: Ledger) -> None:
    sealed(ledger, change(1, undoes=7), purpose="undo", run="undo-1")
    plan = sealed(ledger, change(2))
    assert [row.record_id for row in waiting(ledger, plan)] == ["b"]


def test_what_the_guard_let_pass_is_not_counted_again(ledger: Ledger) -> None:
    plan = sealed(ledger, change(1), change(2))
    with ledger.write() as book:
        assert len(list(journal.not_cleared(book, "salesforce", plan.plan_id))) == 2
        journal.clear_plan(book, "salesforce", plan.plan_id)
    later = sealed(ledger, change(3))
    with ledger.read() as book:
        assert [name for name, _ in journal.not_cleared(book, "salesforce", later.plan_id)] == ["Contact"]


def test_an_approval_is_for_the_content(ledger: Ledger) -> None:
    plan = sealed(ledger, change(1))
    with ledger.write() as book:
        journal.approve(book, plan, "ann", NOW)
    same = sealed(ledger)
    assert (same.approved_by, same.approved_hash) == ("ann", same.hash)
    with ledger.read() as book:
        assert journal.find_plan(book, same.plan_id) == same
    other = sealed(ledger, change(2))
    assert other.approved_hash is None


def test_a_written_value_is_the_one_seen_last(ledger: Ledger) -> None:
    with ledger.write() as book:
        journal.remember_written(
            book,
            "salesforce",
            [(1, {OWN.status: "active", "Phone": "+441"}), (1, {OWN.reason: "why"}), (2, {OWN.do_not_call: "true"})],
            frozenset(OWN.phone_status),
            OWN.do_not_call,
        )
        journal.remember_written(
            book, "salesforce", [(1, {OWN.reason: None})], frozenset(OWN.phone_status), OWN.do_not_call
        )
        journal.remember_written(book, "salesforce", [], frozenset(), OWN.do_not_call)
        rows = fetch(book, "SELECT ours, phones, do_not_call, do_not_call_ours FROM contacts ORDER BY contact_id")
    assert [(row[0], row[1], bool(row[2]), bool(row[3])) for row in rows] == [
        (contacts.dumps({OWN.status: "active"}), '{"Phone":"+441"}', False, False),
        (contacts.dumps({OWN.do_not_call: "true"}), "{}", True, True),
        ("{}", "{}", False, False),
    ]


def test_living_records_are_those_not_deleted(ledger: Ledger) -> None:
    pull(ledger, record("a", deleted=True))
    with ledger.read() as book:
        assert journal.living_records(book, "salesforce") == 2
