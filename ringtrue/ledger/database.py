"""Opens the ledger and moves rows in and out of it in bulk. SQLite (WAL) by default, the same code on PostgreSQL."""

from __future__ import annotations

import fcntl
import os
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from hashlib import blake2b
from pathlib import Path
from typing import Any, cast

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from psycopg2.extras import execute_values
from sqlalchemy import Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError

from ringtrue.errors import LedgerError
from ringtrue.ledger.schema import metadata

BUSY_SECONDS = 60.0
STREAM_ROWS = 5_000
UPDATE_ROWS = 5_000
NEW_KEY = ".key.new"
"""Suffix of the key of a ledger that is being restored."""
_KEYS = {
    # One tree a table: the row id itself, or a table without one.
    "sqlite": {int: "key INTEGER PRIMARY KEY)", str: "key TEXT PRIMARY KEY) WITHOUT ROWID"},
    "postgresql": {int: "key BIGINT PRIMARY KEY)", str: "key TEXT PRIMARY KEY)"},
}


class Ledger:
    """The database behind RingTrue. Use `Ledger.open`; every stage works inside `with ledger.write() as connection`."""

    def __init__(self, engine: Engine, key: bytes) -> None:
        self.engine = engine
        self.key = key
        """Key of the suppression hashes and of the opaque ids."""

    @classmethod
    def open(cls, url: str, *, password: str | None = None, key: bytes | None = None) -> Ledger:
        """Open the ledger at `url`, create or migrate it, and check its suppression key.

        A relative SQLite path counts from the working directory; the file gets mode 0600. Raises LedgerError.
        """
        try:
            address = make_url(url)
            known = address.get_backend_name() in ("sqlite", "postgresql")
        except ArgumentError:
            known = False
        if not known:
            raise LedgerError(
                "The address under [ledger] url is none: write sqlite:///data/ledger.db or postgresql://user@host/database."
            )
        if address.drivername == "postgresql":
            address = address.set(drivername="postgresql+psycopg2")
        if password is not None:
            address = address.set(password=password)
        if address.get_backend_name() == "sqlite":
            if not address.database:
                raise LedgerError("The ledger needs a file: write sqlite:///data/ledger.db under [ledger] url.")
            file = Path(address.database)
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
                if not file.exists():
                    os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
            except OSError as error:
                raise LedgerError(
                    f"The ledger {file} cannot be made: {error.strerror}. Choose another place under [ledger] url."
                ) from error
            # Parameters are people's numbers and addresses: no error may show them.
            options: dict[str, Any] = {"timeout": BUSY_SECONDS, "check_same_thread": False}
            engine = create_engine(address, connect_args=options, hide_parameters=True)
            _configure_sqlite(engine)
        else:
            engine = create_engine(address, pool_pre_ping=True, hide_parameters=True)
        try:
            _migrate(engine)
            with engine.begin() as connection:
                key = _settle_key(connection, key, address.database if engine.dialect.name == "sqlite" else None)
        except DBAPIError as error:
            raise LedgerError(
                f"The ledger at {address.render_as_string(hide_password=True)} cannot be used: {_first_line(error.orig)}. "
                "Check the address under [ledger] and the rights of its user."
            ) from error
        return cls(engine, key)

    @property
    def is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that may write: committed at the end, rolled back on an error."""
        with self.engine.begin() as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent snapshot to read from."""
        options = {"reads": True} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"}
        with self.engine.connect() as connection:
            connection = connection.execution_options(**options)
            with connection.begin():
                yield connection

    @contextmanager
    def alone(self, what: str) -> Iterator[None]:
        """Keep every other process out of `what` until the block ends, or this process does.

        Raises LedgerError at once when another one is in it.
        """
        taken = LedgerError(f"Another run is at {what} now. Wait until it has finished, then try again.")
        if self.is_sqlite:
            place = Path(f"{self.engine.url.database}.{blake2b(what.encode(), digest_size=6).hexdigest()}.lock")
            with place.open("w") as held:
                try:
                    fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    raise taken from None
                yield
            return
        with self.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            number = int.from_bytes(blake2b(what.encode(), digest_size=7).digest())
            if not connection.execute(text("SELECT pg_try_advisory_lock(:number)"), {"number": number}).scalar():
                raise taken
            try:
                yield
            finally:
                connection.execute(text("SELECT pg_advisory_unlock(:number)"), {"number": number})

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()


