"""HubSpot's JSON read straight into our records, without the client's models (which cost 90 microseconds a contact)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ringtrue.records import PulledRecord

MERGE_FIELDS = ("hs_merged_object_ids", "hs_calculated_merged_vids")
"""Asked for with every contact: the ids that were merged into it, as "id;id" and as "id:epoch;id:epoch"."""

_NUL = b"\\u0000"
EPOCH = datetime.fromtimestamp(0, UTC)


def read_time(text: str | int | None) -> datetime | None:
    """Read a moment as HubSpot writes it: ISO 8601, or milliseconds since 1970 as a number or text."""
    if text is None or text == "":
        return None
    if isinstance(text, int) or (text[4:5] != "-" and text.lstrip("-").isdigit()):
        return datetime.fromtimestamp(int(text) / 1000, UTC)
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def iso(moment: datetime) -> str:
    """Write a moment as ISO 8601 in UTC with milliseconds, ending in "Z"."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def has_merged(properties: Mapping[str, str | None]) -> bool:
    """Whether any record was merged into this one."""
    return bool(properties.get(MERGE_FIELDS[0]) or properties.get(MERGE_FIELDS[1]))


def merged_ids(properties: Mapping[str, str | None], own_id: str) -> tuple[str, ...]:
    """Ids of the records that were merged into this one, oldest first, each once."""
    found: dict[str, None] = {}
    for name in MERGE_FIELDS:
        for part in (properties.get(name) or "").split(";"):
            record_id = part.partition(":")[0].strip()
            if record_id and record_id != own_id:
                found[record_id] = None
    return tuple(found)


class RecordReader:
    """Turns result rows of one object into `PulledRecord`s that hold exactly the fields asked for."""

    def __init__(self, fields: Sequence[str], moments: frozenset[str] = frozenset()) -> None:
        self.fields = tuple(dict.fromkeys(fields))
        self._moments = tuple(name for name in self.fields if name in moments)

    def __call__(self, row: Mapping[str, Any], *, merged_into: str | None = None) -> PulledRecord:
        properties = row["properties"]
        record_id = row["id"]
        # An empty text and a property that nobody ever set are the same to a reader.
        values: dict[str, str | None] = {name: properties.get(name) or None for name in self.fields}
        for name in self._moments:
            value = values[name]
            if value is not None and not value.endswith("Z"):
                moment = read_time(value)
                values[name] = iso(moment) if moment else None
        changed = row.get("updatedAt") or properties.get("lastmodifieddate") or properties.get("hs_lastmodifieddate")
        archived = bool(row.get("archived"))
        if archived:
            changed = row.get("archivedAt") or changed
        return PulledRecord(
            record_id,
            values,
            read_time(row.get("createdAt")),
            read_time(changed) or EPOCH,
            archived,
            merged_into,
            merged_ids(properties, record_id) if has_merged(properties) else (),
        )


def without_nul(raw: bytes) -> bytes:
    """Take NUL characters out of the texts of a JSON document: no database column or CSV file takes them."""
    first, *rest = raw.split(_NUL)
    parts = [first]
    for part in rest:
        # Behind an odd number of backslashes the escape is no escape but a text about one.
        slashes = len(parts[-1]) - len(parts[-1].rstrip(b"\\"))
        parts.append(_NUL + part if slashes % 2 else part)
    return b"".join(parts)
