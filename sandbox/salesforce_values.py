"""What a field accepts: values from JSON or CSV become what the store keeps, or the row's error.

Text is trimmed and an empty text is null, dates with time keep whole seconds, phone fields take any 40 characters: as Salesforce does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from sandbox.salesforce_errors import RowError
from sandbox.salesforce_fields import Field
from sandbox.salesforce_ids import json_time, long_id, parse_time
from sandbox.salesforce_schema import View

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_TRUE = {"true", "1", "yes"}
_FALSE = {"false", "0", "no"}
Values = dict[str, Any]
NUL = "\N{SYMBOL FOR NULL}"
"""How the store keeps a NUL character, where SQLite's JSON would end the text; Bulk CSV brings the character back."""


def clean_row(view: View, values: Mapping[str, Any], restricted: frozenset[str], *, creating: bool) -> Values:
    """Every value of a row as it will be stored, by canonical field name. Raises RowError for the first that is refused."""
    cleaned: Values = {}
    for name, value in values.items():
        field = view.fields.get(name.lower())
        if field is None:
            raise RowError("INVALID_FIELD", f"No such column '{name}' on sobject of type {view.name}")
        if not (field.createable if creating else field.updateable):
            raise RowError(
                "INVALID_FIELD_FOR_INSERT_UPDATE",
                f"Unable to create/update fields: {field.name}. Please check the security settings of this field and verify that it is "
                "read/write for your profile or permission set.",
                (field.name,),
            )
        cleaned[field.name] = clean(
            field, value, restricted=field.restricted or f"{view.name}.{field.name}" in restricted
        )
    return cleaned


def clean(field: Field, value: Any, *, restricted: bool) -> Any:
    """One value as it will be stored. Raises RowError where the field does not take it."""
    if isinstance(value, str):
        value = value.strip().replace("\x00", NUL)
    if value is None or value == "":
        if field.type == "boolean":
            raise _wrong(field, value)
        if not field.nillable:
            raise RowError("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{field.name}]", (field.name,))
        return None
    if field.type == "boolean":
        return _boolean(field, value)
    if field.type in {"int", "double"}:
        return _number(field, value)
    if field.type in {"datetime", "date"}:
        return _moment(field, value)
    if not isinstance(value, str):
        raise _wrong(field, value)
    if field.type == "reference":
        identifier = long_id(value)
        if identifier is None:
            raise RowError("MALFORMED_ID", f"{field.label}: id value of incorrect type: {value}", (field.name,))
        return identifier
    if len(value) > field.length:
        raise RowError(
            "STRING_TOO_LONG",
            f"{field.label}: data value too large: {value} (max length={field.length})",
            (field.name,),
        )
    if field.type == "picklist" and restricted and value not in field.values:
        raise RowError(
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
            f"{field.label}: bad value for restricted picklist field: {value}",
            (field.name,),
        )
    if field.type == "email" and not _EMAIL.fullmatch(value):
        raise RowError("INVALID_EMAIL_ADDRESS", f"{field.label}: invalid email address: {value}", (field.name,))
    return value


def missing(view: View, values: Mapping[str, Any]) -> list[str]:
    """Required fields a new record lacks."""
    return [
        field.name
        for field in view.fields.values()
        if field.createable and not field.nillable and field.default is None and values.get(field.name) is None
    ]


def _boolean(field: Field, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).lower()
    if text not in _TRUE | _FALSE:
        raise _wrong(field, value)
    return text in _TRUE


def _number(field: Field, value: Any) -> int | float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise _wrong(field, value) from None
    return int(number) if field.type == "int" or field.scale == 0 else round(number, field.scale)


def _moment(field: Field, value: Any) -> str:
    try:
        if field.type == "date":
            return date.fromisoformat(value[:10]).isoformat()
        return json_time(parse_time(value) // 1000 * 1000)
    except (TypeError, ValueError):
        raise _wrong(field, value) from None


def _wrong(field: Field, value: Any) -> RowError:
    return RowError(
        "INVALID_TYPE_ON_FIELD_IN_RECORD", f"{field.label}: value not of required type: {value}", (field.name,)
    )
