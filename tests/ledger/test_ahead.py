"""A delivery ahead of the sync beside a sync of the same connection: no field is written twice, and none is lost."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection

from ringtrue.ledger import Ledger, ahead, beside, dirty, journal, suppressing
from ringtrue.ledger.contacts import PullCounts, store_page
from ringtrue.ledger.database import fetch
from ringtrue.ledger.journal import Change, Fields, Planned
from tests.ledger.build import MOBILE, NOW, origin, pull, read_numbers, record

FLAG, STATUS, REASON = "DoNotCall", "RingTrue_Status__c", "RingTrue_Reason__c"
NEEDED = frozenset({FLAG})


def plan(book: Connection, purpose: journal.Purpose, fields: Fields, contact_id: int = 1) -> Change:
    """A sealed plan with one change, as the journal hands it out."""
    plan_id = journal.new_plan_id()
    journal.add(book, plan_id, "salesforce", [Planned("Contact", "a", contact_id, fields, False, [])], "run", NOW)
    journal.seal(book, plan_id, "salesforce", purpose, "run", NOW, {})
    [change] = journal.planned(
        book, "salesforce", plan_id, "Contact", guarded=False, after=0, limit=5, marked_too=purpose == "ahead"
    )
    return change


def start(book: Connection, change: Change) -> list[Change]:
    return journal.start(book, [change], batch="b", job=None, run="run", root_run="run", now=NOW)


def states(ledger: Ledger) -> list[tuple[str, str]]:
    with ledger.read() as book:
        return [(row[0], row[1]) for row in fetch(book, "SELECT state, fields FROM changes ORDER BY change_id")]


@pytest.fixture
def known(ledger: Ledger) -> Ledger:
    """One contact with one number, and nothing that waits."""
    pull(ledger, record("a", MobilePhone=MOBILE))
    read_numbers(ledger)
    with ledger.write() as book:
        dirty.forget_contacts(book, dirty.changes_stage("salesforce"), [1])
    return ledger


def test_what_is_written_ahead_is_taken_out_of_the_plan_of_the_sync(known: Ledger) -> None:
    with known.write() as book:
        theirs = plan(book, "sync", {FLAG: [None, "true"], STATUS: ["active", "do_not_call"], REASON: [None, "r"]})
        ours = plan(book, "ahead", {FLAG: [None, "true"], STATUS: ["active", "do_not_call"]})
        assert ahead.claim(book, "salesforce", [ours], NEEDED, NOW) == [ours]
        start(book, ours)
        # The sync read its row before that.
        assert ahead.still_to_send(book, "salesforce", [theirs], NOW) == [], "the record is being written to"
        journal.finish(book, [("applied", None, ours.change_id)], NOW)
        beside.note(book, "salesforce", NOW, busy=False)
        [left] = ahead.still_to_send(book, "salesforce", [theirs], NOW)
    assert left.fields == {REASON: [None, "r"]}
    assert [state for state, _ in states(known)] == ["planned", "applied"]


def test_a_plan_made_while_the_answer_is_awaited_gives_the_fields_up(known: Ledger) -> None:
    with known.write() as book:
        ours = plan(book, "ahead", {FLAG: [None, "true"]})
        ahead.claim(book, "salesforce", [ours], NEEDED, NOW)
        start(book, ours)
        theirs = plan(book, "sync", {FLAG: [None, "true"]})
        assert ahead.still_to_send(book, "salesforce", [theirs], NOW) == []
        journal.finish(book, [("applied", None, ours.change_id)], NOW)
        ahead.take_out(book, "salesforce", [ours], NOW)
        assert ahead.still_to_send(book, "salesforce", [theirs], NOW) == []
    assert [state for state, _ in states(known)] == ["applied", "superseded"]


def test_a_field_that_the_sync_is_sending_is_left_to_it(known: Ledger) -> None:
    with known.write() as book:
        start(book, plan(book, "sync", {STATUS: [None, "active"]}))
        ours = plan(book, "ahead", {FLAG: [None, "true"], STATUS: [None, "do_not_call"]})
        [taken] = ahead.claim(book, "salesforce", [ours], NEEDED, NOW)
    assert taken.fields == {FLAG: [None, "true"]}, "the flag does not wait for a status on its way"
    with known.write() as book:
        start(book, plan(book, "sync", {FLAG: [None, "true"]}))
        again = plan(book, "ahead", {FLAG: [None, "true"], STATUS: [None, "do_not_call"]})
        assert ahead.claim(book, "salesforce", [again], NEEDED, NOW) == []


@pytest.mark.parametrize("contact_ids", [None, [1]])
@pytest.mark.parametrize("end", ["busy", "conflict", "applied"])
def test_what_met_a_write_of_the_sync_or_an_edit_is_planned_anew(
    known: Ledger, end: str, contact_ids: list[int] | None
) -> None:
    with known.write() as book:
        if end == "busy":
            start(book, plan(book, "sync", {STATUS: [None, "active"]}))
        ours = plan(book, "ahead", {STATUS: [None, "invalid"]})
        taken = ahead.claim(book, "salesforce", [ours], frozenset({STATUS}), NOW)
        assert bool(taken) == (end != "busy")
        if end != "busy":
            start(book, ours)
            journal.finish(book, [("conflict" if end == "conflict" else "applied", None, ours.change_id)], NOW)
        assert ahead.settled(book, ours.plan_id, [1]) == ({1} if end == "applied" else set())
        ahead.close(book, "salesforce", ours.plan_id, NOW, contact_ids)
        marked = dirty.marks_of(book, "contact_id", dirty.changes_stage("salesforce"), [1])
    assert bool(marked) == (end != "applied")


def test_a_flag_that_stands_already_needs_no_other_try(known: Ledger) -> None:
    with known.write() as book:
        ours = plan(book, "ahead", {FLAG: [None, "true"], STATUS: [None, "do_not_call"]})
        stands: Fields = {FLAG: [None, "true"]}
        rest = journal.split_off(book, ours.plan_id, "salesforce", ours, stands, "superseded", ahead.STANDS, "run", NOW)
        start(book, rest)
        journal.finish(book, [("applied", None, rest.change_id)], NOW)
        assert ahead.settled(book, ours.plan_id, [1]) == {1}


def test_a_change_that_is_planned_anew_ahead_is_not_sent_by_a_sync_that_read_it_before(known: Ledger) -> None:
    with known.write() as book:
        theirs = plan(book, "sync", {STATUS: [None, "active"]})
        ahead.supersede(book, "salesforce", [1], NOW)
        assert ahead.still_to_send(book, "salesforce", [theirs], NOW) == []
        assert start(book, theirs) == []
    assert [state for state, _ in states(known)] == ["superseded"]


def test_values_that_were_written_ahead_are_counted_by_contact(known: Ledger) -> None:
    values: list[Fields] = [
        {STATUS: [None, "active"], REASON: [None, "r"]},
        {STATUS: ["x", "active"], REASON: ["r", "s"]},
    ]
    with known.write() as book:
        for fields in values:
            ours = plan(book, "ahead", fields)
            start(book, ours)
            journal.finish(book, [("applied", None, ours.change_id)], NOW)
        theirs = plan(book, "sync", {STATUS: [None, "active"]})
        start(book, theirs)
        journal.finish(book, [("applied", None, theirs.change_id)], NOW)
        found = ahead.written_since(book, "salesforce", [1, 2], NOW)
        assert ahead.written_since(book, "salesforce", [1], NOW + 1) == {}
        assert ahead.written_since(book, "salesforce", [], NOW) == {}
    assert found == {1: {(STATUS, "active"): 2, (REASON, "r"): 1, (REASON, "s"): 1}}


def test_without_a_delivery_beside_it_a_sync_sends_what_it_read(known: Ledger) -> None:
    with known.write() as book:
        theirs = plan(book, "sync", {STATUS: [None, "active"]})
        assert ahead.still_to_send(book, "salesforce", [theirs], NOW) == [theirs]
        beside.note(book, "salesforce", NOW, busy=False)
        assert not beside.was_beside(book, "salesforce", NOW + 2 * beside.CLOCKS_MS)


def test_a_plan_that_ends_leaves_what_it_did_not_send_to_the_sync(known: Ledger) -> None:
    with known.write() as book:
        ours = plan(book, "ahead", {FLAG: [None, "true"]})
        assert ahead.open_plans(book, "salesforce") == [ours.plan_id]
        ahead.close(book, "salesforce", ours.plan_id, NOW)
        assert ahead.open_plans(book, "salesforce") == []
        assert dirty.marks_of(book, "contact_id", dirty.changes_stage("salesforce"), [1])
    assert [state for state, _ in states(known)] == ["superseded"]


def test_a_pull_beside_a_delivery_takes_our_flag_for_nobodys_wish(known: Ledger) -> None:
    with known.write() as book:
        ours = plan(book, "ahead", {FLAG: [None, "true"]})
        ahead.claim(book, "salesforce", [ours], NEEDED, NOW)
        start(book, ours)
        # The CRM shows the flag already; the answer has not come.
        page = [record("a", minutes=2, MobilePhone=MOBILE, DoNotCall="true")]
        store_page(book, origin(), page, known.key, NOW, PullCounts())
        assert fetch(book, "SELECT flagged_at, do_not_call FROM contacts") in ([(None, 0)], [(None, False)])
        journal.finish(book, [("applied", None, ours.change_id)], NOW)
        journal.remember_written(book, "salesforce", [(1, {FLAG: "true"})], frozenset(), FLAG)
        # A page that was read before the write is stored after it.
        old = [record("a", minutes=1, MobilePhone=MOBILE, DoNotCall="false")]
        store_page(book, origin(), old, known.key, NOW, PullCounts())
        [(flag, by_us)] = fetch(book, "SELECT do_not_call, do_not_call_ours FROM contacts")
    assert flag
    assert by_us


def test_who_opted_out_is_marked_with_the_sources_that_said_so(known: Ledger) -> None:
    with known.write() as book:
        suppressing.add(
            book, known.key, [(MOBILE, "c")], source="import:i1", evidence="list", actor="Ann", at=NOW, now=NOW
        )
        assert dirty.marks_of(book, "contact_id", dirty.do_not_call_stage("salesforce"), [1])
        [found] = ahead.stopped(book, known.key, [1])
        assert (found.record_id, found.sources) == ("a", frozenset({"import:i1"}))
    pull(known, record("b", MobilePhone=MOBILE))
    read_numbers(known)
    with known.write() as book:
        assert dirty.marks_of(book, "contact_id", dirty.do_not_call_stage("salesforce"), [2]), "a new record with it"
