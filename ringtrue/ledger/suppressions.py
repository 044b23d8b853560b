"""The only store of permission: an append-only chain of events, each hashed over the one before it.

Numbers stand in clear so that they can be found, and as a keyed hash that survives when a privacy request erases the clear one.
The chain covers the keyed hash only, so that erasing breaks nothing.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Iterable, Sequence
from hashlib import sha256
from typing import Any, Literal, NamedTuple

import orjson
from sqlalchemy import Connection, text

from ringtrue.ledger import dirty
from ringtrue.ledger.database import batch_of, fetch, insert_rows, stream

Kind = Literal["opt_out", "retract", "reconsent", "import"]
Scope = Literal["number", "person", "registry", "list"]
GENESIS = "0" * 64
PRIVACY = "opt_out:privacy"
"""Source of what stands for people who were erased on their request."""
_CHAIN_LOCK = 727275


class Suppression(NamedTuple):
    """Someone said stop, or that is taken back. Scope `person` covers the contact whatever the number, `number` the number everywhere.

    Kind `import` notes a file that was taken, with its hash and count: a registry's or a list's.
    """

    kind: Kind
    scope: Scope
    number: str | None
    contact_id: int | None
    cause: str
    """What happened, unique within the source: a record's flag, a call id, an import's row."""
    source: str
    evidence: str
    actor: str
    at: int
    second_person: str | None = None
    lifts: int | None = None


def number_key(key: bytes, number: str) -> str:
    """The keyed hash under which a number is remembered for ever."""
    return hmac.digest(key, number.encode(), "sha256").hex()


def _event_hash(previous: str, event_id: int, event: Suppression, keyed: str, now: int) -> str:
    content = [
        previous, event_id, event.kind, event.scope, keyed, event.contact_id, event.cause, event.source, event.evidence,
        event.actor, event.second_person, event.lifts, event.at, now,
    ]  # fmt: skip
    return sha256(orjson.dumps(content)).hexdigest()


def append(connection: Connection, key: bytes, events: Iterable[Suppression], now: int) -> list[int]:
    """Add events to the chain; one that the chain holds already is left out. Returns the new event ids.

    Numbers and persons touched are marked for `status` and `changes`, who opted out also for the delivery of their flag alone.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _CHAIN_LOCK})
    last = fetch(connection, "SELECT event_id, hash FROM suppressions ORDER BY event_id DESC LIMIT 1")
    event_id, previous = last[0] if last else (0, GENESIS)
    rows = []
    ids = []
    for event, keyed in _unknown(connection, key, list(events)):
        event_id += 1
        digest = _event_hash(previous, event_id, event, keyed, now)
        rows.append((
            event_id, event.kind, event.scope, event.number, keyed, event.contact_id or 0, event.cause, event.source,
            event.evidence, event.actor, event.second_person, event.lifts, event.at, now, previous, digest,
        ))  # fmt: skip
        ids.append(event_id)
        previous = digest
    insert_rows(
        connection,
        "suppressions",
        ["event_id", "kind", "scope", "number", "number_key", "contact_id", "cause", "source", "evidence", "actor",
         "second_person", "lifts", "at", "recorded_at", "previous_hash", "hash"],
        rows,
    )  # fmt: skip
    _mark(connection, ids)
    return ids


def _unknown(connection: Connection, key: bytes, events: Sequence[Suppression]) -> list[tuple[Suppression, str]]:
    keyed = {}
    for event in events:
        hashed = number_key(key, event.number) if event.number else ""
        keyed[(event.source, event.cause, event.kind, event.scope, hashed, event.contact_id or 0)] = (event, hashed)
    known: set[tuple[Any, ...]] = set()
    for source in sorted({identity[0] for identity in keyed}):
        with batch_of(connection, {identity[1] for identity in keyed if identity[0] == source}) as batch:
            known.update(
                fetch(
                    connection,
                    "SELECT s.source, s.cause, s.kind, s.scope, s.number_key, s.contact_id "
                    f"FROM {batch} AS b JOIN suppressions AS s ON s.source = :source AND s.cause = b.key",
                    {"source": source},
                )
            )
    return [value for identity, value in keyed.items() if identity not in known]


