"""Where a pull stands: the last change read, and while a Bulk pull runs the job and the page to read next."""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import orjson

from ringtrue.errors import SettingsError

_VERSION = 1


class BulkPlace(NamedTuple):
    """The page of a Bulk query to read next; rows read before it, and the latest change among them."""

    job_id: str
    query: str
    locator: str = ""
    rows: int = 0
    top: str = ""


class Cursor(NamedTuple):
    """`stamp` and `record_id`: everything changed up to here was read. Stamps are ISO 8601 text in UTC, so text order is time order."""

    object_name: str
    stamp: str = ""
    record_id: str = ""
    bulk: BulkPlace | None = None

    def encode(self) -> str:
        """The text to store."""
        data: dict[str, object] = {"v": _VERSION, "o": self.object_name, "t": self.stamp, "id": self.record_id}
        if self.bulk is not None:
            data["bulk"] = list(self.bulk)
        return orjson.dumps(data).decode()


def decode(text: str | None, object_name: str) -> Cursor:
    """The cursor of a stored text; the beginning for None. Raises SettingsError for a text that is not a cursor of this object."""
    if text is None:
        return Cursor(object_name)
    try:
        data = orjson.loads(text)
        place = BulkPlace(*data["bulk"]) if "bulk" in data else None
        cursor = Cursor(data["o"], data["t"], data["id"], place)
    except (orjson.JSONDecodeError, KeyError, TypeError) as exc:
        raise SettingsError(
            f"The stored cursor of {object_name} cannot be read. Pull {object_name} in full once."
        ) from exc
    if cursor.object_name != object_name or data.get("v") != _VERSION:
        raise SettingsError(f"The stored cursor is not one of {object_name}. Pull {object_name} in full once.")
    return cursor


def fingerprint(query: str) -> str:
    """A short mark of a query, to tell whether a job still answers the question asked."""
    return hashlib.sha256(query.encode()).hexdigest()[:16]
