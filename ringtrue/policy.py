"""How much evidence a decision needs: every threshold, with its default, as `[policy]` of ringtrue.toml sets them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import orjson

from ringtrue.errors import SettingsError
from ringtrue.evidence import vocabulary


@dataclass(frozen=True)
class Policy:
    """Thresholds of the decision. Days are days of 24 hours, probabilities lie in (0, 1), months have 30.44 days."""

    mode: Literal["bayes", "rule"] = "bayes"
    language: Literal["en", "zh"] = "en"
    report_timezone: str = "UTC"
    """Time zone of the dates in the reason sentences."""

    learn: bool = True
    """Whether the share of dead numbers by lead source and the hazards by kind of line are learned from the ledger, once a month (`ringtrue.expectations`)."""
    prior_dead: float = 0.10
    """P(no subscriber) of a number nothing is known about, where its lead source has no prior of its own."""
    dead_from: float = 0.994
    """Disconnected from this P(no subscriber) on. 0.994 means that losing a live lead costs 166 times a wasted call."""
    dead_until: float = 0.50
    """A disconnected number stays so until P(no subscriber) has faded below this."""
    alive_from: float = 0.02
    alive_until: float = 0.10
    """Active from P(no subscriber) <= alive_from on, until it has risen above alive_until."""
    alive_days: float = 90
    """The last sign of life of an active number is at most this old; so is the contact behind `reached` and `voicemail`."""
    after_conversation: float = 0.005
    """P(no subscriber) right after a conversation is at most this."""
    independent_signals: int = 2
    """Independent hard signals that `disconnected` needs: two days of calls, a call and a service, or two service groups."""
    signals_within_days: float = 90
    """A sign older than this when the next one comes confirms nothing: the number may have been given to somebody else in between."""
    strongest_dead: float = 4.0
    strongest_alive: float = 6.0
    """Bounds of one observation's log likelihood ratio."""
    repeat_weight: float = 0.3
    """Weight of a further signal of the same kind from the same trunk on the same day, or from the same service group."""
    same_day_hours: float = 13
    """Calls less than this apart count as the same day. Lawful calling hours span at most 13 hours, and lie at least 11 apart."""
    service_repeat_days: float = 30
    """Answers of one service group less than this apart rest on the same data."""
    reuse_per_month: float = 0.05
    """Share of dead numbers that are given to somebody else in a month (United States: no sooner than after 45 days)."""

    rule_gap_days: float = 1.0
    """Rule mode: the two hard signals lie at least this far apart."""
    rule_dead_days: float = 365
    """Rule mode: disconnected expires this long after the last hard signal."""
    rule_confidence: float = 0.98

    suspended_from: float = 0.98
    """One announcement is believed where it makes P(suspended) at least this; else the line needs a second one (`ringtrue.suspensions`)."""
    suspended_recheck_days: float = 7
    suspended_lapse_days: float = 21
    """A suspension that nobody has heard of again for this long (three re-checks missed) is no longer known: three in four lines come back."""
    suspended_days: float = 100
    """A line seen suspended for this long, without such a gap, has been given up."""
    suspended_hazard: float = 0.35
    """Share of suspended lines that change state in a month: fades the confidence."""

    no_answer_attempts: int = 6
    no_answer_span_days: int = 10
    no_answer_parts_of_day: int = 3
    no_answer_window_days: float = 60
    no_answer_expires_days: float = 90
    no_answer_evening: bool = False
    no_answer_weekend: bool = False
    """Whether one attempt must have been in the evening, or at a weekend. Off: neither is lawful or usual everywhere."""
    pick_up_a: float = 1.2
    pick_up_b: float = 6.8
    """Beta prior of a live number's chance to be picked up; gives the confidence of `no_answer`."""

    wrong_person_confidence: float = 0.95
    future_tolerance_hours: float = 24
    """Observations further in the future than this are rejected: no time zone is further ahead of a wrong one."""
    registry_flags: Literal["any", "all"] = "all"
    """Whether a record counts as do-not-call when any of its numbers is listed in a registry, or only when all are."""

    trunk_fault_rate: float = 0.6
    """Share of failing calls on a trunk in trouble."""
    trunk_alarm: float = 8.0
    """CUSUM limit in log likelihood units; the higher, the rarer and later the alarm."""
    trunk_usual_rate: float = 0.10
    """Usual share of failing calls where a trunk has too little history to tell."""
    trunk_minimum_calls: int = 20
    """Days with fewer calls than this do not count towards a trunk's usual rate."""

    hazard_landline: float = 0.004
    hazard_mobile: float = 0.008
    hazard_business_direct: float = 0.012
    hazard_voip: float = 0.03
    hazard_unknown: float = 0.015
    """Share of live lines that lose their subscriber in a month, by line type. Public anchors: 0.35 % (US, all numbers) to 3 % (VoIP, prepaid)."""

    def __post_init__(self) -> None:
        for name in (
            "prior_dead",
            "dead_from",
            "dead_until",
            "alive_from",
            "alive_until",
            "after_conversation",
            "suspended_from",
        ):
            if not 0 < getattr(self, name) < 1:
                raise SettingsError(f"[policy] {name} must lie between 0 and 1, not {getattr(self, name)}.")
        if not self.alive_from <= self.alive_until < self.dead_until <= self.dead_from:
            raise SettingsError("[policy] needs alive_from <= alive_until < dead_until <= dead_from.")
        if self.mode not in ("bayes", "rule"):
            raise SettingsError(f'[policy] mode must be "bayes" or "rule", not {self.mode!r}.')
        if self.language not in ("en", "zh"):
            raise SettingsError(f'[policy] language must be "en" or "zh", not {self.language!r}.')
        if self.registry_flags not in ("any", "all"):
            raise SettingsError(f'[policy] registry_flags must be "any" or "all", not {self.registry_flags!r}.')
        try:
            ZoneInfo(self.report_timezone)
        except (ZoneInfoNotFoundError, ValueError):
            raise SettingsError(
                f"[policy] report_timezone {self.report_timezone!r} is no time zone; write it like Europe/Paris."
            ) from None

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any]) -> Policy:
        """Build a policy from settings. Raises SettingsError for a name or a kind of value that no threshold has."""
        known = {field.name: type(field.default) for field in fields(cls)}
        chosen: dict[str, Any] = {}
        for name, value in values.items():
            if name not in known:
                raise SettingsError(f"[policy] has no setting {name!r}; check its spelling.")
            kind = known[name]
            number = kind in (int, float) and isinstance(value, int | float) and not isinstance(value, bool)
            if not number and not isinstance(value, kind):
                raise SettingsError(f"[policy] {name} must be a {_KIND_WORDS[kind]}, not {value!r}.")
            chosen[name] = value
        return cls(**chosen)

    @cached_property
    def version(self) -> str:
        """Twelve hex digits that change with any threshold and with the evidence vocabulary."""
        content = orjson.dumps([asdict(self), vocabulary().version], option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(content).hexdigest()[:12]

    def hazard(self, line_type: str | None) -> float:
        """Share of live lines of this type that lose their subscriber in a month."""
        return {
            "landline": self.hazard_landline,
            "tollfree": self.hazard_landline,
            "mobile": self.hazard_mobile,
            "business_direct": self.hazard_business_direct,
            "voip": self.hazard_voip,
            "fixed_voip": self.hazard_voip,
            "nonfixed_voip": self.hazard_voip,
        }.get(line_type or "", self.hazard_unknown)


_KIND_WORDS: dict[type, str] = {int: "number", float: "number", bool: "true or false", str: "text"}
