"""What the guard takes for usual: simulated histories of plans, how often it stops a plan that is like the others, and what it finds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest

from ringtrue.guard import compare, usual
from ringtrue.settings import GuardSettings

Draw = Callable[[np.random.Generator, int], npt.NDArray[np.int64]]
LIMITS = GuardSettings()
PLANS = 200
HISTORIES = 500


def even(mean: float) -> Draw:
    return lambda random, size: random.poisson(mean, size)


def uneven(mean: float, dispersion: float) -> Draw:
    """Negative binomial with a variance of `dispersion` times the mean."""
    p = 1 / dispersion
    return lambda random, size: random.negative_binomial(mean * p / (1 - p), p, size)


def nightly(quiet: float, busy: float) -> Draw:
    """Each 24th plan takes the dialler's nightly file in."""
    return lambda random, size: random.poisson(np.where(np.arange(size) % 24 == 0, busy, quiet))


HABITS = {
    "even": even(60),
    "many": even(900),
    "uneven": uneven(60, 12),
    "very uneven": uneven(150, 60),
    "nightly": nightly(2, 300),
}


def objections(count: int, history: list[int], limits: GuardSettings = LIMITS) -> list[str]:
    rows = compare({"newly retired": count}, 1_000_000, limits, [{"newly retired": seen} for seen in history])
    return [row.objection for row in rows if row.objection]


def most(history: list[int]) -> int:
    """From how many on a plan is stopped."""
    found = usual(history, chance=LIMITS.usual_chance, least=LIMITS.usual_least_plans)
    assert found is not None
    return max(found.most, LIMITS.small_plan)


@pytest.mark.parametrize("habit", HABITS)
def test_a_plan_like_the_others_is_hardly_ever_stopped(habit: str) -> None:
    random = np.random.default_rng(7)
    stopped = looked_at = 0
    for _ in range(HISTORIES):
        drawn = HABITS[habit](random, PLANS + 24).tolist()
        for known in (LIMITS.usual_least_plans, 100, PLANS):
            later = drawn[known : known + 24]
            looked_at += len(later)
            limit = most(drawn[:known])
            stopped += sum(new > limit for new in later)
    assert stopped / looked_at < 0.001, f"{stopped} of {looked_at}"


@pytest.mark.parametrize(("habit", "share"), [("even", 1.0), ("many", 1.0), ("uneven", 0.9)])
def test_four_times_the_usual_is_stopped_below_the_fixed_share(habit: str, share: float) -> None:
    random = np.random.default_rng(8)
    histories = [HABITS[habit](random, PLANS).tolist() for _ in range(HISTORIES)]
    found = sum(4 * float(np.mean(history)) > most(history) for history in histories)
    assert found / HISTORIES >= share


def test_four_times_the_nightly_burst_is_stopped_and_the_burst_is_not() -> None:
    random = np.random.default_rng(9)
    history = HABITS["nightly"](random, PLANS).tolist()
    assert objections(310, history) == []
    [said] = objections(1_200, history)
    assert "1200 newly retired are unusually many: the last 200 plans had" in said


def test_an_exceptional_plan_does_not_become_the_usual_but_the_second_does() -> None:
    quiet = [3, 5, 2, 4] * 20
    assert objections(4_000, quiet)
    assert objections(4_000, [*quiet, 4_000]), "a person let one pass"
    assert objections(4_000, [*quiet, 4_000, *quiet, 3_900]) == []


def test_with_little_history_and_for_small_plans_only_the_shares_count() -> None:
    assert usual([1] * 49, chance=1e-4, least=50) is None
    assert objections(5_000, [1] * 49) == []
    assert objections(LIMITS.small_plan, [0] * 500) == []
    assert objections(LIMITS.small_plan + 1, [0] * 500)
    rows = compare(Counter({"records": 300_000}), 1_000_000, LIMITS, [])
    assert [row.objection for row in rows if row.objection] == [
        "300000 records are 30% of 1000000 records; the limit is 25%."
    ]


def test_what_was_written_ahead_of_the_plan_counts_for_its_shares_but_not_for_what_is_usual() -> None:
    history = [{"newly do-not-call": count % 7 + 300} for count in range(60)]
    [_, _, flags, _] = compare({"newly do-not-call": 300}, 10_000, LIMITS, history, {"newly do-not-call": 150})
    assert flags.objection is None
    assert flags.share == pytest.approx(0.045)
    [_, _, flags, _] = compare({"newly do-not-call": 300}, 10_000, LIMITS, history, {"newly do-not-call": 450})
    assert flags.objection is not None
    assert "300 newly do-not-call and 450 written ahead of the sync within a day are 8% of 10000" in flags.objection
    [_, _, none, _] = compare({}, 10_000, LIMITS, [], {"newly do-not-call": 900})
    assert none.objection is None, "there is nothing to approve"
