"""Who is on the dialling lists, as last pulled. Being on one means that a call is planned."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection, text

from ringtrue.ledger import dirty
from ringtrue.ledger.database import batch_of, fetch, insert_rows
from ringtrue.ledger.suppressions import live_persons

Member = tuple[str, str]
"""(record id, status)."""


def store_page(
    connection: Connection, connection_name: str, list_name: str, members: Iterable[Member], now: int
) -> None:
    """Keep a page of a list's members."""
    insert_rows(
        connection, "list_members", ["connection", "list", "record_id", "status", "seen_at"],
        [(connection_name, list_name, record_id, status, now) for record_id, status in dict(members).items()],
        on_conflict="(connection, list, record_id) DO UPDATE SET status = excluded.status, seen_at = excluded.seen_at",
    )  # fmt: skip


def finish(connection: Connection, connection_name: str, now: int) -> int:
    """Forget who was not seen in this pull, and lists that are no longer asked for. Returns how many members there are."""
    connection.execute(
        text("DELETE FROM list_members WHERE connection = :connection AND seen_at < :now"),
        {"connection": connection_name, "now": now},
    )
    rows = fetch(
        connection,
        "SELECT count(*) FROM list_members WHERE connection = :connection",
        {"connection": connection_name},
    )
    return int(rows[0][0])


def mark_members(connection: Connection, connection_name: str) -> int:
    """Mark people on lists who may have to come off them: they must not be called, or the last word on their number is bad."""
    return dirty.mark_by_query(
        connection,
        "contact_id",
        "SELECT DISTINCT 'changes:' || c.connection AS stage, c.contact_id AS key FROM list_members AS m "
        "JOIN contacts AS c ON c.connection = m.connection AND c.record_id = m.record_id "
        "LEFT JOIN phones AS p ON p.contact_id = c.contact_id "
        "LEFT JOIN decisions AS d ON d.number = p.number AND d.current "
        "WHERE m.connection = :connection AND c.deleted_at IS NULL AND (c.do_not_call OR "
        "d.status IN ('do_not_call', 'invalid', 'disconnected', 'wrong_person')) "
        # What an undo put back stays, and what is planned already needs no second look.
        "AND NOT EXISTS (SELECT 1 FROM holds AS h WHERE h.contact_id = c.contact_id AND h.field = m.list) "
        "AND NOT EXISTS (SELECT 1 FROM changes AS ch WHERE ch.contact_id = c.contact_id AND ch.object = m.list "
        "AND ch.state IN ('planned', 'sending', 'failed'))",
        {"connection": connection_name},
    )


def of_contacts(connection: Connection, contact_ids: Sequence[int]) -> dict[int, list[tuple[str, str]]]:
    """Lists that contacts are on: (list, status) by contact."""
    if not contact_ids:
        return {}
    with batch_of(connection, contact_ids) as batch:
        rows = fetch(
            connection,
            f"SELECT c.contact_id, m.list, m.status FROM {batch} AS b JOIN contacts AS c ON c.contact_id = b.key "
            "JOIN list_members AS m ON m.connection = c.connection AND m.record_id = c.record_id ORDER BY c.contact_id, m.list",
        )
    found: dict[int, list[tuple[str, str]]] = {}
    for contact_id, name, status in rows:
        found.setdefault(contact_id, []).append((name, status))
    return found


def planned_calls(connection: Connection, numbers: Sequence[str]) -> dict[str, int]:
    """How many dialling lists each number is on through the people who carry it; numbers on none are left out."""
    if not numbers:
        return {}
    with batch_of(connection, list(numbers)) as batch:
        rows = fetch(
            connection,
            f"SELECT b.key, count(*) FROM {batch} AS b JOIN phones AS p ON p.number = b.key "
            "JOIN contacts AS c ON c.contact_id = p.contact_id AND c.deleted_at IS NULL "
            "JOIN list_members AS m ON m.connection = c.connection AND m.record_id = c.record_id GROUP BY b.key",
        )
    return {row[0]: int(row[1]) for row in rows}


def remember(
    connection: Connection,
    connection_name: str,
    list_name: str,
    written: Sequence[tuple[int, dict[str, str | None]]],
    now: int,
) -> None:
    """Hold what was just written to a list as its state: who left, who came back."""
    if not written:
        return
    with batch_of(connection, [contact_id for contact_id, _ in written]) as batch:
        records = dict(
            fetch(
                connection,
                f"SELECT c.contact_id, c.record_id FROM {batch} AS b JOIN contacts AS c ON c.contact_id = b.key",
            )
        )
    for contact_id, values in written:
        status = values[list_name]
        if status is None:
            connection.execute(
                text(
                    "DELETE FROM list_members WHERE connection = :connection AND list = :list AND record_id = :record"
                ),
                {"connection": connection_name, "list": list_name, "record": records[contact_id]},
            )
        else:
            store_page(connection, connection_name, list_name, [(records[contact_id], status)], now)


def not_to_return(connection: Connection, contact_ids: Sequence[int]) -> set[int]:
    """Contacts that no undo may put back on a dialling list: they, or one of their numbers, must not be called."""
    if not contact_ids:
        return set()
    with batch_of(connection, contact_ids) as batch:
        stopped = fetch(
            connection,
            f"SELECT b.key FROM {batch} AS b JOIN contacts AS c ON c.contact_id = b.key WHERE c.do_not_call UNION "
            f"SELECT b.key FROM {batch} AS b JOIN phones AS p ON p.contact_id = b.key "
            "JOIN decisions AS d ON d.number = p.number AND d.current WHERE d.status = 'do_not_call'",
        )
    return {row[0] for row in stopped} | set(live_persons(connection, contact_ids))
