"""Looks at a ledger without making, migrating or changing it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError

from ringtrue.errors import LedgerError
from ringtrue.ledger.database import alembic_config


class Health(NamedTuple):
    """A ledger as it lies there. `file` is SQLite's; `exists` is false where nothing was ever written; `behind` where the next start migrates it."""

    file: Path | None
    exists: bool
    behind: bool
    server: str


def look(url: str, *, password: str | None = None) -> Health:
    """The state of the ledger at `url`. Raises LedgerError when it cannot be reached, or was written by a newer program."""
    try:
        address = make_url(url)
    except ArgumentError as error:
        raise LedgerError(
            "The address under [ledger] url is none. Write sqlite:///data/ledger.db or postgresql://user@host/database."
        ) from error
    file = Path(address.database or "") if address.get_backend_name() == "sqlite" else None
    if file is not None and not file.is_file():
        return Health(file, False, False, "SQLite")
    if file is not None:
        address = make_url(f"sqlite:///file:{file.resolve()}?mode=ro&uri=true")
    elif address.drivername == "postgresql":
        address = address.set(drivername="postgresql+psycopg2")
    if password is not None:
        address = address.set(password=password)
    scripts = ScriptDirectory.from_config(alembic_config())
    engine = create_engine(address, hide_parameters=True)
    try:
        with engine.connect() as connection:
            present = MigrationContext.configure(connection).get_current_revision()
            if file is None:
                server = f"PostgreSQL {connection.execute(text('SHOW server_version')).scalar()}"
            else:
                server = f"SQLite {connection.execute(text('SELECT sqlite_version()')).scalar()}"
    except DBAPIError as error:
        shown = str(error.orig).strip().partition("\n")[0].rstrip(".")
        raise LedgerError(
            f"The ledger cannot be read ({shown}). Check the address under [ledger] and the rights of its user."
        ) from error
    finally:
        engine.dispose()
    if present is not None and present not in {script.revision for script in scripts.walk_revisions()}:
        raise LedgerError("The ledger was written by a newer RingTrue. Install that version, or restore a backup.")
    return Health(file, present is not None, present != scripts.get_current_head(), server)
