"""What a person would read out of a damaged field, and how sure.

A field that phonenumbers calls valid is left alone, except for listed placeholders and fiction ranges. Of the others, the text level
(`repair_text`) says which digits belong to a number, and the digit level (`repair_digits`) tries other readings of digits that make none.
A reading counts only if phonenumbers calls it valid.
"""

from __future__ import annotations

from functools import cache
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ringtrue import numbering
from ringtrue.numbering.arrays import Flags, Ints, decoded, text_sizes
from ringtrue.numbering.names import SCHEMA
from ringtrue.numbering.ragged import spliced
from ringtrue.numbering.reader import code_of_plan, region_of_plan
from ringtrue.places import area_code
from ringtrue.reasons import REASONS
from ringtrue.repair_digits import NOTHING, mended
from ringtrue.repair_fields import Pieces, pieces_of
from ringtrue.repair_text import is_date, postcode_patterns, postcodes

Plans = NDArray[np.int16]
Codes = NDArray[np.int8]

_CODE: Final = {reason: np.int8(at) for at, reason in enumerate(REASONS)}
_LISTED: Final = np.isin(list(REASONS), ["placeholder", "fiction_range"])
_SETTLED: Final = np.isin(list(REASONS), ["ok", "empty", "placeholder", "fiction_range"])
_AS_READ: Final = np.int8(-1)
"""The reason that came with the reading stands."""

_LONG_EXTENSION: Final = 7
"""Digits from which on an extension may be a second number, and an unreadable piece is worth a row of its own."""
_POSTCODE_BYTES: Final = 12


class _Readings:
    """Everything read so far; a reading is known by its position. The batch itself comes first."""

    def __init__(self, batch: pa.RecordBatch) -> None:
        self.batches = [batch]
        self.size = len(batch)

    def read(self, texts: pa.Array, plans: Plans) -> tuple[int, Flags, Codes]:
        """Read texts; where their readings begin, which are valid, and their reasons."""
        start, batches = self.size, numbering.read(texts, plans, dialable=True)
        self.batches += batches
        self.size += len(texts)
        valid = [batch.column("valid").to_numpy(zero_copy_only=False) for batch in batches]
        reason = [batch.column("reason").indices.to_numpy() for batch in batches]
        return start, np.concatenate(valid), np.concatenate(reason)

    def later(self) -> pa.RecordBatch:
        """What was read after the batch itself; its first row is reading `len(batch)`."""
        return pa.concat_batches(self.batches[1:])


class _Choice:
    """For each piece of a field the reading that was chosen."""

    def __init__(self, size: int) -> None:
        self.place = np.full(size, -1, np.int64)
        self.reason = np.full(size, _AS_READ)
        self.sure = np.ones(size, bool)
        self.found = np.zeros(size, bool)

    def settle(
        self, rows: Ints, place: Ints, reason: Codes | np.int8, *, sure: Flags | bool = True, found: bool = True
    ) -> None:
        """Choose for those of the rows for which nothing is chosen yet."""
        free = self.place[rows] < 0
        rows = rows[free]
        self.place[rows] = place[free]
        self.reason[rows] = reason[free] if isinstance(reason, np.ndarray) else reason
        self.sure[rows] = sure[free] if isinstance(sure, np.ndarray) else sure
        self.found[rows] = found

    def open(self) -> Ints:
        """The rows for which nothing is chosen."""
        return np.flatnonzero(self.place < 0)


class _Rows(NamedTuple):
    """New rows: which row of the batch they belong to, which reading they show, and what repairing knows about them."""

    row: Ints
    place: Ints
    reason: Codes
    sure: Flags
    extension: pa.Array


def repair(batch: pa.RecordBatch, texts: pa.Array, plans: Plans, places: pa.Array | None = None) -> pa.RecordBatch:
    """A batch read with `dialable`, with what a person would read in its invalid rows: more rows where a field holds more numbers.

    `places` are the towns of the addresses, for numbers without their area code.
    """
    reason = batch.column("reason").indices.to_numpy()
    rows = np.flatnonzero(reason != _CODE["ok"])
    rows = rows[~_SETTLED[reason[rows]]]
    readings = _Readings(batch)
    new = _second_numbers(readings, texts, plans)
    if len(rows):
        towns = None if places is None else places.take(pa.array(rows))
        new += _repaired(readings, rows, texts.take(pa.array(rows)), plans[rows], towns)
    return _assemble(readings, rows, new) if new else batch


