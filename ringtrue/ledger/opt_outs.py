"""Who said stop, as far as the CRMs' own flags tell, and which numbers that covers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from ringtrue.ledger import dirty
from ringtrue.ledger.database import batch_of, fetch
from ringtrue.ledger.suppressions import LIVE, Suppression, append

STAGE = "opt_outs"


class Flagged(NamedTuple):
    """A contact with a do-not-call flag that somebody else set, or one that opted out before."""

    contact_id: int
    connection: str
    object_name: str
    record_id: str
    flagged: bool
    opted_out: bool
    seen_at: int


class OptOuts(NamedTuple):
    """Suppressions to append and switchboards to ask about: (number, how many people)."""

    events: list[Suppression]
    switchboards: list[tuple[str, int]]


def flagged(connection: Connection, marks: Sequence[tuple[int, int]]) -> list[Flagged]:
    """The contacts behind marks of the opt-out stage. A flag that our own write set is no evidence.

    Contacts with a write that a crash left unsettled are left out: the flag may be ours. Their marks are to stay.
    """
    with batch_of(connection, [key for key, _ in marks]) as batch:
        rows = fetch(
            connection,
            "SELECT c.contact_id, c.connection, c.object, c.record_id, c.do_not_call AND NOT c.do_not_call_ours, "
            f"EXISTS (SELECT 1 FROM suppressions AS s WHERE s.contact_id = c.contact_id AND s.scope = 'person' AND {LIVE}), "
            f"c.modified_at FROM {batch} AS b JOIN contacts AS c ON c.contact_id = b.key "
            "WHERE NOT EXISTS (SELECT 1 FROM changes AS ch WHERE ch.contact_id = c.contact_id AND ch.state = 'sending') "
            "ORDER BY c.contact_id",
        )
    return [Flagged(row[0], row[1], row[2], row[3], bool(row[4]), bool(row[5]), row[6]) for row in rows]


def events_for(connection: Connection, people: Sequence[Flagged], switchboard_people: int) -> OptOuts:
    """Suppressions of people who opted out: the person, and each of their numbers unless it is a switchboard.

    Somebody who opted out before and has a new number is covered with that number too.
    """
    stopped = {person.contact_id: person for person in people if person.flagged or person.opted_out}
    with batch_of(connection, list(stopped)) as batch:
        numbers = fetch(
            connection,
            "SELECT p.contact_id, p.number, (SELECT count(DISTINCT lower(coalesce(c.name, c.record_id))) FROM phones AS other "
            "JOIN contacts AS c ON c.contact_id = other.contact_id WHERE other.number = p.number AND c.deleted_at IS NULL) "
            f"FROM {batch} AS b JOIN phones AS p ON p.contact_id = b.key WHERE p.e164 IS NOT NULL ORDER BY p.contact_id, p.number",
        )
    events = [_event(person, "person", None) for person in stopped.values() if not person.opted_out]
    switchboards: list[tuple[str, int]] = []
    for contact_id, number, people_with_it in numbers:
        if people_with_it > switchboard_people:
            switchboards.append((number, people_with_it))
        else:
            events.append(_event(stopped[contact_id], "number", number))
    return OptOuts(events, switchboards)


def _event(person: Flagged, scope: str, number: str | None) -> Suppression:
    return Suppression(
        kind="opt_out",
        scope="person" if scope == "person" else "number",
        number=number,
        contact_id=person.contact_id,
        cause=f"{person.object_name}/{person.record_id}",
        source=f"crm_flag:{person.connection}",
        evidence="do-not-call flag of the record, not set by RingTrue",
        actor=f"user of {person.connection}",
        at=person.seen_at,
    )


def mark_flagged(connection: Connection) -> int:
    """Mark every contact whose flag somebody else set, to go through all of them again."""
    return dirty.mark_by_query(
        connection,
        "contact_id",
        "SELECT 'opt_outs' AS stage, c.contact_id AS key FROM contacts AS c WHERE c.do_not_call AND NOT c.do_not_call_ours",
        {},
    )


def confirm_call(connection: Connection, key: bytes, place: str, person: str, now: int) -> list[int]:
    """Somebody read a call's note and it does say stop: opt out the people called. `place` is connection:call id."""
    name, _, call_id = place.partition(":")
    events = [
        Suppression(
            "opt_out",
            "person",
            None,
            contact_id,
            call_id,
            f"call:{name}",
            "a person read the call's note",
            person,
            started or now,
        )
        for contact_id, started in fetch(
            connection,
            "SELECT c.contact_id, l.started_at FROM calls AS l JOIN contacts AS c ON c.connection = l.connection "
            "WHERE l.connection = :connection AND l.external_id = :call AND l.records LIKE '%\"' || c.record_id || '\"%'",
            {"connection": name, "call": call_id},
        )
    ]
    dirty.mark_contacts(connection, STAGE, [event.contact_id for event in events if event.contact_id])
    return append(connection, key, events, now)


def confirm_number(connection: Connection, key: bytes, number: str, person: str, now: int) -> list[int]:
    """Somebody decided that a switchboard as a whole must not be called."""
    event = Suppression(
        "opt_out",
        "number",
        number,
        None,
        f"switchboard {now}",
        "review",
        "a person decided for the whole number",
        person,
        now,
    )
    return append(connection, key, [event], now)
