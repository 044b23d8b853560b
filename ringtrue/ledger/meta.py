"""Facts about this ledger that are one value each."""

from __future__ import annotations

from sqlalchemy import Connection, text

from ringtrue.ledger.database import fetch


def value(connection: Connection, name: str) -> str | None:
    """A value, None where it was never set."""
    rows = fetch(connection, "SELECT value FROM meta WHERE name = :name", {"name": name})
    return str(rows[0][0]) if rows else None


def set_value(connection: Connection, name: str, new: str) -> None:
    """Set a value."""
    connection.execute(
        text(
            "INSERT INTO meta (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
        ),
        {"name": name, "value": new},
    )
