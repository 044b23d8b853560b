"""Kinds of line as far as they differ in how fast they go stale."""

from __future__ import annotations

from functools import cache

_OF_NUMBERS = {
    "MOBILE": "mobile",
    "FIXED_LINE": "landline",
    "FIXED_LINE_OR_MOBILE": "fixed_or_mobile",
    "VOIP": "fixed_voip",
    "TOLL_FREE": "tollfree",
    "PREMIUM_RATE": "premium",
}
_VOIP = {"fixed_voip", "nonfixed_voip", "voip"}
_LANDLINE = {"landline", "fixed_line"}


def line_type_of(number_type: str | None) -> str:
    """What a number's own type says of its line, in the words of the lookups."""
    return _OF_NUMBERS.get(number_type or "", "unknown")


@cache
def segment_of(line_type: str | None, field: str | None) -> str:
    """voip, mobile, landline (a landline in a field for the home), business_direct (any other landline) or unknown.

    `line_type` in the words of the lookups, `field` the CRM field that the number stands in.
    """
    if line_type in _VOIP:
        return "voip"
    if line_type == "mobile":
        return "mobile"
    if line_type in _LANDLINE:
        return "landline" if "home" in (field or "").casefold() else "business_direct"
    return "unknown"


@cache
def segment_of_number(told: str | None, number_type: str | None, field: str | None) -> str:
    """The segment of a number: by the kind of line that a service told, else by the number's own type."""
    return segment_of(told or line_type_of(number_type), field)
