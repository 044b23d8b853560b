"""Counts a company's numbers by the lead source that brought them, batch by batch, so that five million contacts never stand in memory together."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from ringtrue.records import STATUSES

BAD_STATUSES: Final = ("invalid", "disconnected", "wrong_person")
"""What makes a number bad on arrival: nobody can be reached there, or somebody else."""
DECAY_DAYS: Final = 90

NUMBER_COLUMNS: Final[dict[str, str]] = {
    "source": "text or categorical: slug of the source (`SourceMap.slugs_of`)",
    "number": "int64 id, or text: what makes two sources' numbers the same",
    "created_at": "datetime, UTC: when the source's contact with this number was created",
    "seen_at": "datetime, UTC: when the ledger first held that contact",
    "first_verified_at": "datetime, UTC, or null: the first decision that says something about the line (not `unverified`, not `do_not_call`)",
    "first_status": "text or categorical, or null: the status of that decision",
    "status": "text or categorical: the number's status today",
    "reason": "text or categorical, or null: reason code of the number (`ok` counts as none)",
    "do_not_call": "bool: somebody or a registry says stop, whatever the status",
    "reach": "text or categorical: reached, voicemail, persistent_no_answer, unknown",
    "died_at": "datetime, UTC, or null: first decision `disconnected` or `wrong_person` after a better one",
    "last_checked_at": "datetime, UTC, or null: the latest evidence; until then the number is known to have lived, if it did not die",
    "attempts": "integer: calls made to the number",
    "lookup_cost": "float: spent on lookups of the number",
}
"""The frame `SourceCounter.add` takes: one row per source and number, each pair once over all batches."""

Counts = npt.NDArray[np.int64]
Amounts = npt.NDArray[np.float64]


class SourceCounter:
    """Adds up `NUMBER_COLUMNS` frames. `sources` are all slugs there are; the tables name them in this order."""

    def __init__(self, sources: tuple[str, ...], *, arrival_days: float = 7.0) -> None:
        self.sources = sources
        self._window = np.timedelta64(round(arrival_days * 86_400), "s")
        n = len(sources)
        self.numbers, self.verified, self.do_not_call, self.reached, self.reach_known = (_zeros(n) for _ in range(5))
        self.arrived, self.arrived_invalid, self.arrived_verified, self.arrived_bad = (_zeros(n) for _ in range(4))
        self.arrived_disconnected, self.arrived_wrong_person = _zeros(n), _zeros(n)
        self.attempts, self.bad_attempts = _zeros(n), _zeros(n)
        self.lookup_cost: Amounts = np.zeros(n)
        self.by_status: Counts = np.zeros((n, len(STATUSES)), dtype=np.int64)
        self.deaths, self.censored = (np.zeros((n, DECAY_DAYS + 1), dtype=np.int64) for _ in range(2))
        self._reasons: dict[str, Counts] = {}
        self._weeks: list[pd.DataFrame] = []
        self._pairs: list[tuple[npt.NDArray[np.uint64], npt.NDArray[np.int32]]] = []

    def add(self, frame: pd.DataFrame) -> None:
        """Count one batch. Raises ValueError when a column is missing or a source is not among `sources`."""
        missing = [column for column in NUMBER_COLUMNS if column not in frame]
        if missing:
            raise ValueError(f"the frame of numbers by source lacks the columns {missing}")
        n = len(self.sources)
        source = _codes(frame["source"], self.sources)
        if (source < 0).any():
            raise ValueError("the frame of numbers by source names a source that is not configured; map it first")
        status = _codes(frame["status"], STATUSES)
        first = _codes(frame["first_status"], STATUSES)
        bad_codes = [STATUSES.index(name) for name in BAD_STATUSES]
        bad_now = np.isin(status, bad_codes)
        first_bad = np.isin(first, bad_codes)
        first_invalid = first == STATUSES.index("invalid")
        created, seen = _times(frame["created_at"]), _times(frame["seen_at"])
        verified_at = _times(frame["first_verified_at"])
        # A do-not-call says nothing about the line behind it.
        verified = ~np.isnat(verified_at) & ~np.isin(first, [-1, *map(STATUSES.index, ("unverified", "do_not_call"))])

        def count(where: npt.NDArray[np.bool_]) -> Counts:
            return np.bincount(source[where], minlength=n).astype(np.int64)

        self.numbers += np.bincount(source, minlength=n)
        self.verified += count(verified)
        self.do_not_call += count(frame["do_not_call"].to_numpy(dtype=bool))
        reach = _codes(frame["reach"], ("reached", "voicemail", "persistent_no_answer"))
        self.reached += count(reach == 0)
        self.reach_known += count(reach >= 0)
        attempts = frame["attempts"].to_numpy(dtype=np.int64)
        self.attempts += _weighted(source, attempts, n)
        self.bad_attempts += _weighted(source[bad_now], attempts[bad_now], n)
        self.lookup_cost += np.bincount(source, weights=frame["lookup_cost"].to_numpy(dtype=np.float64), minlength=n)
        known = status >= 0
        flat = np.bincount(source[known].astype(np.int64) * len(STATUSES) + status[known], minlength=n * len(STATUSES))
        self.by_status += flat.reshape(n, len(STATUSES))
        self._add_reasons(frame["reason"], source)
        # A comparison with NaT is false: a contact without a creation date, or seen late, is in no arrival cohort.
        arrived = (seen - created) <= self._window
        in_time = arrived & verified & ((verified_at - created) <= self._window)
        invalid, told = in_time & first_invalid, in_time & ~first_invalid
        self._add_arrivals(source, created, arrived, invalid, told, told & first_bad)
        self.arrived_disconnected += count(told & (first == STATUSES.index("disconnected")))
        self.arrived_wrong_person += count(told & (first == STATUSES.index("wrong_person")))
        self._add_lives(frame, source, verified & ~first_bad, verified_at)
        self._pairs.append((_identity(frame["number"]), source))

    def reasons(self) -> pd.DataFrame:
        """Numbers by source and reason code: `source`, `reason`, `numbers`, commonest first within a source."""
        rows = [
            (source, reason, int(counts[position]))
            for reason, counts in self._reasons.items()
            for position, source in enumerate(self.sources)
            if counts[position]
        ]
        table = pd.DataFrame(rows, columns=["source", "reason", "numbers"])
        order = pd.Series(range(len(self.sources)), index=list(self.sources))
        table["_order"] = table["source"].map(order)
        table = table.sort_values(["_order", "numbers", "reason"], ascending=[True, False, True])
        return table.drop(columns="_order").reset_index(drop=True)

    def weeks(self) -> pd.DataFrame:
        """Arrivals by source and week of creation (Monday, UTC): `source`, `week`, `arrived`, `invalid`, `verified`, `bad`."""
        if not self._weeks:
            return pd.DataFrame(columns=["source", "week", "arrived", "invalid", "verified", "bad"])
        table = pd.concat(self._weeks).groupby(["code", "monday"], as_index=False).sum()
        table.insert(0, "source", np.asarray(self.sources, dtype=object)[table["code"].to_numpy()])
        table.insert(1, "week", table["monday"].to_numpy().astype("datetime64[D]").astype("datetime64[s]"))
        return table.drop(columns=["code", "monday"])

    def duplicates(self) -> Counts:
        """How many of each source's numbers some other source brought as well. Raises ValueError when a pair was added twice."""
        if not self._pairs:
            return _zeros(len(self.sources))
        number = np.concatenate([pair[0] for pair in self._pairs])
        source = np.concatenate([pair[1] for pair in self._pairs])
        self._pairs = [(number, source)]
        order = np.argsort(number, kind="stable")
        same = number[order[1:]] == number[order[:-1]]
        shared = np.zeros(len(number), dtype=bool)
        shared[order[1:][same]] = True
        shared[order[:-1][same]] = True
        number, source = number[shared], source[shared]
        order = np.lexsort((source, number))
        number, source = number[order], source[order]
        if bool(((number[1:] == number[:-1]) & (source[1:] == source[:-1])).any()):
            raise ValueError("the frame of numbers by source holds the same source and number twice; group it first")
        return np.bincount(source, minlength=len(self.sources)).astype(np.int64)

    def _add_reasons(self, reason: pd.Series, source: npt.NDArray[np.int32]) -> None:
        codes, names = pd.factorize(reason)
        for position, name in enumerate(names):
            if name != "ok":
                counts = self._reasons.setdefault(str(name), _zeros(len(self.sources)))
                counts += np.bincount(source[codes == position], minlength=len(self.sources))

    def _add_arrivals(
        self,
        source: npt.NDArray[np.int32],
        created: npt.NDArray[np.datetime64],
        arrived: npt.NDArray[np.bool_],
        invalid: npt.NDArray[np.bool_],
        told: npt.NDArray[np.bool_],
        bad: npt.NDArray[np.bool_],
    ) -> None:
        totals = (self.arrived, self.arrived_invalid, self.arrived_verified, self.arrived_bad)
        for total, where in zip(totals, (arrived, invalid, told, bad), strict=True):
            total += np.bincount(source[where], minlength=len(self.sources))
        days = created[arrived].astype("datetime64[D]").astype(np.int64)
        monday = days - (days + 3) % 7  # day 0, 1970-01-01, was a Thursday
        week = pd.DataFrame({"code": source[arrived], "monday": monday, "arrived": np.int64(1)})
        for name, where in (("invalid", invalid), ("verified", told), ("bad", bad)):
            week[name] = where[arrived].astype(np.int64)
        self._weeks.append(week.groupby(["code", "monday"], as_index=False).sum())

    def _add_lives(
        self,
        frame: pd.DataFrame,
        source: npt.NDArray[np.int32],
        alive: npt.NDArray[np.bool_],
        born: npt.NDArray[np.datetime64],
    ) -> None:
        """Days from the first verification that found a number alive to its death, or to the last time it was known to live."""
        died, last = _times(frame["died_at"])[alive], _times(frame["last_checked_at"])[alive]
        born, source = born[alive], source[alive]
        dead = ~np.isnat(died)
        end = np.where(dead, died, np.where(np.isnat(last), born, last))
        days = np.clip((end - born) // np.timedelta64(1, "D"), 0, DECAY_DAYS).astype(np.int64)
        event = dead & ((died - born) <= np.timedelta64(DECAY_DAYS, "D"))
        shape = self.deaths.shape
        for table, where in ((self.deaths, event), (self.censored, ~event)):
            table += np.bincount(source[where] * np.int64(shape[1]) + days[where], minlength=table.size).reshape(shape)


def _zeros(length: int) -> Counts:
    return np.zeros(length, dtype=np.int64)


def _weighted(source: npt.NDArray[np.int32], values: Counts, length: int) -> Counts:
    return np.rint(np.bincount(source, weights=values, minlength=length)).astype(np.int64)


def _codes(column: pd.Series, names: tuple[str, ...]) -> npt.NDArray[np.int32]:
    """Position of each value in `names`, -1 where it is null or not among them."""
    code, distinct = pd.factorize(column)
    place = {name: position for position, name in enumerate(names)}
    table = np.array([*(place.get(str(value), -1) for value in distinct), -1], dtype=np.int32)
    return np.asarray(table[code], dtype=np.int32)


def _times(column: pd.Series) -> npt.NDArray[np.datetime64]:
    """UTC times as datetime64[s]; a column without a zone is taken as UTC."""
    times = pd.to_datetime(column, utc=True)
    return times.dt.tz_localize(None).to_numpy().astype("datetime64[s]")


def _identity(column: pd.Series) -> npt.NDArray[np.uint64]:
    """64 bits per number. Texts are hashed: two of five million collide with a chance below one in a million."""
    if pd.api.types.is_integer_dtype(column.dtype):
        column = column.astype("int64")
    return np.asarray(pd.util.hash_pandas_object(column, index=False).to_numpy(), dtype=np.uint64)
