"""Creates RingTrue's property group and properties in a portal. Runs as often as one likes: what is there stays as it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.crm import FieldKind, StepPrepared, WantedField
from connectors.hubspot_wire import Wire

GROUP = "ringtrue"
GROUP_LABEL = "RingTrue"

_TYPES: Mapping[FieldKind, tuple[str, str]] = {
    "text": ("string", "text"),
    "long_text": ("string", "textarea"),
    "picklist": ("enumeration", "select"),
    "checkbox": ("bool", "booleancheckbox"),
    "datetime": ("datetime", "date"),
    "number": ("number", "number"),
    "url": ("string", "text"),
}
_SAME_TYPE = {"bool": {"bool", "enumeration"}}
"""Portals hold checkboxes as `bool` or as an enumeration of true and false."""

_CHECKBOX = (("true", "Yes"), ("false", "No"))


def prepare_portal(wire: Wire, wanted: Sequence[WantedField], *, dry_run: bool) -> list[StepPrepared]:
    """Create the group, the properties and missing options. `dry_run` only says what it would do.

    Raises CredentialRefused with the scopes to add when the token may not change properties.
    """
    steps: list[StepPrepared] = []
    for object_name in dict.fromkeys(field.object_name for field in wanted):
        fields = [field for field in wanted if field.object_name == object_name]
        steps.append(_group(wire, object_name, dry_run))
        existing = {row["name"]: row for row in _get(wire, object_name, "")}
        steps += [_property(wire, field, existing.get(field.name), dry_run) for field in fields]
        steps.append(_view(object_name, fields))
    return steps


def _get(wire: Wire, object_name: str, suffix: str) -> list[dict[str, Any]]:
    path = wire.paths.properties(object_name, suffix)
    rows: list[dict[str, Any]] = wire.send("describe", "GET", path, what=f"read the properties of {object_name}").data[
        "results"
    ]
    return rows


def _change(wire: Wire, method: str, path: str, body: Mapping[str, Any]) -> bool:
    """Send a change; False when what it would make exists already."""
    answer = wire.send("prepare", method, path, body=body, what="create properties", writing=True, allow=(409,))
    return answer.status != 409


def _group(wire: Wire, object_name: str, dry_run: bool) -> StepPrepared:
    what = f"{object_name}: property group {GROUP_LABEL}"
    if any(row["name"] == GROUP for row in _get(wire, object_name, "/groups")):
        return StepPrepared(what, "exists")
    if dry_run:
        return StepPrepared(what, "would_create")
    body = {"name": GROUP, "label": GROUP_LABEL, "displayOrder": -1}
    made = _change(wire, "POST", wire.paths.properties(object_name, "/groups"), body)
    return StepPrepared(what, "created" if made else "exists")


def _property(wire: Wire, field: WantedField, existing: Mapping[str, Any] | None, dry_run: bool) -> StepPrepared:
    what = f"{field.object_name}: property {field.name} ({field.label})"
    if existing is not None:
        return _existing(wire, field, existing, what, dry_run)
    if dry_run:
        return StepPrepared(what, "would_create")
    if _change(wire, "POST", wire.paths.properties(field.object_name), definition(field)):
        return StepPrepared(what, "created")
    return StepPrepared(
        what,
        "by_hand",
        f"HubSpot says that {field.name} exists but does not show it: restore it under Settings > Properties > Archived, then run prepare again.",
    )


def definition(field: WantedField) -> dict[str, Any]:
    """The body that creates a property."""
    kind, widget = _TYPES[field.kind]
    options = _CHECKBOX if field.kind == "checkbox" else field.options
    body: dict[str, Any] = {
        "groupName": GROUP,
        "name": field.name,
        "label": field.label,
        "type": kind,
        "fieldType": widget,
        "description": field.help_text,
        "formField": False,
        "hasUniqueValue": False,
    }
    if options:
        body["options"] = [_option(value, label, order) for order, (value, label) in enumerate(options)]
    return body


def _option(value: str, label: str, order: int) -> dict[str, Any]:
    return {"label": label, "value": value, "hidden": False, "displayOrder": order}


def _existing(wire: Wire, field: WantedField, existing: Mapping[str, Any], what: str, dry_run: bool) -> StepPrepared:
    wanted_type = _TYPES[field.kind][0]
    if existing.get("type") not in _SAME_TYPE.get(wanted_type, {wanted_type}):
        return StepPrepared(
            what,
            "by_hand",
            f"{field.name} exists as {existing.get('type')}, RingTrue needs {wanted_type}: delete or rename it under Settings > Properties, then run prepare again.",
        )
    there = list(existing.get("options") or ())
    values = {option["value"] for option in there}
    missing = [option for option in field.options if option[0] not in values] if field.kind == "picklist" else []
    if not missing:
        return StepPrepared(what, "exists")
    names = f"{what}: options {', '.join(value for value, _ in missing)}"
    if dry_run:
        return StepPrepared(names, "would_create")
    options = there + [_option(value, label, len(there) + place) for place, (value, label) in enumerate(missing)]
    path = wire.paths.properties(field.object_name, f"/{field.name}")
    wire.send("prepare", "PATCH", path, body={"options": options}, what="create properties", writing=True)
    return StepPrepared(names, "updated")


def _view(object_name: str, fields: Sequence[WantedField]) -> StepPrepared:
    columns = ", ".join(field.label for field in fields[:6])
    return StepPrepared(
        f"{object_name}: saved view RingTrue",
        "by_hand",
        "HubSpot's API cannot make saved views. "
        f"1. Open CRM > {object_name.title()}. 2. Click + beside the view tabs and create a view named RingTrue, shared with everyone. "
        f"3. Edit columns: add {columns}. 4. Filter by Phone status is any of the ones your team should see. 5. Save the view.",
    )
