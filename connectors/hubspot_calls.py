"""Calls logged in HubSpot, the contacts they belong to, and the portal's own names of outcomes."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from connectors.crm import CallPage
from connectors.hubspot_pull import Puller
from connectors.hubspot_records import EPOCH, read_time
from connectors.hubspot_wire import Wire
from ringtrue.records import PulledCall

CALL_FIELDS = (
    "hs_timestamp",
    "hs_call_title",
    "hs_call_body",
    "hs_call_direction",
    "hs_call_disposition",
    "hs_call_duration",
    "hs_call_from_number",
    "hs_call_to_number",
    "hs_call_status",
)
ASSOCIATION_SIZE = 1_000
_TAG = re.compile(r"<[^>]*>")


def read_outcomes(wire: Wire) -> dict[str, str]:
    """The portal's call outcomes: GUID -> label. Empty where the token may not see them or the portal has none."""
    answer = wire.send("describe", "GET", wire.paths.dispositions(), what="read the call outcomes", allow=(403, 404))
    rows = answer.data if answer.status == 200 else []
    return {str(row["id"]): str(row["label"]) for row in rows if not row.get("deleted")}


def pull_call_pages(
    wire: Wire, cursor: str | None, since: datetime | None, *, overlap: timedelta, outcomes: Mapping[str, str]
) -> Iterator[CallPage]:
    """Pages of calls changed since the cursor, archived ones included, each call with the contacts it is tied to."""
    for page in Puller(wire, "calls", CALL_FIELDS, overlap=overlap).pages(cursor, since):
        contacts = contacts_of_calls(wire, [row["id"] for row in page.rows])
        yield CallPage([_call(row, contacts.get(row["id"], ()), outcomes) for row in page.rows], page.cursor)


def contacts_of_calls(wire: Wire, call_ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Contact ids by call id. Calls without a contact are missing (HubSpot lists them as errors of a 207)."""
    found: dict[str, tuple[str, ...]] = {}
    for start in range(0, len(call_ids), ASSOCIATION_SIZE):
        body = {"inputs": [{"id": call_id} for call_id in call_ids[start : start + ASSOCIATION_SIZE]]}
        data = wire.send(
            "associations",
            "POST",
            wire.paths.associated("calls", "contacts"),
            body=body,
            what="read whom calls went to",
        ).data
        for row in data["results"]:
            # The numbered versions say `id`, v4 and later `toObjectId`.
            ids = [str(to.get("toObjectId") or to.get("id")) for to in row["to"]]
            found[str(row["from"]["id"])] = (*found.get(str(row["from"]["id"]), ()), *ids)
    return found


def _call(row: Mapping[str, Any], contact_ids: tuple[str, ...], outcomes: Mapping[str, str]) -> PulledCall:
    properties = row["properties"]
    direction = (properties.get("hs_call_direction") or "").lower() or None
    theirs, ours = properties.get("hs_call_to_number"), properties.get("hs_call_from_number")
    if direction == "inbound":
        theirs, ours = ours, theirs
    disposition = properties.get("hs_call_disposition") or None
    archived = bool(row.get("archived"))
    changed = (row.get("archivedAt") if archived else None) or row.get("updatedAt")
    return PulledCall(
        call_id=row["id"],
        contact_ids=contact_ids,
        number=theirs or None,
        outcome=disposition,
        label=outcomes.get(disposition) if disposition else None,
        status=properties.get("hs_call_status") or None,
        direction=direction,
        duration_seconds=_seconds(properties.get("hs_call_duration")),
        notes=_plain(properties.get("hs_call_body")),
        started_at=read_time(properties.get("hs_timestamp")),
        modified_at=read_time(changed) or EPOCH,
        trunk=ours or None,
        deleted=archived,
    )


def _seconds(milliseconds: str | None) -> float | None:
    try:
        return float(milliseconds) / 1000 if milliseconds else None
    except ValueError:
        return None


def _plain(notes: str | None) -> str | None:
    """The words of a note: HubSpot stores what the editor made of them, as HTML."""
    if not notes:
        return None
    return " ".join(html.unescape(_TAG.sub(" ", notes)).split()) or None
