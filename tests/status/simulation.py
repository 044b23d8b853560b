"""A seeded population of numbers and the calls made to them, to measure what a policy gets wrong.

The world of the published simulation: 10 % of numbers are dead, pick-up chances are Beta(1.2, 6.8), eight attempts each. Dead numbers answer
with not-assigned (.45), an intercept tone (.30), ringing (.12), out of reach (.06), voicemail (.05) or busy (.02); a live number shows a false
hard failure in 1.3 % of attempts. On a fault day, 60 % of a trunk's calls fail falsely.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ringtrue.policy import Policy
from ringtrue.status import decide

START = pd.Timestamp("2026-01-05", tz="UTC")
_DEAD = {
    "voicemail": 0.05,
    "no_answer": 0.12,
    "busy": 0.02,
    "absent": 0.06,
    "not_assigned": 0.45,
    "intercepted": 0.30,
}


@dataclass(frozen=True)
class Calls:
    """Observations, and which numbers (by their position in `numbers`) are dead."""

    observations: pd.DataFrame
    numbers: list[str]
    dead: np.ndarray[tuple[int], np.dtype[np.bool_]]
    until: pd.Timestamp


def simulate(numbers: int, seed: int, *, fault_days: float = 0.0, attempts: int = 8, same_day: bool = False) -> Calls:
    """Call every number `attempts` times over one of forty trunks: two to four days apart, or twice a day where `same_day`."""
    chance = np.random.default_rng(seed)
    dead = chance.random(numbers) < 0.10
    pick_up = chance.beta(1.2, 6.8, numbers)
    shape = (numbers, attempts)
    gaps = chance.integers(2, 5, shape).astype(float)
    if same_day:
        gaps[:, 1::2] = 0.0
    day = np.cumsum(gaps, axis=1).astype(int) + chance.integers(0, 120, (numbers, 1))
    trunk = np.arange(numbers) % 40
    hour = chance.uniform(9, 20, shape)
    chosen = chance.choice(len(_DEAD), shape, p=list(_DEAD.values()))
    outcome = np.array(list(_DEAD), dtype=object)[chosen]
    draw = chance.random(shape)
    picks = np.broadcast_to(pick_up[:, None], shape)
    living = np.select(
        [
            draw < 0.008,
            draw < 0.013,
            draw < 0.013 + picks,
            draw < 0.05 + picks,
            draw < 0.06 + picks,
            draw < 0.45 + picks,
        ],
        ["not_assigned", "intercepted", "reached", "busy", "absent", "voicemail"],
        "no_answer",
    ).astype(object)
    outcome = np.where(dead[:, None], outcome, living)
    faulty = chance.random((40, int(day.max()) + 1)) < fault_days
    fails = faulty[trunk[:, None], day] & (chance.random(shape) < 0.6)
    outcome = np.where(fails, "not_assigned", outcome)
    names = [f"+1415{5_550_000 + place}" for place in range(numbers)]
    observations = pd.DataFrame(
        {
            "number": np.repeat(names, attempts),
            "contact": None,
            "source": "call:dialler",
            "group": None,
            "outcome": outcome.ravel(),
            "observed_at": START + pd.to_timedelta((day * 24 + hour).ravel() * 3600, unit="s").round("s"),
            "trunk": np.repeat([f"trunk-{place}" for place in trunk], attempts),
            "attempt": np.tile(np.arange(attempts), numbers),
        }
    )
    return Calls(observations, names, dead, START + pd.Timedelta(days=int(day.max()) + 1))


@dataclass(frozen=True)
class Outcome:
    """Shares of live numbers wrongly given up and of dead ones missed, and attempts made on a dead number."""

    killed: float
    missed: float
    attempts_on_dead: float


def played(calls: Calls, policy: Policy, *, alarms: pd.DataFrame | None = None) -> Outcome:
    """Decide after every attempt and stop calling what is disconnected, as a campaign does."""
    observations = calls.observations
    given_up = np.zeros(len(calls.numbers), np.bool_)
    made = np.zeros(len(calls.numbers))
    who = np.repeat(np.arange(len(calls.numbers)), int(observations["attempt"].max()) + 1)
    for attempt in range(int(observations["attempt"].max()) + 1):
        made += ~given_up
        so_far = observations[(observations["attempt"] <= attempt) & ~given_up[who]]
        decisions = decide(so_far, policy, so_far["observed_at"].max(), alarms=alarms)
        gone = set(decisions.loc[decisions["status"] == "disconnected", "number"])
        given_up |= np.array([number in gone for number in calls.numbers])
    return Outcome(
        float((given_up & ~calls.dead).sum() / (~calls.dead).sum()),
        float((~given_up & calls.dead).sum() / calls.dead.sum()),
        float(made[calls.dead].mean()),
    )
