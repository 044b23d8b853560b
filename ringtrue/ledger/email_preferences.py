"""Who opted out of all e-mail, as a CRM's communication preferences say. One call an address, so only those that could be suggested are asked."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection

from ringtrue.ledger import dirty
from ringtrue.ledger.database import batch_of, fetch, insert_rows

RECHECK_MS = 7 * 86_400_000


def due(connection: Connection, connection_name: str, now: int, limit: int) -> list[str]:
    """Addresses to ask about, in lower case: people for whom e-mail is or would be the next channel first, then the longest unasked."""
    rows = fetch(
        connection,
        "SELECT lower(c.email), min(coalesce(ep.checked_at, 0)), "
        "max(CASE WHEN c.do_not_call OR EXISTS (SELECT 1 FROM phones AS p JOIN decisions AS d ON d.number = p.number AND d.current "
        "WHERE p.contact_id = c.contact_id AND d.status NOT IN ('active', 'unverified')) THEN 1 ELSE 0 END) AS wanted "
        "FROM contacts AS c LEFT JOIN email_preferences AS ep ON ep.connection = c.connection AND ep.email = lower(c.email) "
        "WHERE c.connection = :connection AND c.deleted_at IS NULL AND c.email LIKE '%@%' AND NOT c.email_opt_out "
        "AND coalesce(ep.checked_at, 0) < :before GROUP BY lower(c.email) ORDER BY 3 DESC, 2, 1 LIMIT :limit",
        {"connection": connection_name, "before": now - RECHECK_MS, "limit": limit},
    )
    return [row[0] for row in rows]


def store(connection: Connection, connection_name: str, answers: Mapping[str, bool], now: int) -> int:
    """Keep answers and mark the people whose preference changed. Returns how many opted out."""
    if not answers:
        return 0
    with batch_of(connection, list(answers)) as batch:
        before = {
            email: bool(opted_out)
            for email, opted_out in fetch(
                connection,
                f"SELECT ep.email, ep.opted_out FROM {batch} AS b JOIN email_preferences AS ep ON ep.email = b.key "
                "WHERE ep.connection = :connection",
                {"connection": connection_name},
            )
        }
    insert_rows(
        connection, "email_preferences", ["connection", "email", "opted_out", "checked_at"],
        [(connection_name, email, opted_out, now) for email, opted_out in answers.items()],
        on_conflict="(connection, email) DO UPDATE SET opted_out = excluded.opted_out, checked_at = excluded.checked_at",
    )  # fmt: skip
    changed = [email for email, opted_out in answers.items() if before.get(email, False) != opted_out]
    if changed:
        with batch_of(connection, changed) as batch:
            dirty.mark_by_query(
                connection,
                "contact_id",
                f"SELECT DISTINCT 'changes:' || c.connection AS stage, c.contact_id AS key FROM {batch} AS b "
                "JOIN contacts AS c ON lower(c.email) = b.key WHERE c.connection = :connection AND c.deleted_at IS NULL",
                {"connection": connection_name},
            )
    return sum(answers.values())
