"""What each lead source is worth: one row per source, from the counts of its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from ringtrue.records import STATUSES
from ringtrue.source_counts import BAD_STATUSES, Counts, SourceCounter
from ringtrue.source_grades import (
    BLAME_CERTAINTY,
    DEFAULT_PRIOR,
    FAIL_FLOOR,
    Posterior,
    Prior,
    fit_prior,
    grades,
    posterior,
    wilson,
)
from ringtrue.source_settings import SourceQualitySettings, SourceRule

QUALITY_COLUMNS: Final[dict[str, str]] = {
    "source": "slug",
    "label": "what people call it",
    "group": "kind of source",
    "leads": "contacts the source brought",
    "numbers": "distinct numbers on them",
    "verified": "numbers that were ever verified",
    "arrived": "numbers seen within the arrival window of their contact's creation",
    "arrived_invalid": "of these, refused by the numbering rules at once",
    "arrived_verified": "of these, checked within the window by a call or a lookup (the rules' refusals apart)",
    "arrived_bad": "of the checked ones, found bad",
    "arrived_disconnected": "of these, without a subscriber",
    "arrived_wrong_person": "of these, somebody else's",
    "coverage": "arrived_verified over the arrived numbers that the rules did not refuse; null without any",
    "evidence": "numbers the bad share rests on (see `arrival_evidence`)",
    "bad_share": "estimate of invalid on arrival, shrunk towards the other sources",
    "bad_low": "5 % quantile of it: the bound to blame by",
    "bad_high": "95 % quantile of it: the bound to praise by",
    "bad_raw": "the share as counted; null without evidence",
    "wilson_low": "Wilson 95 % bounds of the counted share",
    "wilson_high": "",
    "chance_above": "probability that the bad share is above the tolerated one",
    "grade": "A, B, C, D, F; empty: not enough data",
    "blame_rank": "1 = surely the worst (by bad_low)",
    "praise_rank": "1 = surely the best (by bad_high)",
    **{f"status_{status}": f"numbers that are {status} today" for status in STATUSES},
    "do_not_call_share": "of the numbers",
    "reach_share": "reached, of the numbers whose reach is known",
    "decay_90d": "share that died within 90 days of being found good; null where fewer than ten were followed that long",
    "decay_low": "90 % bounds of it",
    "decay_high": "",
    "duplicates": "numbers that another source brought as well",
    "duplicate_share": "of the numbers",
    "attempts": "calls made to its numbers",
    "money_spent": "price of the leads, calls and lookups",
    "money_wasted": "price of the share that was bad on arrival, and the calls to numbers that are bad today",
}
FEWEST_FOLLOWED: Final = 10

Floats = npt.NDArray[np.float64]


def arrival_evidence(arrived: Counts, invalid: Counts, verified: Counts, bad: Counts) -> tuple[Floats, Floats]:
    """Bad numbers and numbers in all that the arrival share rests on.

    The rules look at every number, calls and lookups at a part of the rest. Counting the refused ones in full beside that part would make the less checked source look worse,
    so they count by the same part (coverage c): (bad + c invalid) of (verified + c invalid), which is the stratified estimate of the share over all arrivals.
    """
    valid = arrived - invalid
    coverage = np.where(valid > 0, verified / np.maximum(valid, 1), 1.0)
    return bad + coverage * invalid, verified + coverage * invalid


def quality_table(
    counter: SourceCounter,
    sources: Mapping[str, SourceRule],
    settings: SourceQualitySettings,
    *,
    leads: Mapping[str, int] | None = None,
) -> pd.DataFrame:
    """`QUALITY_COLUMNS` of every source of the counter, worst first (by `blame_rank`).

    `leads`: contacts per source; where it says nothing a source has as many as numbers. Sources named in the settings without any lead stay in the table.
    """
    slugs = list(counter.sources)
    rules = [sources.get(slug) for slug in slugs]
    bad, evidence = arrival_evidence(
        counter.arrived, counter.arrived_invalid, counter.arrived_verified, counter.arrived_bad
    )
    known, behind = _known(counter, bad, evidence)
    low, high = wilson(bad, evidence)
    valid = counter.arrived - counter.arrived_invalid
    table = pd.DataFrame(
        {
            "source": slugs,
            "label": [
                rule.label if rule else ("Other sources" if slug == "other" else slug)
                for slug, rule in zip(slugs, rules, strict=True)
            ],
            "group": [rule.group if rule else "" for rule in rules],
            "leads": [
                int((leads or {}).get(slug, number))
                for slug, number in zip(slugs, counter.numbers.tolist(), strict=True)
            ],
            "numbers": counter.numbers,
            "verified": counter.verified,
            "arrived": counter.arrived,
            "arrived_invalid": counter.arrived_invalid,
            "arrived_verified": counter.arrived_verified,
            "arrived_bad": counter.arrived_bad,
            "arrived_disconnected": counter.arrived_disconnected,
            "arrived_wrong_person": counter.arrived_wrong_person,
            "coverage": _share(counter.arrived_verified, valid),
            "evidence": evidence,
            "bad_share": known.mean,
            "bad_low": known.quantile(0.05),
            "bad_high": known.quantile(0.95),
            "bad_raw": _share(bad, evidence),
            "wilson_low": low,
            "wilson_high": high,
            "chance_above": known.above(settings.tolerated_share),
            "grade": grades(known, behind, minimum_verified=settings.minimum_verified),
        }
    )
    table["blame_rank"] = table["bad_low"].rank(ascending=False, method="first").astype("int64")
    table["praise_rank"] = table["bad_high"].rank(ascending=True, method="first").astype("int64")
    for position, status in enumerate(STATUSES):
        table[f"status_{status}"] = counter.by_status[:, position]
    table["do_not_call_share"] = _share(counter.do_not_call, counter.numbers)
    table["reach_share"] = _share(counter.reached, counter.reach_known)
    table["decay_90d"], table["decay_low"], table["decay_high"] = decay(counter.deaths, counter.censored)
    duplicates = counter.duplicates()
    table["duplicates"] = duplicates
    table["duplicate_share"] = _share(duplicates, counter.numbers)
    table["attempts"] = counter.attempts
    price = np.array([rule.cost_per_lead if rule else 0.0 for rule in rules])
    paid = price * table["leads"].to_numpy()
    table["money_spent"] = paid + counter.attempts * settings.cost_per_attempt + counter.lookup_cost
    bought_bad = np.where(evidence > 0, bad / np.maximum(evidence, 1e-9), 0.0) * paid
    table["money_wasted"] = bought_bad + counter.bad_attempts * settings.cost_per_attempt
    return table[list(QUALITY_COLUMNS)].sort_values("blame_rank").reset_index(drop=True)


def fitted_prior(counter: SourceCounter) -> Prior:
    """The bad share to expect of any source of this company: the starting point of `quality_table`, and of a new number's odds of being dead."""
    return fit_prior(
        *arrival_evidence(counter.arrived, counter.arrived_invalid, counter.arrived_verified, counter.arrived_bad)
    )


