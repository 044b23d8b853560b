"""Contacts and numbers by the lead source that brought them."""

from __future__ import annotations

from typing import Any

import pandas as pd
from sqlalchemy import Connection

from ringtrue.ledger.database import fetch

_COLUMNS = ["connection", "raw", "contacts", "numbers"]


def origins(connection: Connection, connection_name: str | None = None) -> pd.DataFrame:
    """One row per connection and raw origin of its living contacts: columns connection, raw, contacts, numbers."""
    only = "AND c.connection = :connection" if connection_name else ""
    parameters: dict[str, Any] = {"connection": connection_name} if connection_name else {}
    rows = fetch(
        connection,
        "SELECT c.connection, c.first_source, count(*), "
        "sum((SELECT count(*) FROM phones AS p WHERE p.contact_id = c.contact_id)) "
        f"FROM contacts AS c WHERE c.deleted_at IS NULL {only} GROUP BY c.connection, c.first_source",
        parameters,
    )
    return pd.DataFrame([(row[0], row[1], int(row[2]), int(row[3])) for row in rows], columns=_COLUMNS)


def statuses(connection: Connection) -> pd.DataFrame:
    """One row per connection, raw origin and status of its numbers: columns connection, raw, status, numbers."""
    rows = fetch(
        connection,
        "SELECT c.connection, c.first_source, d.status, count(DISTINCT p.number) FROM contacts AS c "
        "JOIN phones AS p ON p.contact_id = c.contact_id "
        "JOIN decisions AS d ON d.number = p.number AND d.contact_id = 0 AND d.current "
        "WHERE c.deleted_at IS NULL GROUP BY c.connection, c.first_source, d.status",
    )
    return pd.DataFrame(
        [(row[0], row[1], row[2], int(row[3])) for row in rows], columns=["connection", "raw", "status", "numbers"]
    )
