"""Observations of one run in growing arrays, and RingTrue's decisions on the numbers that have news."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.truth_noise import Floats
from benchmarks.truth_world import NEVER, Ints, Mask, World
from ringtrue.evidence import OUTCOMES, vocabulary
from ringtrue.policy import Policy
from ringtrue.records import STATUSES
from ringtrue.status import decide
from ringtrue.status_table import LINES
from ringtrue.trunks import trunk_alarms

UNVERIFIED = STATUSES.index("unverified")
UNKNOWN = LINES.index("unknown")
_ALARM_DAYS = 30
_WIDTHS: dict[str, type] = {
    "number": np.int32, "before": np.int32, "outcome": np.int8, "source": np.int8, "group": np.int8, "trunk": np.int8, "contact": np.int32,
    "time": np.int64, "log_lr": np.float32,
}  # fmt: skip
_LINE_TYPES = pd.CategoricalDtype(pd.Index(["mobile", "landline", "business_direct", "fixed_voip"]))


class Evidence:
    """All observations so far. Each knows the one before of its number, so that a number's evidence is gathered without a search."""

    def __init__(self, world: World, sources: tuple[str, ...], groups: tuple[str, ...]) -> None:
        self._world, self.sources = world, sources
        self.count = 0
        self._columns: dict[str, npt.NDArray[Any]] = {name: np.zeros(1 << 16, kind) for name, kind in _WIDTHS.items()}
        words = {"source": sources, "group": groups, "outcome": OUTCOMES, "trunk": [f"trunk-{at}" for at in range(100)]}
        self._kinds = {name: pd.CategoricalDtype(pd.Index(values)) for name, values in words.items()}
        self._last = np.full(world.size, -1, np.int64)
        self.prior = np.full(world.size, np.nan)

    def add(
        self,
        numbers: Ints,
        outcome: npt.ArrayLike,
        source: str,
        time: npt.ArrayLike,
        *,
        group: int = -1,
        trunk: npt.ArrayLike = -1,
        contact: npt.ArrayLike = -1,
        log_lr: npt.ArrayLike = np.nan,
    ) -> None:
        """Append observations; `outcome` is a place in OUTCOMES, `time` seconds since 1970."""
        size = len(numbers)
        if not size:
            return
        while self.count + size > len(self._columns["number"]):
            self._columns = {
                name: np.concatenate([column, np.zeros_like(column)]) for name, column in self._columns.items()
            }
        place = slice(self.count, self.count + size)
        given = {
            "number": numbers, "outcome": outcome, "source": self.sources.index(source), "group": group, "trunk": trunk, "contact": contact,
            "time": time, "log_lr": log_lr,
        }  # fmt: skip
        for name, values in given.items():
            self._columns[name][place] = values
        rows = np.arange(self.count, self.count + size)
        order = np.argsort(numbers, kind="stable")
        ranked = np.asarray(numbers)[order]
        same = np.append(False, ranked[1:] == ranked[:-1])
        before = self._last[ranked]
        before[same] = rows[order][:-1][same[1:]]
        self._columns["before"][rows[order]] = before
        self._last[ranked] = rows[order]
        self.count += size

    def frame(self, numbers: Ints) -> pd.DataFrame:
        """Everything known of some distinct numbers, as `decide` wants it."""
        found, row = [], self._last[numbers]
        row = row[row >= 0]
        while len(row):
            found.append(row)
            row = self._columns["before"][row]
            row = row[row >= 0]
        return self._as_frame(np.concatenate(found) if found else np.zeros(0, np.int64), numbers)

    def calls_since(self, time: int) -> pd.DataFrame:
        """Calls over trunks since a moment, for the trunks' alarms; looks back a bounded number of rows."""
        rows = np.arange(self._recent(time), self.count)
        rows = rows[self._columns["trunk"][rows] >= 0]
        return pd.DataFrame(
            {
                "trunk": self._category("trunk", rows),
                "outcome": self._category("outcome", rows),
                "observed_at": self._columns["time"][rows].astype("datetime64[s]"),
            }
        )

    def _recent(self, time: int) -> int:
        """The first row that can be as young as `time`: rows are appended day by day."""
        times = self._columns["time"][: self.count]
        return int(np.searchsorted(np.maximum.accumulate(times), time)) if len(times) else 0

    def _as_frame(self, rows: Ints, numbers: Ints) -> pd.DataFrame:
        world = self._world
        who = self._columns["number"][rows].astype(np.int64)
        place = np.full(world.size, -1, np.int32)
        place[numbers] = np.arange(len(numbers))
        contact = self._columns["contact"][rows].astype(np.int64)
        return pd.DataFrame(
            {
                "number": pd.Categorical.from_codes(place[who], pd.Index(world.names[numbers])),
                "contact": pd.arrays.IntegerArray(contact, contact < 0),
                "source": self._category("source", rows),
                "group": self._category("group", rows),
                "outcome": self._category("outcome", rows),
                "observed_at": self._columns["time"][rows].astype("datetime64[s]"),
                "trunk": self._category("trunk", rows),
                "log_lr": self._columns["log_lr"][rows],
                "prior": self.prior[who],
                "line_type": pd.Categorical.from_codes(world.kind[who], dtype=_LINE_TYPES, validate=False),
            }
        )

    def _category(self, name: str, rows: Ints) -> Any:
        return pd.Categorical.from_codes(self._columns[name][rows], dtype=self._kinds[name], validate=False)


