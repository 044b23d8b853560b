"""Somebody said stop, just now: the person and their numbers are suppressed in the same transaction, not at the next run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from ringtrue.ledger import dirty, opt_outs, review, suppressions
from ringtrue.ledger.database import batch_of, fetch
from ringtrue.ledger.suppressions import Suppression


class Stop(NamedTuple):
    """Who said stop, how and when. `cause` is unique within `source`: the same stop again adds nothing.

    `contact_ids` are the people meant; without any, the number itself is. `number` is the one it was said on.
    """

    contact_ids: tuple[int, ...]
    number: str | None
    cause: str
    source: str
    evidence: str
    actor: str
    at: int


def commit(connection: Connection, key: bytes, stops: Sequence[Stop], switchboard_people: int, now: int) -> list[int]:
    """Suppress the people and their numbers. Returns the new events of the chain.

    A number that many people carry stays callable for the others, and a person is asked (`ringtrue review`); one that was named without a
    person is suppressed whoever carries it. Contacts with a write still open are left to the opt-out stage, which they stay marked for.
    """
    events = [_event(stop, "person", None, contact_id) for stop in stops for contact_id in stop.contact_ids]
    events += [_event(stop, "number", stop.number, None) for stop in stops if stop.number and not stop.contact_ids]
    added = suppressions.append(connection, key, events, now)
    people = sorted({contact_id for stop in stops for contact_id in stop.contact_ids})
    if not people:
        return added
    dirty.mark_contacts(connection, opt_outs.STAGE, people)
    known = opt_outs.flagged(connection, [(contact_id, 0) for contact_id in people])
    found = opt_outs.events_for(connection, known, switchboard_people)
    covered = {event.number for event in found.events} | {number for number, _ in found.switchboards}
    # A number that is on none of the records named was said stop on as well: else that would be lost.
    lines = [
        _event(stop, "number", stop.number, None)
        for stop in stops
        if stop.contact_ids and stop.number and stop.number not in covered
    ]
    added += suppressions.append(connection, key, [*found.events, *lines], now)
    review.add(connection, "switchboard", [(number, f"{count} people") for number, count in found.switchboards], now)
    return added


def _event(stop: Stop, scope: suppressions.Scope, number: str | None, contact_id: int | None) -> Suppression:
    return Suppression(
        "opt_out", scope, number, contact_id, stop.cause, stop.source, stop.evidence, stop.actor, stop.at
    )


def contacts_of(connection: Connection, name: str, records: Sequence[str]) -> dict[str, int]:
    """Contacts by record id: of the connection named, or, where it holds no such record, of the only one that does. Merged ones give their survivor."""
    with batch_of(connection, sorted(set(records))) as batch:
        rows = fetch(
            connection,
            "SELECT c.record_id, c.connection, coalesce(s.contact_id, c.contact_id) "
            f"FROM {batch} AS b JOIN contacts AS c ON c.record_id = b.key LEFT JOIN contacts AS s "
            "ON s.connection = c.connection AND s.object = c.object AND s.record_id = c.merged_into",
        )
    own = {row[0]: row[2] for row in rows if row[1] == name}
    holders: dict[str, list[int]] = {}
    for record, _, contact_id in rows:
        holders.setdefault(record, []).append(contact_id)
    return {record: ids[0] for record, ids in holders.items() if len(ids) == 1} | own
