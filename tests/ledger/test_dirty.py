"""Marks are cleared only when what they announced was handled."""

from __future__ import annotations

from ringtrue.ledger import Ledger, dirty


def test_a_key_marked_again_while_it_is_handled_stays(ledger: Ledger) -> None:
    with ledger.write() as book:
        dirty.mark_numbers(book, "status", ["+1", "+2", "+3"])
        handled = dirty.next_numbers(book, "status", 10)
        dirty.mark_numbers(book, "status", ["+2"])
        dirty.clear(book, "number", "status", handled)
        assert [key for key, _ in dirty.next_numbers(book, "status", 10)] == ["+2"]


def test_keys_come_in_order_and_in_batches(ledger: Ledger) -> None:
    with ledger.write() as book:
        dirty.mark_contacts(book, "phones", [30, 4, 100])
        first = dirty.next_contacts(book, "phones", 2)
        rest = dirty.next_contacts(book, "phones", 2, after=first[-1][0])
    assert [key for key, _ in first] == [4, 30]
    assert [key for key, _ in rest] == [100]
