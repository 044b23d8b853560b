"""What the integration user sees of the org's objects: standard and custom fields under field-level security.

A field created through an API is invisible until a permission set assigned to the user grants it. A hidden field is absent from describe, refused in
queries and an unknown column to Bulk, exactly as if it did not exist.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import orjson

from sandbox.salesforce_fields import Field, SObject
from sandbox.salesforce_ids import KEY_PREFIXES, record_id
from sandbox.salesforce_objects import STANDARD_OBJECTS, TOOLING_OBJECTS
from sandbox.store import Record, RecordStore, json_value

_METADATA_TYPES = {
    "Text": "string",
    "Picklist": "picklist",
    "DateTime": "datetime",
    "Date": "date",
    "Checkbox": "boolean",
    "Number": "double",
    "Phone": "phone",
    "Email": "email",
    "Url": "url",
    "TextArea": "textarea",
    "LongTextArea": "textarea",
}
_FIXED_LENGTHS = {"Picklist": 255, "Phone": 40, "Email": 80, "Url": 255, "TextArea": 255}


@dataclass(frozen=True)
class View:
    """An object as the user sees it: its fields by lower-case name."""

    sobject: SObject
    fields: dict[str, Field]

    @property
    def name(self) -> str:
        """The API name."""
        return self.sobject.name

    def field(self, name: str) -> Field | None:
        """A visible field by name in any case."""
        return self.fields.get(name.lower())

    def relationship(self, name: str) -> Field | None:
        """The visible reference field behind a relationship name ("Account")."""
        wanted = name.lower()
        return next((one for one in self.fields.values() if (one.relationship or "").lower() == wanted), None)


class Views(Protocol):
    """What a query needs to know of the objects it names."""

    def view(self, name: str) -> View | None:
        """The object by name in any case, None where there is no such object."""
        ...


class ToolingViews:
    """The objects of the Tooling API, which everybody sees whole."""

    def view(self, name: str) -> View | None:
        """The object by name in any case, None where there is no such object."""
        sobject = next((one for key, one in TOOLING_OBJECTS.items() if key.lower() == name.lower()), None)
        return View(sobject, {field.name.lower(): field for field in sobject.fields}) if sobject else None


class Schema:
    """Objects and fields of the org, with what permission sets grant to `user_id`.

    `hidden` and `read_only` tell, at the moment of asking, which "Object.Field" names an administrator has closed beyond the permission sets.
    """

    def __init__(
        self,
        store: RecordStore,
        user_id: str,
        hidden: Callable[[], Iterable[str]],
        read_only: Callable[[], Iterable[str]],
        address_codes: Callable[[], bool],
    ) -> None:
        self._store = store
        self._user_id = user_id
        self._hidden = hidden
        self._read_only = read_only
        self._address_codes = address_codes
        self._grants: dict[str, tuple[bool, bool]] | None = None
        self._custom: dict[str, list[Field]] | None = None
        self._views: dict[tuple[str, frozenset[str], frozenset[str], bool], View] = {}

    def forget(self) -> None:
        """Read permissions and custom fields anew: something that decides visibility was written."""
        self._grants = None
        self._custom = None
        self._views.clear()

    def names(self) -> list[str]:
        """Every object's API name."""
        return list(STANDARD_OBJECTS)

    def view(self, name: str) -> View | None:
        """The object by name in any case, with the fields this user sees; None where there is no such object."""
        sobject = next((one for key, one in STANDARD_OBJECTS.items() if key.lower() == name.lower()), None)
        if sobject is None:
            return None
        hidden = frozenset(one.lower() for one in self._hidden())
        read_only = frozenset(one.lower() for one in self._read_only())
        key = (sobject.name, hidden, read_only, self._address_codes())
        if key not in self._views:
            self._views[key] = View(
                sobject, {one.name.lower(): one for one in self._visible(sobject, hidden, read_only)}
            )
        return self._views[key]

    def all_fields(self, name: str) -> list[Field]:
        """Standard and custom fields whether visible or not."""
        sobject = STANDARD_OBJECTS[name]
        return [*sobject.fields, *self._custom_fields().get(name, [])]

    def exists(self, full_name: str) -> bool:
        """Whether "Contact.Phone" names a field, visible or not."""
        sobject, _, name = full_name.partition(".")
        return sobject in STANDARD_OBJECTS and any(one.name.lower() == name.lower() for one in self.all_fields(sobject))

    def create_field(self, full_name: str, metadata: dict[str, Any], now_ms: int) -> str:
        """Add a custom field ("Contact.Phone_Status__c") or replace its metadata; returns its id. Nobody sees it until a permission set says so.

        Raises ValueError where the metadata is incomplete.
        """
        sobject, _, name = full_name.partition(".")
        custom_field(name, metadata)
        values = {
            "TableEnumOrId": sobject,
            "DeveloperName": name.removesuffix("__c"),
            "FullName": full_name,
            "Metadata": orjson.dumps(metadata).decode(),
        }
        present = self.field_record(full_name)
        if present is not None:
            identifier = present.record_id
            self._store.update("CustomField", identifier, values, "setup", now_ms)
        else:
            identifier = record_id("CustomField", self._store.next_number("sf:custom_field"))
            self._store.insert_many("CustomField", [(identifier, now_ms, values)])
        self.forget()
        return identifier

    def delete_field(self, full_name: str) -> bool:
        """Remove a custom field; False where there is none."""
        present = self.field_record(full_name)
        gone = present is not None and self._store.purge("CustomField", present.record_id)
        self.forget()
        return gone

    def field_record(self, full_name: str) -> Record | None:
        """The stored row of a custom field, its `Metadata` as JSON text."""
        where = f"{json_value('FullName')} = ? COLLATE NOCASE"
        return next(self._store.query("CustomField", where, [full_name], limit=1), None)

    def _custom_fields(self) -> dict[str, list[Field]]:
        if self._custom is None:
            self._custom = {}
            for record in self._store.query("CustomField"):
                sobject, _, name = record.fields["FullName"].partition(".")
                field = custom_field(name, orjson.loads(record.fields["Metadata"]))
                self._custom.setdefault(sobject, []).append(field)
        return self._custom

    def _granted(self) -> dict[str, tuple[bool, bool]]:
        if self._grants is None:
            assigned = {
                record.fields["PermissionSetId"]
                for record in self._store.query("PermissionSetAssignment", "deleted_at IS NULL")
                if record.fields["AssigneeId"] == self._user_id
            }
            grants: dict[str, tuple[bool, bool]] = {}
            for record in self._store.query("FieldPermissions", "deleted_at IS NULL"):
                if record.fields["ParentId"] not in assigned:
                    continue
                read, edit = grants.get(record.fields["Field"].lower(), (False, False))
                grants[record.fields["Field"].lower()] = (
                    read or bool(record.fields.get("PermissionsRead")),
                    edit or bool(record.fields.get("PermissionsEdit")),
                )
            self._grants = grants
        return self._grants

    def _visible(self, sobject: SObject, hidden: frozenset[str], read_only: frozenset[str]) -> Iterable[Field]:
        created = {one.name for one in self._custom_fields().get(sobject.name, [])}
        for field in self.all_fields(sobject.name):
            full_name = f"{sobject.name}.{field.name}".lower()
            read, edit = self._granted().get(full_name, (False, False))
            closed = field.name in created or full_name in hidden
            if closed and not read:
                continue
            if field.name.endswith(("StateCode", "CountryCode")) and field.compound and not self._address_codes():
                continue
            if full_name in read_only or (closed and not edit):
                field = replace(field, createable=False, updateable=False)
            yield field


