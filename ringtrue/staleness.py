"""When is it worth asking again, and whom first. Pure functions over DataFrames.

A number that was alive `t` months ago is dead or in other hands by now with probability 1 - exp(-rate * t). Asking is worth that probability, times the chance that
somebody will call, times what a dead number wastes before calls alone find it out. It is asked when this exceeds the price: "monthly" for the quick segments and
"quarterly" for the slow ones fall out of it. Rates are Gamma posteriors, learned from deaths and number-months; refresh theory: Cho and Garcia-Molina (2003).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from ringtrue.lookup_settings import CadenceSettings
from ringtrue.segments import segment_of

Floats = npt.NDArray[np.float64]

DAYS_PER_MONTH = 365.25 / 12
WASTED_ATTEMPTS = 2.9
"""Calls a dead number takes before the calls alone settle it (simulation of the decision rule, 200,000 numbers)."""


@dataclass(frozen=True)
class Cadence:
    """How eagerly numbers are asked again.

    `waste`: what a dead number costs if nobody asks, in the currency of the prices (attempts x cost of one). `min_days`, `max_days`: never sooner, and at the
    latest. `jitter`: the share by which a number's age is shifted for good, so that numbers imported together do not all come due on one day.
    """

    waste: float = WASTED_ATTEMPTS * 0.25
    min_days: float = 14.0
    max_days: float = 365.0
    jitter: float = 0.1


def cadence_of(settings: CadenceSettings) -> Cadence:
    """The cadence that the settings want."""
    return Cadence(WASTED_ATTEMPTS * settings.cost_per_attempt, settings.min_days, settings.max_days, settings.jitter)


@cache
def _defaults() -> dict[str, Any]:
    return tomllib.loads(files("ringtrue").joinpath("data", "lookups", "hazards.toml").read_text(encoding="utf-8"))


def default_hazards() -> pd.DataFrame:
    """The segments with their Gamma prior: index segment; a, b (number-months), rate a month, min_days (NaN where none)."""
    segments: dict[str, dict[str, float]] = _defaults()["segments"]
    rows = {
        name: {
            "a": entry["rate"] * entry["months"],
            "b": entry["months"],
            "rate": entry["rate"],
            "min_days": entry.get("min_days", np.nan),
        }
        for name, entry in segments.items()
    }
    table = pd.DataFrame.from_dict(rows, orient="index").astype(float)
    table.index.name = "segment"
    return table


def segments(numbers: pd.DataFrame) -> pd.Series:
    """The segment of each number from `line_type`, `status` and `field` (the CRM field it stands in): suspended, voip, landline, business_direct, mobile, unknown."""
    line_type = numbers["line_type"].fillna("unknown").astype(str)
    field = numbers["field"].fillna("").astype(str)
    chosen = np.array([segment_of(*pair) for pair in zip(line_type, field, strict=True)], dtype=object)
    chosen[numbers["status"].eq("suspended").to_numpy(dtype=bool)] = "suspended"
    return pd.Series(chosen, index=numbers.index, name="segment")


def exposure(intervals: pd.DataFrame) -> pd.DataFrame:
    """Deaths and number-months per segment from observed intervals.

    `intervals`: segment, alive_at (evidence of life by the same owner), seen_at (the next evidence), died (bool: it showed death or other hands). A death is
    somewhere inside its interval: half of it is counted as life.
    """
    months = (intervals["seen_at"] - intervals["alive_at"]).dt.total_seconds() / 86400 / DAYS_PER_MONTH
    died = intervals["died"].astype(bool)
    lived = months.clip(lower=0).where(~died, months / 2)
    counted = pd.DataFrame({"segment": intervals["segment"], "deaths": died.astype(float), "exposure_months": lived})
    return counted.groupby("segment", as_index=False).sum()


def learn(observed: pd.DataFrame, prior: pd.DataFrame | None = None) -> pd.DataFrame:
    """The posterior rates after `observed` (segment, deaths, exposure_months), with a 90 % interval (low, high). New segments start from the fallback's prior."""
    table = default_hazards() if prior is None else prior.copy()
    totals = observed.groupby("segment")[["deaths", "exposure_months"]].sum()
    fallback = table.loc[_defaults()["fallback"]]
    for name in totals.index.difference(table.index):
        table.loc[name] = fallback
    table["a"] = table["a"].add(totals["deaths"], fill_value=0.0).reindex(table.index)
    table["b"] = table["b"].add(totals["exposure_months"], fill_value=0.0).reindex(table.index)
    table["rate"] = table["a"] / table["b"]
    table["low"] = stats.gamma.ppf(0.05, table["a"], scale=1 / table["b"])
    table["high"] = stats.gamma.ppf(0.95, table["a"], scale=1 / table["b"])
    return table


