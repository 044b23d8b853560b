"""Record ids and names that go into a query: checked, and put into one form."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from ringtrue.errors import SettingsError

T = TypeVar("T")

_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")
_NAME = re.compile(r"[A-Za-z]\w*(?:\.[A-Za-z]\w*)*")
_CHECK = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def id18(record_id: str) -> str:
    """The 18-character form of an id. Its last three characters carry the case of the first fifteen, five bits each."""
    if len(record_id) != 15:
        return record_id
    suffix = ""
    for start in (0, 5, 10):
        bits = sum(1 << place for place, letter in enumerate(record_id[start : start + 5]) if letter.isupper())
        suffix += _CHECK[bits]
    return record_id + suffix


def quoted_ids(ids: Iterable[str]) -> str:
    """Ids as the list of a SOQL IN clause. Anything that is not an id raises ValueError, so nothing else can get into a query."""
    checked = []
    for record_id in ids:
        if not _ID.fullmatch(record_id):
            raise ValueError(f"{record_id[:20]!r} is not a Salesforce record id.")
        checked.append(f"'{record_id}'")
    return ",".join(checked)


def api_name(name: str) -> str:
    """A field or object name fit for a query; SettingsError for anything else."""
    if not _NAME.fullmatch(name):
        raise SettingsError(
            f"{name!r} is not the API name of a Salesforce field or object. Correct it in ringtrue.toml."
        )
    return name


def chunked(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The items in slices of up to `size`."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
