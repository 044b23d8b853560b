"""The page behind the link field: what is known about one record's numbers, and what a person who looked at it says."""

from __future__ import annotations

from hashlib import blake2b
from typing import Literal, NamedTuple

from sqlalchemy import Connection

from ringtrue.ledger import dirty, registries, stops
from ringtrue.ledger.database import batch_of, fetch, insert_rows
from ringtrue.ledger.suppressions import LIVE, kind_of, live_persons, number_key

Said = Literal["talked", "wrong_person", "stop"]
SOURCE = "person"
_OUTCOMES = {"talked": "right_person", "wrong_person": "wrong_person", "stop": "opted_out"}
_HISTORY = 50


class Person(NamedTuple):
    """The record behind a link. `suppressed_since`: the person asked not to be called."""

    contact_id: int
    connection: str
    object_name: str
    record_id: str
    name: str | None
    deleted: bool
    suppressed_since: int | None


class Number(NamedTuple):
    """One number of the record, and what was decided about it for this contact. `handle` names it without telling it."""

    handle: str
    number: str
    e164: str | None
    fields: tuple[str, ...]
    region: str | None
    status: str
    reason: str | None
    confidence: float | None
    decided_at: int | None


class Event(NamedTuple):
    """Something that was heard of a number, or of the person where `number` is None: outcome of a call or a lookup, or a kind of opt-out."""

    number: str | None
    what: Literal["call", "lookup", "said", "permission", "lifted"]
    outcome: str
    source: str
    who: str | None
    at: int


class Found(NamedTuple):
    """All of it."""

    person: Person
    numbers: list[Number]
    events: list[Event]


def find(connection: Connection, key: bytes, why_id: str) -> Found | None:
    """The record behind an opaque id, as it is now: a merged one gives its survivor. None when there is no such id."""
    rows = fetch(
        connection,
        "WITH RECURSIVE chain (contact_id, step) AS (SELECT c.contact_id, 0 FROM contacts AS c WHERE c.why_id = :why "
        "UNION SELECT s.contact_id, ch.step + 1 FROM chain AS ch JOIN contacts AS c ON c.contact_id = ch.contact_id "
        "JOIN contacts AS s ON s.record_id = c.merged_into AND s.connection = c.connection WHERE ch.step < 50) "
        "SELECT c.contact_id, c.connection, c.object, c.record_id, c.name, c.deleted_at IS NOT NULL "
        "FROM chain AS ch JOIN contacts AS c ON c.contact_id = ch.contact_id ORDER BY ch.step DESC LIMIT 1",
        {"why": why_id},
    )
    if not rows:
        return None
    contact_id = rows[0][0]
    stop = live_persons(connection, [contact_id]).get(contact_id)
    since = fetch(connection, "SELECT at FROM suppressions WHERE event_id = :event", {"event": stop}) if stop else []
    name, object_name, record_id, label, deleted = rows[0][1:]
    person = Person(contact_id, name, object_name, record_id, label, bool(deleted), since[0][0] if since else None)
    numbers = _numbers(connection, key, contact_id)
    return Found(person, numbers, _events(connection, key, contact_id, [each.number for each in numbers]))


def handle_of(key: bytes, number: str) -> str:
    """A name for a number that tells nothing of it."""
    return blake2b(number.encode(), key=key[:64], digest_size=8, person=b"ringtrue-handle").hexdigest()


def _numbers(connection: Connection, key: bytes, contact_id: int) -> list[Number]:
    rows = fetch(
        connection,
        "SELECT p.number, p.e164, p.field, p.region, coalesce(own.status, d.status), coalesce(own.reason, d.reason), "
        "coalesce(own.confidence, d.confidence), coalesce(own.decided_at, d.decided_at), d.status, d.reason, d.confidence, d.decided_at "
        "FROM phones AS p LEFT JOIN decisions AS d ON d.number = p.number AND d.contact_id = 0 AND d.current "
        "LEFT JOIN decisions AS own ON own.number = p.number AND own.contact_id = p.contact_id AND own.current "
        "WHERE p.contact_id = :contact ORDER BY p.field, p.position",
        {"contact": contact_id},
    )
    found: dict[str, Number] = {}
    for number, e164, field, region, *decided in rows:
        # What holds for the number whoever carries it comes before what holds for this contact.
        status, reason, confidence, at = decided[4:] if decided[4] == "do_not_call" else decided[:4]
        if number in found:
            before = found[number]
            found[number] = before._replace(fields=tuple(dict.fromkeys((*before.fields, field))))
            continue
        found[number] = Number(
            handle_of(key, number), number, e164, (field,), region, status or "unverified", reason, confidence, at
        )
    return list(found.values())


