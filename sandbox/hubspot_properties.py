"""The properties API: definitions, groups, batches of definitions, validation rules."""

from __future__ import annotations

import re
from typing import Any

from sandbox.hubspot_errors import conflict, invalid, not_found
from sandbox.hubspot_fields import FIELD_TYPES, TYPES
from sandbox.hubspot_http import Answer, Call, Rule, rule
from sandbox.hubspot_objects import object_of
from sandbox.hubspot_portal import Portal
from sandbox.hubspot_values import iso

_NAME = re.compile(r"[a-z][a-z0-9_]{0,99}")
_READ, _WRITE = "crm.schemas.contacts.read", "crm.schemas.contacts.write"
_FIXED_GROUPS = {"contacts": ("contactinformation", "Contact information"), "calls": ("call", "Call information")}
_PAIRS = {
    "string": {"text", "textarea", "html", "phonenumber", "file"},
    "phone_number": {"phonenumber"},
    "number": {"number", "calculation_equation"},
    "date": {"date"},
    "datetime": {"date"},
    "enumeration": {"select", "radio", "checkbox", "booleancheckbox"},
    "bool": {"booleancheckbox", "calculation_equation"},
}
_CHANGEABLE = (
    "label",
    "description",
    "groupName",
    "type",
    "fieldType",
    "options",
    "displayOrder",
    "formField",
    "hidden",
)
_MOST_UNIQUE = 10


