"""Why a number reads as it does: the one list of reason codes."""

from __future__ import annotations

import tomllib
from importlib.resources import files
from typing import Any, Final

_TABLE: Final[dict[str, dict[str, Any]]] = tomllib.loads(
    files("ringtrue").joinpath("data/numbers/reasons.toml").read_text(encoding="utf-8")
)["reason"]
REASONS: Final[dict[str, str]] = {code: str(entry["means"]) for code, entry in _TABLE.items()}
"""Reason code -> what it means, in the order of ringtrue/data/numbers/reasons.toml. The position is the dictionary index."""
ADVICE: Final[dict[str, str]] = {code: str(entry["advice"]) for code, entry in _TABLE.items()}
"""Reason code -> what to enter differently; empty for a number that reads as entered."""