def custom_field(name: str, metadata: dict[str, Any]) -> Field:
    """A field from the `Metadata` of a Tooling or Metadata API request.

    Raises ValueError with Salesforce's own sentence where the metadata is incomplete.
    """
    kind = metadata.get("type")
    if kind not in _METADATA_TYPES:
        raise ValueError(f"Must specify a valid type for the CustomField {name}")
    label = metadata.get("label")
    if not label:
        raise ValueError("Required field is missing: label")
    length = int(metadata.get("length") or _FIXED_LENGTHS.get(kind, 0))
    if kind in {"Text", "LongTextArea"} and not length:
        raise ValueError("Must specify 'length' for a CustomField of type " + kind)
    if kind == "Checkbox" and metadata.get("defaultValue") is None:
        raise ValueError("Must specify 'defaultValue' for a CustomField of type Checkbox")
    if kind == "Number" and (metadata.get("precision") is None or metadata.get("scale") is None):
        raise ValueError("Must specify 'precision' and 'scale' for a CustomField of type Number")
    values: tuple[str, ...] = ()
    value_set = metadata.get("valueSet") or {}
    if kind == "Picklist":
        listed = (value_set.get("valueSetDefinition") or {}).get("value") or []
        values = tuple(one["fullName"] for one in (listed if isinstance(listed, list) else [listed]))
        if not values:
            raise ValueError(
                "Must specify either a valueSetName or a valueSetDefinition for a CustomField of type Picklist"
            )
    default = str(metadata.get("defaultValue")).lower() == "true" if kind == "Checkbox" else None
    return Field(
        name,
        label,
        _METADATA_TYPES[kind],
        length,
        nillable=kind != "Checkbox",
        restricted=str(value_set.get("restricted", False)).lower() == "true",
        values=values,
        external_id=str(metadata.get("externalId", False)).lower() == "true",
        unique=str(metadata.get("unique", False)).lower() == "true",
        custom=True,
        scale=int(metadata.get("scale") or 0),
        default=default,
    )


def object_of_prefix(identifier: str) -> str | None:
    """The object an id belongs to by its key prefix."""
    return next((name for name, prefix in KEY_PREFIXES.items() if prefix == identifier[:3]), None)
