"""What a stand-in CRM holds: records, their history and its settings, in one SQLite file per CRM.

Ids of one object all have the same width (18 characters at Salesforce, 12 digits at HubSpot), so text order is id order. Times are epoch milliseconds, UTC.
`fields` holds JSON scalars by API name; an empty field is missing or null.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from sandbox.store_state import STATE_SCHEMA, StateStore

Scalar = str | bool | int | float | None

_SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
    seq INTEGER PRIMARY KEY,
    object TEXT NOT NULL,
    record_id TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    modified_at INTEGER NOT NULL,
    deleted_at INTEGER,
    merged_into TEXT,
    fields TEXT NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS records_by_id ON records (object, record_id);
CREATE INDEX IF NOT EXISTS records_by_change ON records (object, modified_at, record_id, deleted_at);
CREATE TABLE IF NOT EXISTS history (
    seq INTEGER PRIMARY KEY,
    object TEXT NOT NULL,
    record_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    source TEXT NOT NULL,
    changes TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS history_by_record ON history (object, record_id, seq);
"""

_COLUMNS = "record_id, created_at, modified_at, deleted_at, merged_into, fields"
_INSERT_BATCH = 5000


class Record(NamedTuple):
    """One record. `deleted_at` and `merged_into` are None for a living one."""

    record_id: str
    created_at: int
    modified_at: int
    deleted_at: int | None
    merged_into: str | None
    fields: dict[str, Any]


class Edit(NamedTuple):
    """One change of one field: `source` is "user:ann", "integration:CLIENT", "merge:ID" and the like."""

    field: str
    at: int
    old: Scalar
    new: Scalar
    source: str


class Updated(NamedTuple):
    """A record after an update, and whether any value differed from before."""

    record: Record
    changed: bool


def json_value(field: str) -> str:
    """The SQL expression for a field's value inside `query`; booleans come out as 1 and 0."""
    escaped = field.replace("'", "''").replace('"', "")
    return f"json_extract(fields, '$.\"{escaped}\"')"


def _record(row: tuple[Any, ...]) -> Record:
    return Record(row[0], row[1], row[2], row[3], row[4], orjson.loads(row[5]))


