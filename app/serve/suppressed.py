"""`GET /v1/suppressed?since=`: what changed in who may be called, for diallers that keep their own list."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.serve.door import Door, LedgerAway
from app.serve.keys import Keys
from app.serve.refusals import Refused, json_answer
from ringtrue.ledger.entry import Step, feed

MOST = 1_000
SECONDS = 10.0
_CURSOR = re.compile(r"\d{1,18}\.[0-9a-f]{12}")


class Suppressed:
    """The change feed: from the beginning without `since`, then behind each answer's `next`."""

    def __init__(self, door: Door, keys: Keys) -> None:
        self._door, self._keys = door, keys

    async def __call__(self, request: Request) -> Response:
        self._keys.caller(request, "suppressed")
        since = request.query_params.get("since") or None
        if since is not None and not _CURSOR.fullmatch(since):
            raise Refused(400, "since must be the value of next in an earlier answer; leave it out to begin.")
        limit = _limit(request.query_params.get("limit"))
        try:
            found = await self._door.read(lambda connection, _: feed(connection, since, limit), SECONDS)
        except LedgerAway:
            # Nothing new is not the same as nothing known: a dialler must not take this for an empty feed.
            raise Refused(
                503, "The ledger cannot be read now. Keep the list you have and ask again.", {"Retry-After": "5"}
            ) from None
        if found is None:
            raise Refused(
                410,
                "This cursor is not of this ledger, which was restored or replaced. Begin again without since, and keep what you have until then.",
            )
        items = [_item(step) for step in found.steps]
        return json_answer({"items": items, "next": found.cursor, "more": found.more})


def _limit(text: str | None) -> int:
    if text is None:
        return MOST
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:6]) <= MOST:
        raise Refused(400, f"limit must be a number from 1 to {MOST}.")
    return int(text)


def _item(step: Step) -> dict[str, Any]:
    return {
        "event": step.event_id,
        "state": step.state,
        "e164": step.number if step.scope == "number" else None,
        "records": list(step.records),
        "cause": step.kind,
        "at": datetime.fromtimestamp(step.at / 1000, UTC).isoformat(timespec="seconds"),
    }
