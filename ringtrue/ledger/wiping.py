"""Makes sure that what was erased is not in the database's files any more: freed pages, the write-ahead log, statistics."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import cast

from sqlalchemy import text

from ringtrue.errors import LedgerError
from ringtrue.ledger.database import Ledger
from ringtrue.ledger.schema import metadata

_BUSY = (
    "What was asked is erased, but old pages of the ledger's file could not be overwritten, because something else reads it. "
    "Stop `dagster dev` and `ringtrue serve`, then give the same command again."
)


def wipe(ledger: Ledger, tables: Iterable[str]) -> None:
    """Write the ledger anew without freed space: all of a SQLite file, the tables named on PostgreSQL. Raises LedgerError when it is in use.

    PostgreSQL's own write-ahead log and its backups are kept as long as the server is set to.
    """
    if ledger.is_sqlite:
        with ledger.engine.connect() as connection:
            driver = cast(sqlite3.Connection, connection.connection.driver_connection)
            try:
                driver.execute("VACUUM")
                (busy, *_) = driver.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            except sqlite3.OperationalError as error:
                raise LedgerError(_BUSY) from error
        if busy:
            raise LedgerError(_BUSY)
        return
    with ledger.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for name in sorted(set(tables) & set(metadata.tables)):
            connection.execute(text(f"VACUUM (FULL, ANALYZE) {name}"))