class RecordStore(StateStore):
    """The records of one CRM, with the links between them and the stand-in's own state. Not for use from several threads at once."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._db = sqlite3.connect(str(path), isolation_level=None, check_same_thread=False, cached_statements=256)
        for pragma in ("journal_mode=WAL", "synchronous=OFF", "cache_size=-65536", "temp_store=MEMORY"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.executescript(_SCHEMA + STATE_SCHEMA)

    def close(self) -> None:
        """Close the file. A store opened again on it continues where this one stopped."""
        self._db.close()

    def insert_many(self, object_name: str, rows: Iterable[tuple[str, int, Mapping[str, Any]]]) -> int:
        """Insert (record id, created ms, fields) in a stream, a transaction for every 5,000; returns how many.

        A row may carry "__modified__" (ms) among its fields: the time of the last change, which otherwise is the time of creation.
        """
        stream = (
            (object_name, record_id, created, fields.get("__modified__", created), _dump(fields))
            for record_id, created, fields in rows
        )
        total = 0
        while batch := list(islice(stream, _INSERT_BATCH)):
            with self.transaction():
                self._db.executemany(
                    "INSERT INTO records (object, record_id, created_at, modified_at, fields) VALUES (?, ?, ?, ?, ?)",
                    batch,
                )
            total += len(batch)
        return total

    def get(self, object_name: str, record_id: str) -> Record | None:
        """The record, deleted or not; None if the id never existed."""
        row = self._db.execute(
            f"SELECT {_COLUMNS} FROM records WHERE object = ? AND record_id = ?",
            (object_name, record_id),
        ).fetchone()
        return _record(row) if row else None

    def require(self, object_name: str, record_id: str) -> Record:
        """The record, deleted or not. Raises KeyError if the id never existed."""
        record = self.get(object_name, record_id)
        if record is None:
            raise KeyError(record_id)
        return record

    def get_many(self, object_name: str, record_ids: Sequence[str]) -> dict[str, Record]:
        """Records by id, deleted ones included; ids that never existed are missing."""
        found: dict[str, Record] = {}
        for start in range(0, len(record_ids), 500):
            chunk = record_ids[start : start + 500]
            marks = ",".join("?" * len(chunk))
            sql = f"SELECT {_COLUMNS} FROM records WHERE object = ? AND record_id IN ({marks})"
            for row in self._db.execute(sql, (object_name, *chunk)):
                found[row[0]] = _record(row)
        return found

    def resolve(self, object_name: str, record_id: str) -> Record | None:
        """The record itself, or the survivor it was merged into, however long the chain."""
        record = self.get(object_name, record_id)
        while record is not None and record.merged_into:
            record = self.get(object_name, record.merged_into)
        return record

    def update(
        self, object_name: str, record_id: str, changes: Mapping[str, Any], source: str, now_ms: int, touch: bool = True
    ) -> bool:
        """Set fields of one record and return whether any value differed. Raises KeyError if the id is unknown."""
        result = self.update_many(object_name, [(record_id, changes)], source, now_ms, touch)[0]
        if result is None:
            raise KeyError(record_id)
        return result.changed

    def update_many(
        self,
        object_name: str,
        rows: Sequence[tuple[str, Mapping[str, Any]]],
        source: str,
        now_ms: int,
        touch: bool = True,
    ) -> list[Updated | None]:
        """Update records in one transaction; one result for each row, in order, None where the id is unknown.

        Values equal to the present ones leave no history. `modified_at` moves all the same, unless `touch` is False and nothing differed.
        """
        with self.transaction():
            present = self.get_many(object_name, list({record_id for record_id, _ in rows}))
            results: list[Updated | None] = []
            for record_id, changes in rows:
                record = present.get(record_id)
                if record is None:
                    results.append(None)
                    continue
                differing = {
                    name: (record.fields.get(name), value)
                    for name, value in changes.items()
                    if record.fields.get(name) != value
                }
                if differing or touch:
                    fields = {**record.fields, **changes} if differing else record.fields
                    record = record._replace(fields=fields, modified_at=max(now_ms, record.modified_at))
                    present[record_id] = record
                    self._db.execute(
                        "UPDATE records SET modified_at = ?, fields = ? WHERE object = ? AND record_id = ?",
                        (record.modified_at, _dump(fields), object_name, record_id),
                    )
                if differing:
                    self._note(object_name, record_id, now_ms, source, differing)
                results.append(Updated(record, bool(differing)))
        return results

    def delete(self, object_name: str, record_id: str, source: str, now_ms: int) -> bool:
        """Put a record into the recycle bin; False if it is unknown or there already."""
        return self._mark(object_name, record_id, now_ms, None, source)

    def undelete(self, object_name: str, record_id: str, source: str, now_ms: int) -> bool:
        """Take a record out of the recycle bin; False if it is not there."""
        with self.transaction():
            cursor = self._db.execute(
                "UPDATE records SET deleted_at = NULL, merged_into = NULL, modified_at = ?"
                " WHERE object = ? AND record_id = ? AND deleted_at IS NOT NULL",
                (now_ms, object_name, record_id),
            )
            if cursor.rowcount:
                self._note(object_name, record_id, now_ms, source, {"__deleted__": (True, False)})
        return bool(cursor.rowcount)

    def merge(
        self,
        object_name: str,
        survivor: str,
        loser: str,
        source: str,
        now_ms: int,
        changes: Mapping[str, Any] | None = None,
    ) -> bool:
        """Merge `loser` into `survivor`, which takes over `changes`; False if either is not a living record."""
        with self.transaction():
            winner = self.get(object_name, survivor)
            if survivor == loser or winner is None or winner.deleted_at is not None:
                return False
            if not self._mark(object_name, loser, now_ms, survivor, source):
                return False
            self.update(object_name, survivor, changes or {}, source, now_ms)
        return True

    def purge(self, object_name: str, record_id: str) -> bool:
        """Remove a record and its history for good; False if the id is unknown."""
        with self.transaction():
            cursor = self._db.execute(
                "DELETE FROM records WHERE object = ? AND record_id = ?", (object_name, record_id)
            )
            self._db.execute("DELETE FROM history WHERE object = ? AND record_id = ?", (object_name, record_id))
        return bool(cursor.rowcount)

    def changed_since(
        self, object_name: str, modified_ms: int, after_id: str = "", limit: int = 2000, include_deleted: bool = False
    ) -> list[Record]:
        """Records later than (modified_ms, after_id), ordered by (modified_at, record_id)."""
        alive = "" if include_deleted else " AND deleted_at IS NULL"
        sql = (
            f"SELECT {_COLUMNS} FROM records WHERE object = ? AND (modified_at, record_id) > (?, ?){alive}"
            " ORDER BY modified_at, record_id LIMIT ?"
        )
        return [_record(row) for row in self._db.execute(sql, (object_name, modified_ms, after_id, limit))]

    def page_by_id(
        self,
        object_name: str,
        after_id: str = "",
        limit: int = 100,
        deleted: bool | None = False,
        inclusive: bool = False,
    ) -> list[Record]:
        """Records after an id, in id order. `deleted`: False living ones, True deleted ones, None both."""
        alive = {False: " AND deleted_at IS NULL", True: " AND deleted_at IS NOT NULL", None: ""}[deleted]
        sign = ">=" if inclusive else ">"
        sql = (
            f"SELECT {_COLUMNS} FROM records WHERE object = ? AND record_id {sign} ?{alive} ORDER BY record_id LIMIT ?"
        )
        return [_record(row) for row in self._db.execute(sql, (object_name, after_id, limit))]

    def count(self, object_name: str, include_deleted: bool = False) -> int:
        """How many records the object has."""
        alive = "" if include_deleted else " AND deleted_at IS NULL"
        row = self._db.execute(f"SELECT count(*) FROM records WHERE object = ?{alive}", (object_name,)).fetchone()
        return int(row[0])

    def query(
        self,
        object_name: str,
        where_sql: str = "1",
        params: Sequence[Any] = (),
        order: str = "record_id",
        limit: int = -1,
        offset: int = 0,
    ) -> Iterator[Record]:
        """Records by an SQL condition over the columns of `records`, fields by `json_value(name)`; deleted ones included.

        The iterator reads lazily: finish it before the next write, or take a list.
        """
        sql = f"SELECT {_COLUMNS} FROM records WHERE object = ? AND ({where_sql}) ORDER BY {order} LIMIT ? OFFSET ?"
        for row in self._db.execute(sql, (object_name, *params, limit, offset)):
            yield _record(row)

    def count_where(self, object_name: str, where_sql: str, params: Sequence[Any] = ()) -> int:
        """How many records meet an SQL condition; deleted ones are counted unless the condition excludes them."""
        sql = f"SELECT count(*) FROM records WHERE object = ? AND ({where_sql})"
        return int(self._db.execute(sql, (object_name, *params)).fetchone()[0])

    def select(self, sql: str, params: Sequence[Any] = ()) -> Iterator[tuple[Any, ...]]:
        """Rows of a statement of the caller's own, for what the methods above do not cover."""
        yield from self._db.execute(sql, params)

    def select_all(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a statement of the caller's own at once; also for statements that return none."""
        return self._db.execute(sql, params).fetchall()

    def history_of(self, object_name: str, record_id: str, fields: Iterable[str] | None = None) -> list[Edit]:
        """Every change of a record's fields, oldest first. A field never changed since it was loaded has none."""
        wanted = None if fields is None else set(fields)
        edits: list[Edit] = []
        rows = self._db.execute(
            "SELECT at, source, changes FROM history WHERE object = ? AND record_id = ? ORDER BY seq",
            (object_name, record_id),
        )
        for at, source, changes in rows:
            for name, (old, new) in orjson.loads(changes).items():
                if wanted is None or name in wanted:
                    edits.append(Edit(name, at, old, new, source))
        return edits

    def _mark(self, object_name: str, record_id: str, now_ms: int, merged_into: str | None, source: str) -> bool:
        with self.transaction():
            cursor = self._db.execute(
                "UPDATE records SET deleted_at = ?, modified_at = ?, merged_into = ?"
                " WHERE object = ? AND record_id = ? AND deleted_at IS NULL",
                (now_ms, now_ms, merged_into, object_name, record_id),
            )
            if cursor.rowcount:
                self._note(object_name, record_id, now_ms, source, {"__deleted__": (False, True)})
        return bool(cursor.rowcount)

    def _note(
        self, object_name: str, record_id: str, at: int, source: str, changes: Mapping[str, tuple[Any, Any]]
    ) -> None:
        self._db.execute(
            "INSERT INTO history (object, record_id, at, source, changes) VALUES (?, ?, ?, ?, ?)",
            (object_name, record_id, at, source, orjson.dumps(changes).decode()),
        )


def _dump(fields: Mapping[str, Any]) -> str:
    if "__modified__" in fields:
        fields = {name: value for name, value in fields.items() if name != "__modified__"}
    return orjson.dumps(fields).decode()
