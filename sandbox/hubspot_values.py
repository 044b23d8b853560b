"""Property values: what HubSpot accepts for each type, how it keeps it, and the phone values it calculates itself."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import phonenumbers

from sandbox.hubspot_errors import PropertyFault
from sandbox.hubspot_fields import OPEN_ENUMERATIONS
from sandbox.places import BY_CODE

_EMAIL = re.compile(r"^[^@\s,;]+@[^@\s,;]+\.[^@\s.,;]{2,}$")
_COUNTRY_CODES = {country.name.lower(): code for code, country in BY_CODE.items()} | {
    "usa": "US",
    "u.s.": "US",
    "us": "US",
    "uk": "GB",
    "england": "GB",
    "deutschland": "DE",
}
MAX_TEXT = 65_536


def iso(milliseconds: int) -> str:
    """Epoch milliseconds as HubSpot writes them: 2026-01-30T03:30:17.883Z."""
    moment = datetime.fromtimestamp(milliseconds // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{milliseconds % 1000:03d}Z"


def milliseconds_of(text: str) -> int | None:
    """Epoch milliseconds of epoch text or an ISO date-time (without an offset: UTC); None if it is neither."""
    if re.fullmatch(r"-?\d{1,16}", text):
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def clean(definition: dict[str, Any], value: Any) -> tuple[str | None, PropertyFault | None]:
    """(value as kept, None), or (None, why it was refused). An empty string clears: it is kept as None."""
    name, kind = definition["name"], definition["type"]
    text = _as_text(value)
    if text == "":
        return None, None
    if kind == "bool" or (kind == "enumeration" and name not in OPEN_ENUMERATIONS):
        return _clean_option(definition, text)
    if kind == "number":
        try:
            float(text)
        except ValueError:
            return None, PropertyFault(name, "INVALID_NUMBER", f"{text} was not a valid number.")
        return text, None
    if kind in ("datetime", "date"):
        moment = milliseconds_of(text)
        if moment is None:
            return None, PropertyFault(name, "INVALID_DATE", f"{text} was not a valid {kind}.")
        return (iso(moment) if kind == "datetime" else iso(moment)[:10]), None
    if name == "email" and not _EMAIL.match(text):
        return None, PropertyFault(name, "INVALID_EMAIL", f"Email address {text} is invalid")
    if len(text) > MAX_TEXT:
        return None, PropertyFault(name, "INVALID_STRING_LENGTH", f"The value is longer than {MAX_TEXT} characters.")
    return text, None


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _clean_option(definition: dict[str, Any], text: str) -> tuple[str | None, PropertyFault | None]:
    options = [option["value"] for option in definition["options"]]
    if definition["type"] == "bool":
        text = text.lower()
    chosen = text.split(";") if definition["fieldType"] == "checkbox" else [text]
    wrong = next((one for one in chosen if one not in options), None)
    if wrong is None:
        return text, None
    shown = ", ".join(options)
    return None, PropertyFault(
        definition["name"], "INVALID_OPTION", f"{wrong} was not one of the allowed options: [{shown}]"
    )


def calculated_phones(fields: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The internal values that follow from changed phone or country properties (`_e164_...`, `_search_...`)."""
    touched = {"phone", "mobilephone"} & changes.keys()
    if {"hs_country_region_code", "country"} & changes.keys():
        touched = {"phone", "mobilephone"}
    after = {**fields, **changes}
    values: dict[str, Any] = {}
    for name in touched:
        e164, national = _parse(after.get(name), country_of(after))
        values[f"_e164_{name}"], values[f"_search_{name}"] = e164, national
    return values


def country_of(fields: dict[str, Any]) -> str | None:
    """The ISO code HubSpot would calculate with: the code property, else the country's name where it is known."""
    code = fields.get("hs_country_region_code")
    return code.upper() if code else _COUNTRY_CODES.get(str(fields.get("country") or "").lower())


def phone_part(e164: str | None, part: str) -> str | None:
    """ "country_code", "area_code" or "region_code" of a calculated number."""
    if not e164:
        return None
    number = phonenumbers.parse(e164)
    if part == "country_code":
        return str(number.country_code)
    if part == "region_code":
        region: str | None = phonenumbers.region_code_for_number(number)
        return region
    width = phonenumbers.length_of_geographical_area_code(number)
    return phonenumbers.national_significant_number(number)[:width] or None


def _parse(text: str | None, country: str | None) -> tuple[str | None, str | None]:
    if not text:
        return None, None
    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None, None
    if not phonenumbers.is_possible_number(number):
        return None, None
    e164 = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return e164, phonenumbers.national_significant_number(number)
