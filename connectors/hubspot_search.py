"""Records changed within a window of time, read by search, in the order of their ids.

HubSpot's search ends at 10,000 results, and more records than that may share one moment. So the window is fixed and each page asks for ids
greater than the last one read: no page goes deeper than its own 200, and a record that leaves the window while we read shifts no other.

Rule for completeness: every answer says how many records are left (`total`). A page must hold min(200, total) of them, and reading ends only on
a page that holds all that are left. An index that is being rewritten may break that for a moment, so a short page is asked for again; if it
stays short, the pull fails instead of losing rows. A record changed after the window's end leaves it unread: the next window, which begins
before this one's end, holds it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from connectors.hubspot_wire import Wire
from ringtrue.errors import LoopDetected, ServiceUnavailable

SEARCH_SIZE = 200
SHORT_PAGE_TRIES = 5
SHORT_PAGE_SECONDS = 2.0

CHANGED_BY_OBJECT = {"contacts": "lastmodifieddate"}
CHANGED_ELSEWHERE = "hs_lastmodifieddate"


class Window(NamedTuple):
    """A span of time in milliseconds since 1970, both ends included."""

    start: int
    end: int


def search_changed(
    wire: Wire, object_name: str, properties: Sequence[str], window: Window, after_id: str
) -> Iterator[tuple[list[dict[str, Any]], str]]:
    """Yield pages of result rows and the last id read, beginning behind `after_id` ("0" for all).

    Raises LoopDetected when the ids do not advance, ServiceUnavailable when HubSpot keeps giving fewer rows than it counts.
    """
    changed = CHANGED_BY_OBJECT.get(object_name, CHANGED_ELSEWHERE)
    path = wire.paths.objects(object_name, "/search")
    last = int(after_id or 0)
    while True:
        body = {
            "filterGroups": [
                {
                    "filters": [
                        {
                            "propertyName": changed,
                            "operator": "BETWEEN",
                            "value": str(window.start),
                            "highValue": str(window.end),
                        },
                        {"propertyName": "hs_object_id", "operator": "GT", "value": str(last)},
                    ]
                }
            ],
            "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
            "properties": list(properties),
            "limit": SEARCH_SIZE,
            "after": "0",
        }
        rows, total = _full_page(wire, object_name, path, body)
        for row in rows:
            record = int(row["id"])
            if record <= last:
                raise LoopDetected(
                    f"HubSpot's search of {object_name} goes round in circles: it returned id {record} behind id {last}. Try again later, or pull in full."
                )
            last = record
        yield rows, str(last)
        if len(rows) >= total:
            return


def _full_page(wire: Wire, object_name: str, path: str, body: dict[str, Any]) -> tuple[list[dict[str, Any]], int]:
    for attempt in range(SHORT_PAGE_TRIES):
        data = wire.send("search", "POST", path, body=body, what=f"search {object_name}").data
        rows: list[dict[str, Any]] = data["results"]
        total = int(data["total"])
        if len(rows) >= min(SEARCH_SIZE, total):
            return rows, total
        if attempt + 1 < SHORT_PAGE_TRIES:
            wire.sleep(SHORT_PAGE_SECONDS)
    raise ServiceUnavailable(
        f"HubSpot's search counts {total} {object_name} but hands over {len(rows)}: its index is being rebuilt. Run again later, or pull in full."
    )
