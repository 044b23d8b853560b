"""Reads batches of texts exactly as phonenumbers does: by the kernel, or by phonenumbers where the kernel is not built."""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import Final

import numpy as np
import phonenumbers
import pyarrow as pa
from numpy.typing import NDArray

from ringtrue.numbering import native, oracle, tables
from ringtrue.numbering.arrays import decoded
from ringtrue.numbering.listed import LISTED
from ringtrue.numbering.names import ERRORS, POSSIBLE, REGIONS, SCHEMA, TYPES
from ringtrue.numbering.native import KERNEL
from ringtrue.reasons import REASONS

CHUNK: Final = 1 << 19
"""Rows in a result batch: enough that what a batch costs in itself does not count, and E.164 offsets far from 32 bits."""

_REASON_NAMES: Final = tuple(REASONS)
_OF_POSSIBLE: Final = (
    "unassigned_range",
    "unknown_country_code",
    "too_short",
    "too_long",
    "missing_area_code",
    "wrong_length",
)
_OF_ERROR: Final = ("unknown_country_code", "not_a_number", "too_short", "too_short", "too_long")
_PLAIN: Final = bytes(
    _REASON_NAMES.index(name) for name in ("ok", *_OF_POSSIBLE, *_OF_ERROR, "empty", "no_country", "ok", "ok")
)
_LISTED: Final = _PLAIN[:-2] + bytes(_REASON_NAMES.index(name) for name in LISTED)
"""Reason codes in the kernel's order; `ok` for listed numbers makes it leave them as phonenumbers has them."""
_WORDS: Final = {
    name: pa.array(words, pa.string())
    for name, words in (
        ("error", ERRORS),
        ("possible", POSSIBLE),
        ("type", TYPES),
        ("region", REGIONS),
        ("reason", _REASON_NAMES),
    )
}


class _Counts:
    """How many rows were read since the start, and how many of them by phonenumbers."""

    rows = 0
    slow = 0


COUNTS: Final = _Counts()


def kernel_status() -> tuple[str, bool]:
    """A sentence about how numbers are read on this machine, and whether it is the fast way."""
    version = phonenumbers.__version__
    if KERNEL:
        return f"Numbers are read by the kernel with tables made from phonenumbers {version}.", True
    slow = (
        f"Numbers are read by phonenumbers {version} itself, row by row: the same answers, some hundred times slower."
    )
    return f"{slow} Install a C compiler and reinstall ringtrue to build the kernel.", False


Plans = NDArray[np.int16]
"""For each row which region's rules apply, as the tables number them; -1 where no region is known."""


def read(texts: pa.Array, plans: Plans, *, dialable: bool = False) -> list[pa.RecordBatch]:
    """One row per text, with the columns of SCHEMA, in batches of CHUNK rows.

    With `dialable`, placeholders and fiction ranges are invalid, with their reason, and E.164 is null unless the number is valid or of a
    possible length; else everything is what phonenumbers gives.
    """
    read_batch = _read_batch if KERNEL else _read_slowly
    starts = range(0, max(len(texts), 1), CHUNK)
    return [read_batch(texts.slice(first, CHUNK), plans[first : first + CHUNK], first, dialable) for first in starts]


def plans_of(regions: pa.Array | str | None, rows: int) -> Plans:
    """Region codes in upper or lower case, one for all rows or one per row, as strings or as a dictionary array."""
    if regions is None or isinstance(regions, str):
        return np.full(rows, _plan(regions), np.int16)
    if len(regions) != rows:
        raise ValueError(
            f"There are {len(regions)} regions for {rows} numbers. Give one region for all, or one for each."
        )
    if pa.types.is_dictionary(regions.type):
        words = np.append(plans_of(regions.dictionary, len(regions.dictionary)), np.int16(-1))
        indices = regions.indices
        plans: Plans = words[(indices.fill_null(len(words) - 1) if indices.null_count else indices).to_numpy()]
        return plans
    if not KERNEL:
        return np.array([_plan(region) for region in regions.to_pylist()], np.int16)
    return _plans_of_strings(regions)


def _plans_of_strings(regions: pa.Array) -> Plans:
    out = np.empty(len(regions), np.int16)
    if len(regions):
        validity, offsets, data = regions.buffers()
        wide = pa.types.is_large_string(regions.type)
        native.kernel.plans(kernel_tables(), data or b"", offsets, wide, validity, regions.offset, len(regions), out)
    return out


@cache
def kernel_tables() -> bytes:
    return tables.load()


def _plan(region: str | None) -> int:
    if KERNEL:
        return int(_plans_of_strings(pa.array([region], pa.string()))[0])
    code = region.upper() if region else ""
    return REGIONS.index(code) if code in phonenumbers.SUPPORTED_REGIONS else -1


