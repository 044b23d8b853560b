"""What a source's commonest faults are, and what to change at entry, in sentences."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from importlib.resources import files
from typing import Any, Literal, NamedTuple

import pandas as pd

Language = Literal["en", "zh"]


class Fault(NamedTuple):
    """One reason why numbers of a source are of no use."""

    reason: str
    numbers: int
    share: float
    """0 to 1, of the source's numbers or of those checked on arrival."""
    what: str
    change: str


def faults(
    quality: pd.Series, reasons: pd.DataFrame, *, language: Language = "en", limit: int = 3, least_share: float = 0.005
) -> list[Fault]:
    """The commonest faults of one source: what cost numbers before what could be read after all, larger share first.

    `quality` is its row of `quality_table`, `reasons` the table of `SourceCounter.reasons`. Numbers that read well but were dead or somebody else's on arrival, and those that must not be
    called, count under their status; the share of the former is that of the numbers checked on arrival.
    """
    own = reasons[reasons["source"] == quality["source"]]
    counts = {
        str(reason): (int(numbers), int(quality["numbers"]))
        for reason, numbers in zip(own["reason"], own["numbers"], strict=True)
    }
    checked = int(quality["arrived_invalid"]) + int(quality["arrived_verified"])
    counts["disconnected"] = (int(quality["arrived_disconnected"]), checked)
    counts["wrong_person"] = (int(quality["arrived_wrong_person"]), checked)
    counts["do_not_call"] = (int(quality["status_do_not_call"]), int(quality["numbers"]))
    shares = {reason: numbers / total for reason, (numbers, total) in counts.items() if numbers and total}
    found = []
    for reason in sorted(shares, key=lambda reason: (_repaired(reason), -shares[reason], reason)):
        if shares[reason] >= least_share:
            words = _words(reason, language)
            found.append(Fault(reason, counts[reason][0], shares[reason], words["what"], words["change"]))
    return found[:limit]


def sentence(label: str, fault: Fault, *, language: Language = "en") -> str:
    """For example: 41 % of 'Spring fair' numbers lost their digits in Excel: ask for text columns. The label is plain text, not escaped."""
    share = f"{fault.share:.0%}" if fault.share >= 0.01 else f"{fault.share:.1%}"
    if language == "zh":
        return f"“{label}”的号码有 {share} {fault.what}：{fault.change}。"
    return f"{share[:-1]} % of '{label}' numbers {fault.what}: {fault.change}."


def complaint(
    quality: pd.Series,
    found: list[Fault],
    *,
    ringing_since: str | None,
    grade_before: str = "",
    language: Language = "en",
) -> str:
    """Why a source's check fails: the alarm or the fallen grade, then its commonest faults and what to change."""
    label, grade = str(quality["label"]), str(quality["grade"])
    parts = []
    if ringing_since is not None:
        day = ringing_since[:10]
        parts.append(
            f"自 {day} 起，“{label}”的坏号率明显升高。"
            if language == "zh"
            else f"The share of bad numbers from '{label}' has risen since {day}."
        )
    if grade_before and grade and grade_before != grade:
        parts.append(
            f"等级从 {grade_before} 变为 {grade}。"
            if language == "zh"
            else f"Its grade went from {grade_before} to {grade}."
        )
    parts += [sentence(label, fault, language=language) for fault in found]
    return ("" if language == "zh" else " ").join(parts)


def _repaired(reason: str) -> bool:
    entry = _advice()["reason"].get(reason, {})
    return bool(entry.get("repaired", False))


def _words(reason: str, language: Language) -> dict[str, str]:
    table = _advice()
    entry = table["reason"].get(reason)
    if entry is not None:
        return dict(entry[language])
    return {name: text.replace("{reason}", reason) for name, text in table["general"][language].items()}


@lru_cache(maxsize=1)
def _advice() -> dict[str, Any]:
    return tomllib.loads(files("ringtrue").joinpath("data/source_advice.toml").read_text(encoding="utf-8"))