def take_turns(connection: Connection, what: str) -> None:
    """Let the transactions of several processes that store the same thing follow one another. On SQLite they do so anyway."""
    if connection.dialect.name == "postgresql":
        number = int.from_bytes(blake2b(what.encode(), digest_size=7, person=b"ringtrue-turns").digest())
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})


def _first_line(error: BaseException | None) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")


def _configure_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _on_connect(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA temp_store=FILE")  # in memory, sorting a million changes would hold them all
        connection.execute("PRAGMA cache_size=-65536")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _on_begin(connection: Connection) -> None:
        # A deferred transaction that starts to write later fails at once when another one wrote meanwhile.
        connection.exec_driver_sql(
            "BEGIN IMMEDIATE" if not connection.get_execution_options().get("reads") else "BEGIN"
        )


def alembic_config() -> Config:
    """The migrations that come with this program."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    return config


def _migrate(engine: Engine) -> None:
    config = alembic_config()
    newest = ScriptDirectory.from_config(config).get_current_head()
    with engine.connect() as connection:
        present = MigrationContext.configure(connection).get_current_revision()
    if present == newest:
        return
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if present is not None and present not in known:
        raise LedgerError("The ledger was written by a newer RingTrue. Install that version, or restore a backup.")
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(727274)"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def fingerprint_of(key: bytes) -> str:
    """What a ledger remembers of its key."""
    return blake2b(key, digest_size=8, person=b"ringtrue-key").hexdigest()


def _key_beside(database: Path, stored: str | None) -> bytes | None:
    """The key in the file beside a SQLite ledger, made where the ledger is new."""
    file = database.with_suffix(".key")
    coming = database.with_suffix(NEW_KEY)
    if coming.exists() and stored == fingerprint_of(coming.read_bytes()):
        # A restore was interrupted after it had put the ledger into place.
        coming.replace(file)
    if file.exists():
        return file.read_bytes()
    if stored is not None:
        return None
    key = secrets.token_hex(32).encode()
    with os.fdopen(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as stream:
        stream.write(key)
    return key


def _settle_key(connection: Connection, key: bytes | None, database: str | None) -> bytes:
    stored = connection.execute(text("SELECT value FROM meta WHERE name = 'key_fingerprint'")).scalar()
    if key is None:
        variable = os.environ.get("RINGTRUE_LEDGER_KEY")
        if variable:
            key = variable.encode()
        elif database is not None:
            key = _key_beside(Path(database), stored)
    if key is None:
        raise LedgerError(
            "The ledger's key is missing: set RINGTRUE_LEDGER_KEY, or put the .key file back beside the ledger. "
            "Without it suppressed numbers cannot be recognised."
        )
    fingerprint = fingerprint_of(key)
    if stored is None:
        connection.execute(
            text("INSERT INTO meta (name, value) VALUES ('key_fingerprint', :value)"), {"value": fingerprint}
        )
    elif stored != fingerprint:
        raise LedgerError(
            "The key given (RINGTRUE_LEDGER_KEY or the .key file) is not the one this ledger was made with. Use that key, "
            "or suppressed numbers would not be recognised."
        )
    return key


def _cursor(connection: Connection) -> closing[Any]:
    """The driver's own cursor, inside the transaction of `connection`."""
    return closing(cast(Any, connection.connection.cursor()))


def insert_rows(
    connection: Connection, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], *, on_conflict: str = ""
) -> None:
    """Insert rows given as tuples, as fast as the driver can. `on_conflict` is the SQL behind ON CONFLICT, if any."""
    if not rows:
        return
    names = ", ".join(columns)
    suffix = f" ON CONFLICT {on_conflict}" if on_conflict else ""
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(columns))
        with _cursor(connection) as cursor:
            cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks}){suffix}", rows)
        return
    with _cursor(connection) as cursor:
        execute_values(cursor, f"INSERT INTO {table} ({names}) VALUES %s{suffix}", rows, page_size=5_000)


