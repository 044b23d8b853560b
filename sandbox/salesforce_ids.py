"""Salesforce record ids and dates, as the wire carries them.

An id is 15 case-sensitive characters (3 of key prefix, 12 of base 62) or the same with 3 characters of checksum that make it safe where upper and
lower case are not told apart. https://help.salesforce.com/s/articleView?id=000385585
"""

from __future__ import annotations

from datetime import UTC, datetime

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECKSUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_VALUE = {digit: value for value, digit in enumerate(DIGITS)}
POD = "Sb0"
ORGANIZATION_NUMBER = 1

KEY_PREFIXES = {
    "Account": "001",
    "Contact": "003",
    "User": "005",
    "CampaignMember": "00v",
    "Organization": "00D",
    "Lead": "00Q",
    "Task": "00T",
    "Profile": "00e",
    "CampaignMemberStatus": "01Y",
    "FieldPermissions": "01k",
    "PermissionSet": "0PS",
    "PermissionSetAssignment": "0Pa",
    "Campaign": "701",
    "Job": "750",
    "CustomField": "00N",
    "ListView": "00B",
    "Layout": "00h",
    "FlowDefinitionView": "300",
    "Flow": "301",
    "WorkflowRule": "01Q",
    "ApexTrigger": "01q",
}


def base62(number: int, width: int) -> str:
    """`number` in base 62, left-padded with zeros. The digits sort like their values, so ids sort like their numbers."""
    digits = []
    while number:
        number, rest = divmod(number, 62)
        digits.append(DIGITS[rest])
    return "".join(reversed(digits)).rjust(width, "0")


def checksum(short: str) -> str:
    """The three characters that turn a 15-character id into one that survives upper-casing."""
    return "".join(
        _CHECKSUM[
            sum(1 << place for place, character in enumerate(short[start : start + 5]) if "A" <= character <= "Z")
        ]
        for start in (0, 5, 10)
    )


def record_id(sobject: str, number: int) -> str:
    """The 18-character id of the `number`-th record of `sobject` ("Contact", 7). Ids of one object sort by number."""
    short = KEY_PREFIXES[sobject] + POD + base62(number, 9)
    return short + checksum(short)


def record_number(identifier: str) -> int:
    """The number `record_id` was made from."""
    number = 0
    for character in identifier[6:15]:
        number = number * 62 + _VALUE[character]
    return number


def long_id(identifier: str) -> str | None:
    """The 18-character form of an id given in either form, or None where it is not an id at all.

    An 18-character id whose letters lost their case is repaired from its checksum, as Salesforce does.
    """
    if not (identifier.isalnum() and identifier.isascii()):
        return None
    if len(identifier) == 15:
        return identifier + checksum(identifier)
    if len(identifier) != 18:
        return None
    tail = identifier[15:].upper()
    if any(character not in _CHECKSUM for character in tail):
        return None
    short = "".join(
        character.upper() if _CHECKSUM.index(tail[index // 5]) >> (index % 5) & 1 else character.lower()
        for index, character in enumerate(identifier[:15])
    )
    return short + tail


def organization_id() -> str:
    """The org's id."""
    return record_id("Organization", ORGANIZATION_NUMBER)


def json_time(milliseconds: int) -> str:
    """Epoch milliseconds as REST answers write them: 2026-11-01T00:00:00.000+0000."""
    return f"{_seconds(milliseconds)}.{milliseconds % 1000:03d}+0000"


def csv_time(milliseconds: int) -> str:
    """Epoch milliseconds as Bulk CSV writes them: 2026-11-01T00:00:00.000Z."""
    return f"{_seconds(milliseconds)}.{milliseconds % 1000:03d}Z"


def parse_time(text: str) -> int:
    """Epoch milliseconds of an ISO date-time with or without a colon in its offset.

    Raises ValueError where `text` is no date-time with an offset.
    """
    moment = datetime.fromisoformat(text.replace(" ", "+"))
    if moment.tzinfo is None:
        message = f"{text} has no offset"
        raise ValueError(message)
    return round(moment.timestamp() * 1000)


def _seconds(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
