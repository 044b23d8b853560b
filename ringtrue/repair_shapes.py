"""Shapes of fields that were understood before: their plans as arrays, so that a batch of fields costs little more than its new shapes.

A shape is a field with its digits blanked; nearly all fields of a list share a few hundred.
"""

from __future__ import annotations

from threading import Lock
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ringtrue.numbering.arrays import Flags, Ints, starts_of
from ringtrue.numbering.ragged import DIGIT, Templates
from ringtrue.reasons import REASONS
from ringtrue.repair_text import FIRST, DigitsNeeded, Plan, plan, postcodes_like

_CODE: Final = {reason: at for at, reason in enumerate(REASONS)}
_MOST: Final = 1 << 16
"""Shapes kept; beyond that all are forgotten, which costs a second now and then and no memory."""


class Packed(NamedTuple):
    """Plans laid end to end: four columns of plans, then columns of their numbers."""

    first: Ints
    """Where the numbers of a plan begin."""
    counts: Ints
    verdict: NDArray[np.int8]
    """The code of the reason why there is no number; 0 where there are some."""
    postcode: Ints
    """Bit i is set where pattern i of `ringtrue.repair_text.postcode_patterns` fits."""

    texts: tuple[Templates, Templates, Templates, Templates]
    """Text, extension, alternative and bracketed digit of each number."""
    reason: NDArray[np.int8]
    sure: Flags
    like_date: Flags
    first_group: Ints
    digits: Ints
    two_ways: Flags
    """Whether there is an alternative."""
    completed: Flags
    """Whether it comes from the number before, not from a bracket left out."""


def packed(plans: list[Plan], shapes: list[str]) -> Packed:
    """Plans of some shapes, or of fields read exactly."""
    pieces = [piece for found in plans for piece in found.pieces]
    counts = np.array([len(found.pieces) for found in plans], np.int64)
    return Packed(
        starts_of(counts)[:-1],
        counts,
        np.array([_CODE[found.verdict] if found.verdict else 0 for found in plans], np.int8),
        np.array([postcodes_like(shape) for shape in shapes], np.int64),
        (
            _templates([piece.text for piece in pieces]),
            _templates([piece.extension for piece in pieces]),
            _templates([piece.alternative for piece in pieces]),
            _templates([piece.bracketed for piece in pieces]),
        ),
        np.array([_CODE[piece.reason] for piece in pieces], np.int8),
        np.array([piece.reason != "shortened_second_number" for piece in pieces], bool),
        np.array([piece.like_date for piece in pieces], bool),
        np.array([piece.first_group for piece in pieces], np.int64),
        np.array([len(piece.text.lstrip("+")) for piece in pieces], np.int64),
        np.array([piece.alternative != "" for piece in pieces], bool),
        np.array([piece.bracketed == "" for piece in pieces], bool),
    )


def joined(one: Packed, other: Packed) -> Packed:
    """The plans of both, those of the first one keeping their numbers."""
    return Packed(
        np.concatenate([one.first, other.first + len(one.reason)]),
        np.concatenate([one.counts, other.counts]),
        np.concatenate([one.verdict, other.verdict]),
        np.concatenate([one.postcode, other.postcode]),
        (
            _both(one.texts[0], other.texts[0]),
            _both(one.texts[1], other.texts[1]),
            _both(one.texts[2], other.texts[2]),
            _both(one.texts[3], other.texts[3]),
        ),
        np.concatenate([one.reason, other.reason]),
        np.concatenate([one.sure, other.sure]),
        np.concatenate([one.like_date, other.like_date]),
        np.concatenate([one.first_group, other.first_group]),
        np.concatenate([one.digits, other.digits]),
        np.concatenate([one.two_ways, other.two_ways]),
        np.concatenate([one.completed, other.completed]),
    )


def _both(one: Templates, other: Templates) -> Templates:
    return Templates(
        np.concatenate([one.codes, other.codes]), np.concatenate([one.places, other.places[1:] + one.places[-1]])
    )


def _templates(texts: list[str]) -> Templates:
    codes = [code - FIRST + DIGIT if code >= FIRST else code for text in texts for code in map(ord, text)]
    return Templates(np.array(codes, np.int16), starts_of(np.array([len(text) for text in texts], np.int64)))


class Shapes:
    """What was understood so far; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._entry: dict[str, int] = {}
        self._packed = packed([], [])

    def understood(self, shapes: list[str]) -> tuple[Ints, Packed]:
        """For each shape its place among the plans, -1 where its digits decide; and the plans."""
        with self._lock:
            new = [shape for shape in shapes if shape not in self._entry]
            if len(self._entry) + len(new) > _MOST:
                self._entry, self._packed, new = {}, packed([], []), shapes
            if new:
                self._learn(new)
            entry = self._entry
            return np.array([entry[shape] for shape in shapes], np.int64), self._packed

    def _learn(self, shapes: list[str]) -> None:
        plans: list[Plan] = []
        known: list[str] = []
        place = len(self._packed.counts)
        for shape in shapes:
            try:
                plans.append(plan(shape, exact=False))
            except DigitsNeeded:
                self._entry[shape] = -1
            else:
                self._entry[shape] = place + len(known)
                known.append(shape)
        self._packed = joined(self._packed, packed(plans, known))


SHAPES: Final = Shapes()
