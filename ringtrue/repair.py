"""What a person would read out of a damaged field, and how sure.

A field that phonenumbers calls valid is left alone, except for listed placeholders and fiction ranges. Of the others, the text level
(`repair_text`) says which digits belong to a number, and the digit level (`repair_digits`) tries other readings of digits that make none.
A reading counts only if phonenumbers calls it valid.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ringtrue import numbering
from ringtrue.numbering.arrays import Flags, Ints, starts_of, text_parts
from ringtrue.numbering.names import POSSIBLE, SCHEMA
from ringtrue.numbering.reader import code_of_plan, region_of_plan
from ringtrue.reasons import REASONS
from ringtrue.repair_digits import candidates, cut, fillers, numbers_from
from ringtrue.repair_fields import Pieces, pieces_of
from ringtrue.repair_text import is_postcode

Plans = NDArray[np.int16]

_CODE: Final = {reason: np.int8(at) for at, reason in enumerate(REASONS)}
_LISTED: Final = (_CODE["placeholder"], _CODE["fiction_range"])
_LONG_EXTENSION: Final = 7
"""Digits from which on an extension may be a second number."""
_SURPLUS: Final = 4
"""How many digits too many a national number may have before it is taken for a number of another country."""


class _Readings:
    """Everything that was read while repairing; a reading is known by its position."""

    def __init__(self) -> None:
        self._batches: list[pa.RecordBatch] = []
        self.size = 0

    def read(self, texts: pa.Array, plans: Plans) -> tuple[int, Flags, Flags]:
        """Read texts; where their readings begin, which are valid, and which are listed: right to read, and no use."""
        start, batches = self.size, numbering.read(texts, plans, listed=True)
        self._batches += batches
        self.size += len(texts)
        valid = np.concatenate([batch.column("valid").to_numpy(zero_copy_only=False) for batch in batches])
        reason = np.concatenate([batch.column("reason").indices.to_numpy() for batch in batches])
        return start, valid, np.isin(reason, _LISTED)

    def take(self, places: Ints) -> pa.Table:
        """Readings in another order."""
        return pa.Table.from_batches(self._batches, SCHEMA).take(pa.array(places))


class _Choice:
    """For each piece the reading that was chosen, with its reason; nothing chosen yet where `place` is -1."""

    def __init__(self, size: int) -> None:
        self.place = np.full(size, -1, np.int64)
        self.reason = np.zeros(size, np.int8)
        self.sure = np.ones(size, bool)

    def settle(self, rows: Ints, place: Ints, reason: NDArray[np.int8] | np.int8, sure: Flags | bool) -> None:
        """Choose for rows for which nothing is chosen yet."""
        free = self.place[rows] < 0
        rows, place = rows[free], place[free]
        self.place[rows] = place
        self.reason[rows] = reason[free] if isinstance(reason, np.ndarray) else reason
        self.sure[rows] = sure[free] if isinstance(sure, np.ndarray) else sure

    def open(self) -> Ints:
        """The rows for which nothing is chosen."""
        return np.flatnonzero(self.place < 0)


def repair(batch: pa.RecordBatch, texts: pa.Array, plans: Plans) -> pa.Table:
    """A batch read with `listed`, with what a person would read in its invalid rows: more rows where a field holds more numbers."""
    valid = batch.column("valid").to_numpy(zero_copy_only=False)
    reason = batch.column("reason").indices.to_numpy()
    rows = np.flatnonzero(~valid & ~np.isin(reason, [_CODE["empty"], *_LISTED]))
    keep = np.ones(len(valid), bool)
    keep[rows] = False
    found = [*_second_numbers(batch, texts, plans)]
    if len(rows):
        found.append(_repaired(batch, rows, texts.take(pa.array(rows)), plans[rows]))
    if not found:
        return pa.Table.from_batches([batch])
    kept = np.flatnonzero(keep)
    keys = np.concatenate([kept, *[table.column("row").to_numpy() for table in found]])
    order = np.argsort(keys, kind="stable")
    everything = pa.concat_tables([pa.Table.from_batches([batch]), *found])
    places = np.concatenate([kept, np.arange(len(valid), len(everything))])[order]
    first = batch.column("row")[0].as_py()
    return everything.take(pa.array(places)).set_column(0, SCHEMA.field("row"), pa.array(keys[order] + first))


def _repaired(batch: pa.RecordBatch, rows: Ints, texts: pa.Array, plans: Plans) -> pa.Table:
    """Rows for fields that phonenumbers finds no valid number in; `row` is the place in the batch."""
    pieces = pieces_of(texts)
    homes = plans[pieces.field]
    readings, choice = _Readings(), _Choice(len(pieces.field))
    start, valid, listed = readings.read(pieces.text, homes)
    read = np.flatnonzero(valid | listed)
    choice.settle(read, start + read, pieces.reason[read], pieces.sure[read])
    _read_without_zero(pieces, homes, readings, choice)
    _read_other_digits(pieces, homes, readings, choice)
    found, unread = choice.place >= 0, choice.open()
    choice.settle(unread, start + unread, _CODE["ok"], sure=True)
    keep = _worth_keeping(pieces, found)
    answer = _table(pieces, readings, choice, found, keep, rows)
    answer = _with_reason_of_text(answer, pieces, found[keep], keep, texts, plans)
    silent = np.flatnonzero(np.bincount(pieces.field[keep], minlength=len(rows)) == 0)
    return pa.concat_tables([_dialable(answer), _verdicts(batch, rows[silent], pieces.verdict[silent])])


def _read_without_zero(pieces: Pieces, homes: Plans, readings: _Readings, choice: _Choice) -> None:
    """`(0)` in international form: dialled at home only."""
    rows = choice.open()
    rows = rows[pc.not_equal(pieces.without_zero.take(pa.array(rows)), "").to_numpy(zero_copy_only=False)]
    if len(rows):
        start, valid, listed = readings.read(pieces.without_zero.take(pa.array(rows)), homes[rows])
        read = np.flatnonzero(valid | listed)
        choice.settle(rows[read], start + read, _CODE["trunk_zero"], pieces.sure[rows[read]])


def _read_other_digits(pieces: Pieces, homes: Plans, readings: _Readings, choice: _Choice) -> None:
    """The candidates of `repair_digits`, in their order of preference."""
    rows = choice.open()
    if not len(rows):
        return
    numbers = numbers_from(pieces.text.take(pa.array(rows)))
    codes = code_of_plan()[homes[rows]]
    options = [option for option in candidates(numbers, codes) if len(option.row)]
    if not options:
        return
    texts = pa.concat_arrays([option.text for option in options])
    start, valid, listed = readings.read(texts, np.concatenate([homes[rows[option.row]] for option in options]))
    for option, first in zip(options, starts_of(np.array([len(option.row) for option in options]))[:-1].tolist(), strict=True):
        span = slice(first, first + len(option.row))
        read = np.flatnonzero(valid[span] | (listed[span] & option.sure))
        at = option.row[read]
        reason = np.full(len(read), _CODE[option.reason])
        sure = pieces.sure[rows[at]] & option.sure
        if option.reason == "missing_plus" and len(read):
            spelled = pieces.first_group[rows[at]] == numbers.code_width[at]
            reason[(codes[at] > 0) & ~spelled] = _CODE["wrong_region"]
            surplus = np.zeros(len(read), bool)
            for by in range(1, _SURPLUS + 1):
                _, fits, _ = readings.read(cut(numbers, at, by), homes[rows[at]])
                surplus |= fits
            sure &= spelled | ((codes[at] > 0) & ~surplus)
        choice.settle(rows[at], start + first + read, reason, sure)


def _worth_keeping(pieces: Pieces, found: Flags) -> Flags:
    """Beside a number that could be read, an unreadable one of seven digits or more; alone, the one with the most digits."""
    readable = np.zeros(int(pieces.field[-1]) + 1 if len(pieces.field) else 0, bool)
    readable[pieces.field[found]] = True
    order = np.lexsort((np.arange(len(found)), -pieces.digits, pieces.field))
    best = np.zeros(len(found), bool)
    best[order[np.flatnonzero(np.diff(pieces.field[order], prepend=-1))]] = True
    return found | np.where(readable[pieces.field], pieces.digits >= _LONG_EXTENSION, best)


def _table(pieces: Pieces, readings: _Readings, choice: _Choice, found: Flags, keep: Flags, rows: Ints) -> pa.Table:
    """The chosen readings with what repairing knows: extension, reason and confidence."""
    kept = np.flatnonzero(keep)
    table = readings.take(choice.place[kept])
    reason = table.column("reason").combine_chunks().indices.to_numpy().copy()
    mended = found[kept] & ~np.isin(reason, _LISTED)
    reason[mended] = choice.reason[kept][mended]
    extension = pieces.extension.take(pa.array(kept))
    extension = pc.if_else(pc.equal(extension, ""), pa.scalar(None, pa.string()), extension)
    return _set(table, row=pa.array(rows[pieces.field[kept]]), extension=extension, reason=_reasons(reason), sure=pa.array(choice.sure[kept]))


def _with_reason_of_text(table: pa.Table, pieces: Pieces, found: Flags, keep: Flags, texts: pa.Array, plans: Plans) -> pa.Table:
    """Digits that make no number may be a filler or a postcode."""
    unread = np.flatnonzero(~found)
    if not len(unread):
        return table
    kept = np.flatnonzero(keep)[unread]
    reason = table.column("reason").combine_chunks().indices.to_numpy().copy()
    reason[unread[fillers(numbers_from(pieces.text.take(pa.array(kept))))]] = _CODE["placeholder"]
    short = unread[(pieces.digits[kept] <= 9) & (reason[unread] != _CODE["placeholder"])]
    fields = pieces.field[np.flatnonzero(keep)[short]]
    names = region_of_plan()
    for at, text, home in zip(short.tolist(), texts.take(pa.array(fields)).to_pylist(), plans[fields].tolist(), strict=True):
        if is_postcode(text, names.get(home, "")):
            reason[at] = _CODE["is_postcode"]
    return _set(table, reason=_reasons(reason))


def _verdicts(batch: pa.RecordBatch, rows: Ints, verdict: NDArray[np.int8]) -> pa.Table:
    """Fields without any number, with the reason."""
    table = pa.Table.from_batches([batch]).take(pa.array(rows))
    reason = np.where(verdict > 0, verdict, table.column("reason").combine_chunks().indices.to_numpy()).astype(np.int8)
    nothing = pa.nulls(len(rows), pa.string())
    return _set(table, row=pa.array(rows), e164=nothing, extension=nothing, reason=_reasons(reason))


def _second_numbers(batch: pa.RecordBatch, texts: pa.Array, plans: Plans) -> list[pa.Table]:
    """`A;B` is a number with an extension to phonenumbers; where B is a whole number too, it is kept as a second one."""
    extension = batch.column("extension")
    _, places = text_parts(extension)
    rows = np.flatnonzero((np.diff(places) >= _LONG_EXTENSION) & batch.column("valid").to_numpy(zero_copy_only=False))
    if not len(rows):
        return []
    second = extension.take(pa.array(rows))
    after = pc.binary_join_element_wise(";", second, "").to_pylist()
    raw = texts.take(pa.array(rows)).to_pylist()
    rows = rows[[text.replace(" ", "").endswith(end) for text, end in zip(raw, after, strict=True)]]
    if not len(rows):
        return []
    table = pa.Table.from_batches(numbering.read(extension.take(pa.array(rows)), plans[rows], listed=True))
    table = _set(table, row=pa.array(rows), reason=_reasons(np.full(len(rows), _CODE["several_numbers"])))
    return [table.filter(table.column("valid"))]


def _dialable(table: pa.Table) -> pa.Table:
    """No E.164 where the length is wrong or the area code missing; one row for a number that a field holds twice."""
    possible = pc.equal(table.column("possible").combine_chunks().indices, POSSIBLE.index("IS_POSSIBLE"))
    callable_ = pc.or_(table.column("valid").combine_chunks(), pc.fill_null(possible, False))
    table = _set(table, e164=pc.if_else(callable_, table.column("e164").combine_chunks(), pa.scalar(None, pa.string())))
    row = table.column("row").to_numpy()
    repeated = np.flatnonzero(np.diff(row) == 0) + 1
    if not len(repeated):
        return table
    fields = np.isin(row, row[repeated])
    seen: set[tuple[int, str]] = set()
    keep = np.ones(len(row), bool)
    numbers = table.column("e164").take(pa.array(np.flatnonzero(fields))).to_pylist()
    for at, number in zip(np.flatnonzero(fields).tolist(), numbers, strict=True):
        if number is not None:
            keep[at] = (int(row[at]), number) not in seen
            seen.add((int(row[at]), number))
    return table.filter(pa.array(keep))


def _reasons(codes: NDArray[np.int8]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(codes, pa.int8()), pa.array(REASONS, pa.string()), safe=False)


def _set(table: pa.Table, **columns: pa.Array) -> pa.Table:
    for name, column in columns.items():
        table = table.set_column(SCHEMA.get_field_index(name), SCHEMA.field(name), column)
    return table
