"""A stage of the sync that read something before a delivery ahead of it handled the same: what it read is old, and changes nothing."""

from __future__ import annotations

from ringtrue.ledger import Ledger, ahead, dirty, phones, suppressing
from ringtrue.ledger.database import fetch
from tests.ledger.build import MOBILE, NOW, OTHER, pull, read_numbers, record, waiting_numbers

FLAG_WAITS = dirty.do_not_call_stage("salesforce")


def test_numbers_read_from_an_older_record_are_dropped_where_somebody_read_them_meanwhile(ledger: Ledger) -> None:
    with ledger.write() as book:
        suppressing.add(
            book, ledger.key, [(OTHER, "c")], source="import:i1", evidence="list", actor="Ann", at=NOW, now=NOW
        )
    pull(ledger, record("a", MobilePhone=MOBILE), record("b", MobilePhone=MOBILE))
    marks, old = waiting_numbers(ledger)
    # Somebody types a number that must not be called, and a fresh delivery reads it.
    pull(ledger, record("a", minutes=1, MobilePhone=OTHER))
    fresh, rows = waiting_numbers(ledger)
    with ledger.write() as book:
        phones.store(book, [mark for mark in fresh if mark[0] == 1], [row for row in rows if row.contact_id == 1])
    with ledger.write() as book:
        phones.store(book, marks, old)
        assert fetch(book, "SELECT contact_id, raw FROM phones ORDER BY contact_id") == [(1, OTHER), (2, MOBILE)]
        assert dirty.marks_of(book, "contact_id", FLAG_WAITS, [1])
        assert [found.contact_id for found in ahead.stopped(book, ledger.key, [1])] == [1]
        assert dirty.waiting(book, "contact_id", phones.STAGE) == 0


def test_a_contact_marked_again_while_its_numbers_are_read_waits_for_the_next_turn(ledger: Ledger) -> None:
    pull(ledger, record("a", MobilePhone=MOBILE))
    marks, old = waiting_numbers(ledger)
    pull(ledger, record("a", minutes=1, MobilePhone=OTHER))
    with ledger.write() as book:
        phones.store(book, marks, old)
        assert fetch(book, "SELECT raw FROM phones") == []
    read_numbers(ledger)
    with ledger.read() as book:
        assert fetch(book, "SELECT raw FROM phones") == [(OTHER,)]