def weekly_shares(weeks: pd.DataFrame) -> pd.DataFrame:
    """`SourceCounter.weeks()` with `evidence`, `share` (null without evidence) and its Wilson 90 % bounds `low` and `high`."""
    counts = [weeks[column].to_numpy(dtype=np.int64) for column in ("arrived", "invalid", "verified", "bad")]
    bad, evidence = arrival_evidence(*counts)
    low, high = wilson(bad, evidence, 0.90)
    return weeks.assign(evidence=evidence, share=_share(bad, evidence), low=low, high=high)


def decay(deaths: Counts, censored: Counts) -> tuple[Floats, Floats, Floats]:
    """Share dead within the last column's day, with 90 % bounds: Kaplan and Meier's estimate with Greenwood's variance on the log-log scale.

    Both tables have one row per source and one column per day: numbers that died, and numbers last known alive, after so many days. A number last seen on the day it could have died
    counts as at risk on that day. Null where fewer than ten numbers were at risk on the last day.
    """
    leaving = deaths + censored
    at_risk = leaving[:, ::-1].cumsum(axis=1)[:, ::-1]
    safe = np.maximum(at_risk, 1)
    surviving = np.prod(1 - deaths / safe, axis=1)
    variance = np.sum(deaths / np.maximum(safe * (safe - deaths), 1), axis=1)
    followed = at_risk[:, -1] >= FEWEST_FOLLOWED
    inner = np.clip(surviving, 1e-9, 1 - 1e-9)
    spread = np.exp(1.6448536 * np.sqrt(variance) / np.abs(np.log(inner)))
    low = np.where(surviving < 1, 1 - inner ** (1 / spread), 0.0)
    high = np.where(surviving < 1, 1 - inner**spread, 1 - 0.05 ** (1 / np.maximum(at_risk[:, -1], 1)))
    dead, low, high = (np.where(followed, values, np.nan) for values in (1 - surviving, low, high))
    return dead, low, high


def bad_on_arrival(rows: pd.DataFrame, *, arrival_days: float = 7.0) -> pd.Series:
    """Which rows are numbers that were bad at their first verification within the arrival window: `created_at`, `first_verified_at`, `first_status`."""
    waited = pd.to_datetime(rows["first_verified_at"], utc=True) - pd.to_datetime(rows["created_at"], utc=True)
    return rows["first_status"].isin(list(BAD_STATUSES)) & (waited <= pd.Timedelta(days=arrival_days))


def _known(counter: SourceCounter, bad: Floats, evidence: Floats) -> tuple[Posterior, Floats]:
    """What is known of each bad share, and the numbers behind it.

    Where hardly anything was called or looked up, what the rules refused can say more than the little evidence: a source with half its numbers impossible is bad whatever the rest is like.
    """
    both = posterior(bad, evidence, fit_prior(bad, evidence))
    rules = posterior(counter.arrived_invalid, counter.arrived, DEFAULT_PRIOR)
    worse = rules.quantile(0.05) > both.quantile(0.05)
    known = Posterior(np.where(worse, rules.alpha, both.alpha), np.where(worse, rules.beta, both.beta))
    failed = worse & (rules.above(FAIL_FLOOR) > BLAME_CERTAINTY)
    return known, np.where(failed, counter.arrived, evidence)


def _share(part: npt.ArrayLike, whole: npt.ArrayLike) -> Floats:
    top, bottom = np.asarray(part, dtype=np.float64), np.asarray(whole, dtype=np.float64)
    return np.where(bottom > 0, top / np.where(bottom > 0, bottom, 1.0), np.nan)