def update_rows(
    connection: Connection, table: str, assignments: Sequence[str], key: Sequence[str], rows: Sequence[Sequence[Any]]
) -> int:
    """Update rows given as tuples: first the values of `assignments`, then those of the key columns. Returns how many were found."""
    if not rows:
        return 0
    if connection.dialect.name == "sqlite":
        sets = ", ".join(f"{name} = ?" for name in assignments)
        where = " AND ".join(f"{name} = ?" for name in key)
        with _cursor(connection) as cursor:
            cursor.executemany(f"UPDATE {table} SET {sets} WHERE {where}", rows)
            return int(cursor.rowcount)
    # A column may stand on both sides: a state that is changed where it still is what it was.
    names = [*assignments, *(f"was_{name}" for name in key)]
    types = _types_of(connection, table, [*assignments, *key])
    sets = ", ".join(f"{name} = v.{name}::{types[name]}" for name in assignments)
    where = " AND ".join(f"t.{name} = v.was_{name}::{types[name]}" for name in key)
    found = 0
    with _cursor(connection) as cursor:
        for begin in range(0, len(rows), UPDATE_ROWS):
            execute_values(
                cursor,
                f"UPDATE {table} AS t SET {sets} FROM (VALUES %s) AS v ({', '.join(names)}) WHERE {where}",
                rows[begin : begin + UPDATE_ROWS],
                page_size=UPDATE_ROWS,
            )
            found += cursor.rowcount
    return found


def _types_of(connection: Connection, table: str, names: Sequence[str]) -> dict[str, str]:
    columns = metadata.tables[table].columns
    return {name: columns[name].type.compile(connection.dialect) for name in names}


@contextmanager
def batch_of(
    connection: Connection, keys: Iterable[int] | Iterable[str], empty: type[int] | type[str] = str
) -> Iterator[str]:
    """Put keys into a temporary table of one column `key` and yield the table's name, to join with.

    Inside the block the same keys give the same table: a stage that wraps its batch pays for it once. `empty` says what the column
    holds when there is no key: PostgreSQL refuses to compare texts with ids.
    """
    values = list(keys)
    opened: list[tuple[list[Any], str]] = connection.info.setdefault("ringtrue_batches", [])
    for held, name in opened:
        if values and held == values:
            yield name
            return
    column = _KEYS[connection.dialect.name][type(values[0]) if values else empty]
    name = "batch_" + secrets.token_hex(4)
    connection.exec_driver_sql(f"CREATE TEMPORARY TABLE {name} ({column}")
    insert_rows(connection, name, ["key"], [(value,) for value in dict.fromkeys(values)])
    _tell_planner(connection, name, empty=not values)
    opened.append((values, name))
    try:
        yield name
    finally:
        opened.remove((values, name))
    # After an error the transaction is rolled back and the table with it.
    connection.exec_driver_sql(f"DROP TABLE {name}")


def _tell_planner(connection: Connection, name: str, *, empty: bool) -> None:
    """Let SQLite know that a batch is small. It takes a table that it knows nothing about for a large one, and walks through the other."""
    if connection.dialect.name != "sqlite":
        return
    if empty:
        connection.exec_driver_sql(f"INSERT INTO {name} (key) VALUES (0)")
    connection.exec_driver_sql(f"ANALYZE temp.{name}")
    if empty:
        connection.exec_driver_sql(f"DELETE FROM {name}")


def fetch(connection: Connection, sql: str, parameters: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
    """All rows of a query as plain tuples."""
    if connection.dialect.name == "sqlite":
        # SQLAlchemy's way to a tuple costs three times what the driver needs for it.
        with _cursor(connection) as cursor:
            rows: list[tuple[Any, ...]] = cursor.execute(sql, parameters or {}).fetchall()
        return rows
    return [tuple(row) for row in connection.execute(text(sql), parameters or {})]


def stream(connection: Connection, sql: str, parameters: dict[str, Any] | None = None) -> Iterator[Any]:
    """Rows of a query one after the other, in bounded memory: plain tuples, or rows that are tuples too."""
    if connection.dialect.name == "sqlite":
        with _cursor(connection) as cursor:
            cursor.execute(sql, parameters or {})
            while rows := cursor.fetchmany(STREAM_ROWS):
                yield from rows
        return
    yield from connection.execute(text(sql).execution_options(yield_per=STREAM_ROWS), parameters or {})
