"""An alarm that rings when a source's bad share has doubled: a Bernoulli CUSUM per source (Reynolds and Stoumbos 1999).

Each number verified on arrival is a point, 1 if bad; an import file is one point, its bad share, however many numbers it has, for one bad upload is one event. The chart adds
`x ln(p1/p0) + (1 - x) ln((1-p1)/(1-p0))` to a sum kept between 0 and the limit h, with p0 the source's own bad share and p1 = 2 p0. At h it rings, and
it stops ringing when the sum is back at 0. The limit is computed, not looked up: the smallest for which a source that did not change is
wrongly accused at most once in 2,000 points, the uncertainty of p0 included.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from math import log
from typing import Final, Self

import numpy as np
import numpy.typing as npt
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field
from scipy import stats

FALSE_ALARM_EVERY: Final = ((0.05, 1_700), (0.10, 2_100))
"""Base share, and points between false alarms its limit is made for, averaged over what the true share may be given the points the base was learned from. Between the two it is interpolated.

What happens is rarer: the base is learned again from more points, which the limit does not know of. At small shares that is worth more, so less has to be asked for to stay above 2,000
(`benchmarks.sources` measures it).
"""
LEARNING_POINTS: Final = (300, 600, 1200)
"""A source's own share is learned from its first 300 points. Then the chart begins; the base is taken anew after 600 and 1,200 points, unless it is ringing."""
LOWEST_BASE: Final = 0.02
"""A base share below this is taken as this: that one bad number in a hundred becomes two is not worth an alarm."""
HIGHEST_BASE: Final = 0.60
REMEMBERED_BATCHES: Final = 200
_GRID: Final = 100
_SHARES: Final = 8


class AlarmState(BaseModel):
    """Where one source's chart stands. It is JSON (`model_dump_json`), so that a daily run goes on where the last one stopped."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    base: float | None = None
    """The learned bad share; None while the chart is still learning."""
    learned: float = 0.0
    """Points learned from, and the bad ones among them."""
    learned_bad: float = 0.0
    limit: float | None = None
    """The sum at which it rings; None while learning."""
    total: float = 0.0
    """The CUSUM sum."""
    ringing: bool = False
    since: str | None = None
    """Time of the point with which it began to ring, ISO 8601 UTC."""
    points: int = 0
    alarms: int = 0
    batches: tuple[str, ...] = Field(default=())
    """The latest import batches, so that one that arrives in two runs is one point."""

    def rebased(self) -> Self:
        """The chart of a source whose new level has been accepted: it learns again."""
        return type(self)(points=self.points, alarms=self.alarms, batches=self.batches)


def steps(base: float) -> tuple[float, float]:
    """What a bad point adds and what a good one takes away (negative), for base share p0 and p1 = 2 p0 (halfway to 1 where that would pass 0.9)."""
    doubled = min(2 * base, (1 + base) / 2)
    return log(doubled / base), log((1 - doubled) / (1 - base))


def alarm_limit(base: float, learned: float) -> float:
    """The sum at which a chart rings whose base share was learned from so many points."""
    return _limit(round(base * 500), round(learned / 100) * 100)


def points_between_alarms(shares: npt.ArrayLike, base: float, limit: float) -> npt.NDArray[np.float64]:
    """Expected points from a fresh chart to its alarm for each true bad share.

    Brook and Evans' Markov chain: the sum is cut into steps of a fixed width, a jump that falls between two is shared between them.
    """
    width = limit / _GRID
    at = np.arange(_GRID)
    up, down = (np.zeros((_GRID, _GRID + 1)) for _ in range(2))
    for chain, step in zip((up, down), steps(base), strict=True):
        position = np.clip(at + step / width, 0.0, _GRID)
        below = np.minimum(position.astype(np.int64), _GRID - 1)
        chain[at, below] = 1 - (position - below)
        chain[at, below + 1] = position - below
    chance = np.asarray(shares, dtype=np.float64)[..., None, None]
    staying = np.eye(_GRID) - chance * up[:, :-1] - (1 - chance) * down[:, :-1]
    return np.asarray(np.linalg.solve(staying, np.ones((*staying.shape[:-1], 1)))[..., 0, 0])


def advance(
    states: Mapping[str, AlarmState],
    rows: pd.DataFrame,
    *,
    coverage: Mapping[str, float] | None = None,
) -> dict[str, AlarmState]:
    """The charts after these numbers; `states` itself is not changed, and sources without new rows keep theirs.

    `rows`: one row per number newly verified within the arrival window, any order: `source` (text), `batch` (text, null for a contact that came alone), `verified_at` (datetime),
    `bad` (bool), `invalid` (bool: bad by the numbering rules). Everything is checked by the rules but only a part by calls and lookups; `coverage` is that part per source (0 to 1, default 1),
    and an invalid number counts as so much of a point, else the alarm would ring when a lookup budget runs out.
    """
    fresh = dict(states)
    for source, group in rows.groupby("source", sort=True, observed=True):
        name = str(source)
        state = states.get(name, AlarmState())
        share = 1.0 if coverage is None else min(max(coverage.get(name, 1.0), 0.0), 1.0)
        values, weights, times, batches = _points(group, set(state.batches), share)
        remembered = (*state.batches, *batches)[-REMEMBERED_BATCHES:]
        fresh[name] = _walk(state, values, weights, times).model_copy(update={"batches": remembered})
    return fresh


def _points(
    group: pd.DataFrame, known: set[str], coverage: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], pd.Series, list[str]]:
    """One source's points in order of time: bad share, weight, time; and the import batches among them."""
    table = pd.DataFrame(
        {
            "bad": group["bad"].to_numpy(dtype=np.float64),
            "weight": np.where(group["invalid"].to_numpy(dtype=bool), coverage, 1.0),
            "at": pd.to_datetime(group["verified_at"], utc=True).to_numpy(),
            "batch": group["batch"].to_numpy(dtype=object),
        }
    )
    alone = pd.isna(table["batch"])
    single, batched = table[alone], table[~alone & ~table["batch"].isin(known)]
    if len(batched):
        batched = batched.assign(bad=batched["bad"] * batched["weight"])
        parts = batched.groupby("batch", sort=False).agg(bad=("bad", "sum"), weight=("weight", "sum"), at=("at", "max"))
        parts = parts[parts["weight"] > 0].reset_index()
        parts = parts.assign(bad=parts["bad"] / parts["weight"], weight=1.0)
        single = pd.concat([single, parts]) if len(single) else parts
    single = single.sort_values("at", kind="stable")
    names = [str(name) for name in single["batch"] if not pd.isna(name)]
    return single["bad"].to_numpy(), single["weight"].to_numpy(), single["at"], names


