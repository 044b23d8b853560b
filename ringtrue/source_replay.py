"""What would have been decided in a contact's first days, from the calls and lookups of that time: history can be judged, not only what arrives from now on."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd

from ringtrue.policy import Policy
from ringtrue.source_frame import SILENT, verdicts
from ringtrue.status import decide, trunk_alarms

_WEEK_MS: Final = 7 * 86_400_000
LIKELY_DEAD: Final = 0.99
"""A source is judged by a share, so a verdict serves of which one in a hundred is wrong; a single number is given up from the policy's `dead_from` on only."""


def judge_past(evidence: pd.DataFrame, limits: pd.DataFrame, policy: Policy) -> pd.DataFrame:
    """`number`, `contact`, `status`, `at` (ms) of the contacts whose number said something by its limit; the others are left out.

    `evidence`: the columns `decide` takes, `observed_at` as datetime. `limits`: `number`, `contact`, `limit` (ms): what is observed later does not count.
    The status that today's policy would have given then (`disconnected` from `LIKELY_DEAD` on): evidence moves by whole weeks, so that all limits meet in one moment and hours and weekdays stay what they were.
    """
    policy = replace(policy, dead_from=min(policy.dead_from, LIKELY_DEAD))
    parts = [
        _judge(evidence, limits[limits.groupby("number").cumcount() == turn], policy)
        for turn in range(int(limits.groupby("number").cumcount().max()) + 1 if len(limits) else 0)
    ]
    if not parts:
        return pd.DataFrame({"number": [], "contact": [], "status": [], "at": []})
    return pd.concat(parts, ignore_index=True)


def _judge(evidence: pd.DataFrame, limits: pd.DataFrame, policy: Policy) -> pd.DataFrame:
    known = evidence.merge(limits.rename(columns={"contact": "whose"}), on="number")
    observed = known["observed_at"].astype("int64") // _unit(known["observed_at"])
    known, observed = known[observed <= known["limit"]], observed[observed <= known["limit"]]
    if known.empty:
        return pd.DataFrame({"number": [], "contact": [], "status": [], "at": []})
    latest = observed.groupby(known["number"]).max()
    meeting = int(limits["limit"].max())
    moved = observed + (meeting - known["limit"]) // _WEEK_MS * _WEEK_MS
    known = known.assign(observed_at=pd.to_datetime(moved, unit="ms", utc=True))
    calm = trunk_alarms(known.iloc[:0], policy)
    decided = decide(known, policy, pd.Timestamp(meeting, unit="ms", tz="UTC"), alarms=calm)
    decided = decided.assign(verdict=verdicts(decided))
    numbers = decided[decided["contact"].isna()].set_index("number")["verdict"]
    wrong = decided[decided["contact"].notna() & (decided["verdict"] == "wrong_person")]
    theirs = pd.MultiIndex.from_arrays([wrong["number"], wrong["contact"].astype("int64")])
    answer = limits[["number", "contact"]].assign(
        status=limits["number"].map(numbers).to_numpy(), at=limits["number"].map(latest).to_numpy()
    )
    mine = pd.MultiIndex.from_frame(answer[["number", "contact"]]).isin(theirs)
    answer["status"] = answer["status"].where(~mine, "wrong_person")
    return answer[answer["status"].notna() & ~answer["status"].isin(SILENT)]


def _unit(times: pd.Series) -> int:
    """How many of a datetime column's ticks make a millisecond."""
    return int(np.timedelta64(1, "ms") / np.timedelta64(1, str(times.dt.unit)))  # type: ignore[call-overload]  # the unit is one of numpy's
