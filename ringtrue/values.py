"""When two CRM values mean the same, however they are spelled."""

from __future__ import annotations

from datetime import UTC, datetime


def moment_of(value: str | None) -> datetime | None:
    """The moment that an ISO 8601 text or a text of epoch milliseconds names, or None."""
    if not value:
        return None
    if value.isdigit() and len(value) >= 12:
        return datetime.fromtimestamp(int(value) / 1000, UTC)
    if len(value) < 19 or value[4:5] != "-" or value[10:11] != "T":
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC)


def same(seen: str | None, wanted: str | None) -> bool:
    """Whether a CRM's value is the one meant: empty is empty, an unset checkbox is false, moments compare to the second."""
    if (seen or None) == (wanted or None):
        return True
    if {seen or "false", wanted or "false"} == {"false"}:
        return True
    first, second = moment_of(seen), moment_of(wanted)
    return first is not None and second is not None and int(first.timestamp()) == int(second.timestamp())
