"""Journal of what CRMs were told about lead sources. It is written before the CRM, like that of the write-back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import orjson
from sqlalchemy import Connection

from ringtrue.ledger.database import batch_of, fetch, insert_rows, update_rows

Values = dict[str, str | None]


class Told(NamedTuple):
    """One record's journal row that was sent and not yet answered."""

    feedback_id: int
    object_name: str
    record_id: str
    after: Values


def last_told(connection: Connection, name: str, object_name: str, records: Sequence[str]) -> dict[str, Values]:
    """What each record was last told and took; records that were told nothing are missing."""
    with batch_of(connection, records) as batch:
        rows = fetch(
            connection,
            f"SELECT f.record_id, f.fields FROM {batch} AS b JOIN source_feedback AS f ON f.record_id = b.key "
            "WHERE f.connection = :name AND f.object = :object AND f.state = 'applied' ORDER BY f.feedback_id",
            {"name": name, "object": object_name},
        )
    told: dict[str, Values] = {}
    for record, fields in rows:
        told.setdefault(record, {}).update({field: after for field, (_, after) in orjson.loads(fields).items()})
    return told


def begin(
    connection: Connection,
    name: str,
    object_name: str,
    changes: Mapping[str, dict[str, list[str | None]]],
    run: str,
    now: int,
) -> None:
    """Note what is about to be sent: {record: {field: [before, after]}}."""
    insert_rows(
        connection,
        "source_feedback",
        ["connection", "object", "record_id", "fields", "state", "run", "changed_at"],
        [
            (name, object_name, record, orjson.dumps(fields).decode(), "sending", run, now)
            for record, fields in changes.items()
        ],
    )


def sending(connection: Connection, name: str) -> list[Told]:
    """Rows that were sent and not answered: a crash, or a lost answer."""
    return [
        Told(row[0], row[1], row[2], {field: after for field, (_, after) in orjson.loads(row[3]).items()})
        for row in fetch(
            connection,
            "SELECT feedback_id, object, record_id, fields FROM source_feedback WHERE connection = :name AND state = 'sending' "
            "ORDER BY feedback_id",
            {"name": name},
        )
    ]


def end(connection: Connection, outcomes: Sequence[tuple[int, str, str | None]], now: int) -> None:
    """Note what became of rows: (feedback id, applied or failed, why)."""
    update_rows(
        connection,
        "source_feedback",
        ["state", "error", "changed_at"],
        ["feedback_id"],
        [(state, error, now, key) for key, state, error in outcomes],
    )


def living(connection: Connection, name: str, object_name: str, size: int) -> Iterator[list[tuple[str, str]]]:
    """(record id, raw first source) of a connection's living records, in portions."""
    after = 0
    while True:
        rows = fetch(
            connection,
            "SELECT contact_id, record_id, first_source FROM contacts WHERE connection = :name AND object = :object "
            "AND deleted_at IS NULL AND contact_id > :after ORDER BY contact_id LIMIT :size",
            {"name": name, "object": object_name, "after": after, "size": size},
        )
        if not rows:
            return
        after = rows[-1][0]
        yield [(row[1], row[2]) for row in rows]