def _mark(connection: Connection, event_ids: Sequence[int]) -> None:
    if not event_ids:
        return
    with batch_of(connection, event_ids) as batch:
        touched = (
            f"FROM {batch} AS b JOIN suppressions AS e ON e.event_id = b.key "
            "LEFT JOIN suppressions AS o ON o.event_id = e.lifts"
        )
        dirty.mark_by_query(
            connection,
            "number",
            f"SELECT DISTINCT 'status' AS stage, coalesce(o.number, e.number) AS key {touched} "
            "WHERE coalesce(o.number, e.number) IS NOT NULL",
            {},
        )
        for carried in (
            "c.contact_id = coalesce(o.contact_id, e.contact_id)",
            "c.contact_id IN (SELECT p.contact_id FROM phones AS p WHERE p.number = coalesce(o.number, e.number))",
        ):
            for stage, only in (("changes", ""), ("do_not_call", "AND e.kind = 'opt_out'")):
                dirty.mark_by_query(
                    connection,
                    "contact_id",
                    f"SELECT DISTINCT '{stage}:' || c.connection AS stage, c.contact_id AS key {touched} "
                    f"JOIN contacts AS c ON {carried} WHERE c.deleted_at IS NULL {only}",
                    {},
                )


LIVE = "s.kind = 'opt_out' AND NOT EXISTS (SELECT 1 FROM suppressions AS l WHERE l.lifts = s.event_id AND l.kind <> 'opt_out')"
"""SQL condition: suppression `s` holds, nothing lifted it."""


PERSONAL = "s.scope = 'number' AND s.source NOT LIKE 'registry:%'"
"""SQL condition: suppression `s` is of a number, and a person asked for it."""


_ERASED = "s.number IS NULL AND s.scope = 'number'"


def kind_of(source: str) -> str:
    """The kind of a source, as `decide` and its sentences know it: "crm_flag:salesforce" is crm_flag, "registry:uk_tps" uk_tps."""
    kind, _, rest = source.partition(":")
    return rest if kind == "registry" and rest else kind


class LiveNumber(NamedTuple):
    """A live suppression of a number."""

    number: str
    event_id: int
    source: str
    at: int


def live_numbers(connection: Connection, key: bytes, numbers: Sequence[str]) -> list[LiveNumber]:
    """Live suppressions of the numbers given. Numbers erased from the clear column are found too, by their keyed hash."""
    columns = "s.event_id, s.source, s.at FROM {batch} AS b JOIN suppressions AS s"
    with batch_of(connection, numbers) as batch:
        rows = fetch(
            connection,
            f"SELECT s.number, {columns.format(batch=batch)} ON s.number = b.key WHERE s.scope = 'number' AND {LIVE}",
        )
    if fetch(connection, f"SELECT 1 FROM suppressions AS s WHERE {_ERASED} LIMIT 1"):
        by_key = {number_key(key, number): number for number in numbers}
        with batch_of(connection, list(by_key)) as batch:
            rows += [
                (by_key[row[0]], *row[1:])
                for row in fetch(
                    connection,
                    f"SELECT s.number_key, {columns.format(batch=batch)} ON s.number_key = b.key WHERE {_ERASED} AND {LIVE}",
                )
            ]
    return sorted((LiveNumber(*row) for row in rows), key=lambda live: live.event_id)


def erased_stops(connection: Connection, key: bytes, contact_ids: Sequence[int]) -> set[tuple[int, str]]:
    """Contacts and their numbers that somebody asked not to be called on, where the number was erased from that event's clear column since."""
    if not fetch(connection, f"SELECT 1 FROM suppressions AS s WHERE {_ERASED} LIMIT 1"):
        return set()
    with batch_of(connection, contact_ids, empty=int) as batch:
        carried = fetch(
            connection,
            f"SELECT DISTINCT p.contact_id, p.number FROM {batch} AS b JOIN phones AS p ON p.contact_id = b.key WHERE p.e164 IS NOT NULL",
        )
    by_key = {number_key(key, number): number for _, number in carried}
    with batch_of(connection, list(by_key)) as batch:
        rows = fetch(
            connection,
            f"SELECT DISTINCT s.number_key FROM {batch} AS b JOIN suppressions AS s ON s.number_key = b.key "
            f"WHERE {_ERASED} AND {PERSONAL} AND {LIVE}",
        )
    stopped = {by_key[row[0]] for row in rows}
    return {(contact_id, number) for contact_id, number in carried if number in stopped}


