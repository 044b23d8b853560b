"""Lawful calling hours: the narrower of number and address, by the rules of both."""

from __future__ import annotations

import time
from datetime import date
from typing import Any

import pandas as pd
import pytest

from ringtrue.calling_rules import area_codes, country_rules, public_holidays, state_rules, state_zones, table
from ringtrue.calling_window import callable_now
from ringtrue.errors import SettingsError
from ringtrue.local_time import local_hours, zones_of_prefix

NEW_YORK, LOS_ANGELES, FLORIDA, RHODE_ISLAND, ALABAMA = (
    "+12125550123",
    "+12135550123",
    "+13055550123",
    "+14015550123",
    "+12055550123",
)


def asked(now: str, number: str, **more: Any) -> dict[str, Any]:
    """The answer for one contact."""
    contact = {key: [value] for key, value in {"number": number, **more}.items()}
    result = callable_now(pd.DataFrame(contact), pd.Timestamp(now, tz="UTC"))
    return {str(key): value for key, value in result.iloc[0].items()}


@pytest.mark.parametrize(
    ("number", "opens", "closes"),
    [
        (NEW_YORK, "2026-06-16 12:00", "2026-06-17 01:00"),
        (LOS_ANGELES, "2026-06-16 15:00", "2026-06-17 04:00"),
        (FLORIDA, "2026-06-16 12:00", "2026-06-17 00:00"),
        (RHODE_ISLAND, "2026-06-16 13:00", "2026-06-16 22:00"),
        ("+14165550123", "2026-06-16 13:00", "2026-06-17 01:30"),
        ("+442079460123", "2026-06-16 07:00", "2026-06-16 20:00"),
        ("+8801711123456", "2026-06-16 03:00", "2026-06-16 14:00"),
    ],
)
def test_hours_by_the_number(number: str, opens: str, closes: str) -> None:
    start, end = pd.Timestamp(opens, tz="UTC"), pd.Timestamp(closes, tz="UTC")
    second = pd.Timedelta(seconds=1)
    results = [asked(str(moment)[:19], number)["callable"] for moment in (start - second, start, end - second, end)]
    assert results == [False, True, True, False]
    assert asked(str(start - second)[:19], number)["opens_at"] == start


def test_a_number_and_an_address_that_disagree_leave_the_narrower_window() -> None:
    morning_in_new_york, evening_in_california = "2026-06-16 13:00", "2026-06-17 02:00"
    traveller: dict[str, Any] = {"number": NEW_YORK, "country": "US", "region": "CA"}
    assert not asked(morning_in_new_york, **traveller)["callable"]
    assert not asked(evening_in_california, **traveller)["callable"]
    assert asked("2026-06-16 18:00", **traveller)["callable"]


def test_an_address_narrows_a_number_that_can_be_anywhere() -> None:
    toll_free = "+18005550123"
    assert not asked("2026-06-16 13:00", toll_free)["callable"]
    assert asked("2026-06-16 13:00", toll_free, country="US", region="NY")["callable"]


def test_the_address_state_rules_apply_too() -> None:
    assert asked("2026-06-16 00:30", NEW_YORK, country="US", region="NY")["callable"]
    assert not asked("2026-06-16 00:30", NEW_YORK, country="US", region="FL")["callable"]


def test_sundays_and_holidays() -> None:
    assert asked("2026-06-14 18:00", NEW_YORK)["callable"]
    assert not asked("2026-06-14 18:00", ALABAMA)["callable"]
    assert asked("2026-07-03 18:00", NEW_YORK)["callable"]
    assert not asked("2026-07-03 18:00", ALABAMA)["callable"]
    assert asked("2026-06-14 18:00", ALABAMA)["opens_at"] == pd.Timestamp("2026-06-15 13:00", tz="UTC")


def test_daylight_saving_is_that_of_the_place() -> None:
    assert asked("2026-01-16 13:00", NEW_YORK)["callable"]
    assert not asked("2026-01-16 12:30", NEW_YORK)["callable"]
    assert asked("2026-06-16 12:30", NEW_YORK)["callable"]


def test_consent_where_the_law_asks_for_it() -> None:
    noon_in_china = "2026-06-16 07:00"
    refused = asked(noon_in_china, "+8613800138000")
    assert not refused["callable"]
    assert "consent" in refused["why"]
    assert asked(noon_in_china, "+8613800138000", consent=True)["callable"]
    assert asked("2026-08-10 09:00", "+33142278186")["callable"]
    assert not asked("2026-08-11 09:00", "+33142278186")["callable"]


