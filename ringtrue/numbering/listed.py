"""Valid numbers that reach nobody: fillers and ranges kept for fiction, from ringtrue/data/numbers/listed.toml."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import Any, Final

LISTED: Final = ("placeholder", "fiction_range")
"""The reasons of listed numbers, in the order in which the tables number them."""


def listed_text() -> str:
    """The data file as it is, for the key of the cached tables."""
    return files("ringtrue").joinpath("data/numbers/listed.toml").read_text(encoding="utf-8")


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads(listed_text())


def repeated() -> int:
    """How many times one digit makes a placeholder."""
    return int(_data()["repeated"])


def listed_patterns(code: int) -> list[tuple[str, str]]:
    """Reason and pattern of what is listed for a calling code."""
    return [(entry["reason"], entry["pattern"]) for entry in _data()["listed"] if entry["code"] == code]


def listed_reason(code: int, national: str) -> str | None:
    """Why a national number of this calling code reaches nobody, or None; placeholders before fiction."""
    if len(national) >= repeated() and len(set(national)) == 1:
        return "placeholder"
    found = [reason for reason, pattern in listed_patterns(code) if re.fullmatch(pattern, national)]
    return min(found, key=LISTED.index, default=None)
