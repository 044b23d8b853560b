"""Observations in one line each, for tests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from ringtrue.policy import Policy
from ringtrue.status import decide

NOW = pd.Timestamp("2026-06-15 12:00", tz="UTC")
NUMBER = "+14155550123"


def seen(outcome: str, at: str | pd.Timestamp, number: str = NUMBER, **more: Any) -> dict[str, Any]:
    """One observation. A bare date means noon. `service="melissa"` makes it a lookup of that service."""
    when = pd.Timestamp(at)
    if isinstance(at, str) and len(at) == 10:
        when += pd.Timedelta(hours=12)
    service = more.pop("service", None)
    return {
        "number": number,
        "contact": None,
        "source": f"lookup:{service}" if service else "call:salesforce",
        "group": service,
        "outcome": outcome,
        "observed_at": when if when.tzinfo else when.tz_localize("UTC"),
        "trunk": None,
        **more,
    }


def frame(observations: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """The observations as `decide` wants them."""
    return pd.DataFrame(list(observations))


def decided(
    *observations: dict[str, Any], now: pd.Timestamp = NOW, policy: Policy | None = None, contact: str | None = None
) -> dict[str, Any]:
    """The decision for the number (or for a contact) when there is one number."""
    result = decide(frame(observations), policy or Policy(), now)
    chosen = result[result["contact"].isna()] if contact is None else result[result["contact"] == contact]
    assert len(chosen) == 1
    return {str(key): value for key, value in chosen.iloc[0].items()}
