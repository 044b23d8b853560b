"""What the dialling list needs of a page of contacts, straight from the store of permission: no decision that is still to be made can let a call through."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from ringtrue.changes import ContactState
from ringtrue.ledger import consents, list_members, planning, registries
from ringtrue.ledger.database import batch_of, fetch
from ringtrue.ledger.suppressions import live_numbers

DAY_MS = 86_400_000


class Person(NamedTuple):
    """A contact, as the dialler sees it."""

    state: ContactState
    connection: str
    name: str | None
    country: str | None
    region: str | None
    lists: tuple[str, ...]


class Page(NamedTuple):
    """Contacts in id order, and what holds for their numbers now."""

    people: list[Person]
    suppressed: set[str]
    listed: dict[str, str]
    """Number -> the registry that lists it."""
    unscrubbed: set[str]
    consents: set[str]
    calls_last_day: dict[str, int]
    overdue: dict[str, str | None]
    """Suspended numbers whose re-check is due, with their region."""
    last_id: int


def page(
    connection: Connection, key: bytes, after: int, limit: int, now: int, *, only_lists: bool, language: str
) -> Page | None:
    """The next living contacts behind an id; None at the end."""
    on_a_list = (
        "AND EXISTS (SELECT 1 FROM list_members AS m WHERE m.connection = c.connection AND m.record_id = c.record_id) "
        if only_lists
        else ""
    )
    rows = fetch(
        connection,
        "SELECT c.contact_id, c.connection, c.name, c.country, c.state FROM contacts AS c WHERE c.deleted_at IS NULL "
        f"AND c.contact_id > :after {on_a_list}ORDER BY c.contact_id LIMIT :limit",
        {"after": after, "limit": limit},
    )
    if not rows:
        return None
    ids = [row[0] for row in rows]
    states = {
        state.contact_id: state
        for state in planning.contact_states(
            connection, key, [(one, 0) for one in ids], email_good_only=False, language=language
        )
    }
    lists = list_members.of_contacts(connection, ids)
    people = [
        Person(states[row[0]], row[1], row[2], row[3], row[4], tuple(name for name, _ in lists.get(row[0], ())))
        for row in rows
    ]
    numbers = sorted({number.e164 for person in people for number in person.state.numbers if number.e164})
    return Page(
        people,
        {live.number for live in live_numbers(connection, key, numbers)} if numbers else set(),
        {listing.number: listing.name for listing in registries.check(connection, numbers)} if numbers else {},
        _unscrubbed(connection, numbers),
        set(consents.given(connection, key, numbers, "call")),
        _calls(connection, numbers, now - DAY_MS),
        _overdue(connection, numbers, now),
        ids[-1],
    )


def _unscrubbed(connection: Connection, numbers: Sequence[str]) -> set[str]:
    if not numbers:
        return set()
    with batch_of(connection, list(numbers)) as batch:
        rows = fetch(
            connection,
            f"SELECT b.key FROM {batch} AS b JOIN dirty_numbers AS d ON d.stage = :stage AND d.number = b.key",
            {"stage": registries.SCRUB},
        )
    return {row[0] for row in rows}


def _overdue(connection: Connection, numbers: Sequence[str], now: int) -> dict[str, str | None]:
    if not numbers:
        return {}
    with batch_of(connection, list(numbers)) as batch:
        rows = fetch(
            connection,
            f"SELECT d.number, (SELECT min(p.region) FROM phones AS p WHERE p.number = d.number) FROM {batch} AS b "
            "JOIN decisions AS d ON d.number = b.key WHERE d.current AND d.contact_id = 0 AND d.status = 'suspended' "
            "AND d.recheck_at <= :now",
            {"now": now},
        )
    return {row[0]: row[1] for row in rows}


def _calls(connection: Connection, numbers: Sequence[str], since: int) -> dict[str, int]:
    """Calls to each number since a moment; one call to several people counts once."""
    if not numbers:
        return {}
    with batch_of(connection, list(numbers)) as batch:
        rows = fetch(
            connection,
            f"SELECT o.number, count(DISTINCT o.external_id) FROM {batch} AS b JOIN observations AS o ON o.number = b.key "
            "WHERE o.observed_at >= :since AND o.source LIKE 'calls:%' AND NOT o.void GROUP BY o.number",
            {"since": since},
        )
    return {row[0]: int(row[1]) for row in rows}


def retired_numbers(connection: Connection, after: str, limit: int) -> list[tuple[str, str, str, int]]:
    """Numbers that cannot be reached, in order: number (or the key of a text that holds none), status, reason, when decided."""
    return [
        (row[0], row[1], row[2], row[3])
        for row in fetch(
            connection,
            "SELECT number, status, reason, decided_at FROM decisions WHERE current AND contact_id = 0 "
            "AND status IN ('invalid', 'disconnected') AND number > :after ORDER BY number LIMIT :limit",
            {"after": after, "limit": limit},
        )
    ]
