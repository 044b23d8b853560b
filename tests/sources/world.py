"""Numbers of sources whose quality is known, as the ledger would hand them over."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

START = pd.Timestamp("2026-01-05", tz="UTC")
NOW = pd.Timestamp("2026-07-06", tz="UTC")


def numbers_of(
    shares: dict[str, float],
    sizes: Sequence[int],
    *,
    seed: int = 0,
    coverage: float = 1.0,
    invalid_part: float = 0.5,
    monthly_decay: float = 0.02,
    first_number: int = 0,
) -> pd.DataFrame:
    """One row per number in the columns of `NUMBER_COLUMNS`: a part of the bad ones is refused by the rules, the rest shows when called or looked up."""
    rng = np.random.default_rng(seed)
    slugs = list(shares)
    source = np.repeat(np.arange(len(slugs), dtype=np.int32), sizes)
    n = len(source)
    bad = rng.random(n) < np.array(list(shares.values()))[source]
    invalid = bad & (rng.random(n) < invalid_part)
    checked = invalid | (rng.random(n) < coverage)
    day = 86_400
    created = START + pd.to_timedelta(rng.integers(0, 150 * day, n), unit="s")
    verified = pd.Series(created + pd.to_timedelta(rng.integers(3_600, 6 * day, n), unit="s")).where(checked)
    reason = rng.choice(["too_short", "excel_rounded", "placeholder"], n, p=[0.3, 0.5, 0.2])
    first = np.where(invalid, "invalid", np.where(bad, "disconnected", "active"))
    life = rng.exponential(30 / max(monthly_decay, 1e-9), n)
    died = pd.Series(verified + pd.to_timedelta(np.minimum(life, 10_000) * day, unit="s"))
    died = died.where(checked & ~bad & (died <= NOW))
    status = np.where(~checked, "unverified", np.where(died.notna(), "disconnected", first))
    attempts = rng.integers(0, 5, n)
    return pd.DataFrame(
        {
            "source": pd.Categorical.from_codes(source, dtype=pd.CategoricalDtype(slugs)),
            "number": np.arange(first_number, first_number + n, dtype=np.int64),
            "created_at": created,
            "seen_at": created + pd.Timedelta(minutes=30),
            "first_verified_at": verified,
            "first_status": pd.Categorical(pd.Series(first).where(checked)),
            "status": pd.Categorical(status),
            "reason": pd.Categorical(pd.Series(np.where(invalid, reason, "ok"))),
            "do_not_call": rng.random(n) < 0.03,
            "reach": pd.Categorical(rng.choice(["reached", "voicemail", "persistent_no_answer", "unknown"], n)),
            "died_at": died,
            "last_checked_at": pd.Series([NOW] * n).where(checked),
            "attempts": attempts,
            "lookup_cost": np.where(checked & ~invalid, 0.01, 0.0),
        }
    )