def test_three_calls_a_day_are_enough_in_florida() -> None:
    assert asked("2026-06-16 18:00", FLORIDA, calls_last_day=2)["callable"]
    assert not asked("2026-06-16 18:00", FLORIDA, calls_last_day=3)["callable"]
    assert asked("2026-06-16 18:00", NEW_YORK, calls_last_day=9)["callable"]


def test_an_unknown_place_is_not_called() -> None:
    answer = asked("2026-06-16 12:00", "+999123456")
    assert not answer["callable"]
    assert "not known" in answer["why"]


def test_settings_change_a_rule() -> None:
    contacts = pd.DataFrame({"number": [NEW_YORK]})
    now = pd.Timestamp("2026-06-16 12:30", tz="UTC")
    later = {"US": {"weekday": [["10:00", "18:00"]]}}
    assert callable_now(contacts, now)["callable"].all()
    assert not callable_now(contacts, now, countries=later)["callable"].any()
    with pytest.raises(SettingsError, match="cannot be read"):
        callable_now(contacts, now, countries={"US": {"weekday": [["18:00", "10:00"]]}})
    with pytest.raises(SettingsError, match="holidays must be"):
        callable_now(contacts, now, states={"FL": {"holidays": "never"}})


def test_no_contacts_no_answers() -> None:
    assert (
        len(callable_now(pd.DataFrame({"number": pd.Series([], dtype="str")}), pd.Timestamp("2026-06-16", tz="UTC")))
        == 0
    )


@pytest.mark.parametrize("name", sorted(state_rules()))
def test_no_state_is_wider_than_the_federal_hours(name: str) -> None:
    federal, state = country_rules()["US"], state_rules()[name]
    for part in ("weekday", "saturday", "sunday"):
        (opens, closes), *_ = getattr(federal, part)
        assert all(opens <= start < end <= closes for start, end in getattr(state, part))
    assert state_zones("US", name)
    assert table("us_states")[name]["evidence"]


def test_every_table_names_its_version_and_source() -> None:
    for name in ("countries", "us_states", "zones", "area_codes", "holidays"):
        assert {"version", "source"} <= set(table(name))


def test_every_zone_and_area_code_is_real() -> None:
    known = set(zones_of_prefix("+1"))
    zones = table("zones")
    for country in ("US", "CA", "AU"):
        for state, names in zones[country].items():
            for zone in names:
                assert pd.Timestamp("2026-01-01", tz=zone).tzinfo is not None
                assert zone in known or country == "AU" or state == "YT", (country, state, zone)
    states = {state for country, state in area_codes().values() if country == "US"}
    assert states == set(zones["US"]) - {"PR"}
    assert area_codes()["787"] == ("PR", None)


def test_holidays() -> None:
    assert date(2026, 7, 3) in public_holidays("US", 2026)
    assert date(2026, 4, 6) in public_holidays("FR", 2026)
    assert date(2026, 5, 14) in public_holidays("DE", 2026)
    assert public_holidays("BD", 2026) == frozenset()


def test_local_hours() -> None:
    times = (
        pd.Series(pd.to_datetime(["2026-06-16 02:30", "2026-06-16 02:30", "2026-06-16 02:30"]))
        .to_numpy("datetime64[s]")
        .astype("int64")
    )
    day, hour = local_hours([NEW_YORK, "+8613800138000", "+999123456"], times)
    assert hour.tolist() == [22, 10, 2]
    assert (day - day[2]).tolist() == [-1, 0, 0]


def test_a_hundred_thousand_contacts_take_seconds() -> None:
    codes = [code for code, (country, _) in area_codes().items() if country == "US"]
    states = sorted(table("zones")["US"])
    contacts = pd.DataFrame(
        {
            "number": [f"+1{codes[place % len(codes)]}555{place % 10_000:04d}" for place in range(100_000)],
            "country": "US",
            "region": [states[place // 7 % len(states)] for place in range(100_000)],
        }
    )
    begin = time.process_time()
    callable_now(contacts, pd.Timestamp("2026-06-16 18:00", tz="UTC"))
    assert time.process_time() - begin < 30
