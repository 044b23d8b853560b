"""Damaged fields, whole batches of them, taken apart into numbers: `repair_text` once for each shape, then the digits filled in."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ringtrue.numbering.arrays import Flags, Ints, decoded, runs, starts_of, strings, text_parts
from ringtrue.numbering.ragged import DIGIT, Templates, filled
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
    alternatives: pa.Array
    """Other readings of some: without a bracketed zero, or with the beginning of the number before it."""
    alternative: Ints
    """Which of these belongs to each number; -1 for none."""
    completed: Flags
    """Whether the alternative is of the second kind."""
    reason: NDArray[np.int8]
    sure: Flags
    like_date: Flags
    first_group: Ints
    digits: Ints
    verdict: NDArray[np.int8]
    """One for each field: the code of the reason why it holds no number; 0 where it holds some."""


class _Template(NamedTuple):
    """A plan ready to be filled, with the codes of `ringtrue.numbering.ragged.Templates`."""

    texts: tuple[NDArray[np.int16], ...]
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

    def fill(at: int, rows: Ints | None = None) -> pa.Array:
        """The templates' texts of one kind, for all pieces or some."""
        parts = [template.texts[at] for template in templates]
        ready = Templates(
            np.concatenate([_NO_CODES, *parts]), starts_of(np.array([len(part) for part in parts], np.int64))
        )
        return filled(texts, ready, field if rows is None else field[rows], which if rows is None else which[rows])

    others = np.flatnonzero(np.array([len(one.texts[2]) > 0 for one in templates], bool)[which])
    bracketed = fill(3, others)
    usable = pc.or_(pc.equal(bracketed, "0"), pc.equal(bracketed, "")).to_numpy(zero_copy_only=False)
    alternative = np.full(len(which), -1, np.int64)
    alternative[others[usable]] = np.flatnonzero(usable)
    completed = np.array([not len(one.texts[3]) for one in templates], bool)[which]

    return Pieces(
        field,
        fill(0),
        fill(1),
        fill(2, others),
        alternative,
        completed,
        np.array([one.reason for one in templates], np.int8)[which],
        np.array([one.sure for one in templates], np.bool_)[which],
        np.array([one.like_date for one in templates], np.bool_)[which],
        np.array([one.first_group for one in templates], np.int64)[which],
        np.array([one.digits for one in templates], np.int64)[which],
        np.array([verdict for _, verdict in known], np.int8)[entry],
    )


_NO_CODES: Final = np.empty(0, np.int16)


_BLANK: Final = bytes.maketrans(f"123456789{POINT}".encode(), b"000000000 ")


def _shapes(texts: pa.Array) -> pa.Array:
    """The texts with every ASCII digit written as 0, and the point before a last 0 as POINT."""
    content, offsets = text_parts(texts)
    shape = np.frombuffer(bytearray(content).translate(_BLANK), np.uint8)
    ends = offsets[1:][np.diff(offsets) > 1]
    points = content[ends - 2]
    shape[ends[(content[ends - 1] == ord("0")) & ((points == ord(".")) | (points == ord(",")))] - 2] = ord(POINT)
    return strings(shape, offsets)


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
    codes = [[code - FIRST + DIGIT if code >= FIRST else code for code in map(ord, text)] for text in texts]
    return _Template(
        tuple(np.array(code, np.int16) for code in codes),
        _CODE[piece.reason],
        piece.reason != "shortened_second_number",
        piece.like_date,
        piece.first_group,
        len(piece.text.lstrip("+")),
    )
