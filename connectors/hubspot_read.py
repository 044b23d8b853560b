"""Records by id: current values, what became of ids that are gone, and who wrote which value when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any
from urllib.parse import quote

from connectors.crm import PropertyEdit
from connectors.hubspot_pull import read_rows
from connectors.hubspot_records import EPOCH, MERGE_FIELDS, RecordReader, has_merged, merged_ids, read_time
from connectors.hubspot_wire import Wire
from ringtrue.records import PulledRecord

HISTORY_SIZE = 50
"""HubSpot halves its batches when versions are asked for."""

_AT = attrgetter("at")
PROGRAM_SOURCES = frozenset({"INTEGRATION", "API"})


def read_records(wire: Wire, object_name: str, ids: Sequence[str], reader: RecordReader) -> dict[str, PulledRecord]:
    """Current values by id. An id that was merged away comes back `deleted` with `merged_into`; one that is unknown is missing."""
    wanted = list(dict.fromkeys(ids))
    asked = set(wanted)
    properties = list(dict.fromkeys((*reader.fields, *(MERGE_FIELDS if object_name == "contacts" else ()))))
    found: dict[str, PulledRecord] = {}
    # HubSpot may answer with the survivor of a merge in place of the id that was asked for.
    rows = read_rows(wire, object_name, wanted, properties)
    for row in rows:
        if row["id"] in asked:
            found[row["id"]] = reader(row)
    for row in rows:
        for loser in merged_ids(row["properties"], row["id"]) if has_merged(row["properties"]) else ():
            if loser in asked and loser not in found:
                found[loser] = gone(loser, reader, row)
    for record_id in wanted:
        if record_id not in found and (record := _look_for(wire, object_name, record_id, reader)):
            found[record_id] = record
    return found


def gone(record_id: str, reader: RecordReader, survivor: dict[str, Any]) -> PulledRecord:
    """A record that no longer exists because it was merged into another."""
    moment = read_time(survivor.get("updatedAt")) or EPOCH
    return PulledRecord(
        record_id, dict.fromkeys(reader.fields), None, moment, deleted=True, merged_into=str(survivor["id"])
    )


def _look_for(wire: Wire, object_name: str, record_id: str, reader: RecordReader) -> PulledRecord | None:
    """Ask for one id that a batch did not know: only the single read follows merges."""
    answer = wire.send(
        "read",
        "GET",
        wire.paths.objects(object_name, f"/{quote(record_id, safe='')}"),
        query=[("properties", name) for name in ("hs_object_id", *MERGE_FIELDS)],
        what=f"read {object_name}",
        allow=(404,),
    )
    if answer.status == 404 or answer.data["id"] == record_id:
        return None
    return gone(record_id, reader, answer.data)


def read_history(
    wire: Wire, object_name: str, ids: Sequence[str], fields: Sequence[str], own_source_id: str | None
) -> dict[str, dict[str, list[PropertyEdit]]]:
    """Versions of fields by record id and field, newest first."""
    rows = read_rows(
        wire,
        object_name,
        list(dict.fromkeys(ids)),
        ("hs_object_id",),
        history=fields,
        size=HISTORY_SIZE,
        kind="history",
    )
    return {
        row["id"]: {
            name: _versions((row.get("propertiesWithHistory") or {}).get(name) or (), own_source_id) for name in fields
        }
        for row in rows
    }


def _versions(versions: Iterable[dict[str, Any]], own_source_id: str | None) -> list[PropertyEdit]:
    edits = []
    for version in versions:
        get = version.get
        source, source_id = str(get("sourceType") or ""), str(get("sourceId") or "")
        ours = source in PROGRAM_SOURCES and own_source_id in (None, source_id)
        at = read_time(get("timestamp")) or EPOCH
        edits.append(PropertyEdit(get("value") or None, at, f"{source}:{source_id}" if source_id else source, ours))
    if len(edits) > 1:
        edits.sort(key=_AT, reverse=True)
    return edits
