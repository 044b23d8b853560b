"""May this number be called now, by the hours of everywhere the person may be?

The zones a number can be in are narrowed by the contact's address; where the two disagree, both count (a mobile number travels).
A call is lawful when it is lawful in every zone and by every rule that may apply: the number's country and state, and the address's.
For the dialling list only; it never sets a status.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache, reduce
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import phonenumbers

from ringtrue.calling_rules import (
    CallingRule,
    area_codes,
    country_rules,
    country_zones,
    state_rules,
    state_zones,
    with_changes,
)
from ringtrue.local_time import prefixes, zones_of_prefix

_DAYS_AHEAD = 8
Span = tuple[datetime, datetime]


class Place(NamedTuple):
    """Where a call may ring, and the rules that may apply there."""

    zones: tuple[str, ...]
    rules: tuple[CallingRule, ...]


def callable_now(
    contacts: pd.DataFrame,
    now: pd.Timestamp,
    *,
    countries: Mapping[str, Mapping[str, Any]] | None = None,
    states: Mapping[str, Mapping[str, Any]] | None = None,
) -> pd.DataFrame:
    """Whether each contact's number may be called now: callable, opens_at (UTC; null when callable or not within a week), closes_at (UTC; until
    when, null when not callable), why.

    Columns of `contacts`: number; optional country and region of the address (two-letter codes), consent (true where one is on record),
    calls_last_day (attempts in the last 24 hours). `countries` and `states` change rules of data/calling, in the words of those files.
    A number whose time zone is not known may not be called.
    """
    moment = pd.Timestamp(now)
    moment = (moment.tz_localize(UTC) if moment.tzinfo is None else moment.tz_convert(UTC)).floor("s")
    by_country = with_changes(country_rules(), countries or {})
    by_state = with_changes(state_rules(), states or {})
    group, wheres = _wheres(contacts)
    places = [_place(prefix, country, region, by_country, by_state) for prefix, country, region in wheres]
    answers = [_opening(place, moment.to_pydatetime()) for place in places]
    consent = contacts["consent"].fillna(False).to_numpy(dtype=np.bool_) if "consent" in contacts.columns else False
    calls = contacts["calls_last_day"].fillna(0).to_numpy() if "calls_last_day" in contacts.columns else 0
    needs = np.array([_needs_consent(place, moment.date()) for place in places], dtype=np.bool_)[
        group
    ] & ~np.broadcast_to(consent, len(group))
    caps = np.array([_cap(place) for place in places])[group] if places else np.zeros(0)
    capped = np.broadcast_to(calls, len(group)) >= caps
    why = np.array([answer[2] for answer in answers], dtype=object)[group] if answers else np.zeros(0, dtype=object)
    opens = (
        np.array([answer[0] for answer in answers], dtype="datetime64[us]")[group]
        if answers
        else np.zeros(0, "datetime64[us]")
    )
    closes = (
        np.array([answer[1] for answer in answers], dtype="datetime64[us]")[group]
        if answers
        else np.zeros(0, "datetime64[us]")
    )
    why = np.where(needs, "Calls to this country need a consent on record.", why)
    why = np.where(capped & ~needs, "Called often enough in the last 24 hours.", why)
    opens = np.where(needs | capped, np.datetime64("NaT"), opens)
    closes = np.where(needs | capped, np.datetime64("NaT"), closes)
    return pd.DataFrame(
        {
            "callable": np.array([text == "" for text in why], dtype=np.bool_),
            "opens_at": pd.Series(pd.DatetimeIndex(opens).tz_localize(UTC), index=contacts.index),
            "closes_at": pd.Series(pd.DatetimeIndex(closes).tz_localize(UTC), index=contacts.index),
            "why": pd.Series(why, index=contacts.index, dtype="str"),
        },
        index=contacts.index,
    )


def _wheres(contacts: pd.DataFrame) -> tuple[np.ndarray[Any, np.dtype[np.int64]], list[tuple[str, str, str]]]:
    """The distinct (number prefix, country, region), and which each contact has."""
    codes, beginnings = prefixes(contacts["number"].astype("str").tolist())
    columns = []
    for name in ("country", "region"):
        texts = contacts[name] if name in contacts.columns else pd.Series("", index=contacts.index, dtype="str")
        columns.append(texts.astype("str").fillna("").str.strip().str.upper().to_numpy())
    keys = pd.MultiIndex.from_arrays([codes, *columns])
    group, distinct = pd.factorize(keys)
    return group.astype(np.int64), [
        (beginnings[int(code)], str(country), str(region)) for code, country, region in distinct
    ]


def _place(
    prefix: str, country: str, region: str, by_country: Mapping[str, CallingRule], by_state: Mapping[str, CallingRule]
) -> Place:
    home, home_state = _home(prefix)
    by_number = zones_of_prefix(prefix)
    if prefix.startswith("+1") and (by_number == zones_of_prefix("+1") or not by_number):
        by_number = country_zones(home or "US")
    by_address = state_zones(country, region) or country_zones(country) or _zones_of_country(country)
    both = tuple(zone for zone in by_number if zone in by_address)
    zones = both or tuple(dict.fromkeys([*by_number, *by_address]))
    rules = [by_country.get(land, by_country["default"]) for land in dict.fromkeys([home, country]) if land]
    states = {home_state if home == "US" else None, region if country == "US" else None}
    rules += [by_state[state] for state in sorted(filter(None, states)) if state in by_state]
    return Place(zones, tuple(rules))


@lru_cache(maxsize=65_536)
def _home(prefix: str) -> tuple[str | None, str | None]:
    """Country and US state or Canadian province that a number's beginning shows."""
    digits = prefix.removeprefix("+")
    if digits.startswith("1"):
        return area_codes().get(digits[1:4], ("US", None))
    for length in (1, 2, 3):
        regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(digits[:length] or 0))
        if regions:
            return str(regions[0]), None
    return None, None


