"""How sure one can be of a source's bad share: beta-binomial shrinkage, intervals, grades."""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import optimize, special, stats

Grade = Literal["A", "B", "C", "D", "F", ""]
"""A to F as below; empty means that there is not enough data to say."""

GRADE_CEILINGS: Final[tuple[tuple[Grade, float], ...]] = (("A", 0.05), ("B", 0.10), ("C", 0.15))
"""A, B and C claim a bad share below these. The claim is made when the chance that it is false is under 20 %."""
FAIL_FLOOR: Final = 0.20
"""F claims a bad share above this, made when its chance is over 90 %. D is what neither claim fits: above 15 % or not yet told apart from it."""
PRAISE_DOUBT: Final = 0.20
BLAME_CERTAINTY: Final = 0.90
WIDEST_INTERVAL: Final = 0.20
"""A source whose 90 % interval is wider than this gets no grade, except an F, which only a lot of bad numbers can earn."""

Floats = npt.NDArray[np.float64]


class Prior(NamedTuple):
    """Beta distribution of the bad share over a company's sources."""

    alpha: float
    beta: float

    @property
    def mean(self) -> float:
        """The bad share to expect of a source of which nothing is known."""
        return self.alpha / (self.alpha + self.beta)


DEFAULT_PRIOR: Final = Prior(2.0, 18.0)
FEWEST_SOURCES: Final = 8
FEWEST_VERIFIED: Final = 5
HEAVIEST_PRIOR: Final = 200.0
"""What other sources say never weighs more than this many numbers of its own."""


def fit_prior(bad: npt.ArrayLike, verified: npt.ArrayLike) -> Prior:
    """The prior that makes these counts likeliest: bad_s ~ BetaBinomial(verified_s, alpha, beta) over sources with five or more verified numbers.

    With fewer than eight such sources it is Beta(2, 18). Counts need not be whole. Mean and weight are fitted on the logit and log scale, the weight (alpha + beta)
    within 2 to 200.
    """
    k, n = np.asarray(bad, dtype=np.float64), np.asarray(verified, dtype=np.float64)
    use = n >= FEWEST_VERIFIED
    k, n = k[use], n[use]
    if len(k) < FEWEST_SOURCES:
        return DEFAULT_PRIOR

    def unlikeliness(point: Floats) -> float:
        mean, weight = special.expit(point[0]), np.exp(point[1])
        alpha, beta = mean * weight, (1 - mean) * weight
        return -float(np.sum(special.betaln(k + alpha, n - k + beta) - special.betaln(alpha, beta)))

    start = np.array([special.logit(np.clip(k.sum() / n.sum(), 1e-3, 0.999)), np.log(20.0)])
    limits = [(special.logit(1e-3), special.logit(0.999)), (np.log(2.0), np.log(HEAVIEST_PRIOR))]
    best = optimize.minimize(unlikeliness, start, method="L-BFGS-B", bounds=limits)
    mean, weight = float(special.expit(best.x[0])), float(np.exp(best.x[1]))
    return Prior(mean * weight, (1 - mean) * weight)


class Posterior(NamedTuple):
    """What is known of each source's bad share: arrays, one entry per source."""

    alpha: Floats
    beta: Floats

    @property
    def mean(self) -> Floats:
        """The estimate shown: pulled towards the other sources where a source has few numbers."""
        return np.asarray(self.alpha / (self.alpha + self.beta))

    def quantile(self, share: float) -> Floats:
        """The bad share below which the true one lies with this probability."""
        return np.asarray(stats.beta.ppf(share, self.alpha, self.beta))

    def above(self, share: float) -> Floats:
        """Probability that the true bad share is above `share`."""
        return np.asarray(stats.beta.sf(share, self.alpha, self.beta))


def posterior(bad: npt.ArrayLike, verified: npt.ArrayLike, prior: Prior) -> Posterior:
    """Prior and counts together."""
    k, n = np.asarray(bad, dtype=np.float64), np.asarray(verified, dtype=np.float64)
    return Posterior(prior.alpha + k, prior.beta + n - k)


def wilson(bad: npt.ArrayLike, verified: npt.ArrayLike, confidence: float = 0.95) -> tuple[Floats, Floats]:
    """Wilson's score interval of a share (Wilson 1927), 0 to 1 where nothing was verified."""
    k, n = np.asarray(bad, dtype=np.float64), np.asarray(verified, dtype=np.float64)
    z = float(stats.norm.ppf(0.5 + confidence / 2))
    safe = np.maximum(n, 1e-9)
    share = k / safe
    middle = (share + z**2 / (2 * safe)) / (1 + z**2 / safe)
    half = z * np.sqrt(share * (1 - share) / safe + z**2 / (4 * safe**2)) / (1 + z**2 / safe)
    known = n > 0
    return np.where(known, np.maximum(middle - half, 0.0), 0.0), np.where(known, np.minimum(middle + half, 1.0), 1.0)


def grades(known: Posterior, verified: npt.ArrayLike, *, minimum_verified: int = 20) -> list[Grade]:
    """The grade of each source.

    Nothing is claimed of a source with fewer than `minimum_verified` numbers verified on arrival, nor of one whose 90 % interval is wider than 0.20 (unless it is an F).
    """
    n = np.asarray(verified, dtype=np.float64)
    wide = known.quantile(0.95) - known.quantile(0.05) > WIDEST_INTERVAL
    failed = known.above(FAIL_FLOOR) > BLAME_CERTAINTY
    claims = [(grade, known.above(ceiling) < PRAISE_DOUBT) for grade, ceiling in GRADE_CEILINGS]
    silent = (n < minimum_verified) | (wide & ~failed)
    given: list[Grade] = []
    for position in range(len(n)):
        praise = next((grade for grade, holds in claims if holds[position]), None)
        given.append("" if silent[position] else praise or ("F" if failed[position] else "D"))
    return given


def grade_is_right(grade: str, true_share: float) -> bool:
    """Whether a grade tells the truth about a source whose bad share is known.

    A, B and C are right if the share is below their ceiling and not below the ceiling two letters better (a source under 5 % may wait at B for more numbers, not at C);
    D is right from 10 % to 30 %, F above 20 %.
    """
    ranges = {"A": (0.0, 0.05), "B": (0.0, 0.10), "C": (0.05, 0.15), "D": (0.10, 0.30), "F": (0.20, 1.0)}
    if grade not in ranges:
        return False
    low, high = ranges[grade]
    return low <= true_share <= high


def grade_fell(before: str, after: str) -> bool:
    """Whether a grade is worse than the one before. A grade that came or went with the amount of data did not fall."""
    order = "ABCDF"
    return bool(before) and bool(after) and order.index(after) > order.index(before)
