"""The tables of lawful calling hours, time zones and holidays in `data/calling`, read once. Data, not legal advice: see their evidence marks."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, time
from functools import cache
from importlib.resources import files
from typing import Any, Literal, get_args

import pandas as pd
from pandas.tseries.holiday import USFederalHolidayCalendar
from pandas.tseries.offsets import Easter

from ringtrue.errors import SettingsError

Holidays = Literal["as_weekday", "as_sunday", "none"]
Hours = tuple[tuple[time, time], ...]


@dataclass(frozen=True, slots=True)
class CallingRule:
    """Lawful hours in local time. `calendar` names whose public holidays count."""

    name: str
    weekday: Hours
    saturday: Hours
    sunday: Hours
    holidays: Holidays = "as_weekday"
    consent_from: date | None = None
    calls_per_day: int | None = None
    calendar: str = ""

    def hours(self, day: date) -> Hours:
        """Lawful hours of a local day."""
        if self.holidays != "as_weekday" and day in public_holidays(self.calendar, day.year):
            return self.sunday if self.holidays == "as_sunday" else ()
        return self.sunday if day.weekday() == 6 else self.saturday if day.weekday() == 5 else self.weekday


def table(name: str) -> dict[str, Any]:
    """One of the files of data/calling."""
    return tomllib.loads(files("ringtrue").joinpath(f"data/calling/{name}.toml").read_text(encoding="utf-8"))


@cache
def _zones() -> dict[str, Any]:
    return table("zones")


@cache
def country_rules() -> dict[str, CallingRule]:
    """Rules by country, and "default" for the others."""
    return {name: _rule(name, entry, name) for name, entry in table("countries").items() if isinstance(entry, dict)}


@cache
def state_rules() -> dict[str, CallingRule]:
    """Rules of US states that are stricter than the federal one."""
    return {
        name: _rule(f"US-{name}", entry, "US") for name, entry in table("us_states").items() if isinstance(entry, dict)
    }


def with_changes(rules: Mapping[str, CallingRule], changes: Mapping[str, Mapping[str, Any]]) -> dict[str, CallingRule]:
    """The rules with some of them changed by settings, in the words of the files."""
    changed = dict(rules)
    for name, entry in changes.items():
        base = changed.get(
            name, replace(changed["default"], name=name, calendar=name) if "default" in changed else None
        )
        if base is None:
            raise SettingsError(f"There are no calling hours for {name!r} to change.")
        words = {
            "weekday": _text(base.weekday),
            "saturday": _text(base.saturday),
            "sunday": _text(base.sunday),
            "holidays": base.holidays,
            "consent_from": base.consent_from,
            "calls_per_day": base.calls_per_day,
        }
        changed[name] = _rule(base.name, words | dict(entry), base.calendar)
    return changed


def _rule(name: str, entry: Mapping[str, Any], calendar: str) -> CallingRule:
    if entry.get("holidays", "as_weekday") not in get_args(Holidays):
        raise SettingsError(f"Calling hours of {name}: holidays must be one of {', '.join(get_args(Holidays))}.")
    try:
        weekday, saturday, sunday = (_hours(entry[part]) for part in ("weekday", "saturday", "sunday"))
    except (KeyError, ValueError, TypeError) as error:
        raise SettingsError(
            f'Calling hours of {name} cannot be read ({error}); write weekday = [["09:00", "20:00"]], and saturday and sunday alike.'
        ) from error
    return CallingRule(
        name,
        weekday,
        saturday,
        sunday,
        holidays=entry.get("holidays", "as_weekday"),
        consent_from=entry.get("consent_from"),
        calls_per_day=entry.get("calls_per_day"),
        calendar=calendar,
    )


def _hours(spans: list[list[str]]) -> Hours:
    hours = tuple((time.fromisoformat(start), time.fromisoformat(end)) for start, end in spans)
    if any(start >= end for start, end in hours):
        raise ValueError("a span ends before it begins")
    return hours


def _text(hours: Hours) -> list[list[str]]:
    return [[start.isoformat("minutes"), end.isoformat("minutes")] for start, end in hours]


@cache
def area_codes() -> dict[str, tuple[str, str | None]]:
    """Area code of the North American Numbering Plan -> country, and state or province."""
    raw = table("area_codes")
    found: dict[str, tuple[str, str | None]] = {}
    for country, part in (("US", "us"), ("CA", "canada")):
        found |= {str(code): (country, state) for state, codes in raw[part].items() for code in codes}
    return found | {str(code): (country, None) for country, codes in raw["countries"].items() for code in codes}


def state_zones(country: str, state: str) -> tuple[str, ...]:
    """Time zones of a state or province; empty where the table has none."""
    zones: tuple[str, ...] = tuple(_zones().get(country, {}).get(state, ()))
    return zones


def country_zones(country: str) -> tuple[str, ...]:
    """Time zones of a country whose numbers do not show where they are; empty for the others."""
    zones: tuple[str, ...] = tuple(_zones()["countries"].get(country, ()))
    return zones


@cache
def public_holidays(country: str, year: int) -> frozenset[date]:
    """Public holidays of a country in a year; none where the table has none."""
    if country == "US":
        days = USFederalHolidayCalendar().holidays(f"{year}-01-01", f"{year}-12-31")
        return frozenset(day.date() for day in days)
    entry = table("holidays").get(country)
    if entry is None:
        return frozenset()
    easter = pd.Timestamp(f"{year}-01-01") + Easter()
    fixed = {date.fromisoformat(f"{year}-{day}") for day in entry["fixed"]}
    return frozenset(fixed | {(easter + pd.Timedelta(days=days)).date() for days in entry["easter"]})
