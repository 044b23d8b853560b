"""Puts a ledger back from a backup: verified as a whole before anything is replaced, then in one step.

The CRMs went on since the backup was made, so the restored ledger trusts what it reads there more than its own memory: see `_settle`.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import zipfile
import zlib
from base64 import b64decode
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from alembic import command
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from ringtrue.errors import FileUnreadable, LedgerError
from ringtrue.ledger import backup, dirty, meta, suppressions
from ringtrue.ledger.backup import Manifest, TableFacts
from ringtrue.ledger.database import NEW_KEY, Ledger, alembic_config, fetch, fingerprint_of, insert_rows
from ringtrue.ledger.schema import metadata

_ROWS = 5_000
_TELLING = ("contacts", "suppressions", "observations", "changes", "calls")
"""A ledger without a row in these is empty."""
_LOCK_SECONDS = 2
"""So long a table's other users are waited for, before the ledger counts as in use."""
_STOP = "Stop everything that uses the ledger (`dagster dev`, `ringtrue serve`), then try again."


class Restored(NamedTuple):
    """What was put back, and where the ledger before it is kept, if there was one."""

    manifest: Manifest
    aside: Path | None


def verify(path: Path, passphrase: str | None = None) -> Manifest:
    """Read a whole backup and compare it with its manifest, without a ledger. Raises FileUnreadable."""
    with backup.opened(path, passphrase) as (archive, manifest):
        for name, facts in manifest.tables.items():
            for _ in _rows(archive, path, name, facts, clean=False):
                pass
        _key(archive, path, manifest)
    return manifest


def key_of(path: Path, passphrase: str | None = None) -> bytes:
    """The key of the suppression hashes in a backup."""
    with backup.opened(path, passphrase) as (archive, manifest):
        return _key(archive, path, manifest)


def restore(
    url: str, path: Path, now: int, *, password: str | None = None, passphrase: str | None = None, force: bool = False
) -> Restored:
    """Restore the ledger at `url` from a backup made of either database. `force`: where there is a ledger in use, put it aside.

    Raises FileUnreadable for a backup that is not whole, LedgerError where there is a ledger already or the key given is another one.
    """
    with backup.opened(path, passphrase) as (archive, manifest):
        _check_version(manifest)
        key = _key(archive, path, manifest)
        given = os.environ.get("RINGTRUE_LEDGER_KEY")
        if given is not None and given.encode() != key:
            raise LedgerError(
                "RINGTRUE_LEDGER_KEY is not the key of this backup, whose suppressed numbers would not be recognised. "
                "`ringtrue restore FILE --key-out KEYFILE` writes the right one to a file."
            )
        if make_url(url).get_backend_name() == "sqlite":
            return _into_file(Path(str(make_url(url).database)), archive, path, manifest, key, now, force)
        if given is None:
            raise LedgerError(
                "A ledger on PostgreSQL has its key in RINGTRUE_LEDGER_KEY: `ringtrue restore FILE --key-out KEYFILE` writes this "
                "backup's to a file; set the variable to it, then restore."
            )
        return _into_server(url, password, archive, path, manifest, key, now, force, passphrase)


def _check_version(manifest: Manifest) -> None:
    known = {script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()}
    if manifest.revision not in known:
        raise LedgerError("The backup was made by a newer RingTrue. Install that version, then restore.")


def _key(archive: zipfile.ZipFile, path: Path, manifest: Manifest) -> bytes:
    try:
        key = archive.read("key")
    except (KeyError, zipfile.BadZipFile, zlib.error) as error:
        raise FileUnreadable(f"{path} is no whole backup of a ledger. Take another one.") from error
    if fingerprint_of(key) != manifest.key_fingerprint:
        raise FileUnreadable(f"{path}: the key in the backup is not the one of its ledger. Take another backup.")
    return key


def _rows(archive: zipfile.ZipFile, path: Path, name: str, facts: TableFacts, *, clean: bool) -> Iterator[list[Any]]:
    """The rows of a table. `clean`: without NUL characters, which PostgreSQL refuses. Raises FileUnreadable at the end when the hash differs."""
    digest = sha256()
    count = 0
    blobs = [facts.columns.index(column) for column in facts.binary]
    damaged = FileUnreadable(f"{path}: table {name} is not as it was written. Take another backup.")
    try:
        with archive.open(f"tables/{name}.jsonl") as lines:
            for line in lines:
                digest.update(line)
                count += 1
                values = orjson.loads(line)
                for place in blobs:
                    values[place] = b64decode(values[place])
                if clean and b"\\u0000" in line:
                    values = [value.replace("\0", "") if isinstance(value, str) else value for value in values]
                yield values
    except (KeyError, zipfile.BadZipFile, zlib.error, orjson.JSONDecodeError, EOFError) as error:
        raise damaged from error
    if count != facts.rows or digest.hexdigest() != facts.sha256:
        raise damaged


