"""All records of an object, or those changed since a cursor, with the archived ones, as a stream of pages that can be taken up again at any page.

Full loads list in id order (stable, uncapped); deltas search. Search never shows archived records, so those are listed apart: in each delta
while they are few, once a day when they are many. A cursor is JSON that names the phase and the place in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

import orjson

from connectors.hubspot_records import read_time
from connectors.hubspot_search import Window, search_changed
from connectors.hubspot_wire import Wire
from ringtrue.errors import LoopDetected, SettingsError

LIST_SIZE = 100
READ_SIZE = 100
LIST_QUERY_CHARACTERS = 5_500
"""HubSpot answers 414 at about 8 kB of URL."""

SEARCH_BODY_CHARACTERS = 2_200
"""A search body may hold 3,000 characters; the rest is for filters."""

ARCHIVED_PAGES_EACH_TIME = 20
DAY_MS = 86_400_000


class RawPage(NamedTuple):
    """Result rows as HubSpot sent them, and the cursor behind them."""

    rows: list[dict[str, Any]]
    cursor: str


@dataclass(frozen=True)
class Cursor:
    """Where a pull stands. Times are milliseconds since 1970 on HubSpot's clock."""

    phase: Literal["list", "delta", "archived", "done"]
    end: int
    """End of the window read so far, or being read: the next delta begins an overlap before it."""

    start: int = 0
    """Begin of the window: for `delta` and `archived`; 0 in a full load."""

    after: str = ""
    """Last id or paging mark read in this phase."""

    archived_at: int = 0
    archived_pages: int = 0

    def text(self) -> str:
        return orjson.dumps(asdict(self)).decode()

    @classmethod
    def read(cls, text: str) -> Cursor:
        """Raises SettingsError for a text that is no cursor of ours."""
        try:
            return cls(**orjson.loads(text))
        except (orjson.JSONDecodeError, TypeError) as exc:
            raise SettingsError(
                "The stored HubSpot cursor cannot be read: run this connection once with `full`."
            ) from exc


def milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


class Puller:
    """Streams the changes of one object. `overlap` covers HubSpot's index lag: rows may turn up in search minutes after their change."""

    def __init__(self, wire: Wire, object_name: str, properties: Sequence[str], *, overlap: timedelta) -> None:
        self._wire = wire
        self._object = object_name
        self._properties = tuple(properties)
        self._overlap = int(overlap.total_seconds() * 1000)

    def pages(self, cursor: str | None, since: datetime | None) -> Iterator[RawPage]:
        """Yield pages until all is read; the last page's cursor is where the next pull begins."""
        state = self._begin(Cursor.read(cursor) if cursor else None, since)
        if state.phase == "list":
            for rows, after in list_rows(self._wire, self._object, self._properties, after=state.after):
                # An empty mark ends the list: the archived ones come next.
                state = replace(state, after=after) if after else replace(state, phase="archived", after="")
                yield RawPage(rows, state.text())
        elif state.phase == "delta":
            for rows, last in self._delta_rows(state):
                state = replace(state, after=last)
                yield RawPage(rows, state.text())
            state = replace(state, phase="archived", after="")
        yield from self._archived(state)

    def _begin(self, stored: Cursor | None, since: datetime | None) -> Cursor:
        now = milliseconds(self._wire.server_now())
        if since is not None:
            base = stored or Cursor("done", now)
            return replace(base, phase="delta", start=milliseconds(since), end=now, after="")
        if stored is None:
            return Cursor("list", now)
        if stored.phase == "done":
            return replace(
                stored, phase="delta", start=max(stored.end - self._overlap, 0), end=max(now, stored.end), after=""
            )
        return stored

    def _delta_rows(self, state: Cursor) -> Iterator[tuple[list[dict[str, Any]], str]]:
        window = Window(state.start, state.end)
        wide = len(orjson.dumps(self._properties)) > SEARCH_BODY_CHARACTERS
        asked = () if wide else self._properties
        for rows, last in search_changed(self._wire, self._object, asked, window, state.after):
            yield (
                (read_rows(self._wire, self._object, [row["id"] for row in rows], self._properties) if wide else rows),
                last,
            )

    def _archived(self, state: Cursor) -> Iterator[RawPage]:
        done = replace(state, phase="done", after="", start=0)
        many = state.archived_pages > ARCHIVED_PAGES_EACH_TIME
        if state.start and not state.after and many and state.end - state.archived_at < DAY_MS:
            yield RawPage([], done.text())
            return
        # Whoever was archived since the last listing is new, however long ago that was.
        since = min(state.start, state.archived_at - self._overlap) if state.archived_at else state.start
        listing = list_rows(self._wire, self._object, self._properties, after=state.after, archived=True)
        for pages, (rows, after) in enumerate(listing, start=1):
            if state.start:
                rows = [row for row in rows if _archived_since(row, since)]
            state = replace(state, after=after) if after else replace(done, archived_at=state.end, archived_pages=pages)
            yield RawPage(rows, state.text())


def _archived_since(row: Mapping[str, Any], start: int) -> bool:
    archived_at = read_time(row.get("archivedAt"))
    return archived_at is None or milliseconds(archived_at) >= start


def list_rows(
    wire: Wire, object_name: str, properties: Sequence[str], *, after: str = "", archived: bool = False
) -> Iterator[tuple[list[dict[str, Any]], str]]:
    """Yield pages of an object in id order, each with the mark of the next page ("" behind the last one).

    When the names of the properties would make the URL too long, ids are listed and the values read by id.
    Raises LoopDetected when a mark comes again.
    """
    wide = sum(len(name) + 12 for name in properties) > LIST_QUERY_CHARACTERS
    fixed = [("limit", str(LIST_SIZE)), ("archived", "true" if archived else "false")]
    fixed += [("properties", name) for name in (("hs_object_id",) if wide else properties)]
    path = wire.paths.objects(object_name)
    while True:
        query = [*fixed, ("after", after)] if after else fixed
        data = wire.send("list", "GET", path, query=query, what=f"list {object_name}").data
        rows: list[dict[str, Any]] = data["results"]
        following = str(((data.get("paging") or {}).get("next") or {}).get("after") or "")
        if following and not advances(after, following):
            raise LoopDetected(
                f"HubSpot's list of {object_name} goes round in circles: page mark {following} came behind {after}. Run again later."
            )
        if wide and rows:
            rows = read_rows(wire, object_name, [row["id"] for row in rows], properties, archived=archived)
        yield rows, following
        if not following:
            return
        after = following


def advances(before: str, after: str) -> bool:
    """Whether a page mark lies behind the one before it. Marks that are no numbers must at least differ."""
    if before.isdigit() and after.isdigit():
        return int(after) > int(before)
    return after != before


def read_rows(
    wire: Wire,
    object_name: str,
    ids: Sequence[str],
    properties: Sequence[str],
    *,
    history: Sequence[str] = (),
    archived: bool = False,
    size: int = READ_SIZE,
    kind: str = "read",
) -> list[dict[str, Any]]:
    """Read records by id in batches. Ids that do not exist are missing from the answer (207)."""
    rows: list[dict[str, Any]] = []
    path = wire.paths.objects(object_name, "/batch/read")
    for start in range(0, len(ids), size):
        body = {
            "inputs": [{"id": record_id} for record_id in ids[start : start + size]],
            "properties": list(properties),
            "propertiesWithHistory": list(history),
        }
        query = [("archived", "true")] if archived else []
        rows += wire.send(kind, "POST", path, query=query, body=body, what=f"read {object_name}").data["results"]
    return rows