def _read_batch(texts: pa.Array, plans: Plans, first: int, dialable: bool) -> pa.RecordBatch:
    count, stride = len(texts), -(-len(texts) // 8)
    validity, offsets, data = texts.buffers()
    wide = pa.types.is_large_string(texts.type)
    size = 8 if wide else 4
    if count:
        ends = np.frombuffer(offsets, np.int64 if wide else np.int32, count + 1, texts.offset * size)
        text_bytes = int(ends[-1]) - int(ends[0])
    else:
        offsets, text_bytes = b"\0" * 8, 0
    codes = pa.allocate_buffer(6 * count)
    numbers = pa.allocate_buffer(4 * (count + 1) + 21 * count + 32)
    extensions = pa.allocate_buffer(4 * (count + 1) + text_bytes)
    bits = pa.allocate_buffer(6 * stride)
    slow = np.empty(count, np.int32)
    left = native.kernel.read(
        kernel_tables(),
        data or b"",
        offsets,
        wide,
        validity,
        texts.offset if count else 0,
        count,
        plans,
        codes,
        numbers,
        extensions,
        bits,
        _LISTED if dialable else _PLAIN,
        slow,
    )
    parsed, extended, valid, located, failed, numbered = (bits.slice(at * stride, stride) for at in range(6))

    def strings(buffer: pa.Buffer, known: pa.Buffer) -> pa.Array:
        return pa.StringArray.from_buffers(
            count, buffer.slice(0, 4 * (count + 1)), buffer.slice(4 * (count + 1)), known
        )

    def words(name: str, at: int, known: pa.Buffer | None) -> pa.Array:
        kind = SCHEMA.field(name).type
        indices = pa.Array.from_buffers(kind.index_type, count, [known, codes.slice(at * count)])
        return pa.DictionaryArray.from_arrays(indices, _WORDS[name], safe=False)

    batch = pa.RecordBatch.from_arrays(
        [
            _rows(first, count),
            strings(numbers, numbered),
            strings(extensions, extended),
            words("error", 0, failed),
            words("possible", 1, parsed),
            pa.Array.from_buffers(pa.bool_(), count, [None, valid]),
            words("type", 2, parsed),
            words("region", 4, located),
            words("reason", 3, None),
            _true(count),
        ],
        schema=SCHEMA,
    )
    COUNTS.rows += count
    COUNTS.slow += left
    return _with_slow_rows(batch, texts, plans, slow[:left], first, dialable) if left else batch


def _with_slow_rows(
    batch: pa.RecordBatch, texts: pa.Array, plans: Plans, slow: np.ndarray, first: int, dialable: bool
) -> pa.RecordBatch:
    read_slowly = _read_slowly(texts.take(pa.array(slow)), plans[slow], first, dialable)
    order = np.arange(len(batch))
    order[slow] = len(batch) + np.arange(len(slow))
    both = pa.Table.from_batches([batch, read_slowly]).take(pa.array(order)).combine_chunks().to_batches()[0]
    return both.set_column(0, SCHEMA.field("row"), batch.column("row"))


def _read_slowly(texts: pa.Array, plans: Plans, first: int, dialable: bool) -> pa.RecordBatch:
    raw = decoded(texts)
    names = region_of_plan()
    codes = [names.get(plan) for plan in plans.tolist()]
    rows = oracle.read_rows(raw, codes)
    if not KERNEL:
        COUNTS.rows += len(rows)
        COUNTS.slow += len(rows)

    def words(name: str, values: list[str | None]) -> pa.Array:
        position = {word: at for at, word in enumerate(_WORDS[name].to_pylist())}
        codes = pa.array(
            [None if value is None else position[value] for value in values], SCHEMA.field(name).type.index_type
        )
        return pa.DictionaryArray.from_arrays(codes, _WORDS[name])

    return pa.RecordBatch.from_arrays(
        [
            _rows(first, len(rows)),
            pa.array([_e164(row, dialable) for row in rows], pa.string()),
            pa.array([row.extension for row in rows], pa.string()),
            words("error", [row.error for row in rows]),
            words("possible", [row.possible for row in rows]),
            pa.array([row.valid and not (dialable and row.listed) for row in rows], pa.bool_()),
            words("type", [row.type for row in rows]),
            words("region", [row.region for row in rows]),
            words("reason", [_reason(text, row, dialable) for text, row in zip(raw, rows, strict=True)]),
            _true(len(rows)),
        ],
        schema=SCHEMA,
    )


@cache
def region_of_plan() -> dict[int, str]:
    """Plan number -> region code."""
    return {_plan(region): region for region in phonenumbers.SUPPORTED_REGIONS}


@cache
def code_of_plan() -> np.ndarray:
    """Calling codes by plan number; the last entry, for plan -1, is 0."""
    names = region_of_plan()
    codes = np.zeros(max(names) + 2, np.int64)
    for plan, region in names.items():
        codes[plan] = phonenumbers.country_code_for_region(region)
    return codes


def _reason(text: str, reading: oracle.Reading, dialable: bool) -> str:
    if dialable and reading.listed:
        return reading.listed
    if reading.valid:
        return "ok"
    if reading.possible is not None:
        return _OF_POSSIBLE[POSSIBLE.index(reading.possible)]
    if reading.error == "NOT_A_NUMBER" and not any(map(_visible, text)):
        return "empty"
    return "no_country" if reading.homeless else _OF_ERROR[ERRORS.index(str(reading.error))]


def _e164(reading: oracle.Reading, dialable: bool) -> str | None:
    usable = reading.possible == "IS_POSSIBLE" or (reading.valid and not reading.listed)
    return reading.e164 if usable or not dialable else None


def _visible(char: str) -> bool:
    return not (char.isspace() or unicodedata.category(char) == "Cf")


def _rows(first: int, count: int) -> pa.Array:
    return pa.array(np.arange(first, first + count))


def _true(count: int) -> pa.Array:
    return pa.Array.from_buffers(pa.bool_(), count, [None, pa.py_buffer(b"\xff" * -(-count // 8))])
