"""What a record store keeps beside its records: associations between them, and the stand-in's own state under keys."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import orjson

STATE_SCHEMA = """
CREATE TABLE IF NOT EXISTS links (
    from_object TEXT NOT NULL,
    from_id TEXT NOT NULL,
    to_object TEXT NOT NULL,
    to_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (from_object, from_id, to_object, to_id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS kv (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""


class StateStore:
    """Transactions, associations and keyed state over one SQLite connection."""

    _db: sqlite3.Connection

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside happens or nothing does. Nested use joins the outer transaction."""
        if self._db.in_transaction:
            yield
            return
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def link_many(self, from_object: str, to_object: str, pairs: Iterable[tuple[str, str]], at: int = 0) -> int:
        """Associate records, (from id, to id) each, readable from both sides; returns how many pairs are new."""
        fresh = 0
        with self.transaction():
            for from_id, to_id in pairs:
                row = (from_object, from_id, to_object, to_id, at)
                back = (to_object, to_id, from_object, from_id, at)
                fresh += self._db.execute("INSERT OR IGNORE INTO links VALUES (?, ?, ?, ?, ?)", row).rowcount
                self._db.execute("INSERT OR IGNORE INTO links VALUES (?, ?, ?, ?, ?)", back)
        return fresh

    def unlink_many(self, from_object: str, to_object: str, pairs: Iterable[tuple[str, str]]) -> int:
        """Take associations back; returns how many there were."""
        gone = 0
        sql = "DELETE FROM links WHERE from_object = ? AND from_id = ? AND to_object = ? AND to_id = ?"
        with self.transaction():
            for from_id, to_id in pairs:
                gone += self._db.execute(sql, (from_object, from_id, to_object, to_id)).rowcount
                self._db.execute(sql, (to_object, to_id, from_object, from_id))
        return gone

    def linked(
        self, from_object: str, from_id: str, to_object: str, after: str = "", limit: int = -1
    ) -> list[tuple[str, int]]:
        """(id, time of association in ms) of the records associated with one, in id order."""
        rows = self._db.execute(
            "SELECT to_id, at FROM links WHERE from_object = ? AND from_id = ? AND to_object = ? AND to_id > ?"
            " ORDER BY to_id LIMIT ?",
            (from_object, from_id, to_object, after, limit),
        )
        return [(to_id, at) for to_id, at in rows]

    def linked_among(self, from_object: str, from_id: str, to_object: str, ids: Sequence[str]) -> set[str]:
        """Which of some ids are associated with one record."""
        sql = "SELECT 1 FROM links WHERE from_object = ? AND from_id = ? AND to_object = ? AND to_id = ?"
        return {one for one in ids if self._db.execute(sql, (from_object, from_id, to_object, one)).fetchone()}

    def count_linked(self, from_object: str, from_id: str, to_object: str) -> int:
        """How many records of an object are associated with one."""
        row = self._db.execute(
            "SELECT count(*) FROM links WHERE from_object = ? AND from_id = ? AND to_object = ?",
            (from_object, from_id, to_object),
        ).fetchone()
        return int(row[0])

    def setting(self, key: str, default: Any = None) -> Any:
        """A value of the stand-in's own state (fields that exist, jobs, lists ...), any JSON."""
        row = self._db.execute("SELECT value FROM kv WHERE key = ?", (key,)).fetchone()
        return orjson.loads(row[0]) if row else default

    def set_setting(self, key: str, value: Any) -> None:
        """Keep a JSON value under a key."""
        self._db.execute("INSERT OR REPLACE INTO kv (key, value) VALUES (?, ?)", (key, orjson.dumps(value).decode()))

    def delete_setting(self, key: str) -> None:
        """Forget a key."""
        self._db.execute("DELETE FROM kv WHERE key = ?", (key,))

    def settings(self, prefix: str) -> dict[str, Any]:
        """All keys that start with a prefix, in key order."""
        rows = self._db.execute(
            "SELECT key, value FROM kv WHERE key >= ? AND key < ? ORDER BY key", (prefix, prefix + "\U0010ffff")
        )
        return {key: orjson.loads(value) for key, value in rows}

    def next_number(self, name: str, start: int = 1) -> int:
        """The next number of a counter of this name, never given twice."""
        with self.transaction():
            number = int(self.setting(f"counter:{name}", start))
            self.set_setting(f"counter:{name}", number + 1)
        return number
