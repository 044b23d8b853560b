"""Damaged fields, whole batches of them, taken apart into numbers: `repair_text` once for each shape, then the digits filled in."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ringtrue.numbering.arrays import Flags, Ints, decoded, runs, strings, text_parts
from ringtrue.numbering.ragged import filled
from ringtrue.repair_shapes import SHAPES, joined, packed
from ringtrue.repair_text import POINT, plan


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
    postcode: Ints
    """One for each field: the postcodes it looks like, as in `ringtrue.repair_shapes.Packed`."""


def pieces_of(texts: pa.Array) -> Pieces:
    """Take fields apart. The texts have no nulls."""
    shapes = _shapes(texts).dictionary_encode()
    entries, plans = SHAPES.understood(decoded(shapes.dictionary))
    entry = entries[shapes.indices.to_numpy()]
    alone = np.flatnonzero(entry < 0)
    if len(alone):
        entry[alone] = len(plans.counts) + np.arange(len(alone))
        exact = decoded(texts.take(pa.array(alone)))
        plans = joined(plans, packed([plan(text, exact=True) for text in exact], exact))
    counts = plans.counts[entry]
    field = np.repeat(np.arange(len(entry)), counts)
    which = runs(plans.first[entry], counts)

    others = np.flatnonzero(plans.two_ways[which])
    bracketed = filled(texts, plans.texts[3], field[others], which[others])
    usable = pc.or_(pc.equal(bracketed, "0"), pc.equal(bracketed, "")).to_numpy(zero_copy_only=False)
    alternative = np.full(len(which), -1, np.int64)
    alternative[others[usable]] = np.flatnonzero(usable)

    return Pieces(
        field,
        filled(texts, plans.texts[0], field, which),
        filled(texts, plans.texts[1], field, which),
        filled(texts, plans.texts[2], field[others], which[others]),
        alternative,
        plans.completed[which],
        plans.reason[which],
        plans.sure[which],
        plans.like_date[which],
        plans.first_group[which],
        plans.digits[which],
        plans.verdict[entry],
        plans.postcode[entry],
    )


_BLANK: Final = bytes.maketrans(f"123456789{POINT}".encode(), b"000000000 ")


def _shapes(texts: pa.Array) -> pa.Array:
    """The texts with every ASCII digit written as 0, and the point before a last 0 as POINT."""
    content, offsets = text_parts(texts)
    shape = np.frombuffer(bytearray(content).translate(_BLANK), np.uint8)
    ends = offsets[1:][np.diff(offsets) > 1]
    points = content[ends - 2]
    shape[ends[(content[ends - 1] == ord("0")) & ((points == ord(".")) | (points == ord(",")))] - 2] = ord(POINT)
    return strings(shape, offsets)