class PropertiesApi:
    """The handlers for definitions."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    def rules(self) -> list[Rule]:
        """The routes."""
        return [
            rule("GET", "properties/{}", self.all, "read", _READ),
            rule("POST", "properties/{}", self.create, "write", _WRITE),
            rule("GET", "properties/{}/groups", self.groups, "read", _READ),
            rule("POST", "properties/{}/groups", self.create_group, "write", _WRITE),
            rule("GET", "properties/{}/groups/{}", self.group, "read", _READ),
            rule("GET", "properties/{}/{}", self.one, "read", _READ),
            rule("PATCH", "properties/{}/{}", self.change, "write", _WRITE),
            rule("DELETE", "properties/{}/{}", self.archive, "write", _WRITE),
            rule("POST", "properties/{}/batch/create", self.create_many, "write", _WRITE),
            rule("POST", "properties/{}/batch/read", self.read_many, "read", _READ),
            rule("POST", "properties/{}/batch/archive", self.archive_many, "write", _WRITE),
            rule("GET", "property-validations/{}", self.validations, "read", _READ),
            rule("GET", "property-validations/{}/{}", self.validation, "read", _READ),
        ]

    def all(self, call: Call) -> Answer:
        """Every definition of an object."""
        return Answer(value={"results": list(self._portal.definitions(object_of(call)).values())})

    def one(self, call: Call) -> Answer:
        """One definition."""
        return Answer(value=self._definition(object_of(call), call.place.parts[1]))

    def create(self, call: Call) -> Answer:
        """Create a property; a name that exists is a 409."""
        name = object_of(call)
        return Answer(201, self._create(name, call.json()))

    def create_many(self, call: Call) -> Answer:
        """Create properties; those that exist already make it a 207."""
        name, results, errors = object_of(call), [], []
        for wanted in call.json().get("inputs") or []:
            if wanted.get("name") in self._portal.definitions(name):
                errors.append(
                    {
                        "status": "error",
                        "category": "OBJECT_ALREADY_EXISTS",
                        "message": _exists(wanted["name"]),
                        "context": {"name": [wanted["name"]]},
                    }
                )
            else:
                results.append(self._create(name, wanted))
        value: dict[str, Any] = {"status": "COMPLETE", "results": results}
        if errors:
            value |= {"numErrors": len(errors), "errors": errors}
        return Answer(207 if errors else 201, value)

    def read_many(self, call: Call) -> Answer:
        """Definitions by name; unknown ones are left out with an error."""
        known = self._portal.definitions(object_of(call))
        names = [str(item.get("name")) for item in call.json().get("inputs") or []]
        missing = [name for name in names if name not in known]
        value: dict[str, Any] = {"status": "COMPLETE", "results": [known[name] for name in names if name in known]}
        if missing:
            value |= {
                "numErrors": 1,
                "errors": [
                    {
                        "status": "error",
                        "category": "OBJECT_NOT_FOUND",
                        "message": "Could not get some properties.",
                        "context": {"name": missing},
                    }
                ],
            }
        return Answer(207 if missing else 200, value)

    def change(self, call: Call) -> Answer:
        """Change a property of the portal's own."""
        name = object_of(call)
        definition = self._own(name, call.place.parts[1])
        wanted = call.json()
        changed = {**definition, **{key: wanted[key] for key in _CHANGEABLE if key in wanted}}
        changed["options"] = _options(changed)
        changed["updatedAt"] = iso(self._portal.now_ms())
        _check(changed)
        self._portal.keep_definition(name, changed)
        return Answer(value=changed)

    def archive(self, call: Call) -> Answer:
        """Archive a property of the portal's own."""
        name = object_of(call)
        self._portal.drop_definition(name, self._own(name, call.place.parts[1])["name"])
        return Answer(204)

    def archive_many(self, call: Call) -> Answer:
        """Archive several."""
        name = object_of(call)
        for item in call.json().get("inputs") or []:
            self._portal.drop_definition(name, self._own(name, str(item.get("name")))["name"])
        return Answer(204)

    def groups(self, call: Call) -> Answer:
        """The groups of an object's properties."""
        return Answer(value={"results": self._groups(object_of(call))})

    def group(self, call: Call) -> Answer:
        """One group."""
        found = next((one for one in self._groups(object_of(call)) if one["name"] == call.place.parts[2]), None)
        if found is None:
            raise not_found()
        return Answer(value=found)

    def create_group(self, call: Call) -> Answer:
        """Create a group; a name that exists is a 409."""
        name, wanted = object_of(call), call.json()
        if not _NAME.fullmatch(str(wanted.get("name", ""))) or not wanted.get("label"):
            raise invalid("A property group needs a name (lower-case letters, digits, underscores) and a label.")
        if any(one["name"] == wanted["name"] for one in self._groups(name)):
            raise conflict(f"A property group named '{wanted['name']}' already exists.")
        group = {
            "name": wanted["name"],
            "label": wanted["label"],
            "displayOrder": wanted.get("displayOrder", -1),
            "archived": False,
        }
        self._portal.store.set_setting(f"group:{name}:{wanted['name']}", group)
        return Answer(201, group)

    def validations(self, call: Call) -> Answer:
        """Validation rules of an object: none, as in a new portal."""
        object_of(call)
        return Answer(value={"results": []})

    def validation(self, call: Call) -> Answer:
        """Validation rules of a property: none."""
        self._definition(object_of(call), call.place.parts[1])
        return Answer(value={"results": []})

    def _groups(self, name: str) -> list[dict[str, Any]]:
        key, label = _FIXED_GROUPS[name]
        fixed = {"name": key, "label": label, "displayOrder": 0, "archived": False}
        return [fixed, *self._portal.store.settings(f"group:{name}:").values()]

    def _definition(self, name: str, property_name: str) -> dict[str, Any]:
        definition = self._portal.definitions(name).get(property_name)
        if definition is None:
            raise not_found(f"The property '{property_name}' does not exist.")
        return definition

    def _own(self, name: str, property_name: str) -> dict[str, Any]:
        definition = self._definition(name, property_name)
        if definition["hubspotDefined"]:
            raise invalid(f"The property '{property_name}' is defined by HubSpot and cannot be changed.")
        return definition

    def _create(self, name: str, wanted: dict[str, Any]) -> dict[str, Any]:
        property_name = str(wanted.get("name", ""))
        if property_name in self._portal.definitions(name):
            raise conflict(_exists(property_name))
        missing = [key for key in ("name", "label", "type", "fieldType", "groupName") if not wanted.get(key)]
        if missing:
            raise invalid(f"Invalid input JSON: missing required properties {missing}.")
        if not _NAME.fullmatch(property_name):
            raise invalid(
                f"'{property_name}' is no valid name: lower-case letters, digits and underscores, starting with a letter."
            )
        if all(group["name"] != wanted["groupName"] for group in self._groups(name)):
            raise invalid(f"Property group '{wanted['groupName']}' does not exist.")
        if (
            wanted.get("hasUniqueValue")
            and sum(one["hasUniqueValue"] for one in self._portal.definitions(name).values()) > _MOST_UNIQUE
        ):
            raise invalid(f"The maximum of {_MOST_UNIQUE} properties with unique values is reached.")
        now = iso(self._portal.now_ms())
        definition = {
            "name": property_name,
            "label": wanted["label"],
            "type": wanted["type"],
            "fieldType": wanted["fieldType"],
            "description": wanted.get("description", ""),
            "groupName": wanted["groupName"],
            "options": _options(wanted),
            "displayOrder": wanted.get("displayOrder", -1),
            "calculated": False,
            "externalOptions": False,
            "hasUniqueValue": bool(wanted.get("hasUniqueValue")),
            "hidden": bool(wanted.get("hidden")),
            "hubspotDefined": False,
            "formField": bool(wanted.get("formField")),
            "createdAt": now,
            "updatedAt": now,
            "archived": False,
            "modificationMetadata": {
                "archivable": True,
                "readOnlyDefinition": False,
                "readOnlyOptions": False,
                "readOnlyValue": False,
            },
        }
        _check(definition)
        self._portal.keep_definition(name, definition)
        return definition


def _exists(name: str) -> str:
    return f"A property named '{name}' already exists."


def _options(wanted: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "label": str(option.get("label", option.get("value", ""))),
            "value": str(option.get("value", "")),
            "displayOrder": option.get("displayOrder", place),
            "hidden": bool(option.get("hidden")),
        }
        for place, option in enumerate(wanted.get("options") or [])
    ]


def _check(definition: dict[str, Any]) -> None:
    kind, field_type = definition["type"], definition["fieldType"]
    if kind not in TYPES:
        raise invalid(f"'{kind}' is not one of the property types: {', '.join(sorted(TYPES))}.")
    if field_type not in FIELD_TYPES or field_type not in _PAIRS.get(kind, FIELD_TYPES):
        raise invalid(f"fieldType '{field_type}' is not valid for type '{kind}'.")
    values = [option["value"] for option in definition["options"]]
    if kind == "bool" and sorted(values) != ["false", "true"]:
        raise invalid("A property of type bool must have exactly the options true and false.")
    if kind == "enumeration" and not values and not definition["externalOptions"]:
        raise invalid("A property of type enumeration needs options.")
    if len(set(values)) < len(values):
        raise invalid("Property options must have values of their own: a value appears twice.")
