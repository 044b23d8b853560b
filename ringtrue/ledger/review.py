"""What no rule could read: asked of a person once, with how often it came up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

from sqlalchemy import Connection, text

from ringtrue.free_text import fold
from ringtrue.ledger.calls import mark_unread
from ringtrue.ledger.database import fetch, insert_rows


def add(connection: Connection, kind: str, items: Sequence[tuple[str, str | None]], now: int) -> None:
    """Put (text, suggestion) pairs on the review table; the same text again only adds to its count."""
    counted = Counter(items)
    insert_rows(
        connection,
        "review",
        ["kind", "subject", "text", "suggestion", "count", "first_seen_at"],
        [
            (kind, blake2b(f"{said}\0{suggestion}".encode(), digest_size=12).hexdigest(), said, suggestion, times, now)
            for (said, suggestion), times in counted.items()
        ],
        on_conflict="(kind, subject) DO UPDATE SET count = review.count + excluded.count",
    )


def outcome_answers(connection: Connection) -> dict[tuple[str, str], str]:
    """What people said unknown outcome words mean: (namespace, folded word) -> outcome."""
    answers: dict[tuple[str, str], str] = {}
    for item, answer in fetch(
        connection, "SELECT text, answer FROM review WHERE kind = 'outcome' AND answer IS NOT NULL"
    ):
        namespace, _, word = item.partition(": ")
        answers[(namespace, fold(word))] = answer
    return answers


class Question(NamedTuple):
    """Something a person is asked."""

    review_id: int
    kind: str
    text: str
    suggestion: str | None
    times: int
    first_seen_at: int


def open_questions(connection: Connection, kind: str | None = None, limit: int = 100) -> list[Question]:
    """Questions without an answer, the commonest first."""
    only = "AND kind = :kind" if kind else ""
    rows = fetch(
        connection,
        "SELECT review_id, kind, text, suggestion, count, first_seen_at FROM review "
        f"WHERE answer IS NULL {only} ORDER BY count DESC, review_id LIMIT :limit",
        {"kind": kind, "limit": limit},
    )
    return [Question(*row) for row in rows]


def counts(connection: Connection) -> dict[str, int]:
    """Open questions by kind."""
    rows = fetch(connection, "SELECT kind, count(*) FROM review WHERE answer IS NULL GROUP BY kind ORDER BY kind")
    return {kind: int(count) for kind, count in rows}


def find(connection: Connection, review_id: int) -> Question | None:
    """An open question by its id."""
    rows = fetch(
        connection,
        "SELECT review_id, kind, text, suggestion, count, first_seen_at FROM review WHERE review_id = :id AND answer IS NULL",
        {"id": review_id},
    )
    return Question(*rows[0]) if rows else None


def answer(connection: Connection, review_id: int, given: str, person: str, now: int) -> Question | None:
    """Note a person's answer. Returns the question, or None where there is no open one."""
    question = find(connection, review_id)
    if question is None:
        return None
    connection.execute(
        text("UPDATE review SET answer = :answer, answered_by = :person, answered_at = :now WHERE review_id = :id"),
        {"answer": given, "person": person, "now": now, "id": review_id},
    )
    if question.kind == "outcome":
        namespace, _, word = question.text.partition(": ")
        mark_unread(connection, namespace, [word])
    return question
