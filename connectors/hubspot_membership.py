"""A HubSpot list as an object whose records are people: who is on it now, who is taken off, who is put back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from connectors.hubspot_errors import Refused
from connectors.hubspot_lists import remove_members
from connectors.hubspot_wire import Wire
from ringtrue.list_objects import MEMBER, list_id
from ringtrue.records import PulledRecord, RecordWrite, RowResult

_NOT_ON_IT = "the person was not on the list any more"


def read_memberships(wire: Wire, object_name: str, people: Sequence[str]) -> dict[str, PulledRecord]:
    """Each person as a record of the list: its one field says "member", or nothing. One call a person."""
    wanted = list_id(object_name)
    now = datetime.now(UTC)
    found: dict[str, PulledRecord] = {}
    for person in people:
        answer = wire.send(
            "lists", "GET", wire.paths.lists_of_record(person), what="read the lists of a record", allow=(404,)
        )
        rows = (answer.data or {}).get("results") or [] if answer.status == 200 else []
        on_it = any(str(row.get("listId")) == wanted for row in rows)
        found[person] = PulledRecord(person, {object_name: MEMBER if on_it else None}, None, now)
    return found


def write_memberships(wire: Wire, object_name: str, rows: Sequence[RecordWrite]) -> list[RowResult]:
    """Take people off a list (empty value) or put them on it; results in order. "gone": the person was not on it any more."""
    leaving = [row.record_id for row in rows if row.values[object_name] is None]
    joining = [row.record_id for row in rows if row.values[object_name] is not None]
    results: dict[str, RowResult] = {}
    for result in remove_members(wire, list_id(object_name), leaving) if leaving else []:
        gone = result.outcome == "applied" and result.reason is not None
        results[result.record_id] = RowResult(result.record_id, "gone", _NOT_ON_IT) if gone else result
    if joining:
        results.update(_add(wire, list_id(object_name), joining))
    return [results[row.record_id] for row in rows]


def _add(wire: Wire, list_name: str, people: Sequence[str]) -> dict[str, RowResult]:
    path = wire.paths.list_members(list_name, "/add")
    try:
        answer = wire.send(
            "lists", "PUT", path, body=list(people), what=f"put records on list {list_name}", writing=True, allow=(404,)
        )
    except Refused as exc:
        reason = (
            f"HubSpot does not let us change list {list_name} ({exc}). Only manual and snapshot lists can be changed."
        )
        return {person: RowResult(person, "failed", reason) for person in people}
    if answer.status == 404:
        return {person: RowResult(person, "failed", f"HubSpot has no list {list_name} any more.") for person in people}
    missing = {str(item) for item in answer.data.get("recordIdsMissing") or answer.data.get("recordsIdsMissing") or ()}
    return {
        person: RowResult(person, "gone", "HubSpot knows no such record.")
        if person in missing
        else RowResult(person, "applied")
        for person in people
    }
