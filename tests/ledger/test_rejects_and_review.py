"""Rows that could not be used and texts that no rule could read are kept once, with how often they came."""

from __future__ import annotations

from ringtrue.ledger import Ledger, rejects, review
from ringtrue.ledger.database import fetch
from tests.ledger.build import NOW


def test_a_rejected_row_is_kept_once_with_its_reason(ledger: Ledger) -> None:
    for run in ("first", "second"):
        with ledger.write() as book:
            rejects.add(
                book, "contacts", "files", [("list.csv:2", "No number."), ("list.csv:3", "Too long.")], run, NOW
            )
            rejects.add(book, "contacts", "files", [], run, NOW)
    with ledger.read() as book:
        assert fetch(book, "SELECT key, reason, run FROM rejects ORDER BY key") == [
            ("list.csv:2", "No number.", "first"),
            ("list.csv:3", "Too long.", "first"),
        ]


def test_the_same_text_is_asked_once_and_counted(ledger: Ledger) -> None:
    for _ in range(2):
        with ledger.write() as book:
            review.add(book, "number", [("o2o7", "+44207"), ("o2o7", "+44207"), ("??", None)], NOW)
    with ledger.read() as book:
        assert [(row.text, row.times) for row in review.open_questions(book, "number")] == [("o2o7", 4), ("??", 2)]
        assert review.open_questions(book, "switchboard") == []
