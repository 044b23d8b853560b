"""What is said about the numbers of one column: six cells for each row, and the counts the report is made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ringtrue.phone import normalize_arrow
from ringtrue.reasons import REASONS

TOLD: Final = ("E.164", "status", "reason", "type", "extension", "suggestion")
"""The cells, in the order of the columns."""
INCOMPLETE: Final = frozenset({"no_country", "missing_area_code"})
"""Reasons of a number that may be right, but not as far as it was entered."""
MOST_SHAPES: Final = 5_000
SHAPE_LENGTH: Final = 40
_SHAPES: Final = ((r"\p{Nd}", "9"), (r"\p{Lu}", "A"), (r"\p{L}", "a"))
_CODES: Final = list(REASONS)
_SENTENCES: Final = pa.array(["" if code in ("ok", "empty") else sentence for code, sentence in REASONS.items()])


@dataclass
class Tally:
    """Counts of one column over the whole list. `shapes`: how fields with a reason are written, digits as 9 and letters as a."""

    name: str
    statuses: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    regions: Counter[str] = field(default_factory=Counter)
    numbers: int = 0
    shapes: dict[str, Counter[str]] = field(default_factory=dict)


def answer(texts: Sequence[str], regions: Any, places: Sequence[str] | None, tally: Tally) -> list[pa.Array]:
    """Read one column of a batch: the cells of `TOLD`, each an Arrow array of strings with one value a row."""
    read = normalize_arrow(pa.array(texts, pa.string()), regions, place=places).combine_chunks()
    row = read.column("row").to_numpy()
    first = np.flatnonzero(np.append(True, row[1:] != row[:-1])) if len(row) else np.zeros(0, dtype=np.int64)
    several = first[np.append(np.diff(first), len(row) - first[-1]) > 1] if len(first) else first
    sure = pc.fill_null(read.column("sure"), False).to_numpy(zero_copy_only=False)
    valid = pc.fill_null(read.column("valid"), False).to_numpy(zero_copy_only=False)
    present = pc.is_valid(read.column("e164")).to_numpy(zero_copy_only=False)
    good, doubtful = sure & valid & present, ~sure & present
    reason = _text(read.column("reason"))
    status = _statuses(good, doubtful, reason)
    e164 = pc.fill_null(_text(read.column("e164")), "")
    kind = pc.replace_substring(pc.utf8_lower(pc.fill_null(_text(read.column("type")), "")), "_", " ")
    shown = good | doubtful
    cells = [
        _where(good, e164),
        status,
        _SENTENCES.take(pc.index_in(reason, pa.array(_CODES))),
        _where(shown, kind),
        _where(shown, pc.fill_null(_text(read.column("extension")), "")),
        _where(doubtful, e164),
    ]
    _count(tally, texts, row, first, status, reason, kind, read, good)
    if len(first) == len(row):
        return cells
    return _together([cell.take(pa.array(first)) for cell in cells], cells, row, first, several)


def _text(column: Any) -> pa.Array:
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    return array.cast(pa.string())


def _where(mask: Any, values: pa.Array) -> pa.Array:
    return pc.if_else(pa.array(mask), values, "")


def _statuses(good: Any, doubtful: Any, reason: pa.Array) -> pa.Array:
    words = pc.if_else(pc.is_in(reason, pa.array(sorted(INCOMPLETE))), "incomplete", "invalid")
    words = pc.if_else(pc.equal(reason, "empty"), "empty", words)
    return pc.if_else(pa.array(good), "valid", pc.if_else(pa.array(doubtful), "suggestion", words))


_RANK: Final = ("valid", "suggestion", "incomplete", "invalid", "empty")


def _together(one: list[pa.Array], cells: list[pa.Array], row: Any, first: Any, several: Any) -> list[pa.Array]:
    """Fields with several numbers: all of them in one cell, and the best of their statuses."""
    ends = dict(zip(first.tolist(), [*first[1:].tolist(), len(row)], strict=True))
    at = np.zeros(len(first), dtype=bool)
    at[row[several]] = True
    values: list[list[str]] = [[] for _ in cells]
    for start in several.tolist():
        parts = [cell.slice(start, ends[start] - start).to_pylist() for cell in cells]
        for place, part in enumerate(parts):
            if place == 1:
                values[place].append(min(part, key=_RANK.index))
            else:
                values[place].append((" " if place == 2 else "; ").join(dict.fromkeys(filter(None, part))))
    mask = pa.array(at)
    return [pc.replace_with_mask(cell, mask, pa.array(told)) for cell, told in zip(one, values, strict=True)]


def _count(
    tally: Tally,
    texts: Sequence[str],
    row: Any,
    first: Any,
    status: pa.Array,
    reason: pa.Array,
    kind: pa.Array,
    read: Any,
    good: Any,
) -> None:
    """Fields are counted by their best status, and by the reason of their first number; types and countries by valid numbers."""
    codes = pc.index_in(status, pa.array(_RANK)).to_numpy(zero_copy_only=False)
    best = np.minimum.reduceat(codes, first) if len(first) < len(codes) else codes
    for word, count in zip(_RANK, np.bincount(best, minlength=len(_RANK)).tolist(), strict=True):
        if count:
            tally.statuses[word] += count
    firsts = reason if len(first) == len(row) else reason.take(pa.array(first))
    _add(tally.reasons, firsts)
    mask = pa.array(good)
    _add(tally.types, kind.filter(mask))
    _add(tally.regions, pc.fill_null(_text(read.column("region")), "").filter(mask))
    tally.numbers += int(good.sum())
    odd = pc.invert(pc.is_in(firsts, pa.array(["ok", "empty"])))
    written = pa.array(texts, pa.string()).filter(odd)
    if not len(written):
        return
    for pattern, letter in _SHAPES:
        written = pc.replace_substring_regex(written, pattern, letter)
    written = pc.utf8_slice_codeunits(written, 0, SHAPE_LENGTH)
    pairs = pa.table({"reason": firsts.filter(odd), "shape": written}).group_by(["reason", "shape"])
    for found in pairs.aggregate([([], "count_all")]).to_pylist():
        shapes = tally.shapes.setdefault(found["reason"], Counter())
        if found["shape"] in shapes or len(shapes) < MOST_SHAPES:
            shapes[found["shape"]] += found["count_all"]


def _add(counter: Counter[str], values: pa.Array) -> None:
    for found in pc.value_counts(values).to_pylist():
        if found["values"]:
            counter[found["values"]] += found["counts"]
