"""Speed and memory of `decide`: python -m benchmarks.decide [--numbers 1000000]

Two cases. History: five observations for each number, from calls over four trunks and two services, spread over two years. Rules: one
numbering rule for each number, which is what every sync brings.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
import pandas as pd

from ringtrue.policy import Policy
from ringtrue.status import decide

NOW = pd.Timestamp("2026-10-01", tz="UTC")
_OUTCOMES = {
    "no_answer": 0.36,
    "reached": 0.12,
    "voicemail": 0.20,
    "busy": 0.04,
    "not_assigned": 0.08,
    "disconnected_heard": 0.02,
    "absent": 0.04,
    "wrong_person": 0.01,
    "suspended": 0.01,
    "lookup_alive": 0.06,
    "lookup_dead": 0.02,
    "format_valid": 0.03,
    "error": 0.01,
}


def history(numbers: int, each: int = 5, seed: int = 1) -> pd.DataFrame:
    """`each` observations for each of `numbers` numbers, in no order."""
    chance = np.random.default_rng(seed)
    rows = numbers * each
    words = list(_OUTCOMES)
    outcome = chance.choice(len(words), rows, p=np.array(list(_OUTCOMES.values())) / sum(_OUTCOMES.values()))
    service = np.array([word.startswith("lookup") for word in words])[outcome]
    called = ~service & (outcome != words.index("format_valid"))
    which = chance.integers(0, 2, rows)
    digits = pd.Series(2_000_000_000 + np.arange(numbers) * 7).astype("str")
    who = chance.permutation(np.repeat(np.arange(numbers), each))
    contact = np.where(outcome == words.index("wrong_person"), who, -1)
    return pd.DataFrame(
        {
            "number": pd.Categorical.from_codes(who, pd.Index("+1" + digits)).astype("str"),
            "contact": pd.Series(contact).astype("Int64").mask(contact < 0),
            "source": pd.Categorical.from_codes(
                np.where(service, 1 + which, 0), pd.Index(["call:salesforce", "lookup:twilio", "lookup:melissa"])
            ),
            "group": pd.Categorical.from_codes(np.where(service, which, -1), pd.Index(["twilio", "melissa"])),
            "outcome": pd.Categorical.from_codes(outcome, pd.Index(words)),
            "observed_at": NOW - pd.to_timedelta(chance.integers(0, 730 * 86_400, rows), unit="s"),
            "trunk": pd.Categorical.from_codes(
                np.where(called, chance.integers(0, 4, rows), -1), pd.Index(["a", "b", "c", "d"])
            ),
        }
    )


def rules(numbers: int) -> pd.DataFrame:
    """One numbering rule for each number."""
    wrong = np.arange(numbers) % 20 == 0
    digits = pd.Series(2_000_000_000 + np.random.default_rng(2).permutation(numbers) * 7).astype("str")
    return pd.DataFrame(
        {
            "number": "+1" + digits,
            "contact": None,
            "source": "rule:numbering",
            "group": None,
            "outcome": pd.Categorical.from_codes(wrong.astype(int), pd.Index(["format_valid", "format_invalid"])),
            "observed_at": NOW,
            "trunk": None,
            "detail": pd.Categorical.from_codes(wrong.astype(int), pd.Index(["ok", "unassigned_range"])),
        }
    )


def _timed(name: str, observations: pd.DataFrame, numbers: int) -> None:
    begin = time.perf_counter()
    decisions = decide(observations, Policy(), NOW)
    took = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    shares = decisions["status"].value_counts(normalize=True)
    print(f"{name}: {numbers:,} numbers, {len(observations):,} observations in {took:.2f} s")
    print(f"  {numbers / took:,.0f} numbers/s, {len(observations) / took:,.0f} rows/s, peak {peak:,.0f} MiB")
    print("  " + ", ".join(f"{status} {share:.1%}" for status, share in shares.items()))


def main() -> None:
    """Print both cases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--numbers", type=int, default=1_000_000)
    numbers = parser.parse_args().numbers
    _timed("rules", rules(numbers), numbers)
    _timed("history", history(numbers), numbers)


if __name__ == "__main__":
    main()
