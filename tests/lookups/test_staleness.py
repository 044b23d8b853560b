"""Hazards, break-even, ranking and allocation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from ringtrue import staleness
from ringtrue.staleness import Cadence

NOW = pd.Timestamp("2026-11-01", tz="UTC")


def numbers(*rows: dict[str, Any]) -> pd.DataFrame:
    plain = {
        "segment": "mobile",
        "confirmed_at": NOW - pd.Timedelta(days=120),
        "p_dead": 0.0,
        "call_probability": 1.0,
        "price": 0.007,
    }
    frame = pd.DataFrame([{"number": f"+1415555{at:04d}", **plain, **row} for at, row in enumerate(rows)])
    frame["confirmed_at"] = pd.to_datetime(frame["confirmed_at"], utc=True)
    return frame


def value(table: pd.DataFrame, segment: str, column: str) -> float:
    return float(table[column].to_dict()[segment])


def rank(frame: pd.DataFrame, **cadence: float) -> pd.DataFrame:
    return staleness.rank(frame, staleness.default_hazards(), NOW, Cadence(waste=0.25, jitter=0.0, **cadence))


@pytest.mark.parametrize(
    ("rate", "price", "months"),
    [
        (0.0035, 0.007, 8.1),
        (0.008, 0.007, 3.5),
        (0.012, 0.007, 2.4),
        (0.021, 0.007, 1.4),
        (0.03, 0.007, 0.9),
        (0.008, 0.015, 7.7),
    ],
)
def test_break_even(rate: float, price: float, months: float) -> None:
    """The table of the design: monthly for the quick segments, quarterly for mobiles."""
    assert staleness.break_even_months(rate, price, 0.25) == pytest.approx(months, abs=0.06)


def test_a_price_above_the_waste_is_never_worth_it() -> None:
    assert staleness.break_even_months(0.01, 0.3, 0.25) == np.inf


def test_rates_are_learned_and_the_interval_narrows() -> None:
    prior = staleness.default_hazards()
    seen = pd.DataFrame({"segment": ["mobile"], "deaths": [200.0], "exposure_months": [10_000.0]})
    learned = staleness.learn(seen)
    assert value(learned, "mobile", "rate") == pytest.approx((4 + 200) / (500 + 10_000))
    assert value(learned, "mobile", "low") < value(learned, "mobile", "rate") < value(learned, "mobile", "high")
    assert value(learned, "voip", "rate") == value(prior, "voip", "rate")


def test_a_new_segment_starts_from_the_unknown_one() -> None:
    seen = pd.DataFrame({"segment": ["satellite"], "deaths": [0.0], "exposure_months": [0.0]})
    assert value(staleness.learn(seen), "satellite", "rate") == pytest.approx(0.015)


def test_exposure_counts_half_an_interval_that_ended_in_death() -> None:
    month = pd.Timedelta(days=staleness.DAYS_PER_MONTH)
    intervals = pd.DataFrame(
        {
            "segment": ["mobile", "mobile", "voip"],
            "alive_at": [NOW - 4 * month, NOW - 2 * month, NOW - month],
            "seen_at": [NOW, NOW, NOW],
            "died": [False, True, False],
        }
    )
    counted = staleness.exposure(intervals).set_index("segment")
    assert value(counted, "mobile", "deaths") == 1
    assert value(counted, "mobile", "exposure_months") == pytest.approx(5)
    assert value(counted, "voip", "exposure_months") == pytest.approx(1)


def test_the_learned_rate_recovers_the_true_one() -> None:
    random = np.random.default_rng(7)
    true, months = 0.02, 3.0
    lives = random.exponential(1 / true, 20_000)
    frame = pd.DataFrame({"segment": "mobile", "died": lives < months})
    frame["alive_at"] = NOW - pd.Timedelta(days=months * staleness.DAYS_PER_MONTH)
    frame["seen_at"] = NOW
    rate = value(staleness.learn(staleness.exposure(frame)), "mobile", "rate")
    assert rate == pytest.approx(true, rel=0.05)


def test_due_when_worth_more_than_the_price() -> None:
    due = rank(
        numbers(
            {},
            {"confirmed_at": NOW - pd.Timedelta(days=60)},
            {"segment": "voip", "confirmed_at": NOW - pd.Timedelta(days=60)},
        )
    )["due"]
    assert due.tolist() == [True, False, True]


def test_never_sooner_than_two_weeks_and_suspended_weekly() -> None:
    fresh = {"confirmed_at": NOW - pd.Timedelta(days=8), "p_dead": 0.5}
    due = rank(numbers(fresh, {**fresh, "segment": "suspended"}))["due"]
    assert due.tolist() == [False, True]


def test_a_number_nobody_calls_is_not_asked() -> None:
    frame = numbers({"call_probability": 0.0, "confirmed_at": NOW - pd.Timedelta(days=900)}, {"call_probability": 0.1})
    assert rank(frame)["due"].tolist() == [False, False]


def test_at_the_latest_after_a_year() -> None:
    old = {"confirmed_at": NOW - pd.Timedelta(days=400), "call_probability": 0.05, "segment": "landline"}
    assert rank(numbers(old))["due"].tolist() == [True]


def test_never_confirmed_goes_by_the_lead_source() -> None:
    ranked = rank(numbers({"confirmed_at": pd.NaT, "p_dead": 0.3}, {"confirmed_at": pd.NaT, "p_dead": 0.01}))
    assert ranked["p_stale"].tolist() == pytest.approx([0.3, 0.01])
    assert ranked["due"].tolist() == [True, False]


def test_allocation_takes_the_most_worth_per_money() -> None:
    frame = numbers(*({"confirmed_at": pd.NaT, "p_dead": share} for share in (0.1, 0.5, 0.9, 0.3)))
    chosen = staleness.allocate(rank(frame), 0.014)
    assert chosen["p_dead"].tolist() == [0.9, 0.5]
    assert len(staleness.allocate(rank(frame), None)) == 4
    assert staleness.allocate(rank(frame), 0.0).empty


def test_planned_calls_raise_the_weight() -> None:
    frame = numbers(
        *({"call_probability": share, "confirmed_at": NOW - pd.Timedelta(days=300)} for share in (0.5, 0.9))
    )
    assert staleness.allocate(rank(frame), 0.007)["call_probability"].tolist() == [0.9]


def test_numbers_imported_together_do_not_come_due_together() -> None:
    frame = numbers(*({} for _ in range(500)))
    shares = [
        staleness.rank(
            frame, staleness.default_hazards(), NOW + pd.Timedelta(days=days), Cadence(waste=0.25, jitter=0.2)
        )["due"].mean()
        for days in (-40, -14, 30)
    ]
    assert shares[0] == 0
    assert 0.1 < shares[1] < 0.9
    assert shares[2] == 1


def test_fixed_intervals_instead() -> None:
    frame = numbers({"segment": "voip"}, {"segment": "landline"}, {"confirmed_at": pd.NaT}, {})
    assert staleness.fixed_due(frame, NOW, {"voip": 30, "landline": 180}).tolist() == [True, False, True, True]


def test_segments() -> None:
    frame = pd.DataFrame(
        {
            "line_type": ["mobile", "landline", "landline", "nonfixed_voip", None, "mobile"],
            "status": ["active", "active", "active", "active", "active", "suspended"],
            "field": ["MobilePhone", "HomePhone", "Phone", "Phone", None, "MobilePhone"],
        }
    )
    assert staleness.segments(frame).tolist() == [
        "mobile",
        "landline",
        "business_direct",
        "voip",
        "unknown",
        "suspended",
    ]


def test_a_hundred_thousand_numbers_at_once() -> None:
    frame = numbers({}).iloc[np.zeros(100_000, dtype=int)].reset_index(drop=True)
    frame["number"] = [f"+1415{at:07d}" for at in range(len(frame))]
    assert len(staleness.allocate(rank(frame), 70.0)) == 10_000
