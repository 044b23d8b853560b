"""Work waiting for a stage: keys are marked in the transaction that changed them and cleared in the one that handled them.

Each mark carries a token. A key that is marked again while it is being handled has a new token and stays.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from typing import Literal, TypeVar

from sqlalchemy import Connection, text

from ringtrue.ledger.database import batch_of, fetch, insert_rows

Subject = Literal["contact_id", "number", "call_id"]
_Key = TypeVar("_Key", int, str)
_TABLES: dict[Subject, str] = {"contact_id": "dirty_contacts", "number": "dirty_numbers", "call_id": "dirty_calls"}


def _token() -> int:
    return secrets.randbits(62)


def changes_stage(connection_name: str) -> str:
    """Name of the stage that plans one CRM's changes."""
    return f"changes:{connection_name}"


def do_not_call_stage(connection_name: str) -> str:
    """Name of the stage that sets the do-not-call flag in one CRM, ahead of its sync."""
    return f"do_not_call:{connection_name}"


def mark_contacts(connection: Connection, stage: str, contact_ids: Iterable[int]) -> None:
    """Mark contacts for a stage."""
    token = _token()
    rows = [(stage, key, token) for key in sorted(set(contact_ids))]
    insert_rows(connection, "dirty_contacts", ["stage", "contact_id", "token"], rows, on_conflict=_AGAIN["contact_id"])


def mark_numbers(connection: Connection, stage: str, numbers: Iterable[str]) -> None:
    """Mark numbers for a stage."""
    token = _token()
    rows = [(stage, key, token) for key in sorted(set(numbers))]
    insert_rows(connection, "dirty_numbers", ["stage", "number", "token"], rows, on_conflict=_AGAIN["number"])


def mark_calls(connection: Connection, stage: str, call_ids: Iterable[int]) -> None:
    """Mark calls for a stage."""
    token = _token()
    rows = [(stage, key, token) for key in sorted(set(call_ids))]
    insert_rows(connection, "dirty_calls", ["stage", "call_id", "token"], rows, on_conflict=_AGAIN["call_id"])


_AGAIN: dict[Subject, str] = {
    "contact_id": "(stage, contact_id) DO UPDATE SET token = excluded.token",
    "number": "(stage, number) DO UPDATE SET token = excluded.token",
    "call_id": "(stage, call_id) DO UPDATE SET token = excluded.token",
}


def mark_by_query(connection: Connection, subject: Subject, select: str, parameters: dict[str, object]) -> int:
    """Mark what a SELECT of (stage, key) yields; it ends in a WHERE clause. Returns the number of rows marked."""
    statement = (
        f"INSERT INTO {_TABLES[subject]} (stage, {subject}, token) SELECT q.stage, q.key, :token FROM ({select}) AS q "
        f"WHERE true ON CONFLICT {_AGAIN[subject]}"
    )
    return connection.execute(text(statement), {**parameters, "token": _token()}).rowcount


def waiting(connection: Connection, subject: Subject, stage: str) -> int:
    """How many keys wait for a stage."""
    rows = fetch(connection, f"SELECT count(*) FROM {_TABLES[subject]} WHERE stage = :stage", {"stage": stage})
    return int(rows[0][0])


def next_contacts(connection: Connection, stage: str, limit: int, after: int = -1) -> list[tuple[int, int]]:
    """The next contacts of a stage behind `after`, in id order, each with its token."""
    return _next(connection, "contact_id", stage, limit, after)  # type: ignore[return-value]  # the subject fixes the key's type


def next_calls(connection: Connection, stage: str, limit: int, after: int = -1) -> list[tuple[int, int]]:
    """The next calls of a stage behind `after`, in id order, each with its token."""
    return _next(connection, "call_id", stage, limit, after)  # type: ignore[return-value]  # the subject fixes the key's type


def next_numbers(connection: Connection, stage: str, limit: int, after: str = "") -> list[tuple[str, int]]:
    """The next numbers of a stage behind `after`, in order, each with its token."""
    return _next(connection, "number", stage, limit, after)  # type: ignore[return-value]  # the subject fixes the key's type


def _next(
    connection: Connection, subject: Subject, stage: str, limit: int, after: int | str
) -> list[tuple[int | str, int]]:
    return [
        (row[0], row[1])
        for row in fetch(
            connection,
            f"SELECT {subject}, token FROM {_TABLES[subject]} WHERE stage = :stage AND {subject} > :after "
            f"ORDER BY {subject} LIMIT :limit",
            {"stage": stage, "after": after, "limit": limit},
        )
    ]


def marks_of(
    connection: Connection, subject: Subject, stage: str, keys: Sequence[int] | Sequence[str]
) -> list[tuple[int | str, int]]:
    """Those of the keys that wait for a stage, each with its token."""
    if not keys:
        return []
    with batch_of(connection, keys) as batch:
        rows = fetch(
            connection,
            f"SELECT d.{subject}, d.token FROM {batch} AS b JOIN {_TABLES[subject]} AS d ON d.{subject} = b.key "
            f"WHERE d.stage = :stage ORDER BY d.{subject}",
            {"stage": stage},
        )
    return [(row[0], row[1]) for row in rows]


def standing(
    connection: Connection, subject: Subject, stage: str, marks: Sequence[tuple[_Key, int]]
) -> Sequence[tuple[_Key, int]]:
    """Of marks read before, those that still stand. Who lacks one was handled by somebody else meanwhile, or marked again: what was read is old."""
    present = set(marks_of(connection, subject, stage, [key for key, _ in marks]))
    return marks if present.issuperset(marks) else [mark for mark in marks if mark in present]


def forget_contacts(connection: Connection, stage: str, contact_ids: Sequence[int]) -> None:
    """Forget the marks of contacts whatever their token: what the stage would do for them is done."""
    if not contact_ids:
        return
    with batch_of(connection, contact_ids) as batch:
        connection.execute(
            text(f"DELETE FROM dirty_contacts WHERE stage = :stage AND contact_id IN (SELECT key FROM {batch})"),
            {"stage": stage},
        )


def clear(connection: Connection, subject: Subject, stage: str, handled: Sequence[tuple[int | str, int]]) -> None:
    """Forget marks that were handled, unless they were marked again meanwhile."""
    if not handled:
        return
    table = _TABLES[subject]
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(
            f"DELETE FROM {table} WHERE stage = ? AND {subject} = ? AND token = ?",
            [(stage, key, token) for key, token in handled],
        )
        return
    by_token: dict[int, list[int | str]] = {}
    for key, token in handled:
        by_token.setdefault(token, []).append(key)
    for token, keys in by_token.items():
        with batch_of(connection, keys) as batch:  # type: ignore[arg-type]  # keys of one stage are all of one type
            connection.execute(
                text(
                    f"DELETE FROM {table} AS d USING {batch} AS b "
                    f"WHERE d.stage = :stage AND d.{subject} = b.key AND d.token = :token"
                ),
                {"stage": stage, "token": token},
            )
