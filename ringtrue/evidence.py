"""What each outcome of a call, a lookup or a rule is evidence of: the table `data/outcomes/vocabulary.toml`, read once."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ringtrue.errors import SettingsError
from ringtrue.records import Line

Outcome = Literal[
    "right_person", "reached", "third_party", "called_us", "missed_their_call", "wrong_person", "wrong_person_brief",
    "left_company", "opted_out", "call_dropped", "dropped_by_us", "voicemail", "no_answer", "no_answer_unclear",
    "no_response", "busy", "busy_reported", "rejected", "forwarded", "switched_off", "absent", "fax", "answered_briefly",
    "answered_unclear", "not_assigned", "intercepted", "number_changed", "disconnected_heard", "bad_number_heard",
    "special_tone", "incomplete_number", "operator_intercept", "out_of_order", "no_route", "timeout_unclear",
    "suspended", "barred", "network_fault", "call_failed", "caller_id_blocked", "our_fault", "canceled",
    "no_information", "error", "lookup_alive", "lookup_alive_weak", "lookup_off", "lookup_dead", "lookup_dead_weak",
    "lookup_suspended", "lookup_invalid", "lookup_reassigned", "lookup_not_reassigned", "lookup_abstained",
    "format_valid", "format_invalid", "do_not_call", "reconsent", "opt_out_retracted",
]  # fmt: skip
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

ReachEffect = Literal["reached", "voicemail", "no_answer", "none"]
IdentityEffect = Literal["right", "wrong", "none"]
PermissionEffect = Literal["do_not_call", "lift", "none"]
Fault = Literal["line", "network", "ours", "none"]


@dataclass(frozen=True, slots=True)
class Effect:
    """One row of the vocabulary. `log_lr` is log P(outcome | no subscriber) - log P(outcome | subscriber), natural logarithm."""

    line: Line
    log_lr: float
    reach: ReachEffect = "none"
    identity: IdentityEffect = "none"
    permission: PermissionEffect = "none"
    hard: bool = False
    attempt: bool = False
    fault: Fault = "none"


@dataclass(frozen=True, slots=True)
class Suspension:
    """How often calls report a suspension. `heard`: of calls to barred lines; `false_reports`: of calls to all others.

    `usual`: share of mobile lines that are barred at any moment, `share` the same by calling code, `other_lines` times that for other kinds of line.
    """

    heard: float
    false_reports: float
    usual: float
    other_lines: float
    share: dict[str, float]


@dataclass(frozen=True)
class Vocabulary:
    """The effects, and the same as arrays by position in OUTCOMES for the vectorised rules."""

    version: str
    effects: dict[Outcome, Effect]
    registries: frozenset[str]
    range_reasons: frozenset[str]
    suspension: Suspension

    def flags(self, field: str, *values: object) -> NDArray[np.bool_]:
        """By outcome: whether the field has one of the values."""
        return np.array([getattr(self.effects[outcome], field) in values for outcome in OUTCOMES])

    def log_lr(self) -> NDArray[np.float64]:
        """By outcome: the default strength."""
        return np.array([self.effects[outcome].log_lr for outcome in OUTCOMES])


@cache
def vocabulary() -> Vocabulary:
    """Read the table. Raises SettingsError when it and the `Outcome` type name different outcomes, or a row has a wrong word."""
    raw = tomllib.loads(files("ringtrue").joinpath("data/outcomes/vocabulary.toml").read_text(encoding="utf-8"))
    effects = {name: _effect(name, row) for name, row in raw["outcome"].items()}
    if odd := set(effects) ^ set(OUTCOMES):
        raise SettingsError(f"vocabulary.toml and ringtrue.evidence.Outcome differ in {', '.join(sorted(odd))}.")
    return Vocabulary(
        raw["version"],
        {outcome: effects[outcome] for outcome in OUTCOMES},
        frozenset(raw["suppression"]["registries"]),
        frozenset(raw["format"]["ranges"]),
        Suspension(**raw["suspension"]),
    )


_WORDS: dict[str, tuple[str, ...]] = {
    "line": get_args(Line),
    "reach": get_args(ReachEffect),
    "identity": get_args(IdentityEffect),
    "permission": get_args(PermissionEffect),
    "fault": get_args(Fault),
}


def _effect(name: str, row: dict[str, Any]) -> Effect:
    for field, words in _WORDS.items():
        if field in row and row[field] not in words:
            raise SettingsError(f"vocabulary.toml: {name}: {field} must be one of {', '.join(words)}.")
    if unknown := set(row) - set(Effect.__slots__):
        raise SettingsError(f"vocabulary.toml: {name} has the unknown key {sorted(unknown)[0]}.")
    return Effect(**row)
