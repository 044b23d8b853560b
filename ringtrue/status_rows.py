"""Observations as sorted arrays: encoded once, cut into chunks of whole numbers, so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ringtrue.evidence import OUTCOMES
from ringtrue.policy import Policy

Ints = NDArray[np.int64]
Codes = NDArray[np.int32]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

DAY = 86_400
EARLIEST = int(pd.Timestamp("1990-01-01", tz="UTC").timestamp())
"""Seconds since 1970. Nothing older is evidence of anything: fields of that age are defaults and typing errors."""

_NUMBERS_PER_CHUNK = 100_000
_MICRO = 1_000_000
_FEW = 32_000


@dataclass(frozen=True, slots=True)
class Coded:
    """A column as integers: `codes` by row, -1 where null, into sorted distinct `values`. 16 bits wide where that is enough."""

    codes: NDArray[np.int16] | Codes
    values: pa.Array

    def texts(self) -> list[str]:
        """The distinct values as texts."""
        return [str(value) for value in self.values.to_pylist()]


@dataclass(frozen=True, slots=True)
class Rows:
    """Observations that count, of consecutive numbers, by number and time. `number` counts from 0 within the chunk.

    `time` is in seconds since 1970, `place` the row of the input, `log_lr` the bounded strength, `again` true for a row that repeats the
    row before for another contact: one event, told once for each contact.
    """

    numbers: int
    number: Codes
    time: Ints
    outcome: Codes
    source: Codes
    group: Codes
    trunk: Codes
    contact: Codes
    detail: Codes
    log_lr: Floats
    place: Ints
    again: Mask
    prior: Floats
    line_type: Codes
    """`prior` and `line_type` have one value for each number: NaN and -1 where unknown."""

    def last(self, rows: Mask) -> Codes:
        """By number: position of the last of the rows marked, -1 where there is none."""
        found = np.full(self.numbers, -1, np.int32)
        positions = np.flatnonzero(rows).astype(np.int32)
        found[self.number[positions]] = positions
        return found

    def first(self, rows: Mask) -> Codes:
        """By number: position of the first of the rows marked, -1 where there is none."""
        found = np.full(self.numbers, -1, np.int32)
        positions = np.flatnonzero(rows)[::-1].astype(np.int32)
        found[self.number[positions]] = positions
        return found

    def count(self, rows: Mask) -> Ints:
        """By number: how many of its rows are marked."""
        return np.bincount(self.number[rows], minlength=self.numbers).astype(np.int64)

    def time_of(self, positions: Codes) -> Ints:
        """Times of rows by position; EARLIEST where the position is -1."""
        if not len(self.time):
            return np.full(len(positions), EARLIEST, np.int64)
        return np.where(positions >= 0, self.time[positions], EARLIEST)


def seconds(column: pd.Series) -> Ints:
    """Times as microseconds since 1970; the smallest integer where there is none. Times without a zone are taken as UTC."""
    if not len(column):
        return np.zeros(0, np.int64)
    times = pd.to_datetime(column, utc=True, errors="coerce")
    return times.to_numpy(dtype="datetime64[us]").view(np.int64)


def acceptable(times: Ints, policy: Policy, now: pd.Timestamp) -> tuple[Mask, Mask]:
    """Of times in microseconds: which are too old or missing, and which lie too far in the future."""
    latest = int(now.timestamp() * _MICRO + policy.future_tolerance_hours * 3_600 * _MICRO)
    return times < EARLIEST * _MICRO, times > latest


def coded(frame: pd.DataFrame, name: str) -> Coded:
    """Encode a column by its sorted distinct values; a column that is missing is all null."""
    if name not in frame.columns:
        return _all_null(len(frame))
    column = pa.array(frame[name], from_pandas=True)
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if pa.types.is_null(column.type):
        return _all_null(len(frame))
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    codes = column.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    order = pc.array_sort_indices(column.dictionary).to_numpy()
    rank = np.empty(len(order) + 1, np.int16 if len(order) < _FEW else np.int32)
    rank[order] = np.arange(len(order), dtype=rank.dtype)
    rank[-1] = -1
    return Coded(rank[codes], column.dictionary.take(pa.array(order)))


def _all_null(rows: int) -> Coded:
    return Coded(np.broadcast_to(np.int16(-1), rows), pa.array([], pa.string()))


class Observations:
    """All observations of a call of `decide`, encoded. Iterate over `chunks`."""

    def __init__(
        self, frame: pd.DataFrame, policy: Policy, now: pd.Timestamp, *, strength: Floats, counts: Mask
    ) -> None:
        """`strength` and `counts` are by outcome: the default log likelihood ratio, and whether the outcome is evidence at all."""
        self.number = coded(frame, "number")
        if (self.number.codes < 0).any():
            raise ValueError("Every observation needs a number; give those without one to the review table instead.")
        self.present = np.flatnonzero(np.bincount(self.number.codes, minlength=len(self.number.values)))
        self.contact, self.source = coded(frame, "contact"), coded(frame, "source")
        self.group, self.trunk = coded(frame, "group"), coded(frame, "trunk")
        self.detail, self.line_type = coded(frame, "detail"), coded(frame, "line_type")
        ids = pa.array(frame["id"]) if "id" in frame.columns else None
        self.ids = ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids
        words = coded(frame, "outcome")
        position = {outcome: place for place, outcome in enumerate(OUTCOMES)}
        by_word = np.array([*(position.get(word, -1) for word in words.values.to_pylist()), -1], np.int16)
        self._outcome = by_word[words.codes]
        self._micros = seconds(frame["observed_at"])
        old, future = acceptable(self._micros, policy, now)
        default = np.append(strength, 0.0).astype(np.float32)[self._outcome]
        if "log_lr" in frame.columns:
            own = pd.to_numeric(frame["log_lr"]).to_numpy(dtype=np.float32, na_value=np.nan)
            default = np.where(np.isnan(own) | (self._outcome < 0), default, own)
        self._log_lr = np.clip(default, -policy.strongest_alive, policy.strongest_dead)
        self._prior = (
            pd.to_numeric(frame["prior"]).to_numpy(dtype=np.float64, na_value=np.nan)
            if "prior" in frame.columns
            else None
        )
        self._order = self._sorted(np.flatnonzero(np.append(counts, False)[self._outcome] & ~old & ~future))

    def _sorted(self, kept: Ints) -> Codes:
        """Rows by number and time, and where these are equal by everything else: the order of arrival must not matter."""
        key = self.number.codes[kept].astype(np.uint64)
        key <<= np.uint64(32)
        key |= (self._micros[kept] // _MICRO - EARLIEST).astype(np.uint64)
        order = np.argsort(key)
        ranked = key[order]
        del key
        equal = ranked[1:] == ranked[:-1]
        tied = np.append(equal, False) | np.append(False, equal)
        if tied.any():
            ties = kept[order[tied]]
            within = np.lexsort(
                (
                    self._id_ranks(ties),
                    np.zeros(len(ties)) if self._prior is None else self._prior[ties],
                    self.line_type.codes[ties],
                    self.detail.codes[ties],
                    self._log_lr[ties],
                    self.contact.codes[ties],
                    self.trunk.codes[ties],
                    self.group.codes[ties],
                    self._outcome[ties],
                    self.source.codes[ties],
                    self._micros[ties],
                    ranked[tied],
                )
            )
            order[tied] = order[tied][within]
        return kept[order].astype(np.int32)

    def _id_ranks(self, rows: Ints) -> Ints:
        """Where rows are equal in everything, their ids decide, so that evidence does not depend on the order of arrival either."""
        if self.ids is None:
            return rows
        ranks = np.empty(len(rows), np.int64)
        ranks[pc.array_sort_indices(self.ids.take(pa.array(rows))).to_numpy()] = np.arange(len(rows))
        return ranks

    def chunks(self) -> Iterator[tuple[Ints, Rows]]:
        """Numbers (as codes) with their rows, 100,000 numbers at a time."""
        number = self.number.codes[self._order]
        for begin in range(0, len(self.present), _NUMBERS_PER_CHUNK):
            numbers = self.present[begin : begin + _NUMBERS_PER_CHUNK]
            low, high = np.searchsorted(number, [numbers[0], numbers[-1] + 1])
            yield numbers, self._rows(numbers, number[low:high], self._order[low:high])

    def _rows(self, numbers: Ints, number: NDArray[np.int16] | Codes, place: Codes) -> Rows:
        local = np.searchsorted(numbers, number).astype(np.int32)
        micros = self._micros[place]

        def taken(codes: NDArray[np.int16] | Codes) -> Codes:
            return codes[place].astype(np.int32)

        outcome, source, trunk = taken(self._outcome), taken(self.source.codes), taken(self.trunk.codes)
        again = np.zeros(len(place), np.bool_)
        if len(place) > 1:
            same = (local[1:] == local[:-1]) & (micros[1:] == micros[:-1]) & (outcome[1:] == outcome[:-1])
            again[1:] = same & (source[1:] == source[:-1]) & (trunk[1:] == trunk[:-1])
        prior = np.full(len(numbers), np.nan)
        if self._prior is not None:
            known = ~np.isnan(self._prior[place])
            prior[local[known]] = self._prior[place][known]
        line_type = np.full(len(numbers), -1, np.int32)
        if len(self.line_type.values):
            types = self.line_type.codes[place]
            line_type[local[types >= 0]] = types[types >= 0]
        return Rows(
            len(numbers),
            local,
            micros // _MICRO,
            outcome,
            source,
            taken(self.group.codes),
            trunk,
            taken(self.contact.codes),
            taken(self.detail.codes),
            self._log_lr[place].astype(np.float64),
            place.astype(np.int64),
            again,
            prior,
            line_type,
        )
