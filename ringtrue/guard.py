"""A run that would change too much stops: a plan is compared with fixed shares and with what is usual, and past a limit a person decides.

What is usual is told by the plans that passed before. A count `x` is unusual when it is larger than both

* the upper prediction limit of a negative binomial distribution, the Poisson distribution whose variance may be larger than its mean: `P(X > limit) <= chance` with the mean `m`
  and the variance `v (1 + 1/n)` of the `n` counts seen (Hahn, Meeker and Escobar, Statistical Intervals, 2nd ed. 2017, ch. 7; dispersion by moments as in McCullagh and Nelder,
  Generalized Linear Models, 2nd ed. 1989, 6.2.3; `v` is never taken to be below the Poisson distribution's own), and
* `LARGEST_TIMES` the largest count seen, since moments know little of rare bursts.

The largest count is left out of what is usual: one exceptional plan that a person let pass does not become the usual, the second of its kind does (a registry's monthly list).

Measured by simulation with the default `chance` of 0.0001 (tests/operating/test_usual.py): of plans that are like the others none is stopped where counts are even or come in nightly bursts; where their variance is
12 to 60 times the mean, 0.9 in a thousand after 50 plans and 0.3 in a thousand after 200. Four times the mean is stopped always where counts are even, in nine of ten cases at 12 times.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from ringtrue.changes import Fields
from ringtrue.fields import OwnFields
from ringtrue.settings import GuardSettings

RETIRED = frozenset({"disconnected", "invalid", "wrong_person"})
TALLY = ("records", "newly retired", "newly do-not-call", "reversed decisions")
LARGEST_TIMES = 1.5


class Usual(NamedTuple):
    """What plans counted before: how many plans, the mean, and the most that is still usual."""

    plans: int
    mean: float
    most: int


class Compared(NamedTuple):
    """One count of a plan beside its limits. `usual` is None as long as there is too little history."""

    name: str
    found: int
    share: float
    share_limit: float
    usual: Usual | None
    objection: str | None
    """Why a person should look first."""


def tally(plans: Iterable[tuple[Fields, OwnFields]]) -> Counter[str]:
    """Count what a plan does to records: changed, newly retired, newly do-not-call, reversed (dead to alive or back).

    The first status of a record is no change: new records come in any number.
    """
    counted = Counter[str]()
    for fields, own in plans:
        pair = fields.get(own.status)
        first_fill = pair is not None and pair[0] is None
        counted["records"] += not first_fill
        if pair is not None and not first_fill:
            before, after = pair
            counted["newly retired"] += after in RETIRED and before not in RETIRED
            counted["reversed decisions"] += (before in RETIRED and after == "active") or (
                before == "active" and after in RETIRED
            )
        flag = fields.get(own.do_not_call)
        counted["newly do-not-call"] += flag is not None and flag[1] == "true"
    return counted


def usual(history: Sequence[int], *, chance: float, least: int) -> Usual | None:
    """What is usual after the counts of earlier plans; None with fewer than `least` of them."""
    if len(history) < max(least, 3):
        return None
    seen = np.sort(np.asarray(history, dtype=float))[:-1]
    plans = len(seen)
    mean = (float(seen.sum()) + 0.5) / plans
    variance = max(float(seen.var(ddof=1)), mean) * (1 + 1 / plans)
    # Negative binomial by its moments: mean r (1 - p) / p, variance mean / p.
    p = mean / variance
    limit = float(stats.nbinom.isf(chance, mean * p / (1 - p), p))
    return Usual(plans + 1, float(seen.mean()), int(max(limit, LARGEST_TIMES * seen[-1])))


def compare(
    counted: Mapping[str, int],
    living: int,
    limits: GuardSettings,
    history: Sequence[Mapping[str, int]],
    before: Mapping[str, int] | None = None,
) -> list[Compared]:
    """Each count of a plan beside its limits. `living` is the number of records of the connection, `history` the counts of plans that passed before.

    `before` was written ahead of the plan already: it counts for the shares, so that a flood does not pass in parts.
    """
    shares = {
        "records": limits.records_changed_share,
        "newly retired": limits.newly_retired_share,
        "newly do-not-call": limits.newly_do_not_call_share,
        "reversed decisions": limits.reversed_share,
    }
    rows = []
    for name, limit in shares.items():
        count, ahead = counted.get(name, 0), (before or {}).get(name, 0)
        share = (count + ahead) / living if living else 0.0
        known = usual(
            [plan.get(name, 0) for plan in history], chance=limits.usual_chance, least=limits.usual_least_plans
        )
        objection = None
        if count and count + ahead > limits.small_plan and living:
            if share > limit:
                with_those = f" and {ahead} written ahead of the sync within a day" if ahead else ""
                objection = f"{count} {name}{with_those} are {share:.0%} of {living} records; the limit is {limit:.0%}."
            elif known is not None and count > max(known.most, limits.small_plan):
                objection = (
                    f"{count} {name} are unusually many: the last {known.plans} plans had {known.mean:.1f} on average, "
                    f"and up to {known.most} would be usual."
                )
        rows.append(Compared(name, count, share, limit, known, objection))
    return rows