def any_erased(connection: Connection) -> bool:
    """Whether a privacy request ever erased a number."""
    return bool(
        fetch(
            connection,
            "SELECT 1 FROM suppressions WHERE source = :source AND scope = 'number' LIMIT 1",
            {"source": PRIVACY},
        )
    )


def erased_numbers(connection: Connection, key: bytes, numbers: Collection[str]) -> set[str]:
    """Of E.164 numbers, those that a privacy request erased and that may not be stored or sent anywhere for what was known before."""
    if not numbers or not any_erased(connection):
        return set()
    by_key = {number_key(key, number): number for number in numbers}
    with batch_of(connection, list(by_key)) as batch:
        rows = fetch(
            connection,
            f"SELECT DISTINCT s.number_key FROM {batch} AS b JOIN suppressions AS s ON s.number_key = b.key "
            f"WHERE s.scope = 'number' AND s.source = :source AND {LIVE}",
            {"source": PRIVACY},
        )
    return {by_key[row[0]] for row in rows}


def live_persons(connection: Connection, contact_ids: Sequence[int]) -> dict[int, int]:
    """Contacts that are suppressed as a person, with the event. Records merged into one another, in any number of steps, hand theirs on."""
    if not contact_ids:
        return {}
    with batch_of(connection, contact_ids) as batch:
        rows = fetch(
            connection,
            "WITH RECURSIVE family (survivor, member) AS ("
            f"SELECT b.key, b.key FROM {batch} AS b UNION SELECT f.survivor, loser.contact_id FROM family AS f "
            "JOIN contacts AS m ON m.contact_id = f.member "
            "JOIN contacts AS loser ON loser.merged_into = m.record_id AND loser.connection = m.connection) "
            "SELECT f.survivor, max(s.event_id) FROM family AS f JOIN suppressions AS s ON s.contact_id = f.member "
            f"WHERE s.scope = 'person' AND {LIVE} GROUP BY f.survivor",
        )
    return {row[0]: row[1] for row in rows}


def broken_link(connection: Connection, newest: int | None = None) -> int | None:
    """Check the chain, or only its `newest` events. Returns the first event whose hash does not fit, or None."""
    before_first = 0
    if newest is not None:
        before_first = max(
            int(fetch(connection, "SELECT coalesce(max(event_id), 0) FROM suppressions")[0][0]) - newest, 0
        )
    known = fetch(connection, "SELECT hash FROM suppressions WHERE event_id = :event", {"event": before_first})
    previous = str(known[0][0]) if known else GENESIS
    result = stream(
        connection,
        "SELECT event_id, kind, scope, number_key, contact_id, cause, source, evidence, actor, second_person, lifts, at, "
        "recorded_at, previous_hash, hash FROM suppressions WHERE event_id > :before ORDER BY event_id",
        {"before": before_first},
    )
    for number, row in enumerate(result, start=before_first + 1):
        (event_id, kind, scope, keyed, contact_id, cause, source, evidence, actor, second_person, lifts, at, recorded_at,
         before, digest) = row  # fmt: skip
        event = Suppression(
            kind, scope, None, contact_id or None, cause, source, evidence, actor, at, second_person, lifts
        )
        if (
            event_id != number
            or before != previous
            or digest != _event_hash(previous, event_id, event, keyed, recorded_at)
        ):
            return int(event_id)
        previous = digest
    return None


class Totals(NamedTuple):
    """What the chain holds."""

    events: int
    live: int
    numbers: int
    people: int
    by_source: dict[str, int]


def totals(connection: Connection) -> Totals:
    """Count the chain's events and live suppressions."""
    events = fetch(connection, "SELECT count(*) FROM suppressions")[0][0]
    rows = fetch(
        connection,
        f"SELECT s.source, s.scope, count(*), count(DISTINCT s.number_key) FROM suppressions AS s WHERE {LIVE} "
        "GROUP BY s.source, s.scope ORDER BY s.source",
    )
    by_source: dict[str, int] = {}
    for source, _, count, _ in rows:
        by_source[source] = by_source.get(source, 0) + int(count)
    return Totals(
        events=int(events),
        live=sum(by_source.values()),
        numbers=sum(int(row[3]) for row in rows if row[1] == "number"),
        people=sum(int(row[2]) for row in rows if row[1] == "person"),
        by_source=by_source,
    )
