"""Who said stop, as far as the CRMs' own flags tell, and which numbers that covers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from ringtrue.ledger import dirty
from ringtrue.ledger.database import batch_of, fetch
from ringtrue.ledger.suppressions import Suppression, append, live_persons

STAGE = "opt_outs"


class Said(NamedTuple):
    """How somebody said stop, in the words of the chain."""

    cause: str
    source: str
    evidence: str
    actor: str
    at: int


class Flagged(NamedTuple):
    """A contact that may have opted out, and how: by a flag that somebody else set, or by an opt-out that the chain holds already."""

    contact_id: int
    connection: str
    record_id: str
    merged_into: str | None
    opted_out: bool
    said: Said | None

    @property
    def flagged(self) -> bool:
        """Whether this is news: a flag, and nothing in the chain yet."""
        return self.said is not None and not self.opted_out


class OptOuts(NamedTuple):
    """Suppressions to append and switchboards to ask about: (number, how many people)."""

    events: list[Suppression]
    switchboards: list[tuple[str, int]]


def flagged(connection: Connection, marks: Sequence[tuple[int, int]]) -> list[Flagged]:
    """The contacts behind marks of the opt-out stage, and those they were merged into. A flag that our own write set is no evidence.

    Contacts with a write that a crash left unsettled are left out: the flag may be ours. Their marks are to stay.
    """
    with batch_of(connection, [key for key, _ in marks], empty=int) as batch:
        rows = fetch(
            connection,
            f"WITH RECURSIVE chain (contact_id) AS (SELECT b.key FROM {batch} AS b UNION "
            "SELECT survivor.contact_id FROM chain AS ch JOIN contacts AS loser ON loser.contact_id = ch.contact_id "
            "JOIN contacts AS survivor ON survivor.record_id = loser.merged_into AND survivor.connection = loser.connection "
            "WHERE loser.merged_into IS NOT NULL) "
            "SELECT c.contact_id, c.connection, c.record_id, c.merged_into, c.object, c.flagged_at "
            "FROM chain AS b JOIN contacts AS c ON c.contact_id = b.contact_id "
            "WHERE NOT EXISTS (SELECT 1 FROM changes AS ch WHERE ch.contact_id = c.contact_id AND ch.state = 'sending') "
            "ORDER BY c.contact_id",
        )
    held = _said_before(connection, live_persons(connection, [row[0] for row in rows]))
    people = []
    for contact_id, name, record_id, merged_into, object_name, flagged_at in rows:
        said = held.get(contact_id)
        opted_out = said is not None
        if said is None and flagged_at is not None:
            # A flag that is set again after it was taken away is said again, even where the first time was retracted.
            cause = f"{object_name}/{record_id}/{flagged_at}"
            evidence = "do-not-call flag of the record, not set by RingTrue"
            said = Said(cause, f"crm_flag:{name}", evidence, f"user of {name}", flagged_at)
        people.append(Flagged(contact_id, name, record_id, merged_into, opted_out, said))
    return _handed_on(people)


def _said_before(connection: Connection, events: dict[int, int]) -> dict[int, Said]:
    """How contacts opted out, from the event that says so."""
    if not events:
        return {}
    with batch_of(connection, set(events.values())) as batch:
        said = {
            row[0]: Said(*row[1:])
            for row in fetch(
                connection,
                f"SELECT s.event_id, s.cause, s.source, s.evidence, s.actor, s.at FROM {batch} AS b "
                "JOIN suppressions AS s ON s.event_id = b.key",
            )
        }
    return {contact_id: said[event_id] for contact_id, event_id in events.items()}


def _handed_on(people: list[Flagged]) -> list[Flagged]:
    """Survivors of merges count as opted out where somebody merged into them is, in any number of steps."""
    place = {(person.connection, person.record_id): index for index, person in enumerate(people)}
    waiting = [person for person in people if person.merged_into and person.said]
    while waiting:
        person = waiting.pop()
        index = place.get((person.connection, person.merged_into or ""))
        if index is not None and not people[index].opted_out:
            people[index] = people[index]._replace(opted_out=True, said=people[index].said or person.said)
            if people[index].merged_into:
                waiting.append(people[index])
    return people


def events_for(connection: Connection, people: Sequence[Flagged], switchboard_people: int) -> OptOuts:
    """Suppressions of people who opted out: the person, and each of their numbers unless it is a switchboard.

    Somebody who opted out before and has a new number is covered with that number too.
    """
    stopped = {person.contact_id: person for person in people if person.said}
    if not stopped:
        return OptOuts([], [])
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
    assert person.said is not None  # noqa: S101 only people who said stop get here
    said = person.said
    return Suppression(
        kind="opt_out",
        scope="person" if scope == "person" else "number",
        number=number,
        contact_id=person.contact_id,
        cause=said.cause,
        source=said.source,
        evidence=said.evidence,
        actor=said.actor,
        at=said.at,
    )


def mark_flagged(connection: Connection) -> int:
    """Mark every contact whose flag somebody else set, to go through all of them again."""
    return dirty.mark_by_query(
        connection,
        "contact_id",
        "SELECT 'opt_outs' AS stage, c.contact_id AS key FROM contacts AS c WHERE c.flagged_at IS NOT NULL",
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