def _load(connection: Connection, archive: zipfile.ZipFile, path: Path, manifest: Manifest) -> None:
    """Fill freshly made tables of the backup's version, bring them to this version, and check the chain."""
    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, manifest.revision)
    for name, facts in manifest.tables.items():
        rows = _rows(archive, path, name, facts, clean=connection.dialect.name == "postgresql")
        quoted = [f'"{column}"' for column in facts.columns]
        while part := list(islice(rows, _ROWS)):
            insert_rows(connection, name, quoted, part)
    command.upgrade(config, "head")
    last = fetch(connection, "SELECT event_id, hash FROM suppressions ORDER BY event_id DESC LIMIT 1")
    broken = suppressions.broken_link(connection)
    if broken is not None or (last and tuple(last[0]) != manifest.chain):
        raise FileUnreadable(f"{path}: the chain of suppressions is broken at event {broken}. Take another backup.")


def _settle(connection: Connection, manifest: Manifest, now: int) -> None:
    """Make what is remembered safe against CRMs that went on.

    Plans and undos that were open may have been carried out since: they are dropped, and every record is compared anew. A do-not-call flag
    that we set may since stand for a person's wish that this ledger never heard of: it counts as one. All ids are compared at the next pull.
    Changes on `sending` stay: they are settled by reading the record, as after any crash.
    """
    for statement in (
        "UPDATE changes SET state = 'superseded', changed_at = :now WHERE state IN ('planned', 'failed')",
        "UPDATE plans SET state = 'closed' WHERE state = 'open'",
        "UPDATE contacts SET flagged_at = coalesce(flagged_at, :now), do_not_call_ours = false WHERE do_not_call AND do_not_call_ours",
        "UPDATE syncs SET last_reconcile_at = NULL",
        "UPDATE intents SET run_over = true WHERE state = 'open'",
    ):
        connection.execute(text(statement), {"now": now})
    dirty.mark_by_query(
        connection,
        "contact_id",
        "SELECT 'opt_outs' AS stage, c.contact_id AS key FROM contacts AS c WHERE c.flagged_at = :now",
        {"now": now},
    )
    dirty.mark_by_query(
        connection,
        "contact_id",
        "SELECT 'changes:' || c.connection AS stage, c.contact_id AS key FROM contacts AS c WHERE c.deleted_at IS NULL",
        {},
    )
    meta.set_value(connection, "restored", orjson.dumps({"at": now, "made_at": manifest.made_at}).decode())