def _events(connection: Connection, key: bytes, contact_id: int, numbers: list[str]) -> list[Event]:
    by_key = {number_key(key, number): number for number in numbers}
    with batch_of(connection, numbers) as batch:
        seen = fetch(
            connection,
            "SELECT o.number, o.kind, o.outcome, o.source, o.raw, o.observed_at "
            f"FROM {batch} AS b JOIN observations AS o ON o.number = b.key WHERE NOT o.void AND o.contact_id IN (0, :contact) "
            "AND o.outcome <> 'lookup_abstained' ORDER BY o.observed_at DESC LIMIT :most",
            {"contact": contact_id, "most": _HISTORY},
        )
    with batch_of(connection, list(by_key)) as batch:
        said = fetch(
            connection,
            f"SELECT s.number_key, s.source, s.at, {LIVE} FROM {batch} AS b JOIN suppressions AS s ON s.number_key = b.key "
            "WHERE s.scope = 'number' AND s.kind = 'opt_out'",
        )
    own = fetch(
        connection,
        f"SELECT s.source, s.actor, s.at, {LIVE} FROM suppressions AS s WHERE s.contact_id = :contact AND s.scope = 'person' "
        "AND s.kind = 'opt_out'",
        {"contact": contact_id},
    )
    events = [
        Event(
            number,
            "said" if kind.startswith("said") else "lookup" if kind == "lookup" else "call",
            outcome,
            source,
            raw if kind.startswith("said") else None,
            at,
        )
        for number, kind, outcome, source, raw, at in seen
    ]
    events += [
        Event(by_key[keyed], "permission" if live else "lifted", kind_of(source), source, None, at)
        for keyed, source, at, live in said
    ]
    events += [
        Event(None, "permission" if live else "lifted", kind_of(source), source, actor, at)
        for source, actor, at, live in own
    ]
    events += [
        Event(each.number, "permission", each.kind, each.name, None, each.since)
        for each in registries.listings(connection, numbers)
    ]
    return sorted(events, key=lambda event: event.at, reverse=True)


def say(
    connection: Connection,
    key: bytes,
    contact_id: int,
    number: str | None,
    said: Said,
    who: str,
    answer_id: str,
    switchboard_people: int,
    now: int,
) -> bool:
    """Take what a person says of a contact and a number: evidence with their name, and at once a suppression where somebody said stop.

    `answer_id` is unique: the same answer sent twice counts once. Returns whether it was new.
    """
    # Two people who say the same are two sources; the name itself stays out of the source, which is shown in many places.
    source = f"{SOURCE}:{blake2b(who.encode(), digest_size=5).hexdigest()}"
    known = fetch(
        connection,
        "SELECT 1 FROM observations WHERE external_id = :id AND source = :source "
        "UNION ALL SELECT 1 FROM suppressions WHERE cause = :id AND source = 'opt_out:page'",
        {"id": answer_id, "source": source},
    )
    if known:
        return False
    if number is not None:
        outcome = _OUTCOMES[said]
        insert_rows(
            connection,
            "observations",
            ["number", "contact_id", "kind", "source", "outcome", "raw", "observed_at", "recorded_at", "external_id", "run"],
            [(number, contact_id, f"said:{said}", source, outcome, who, now, now, answer_id, "entry")],
            on_conflict="(source, external_id, kind, number, contact_id) DO NOTHING",
        )  # fmt: skip
        dirty.mark_numbers(connection, "status", [number])
    if said == "stop":
        stop = stops.Stop((contact_id,), number, answer_id, "opt_out:page", "told on the why page", who, now)
        stops.commit(connection, key, [stop], switchboard_people, now)
    return True
