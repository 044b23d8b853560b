"""Rows that could not be used, each with its reason."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from ringtrue.ledger.database import insert_rows


def add(
    connection: Connection, stage: str, connection_name: str, items: Sequence[tuple[str, str]], run: str, now: int
) -> None:
    """Keep (key, reason) pairs of rows that a stage could not use. The same row and reason is kept once."""
    insert_rows(
        connection,
        "rejects",
        ["stage", "connection", "key", "reason", "run", "at"],
        [(stage, connection_name, key, reason, run, now) for key, reason in items],
        on_conflict="(stage, connection, key, reason) DO NOTHING",
    )