@lru_cache(maxsize=512)
def _zones_of_country(country: str) -> tuple[str, ...]:
    code = phonenumbers.country_code_for_region(country) if country else 0
    return zones_of_prefix(str(code)) if code and code != 1 else ()


def _needs_consent(place: Place, day: date) -> bool:
    return any(rule.consent_from is not None and rule.consent_from <= day for rule in place.rules)


def _cap(place: Place) -> float:
    return min((rule.calls_per_day for rule in place.rules if rule.calls_per_day is not None), default=np.inf)


@lru_cache(maxsize=16_384)
def _opening(place: Place, now: datetime) -> tuple[np.datetime64, np.datetime64, str]:
    """When the next call is lawful (NaT: now, or not within a week), until when it is lawful now (NaT: it is not), why it is not now."""
    never = np.datetime64("NaT", "us")
    if not place.zones or not place.rules:
        return never, never, "The time zone of this number is not known."
    every = [_spans(zone, rule, now) for zone in place.zones for rule in place.rules]
    open_spans = reduce(_common, every)
    for start, end in open_spans:
        if start <= now < end:
            return never, np.datetime64(end.replace(tzinfo=None), "us"), ""
        if start > now:
            opens = np.datetime64(start.replace(tzinfo=None), "us")
            return opens, never, "Outside the lawful calling hours where the person may be."
    return never, never, "No lawful calling hour within a week."


@lru_cache(maxsize=16_384)
def _spans(zone: str, rule: CallingRule, now: datetime) -> list[Span]:
    """Lawful spans in UTC from yesterday to a week ahead."""
    there = ZoneInfo(zone)
    today = now.astimezone(there).date()
    spans: list[Span] = []
    for ahead in range(-1, _DAYS_AHEAD):
        day = today + timedelta(days=ahead)
        for start, end in rule.hours(day):
            spans.append(
                (datetime.combine(day, start, there).astimezone(UTC), datetime.combine(day, end, there).astimezone(UTC))
            )
    return spans


def _common(left: list[Span], right: list[Span]) -> list[Span]:
    """What two ordered lists of spans share."""
    shared: list[Span] = []
    mine = theirs = 0
    while mine < len(left) and theirs < len(right):
        start, end = max(left[mine][0], right[theirs][0]), min(left[mine][1], right[theirs][1])
        if start < end:
            shared.append((start, end))
        if left[mine][1] < right[theirs][1]:
            mine += 1
        else:
            theirs += 1
    return shared
