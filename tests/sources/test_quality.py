"""The table of sources: counted rightly, sure only of what can be known, the same however it is fed."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from ringtrue.source_counts import DECAY_DAYS, SourceCounter
from ringtrue.source_grades import DEFAULT_PRIOR, Prior, fit_prior, grade_is_right, grades, posterior
from ringtrue.sources import SourceQualitySettings, SourceRule, grade_fell, quality_table, weekly_shares, wilson
from tests.sources.world import START, numbers_of

SETTINGS = SourceQualitySettings(cost_per_attempt=0.5)


def table_of(frame: pd.DataFrame, sources: tuple[str, ...], **rules: SourceRule) -> pd.DataFrame:
    counter = SourceCounter(sources)
    counter.add(frame)
    return quality_table(counter, rules, SETTINGS).set_index("source")


def held(table: pd.DataFrame, source: str, column: str) -> float:
    return float(table[column].to_dict()[source])


def number(source: str = "web", **changes: object) -> dict[str, object]:
    """One good number of a source, checked two days after its contact was created."""
    row: dict[str, object] = {
        "source": source,
        "number": 1,
        "created_at": START,
        "seen_at": START,
        "first_verified_at": START + pd.Timedelta(days=2),
        "first_status": "active",
        "status": "active",
        "reason": None,
        "do_not_call": False,
        "reach": "reached",
        "died_at": pd.NaT,
        "last_checked_at": START + pd.Timedelta(days=2),
        "attempts": 2,
        "lookup_cost": 0.01,
    }
    return row | changes


def frame_of(*rows: dict[str, object]) -> pd.DataFrame:
    frame = pd.DataFrame([row | {"number": position} for position, row in enumerate(rows)])
    for column in ("created_at", "seen_at", "first_verified_at", "died_at", "last_checked_at"):
        frame[column] = pd.to_datetime(frame[column], utc=True)
    return frame


def test_a_source_is_judged_by_the_first_week_only() -> None:
    late, old = START + pd.Timedelta(days=30), START - pd.Timedelta(days=400)
    frame = frame_of(
        number(first_status="disconnected", status="disconnected"),
        number(first_status="disconnected", status="disconnected", first_verified_at=late),
        number(first_status="invalid", status="invalid", created_at=old),
        number(status="disconnected", died_at=late),
        number(first_status="unverified", status="unverified"),
        number(first_status="do_not_call", status="do_not_call", do_not_call=True),
        number(first_status=None, first_verified_at=pd.NaT, status="unverified"),
    )
    row = table_of(frame, ("web", "other")).loc["web"]
    assert (row["numbers"], row["arrived"], row["arrived_invalid"]) == (7, 6, 0)
    assert (row["arrived_verified"], row["arrived_bad"], row["arrived_disconnected"]) == (2, 1, 1)
    assert row["bad_raw"] == pytest.approx(0.5)
    assert row["coverage"] == pytest.approx(2 / 6)
    assert row["do_not_call_share"] == pytest.approx(1 / 7)


def test_little_checking_does_not_make_a_source_look_bad() -> None:
    shares = {"all_checked": 0.10, "some_checked": 0.10}
    full = numbers_of({"all_checked": 0.10}, [20_000], seed=1)
    thin = numbers_of({"some_checked": 0.10}, [20_000], seed=2, coverage=0.05, first_number=20_000)
    counter = SourceCounter((*shares, "other"))
    counter.add(full)
    counter.add(thin)
    table = quality_table(counter, {}, SETTINGS).set_index("source")
    assert held(table, "all_checked", "bad_raw") == pytest.approx(0.10, abs=0.01)
    assert held(table, "some_checked", "bad_raw") == pytest.approx(0.10, abs=0.03)
    assert held(table, "some_checked", "evidence") < 1_500


def test_without_any_checking_only_an_f_can_be_given() -> None:
    frame = numbers_of({"junk": 0.9, "unknown": 0.0}, [400, 400], seed=3, coverage=0.0, invalid_part=1.0)
    table = table_of(frame, ("junk", "unknown", "other"))
    assert table["grade"].to_dict() == {"junk": "F", "unknown": "", "other": ""}
    assert held(table, "junk", "bad_low") > 0.8


def test_batches_and_order_do_not_matter() -> None:
    frame = numbers_of({"a": 0.1, "b": 0.3}, [700, 300], seed=4)
    whole, parts = SourceCounter(("a", "b", "other")), SourceCounter(("a", "b", "other"))
    whole.add(frame)
    shuffled = frame.sample(frac=1, random_state=0)
    for start in range(0, len(shuffled), 150):
        parts.add(shuffled.iloc[start : start + 150])
    pd.testing.assert_frame_equal(quality_table(whole, {}, SETTINGS), quality_table(parts, {}, SETTINGS))
    pd.testing.assert_frame_equal(whole.weeks(), parts.weeks())
    pd.testing.assert_frame_equal(whole.reasons(), parts.reasons())


def test_everything_counted_adds_up() -> None:
    frame = numbers_of({"a": 0.1, "b": 0.3}, [700, 300], seed=4)
    counter = SourceCounter(("a", "b", "other"))
    counter.add(frame)
    table = quality_table(counter, {}, SETTINGS)
    statuses = table[[column for column in table if str(column).startswith("status_")]].sum().sum()
    assert table["numbers"].sum() == statuses == len(frame)
    assert counter.reasons()["numbers"].sum() == (frame["reason"] != "ok").sum()
    weeks = weekly_shares(counter.weeks())
    assert weeks["arrived"].sum() == table["arrived"].sum() == len(frame)
    assert set(weeks["week"].dt.day_of_week) == {0}


def test_a_number_of_two_sources_is_a_duplicate_of_both() -> None:
    frame = frame_of(number("a"), number("a"), number("b"), number("c"))
    frame["number"] = ["+12025550123", "+12025550124", "+12025550123", "+12025550123"]
    table = table_of(frame, ("a", "b", "c", "other"))
    assert table["duplicates"].to_dict() == {"a": 1, "b": 1, "c": 1, "other": 0}


def test_the_same_pair_twice_is_refused() -> None:
    frame = frame_of(number(), number())
    frame["number"] = 7
    with pytest.raises(ValueError, match="twice"):
        table_of(frame, ("web", "other"))


def test_a_frame_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="lacks the columns"):
        SourceCounter(("web",)).add(frame_of(number()).drop(columns="reach"))
    with pytest.raises(ValueError, match="not configured"):
        SourceCounter(("web",)).add(frame_of(number("fair")))


def test_money_wasted_is_what_bad_numbers_cost() -> None:
    frame = frame_of(number(attempts=4), number(first_status="invalid", status="invalid", attempts=6, lookup_cost=0.0))
    row = table_of(frame, ("web", "other"), web=SourceRule(label="Web", cost_per_lead=2.0)).loc["web"]
    assert row["money_spent"] == pytest.approx(2 * 2.0 + 10 * 0.5 + 0.01)
    assert row["money_wasted"] == pytest.approx(1 * 2.0 + 6 * 0.5)


def test_sources_without_numbers_stay_and_get_no_grade() -> None:
    table = table_of(numbers_of({"a": 0.1}, [100]), ("a", "silent", "other"))
    assert table["grade"].to_dict()["silent"] == ""
    assert held(table, "silent", "numbers") == 0


def test_decay_is_kaplan_and_meiers_estimate() -> None:
    rng = np.random.default_rng(8)
    n = 3_000
    life, watched = rng.exponential(200, n), rng.uniform(10, 200, n)
    days = np.floor(np.minimum(life, watched)).astype(int)
    died = life <= watched
    start = START + pd.Timedelta(days=2)
    frame = frame_of(*[number()] * n)
    end = pd.Series(start + pd.to_timedelta(days, unit="D"))
    frame["died_at"] = end.where(died)
    frame["last_checked_at"] = end
    row = table_of(frame, ("web", "other")).loc["web"]
    survival = stats.ecdf(stats.CensoredData(uncensored=days[died], right=days[~died])).sf
    expected = 1 - float(survival.evaluate([float(DECAY_DAYS)])[0])
    assert row["decay_90d"] == pytest.approx(expected, abs=1e-9)
    assert row["decay_low"] < 1 - np.exp(-90 / 200) < row["decay_high"]


def test_decay_is_unknown_before_anybody_was_followed_so_long() -> None:
    frame = frame_of(*[number(last_checked_at=START + pd.Timedelta(days=40)) for _ in range(50)])
    assert np.isnan(held(table_of(frame, ("web", "other")), "web", "decay_90d"))


def test_the_prior_is_found_again() -> None:
    rng = np.random.default_rng(0)
    verified = np.full(400, 300)
    found = fit_prior(rng.binomial(verified, rng.beta(3, 27, 400)), verified)
    assert found.mean == pytest.approx(0.10, abs=0.01)
    assert found.alpha + found.beta == pytest.approx(30, rel=0.25)
    assert fit_prior([1] * 7, [10] * 7) == DEFAULT_PRIOR
    alike = fit_prior([10] * 30, [100] * 30)
    assert alike.alpha + alike.beta <= 200.001


@pytest.mark.parametrize(
    ("bad", "verified", "shrunk", "low", "high", "above"),
    [
        (0, 5, 0.086, 0.0, 0.434, 0.10),
        (3, 10, 0.150, 0.108, 0.603, 0.46),
        (8, 40, 0.157, 0.105, 0.348, 0.54),
        (60, 400, 0.147, 0.118, 0.188, 0.41),
        (200, 1000, 0.197, 0.176, 0.226, 1.00),
    ],
)
def test_estimates_agree_with_the_worked_table(
    bad: int, verified: int, shrunk: float, low: float, high: float, above: float
) -> None:
    known = posterior([bad], [verified], Prior(3, 27))
    assert known.mean[0] == pytest.approx(shrunk, abs=6e-4)
    assert known.above(0.15)[0] == pytest.approx(above, abs=6e-3)
    bounds = wilson([bad], [verified])
    assert (bounds[0][0], bounds[1][0]) == pytest.approx((low, high), abs=6e-4)


def test_grades_claim_only_what_is_sure() -> None:
    bad, verified = [0, 2, 2, 60, 115, 0, 300, 9], [3, 400, 20, 400, 400, 0, 600, 19]
    assert grades(posterior(bad, verified, DEFAULT_PRIOR), verified) == ["", "A", "C", "D", "F", "", "F", ""]


def test_blame_goes_by_the_lower_bound() -> None:
    frame = pd.concat(
        [
            numbers_of({"few": 0.5}, [6], seed=1),
            numbers_of({"many": 0.3}, [3_000], seed=2, first_number=1_000),
            numbers_of({"good": 0.01}, [3_000], seed=3, first_number=9_000),
        ]
    ).astype({"source": "str"})
    table = table_of(frame, ("few", "many", "good", "other"))
    assert table.index[0] == "many"
    assert table["praise_rank"].idxmin() == "good"


def test_the_grade_is_right_for_sources_of_200_numbers_and_more() -> None:
    right = total = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        shares = rng.uniform(0, 0.4, 30)
        verified = rng.integers(200, 1_000, 30)
        bad = rng.binomial(verified, shares)
        given = grades(posterior(bad, verified, fit_prior(bad, verified)), verified)
        right += sum(grade_is_right(grade, share) for grade, share in zip(given, shares.tolist(), strict=True))
        total += 30
    assert right / total >= 0.95


def test_a_grade_falls_only_from_one_letter_to_a_worse_one() -> None:
    assert grade_fell("A", "C")
    assert not any(grade_fell(*pair) for pair in (("C", "A"), ("B", "B"), ("", "F"), ("A", "")))