class Decisions:
    """The latest decision on every number and every pair, and when it ends by itself (seconds since 1970)."""

    def __init__(self, world: World, policy: Policy) -> None:
        self._world, self.policy = world, policy
        self.status = np.full(world.size, UNVERIFIED, np.int8)
        self.line = np.full(world.size, UNKNOWN, np.int8)
        self.p_dead = np.full(world.size, policy.prior_dead)
        self.until = np.full(world.size, NEVER * 100_000, np.int64)
        self.kind = np.zeros(world.size, np.int8)
        """1: a person said stop, 2: a registry lists the number."""
        self.owner_since = np.zeros(world.size, np.int64)
        key = world.pair_number * world.contacts + world.pair_contact
        self._order = np.argsort(key)
        self._keys = key[self._order]
        self.pair_status = np.full(len(key), -1, np.int8)
        self.alarms = trunk_alarms(pd.DataFrame({"trunk": [], "outcome": [], "observed_at": []}), policy)
        self._place = pd.Index(world.names)
        self.reports: dict[str, float] = {}
        self.decided = 0

    def watch(self, evidence: Evidence, now: int) -> None:
        """Find the trunks in trouble in the last day, from the calls of thirty days."""
        calls = evidence.calls_since(now - _ALARM_DAYS * 86_400)
        if len(calls):
            found = trunk_alarms(calls, self.policy)
            fresh = found[found["ends"] > pd.Timestamp(now - 3 * 86_400, unit="s", tz="UTC")]
            if len(fresh):
                self.alarms = pd.concat([self.alarms, fresh], ignore_index=True).drop_duplicates(
                    ["trunk", "begins", "ends"]
                )

    def decide(self, evidence: Evidence, numbers: Ints, now: int) -> Ints:
        """Decide these distinct numbers; returns those whose line has become disconnected or nonexistent just now."""
        numbers = np.sort(numbers)
        frame = evidence.frame(numbers)
        if not len(frame):
            return numbers[:0]
        stamp = pd.Timestamp(now, unit="s", tz="UTC")
        table = decide(frame, self.policy, stamp, alarms=self.alarms, reports=self.reports)
        self.decided += len(table)
        place = self._place.get_indexer(pd.Index(table["number"]))
        general = table["contact"].isna().to_numpy()
        status = table["status"].cat.codes.to_numpy()
        words = np.array([STATUSES.index(word) for word in table["status"].cat.categories])
        status = words[status]
        whole = place[general]
        rows = table[general]
        before = _retired(self.line[whole])
        self.status[whole] = status[general]
        self.line[whole] = np.array([LINES.index(word) for word in rows["line"].cat.categories])[rows["line"].cat.codes]
        self.p_dead[whole] = rows["p_dead"]
        until = rows["recheck_at"].to_numpy(dtype="datetime64[s]").view(np.int64)
        self.until[whole] = np.where(until < 0, NEVER * 100_000, until)
        kind = rows["dnc_kind"].astype("object").map({"person": 1, "registry": 2}).fillna(0)
        self.kind[whole] = kind.to_numpy(dtype=np.int8)
        since = rows["new_owner_since"].to_numpy(dtype="datetime64[s]").view(np.int64)
        self.owner_since[whole] = np.maximum(since, 0)
        own = ~general
        if own.any():
            key = place[own].astype(np.int64) * self._world.contacts + table["contact"][own].to_numpy(dtype=np.int64)
            at = np.minimum(np.searchsorted(self._keys, key), len(self._keys) - 1)
            known = self._keys[at] == key
            self.pair_status[self._order[at[known]]] = status[own][known]
        return whole[_retired(self.line[whole]) & ~before]

    def of_pairs(self) -> npt.NDArray[np.int8]:
        """By pair: its own status where it has one, else its number's. A number's "no" comes before a pair's."""
        general = self.status[self._world.pair_number]
        own = np.where(self.pair_status >= 0, self.pair_status, general)
        return np.where(general <= STATUSES.index("suspended"), general, own)


def _retired(line: npt.NDArray[np.int8]) -> Mask:
    gone: Mask = (line == LINES.index("disconnected")) | (line == LINES.index("nonexistent"))
    return gone


def hard_words() -> Mask:
    """By outcome: a failure that a live line seldom shows."""
    return vocabulary().flags("hard", True)


def living_words() -> Mask:
    """By outcome: a sign of life."""
    return vocabulary().flags("line", "alive")


def strengths() -> Floats:
    """By outcome: its default strength."""
    return vocabulary().log_lr()
