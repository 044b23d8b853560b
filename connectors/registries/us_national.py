"""The US National Do Not Call Registry: full and change lists, flat and XML, by area code (16 CFR 310.4(b)(3), telemarketing.donotcall.gov)."""

from __future__ import annotations

from functools import cache
from typing import IO

from connectors.registries.entries import Entries
from connectors.registries.nanp import read_nanp
from ringtrue.calling_rules import area_codes

COUNTRIES = frozenset({"US", "PR", "VI", "GU", "AS", "MP"})
"""The registry covers the territories too."""


@cache
def areas() -> frozenset[int]:
    """Area codes the registry can list."""
    return frozenset(int(code) for code, (country, _) in area_codes().items() if country in COUNTRIES)


def read(stream: IO[bytes], name: str) -> Entries:
    """Read a list of the registry, or of a US state that uses its layout. Raises FileUnreadable."""
    return read_nanp(stream, name, areas())
