"""The inbox: what other systems told us, once each, until somebody has handled it.

Events about records name the record and nothing else: what it holds now is read from its CRM, so late, repeated and reordered events do no harm.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, text

from ringtrue.ledger import dirty
from ringtrue.ledger.database import batch_of, fetch, insert_rows, update_rows

RECORD_KINDS = ("created", "changed", "deleted", "merged", "restored", "erased")
"""Kinds of event that concern a CRM record: read it again. `erased`: its person asked the CRM to forget them."""
KEEP_DAYS = 14
"""How long a handled event is kept, so that a late repetition of it is recognised. HubSpot and Salesforce repeat for 24 hours."""
_COLUMNS = ("source", "event_id", "kind", "connection", "object", "record_id", "body", "occurred_at")


class Told(NamedTuple):
    """Something another system tells us. `source` and `event_id` together are unique: the same event again is no news."""

    source: str
    event_id: str
    kind: str
    connection: str | None = None
    object_name: str | None = None
    record_id: str | None = None
    body: str = ""
    occurred_at: int | None = None


class Event(NamedTuple):
    """An event that waits to be handled."""

    inbox_id: int
    source: str
    event_id: str
    kind: str
    connection: str | None
    object_name: str | None
    record_id: str | None
    body: str
    occurred_at: int | None
    received_at: int


class Record(NamedTuple):
    """A CRM record that has to be read again."""

    connection: str
    object_name: str
    record_id: str


def put(connection: Connection, told: Sequence[Told], now: int) -> int:
    """Keep events; those that are known already are left out. Returns how many were new."""
    unique = {(each.source, each.event_id): each for each in reversed(told)}
    with batch_of(connection, sorted({event for _, event in unique})) as batch:
        known = set(
            fetch(connection, f"SELECT i.source, i.event_id FROM {batch} AS b JOIN inbox AS i ON i.event_id = b.key")
        )
    new = [(*each, now) for key, each in reversed(unique.items()) if key not in known]
    insert_rows(connection, "inbox", [*_COLUMNS, "received_at"], new, on_conflict="(source, event_id) DO NOTHING")
    return len(new)


def waiting(
    connection: Connection, source: str | None = None, *, kinds: Sequence[str] = (), limit: int = 10_000, after: int = 0
) -> list[Event]:
    """Events nobody has handled, oldest first: of one source, of some kinds, behind an inbox id."""
    conditions = ["handled_at IS NULL", "inbox_id > :after"]
    if source is not None:
        conditions.append("source = :source")
    if kinds:
        conditions.append(f"kind IN ({', '.join(f':kind{place}' for place in range(len(kinds)))})")
    rows = fetch(
        connection,
        "SELECT inbox_id, source, event_id, kind, connection, object, record_id, body, occurred_at, received_at "
        f"FROM inbox WHERE {' AND '.join(conditions)} ORDER BY inbox_id LIMIT :limit",
        {"after": after, "source": source, "limit": limit} | {f"kind{place}": kind for place, kind in enumerate(kinds)},
    )
    return [Event(*row) for row in rows]


def changed_records(connection: Connection, connection_name: str, *, limit: int = 10_000) -> list[Event]:
    """Waiting events about one connection's records, oldest first."""
    rows = fetch(
        connection,
        "SELECT inbox_id, source, event_id, kind, connection, object, record_id, body, occurred_at, received_at "
        "FROM inbox WHERE handled_at IS NULL AND connection = :connection AND record_id IS NOT NULL "
        "ORDER BY inbox_id LIMIT :limit",
        {"connection": connection_name, "limit": limit},
    )
    return [Event(*row) for row in rows]


def records_to_read(events: Iterable[Event]) -> list[Record]:
    """The records behind events, each once, in the order they were first heard of.

    Read each by its id and store what comes back (`ringtrue.ledger.contacts.store_page`), which marks what its stages have to look at;
    one that is not there any more is for `gone`. Then `handled`.
    """
    found = dict.fromkeys(
        Record(event.connection, event.object_name, event.record_id)
        for event in events
        if event.connection and event.object_name and event.record_id
    )
    return list(found)


def gone(connection: Connection, records: Sequence[Record], now: int) -> int:
    """Note that the CRM has these records no longer. Known contacts are marked deleted and dirty for `phones`; returns how many."""
    count = 0
    for record in records:
        rows = fetch(
            connection,
            "SELECT contact_id FROM contacts WHERE connection = :connection AND object = :object AND record_id = :record "
            "AND deleted_at IS NULL",
            {"connection": record.connection, "object": record.object_name, "record": record.record_id},
        )
        ids = [row[0] for row in rows]
        update_rows(connection, "contacts", ["deleted_at"], ["contact_id"], [(now, key) for key in ids])
        dirty.mark_contacts(connection, "phones", ids)
        count += len(ids)
    return count


def handled(connection: Connection, inbox_ids: Sequence[int], now: int) -> None:
    """Note that events were handled, in the transaction that did it. Their bodies are forgotten."""
    update_rows(connection, "inbox", ["handled_at", "body"], ["inbox_id"], [(now, "", key) for key in inbox_ids])


def body_of(connection: Connection, source: str, event_id: str) -> str | None:
    """The body of one event; None when it has not arrived."""
    rows = fetch(
        connection,
        "SELECT body FROM inbox WHERE source = :source AND event_id = :event AND body <> ''",
        {"source": source, "event": event_id},
    )
    return str(rows[0][0]) if rows else None


def depth(connection: Connection) -> dict[str, tuple[int, int]]:
    """Waiting events by source: how many, and when the oldest arrived."""
    rows = fetch(
        connection,
        "SELECT source, count(*), min(received_at) FROM inbox WHERE handled_at IS NULL GROUP BY source ORDER BY source",
    )
    return {row[0]: (int(row[1]), int(row[2])) for row in rows}


def prune(connection: Connection, now: int, days: float = KEEP_DAYS) -> int:
    """Forget handled events, and answers nobody fetched, that are older than `days`. Events about records stay until they are handled."""
    before = now - int(days * 86_400_000)
    return connection.execute(
        text("DELETE FROM inbox WHERE received_at < :before AND (handled_at IS NOT NULL OR record_id IS NULL)"),
        {"before": before},
    ).rowcount


def identities(connection: Connection, names: Sequence[str]) -> dict[str, str]:
    """Which org or portal each connection speaks to, as its last pull found; connections never pulled are left out."""
    with batch_of(connection, [f"identity:{name}" for name in names]) as batch:
        rows = fetch(connection, f"SELECT m.name, m.value FROM {batch} AS b JOIN meta AS m ON m.name = b.key")
    return {str(row[0]).removeprefix("identity:"): str(row[1]) for row in rows}
