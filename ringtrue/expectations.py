"""What to expect of a number before anything is heard of it, learned from the ledger: the share of dead numbers by lead source, the hazard by kind of line,
how many calls report a suspension.

They are part of the policy: a decision names the version it was made with, so the same evidence and version always give the same decision. Rates move in steps
and are learned at most once a month (`LEARN_DAYS`), for every new version decides every number again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

import numpy as np
import orjson
import pandas as pd

from ringtrue.policy import Policy
from ringtrue.source_grades import fit_prior, posterior
from ringtrue.suspensions import usual_reports

LEARN_DAYS = 30
FEWEST_TOLD = 30
"""Numbers of a source that somebody has told something of before it has a prior of its own."""
SAID_DEAD_OF_DEAD = 0.92
SAID_DEAD_OF_LIVING = 0.02
"""How often the first call or service that tells anything says "nobody has this number", of dead lines and of live ones (the strengths of the vocabulary, and the
calls of the decision rule's simulation). The share of dead numbers follows from the share said to be dead (Rogan and Gladen 1978)."""
PRIOR_STEPS = (0.02, 0.04, 0.07, 0.10, 0.15, 0.20, 0.30, 0.40)
"""Shares of dead numbers that a source can have. None above 0.4: a source's name alone is half a verdict, never a whole one."""
_RATE_STEP = 1.25
HIGHEST_STEP = 1
"""A list that dies fast is believed to be so only by a quarter: the strengths of calls and services are not learned along, and where these err as much more often, hazards taken in full
retired more than twice as many live numbers (benchmarks/truth.md)."""
_REPORT_STEP = 2.0
_REPORT_CALLS = 3_000
"""The table's share of calls that report a suspension weighs as much as this many calls, so that no report vouches for itself."""
_SEGMENTS = ("landline", "mobile", "business_direct", "voip", "unknown")


@dataclass(frozen=True)
class Expectations:
    """`priors` by lead source (slug), P(no subscriber) on arrival; `hazards` by segment, share of live lines that die in a month;
    `reports` by lines (`suspensions.lines_named`), share of calls that report a suspension. Empty: the policy's own."""

    priors: Mapping[str, float] = field(default_factory=dict)
    hazards: Mapping[str, float] = field(default_factory=dict)
    reports: Mapping[str, float] = field(default_factory=dict)
    learned_at: int = 0
    """Milliseconds since 1970."""

    def applied(self, policy: Policy) -> Policy:
        """The policy with the learned hazards in the place of its defaults. A hazard that somebody set by hand stands."""
        if not policy.learn:
            return policy
        usual = {one.name: one.default for one in fields(Policy)}
        names = {f"hazard_{segment}": rate for segment, rate in self.hazards.items()}
        learned = {name: rate for name, rate in names.items() if getattr(policy, name) == usual[name]}
        return replace(policy, **learned) if learned else policy  # type: ignore[arg-type]  # all hazards are floats

    def prior(self, source: str, policy: Policy) -> float:
        """P(no subscriber) of a number from this source before anything is heard."""
        return self.priors.get(source, policy.prior_dead) if policy.learn else policy.prior_dead

    def version(self, policy: Policy) -> str:
        """Twelve hex digits that change with the policy, the evidence vocabulary and everything learned."""
        version = self.applied(policy).version
        if not (self.priors or self.reports) or not policy.learn:
            return version
        learned = [dict(self.priors), dict(self.reports)]
        content = version.encode() + orjson.dumps(learned, option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(content).hexdigest()[:12]

    def due(self, now: int) -> bool:
        """Whether it is time to learn again: every month, and with every run while nothing is known yet."""
        return not (self.priors or self.hazards or self.reports) or now - self.learned_at >= LEARN_DAYS * 86_400_000

    def as_json(self) -> str:
        """For the ledger."""
        return orjson.dumps(
            {
                "priors": dict(self.priors),
                "hazards": dict(self.hazards),
                "reports": dict(self.reports),
                "learned_at": self.learned_at,
            }
        ).decode()

    @classmethod
    def from_json(cls, text: str) -> Expectations:
        """As the ledger kept them."""
        told = orjson.loads(text)
        return cls(told["priors"], told["hazards"], told.get("reports", {}), told["learned_at"])


def learned(first: pd.DataFrame, rates: pd.DataFrame, calls: pd.DataFrame, now: int) -> Expectations:
    """Expectations from what the ledger saw.

    `first`: source, dead and alive: its numbers by the first evidence that told of their line. That evidence, and not the verdict, is counted: a verdict of death takes
    two signs, one of life takes one, so shares of verdicts would be too low. `rates`: index segment, column rate (`staleness.learn`). `calls`: lines, calls, and
    reported: how many numbers among them a call has reported as suspended. A rate is named only where its step is not the default's.
    """
    told = first["dead"] + first["alive"]
    said = posterior(first["dead"], told, fit_prior(first["dead"], told)).mean
    shares = (said - SAID_DEAD_OF_LIVING) / (SAID_DEAD_OF_DEAD - SAID_DEAD_OF_LIVING)
    priors = {
        str(source): prior_step(float(share))
        for source, share, count in zip(first["source"], shares, told, strict=True)
        if count >= FEWEST_TOLD
    }
    usual = Policy()
    hazards = {
        segment: rate
        for segment in _SEGMENTS
        if segment in rates.index
        and (rate := rate_step(float(rates["rate"].to_dict()[segment]), usual.hazard(segment))) != usual.hazard(segment)
    }
    reports = {
        str(lines): step
        for lines, count, reported in zip(calls["lines"], calls["calls"], calls["reported"], strict=True)
        if (step := report_step(str(lines), int(count), int(reported))) != usual_reports(str(lines))
    }
    return Expectations(priors, hazards, reports, now)


def report_step(lines: str, calls: int, reported: int) -> float:
    """The share of calls that report a suspension: the table's, drawn towards what was heard, in steps of two. Numbers are counted, not reports:
    a barred line is called again and again."""
    usual = usual_reports(lines)
    rate = (reported + usual * _REPORT_CALLS) / (calls + _REPORT_CALLS)
    power = round(float(np.log(rate / usual) / np.log(_REPORT_STEP)))
    return float(usual * _REPORT_STEP**power)


def prior_step(share: float) -> float:
    """The step nearest in odds."""
    steps = np.array(PRIOR_STEPS)
    held = np.clip(share, steps[0], steps[-1])
    return float(steps[np.argmin(np.abs(np.log(steps / (1 - steps)) - np.log(held / (1 - held))))])


def rate_step(rate: float, usual: float) -> float:
    """The usual rate times the power of 1.25 that comes nearest, down to a tenth and up to `HIGHEST_STEP`."""
    power = round(float(np.clip(np.log(rate / usual), -np.log(10), np.log(10))) / np.log(_RATE_STEP))
    power = min(power, HIGHEST_STEP)
    return float(round(usual * _RATE_STEP**power, 6))
