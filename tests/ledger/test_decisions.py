"""Decisions are stored when they say something new, and wake the records they concern."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from ringtrue.ledger import Ledger, decisions, dirty, planning
from ringtrue.ledger.database import fetch
from tests.ledger.build import LANDLINE, MOBILE, NOW, pull, read_numbers, record

CHANGES = dirty.changes_stage("salesforce")


@pytest.fixture(autouse=True)
def records(ledger: Ledger) -> None:
    """Two contacts with numbers that wait for status."""
    pull(ledger, record("a", Phone=MOBILE), record("b", Phone=LANDLINE, MobilePhone=MOBILE))
    read_numbers(ledger)


def decided(
    number: str,
    status: str = "unverified",
    *,
    contact: int | None = None,
    recheck: int | None = None,
    reason: str = "why",
) -> dict[str, Any]:
    return {
        "number": number, "contact": contact, "status": status, "line": "unknown", "reach": "unknown", "identity": "unknown",
        "permission": "ok", "confidence": 0.5, "reason": reason, "recheck_at": recheck, "evidence": ["format:valid"],
    }  # fmt: skip


def frame(*rows: dict[str, Any]) -> pd.DataFrame:
    made = pd.DataFrame(list(rows), columns=list(decided("")))
    made["contact"] = made["contact"].astype("Int64")
    made["recheck_at"] = pd.to_datetime(made["recheck_at"], unit="ms", utc=True)
    return made


def store(ledger: Ledger, *rows: dict[str, Any], policy: str = "p1", now: int = NOW) -> dict[str, int]:
    """Store decisions for everything that waits; a number left out of `rows` has no decision."""
    with ledger.write() as book:
        return decisions.store(book, frame(*rows), dirty.next_numbers(book, decisions.STAGE, 100), policy, now)


def settle(ledger: Ledger) -> None:
    with ledger.write() as book:
        book.exec_driver_sql("DELETE FROM dirty_contacts")


def due(ledger: Ledger) -> list[str]:
    with ledger.read() as book:
        return [number for number, _ in dirty.next_numbers(book, decisions.STAGE, 100)]


def woken(ledger: Ledger) -> list[int]:
    with ledger.read() as book:
        return [key for key, _ in dirty.next_contacts(book, CHANGES, 100)]


def current(ledger: Ledger) -> list[tuple[str, int, str]]:
    with ledger.read() as book:
        rows = fetch(book, "SELECT number, contact_id, status FROM decisions WHERE current ORDER BY number, contact_id")
    return [(row[0], row[1], row[2]) for row in rows]


def again(ledger: Ledger, *numbers: str) -> None:
    settle(ledger)
    with ledger.write() as book:
        dirty.mark_numbers(book, decisions.STAGE, numbers)


def test_a_first_decision_is_new_and_wakes_everybody_with_the_number(ledger: Ledger) -> None:
    settle(ledger)
    counts = store(ledger, decided(MOBILE, "active"), decided(LANDLINE))
    assert counts == {"decided": 2, "new": 2, "kept": 0, "retired": 0}
    assert woken(ledger) == [1, 2]
    assert due(ledger) == []


def test_the_same_decision_is_kept_and_wakes_nobody(ledger: Ledger) -> None:
    store(ledger, decided(MOBILE), decided(LANDLINE))
    again(ledger, MOBILE, LANDLINE)
    counts = store(ledger, decided(MOBILE, recheck=NOW + 5), decided(LANDLINE), policy="p2", now=NOW + 1)
    assert counts == {"decided": 2, "new": 0, "kept": 2, "retired": 0}
    assert woken(ledger) == []
    with ledger.read() as book:
        assert fetch(book, "SELECT decided_at, policy, recheck_at FROM decisions WHERE number = :n", {"n": MOBILE}) == [
            (NOW, "p2", NOW + 5)
        ]


def test_a_new_decision_retires_the_old_one_and_keeps_it(ledger: Ledger) -> None:
    store(ledger, decided(MOBILE), decided(LANDLINE))
    again(ledger, LANDLINE)
    assert store(ledger, decided(LANDLINE, "disconnected"))["new"] == 1
    assert woken(ledger) == [2]
    assert current(ledger) == sorted([(MOBILE, 0, "unverified"), (LANDLINE, 0, "disconnected")])
    with ledger.read() as book:
        assert fetch(book, "SELECT count(*) FROM decisions") == [(3,)]


@pytest.mark.parametrize("contact_first", [True, False])
def test_decisions_without_evidence_are_retired_in_any_order(ledger: Ledger, contact_first: bool) -> None:
    rows = [decided(MOBILE, "wrong_person", contact=1), decided(MOBILE)]
    store(ledger, *(rows if contact_first else rows[::-1]), decided(LANDLINE))
    again(ledger, MOBILE)
    assert store(ledger)["retired"] == 2
    assert current(ledger) == [(LANDLINE, 0, "unverified")]
    assert woken(ledger) == [1, 2]


def test_a_fact_about_one_person_shows_on_that_person_only(ledger: Ledger) -> None:
    store(ledger, decided(MOBILE, "active"), decided(MOBILE, "wrong_person", contact=1), decided(LANDLINE))
    with ledger.read() as book:
        marks = [(1, 0), (2, 0)]
        first, second = planning.contact_states(book, ledger.key, marks, email_good_only=False)
    assert [number.status for number in first.numbers] == ["wrong_person"]
    assert sorted(number.status for number in second.numbers) == ["active", "unverified"]


def test_what_expired_is_due_again(ledger: Ledger) -> None:
    store(ledger, decided(MOBILE, recheck=NOW + 10), decided(LANDLINE))
    with ledger.write() as book:
        decisions.mark_due(book, NOW, "p1")
        assert dirty.waiting(book, "number", decisions.STAGE) == 0
        assert decisions.mark_due(book, NOW + 10, "p1") == 1
    assert due(ledger) == [MOBILE]


def test_another_policy_makes_its_numbers_due_once(ledger: Ledger) -> None:
    store(ledger, decided(MOBILE), decided(LANDLINE))
    with ledger.write() as book:
        decisions.mark_due(book, NOW, "p1")
        assert decisions.mark_due(book, NOW, "p2") == 2
    store(ledger, decided(MOBILE), decided(LANDLINE), policy="p2")
    with ledger.write() as book:
        assert decisions.mark_due(book, NOW, "p2") == 0


def test_evidence_holds_format_observations_and_live_suppressions(ledger: Ledger) -> None:
    from ringtrue.ledger import suppressions
    from ringtrue.ledger.suppressions import Suppression

    stop = Suppression("opt_out", "number", MOBILE, None, "call 1", "call", "said stop", "agent", NOW)
    with ledger.write() as book:
        suppressions.append(book, ledger.key, [stop], NOW)
        known = decisions.evidence(book, ledger.key, [MOBILE, LANDLINE], NOW)
    seen = sorted(zip(known["number"], known["outcome"], known["id"], strict=True))
    assert seen == sorted(
        [
            (LANDLINE, "format_valid", "format:ok"),
            (MOBILE, "format_valid", "format:ok"),
            (MOBILE, "do_not_call", "suppression:1"),
        ]
    )
    with ledger.read() as book:
        assert decisions.evidence(book, ledger.key, ["+1"], NOW).empty


def test_statuses_are_counted_by_number(ledger: Ledger) -> None:
    store(ledger, decided(MOBILE, "active"), decided(MOBILE, "wrong_person", contact=1), decided(LANDLINE))
    with ledger.read() as book:
        assert decisions.status_counts(book) == {"active": 1, "unverified": 1}


def test_what_was_decided_from_older_evidence_is_dropped_where_somebody_decided_meanwhile(ledger: Ledger) -> None:
    with ledger.read() as book:
        marks = dirty.next_numbers(book, decisions.STAGE, 100)
    old = frame(decided(MOBILE), decided(LANDLINE))
    with ledger.write() as book:
        # A fresh delivery heard that the number is dead, and decides it while the sync still computes.
        dirty.mark_numbers(book, decisions.STAGE, [MOBILE])
        again = [mark for mark in dirty.next_numbers(book, decisions.STAGE, 100) if mark[0] == MOBILE]
        decisions.store(book, frame(decided(MOBILE, "disconnected")), again, "p1", NOW)
    with ledger.write() as book:
        assert decisions.store(book, old, marks, "p1", NOW)["new"] == 1
        found = fetch(book, "SELECT number, status FROM decisions WHERE current ORDER BY number")
    assert found == sorted([(MOBILE, "disconnected"), (LANDLINE, "unverified")])
    assert due(ledger) == []
