"""Contacts and leads as Salesforce stores them: which fields mean what, and values to text and back.

REST answers JSON and Bulk answers CSV; both become the same text, so that a record looks the same whichever way it came.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any, NamedTuple

from connectors.crm import FieldInfo, FieldMap
from connectors.salesforce_ids import api_name
from ringtrue.errors import SchemaChanged
from ringtrue.records import PulledRecord

OBJECTS = ("Contact", "Lead")
META = ("Id", "IsDeleted", "MasterRecordId", "CreatedDate", "SystemModstamp")
"""What every pull selects besides the fields asked for."""

CONVERSION = ("IsConverted", "ConvertedContactId")
"""What tells that a lead became a contact."""

DEFAULT_FIELDS: dict[str, FieldMap] = {
    "Contact": FieldMap(
        phones=("Phone", "MobilePhone", "HomePhone", "OtherPhone"),
        first_name="FirstName",
        last_name="LastName",
        email="Email",
        country=("MailingCountryCode", "MailingCountry"),
        state=("MailingStateCode", "MailingState"),
        city="MailingCity",
        postal_code="MailingPostalCode",
        owner="OwnerId",
        account="AccountId",
        lead_source=("LeadSource",),
        do_not_call=("DoNotCall",),
        email_opt_out=("HasOptedOutOfEmail",),
    ),
    "Lead": FieldMap(
        phones=("Phone", "MobilePhone"),
        first_name="FirstName",
        last_name="LastName",
        email="Email",
        country=("CountryCode", "Country"),
        state=("StateCode", "State"),
        city="City",
        postal_code="PostalCode",
        owner="OwnerId",
        lead_source=("LeadSource",),
        do_not_call=("DoNotCall",),
        email_opt_out=("HasOptedOutOfEmail",),
        extra=CONVERSION,
    ),
}
"""Full names are left out: they are compound fields, which Bulk refuses. Fax and AssistantPhone are not numbers to call the person on; settings may add them."""

_NUMBERS = frozenset({"double", "currency", "percent", "int", "long"})
_TIMES = frozenset({"datetime"})


def pruned(field_map: FieldMap, visible: Iterable[str]) -> FieldMap:
    """The map without fields that the org does not have or our user does not see."""
    seen = frozenset(visible)
    changes: dict[str, Any] = {}
    for name in FieldMap.__dataclass_fields__:
        value = getattr(field_map, name)
        if isinstance(value, tuple):
            changes[name] = tuple(one for one in value if one in seen)
        elif value is not None and value not in seen:
            changes[name] = None
    return replace(field_map, **changes)


class Shape(NamedTuple):
    """The columns of a pull, and which of them need care on the way to text."""

    fields: tuple[str, ...]
    columns: tuple[str, ...]
    times: tuple[int, ...]
    numbers: tuple[int, ...]
    picked: tuple[int, ...]


def shape_of(fields: Sequence[str], infos: Mapping[str, FieldInfo], meta: Sequence[str] = META) -> Shape:
    """The columns to select for these fields: the meta columns first, each once."""
    wanted = tuple(dict.fromkeys(api_name(name) for name in fields))
    columns = (*meta, *(name for name in wanted if name not in meta))
    kinds = [infos[name].type if name in infos else "" for name in columns]
    return Shape(
        fields=wanted,
        columns=columns,
        times=tuple(place for place, kind in enumerate(kinds) if kind in _TIMES),
        numbers=tuple(place for place, kind in enumerate(kinds) if kind in _NUMBERS),
        picked=tuple(columns.index(name) for name in wanted),
    )


def records_of(shape: Shape, rows: Sequence[list[str]]) -> list[PulledRecord]:
    """Rows of text in the order of `shape.columns`, META first, as records. Times and numbers must be tidy already (see `tidy`)."""
    try:
        return _records_of(shape, rows)
    except ValueError as exc:
        raise SchemaChanged("Salesforce wrote a date-time in a form we do not know.") from exc


def _records_of(shape: Shape, rows: Sequence[list[str]]) -> list[PulledRecord]:
    fields, width = shape.fields, len(META)
    moment = datetime.fromisoformat
    if shape.picked == tuple(range(width, len(shape.columns))):
        return [
            PulledRecord(
                row[0],
                dict(zip(fields, [value or None for value in row[width:]], strict=False)),
                moment(row[3]) if row[3] else None,
                moment(row[4]),
                row[1] == "true",
                row[2] or None,
            )
            for row in rows
        ]
    pick = itemgetter(*shape.picked, 0)
    return [
        PulledRecord(
            row[0],
            dict(zip(fields, [value or None for value in pick(row)], strict=False)),
            moment(row[3]) if row[3] else None,
            moment(row[4]),
            row[1] == "true",
            row[2] or None,
        )
        for row in rows
    ]


def conversion_of(object_name: str, infos: Mapping[str, FieldInfo]) -> tuple[str, ...]:
    """The fields that tell what became of a lead, where our user sees them."""
    return CONVERSION if object_name == "Lead" and all(name in infos for name in CONVERSION) else ()


def as_contacts(records: Sequence[PulledRecord]) -> list[PulledRecord]:
    """Leads as they are: one that was converted is read-only and gone to the contact it became, like a record that was merged."""
    return [
        record._replace(deleted=True, merged_into=record.values.get("ConvertedContactId"))
        if record.values.get("IsConverted") == "true" and not record.deleted
        else record
        for record in records
    ]


def tidy(shape: Shape, rows: Sequence[list[str]]) -> None:
    """Put times and numbers of CSV rows into the one form, in place."""
    first = next(iter(rows), None)
    if first is None:
        return
    for place in shape.times:
        if any(row[place] and row[place][-1] != "Z" for row in rows):
            for row in rows:
                row[place] = time_text(row[place])
    for place in shape.numbers:
        for row in rows:
            row[place] = number_text(row[place])


def row_of_json(shape: Shape, record: Mapping[str, Any]) -> list[str]:
    """A JSON record as a row of text in the order of the columns. Raises SchemaChanged when the server left a column out."""
    try:
        row = [text_of(record[name]) for name in shape.columns]
    except KeyError as exc:
        raise SchemaChanged(
            f"Salesforce answered a record without the field {exc.args[0]} that was asked for."
        ) from exc
    for place in shape.times:
        row[place] = time_text(row[place])
    for place in shape.numbers:
        row[place] = number_text(row[place])
    return row


def text_of(value: Any) -> str:
    """A JSON value as text, empty for null."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value.replace("\0", "") if "\0" in value else value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def time_text(text: str) -> str:
    """A date-time as ISO 8601 in UTC ending in Z, whatever offset it came with."""
    if not text or text[-1] == "Z":
        return text
    if text.endswith(("+0000", "+00:00")):
        return text[: text.rindex("+")] + "Z"
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as exc:
        raise SchemaChanged("Salesforce wrote a date-time in a form we do not know.") from exc
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def number_text(text: str) -> str:
    """A number without an empty fraction: JSON says 85.0 where CSV may say 85."""
    return text[:-2] if text.endswith(".0") else text


def json_value(info: FieldInfo | None, text: str | None) -> Any:
    """Our text as the JSON value of a field; None and empty text clear it."""
    if not text:
        return None
    if info is None:
        return text
    if info.type == "boolean":
        return text == "true"
    if info.type in _NUMBERS:
        number = float(text)
        return int(number) if number.is_integer() else number
    return text


def select(columns: Sequence[str], object_name: str, where: str = "", order: str = "") -> str:
    """A SOQL query. Names must have passed `api_name`, ids `quoted_ids`, times `soql_time`."""
    words = ["SELECT", ", ".join(columns), "FROM", object_name]
    if where:
        words += ["WHERE", where]
    return " ".join([*words, order]).rstrip()


def soql_time(moment: datetime) -> str:
    """A moment as a SOQL literal with milliseconds, which is how exactly Salesforce compares."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def infos_of(described: Mapping[str, Any]) -> dict[str, FieldInfo]:
    """The fields of a describe answer by API name."""
    return {
        one["name"]: FieldInfo(
            name=one["name"],
            label=one.get("label") or one["name"],
            type=one.get("type") or "string",
            writable=bool(one.get("updateable")),
            custom=bool(one.get("custom")),
            max_length=one.get("length") or None,
        )
        for one in described["fields"]
    }
