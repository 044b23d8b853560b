"""The simulated world of `make bench-truth`, small: nobody who said stop is dialled, and the same seed gives the same result."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.truth import chosen, options
from benchmarks.truth_judge import Tally
from benchmarks.truth_run import POLICIES, prepared, run
from benchmarks.truth_settings import Settings

SMALL = Settings(numbers=5_000, months=6, seed=3)


def figures(tally: Tally) -> dict[str, object]:
    """Everything but the time it took."""
    return {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in vars(tally).items()
        if name != "seconds"
    }


@pytest.fixture(scope="module")
def world() -> dict[str, Tally]:
    lines, plan = prepared(SMALL)
    return {name: run(name, lines, plan) for name in POLICIES if name != "eager"}


def test_nobody_who_said_stop_is_dialled_and_no_flag_stands_without_a_reason(world: dict[str, Tally]) -> None:
    for name in ("ringtrue", "calls"):
        assert (world[name].violations, world[name].false_flags, world[name].missing_flags) == (0, 0, 0)
    assert world["never"].violations > 0


def test_dials_to_dead_numbers_are_avoided_for_little_money_and_live_numbers_kept(world: dict[str, Tally]) -> None:
    ringtrue, monthly, never = world["ringtrue"], world["monthly"], world["never"]
    assert never.dead_dials - ringtrue.dead_dials >= 0.95 * (never.dead_dials - monthly.dead_dials)
    assert ringtrue.dead_dials < world["calls"].dead_dials
    assert 0 < ringtrue.money <= 0.25 * monthly.money
    assert ringtrue.wrongly_retired <= 0.002 * ringtrue.live_observed < world["strikes"].wrongly_retired
    assert ringtrue.talks >= 0.95 * never.talks > world["strikes"].talks


def test_the_same_seed_gives_the_same_result_and_another_does_not() -> None:
    tiny = replace(SMALL, numbers=1_500, months=2)
    first, again, other = (run("ringtrue", *prepared(replace(tiny, seed=seed))) for seed in (3, 3, 4))
    assert figures(first) == figures(again)
    assert figures(first) != figures(other)


def test_every_property_of_the_world_is_an_option() -> None:
    given = [
        "--churn-voip",
        "0.05",
        "--fault-days",
        "0.1",
        "--source",
        "web_form.dead=0.3",
        "--service",
        "twilio.misses=0.2",
    ]
    settings = chosen(options().parse_args(given))
    assert (settings.churn_voip, settings.fault_days) == (0.05, 0.1)
    assert next(one.dead for one in settings.sources if one.slug == "web_form") == 0.3
    assert next(one.misses for one in settings.services if one.name == "twilio") == 0.2
    with pytest.raises(ValueError, match="no NAME"):
        chosen(options().parse_args(["--service", "nobody.misses=1"]))
