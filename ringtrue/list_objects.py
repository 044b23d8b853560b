"""A dialling list as an object of its CRM: its records are people, its one field says whether they are on it.

So a removal is a change like any other: journalled before, settled by reading after a crash, taken back by undo. The object `campaign:<id>`
(Salesforce) or `list:<id>` (HubSpot) has one field of the same name: the member's status, or empty for who is not on the list.
"""

from __future__ import annotations

from typing import Literal

from ringtrue.fields import OwnFields

_PREFIX: dict[str, str] = {"salesforce": "campaign:", "hubspot": "list:"}
MEMBER = "member"
"""Status of somebody on a list that keeps no status of its own."""
NO_FIELDS = OwnFields("", "", "", "", "", "", "", do_not_call_is_ours=True)
"""A list has none of our fields."""


def list_object(kind: Literal["salesforce", "hubspot"], list_id: str) -> str:
    """Name of a list as an object."""
    return _PREFIX[kind] + list_id


def is_list(object_name: str) -> bool:
    """Whether an object is a dialling list."""
    return object_name.startswith(tuple(_PREFIX.values()))


def list_id(object_name: str) -> str:
    """Id of the list behind an object's name."""
    return object_name.partition(":")[2]


class FieldsByObject(dict[str, OwnFields]):
    """Our fields by object. Any dialling list is known, and has none."""

    def __missing__(self, object_name: str) -> OwnFields:
        if is_list(object_name):
            return NO_FIELDS
        raise KeyError(object_name)
