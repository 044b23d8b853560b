"""Lead sources, measured: speed and memory, right grades, delay and false alarms of the change alarm. `python -m benchmarks.sources [--quick]`."""

from __future__ import annotations

import argparse
import time

import numpy as np
import pandas as pd
import psutil
from rich.console import Console
from rich.table import Table

from ringtrue.cusum import AlarmState, advance
from ringtrue.source_counts import SourceCounter
from ringtrue.source_grades import fit_prior, grade_is_right, grades, posterior
from ringtrue.source_quality import quality_table, weekly_shares
from ringtrue.source_settings import SourceQualitySettings
from tests.sources.world import numbers_of

CEILINGS = (("A", 0.05), ("B", 0.10), ("C", 0.15), ("D", 0.20), ("F", 1.0))


def speed(sources: int, numbers: int) -> list[tuple[str, str, str]]:
    """Seconds and peak memory for the whole table, fed in batches of 100,000 as the ledger reads them. Making the batches is not counted."""
    rng = np.random.default_rng(5)
    shares = {f"source_{position:04d}": float(rng.beta(2, 18)) for position in range(sources)}
    slugs = tuple(shares)
    process, peak, spent, done = psutil.Process(), 0, 0.0, 0
    counter = SourceCounter((*slugs, "other"))
    weight = rng.dirichlet(np.full(sources, 0.5))
    while done < numbers:
        batch = min(100_000, numbers - done)
        frame = numbers_of(shares, rng.multinomial(batch, weight).tolist(), seed=done, first_number=done)
        shared = rng.choice(batch, batch // 40, replace=False)
        frame.loc[shared, "number"] = frame["number"].to_numpy()[(shared + batch // 2) % batch]
        frame = frame.drop_duplicates(["source", "number"])
        started = time.perf_counter()
        counter.add(frame)
        spent += time.perf_counter() - started
        peak = max(peak, process.memory_info().rss)
        done += batch
    started = time.perf_counter()
    table = quality_table(counter, {}, SourceQualitySettings())
    weekly_shares(counter.weeks())
    counter.reasons()
    spent += time.perf_counter() - started
    peak = max(peak, process.memory_info().rss)
    return [
        (f"{len(table) - 1:,} sources, {numbers:,} numbers", f"{spent:.1f} s", "under 60 s"),
        ("peak memory of the process", f"{peak / 2**20:,.0f} MiB", "under 1,024 MiB"),
    ]


def right_grades(seeds: int) -> list[tuple[str, str, str]]:
    """Share of sources with 200 numbers or more whose grade is right, over worlds of 30 sources."""
    rows: list[tuple[str, str, str]] = []
    for title, sizes in (("200 to 3,000 numbers", (200, 3_001)), ("exactly 200 numbers", (200, 201))):
        right = same = graded = 0
        for seed in range(seeds):
            rng = np.random.default_rng(seed)
            shares = rng.uniform(0, 0.4, 30) if seed % 2 else rng.choice([0.01, 0.03, 0.08, 0.12, 0.18, 0.3, 0.45], 30)
            verified = rng.integers(*sizes, 30)
            bad = rng.binomial(verified, shares)
            for grade, share in zip(
                grades(posterior(bad, verified, fit_prior(bad, verified)), verified), shares, strict=True
            ):
                graded += 1
                right += grade_is_right(grade, float(share))
                same += grade == next(letter for letter, ceiling in CEILINGS if share <= ceiling)
        rows.append((f"grade right, {title}", f"{right / graded:.1%}", "at least 95 %"))
        rows.append((f"  the very letter of the true share, {title}", f"{same / graded:.1%}", ""))
    return rows


def alarms(runs: int, shares: tuple[float, ...]) -> list[tuple[str, str, str]]:
    """Points between false alarms, and points to the alarm once the bad share has doubled (2,300 unchanged points come first)."""
    rows: list[tuple[str, str, str]] = []
    for share in shares:
        false_alarms, delays = 0, []
        for seed in range(runs):
            rng = np.random.default_rng(seed)
            before = advance({}, _points(rng.random(2_300) < share, 0))["web"]
            false_alarms += before.alarms
            delays.append(_delay(before, rng.random(1_500) < 2 * share))
        every = runs * 2_000 / max(false_alarms, 1)
        rows.append((f"false alarm, bad share {share:.0%} unchanged", f"one in {every:,.0f} leads", "one in 2,000"))
        rows.append(
            (f"alarm after it doubles to {2 * share:.0%} (median)", f"{np.median(delays):.0f} leads", "within 150")
        )
    return rows


def _delay(state: AlarmState, bad: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> int:
    """Points until the chart rings, from wherever its sum stood. One that rings already is quiet again first."""
    if state.ringing:
        state = state.model_copy(update={"ringing": False, "since": None, "total": 0.0})
    for done in range(0, len(bad), 50):
        state = advance({"web": state}, _points(bad[done : done + 50], 1))["web"]
        if state.since is not None:
            since = pd.Timestamp(state.since) - pd.Timestamp("2026-06-01", tz="UTC")
            return done + int(since.total_seconds() // 60) + 1
    return len(bad)


def _points(bad: np.ndarray[tuple[int], np.dtype[np.bool_]], part: int) -> pd.DataFrame:
    begin = pd.Timestamp("2026-06-01" if part else "2026-01-01", tz="UTC")
    at = begin + pd.to_timedelta(np.arange(len(bad)), unit="min")
    return pd.DataFrame({"source": "web", "batch": None, "verified_at": at, "bad": bad, "invalid": False})


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the numbers and runs")
    small = 10 if parser.parse_args().quick else 1
    table = Table("measured", "result", "goal", title="Lead sources")
    for row in [
        *right_grades(200 // small),
        *alarms(400 // small, (0.02, 0.03, 0.04, 0.05, 0.08, 0.10, 0.20, 0.40)),
        *speed(1_000 // small, 5_000_000 // small),
    ]:
        table.add_row(*row)
    Console().print(table)


if __name__ == "__main__":
    main()
