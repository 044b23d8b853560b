"""Damaged fields, whole batches of them, taken apart into numbers: `repair_text` once for each shape, then the digits filled in."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ringtrue.numbering.arrays import Flags, Ints, decoded, runs, starts_of, strings, text_parts
from ringtrue.reasons import REASONS
from ringtrue.repair_text import FIRST, POINT, DigitsNeeded, Piece, Plan, plan

_CODE: Final = {reason: at for at, reason in enumerate(REASONS)}


class Pieces(NamedTuple):
    """The numbers found in fields, one entry each, in the order of the fields; and the verdict on fields without any."""

    field: Ints
    """Which field the number stands in."""
    text: pa.Array
    """An optional plus and ASCII digits."""
    extension: pa.Array
    """ASCII digits, or empty."""
    alternative: pa.Array
    """The number without a bracketed zero, or with the beginning of the one before it, or empty."""
    completed: Flags
    """Whether the alternative is the second of these."""
    reason: NDArray[np.int8]
    sure: Flags
    like_date: Flags
    first_group: Ints
    digits: Ints
    verdict: NDArray[np.int8]
    """One for each field: the code of the reason why it holds no number; 0 where it holds some."""


class _Template(NamedTuple):
    """A plan ready to be filled: code points below 256 stand for themselves, 256 + i for digit i of the field."""

    texts: tuple[NDArray[np.int16], ...]
    sizes: tuple[int, ...]
    reason: int
    sure: bool
    like_date: bool
    first_group: int
    digits: int


def pieces_of(texts: pa.Array) -> Pieces:
    """Take fields apart. The texts have no nulls."""
    shapes = _shapes(texts).dictionary_encode()
    entry = shapes.indices.to_numpy().astype(np.int64)
    plans = [_shape_plan(shape) for shape in decoded(shapes.dictionary)]
    alone = np.flatnonzero(np.array([found is None for found in plans], bool)[entry])
    for row, text in zip(alone.tolist(), decoded(texts.take(pa.array(alone))), strict=True):
        entry[row] = len(plans)
        plans.append(_text_plan(text))
    known = [found or ((), 0) for found in plans]
    templates = [template for pieces, _ in known for template in pieces]
    counts = np.array([len(pieces) for pieces, _ in known], np.int64)
    field = np.repeat(np.arange(len(entry)), counts[entry])
    which = runs(starts_of(counts)[:-1][entry], counts[entry])
    fill = _filler(texts, templates, which, field)
    alternative, bracketed = fill(2), fill(3)
    usable = pc.or_(pc.equal(bracketed, "0"), pc.equal(bracketed, ""))

    return Pieces(
        field,
        fill(0),
        fill(1),
        pc.if_else(usable, alternative, ""),
        pc.equal(bracketed, "").to_numpy(zero_copy_only=False),
        np.array([one.reason for one in templates], np.int8)[which],
        np.array([one.sure for one in templates], np.bool_)[which],
        np.array([one.like_date for one in templates], np.bool_)[which],
        np.array([one.first_group for one in templates], np.int64)[which],
        np.array([one.digits for one in templates], np.int64)[which],
        np.array([verdict for _, verdict in known], np.int8)[entry],
    )


def _shapes(texts: pa.Array) -> pa.Array:
    """The texts with every ASCII digit written as 0, and the point before a last 0 as POINT."""
    content, offsets = text_parts(texts)
    shape = np.where((content >= ord("0")) & (content <= ord("9")), np.uint8(ord("0")), content)
    shape[shape == ord(POINT)] = ord(" ")
    ends = offsets[1:][np.diff(offsets) > 1]
    points = content[ends - 2]
    shape[ends[(content[ends - 1] == ord("0")) & ((points == ord(".")) | (points == ord(",")))] - 2] = ord(POINT)
    return strings(shape, offsets)


Filler = Callable[[int], pa.Array]


def _filler(texts: pa.Array, templates: list[_Template], which: Ints, field: Ints) -> Filler:
    """A function that writes out one of the templates' texts for every piece."""
    content, offsets = text_parts(texts)
    is_digit = (content >= ord("0")) & (content <= ord("9"))
    digits = content[is_digit].astype(np.int16)
    first_digit = (
        np.concatenate(([0], np.cumsum(is_digit)))[offsets[:-1]] if len(content) else np.zeros(len(texts), np.int64)
    )

    sizes = np.array([template.sizes for template in templates], np.int64).reshape(-1, 4)

    def fill(at: int) -> pa.Array:
        lengths = sizes[which, at]
        if not lengths.any():
            return strings(np.empty(0, np.uint8), np.zeros(len(which) + 1, np.int64))
        parts = np.concatenate([template.texts[at] for template in templates if template.sizes[at]])
        codes = parts[runs(starts_of(sizes[:, at])[:-1][which], lengths)]
        copied = codes >= 256
        codes[copied] = digits[np.repeat(first_digit[field], lengths)[copied] + codes[copied] - 256]
        return strings(codes.astype(np.uint8), starts_of(lengths))

    return fill


_Ready = tuple[tuple[_Template, ...], int]


@lru_cache(maxsize=1 << 16)
def _shape_plan(shape: str) -> _Ready | None:
    try:
        return _ready(plan(shape, exact=False))
    except DigitsNeeded:
        return None


def _text_plan(text: str) -> _Ready:
    return _ready(plan(text, exact=True))


def _ready(found: Plan) -> _Ready:
    return tuple(_template(piece) for piece in found.pieces), _CODE[found.verdict] if found.verdict else 0


def _template(piece: Piece) -> _Template:
    texts = (piece.text, piece.extension, piece.alternative, piece.bracketed)
    codes = [[code - FIRST + 256 if code >= FIRST else code for code in map(ord, text)] for text in texts]
    return _Template(
        tuple(np.array(code, np.int16) for code in codes),
        tuple(map(len, codes)),
        _CODE[piece.reason],
        piece.reason != "shortened_second_number",
        piece.like_date,
        piece.first_group,
        len(piece.text.lstrip("+")),
    )
