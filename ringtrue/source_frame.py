"""From contacts, decisions and evidence to the frame that `SourceCounter` adds up: what each number was when it arrived, and what it is today."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import pandas as pd

PEOPLE_COLUMNS: Final[dict[str, str]] = {
    "number": "E.164, or the key of a text that holds none",
    "contact": "int64: id of the contact",
    "source": "categorical: slug",
    "reason": "text: reason code of the number as read",
    "created": "int64, ms: when the contact was created (else first seen)",
    "seen": "int64, ms: when the ledger first held it",
    "kept_status": "text or null: the verdict kept from the number's first verification on arrival",
    "kept_at": "float, ms or null: when that was",
}
DECISION_COLUMNS: Final[dict[str, str]] = {
    "number": "as above",
    "contact": "int64: 0, or the contact a fact is about",
    "decision": "int64: its id",
    "status": "text",
    "line": "text",
    "reach": "text",
    "permission": "text",
    "at": "int64, ms: when it was decided, or `TIMELESS`",
    "current": "bool",
}
EVIDENCE_COLUMNS: Final[dict[str, str]] = {
    "number": "as above",
    "attempts": "int64: calls made",
    "cost": "float: spent on lookups",
    "earliest": "int64, ms: time of the earliest evidence",
    "latest": "int64, ms: and of the latest",
}
TIMELESS: Final = -(2**62)
"""`at` of a decision that rests on the text alone: it would have been the same whenever somebody had looked."""
CHANGING_REASONS: Final = frozenset({"unassigned_range", "unknown_country_code"})
"""Refusals that depend on the day: ranges are opened and closed. All others are true of a text for ever."""

_LINE_VERDICTS: Final = {
    "nonexistent": "invalid",
    "disconnected": "disconnected",
    "suspended": "suspended",
    "alive": "active",
}
SILENT: Final = ("unverified", "do_not_call")
"""Verdicts that say nothing of the line."""


class Arrivals(NamedTuple):
    """A batch as `SourceCounter.add` takes it, and the rows whose first verification on arrival is new: `number`, `contact`, `status`, `at`, `decision`."""

    frame: pd.DataFrame
    fresh: pd.DataFrame


def past_limits(people: pd.DataFrame, evidence: pd.DataFrame, arrival_days: float) -> pd.DataFrame:
    """`number`, `contact`, `limit` (ms) of contacts that the ledger first held after their first days, though something of those days is known."""
    limit = people["created"] + round(arrival_days * 86_400_000)
    late = people.assign(limit=limit)[people["kept_status"].isna() & (people["seen"] > limit)]
    known = late.merge(evidence[["number", "earliest"]], on="number")
    return known[known["earliest"] <= known["limit"]][["number", "contact", "limit"]].reset_index(drop=True)


def arrivals(
    people: pd.DataFrame,
    decisions: pd.DataFrame,
    evidence: pd.DataFrame,
    *,
    arrival_days: float,
    past: pd.DataFrame | None = None,
) -> Arrivals:
    """One row per source and number: its first contact, first verification, and present state.

    `past`: verdicts of `judge_past`; then contacts that were in the CRM before the first pull are judged by what is known of their first days, instead of being left out.
    A number known before its contact was created is verified the moment the contact arrives.
    """
    history = past is not None
    rows = people.sort_values(["created", "contact"], kind="stable").drop_duplicates(["source", "number"])
    rows = rows.reset_index(drop=True)
    told = decisions.assign(verdict=verdicts(decisions))
    lines = told[told["contact"] == 0]
    rows = _first_verification(rows, lines, told[told["contact"] != 0])
    if past is not None and len(past):
        rows = rows.merge(
            past.rename(columns={"status": "past", "at": "past_at"}), on=["number", "contact"], how="left"
        )
        then = rows["past"].notna() & rows["kept_status"].isna()
        rows["first_status"] = rows["first_status"].where(~then, rows["past"])
        rows["first_at"] = rows["first_at"].where(~then, np.maximum(rows["past_at"], rows["created"]))
        rows["decision"] = rows["decision"].where(~then)
    rows = _today(rows, told)
    rows = rows.merge(evidence, on="number", how="left")
    # A death is decided upon after it was seen: years after, where the past was judged.
    decided = _deaths(rows, told)
    seen_dead = rows[["latest", "first_at"]].max(axis=1)
    rows["died"] = decided.where(~(seen_dead < decided), seen_dead)
    window = arrival_days * 86_400_000
    arrived = (rows["created"] if history else rows["seen"]) - rows["created"] <= window
    fresh = rows[arrived & rows["kept_status"].isna() & (rows["first_at"] - rows["created"] <= window)]
    frame = pd.DataFrame(
        {
            "source": rows["source"],
            "number": rows["number"],
            "created_at": _moments(rows["created"]),
            "seen_at": _moments(rows["created"] if history else rows["seen"]),
            "first_verified_at": _moments(rows["first_at"]),
            "first_status": rows["first_status"],
            "status": rows["status"],
            "reason": rows["reason"],
            "do_not_call": rows["permission"].eq("do_not_call"),
            "reach": rows["reach"],
            "died_at": _moments(rows["died"]),
            "last_checked_at": _moments(rows["latest"].fillna(rows["first_at"])),
            "attempts": rows["attempts"].fillna(0).astype("int64"),
            "lookup_cost": rows["cost"].fillna(0.0),
        }
    )
    columns = {
        "number": "number",
        "contact": "contact",
        "first_status": "status",
        "first_at": "at",
        "decision": "decision",
    }
    return Arrivals(frame, fresh[list(columns)].rename(columns=columns))


def verdicts(decisions: pd.DataFrame) -> pd.Series:
    """What a decision says of the line: its status, and behind a do-not-call what is known of the line all the same."""
    hidden = decisions["status"] == "do_not_call"
    return decisions["status"].where(~hidden, decisions["line"].map(_LINE_VERDICTS).fillna("do_not_call"))


def _first_verification(rows: pd.DataFrame, lines: pd.DataFrame, personal: pd.DataFrame) -> pd.DataFrame:
    """Adds `first_at`, `first_status`, `decision`: the verdict in force when the contact was created, else the first one after."""
    order = rows["created"].argsort(kind="stable")
    left = rows.iloc[order][["number", "created"]].assign(row=order.to_numpy())
    said = lines.sort_values(["at", "decision"], kind="stable")[["number", "at", "verdict", "decision"]]
    found = pd.merge_asof(left, said, left_on="created", right_on="at", by="number")
    speaking = said[~said["verdict"].isin(SILENT)]
    later = pd.merge_asof(
        left, speaking, left_on="created", right_on="at", by="number", direction="forward", allow_exact_matches=False
    )
    in_force = found["verdict"].notna() & ~found["verdict"].isin(SILENT)
    answer = pd.DataFrame(
        {
            "first_at": found["created"].where(in_force, later["at"]).astype("float64").to_numpy(),
            "first_status": found["verdict"].where(in_force, later["verdict"]).to_numpy(),
            "decision": found["decision"].where(in_force, later["decision"]).astype("float64").to_numpy(),
        },
        index=found["row"].to_numpy(),
    ).sort_index()
    rows = rows.join(answer)
    wrong = personal[personal["verdict"] == "wrong_person"].sort_values("at", kind="stable")
    wrong = wrong.drop_duplicates(["number", "contact"])[["number", "contact", "at", "decision"]]
    if len(wrong):
        rows = rows.merge(
            wrong.rename(columns={"at": "wrong_at", "decision": "wrong_decision"}), on=["number", "contact"], how="left"
        )
        at = np.maximum(rows["wrong_at"], rows["created"])
        sooner = rows["wrong_at"].notna() & (rows["first_at"].isna() | (at <= rows["first_at"]))
        rows["first_at"] = rows["first_at"].where(~sooner, at)
        rows["first_status"] = rows["first_status"].where(~sooner, "wrong_person")
        rows["decision"] = rows["decision"].where(~sooner, rows["wrong_decision"])
    kept = rows["kept_status"].notna()
    rows["first_status"] = rows["first_status"].where(~kept, rows["kept_status"])
    rows["first_at"] = rows["first_at"].where(~kept, rows["kept_at"])
    return rows


def _today(rows: pd.DataFrame, told: pd.DataFrame) -> pd.DataFrame:
    """Adds the present `status`, `reach` and `permission`. A fact about the contact goes before the number's own, a do-not-call before both."""
    current = told[told["current"]]
    lines = current[current["contact"] == 0][["number", "status", "reach", "permission"]]
    rows = rows.merge(lines, on="number", how="left")
    personal = current[current["contact"] != 0][["number", "contact", "status"]]
    if len(personal):
        rows = rows.merge(personal.rename(columns={"status": "own"}), on=["number", "contact"], how="left")
        rows["status"] = rows["own"].where(rows["own"].notna() & (rows["status"] != "do_not_call"), rows["status"])
    return rows