def _assemble(readings: _Readings, replaced: Ints, new: list[_Rows]) -> pa.RecordBatch:
    """The batch with the replaced rows out and the new ones in their places."""
    batch = readings.batches[0]
    row = np.concatenate([rows.row for rows in new])
    order = np.argsort(row, kind="stable")
    row, place = row[order], np.concatenate([rows.place for rows in new])[order] - len(batch)
    shown = readings.later().take(pa.array(place))
    told = np.concatenate([rows.reason for rows in new])[order]
    reason = shown.column("reason").indices.to_numpy()
    reason = np.where((told == _AS_READ) | _LISTED[reason], reason, told)
    words = shown.column("reason").dictionary
    columns = {
        **{name: shown.column(name) for name in SCHEMA.names},
        "row": pa.array(row + batch.column("row")[0].as_py()),
        "extension": pa.concat_arrays([rows.extension for rows in new]).take(pa.array(order)),
        "reason": pa.DictionaryArray.from_arrays(pa.array(reason, pa.int8()), words, safe=False),
        "sure": pa.array(np.concatenate([rows.sure for rows in new])[order]),
    }
    stays = np.ones(len(batch), bool)
    stays[replaced] = False
    starts = np.append(0, row + 1)
    ends = np.maximum(starts, np.append(row + stays[row], len(batch)))
    return spliced(batch, pa.RecordBatch.from_arrays(list(columns.values()), schema=SCHEMA), starts, ends)


def _repaired(readings: _Readings, rows: Ints, texts: pa.Array, plans: Plans, places: pa.Array | None) -> list[_Rows]:
    """Rows for fields in which phonenumbers finds no valid number."""
    pieces = pieces_of(texts)
    homes = plans[pieces.field]
    choice = _Choice(len(pieces.field))
    start, valid, reason = readings.read(pieces.text, homes)
    read = np.flatnonzero(valid | _LISTED[reason])
    choice.settle(read, start + read, pieces.reason[read], sure=pieces.sure[read])
    dates = choice.open()
    dates = dates[pieces.like_date[dates]]
    dates = dates[_are_dates(texts, pieces.field[dates])]
    choice.settle(dates, start + dates, _CODE["is_date"], found=False)
    _read_alternatives(pieces, homes, readings, choice)
    _read_other_digits(pieces, homes, readings, choice, start)
    if places is not None:
        _read_with_area_code(pieces, places, homes, readings, choice, reason)
    unread = choice.open()
    choice.settle(unread, start + unread, _AS_READ, found=False)
    kept = np.flatnonzero(_worth_keeping(pieces, choice, readings))
    extension = pieces.extension.take(pa.array(kept))
    extension = pc.if_else(pc.equal(extension, ""), pa.scalar(None, pa.string()), extension)
    told = choice.reason[kept]
    _tell_postcodes(told, np.flatnonzero(~choice.found[kept]), pieces.field[kept], pieces.postcode, texts, plans)
    answer = _Rows(rows[pieces.field[kept]], choice.place[kept], told, choice.sure[kept], extension)
    silent = np.flatnonzero(np.bincount(pieces.field[kept], minlength=len(rows)) == 0)
    return [answer, _without_number(readings, rows, silent, pieces, texts, plans)]


def _are_dates(texts: pa.Array, fields: Ints) -> Flags:
    """Fields that are written as a date and whose digits make one."""
    written = texts.take(pa.array(fields)).dictionary_encode()
    dates: Flags = np.array([is_date(text) for text in decoded(written.dictionary)], bool)[written.indices.to_numpy()]
    return dates


def _read_alternatives(pieces: Pieces, homes: Plans, readings: _Readings, choice: _Choice) -> None:
    """`(0)` in international form is dialled at home only; a second number may leave out the area code of the first."""
    rows = choice.open()
    rows = rows[pieces.alternative[rows] >= 0]
    if len(rows):
        texts = pieces.alternatives.take(pa.array(pieces.alternative[rows]))
        start, valid, reason = readings.read(texts, homes[rows])
        read = np.flatnonzero(valid | _LISTED[reason])
        completed = pieces.completed[rows[read]]
        told = np.where(completed, _CODE["shortened_second_number"], _CODE["trunk_zero"])
        choice.settle(rows[read], start + read, told, sure=pieces.sure[rows[read]] & ~completed)


def _read_other_digits(pieces: Pieces, homes: Plans, readings: _Readings, choice: _Choice, start: int) -> None:
    """The first candidate of `repair_digits` that is a number; a filler gets no mere suggestion."""
    rows = choice.open()
    found = mended(pieces.text.take(pa.array(rows)), homes[rows], pieces.first_group[rows])
    filler = rows[found.reason == _CODE["placeholder"]]
    choice.settle(filler, start + filler, _CODE["placeholder"], found=False)
    read = np.flatnonzero((found.reason != NOTHING) & (found.reason != _CODE["placeholder"]))
    if len(read):
        first, _, _ = readings.read(found.text.take(pa.array(read)), homes[rows[read]])
        sure = pieces.sure[rows[read]] & found.sure[read]
        choice.settle(rows[read], first + np.arange(len(read)), found.reason[read], sure=sure)


