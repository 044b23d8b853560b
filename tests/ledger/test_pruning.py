"""What is deleted from the ledger after a while, and what is not; and what plans that passed the guard are remembered for."""

from __future__ import annotations

from collections import Counter

import orjson

from ringtrue.ledger import Ledger, plan_history, pruning
from ringtrue.ledger.database import fetch, insert_rows
from tests.ledger.build import NOW

DAY_MS = 86_400_000
OLD = NOW - 100 * DAY_MS


def plan(ledger: Ledger, plan_id: str, at: int, *, state: str = "closed", approved_by: str | None = None) -> None:
    with ledger.write() as book:
        insert_rows(
            book,
            "plans",
            ["plan_id", "connection", "purpose", "created_at", "run", "records", "fields", "hash", "summary", "state", "approved_by"],
            [(plan_id, "salesforce", "sync", at, "run", 1, 1, "", "{}", state, approved_by)],
        )  # fmt: skip


def change(ledger: Ledger, plan_id: str, state: str, at: int, undoes: int | None = None) -> None:
    with ledger.write() as book:
        insert_rows(
            book,
            "changes",
            ["plan_id", "connection", "object", "record_id", "contact_id", "fields", "guarded", "decisions", "state", "undoes", "changed_at"],
            [(plan_id, "salesforce", "Contact", f"{state} {at}", 1, "{}", False, "[]", state, undoes, at)],
        )  # fmt: skip


def left(ledger: Ledger, sql: str) -> set[str]:
    with ledger.read() as book:
        return {row[0] for row in fetch(book, sql)}


def test_only_changes_that_never_reached_a_crm_are_forgotten(ledger: Ledger) -> None:
    for state in ("applied", "reverted", "failed", "conflict", "skipped", "planned", "superseded"):
        change(ledger, "one", state, OLD)
    change(ledger, "undo", "superseded", OLD + 1, undoes=1)
    change(ledger, "two", "superseded", NOW)
    assert pruning.prune_changes(ledger, NOW - 90 * DAY_MS) == 1
    kept = left(ledger, "SELECT record_id FROM changes")
    assert f"superseded {OLD}" not in kept
    assert len(kept) == 8


def test_plans_stay_as_long_as_anything_of_them_does(ledger: Ledger) -> None:
    plan(ledger, "written", OLD)
    change(ledger, "written", "applied", OLD)
    plan(ledger, "empty", OLD)
    plan(ledger, "approved", OLD, approved_by="ann")
    plan(ledger, "open", OLD, state="open")
    plan(ledger, "recent", NOW)
    assert pruning.prune_plans(ledger, NOW - 90 * DAY_MS) == 1
    assert left(ledger, "SELECT plan_id FROM plans") == {"written", "approved", "open", "recent"}


def test_what_plans_counted_when_they_passed(ledger: Ledger) -> None:
    for place, plan_id in enumerate(("first", "second", "not passed", "third")):
        plan(ledger, plan_id, NOW + place)
    with ledger.write() as book:
        plan_history.note_passed(book, "first", Counter({"newly retired": 500}), first=True)
        plan_history.note_passed(book, "second", Counter({"newly retired": 3, "records": 9}), first=False)
        plan_history.note_passed(book, "second", Counter({"newly retired": 1, "reversed decisions": 0}), first=False)
        plan_history.note_passed(book, "third", Counter({"newly retired": 0}), first=False)
    with ledger.read() as book:
        assert plan_history.passed(book, "salesforce", NOW) == [{"newly retired": 4, "records": 9}, {}]
        assert plan_history.passed(book, "salesforce", NOW + 3) == [{}]
        assert plan_history.passed(book, "hubspot", NOW) == []
        [(summary,)] = fetch(book, "SELECT summary FROM plans WHERE plan_id = 'first'")
    assert orjson.loads(summary) == {"passed": {"counts": {"newly retired": 500}, "first": True}}
