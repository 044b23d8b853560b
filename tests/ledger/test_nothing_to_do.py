"""A stage with nothing to do asks about no keys at all. Both databases take that, ids and texts alike."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Connection

from ringtrue.ledger import Ledger, calls, decisions, emails, lookups, opt_outs, spend, trace

NOW = 1_790_000_000_000
Ask = Callable[[Connection, bytes], object]
QUESTIONS: dict[str, Ask] = {
    "calls waiting": lambda book, _: calls.waiting(book, []),
    "calls callees": lambda book, _: calls.callees(book, []),
    "calls only_owners": lambda book, _: calls.only_owners(book, []),
    "calls observe": lambda book, _: calls.observe(book, [], [], "run", NOW),
    "calls mark_unread": lambda book, _: calls.mark_unread(book, "dialer", []),
    "decisions evidence": lambda book, key: decisions.evidence(book, key, [], NOW, lambda _name, _raw: 0.1).to_dict("list"),
    "decisions current_statuses": lambda book, _: decisions.current_statuses(book, []),
    "emails of_contacts": lambda book, _: emails.of_contacts(book, []),
    "emails store": lambda book, _: emails.store(book, [], NOW),
    "emails look_again": lambda book, _: emails.look_again(book, []),
    "lookups carried": lambda book, _: lookups.carried(book, []),
    "lookups line_types": lambda book, _: lookups.line_types(book, []),
    "lookups numbers_of": lambda book, _: lookups.numbers_of(book, []),
    "opt_outs flagged": lambda book, _: opt_outs.flagged(book, []),
    "spend settle": lambda book, _: spend.settle(book, [], NOW),
    "spend lose": lambda book, _: spend.lose(book, [], "lost", NOW),
    "spend note_job": lambda book, _: spend.note_job(book, [], "job"),
    "spend release": lambda book, _: spend.release(book, []),
    "spend standing": lambda book, _: spend.standing(book, [], NOW),
    "spend totals": lambda book, _: spend.totals(book, []),
    "trace contacts_with": lambda book, _: trace.contacts_with(book, [], 10),
    "trace contacts_from": lambda book, _: trace.contacts_from(book, [], 10),
    "trace_contacts": lambda book, key: trace.trace_contacts(book, key, []),
}  # fmt: skip


@pytest.mark.parametrize("question", QUESTIONS)
def test_no_keys_no_rows(ledger: Ledger, question: str) -> None:
    with ledger.write() as book:
        answer = QUESTIONS[question](book, ledger.key)
    if isinstance(answer, dict):
        assert not any(answer.values())
    else:
        assert not answer
