"""Which e-mail addresses are good: asked only of people whom no number reaches, kept so that the planner knows what it may suggest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from ringtrue.ledger import dirty, meta
from ringtrue.ledger.database import batch_of, fetch, insert_rows, update_rows

DAY_MS = 86_400_000
WANTED_DAYS = 30
"""An address that was not anybody's next channel for so long is not asked again."""
GOOD = "EXISTS (SELECT 1 FROM email_states AS e WHERE e.email = lower(c.email) AND e.state = 'good')"
"""SQL condition: a service found the e-mail address of contact `c` good."""

REFUSES_EMAIL = "EXISTS (SELECT 1 FROM email_preferences AS ep WHERE ep.connection = c.connection AND ep.email = lower(c.email) AND ep.opted_out)"
"""SQL condition: the CRM's preferences say that contact `c` wants no e-mail."""


class EmailAnswer(NamedTuple):
    """What a service said of an address: good, risky, bad, or None where it could not tell."""

    email: str
    state: str | None
    service: str
    observed_at: int


def of_contacts(connection: Connection, contact_ids: Sequence[int]) -> list[tuple[int, str]]:
    """Contacts that have an address and may be written to, with the address as it is compared."""
    with batch_of(connection, contact_ids, empty=int) as batch:
        rows = fetch(
            connection,
            f"SELECT c.contact_id, lower(c.email) FROM {batch} AS b JOIN contacts AS c ON c.contact_id = b.key "
            f"WHERE c.deleted_at IS NULL AND c.email LIKE '%@%' AND NOT c.email_opt_out AND NOT {REFUSES_EMAIL} ORDER BY c.contact_id DESC",
        )
    return [(row[0], row[1]) for row in rows]


def want(connection: Connection, addresses: Iterable[str], now: int) -> None:
    """Note that these addresses would be somebody's next channel. New ones are due at once."""
    insert_rows(
        connection,
        "email_states",
        ["email", "wanted_at", "look_at"],
        [(email, now, now) for email in sorted(set(addresses))],
        on_conflict="(email) DO UPDATE SET wanted_at = excluded.wanted_at",
    )


def due(connection: Connection, now: int) -> list[str]:
    """Wanted addresses to ask about now that somebody living still has, the newest contacts' first."""
    rows = fetch(
        connection,
        "SELECT e.email FROM email_states AS e JOIN contacts AS c ON lower(c.email) = e.email "
        "WHERE e.look_at <= :now AND e.wanted_at >= :wanted AND c.deleted_at IS NULL AND NOT c.email_opt_out "
        f"AND NOT {REFUSES_EMAIL} "
        "GROUP BY e.email ORDER BY max(c.contact_id) DESC",
        {"now": now, "wanted": now - WANTED_DAYS * DAY_MS},
    )
    return [row[0] for row in rows]


def look_again(connection: Connection, dates: Sequence[tuple[str, int]]) -> None:
    """When each address is to be asked about again."""
    update_rows(connection, "email_states", ["look_at"], ["email"], [(look_at, email) for email, look_at in dates])


def store(connection: Connection, answers: Sequence[EmailAnswer], now: int) -> int:
    """Keep answers and mark the contacts whose address became good, or is no longer. Returns how many addresses changed.

    An answer that tells nothing leaves what was known.
    """
    told = {each.email: each for each in sorted(answers, key=lambda each: each.observed_at) if each.state is not None}
    with batch_of(connection, list(told)) as batch:
        before = dict(
            fetch(connection, f"SELECT e.email, e.state FROM {batch} AS b JOIN email_states AS e ON e.email = b.key")
        )
    changed = [email for email, each in told.items() if before.get(email) != each.state]
    insert_rows(
        connection,
        "email_states",
        ["email", "state", "service", "observed_at", "wanted_at", "look_at"],
        [(each.email, each.state, each.service, each.observed_at, now, now) for each in told.values()],
        on_conflict="(email) DO UPDATE SET state = excluded.state, service = excluded.service, observed_at = excluded.observed_at",
    )
    if changed:
        with batch_of(connection, changed) as batch:
            dirty.mark_by_query(
                connection,
                "contact_id",
                f"SELECT 'changes:' || c.connection AS stage, c.contact_id AS key FROM {batch} AS b "
                "JOIN contacts AS c ON lower(c.email) = b.key WHERE c.deleted_at IS NULL",
                {},
            )
    return len(changed)


def rule_changed(connection: Connection, connection_name: str, good_only: bool) -> bool:
    """Note under which rule a connection's addresses are suggested. True when it differs from the last plan's."""
    name, rule = f"email_rule:{connection_name}", "good_only" if good_only else "any"
    differs = (meta.value(connection, name) or "any") != rule
    if differs:
        meta.set_value(connection, name, rule)
    return differs