def _read_with_area_code(
    pieces: Pieces, places: pa.Array, homes: Plans, readings: _Readings, choice: _Choice, reason: Codes
) -> None:
    """A number that lacks its area code, with that of the place where the place has one."""
    rows = choice.open()
    rows = rows[reason[rows] == _CODE["missing_area_code"]]
    codes = code_of_plan()[homes[rows]]
    towns, numbers = decoded(places.take(pa.array(pieces.field[rows]))), decoded(pieces.text.take(pa.array(rows)))
    areas = [area_code(code, town) for code, town in zip(codes.tolist(), towns, strict=True)]
    known = [at for at, area in enumerate(areas) if area is not None]
    whole = [f"+{codes[at]}{areas[at]}{numbers[at].lstrip('+')}" for at in known]
    start, valid, _ = readings.read(pa.array(whole, pa.string()), homes[rows[known]])
    read = np.flatnonzero(valid)
    choice.settle(rows[known][read], start + read, _CODE["missing_area_code"], sure=False)


def _worth_keeping(pieces: Pieces, choice: _Choice, readings: _Readings) -> Flags:
    """Beside a number that could be read, an unreadable one of seven digits or more; alone, the one with the most digits; none twice."""
    several = np.flatnonzero((np.bincount(pieces.field) > 1)[pieces.field])
    keep = np.ones(len(pieces.field), bool)
    if not len(several):
        return keep
    field, digits, found = pieces.field[several], pieces.digits[several], choice.found[several]
    readable = np.bincount(field, weights=found)[field] > 0
    order = np.lexsort((-digits, field))
    best = np.zeros(len(several), bool)
    best[order[np.flatnonzero(np.diff(field[order], prepend=-1))]] = True
    keep[several] = found | np.where(readable, digits >= _LONG_EXTENSION, best)
    several = several[keep[several]]
    later = pa.concat_arrays([batch.column("e164") for batch in readings.batches[1:]])
    numbers = later.take(pa.array(choice.place[several] - len(readings.batches[0])))
    named = several[numbers.is_valid().to_numpy(zero_copy_only=False)]
    codes = numbers.drop_null().dictionary_encode().indices.to_numpy().astype(np.int64)
    _, first = np.unique(pieces.field[named] * (len(codes) + 1) + codes, return_index=True)
    keep[np.delete(named, first)] = False
    return keep


def _without_number(
    readings: _Readings, rows: Ints, silent: Ints, pieces: Pieces, texts: pa.Array, plans: Plans
) -> _Rows:
    """Fields in which nothing is a number: the reading of nothing, with the verdict on the text."""
    start, _, _ = readings.read(pa.nulls(1, pa.string()), np.full(1, -1, np.int16))
    told = pieces.verdict[silent]
    _tell_postcodes(told, np.arange(len(silent)), silent, pieces.postcode, texts, plans)
    nothing = pa.nulls(len(silent), pa.string())
    return _Rows(rows[silent], np.full(len(silent), start), told, np.ones(len(silent), bool), nothing)


def _tell_postcodes(told: Codes, at: Ints, fields: Ints, like: Ints, texts: pa.Array, plans: Plans) -> None:
    """Short fields without a number may be postcodes of the default region's country; `like` says of which patterns."""
    at = at[(told[at] != _CODE["placeholder"]) & (told[at] != _CODE["is_date"])]
    at = at[like[fields[at]] > 0]
    home = _postcode_of_plan()[plans[fields[at]]]
    short = text_sizes(texts)[fields[at]] <= _POSTCODE_BYTES
    told[at[short & (like[fields[at]] & home > 0)]] = _CODE["is_postcode"]


@cache
def _postcode_of_plan() -> Ints:
    """By plan number the bit of the pattern that applies; 0 for none, as for plan -1, the last entry."""
    names = region_of_plan()
    bits = np.zeros(max(names) + 2, np.int64)
    for plan, region in names.items():
        if region in postcodes():
            bits[plan] = 1 << postcode_patterns().index(postcodes()[region])
    return bits


def _second_numbers(readings: _Readings, texts: pa.Array, plans: Plans) -> list[_Rows]:
    """`A;B` is a number with an extension to phonenumbers; where B is a whole number too, it is kept as a second one."""
    batch = readings.batches[0]
    extension = batch.column("extension")
    rows = np.flatnonzero(text_sizes(extension) >= _LONG_EXTENSION)
    rows = rows[batch.column("valid").take(pa.array(rows)).to_numpy(zero_copy_only=False)]
    if not len(rows):
        return []
    second = extension.take(pa.array(rows))
    raw = decoded(texts.take(pa.array(rows)))
    behind = [f";{end}" in text.replace(" ", "") for text, end in zip(raw, decoded(second), strict=True)]
    rows, second = rows[behind], second.filter(pa.array(behind))
    start, valid, _ = readings.read(second, plans[rows])
    read = np.flatnonzero(valid)
    told = np.full(len(read), _CODE["several_numbers"])
    return (
        [_Rows(rows[read], start + read, told, np.ones(len(read), bool), pa.nulls(len(read), pa.string()))]
        if len(read)
        else []
    )