def _walk(
    state: AlarmState, values: npt.NDArray[np.float64], weights: npt.NDArray[np.float64], times: pd.Series
) -> AlarmState:
    learned, learned_bad, base, top = state.learned, state.learned_bad, state.base, state.limit
    total, ringing, since, alarms = state.total, state.ringing, state.since, state.alarms
    goal = next((points for points in LEARNING_POINTS if points > learned), None)
    up, down = steps(base) if base is not None else (0.0, 0.0)
    for position, (value, weight) in enumerate(zip(values.tolist(), weights.tolist(), strict=True)):
        if base is not None and top is not None:
            total = min(max(total + (value * up + (1 - value) * down) * weight, 0.0), top)
            if not ringing and total >= top:
                ringing, alarms, since = True, alarms + 1, f"{times.iloc[position]:%Y-%m-%dT%H:%M:%SZ}"
            elif ringing and total <= 0.0:
                ringing, since = False, None
        if goal is not None and not ringing:
            learned += weight
            learned_bad += value * weight
            if learned >= goal:
                share = float(stats.beta.ppf(0.5, learned_bad + 0.5, learned - learned_bad + 0.5))
                base = min(max(share, LOWEST_BASE), HIGHEST_BASE)
                top = alarm_limit(base, learned)
                up, down = steps(base)
                goal = next((points for points in LEARNING_POINTS if points > learned), None)
    return state.model_copy(
        update={
            "base": base,
            "learned": learned,
            "learned_bad": learned_bad,
            "limit": top,
            "total": total,
            "ringing": ringing,
            "since": since,
            "points": state.points + len(values),
            "alarms": alarms,
        }
    )


@lru_cache(maxsize=2048)
def _limit(base_per_500: int, learned: int) -> float:
    base = base_per_500 / 500
    shares_at, points_at = [share for share, _ in FALSE_ALARM_EVERY], [points for _, points in FALSE_ALARM_EVERY]
    every = float(np.interp(base, shares_at, points_at))
    chances = (np.arange(_SHARES) + 0.5) / _SHARES
    shares = stats.beta.ppf(chances, base * learned + 0.5, (1 - base) * learned + 0.5)
    low, high = 1.0, 10.0
    while high - low > 0.02:
        middle = (low + high) / 2
        false_alarms = float(np.mean(1 / points_between_alarms(shares, base, middle)))
        low, high = (middle, high) if false_alarms > 1 / every else (low, middle)
    return high