def _into_file(
    target: Path, archive: zipfile.ZipFile, path: Path, manifest: Manifest, key: bytes, now: int, force: bool
) -> Restored:
    in_use = target.exists() and _holds_rows(target)
    if in_use and not force:
        raise LedgerError(
            f"There is a ledger in {target} already. Give --force to put it aside and restore the backup."
        )
    part = target.with_name(target.name + ".restoring")
    target.parent.mkdir(parents=True, exist_ok=True)
    for left in (part, Path(f"{part}-wal"), Path(f"{part}-shm"), Path(f"{part}-journal")):
        left.unlink(missing_ok=True)
    os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    engine = create_engine(f"sqlite:///{part}", hide_parameters=True)
    try:
        with engine.begin() as connection:
            _load(connection, archive, path, manifest)
            _settle(connection, manifest, now)
    except BaseException:
        engine.dispose()
        part.unlink(missing_ok=True)
        raise
    engine.dispose()
    with part.open("rb") as file:
        os.fsync(file.fileno())
    if target.exists():
        _close(target)
    aside = _set_aside(target, now) if in_use else None
    if os.environ.get("RINGTRUE_LEDGER_KEY") is None:
        coming = target.with_suffix(NEW_KEY)
        coming.unlink(missing_ok=True)
        with os.fdopen(os.open(coming, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as stream:
            stream.write(key)
            os.fsync(stream.fileno())
    part.replace(target)
    backup.sync_folder(target.parent)
    # Whoever opens the ledger next finds the key that fits; here it is only tidied.
    Ledger.open(f"sqlite:///{target}").close()
    return Restored(manifest, aside)


def _holds_rows(target: Path) -> bool:
    with closing(sqlite3.connect(target)) as connection:
        try:
            present = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        except sqlite3.DatabaseError as error:
            raise LedgerError(f"{target} is no ledger. Move the file away, then restore.") from error
        return any(
            connection.execute(f"SELECT 1 FROM {name} LIMIT 1").fetchone() for name in _TELLING if name in present
        )


def _close(target: Path) -> None:
    """Bring the ledger before into one file, with no log beside it that the new one would take for its own."""
    with closing(sqlite3.connect(target, timeout=5, isolation_level=None)) as connection:
        try:
            mode = connection.execute("PRAGMA journal_mode=DELETE").fetchone()[0]
        except sqlite3.OperationalError:
            mode = "busy"
    if mode != "delete":
        raise LedgerError(f"The ledger {target} is in use. {_STOP}")


def _set_aside(target: Path, now: int) -> Path:
    aside = target.with_name(f"{target.name}.before-{now}")
    try:
        os.link(target, aside)
    except OSError:
        shutil.copy2(target, aside)
    key = target.with_suffix(".key")
    if key.exists():
        shutil.copy2(key, Path(f"{aside}.key"))
    return aside


def _into_server(
    url: str, password: str | None, archive: zipfile.ZipFile, path: Path, manifest: Manifest, key: bytes, now: int, force: bool,
    passphrase: str | None,
) -> Restored:  # fmt: skip
    address = make_url(url).set(drivername="postgresql+psycopg2")
    engine = create_engine(address.set(password=password) if password is not None else address, hide_parameters=True)
    before = aside = None
    try:
        before = _server_before(engine, url, password, force)
        with engine.begin() as connection:
            if before is not None:
                # From the copy to the new tables nobody writes: a stop that is committed meanwhile would be in neither.
                _keep_writers_out(connection)
                aside = path.with_name(f"before-{now}{backup.SUFFIX}")
                backup.back_up(before, aside, now, passphrase)
                before.close()
            # Killed or refused before the end, the old tables are as they were.
            connection.execute(text("SELECT pg_advisory_xact_lock(727274)"))
            metadata.drop_all(connection)
            connection.execute(text("DROP TABLE IF EXISTS alembic_version"))
            _load(connection, archive, path, manifest)
            _settle(connection, manifest, now)
            _set_sequences(connection)
    finally:
        if before is not None:
            before.close()
        engine.dispose()
    Ledger.open(url, password=password, key=key).close()
    return Restored(manifest, aside)


def _keep_writers_out(connection: Connection) -> None:
    """Let others read only until the transaction ends. Raises LedgerError while somebody writes."""
    connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'"))
    try:
        connection.execute(text(f"LOCK TABLE {', '.join(metadata.tables)} IN EXCLUSIVE MODE"))
    except OperationalError as error:
        raise LedgerError(f"The ledger in this database is in use. {_STOP}") from error
    connection.execute(text("SET LOCAL lock_timeout = 0"))


def _server_before(engine: Engine, url: str, password: str | None, force: bool) -> Ledger | None:
    """The ledger that is in the database and has rows, opened with the key that is given."""
    with engine.connect() as connection:
        present = {
            row[0] for row in fetch(connection, "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
        }
        in_use = any(fetch(connection, f"SELECT 1 FROM {name} LIMIT 1") for name in _TELLING if name in present)
    if not in_use:
        return None
    if not force:
        raise LedgerError(
            "There is a ledger in this database already. Give --force to back it up beside the file and restore the backup."
        )
    with engine.connect() as connection:
        stored = meta.value(connection, "key_fingerprint")
    given = os.environ["RINGTRUE_LEDGER_KEY"].encode()
    if stored != fingerprint_of(given):
        raise LedgerError(
            "The ledger in this database has another key than the backup. Restore into an empty database."
        )
    return Ledger.open(url, password=password, key=given)


def _set_sequences(connection: Connection) -> None:
    for table in metadata.sorted_tables:
        for column in table.primary_key:
            sequence = connection.execute(
                text("SELECT pg_get_serial_sequence(:table, :column)"), {"table": table.name, "column": column.name}
            ).scalar()
            if sequence:
                connection.execute(
                    text(
                        f"SELECT setval('{sequence}', (SELECT coalesce(max({column.name}), 0) + 1 FROM {table.name}), false)"
                    )
                )
