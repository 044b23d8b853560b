"""Ids and names that somebody may type next: what the shell offers."""

from __future__ import annotations

from sqlalchemy import Connection

from ringtrue.ledger.database import fetch


def _words(connection: Connection, sql: str) -> list[str]:
    return [str(row[0]) for row in fetch(connection, sql)]


def open_plans(connection: Connection) -> list[str]:
    """Ids of the plans that write-back would carry out."""
    return _words(
        connection, "SELECT plan_id FROM plans WHERE state = 'open' AND purpose = 'sync' ORDER BY created_at DESC"
    )


def plans_run(connection: Connection) -> list[str]:
    """Ids of the latest runs that planned, the last one first."""
    return _words(
        connection,
        "SELECT run FROM plans WHERE purpose = 'sync' AND run <> '' GROUP BY run ORDER BY max(created_at) DESC LIMIT 20",
    )


def undos_holding(connection: Connection) -> list[str]:
    """Ids of undos whose fields are held."""
    return _words(connection, "SELECT run FROM holds GROUP BY run ORDER BY max(since) DESC")


def sources(connection: Connection) -> list[str]:
    """Names of lead sources that were measured."""
    return _words(connection, "SELECT source FROM source_states ORDER BY source")
