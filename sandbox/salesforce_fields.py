"""What a field and an object are to the stand-in, and the kinds of field its objects are made of.

Types, lengths and the flags follow the object reference at https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/.
The labels matter because STRING_TOO_LONG messages use them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any


@dataclass(frozen=True)
class Field:
    """One field of an object. `source` says where its value lies: "json" (the record's fields) or the name of a derived value."""

    name: str
    label: str
    type: str
    length: int = 0
    createable: bool = True
    updateable: bool = True
    nillable: bool = True
    restricted: bool = False
    values: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    relationship: str | None = None
    external_id: bool = False
    unique: bool = False
    custom: bool = False
    compound: str | None = None
    scale: int = 0
    source: str = "json"
    default: str | bool | None = None

    @property
    def readable_text(self) -> bool:
        """Whether values are text that compares without regard to case."""
        return self.type in {"string", "phone", "email", "picklist", "textarea", "url"}


@dataclass(frozen=True)
class SObject:
    """An object type and its fields, in describe order."""

    name: str
    label: str
    plural: str
    prefix: str
    fields: tuple[Field, ...]
    deletable: bool = True
    createable: bool = True
    children: tuple[tuple[str, str, str], ...] = ()  # (relationship name, child object, reference field)


def text_field(name: str, label: str, length: int, **flags: Any) -> Field:
    """A line of text; `flags` are further fields of Field."""
    return replace(Field(name, label, "string", length), **flags)


def phone_field(name: str, label: str) -> Field:
    """A phone field: any 40 characters, as Salesforce takes them."""
    return Field(name, label, "phone", 40)


def boolean_field(name: str, label: str) -> Field:
    """A checkbox."""
    return Field(name, label, "boolean", nillable=False, default=False)


def picklist_field(
    name: str, label: str, values: tuple[str, ...], *, length: int = 255, restricted: bool = False
) -> Field:
    """A picklist; only a restricted one refuses other values."""
    return Field(name, label, "picklist", length, values=values, restricted=restricted)


def reference_field(name: str, label: str, to: tuple[str, ...], relationship: str, *, updateable: bool = True) -> Field:
    """A reference to records of other objects, and the name of the relationship."""
    return Field(name, label, "reference", 18, references=to, relationship=relationship, updateable=updateable)


def derived_field(name: str, label: str, kind: str, source: str, length: int = 0) -> Field:
    """A value worked out from others, which nobody writes."""
    return Field(name, label, kind, length, createable=False, updateable=False, source=source)


ID = Field("Id", "Record ID", "id", 18, createable=False, updateable=False, nillable=False, source="id")
SYSTEM = (
    Field(
        "CreatedDate", "Created Date", "datetime", createable=False, updateable=False, nillable=False, source="created"
    ),
    Field(
        "LastModifiedDate",
        "Last Modified Date",
        "datetime",
        createable=False,
        updateable=False,
        nillable=False,
        source="modified",
    ),
    Field(
        "SystemModstamp",
        "System Modstamp",
        "datetime",
        createable=False,
        updateable=False,
        nillable=False,
        source="modified",
    ),
)
DELETED = Field("IsDeleted", "Deleted", "boolean", createable=False, updateable=False, nillable=False, source="deleted")
MASTER = Field(
    "MasterRecordId",
    "Master Record ID",
    "reference",
    18,
    createable=False,
    updateable=False,
    relationship="MasterRecord",
    source="master",
)
OWNER = reference_field("OwnerId", "Owner ID", ("User",), "Owner")
ADDRESS_PARTS = ("Street", "City", "State", "PostalCode", "Country", "StateCode", "CountryCode")


def address_fields(prefix: str, label: str) -> tuple[Field, ...]:
    """The parts of an address and their compound."""
    lengths = {
        "Street": 255,
        "City": 40,
        "State": 80,
        "PostalCode": 20,
        "Country": 80,
        "StateCode": 10,
        "CountryCode": 10,
    }
    compound = f"{prefix}Address"
    parts = []
    for part in ADDRESS_PARTS:
        kind = "textarea" if part == "Street" else "picklist" if part.endswith("Code") else "string"
        parts.append(Field(f"{prefix}{part}", f"{label} {part}".strip(), kind, lengths[part], compound=compound))
    address = Field(
        compound, f"{label} Address".strip(), "address", createable=False, updateable=False, source="address"
    )
    return (*parts, address)
