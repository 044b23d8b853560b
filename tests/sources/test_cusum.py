"""The alarm rings soon after a source turns bad, seldom otherwise, and goes on where it stopped."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from ringtrue.cusum import AlarmState, advance, alarm_limit, points_between_alarms

BEGIN = pd.Timestamp("2026-01-01", tz="UTC")


def points(bad: npt.ArrayLike, *, after: int = 0, batch: object = None, invalid: object = False) -> pd.DataFrame:
    flags = np.asarray(bad, dtype=bool)
    at = BEGIN + pd.to_timedelta(after + np.arange(len(flags)), unit="min")
    return pd.DataFrame({"source": "web", "batch": batch, "verified_at": at, "bad": flags, "invalid": invalid})


def coin(share: float, count: int, seed: int) -> npt.NDArray[np.bool_]:
    return np.random.default_rng(seed).random(count) < share


def learned(share: float = 0.05, seed: int = 1, count: int = 300) -> AlarmState:
    return advance({}, points(coin(share, count, seed)))["web"]


def test_expected_runs_agree_with_the_published_table() -> None:
    expected = [(0.05, 2_270, 130), (0.10, 1_090, 64), (0.08, 1_410, 81)]
    for base, false_alarm, detection in expected:
        assert points_between_alarms(base, base, 3.5) == pytest.approx(false_alarm, rel=0.06)
        assert points_between_alarms(2 * base, base, 3.5) == pytest.approx(detection, rel=0.06)


@pytest.mark.parametrize("share", [0.05, 0.10])
def test_it_rings_within_150_points_and_seldom_without_cause(share: float) -> None:
    false_alarms, rang = 0, []
    for seed in range(40):
        state = advance({}, points(coin(share, 2_300, seed)))["web"]
        false_alarms += state.alarms
        for again in range(0 if state.ringing else 5):
            flags = coin(2 * share, 150, 1_000 * (again + 1) + seed)
            doubled = advance({"web": state}, points(flags, after=2_300))["web"]
            rang.append(doubled.alarms > state.alarms)
    assert np.mean(rang) >= 0.5
    # 40 runs of 2,000 points: one alarm in 2,000 is 40, chance included 55 (Poisson, 99 %).
    assert false_alarms <= 55


def test_days_one_by_one_are_the_same_as_all_at_once() -> None:
    flags = np.concatenate([coin(0.05, 1_500, 3), coin(0.2, 300, 4)])
    at_once = advance({}, points(flags))["web"]
    states: dict[str, AlarmState] = {}
    for start in range(0, len(flags), 100):
        states = advance(states, points(flags[start : start + 100], after=start))
        states = {name: AlarmState.model_validate_json(state.model_dump_json()) for name, state in states.items()}
    assert states["web"] == at_once
    assert at_once.ringing
    assert at_once.since is not None
    assert at_once.since.endswith("Z")


def test_it_falls_silent_when_the_source_recovers() -> None:
    ringing = advance({"web": learned()}, points(coin(0.5, 60, 5), after=300))["web"]
    assert ringing.ringing
    quiet = advance({"web": ringing}, points(np.zeros(300), after=360))["web"]
    assert not quiet.ringing
    assert quiet.since is None
    assert quiet.alarms == ringing.alarms


def test_one_bad_upload_is_one_point() -> None:
    before = learned()
    after = advance({"web": before}, points(np.ones(5_000), after=300, batch="import-1"))["web"]
    assert after.points == before.points + 1
    assert not after.ringing
    again = advance({"web": after}, points(np.ones(10), after=6_000, batch="import-1"))["web"]
    assert again.points == after.points


def test_less_checking_does_not_ring() -> None:
    rng = np.random.default_rng(6)
    states: dict[str, AlarmState] = {}
    for coverage, count in ((1.0, 3_000), (0.2, 6_000)):
        invalid = rng.random(count) < 0.06
        keep = invalid | (rng.random(count) < coverage)
        rows = points(invalid, after=states["web"].points if states else 0, invalid=invalid)[keep]
        states = advance(states, rows, coverage={"web": coverage})
    assert states["web"].alarms <= 2
    assert not states["web"].ringing


def test_a_new_level_can_be_accepted() -> None:
    ringing = advance({"web": learned()}, points(coin(0.5, 60, 5), after=300))["web"]
    fresh = advance({"web": ringing.rebased()}, points(coin(0.3, 600, 7), after=400))["web"]
    assert fresh.base == pytest.approx(0.3, abs=0.06)
    assert not fresh.ringing


def test_the_limit_grows_with_doubt_about_the_base() -> None:
    assert alarm_limit(0.08, 300) > alarm_limit(0.08, 1_200)


def test_nothing_known_changes_nothing() -> None:
    state = learned()
    assert advance({"web": state}, points([])) == {"web": state}
