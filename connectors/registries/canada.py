"""Canada's National Do Not Call List: flat files of area code and number, full or additions and deletions (LNNTE-DNCL)."""

from __future__ import annotations

from functools import cache
from typing import IO

from connectors.registries.entries import Entries
from connectors.registries.nanp import read_nanp
from ringtrue.calling_rules import area_codes


@cache
def areas() -> frozenset[int]:
    """Canadian area codes."""
    return frozenset(int(code) for code, (country, _) in area_codes().items() if country == "CA")


def read(stream: IO[bytes], name: str) -> Entries:
    """Read a list. Raises FileUnreadable."""
    return read_nanp(stream, name, areas())
