"""Local time of numbers: the time zones a number can be in, by its longest known prefix, and the hour there."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from phonenumbers.tzdata import TIMEZONE_DATA, TIMEZONE_LONGEST_PREFIX

_LONGEST = int(TIMEZONE_LONGEST_PREFIX)


@cache
def zones_of_prefix(prefix: str) -> tuple[str, ...]:
    """Time zones of an E.164 number or its beginning, from libphonenumber's map; empty where it knows none."""
    digits = prefix.removeprefix("+")[:_LONGEST]
    for length in range(len(digits), 0, -1):
        if digits[:length] in TIMEZONE_DATA:
            return tuple(TIMEZONE_DATA[digits[:length]])
    return ()


def prefixes(numbers: Sequence[str]) -> tuple[NDArray[np.int64], list[str]]:
    """The distinct beginnings that decide the time zone, and which of them each number has."""
    codes, distinct = pd.factorize(pd.Series(numbers, dtype="str").str.slice(0, _LONGEST + 1))
    return codes.astype(np.int64), [str(prefix) for prefix in distinct]


def local_hours(numbers: Sequence[str], times: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Local day (days since 1970) and hour of the day of moments in seconds since 1970, one number for each.

    A number that can be in several zones is placed in the middle one; a number of unknown zone in UTC.
    """
    codes, distinct = prefixes(numbers)
    middle = [_middle(zones_of_prefix(prefix)) for prefix in distinct]
    zone_codes, zones = pd.factorize(np.array(middle, dtype=object))
    by_row = zone_codes[codes] if len(codes) else np.zeros(0, np.int64)
    local = times.copy()
    for place, zone in enumerate(zones):
        rows = np.flatnonzero(by_row == place)
        if zone != "UTC":
            there = pd.DatetimeIndex(times[rows].view("datetime64[s]")).tz_localize("UTC").tz_convert(zone)
            local[rows] = there.tz_localize(None).to_numpy(dtype="datetime64[s]").view(np.int64)
    return local // 86_400, local % 86_400 // 3_600


@cache
def _middle(zones: tuple[str, ...]) -> str:
    if not zones:
        return "UTC"
    winter = pd.Timestamp("2026-01-15", tz="UTC")
    return sorted(zones, key=lambda zone: (winter.tz_convert(zone).utcoffset(), zone))[len(zones) // 2]
