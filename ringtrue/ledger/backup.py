"""Backups: the whole ledger as of one moment in one file that any database of ours can be restored from.

A ZIP archive: `tables/<name>.jsonl` with a row a line in the order of the primary key, `key` with the key of the suppression hashes,
and `manifest.json`, written last. Rows are the same from SQLite and from PostgreSQL, byte for byte. Sealed with a passphrase on wish.
"""

from __future__ import annotations

import os
import tempfile
import time
import zipfile
import zlib
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

import orjson
from sqlalchemy import Boolean, Connection, LargeBinary, Table, Text

from ringtrue.errors import FileUnreadable
from ringtrue.ledger.database import Ledger, fetch, fingerprint_of, stream
from ringtrue.ledger.schema import metadata
from ringtrue.ledger.sealing import MAGIC, Sealing, unseal
from ringtrue.ledger.suppressions import GENESIS

FORM = "ringtrue backup 1"
SUFFIX = ".backup"
PART = ".part"
_LEFT_SECONDS = 86_400
"""An unfinished backup this old is one that was interrupted."""
_BUFFER = 1 << 20


class TableFacts(NamedTuple):
    """One table of a backup: how many rows, and the SHA-256 over its lines."""

    columns: list[str]
    binary: list[str]
    """Columns in Base64."""
    rows: int
    sha256: str


class Manifest(NamedTuple):
    """What a backup holds. `chain` is the number of suppression events and the hash of the last one."""

    form: str
    made_at: int
    revision: str
    """Version of the tables."""
    database: str
    key_fingerprint: str
    chain: tuple[int, str]
    tables: Mapping[str, TableFacts]


def back_up(ledger: Ledger, target: Path, now: int, passphrase: str | None = None) -> Manifest:
    """Write everything as of now while others go on reading and writing. The file appears when it is whole; only its owner reads it.

    Raises FileUnreadable when it cannot be written, or exists.
    """
    if target.exists():
        raise FileUnreadable(f"There is a file {target} already. Give another name.")
    part = target.with_name(target.name + PART)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            sealing = Sealing(file, passphrase) if passphrase else None
            with zipfile.ZipFile(cast(Any, sealing or file), "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
                manifest = _write(ledger, archive, now)
            if sealing:
                sealing.finish()
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
        sync_folder(target.parent)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise FileUnreadable(f"The backup {target} cannot be written: {error.strerror}.") from error
    return manifest


def sync_folder(folder: Path) -> None:
    """Make sure that names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write(ledger: Ledger, archive: zipfile.ZipFile, now: int) -> Manifest:
    tables: dict[str, TableFacts] = {}
    with ledger.read() as book:
        revision = fetch(book, "SELECT version_num FROM alembic_version")[0][0]
        for table in metadata.sorted_tables:
            with archive.open(f"tables/{table.name}.jsonl", "w", force_zip64=True) as out:
                tables[str(table.name)] = _write_table(book, table, out)
        last = fetch(book, "SELECT event_id, hash FROM suppressions ORDER BY event_id DESC LIMIT 1")
    chain = (int(last[0][0]), str(last[0][1])) if last else (0, GENESIS)
    manifest = Manifest(FORM, now, str(revision), ledger.engine.dialect.name, fingerprint_of(ledger.key), chain, tables)
    archive.writestr("key", ledger.key)
    stated = {**manifest._asdict(), "tables": {name: facts._asdict() for name, facts in tables.items()}}
    archive.writestr("manifest.json", orjson.dumps(stated, option=orjson.OPT_INDENT_2))
    return manifest


def _write_table(book: Connection, table: Table, out: Any) -> TableFacts:
    binary = [str(column.name) for column in table.columns if isinstance(column.type, LargeBinary)]
    flags = [place for place, column in enumerate(table.columns) if isinstance(column.type, Boolean)]
    blobs = [place for place, column in enumerate(table.columns) if isinstance(column.type, LargeBinary)]
    order = [
        f'{column.name} COLLATE "C"'
        if book.dialect.name == "postgresql" and isinstance(column.type, Text)
        else column.name
        for column in table.primary_key
    ]
    names = [str(column.name) for column in table.columns]
    shown = ", ".join(f'"{name}"' for name in names)
    digest = sha256()
    held = bytearray()
    count = 0
    for row in stream(book, f"SELECT {shown} FROM {table.name} ORDER BY {', '.join(order)}"):
        values = list(row)
        for place in flags:
            if values[place] is not None:
                values[place] = bool(values[place])
        for place in blobs:
            values[place] = b64encode(values[place]).decode()
        line = orjson.dumps(values) + b"\n"
        held += line
        count += 1
        if len(held) >= _BUFFER:
            digest.update(held)
            out.write(held)
            held.clear()
    digest.update(held)
    out.write(held)
    return TableFacts(names, binary, count, digest.hexdigest())


@contextmanager
def opened(path: Path, passphrase: str | None) -> Iterator[tuple[zipfile.ZipFile, Manifest]]:
    """A backup and its manifest. Raises FileUnreadable when it is none, is cut off, or is sealed with another passphrase."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise FileUnreadable(f"The backup {path} cannot be read: {error.strerror}.") from error
    with file, tempfile.TemporaryFile() as plain:
        source: BinaryIO = file
        if file.read(len(MAGIC)) == MAGIC:
            if not passphrase:
                raise FileUnreadable("The backup is sealed: put its passphrase into RINGTRUE_BACKUP_PASSPHRASE.")
            unseal(file, passphrase, plain)
            source = cast(BinaryIO, plain)
        archive, manifest = _read(path, source)
        with archive:
            yield archive, manifest


def _read(path: Path, source: BinaryIO) -> tuple[zipfile.ZipFile, Manifest]:
    try:
        archive = zipfile.ZipFile(source)
        stated = orjson.loads(archive.read("manifest.json"))
        tables = {name: TableFacts(**facts) for name, facts in stated.get("tables", {}).items()}
    except (zipfile.BadZipFile, zlib.error, KeyError, orjson.JSONDecodeError) as error:
        raise FileUnreadable(f"{path} is no whole backup of a ledger. Take another one.") from error
    if stated.get("form") != FORM:
        raise FileUnreadable(f"{path} is of another form ({stated.get('form')}). Install a newer RingTrue.")
    return archive, Manifest(**{**stated, "chain": tuple(stated["chain"]), "tables": tables})


def prune(folder: Path, keep: int) -> list[Path]:
    """Delete all but the newest `keep` backups of a folder, and what an interrupted one left. Returns the backups deleted."""
    for part in folder.glob(f"ringtrue-*{SUFFIX}{PART}"):
        if time.time() - part.stat().st_mtime > _LEFT_SECONDS:
            part.unlink(missing_ok=True)
    old = sorted(folder.glob(f"ringtrue-*{SUFFIX}"))[:-keep]
    for path in old:
        path.unlink(missing_ok=True)
    return old
