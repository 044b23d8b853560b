"""Taking a run back: what is planned, what is held, and when a hold ends."""

from __future__ import annotations

import pytest

from ringtrue.errors import PlanRefused
from ringtrue.ledger import Ledger, dirty, journal, undo
from ringtrue.ledger.database import fetch
from ringtrue.ledger.journal import Fields, Planned
from tests.ledger.build import MOBILE, NOW, OWN, pull, record

RUN, RETRY = "aa11-root", "bb22-retry"
OBJECTS = {"Contact": OWN}


def applied(ledger: Ledger, contact_id: int, fields: Fields, *, run: str = RUN, root: str = RUN) -> int:
    """A change that a run has written."""
    plan_id = journal.new_plan_id()
    with ledger.write() as book:
        planned = Planned("Contact", "abc"[contact_id - 1], contact_id, fields, False, [])
        journal.add(book, plan_id, "salesforce", [planned], run, NOW)
        journal.seal(book, plan_id, "salesforce", "sync", run, NOW, {})
        [row] = journal.planned(book, "salesforce", plan_id, "Contact", guarded=False, after=0, limit=1)
        journal.start(book, [row], batch="b", job=None, run=run, root_run=root, now=NOW)
        journal.finish(book, [("applied", None, row.change_id)], NOW)
    return row.change_id


def planned_undo(ledger: Ledger, run: str = RUN) -> tuple[str, list[journal.Change]]:
    plan_id = journal.new_plan_id()
    with ledger.write() as book:
        wanted = undo.undoable(book, "salesforce", run, OBJECTS)
        journal.add(book, plan_id, "salesforce", wanted.planned, "undo-1", NOW)
        journal.seal(book, plan_id, "salesforce", "undo", "undo-1", NOW, {"undoes": run})
        rows = journal.planned(book, "salesforce", plan_id, "Contact", guarded=True, after=0, limit=10)
    return plan_id, rows


@pytest.fixture(autouse=True)
def records(ledger: Ledger) -> None:
    pull(ledger, record("a", Phone=MOBILE), record("b"), record("c"))
    with ledger.write() as book:
        book.exec_driver_sql("DELETE FROM dirty_contacts")


def test_a_runs_changes_are_planned_backwards_and_do_not_call_stays(ledger: Ledger) -> None:
    applied(ledger, 1, {OWN.status: [None, "invalid"], OWN.do_not_call: ["false", "true"]})
    applied(ledger, 2, {OWN.do_not_call: ["false", "true"]})
    applied(ledger, 3, {OWN.status: [None, "active"]}, run="other", root="other")
    with ledger.read() as book:
        wanted = undo.undoable(book, "salesforce", RUN, OBJECTS)
    assert [(row.record_id, row.fields, row.guarded) for row in wanted.planned] == [
        ("a", {OWN.status: ["invalid", None]}, True)
    ]
    assert wanted.flags_kept == 2


def test_a_run_is_its_root_run_retries_included(ledger: Ledger) -> None:
    applied(ledger, 1, {OWN.status: [None, "invalid"]})
    applied(ledger, 2, {OWN.status: [None, "active"]}, run=RETRY, root=RUN)
    with ledger.read() as book:
        assert undo.connections_of(book, "aa11") == (RUN, ["salesforce"])
        assert len(undo.undoable(book, "salesforce", RUN, OBJECTS).planned) == 2
        assert undo.connections_of(book, RETRY) == (RETRY, [])


def test_the_beginning_of_two_runs_is_refused_and_wild_cards_mean_nothing(ledger: Ledger) -> None:
    applied(ledger, 1, {OWN.status: [None, "invalid"]})
    applied(ledger, 2, {OWN.status: [None, "active"]}, run="aa12", root="aa12")
    with ledger.read() as book:
        with pytest.raises(PlanRefused, match="beginning of 2 runs"):
            undo.connections_of(book, "aa1")
        with pytest.raises(PlanRefused):
            undo.connections_of(book, "")
        assert undo.connections_of(book, "%") == ("%", [])


def test_what_was_put_back_is_reverted_and_held(ledger: Ledger) -> None:
    original = applied(ledger, 1, {OWN.status: [None, "invalid"]})
    kept = applied(ledger, 2, {OWN.status: [None, "active"]})
    plan_id, rows = planned_undo(ledger)
    by_record = {row.record_id: row for row in rows}
    with ledger.write() as book:
        journal.finish(book, [("applied", None, by_record["a"].change_id)], NOW)
        journal.finish(book, [("conflict", "edited", by_record["b"].change_id)], NOW)
        ends = undo.finish(book, plan_id, "undo-1", NOW)
        assert ends == {"applied": 1, "conflict": 1}
        assert fetch(book, "SELECT contact_id, field, refused, run FROM holds") == [
            (1, OWN.status, "invalid", "undo-1")
        ]
        found = dict(tuple(row) for row in fetch(book, "SELECT change_id, state FROM changes WHERE undoes IS NULL"))
    assert found == {original: "reverted", kept: "applied"}
    with ledger.read() as book:
        assert undo.connections_of(book, RUN) == (RUN, ["salesforce"]), "the conflict may be tried again"


def test_an_interrupted_undo_ends_with_what_it_did(ledger: Ledger) -> None:
    applied(ledger, 1, {OWN.status: [None, "invalid"]})
    applied(ledger, 2, {OWN.status: [None, "active"]})
    plan_id, rows = planned_undo(ledger)
    with ledger.write() as book:
        journal.finish(book, [("applied", None, rows[0].change_id)], NOW)
        assert undo.interrupted(book, "salesforce") == [(plan_id, "undo-1")]
        undo.finish(book, plan_id, "undo-1", NOW)
        assert undo.interrupted(book, "salesforce") == []
        assert len(fetch(book, "SELECT 1 FROM holds")) == 1
        assert fetch(book, "SELECT count(*) FROM changes WHERE state = 'planned'") == [(0,)]
        assert len(undo.undoable(book, "salesforce", RUN, OBJECTS).planned) == 1, "the rest is left to undo"


def test_release_lifts_holds_and_wakes_their_contacts(ledger: Ledger) -> None:
    applied(ledger, 1, {OWN.status: [None, "invalid"]})
    applied(ledger, 2, {OWN.status: [None, "active"], OWN.reason: [None, "why"]})
    plan_id, rows = planned_undo(ledger)
    with ledger.write() as book:
        journal.finish(book, [("applied", None, row.change_id) for row in rows], NOW)
        undo.finish(book, plan_id, "undo-1", NOW)
        assert undo.release(book, run="undo-2") == 0
        assert undo.release(book, record="a") == 1
        assert undo.release(book, run="undo-1") == 2
        assert [key for key, _ in dirty.next_contacts(book, dirty.changes_stage("salesforce"), 10)] == [1, 2]
        assert undo.release(book) == 0
