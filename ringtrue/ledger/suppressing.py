"""What a person does to the suppressions: add, import, prove, take back what was an error, record that somebody agreed again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from ringtrue.errors import LedgerError
from ringtrue.ledger import consents, registries, stops, suppressions
from ringtrue.ledger.consents import Consent
from ringtrue.ledger.database import batch_of, fetch
from ringtrue.ledger.stops import Stop
from ringtrue.ledger.suppressions import LIVE, Kind, Scope, Suppression, number_key

PAGE = 20_000
_COLUMNS = "s.event_id, s.kind, s.scope, s.number, s.contact_id, s.cause, s.source, s.evidence, s.actor, s.second_person, s.lifts, s.at, s.recorded_at, s.previous_hash, s.hash"


class Event(NamedTuple):
    """One event of the chain as it stands."""

    event_id: int
    kind: Kind
    scope: Scope
    number: str | None
    contact_id: int
    cause: str
    source: str
    evidence: str
    actor: str
    second_person: str | None
    lifts: int | None
    at: int
    recorded_at: int
    previous_hash: str
    hash: str


class Signed(NamedTuple):
    """Two people who stand for lifting a suppression, by their typed names, and why."""

    by: str
    second_person: str
    reason: str


def add(
    connection: Connection,
    key: bytes,
    numbers: Iterable[tuple[str, str]],
    *,
    source: str,
    evidence: str,
    actor: str,
    at: int,
    now: int,
) -> int:
    """Suppress numbers, given with what happened (unique within the source). Returns how many events are new."""
    events = [
        Suppression("opt_out", "number", number, None, cause, source, evidence, actor, at) for number, cause in numbers
    ]
    return len(suppressions.append(connection, key, events, now))


def add_person(
    connection: Connection,
    key: bytes,
    connection_name: str,
    record_id: str,
    *,
    cause: str,
    evidence: str,
    actor: str,
    at: int,
    switchboard_people: int,
    now: int,
) -> int | None:
    """Suppress a person and their numbers. Returns the contact, or None where the ledger knows no such record."""
    found = fetch(
        connection,
        "SELECT contact_id FROM contacts WHERE connection = :connection AND record_id = :record",
        {"connection": connection_name, "record": record_id},
    )
    if not found:
        return None
    contact_id = int(found[0][0])
    stop = Stop((contact_id,), None, cause, "manual", evidence, actor, at)
    stops.commit(connection, key, [stop], switchboard_people, now)
    return contact_id


def note_import(connection: Connection, key: bytes, import_id: str, *, evidence: str, actor: str, now: int) -> None:
    """Note in the chain that a list was imported, with hash and count."""
    event = Suppression("import", "list", None, None, import_id, f"import:{import_id}", evidence, actor, now)
    suppressions.append(connection, key, [event], now)


def events_of(connection: Connection, key: bytes, number: str) -> list[Event]:
    """Every event of the chain that concerns a number: about it, about the people who opted out with it, and what lifted those."""
    return [
        Event(*row)
        for row in fetch(
            connection,
            "WITH about (event_id) AS (SELECT event_id FROM suppressions WHERE number_key = :key), "
            "people (event_id) AS (SELECT p.event_id FROM suppressions AS n JOIN suppressions AS p ON p.contact_id = n.contact_id "
            "AND p.source = n.source AND p.cause = n.cause AND p.scope = 'person' WHERE n.number_key = :key AND n.contact_id <> 0), "
            "touched (event_id) AS (SELECT event_id FROM about UNION SELECT event_id FROM people) "
            f"SELECT {_COLUMNS} FROM suppressions AS s WHERE s.event_id IN (SELECT event_id FROM touched) "
            "OR s.lifts IN (SELECT event_id FROM touched) ORDER BY s.event_id",
            {"key": number_key(key, number)},
        )
    ]


def retract(connection: Connection, key: bytes, entry: str, signed: Signed, now: int) -> int:
    """Withdraw an entry that was an error: an event with all that followed from it, or an import. Returns how many suppressions end.

    Raises LedgerError when there is no such entry, or nothing of it holds any more.
    """
    if entry.isdigit():
        found = fetch(
            connection, f"SELECT {_COLUMNS} FROM suppressions AS s WHERE s.event_id = :id", {"id": int(entry)}
        )
        if not found:
            raise LedgerError(
                f"The chain has no event {entry}. `ringtrue suppress prove NUMBER` shows the events of a number."
            )
        event = Event(*found[0])
        if event.kind == "import" and event.scope == "registry":
            return _withdraw(connection, key, event, signed, now)
        if event.kind not in ("opt_out", "import"):
            raise LedgerError(f"Event {entry} is no suppression but a {event.kind}; it cannot be withdrawn.")
        where = (
            "s.source = :source"
            if event.kind == "import"
            else "s.source = :source AND s.cause = :cause AND s.contact_id = :contact"
        )
        parameters: dict[str, object] = {"source": event.source, "cause": event.cause, "contact": event.contact_id}
    else:
        where, parameters = "s.source = :source", {"source": f"import:{entry}"}
    ended = _lift(connection, key, "retract", where, parameters, signed, now)
    if not ended:
        raise LedgerError(
            f"Nothing that entry {entry} suppressed holds any more. `ringtrue suppress prove NUMBER` shows what does."
        )
    return ended


def _withdraw(connection: Connection, key: bytes, event: Event, signed: Signed, now: int) -> int:
    registry_id = int(event.cause.removeprefix("registry "))
    if registries.withdraw(connection, registry_id) is None:
        raise LedgerError(f"The registry file of event {event.event_id} is not in force any more.")
    suppressions.append(connection, key, [_lifting(event, "retract", signed, now)], now)
    return 1


def reconsent(connection: Connection, key: bytes, number: str, signed: Signed, at: int, now: int) -> int:
    """Record that somebody agreed again to be called on a number: what they and the number were suppressed for ends, and the consent is kept.

    A registry's listing stays. Returns how many suppressions end; 0 where none held.
    """
    where = (
        "EXISTS (SELECT 1 FROM suppressions AS n WHERE n.number_key = :key AND (n.event_id = s.event_id OR (n.contact_id <> 0 "
        "AND n.contact_id = s.contact_id AND n.source = s.source AND n.cause = s.cause)))"
    )
    ended = _lift(connection, key, "reconsent", where, {"key": number_key(key, number)}, signed, now)
    given = Consent("given", "call", number, "reconsent", signed.reason, signed.by, at, signed.second_person)
    consents.add(connection, key, [given], now)
    return ended


def _lift(
    connection: Connection, key: bytes, kind: Kind, where: str, parameters: dict[str, object], signed: Signed, now: int
) -> int:
    ended = 0
    while True:
        # What was lifted is live no more, so the first page is always the next one.
        rows = fetch(
            connection,
            f"SELECT {_COLUMNS} FROM suppressions AS s WHERE {where} AND {LIVE} ORDER BY s.event_id LIMIT {PAGE}",
            parameters,
        )
        if not rows:
            return ended
        suppressions.append(connection, key, [_lifting(Event(*row), kind, signed, now) for row in rows], now)
        ended += len(rows)


def _lifting(event: Event, kind: Kind, signed: Signed, now: int) -> Suppression:
    return Suppression(
        kind=kind,
        scope=event.scope,
        number=event.number,
        contact_id=event.contact_id or None,
        cause=f"{kind} {event.event_id}",
        source=kind,
        evidence=signed.reason,
        actor=signed.by,
        at=now,
        second_person=signed.second_person,
        lifts=event.event_id,
    )


class Held(NamedTuple):
    """A suppression that holds."""

    event_id: int
    scope: str
    number: str | None
    source: str
    evidence: str
    actor: str
    at: int


def live(connection: Connection, after: int, limit: int) -> list[Held]:
    """Suppressions that hold, in the order of the chain."""
    return [
        Held(*row)
        for row in fetch(
            connection,
            "SELECT s.event_id, s.scope, s.number, s.source, s.evidence, s.actor, s.at FROM suppressions AS s "
            f"WHERE s.event_id > :after AND {LIVE} ORDER BY s.event_id LIMIT :limit",
            {"after": after, "limit": limit},
        )
    ]


def all_live(connection: Connection) -> Iterator[Held]:
    """Every suppression that holds, streamed."""
    after = 0
    while rows := live(connection, after, PAGE):
        yield from rows
        after = rows[-1].event_id


def of_numbers(connection: Connection, key: bytes, numbers: Sequence[str]) -> dict[str, list[Held]]:
    """What holds for each number."""
    by_key = {number_key(key, number): number for number in numbers}
    found: dict[str, list[Held]] = {}
    with batch_of(connection, list(by_key)) as batch:
        rows = fetch(
            connection,
            f"SELECT s.number_key, s.event_id, s.scope, s.number, s.source, s.evidence, s.actor, s.at FROM {batch} AS b "
            f"JOIN suppressions AS s ON s.number_key = b.key WHERE s.scope = 'number' AND {LIVE} ORDER BY s.event_id",
        )
    for row in rows:
        found.setdefault(by_key[row[0]], []).append(Held(*row[1:]))
    return found