def _deaths(rows: pd.DataFrame, told: pd.DataFrame) -> pd.Series:
    """When a number that had been found good was first found disconnected or somebody else's, in ms; null where it was not."""
    dead = told[told["verdict"].isin(["disconnected", "wrong_person"])]
    alive = rows[rows["first_at"].notna()]
    answer = pd.Series(np.nan, index=rows.index)
    if dead.empty or alive.empty:
        return answer
    left = alive[["number", "contact", "first_at"]].astype({"first_at": "int64"}).sort_values("first_at", kind="stable")
    left["row"] = left.index
    right = dead.sort_values("at", kind="stable")
    for own in (right[right["contact"] == 0].drop(columns="contact"), right[right["contact"] != 0]):
        if own.empty:
            continue
        by = ["number", "contact"] if "contact" in own else ["number"]
        found = pd.merge_asof(
            left,
            own[[*by, "at"]],
            left_on="first_at",
            right_on="at",
            by=by,
            direction="forward",
            allow_exact_matches=False,
        )
        times = pd.Series(found["at"].to_numpy(dtype="float64"), index=found["row"])
        answer = answer.where(answer.notna() & ~(times.reindex(answer.index) < answer), times.reindex(answer.index))
    return answer


def _moments(milliseconds: pd.Series) -> pd.Series:
    return pd.to_datetime(milliseconds, unit="ms", utc=True)