def stale_probability(rate: npt.ArrayLike, months: npt.ArrayLike) -> Floats:
    """Probability of death or other hands after so many months at a monthly rate."""
    stale: Floats = -np.expm1(-np.asarray(rate, dtype=float) * np.asarray(months, dtype=float))
    return stale


def break_even_months(rate: npt.ArrayLike, price: npt.ArrayLike, waste: npt.ArrayLike) -> Floats:
    """After how many months asking pays: -ln(1 - price / waste) / rate. Infinite where the price is not below the waste."""
    share = np.asarray(price, dtype=float) / np.asarray(waste, dtype=float)
    inside = np.where(share < 1, share, 0.0)
    months = -np.log1p(-inside) / np.asarray(rate, dtype=float)
    return np.asarray(np.where(share < 1, months, np.inf), dtype=float)


def rank(
    numbers: pd.DataFrame, hazards: pd.DataFrame, now: pd.Timestamp, cadence: Cadence | None = None
) -> pd.DataFrame:
    """What asking each number is worth now.

    `numbers`: number, segment, confirmed_at (last evidence of life by the same owner, NaT if never), p_dead (belief at that time; for a number never confirmed the
    rate of its lead source), call_probability (chance that somebody calls within the next period; 0 for numbers that are out of the lists), price.
    Returns the same rows with p_stale, worth, priority (worth per money), due.
    """
    cadence = cadence or Cadence()
    table = hazards.reindex(numbers["segment"].where(numbers["segment"].isin(hazards.index), _defaults()["fallback"]))
    rate = table["rate"].to_numpy(dtype=float)
    floor = table["min_days"].fillna(cadence.min_days).to_numpy(dtype=float)
    days = ((now - numbers["confirmed_at"]).dt.total_seconds() / 86400).to_numpy(dtype=float)
    never = np.isnan(days)
    shifted = np.where(never, 0.0, days * _jitter(numbers["number"], cadence.jitter))
    alive = (1 - numbers["p_dead"].to_numpy(dtype=float)) * np.exp(-rate * shifted / DAYS_PER_MONTH)
    price = numbers["price"].to_numpy(dtype=float)
    called = numbers["call_probability"].to_numpy(dtype=float)
    worth = called * (1 - alive) * cadence.waste
    ripe = never | (days >= floor)
    overdue = ~never & (shifted >= cadence.max_days) & (called > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        priority = np.where(price > 0, worth / price, np.where(worth > 0, np.inf, 0.0))
    return numbers.assign(
        p_stale=1 - alive, worth=worth, priority=priority, due=ripe & ((worth > price) | overdue) & (called > 0)
    )


def fixed_due(
    numbers: pd.DataFrame, now: pd.Timestamp, days: Mapping[str, float], default_days: float = 90.0
) -> pd.Series:
    """The alternative: due when the last confirmation is older than the segment's days, or when there was none."""
    limit = numbers["segment"].map(dict(days)).fillna(default_days).astype(float)
    age = (now - numbers["confirmed_at"]).dt.total_seconds() / 86400
    due: pd.Series = age.isna() | (age >= limit)
    return due


def allocate(ranked: pd.DataFrame, budget: float | None) -> pd.DataFrame:
    """The due numbers to ask with this money, most worth per money first. When it ends, the most valuable ones were taken. None: no limit."""
    due = ranked[ranked["due"]].sort_values(["priority", "worth", "number"], ascending=[False, False, True])
    if budget is None:
        return due
    return due[due["price"].cumsum() <= budget + 1e-9]


def _jitter(numbers: pd.Series, width: float) -> Floats:
    """A factor between 1 - width and 1 + width that stays the same for a number."""
    hashed = pd.util.hash_array(numbers.to_numpy(dtype=object))
    return 1 + width * (2 * (hashed / 2.0**64) - 1)
