"""Records as the API shows them: properties as strings or null, history of properties, paging links."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlencode

from sandbox.hubspot_errors import APP_ID
from sandbox.hubspot_fields import CALCULATED_PHONES
from sandbox.hubspot_http import Call
from sandbox.hubspot_portal import ASSOCIATION_TYPES, OBJECT_TYPES, Portal
from sandbox.hubspot_values import iso, phone_part
from sandbox.store import Edit, Record

DEFAULT_PROPERTIES = {
    "contacts": ("createdate", "email", "firstname", "hs_object_id", "lastmodifieddate", "lastname"),
    "calls": ("hs_createdate", "hs_lastmodifieddate", "hs_object_id"),
}
_PARTS = {
    "hs_calculated_phone_number_country_code": "country_code",
    "hs_calculated_phone_number_area_code": "area_code",
    "hs_calculated_phone_number_region_code": "region_code",
}
_MOST_VERSIONS = 45


class View:
    """Shows records of one object with the properties asked for; names the portal does not know are left out."""

    def __init__(
        self,
        portal: Portal,
        object_name: str,
        wanted: Iterable[str],
        history: Sequence[str] = (),
        associations: Sequence[str] = (),
    ) -> None:
        self._portal = portal
        self._object = object_name
        known = portal.definitions(object_name)
        names = (
            dict.fromkeys([*wanted, *history, "hs_object_id"])
            if wanted
            else dict.fromkeys(DEFAULT_PROPERTIES[object_name])
        )
        if wanted:
            names |= dict.fromkeys(
                ("createdate", "lastmodifieddate")
                if object_name == "contacts"
                else ("hs_createdate", "hs_lastmodifieddate")
            )
        asked = [name for name in names if name in known]
        self._plain = [name for name in asked if name not in _SPECIAL]
        self._special = [name for name in asked if name in _SPECIAL]
        self._history = [name for name in history if name in known]
        others = {OBJECT_TYPES.get(name.lower(), "") for name in associations}
        self._associations = sorted(name for name in others if (object_name, name) in ASSOCIATION_TYPES)

    def show(self, record: Record) -> dict[str, Any]:
        """A record as the API shows it."""
        fields = record.fields
        created, modified = iso(record.created_at), iso(record.modified_at)
        properties: dict[str, Any] = {name: fields.get(name) for name in self._plain}
        for name in self._special:
            properties[name] = _special(name, record, created, modified)
        shown: dict[str, Any] = {
            "id": record.record_id,
            "properties": properties,
            "createdAt": created,
            "updatedAt": modified,
            "archived": record.deleted_at is not None,
        }
        if record.deleted_at is not None:
            shown["archivedAt"] = iso(record.deleted_at)
        for other in self._associations:
            linked = self._portal.store.linked(self._object, record.record_id, other)
            if linked:
                kind = ASSOCIATION_TYPES[self._object, other][1]
                rows = [{"id": one, "type": kind} for one, _ in linked]
                shown.setdefault("associations", {})[other] = {"results": rows}
        if self._history:
            shown["propertiesWithHistory"] = self._versions(record)
        return shown

    def _versions(self, record: Record) -> dict[str, list[dict[str, Any]]]:
        edits: dict[str, list[Edit]] = {name: [] for name in self._history}
        for edit in self._portal.store.history_of(self._object, record.record_id, self._history):
            edits[edit.field].append(edit)
        versions: dict[str, list[dict[str, Any]]] = {}
        for name, changes in edits.items():
            first = changes[0].old if changes else record.fields.get(name)
            shown = [_version(edit.new, edit.at, edit.source) for edit in reversed(changes)]
            if first is not None:
                shown.append(_version(first, record.created_at, "import"))
            versions[name] = shown[:_MOST_VERSIONS]
        return versions


_SPECIAL = frozenset(
    {
        "createdate",
        "hs_createdate",
        "lastmodifieddate",
        "hs_lastmodifieddate",
        "hs_object_id",
        *CALCULATED_PHONES,
        *_PARTS,
    }
)


def _special(name: str, record: Record, created: str, modified: str) -> str | None:
    if name == "hs_object_id":
        return record.record_id
    if name.endswith("createdate"):
        return created
    if name.endswith("lastmodifieddate"):
        return modified
    if name in _PARTS:
        return phone_part(record.fields.get("_e164_phone"), _PARTS[name])
    value: str | None = record.fields.get(CALCULATED_PHONES[name])
    return value.lstrip("+") if value and "international" in name else value


def _version(value: Any, at: int, source: str) -> dict[str, Any]:
    kind, _, who = source.partition(":")
    if kind == "user":
        origin = {"sourceType": "CRM_UI", "sourceId": f"userId:{who}"}
    elif kind == "integration":
        origin = {"sourceType": "INTEGRATION", "sourceId": who or str(APP_ID)}
    elif kind == "merge":
        origin = {"sourceType": "MERGE_OBJECTS", "sourceId": who}
    else:
        origin = {"sourceType": "IMPORT", "sourceId": "sandbox"}
    return {"value": "" if value is None else value, "timestamp": iso(at), **origin}


def next_page(call: Call, after: str) -> dict[str, Any]:
    """`paging` that leads to the next page of the same request on this very server."""
    query = {name: values for name, values in call.query.items() if name != "after"}
    text = urlencode({**query, "after": [after]}, doseq=True)
    return {"next": {"after": after, "link": f"{call.address()}{call.scope['path']}?{text}"}}