class StatusHistory:
    """How many numbers stood in each status at the end of each week, from decisions and the time each was made."""

    def __init__(self) -> None:
        self._steps: list[pd.DataFrame] = []

    def add(self, decisions: pd.DataFrame) -> None:
        """Count a batch: `number`, `decision`, `status`, `decided` (ms) of the decisions about numbers, older ones included. All decisions of a number come in one batch."""
        said = decisions.sort_values(["number", "decided", "decision"], kind="stable")
        following = said["decided"].shift(-1).where(said["number"].eq(said["number"].shift(-1)))
        begun = pd.DataFrame({"week": _weeks(said["decided"]), "status": said["status"], "numbers": 1})
        ended = following.notna()
        over = pd.DataFrame({"week": _weeks(following[ended]), "status": said["status"][ended], "numbers": -1})
        steps = pd.concat([begun, over]).groupby(["week", "status"], as_index=False)["numbers"].sum()
        self._steps.append(steps[steps["numbers"] != 0])

    def table(self, *, last: int = 104) -> pd.DataFrame:
        """`week` (Monday, UTC), `status`, `numbers` at its end, for the latest weeks."""
        if not self._steps or not sum(map(len, self._steps)):
            return pd.DataFrame({"week": pd.to_datetime([]), "status": [], "numbers": []})
        steps = pd.concat(self._steps)
        wide = steps.pivot_table(index="week", columns="status", values="numbers", aggfunc="sum", fill_value=0)
        weeks = pd.date_range(wide.index.min(), wide.index.max(), freq="7D")
        levels = wide.reindex(weeks, fill_value=0).cumsum().tail(last)
        return levels.rename_axis("week").reset_index().melt("week", var_name="status", value_name="numbers")


def _weeks(milliseconds: pd.Series) -> pd.Series:
    days = (milliseconds // 86_400_000).astype("int64")
    return pd.to_datetime(days - (days + 3) % 7, unit="D")  # day 0, 1970-01-01, was a Thursday
