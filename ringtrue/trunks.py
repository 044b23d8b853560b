"""Trunks in trouble: stretches of time in which too many calls failed for the numbers to be to blame.

A Bernoulli CUSUM per trunk (Reynolds and Stoumbos 1999) over quarters of an hour: every failed call adds ln(p1/p0), every other one
ln((1-p1)/(1-p0)), with p0 the trunk's usual share of failures and p1 the share in a fault. What is reported in an alarm is no evidence.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ringtrue.evidence import OUTCOMES, vocabulary
from ringtrue.policy import Policy
from ringtrue.status_rows import DAY, EARLIEST, Coded, Codes, Ints, Mask, coded, seconds

_QUARTER = 900
_SILENCE = 24
"""Quarters of an hour without a call after which a trunk starts with a clean slate: a fault that lasts is found again within ten calls."""
_BITS = 34
_DAYS_BACK = 60
_DAYS_NEEDED = 5
_LOWEST, _HIGHEST = 0.02, 0.40
"""Bounds of a usual rate: a trunk that never failed still may, and one that always fails is never "usual"."""


def trunk_alarms(observations: pd.DataFrame, policy: Policy) -> pd.DataFrame:
    """Stretches in which a trunk was in trouble: trunk, begins, ends, calls, failures, usual_rate; times in UTC.

    Give all calls of the trunks, not only those of the numbers to be decided. A trunk's usual rate is the median of its last 60 days before
    the day in question, so that what comes later never changes an alarm that has ended. Numbers called in a new alarm have to be decided again.
    """
    trunks = coded(observations, "trunk")
    found: list[tuple[int, int, int, int, int, float]] = []
    chosen, failed, time = _calls(observations, trunks)
    if len(chosen):
        key = (trunks.codes[chosen].astype(np.int64) << _BITS) | (time // _QUARTER)
        slots, place, calls = np.unique(key, return_inverse=True, return_counts=True)
        failures = np.bincount(place, weights=failed, minlength=len(slots)).astype(np.int64)
        trunk, quarter = slots >> _BITS, slots & ((1 << _BITS) - 1)
        bounds = np.flatnonzero(np.append(True, trunk[1:] != trunk[:-1]))
        for low, high in zip(bounds, np.append(bounds[1:], len(slots)), strict=True):
            part = slice(int(low), int(high))
            found += [(int(trunk[low]), *alarm) for alarm in _watch(quarter[part], calls[part], failures[part], policy)]
    names = trunks.values.to_pylist()
    return pd.DataFrame(
        {
            "trunk": pd.Series([names[alarm[0]] for alarm in found], dtype="str"),
            "begins": pd.to_datetime(pd.Series([alarm[1] for alarm in found], dtype="int64"), unit="s", utc=True),
            "ends": pd.to_datetime(pd.Series([alarm[2] for alarm in found], dtype="int64"), unit="s", utc=True),
            "calls": pd.Series([alarm[3] for alarm in found], dtype="int64"),
            "failures": pd.Series([alarm[4] for alarm in found], dtype="int64"),
            "usual_rate": pd.Series([alarm[5] for alarm in found], dtype="float64"),
        }
    )


def _calls(observations: pd.DataFrame, trunks: Coded) -> tuple[Ints, NDArray[np.float64], Ints]:
    """Rows that are calls over a trunk and say something about it, whether they failed, and when they were made."""
    if not len(trunks.values):
        return np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.int64)
    words = vocabulary()
    fails = words.flags("hard", True) | (words.flags("fault", "network") & ~words.flags("line", "alive"))
    tells = (fails | words.flags("attempt", True)) & ~words.flags("fault", "ours")
    outcomes = coded(observations, "outcome")
    position = {str(outcome): place for place, outcome in enumerate(OUTCOMES)}
    by_word = np.array([*(position.get(word, -1) for word in outcomes.texts()), -1])
    outcome = by_word[outcomes.codes]
    time = seconds(observations["observed_at"]) // 1_000_000
    chosen = np.flatnonzero(np.append(tells, False)[outcome] & (trunks.codes >= 0) & (time >= EARLIEST))
    return chosen, fails[outcome[chosen]].astype(np.float64), time[chosen]


def _watch(quarter: Ints, calls: Ints, failures: Ints, policy: Policy) -> list[tuple[int, int, int, int, float]]:
    """Run the CUSUM over one trunk; begin, end, calls, failures and usual rate of each alarm."""
    usual = _usual_rates(quarter, calls, failures, policy)
    p1 = np.clip(2 * usual, policy.trunk_fault_rate, 0.95)
    score = failures * np.log(p1 / usual) + (calls - failures) * np.log((1 - p1) / (1 - usual))
    alarms: list[tuple[int, int, int, int, float]] = []
    level, first, last, raised = 0.0, 0, 0, False

    def close() -> None:
        if raised:
            span = slice(first, last + 1)
            begins, ends = int(quarter[first]) * _QUARTER, (int(quarter[last]) + 1) * _QUARTER
            alarms.append((begins, ends, int(calls[span].sum()), int(failures[span].sum()), float(usual[first])))

    for place, step in enumerate(score.tolist()):
        if place and quarter[place] - quarter[place - 1] > _SILENCE:
            close()
            level, raised = 0.0, False
        if level == 0.0 and step > 0:
            first, raised = place, False
        level = min(max(0.0, level + step), 2 * policy.trunk_alarm)
        if step > 0:
            last = place
        raised = raised or (level >= policy.trunk_alarm)
        if level == 0.0:
            close()
            raised = False
    close()
    return alarms


def _usual_rates(quarter: Ints, calls: Ints, failures: Ints, policy: Policy) -> NDArray[np.float64]:
    """By quarter of an hour: the usual share of failures, from the days before."""
    day = quarter * _QUARTER // DAY
    days, place = np.unique(day, return_inverse=True)
    made = np.bincount(place, weights=calls)
    rate = np.bincount(place, weights=failures) / made
    enough = made >= policy.trunk_minimum_calls
    usual = np.full(len(days), policy.trunk_usual_rate)
    for at, today in enumerate(days):
        back = int(np.searchsorted(days, today - _DAYS_BACK))
        known = rate[back:at][enough[back:at]]
        if len(known) >= _DAYS_NEEDED:
            usual[at] = np.median(known)
    by_quarter: NDArray[np.float64] = np.clip(usual, _LOWEST, _HIGHEST)[place]
    return by_quarter


class Mute:
    """Tells which calls fall into an alarm of their trunk."""

    def __init__(self, alarms: pd.DataFrame, trunks: Coded) -> None:
        code = {name: place for place, name in enumerate(trunks.texts())}
        known = alarms[alarms["trunk"].isin(code)]
        at = np.array([code[str(name)] for name in known["trunk"]], np.int64) << _BITS
        begins, ends = at + seconds(known["begins"]) // 1_000_000, at + seconds(known["ends"]) // 1_000_000
        order = np.argsort(begins)
        self._begins, self._ends = begins[order], np.maximum.accumulate(ends[order]) if len(ends) else ends

    def calls(self, trunk: Codes, time: Ints) -> Mask:
        """By call: whether its trunk was in trouble."""
        muted = np.zeros(len(time), np.bool_)
        if len(self._begins):
            over = np.flatnonzero(trunk >= 0)
            moment = (trunk[over].astype(np.int64) << _BITS) + time[over]
            place = np.searchsorted(self._begins, moment, side="right") - 1
            muted[over] = (place >= 0) & (moment < self._ends[np.maximum(place, 0)])
        return muted
