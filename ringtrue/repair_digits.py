"""What a person would read in digits that make no number as they stand: candidates, in order of preference, each a head and a tail of them."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple

import numpy as np
import phonenumbers
import pyarrow as pa
from phonenumbers import PhoneNumberType

from ringtrue.numbering.arrays import Bytes, Flags, Ints, starts_of, strings, text_parts

_BEHIND: Final = 99
"""The step behind the last digit."""
WIDTH: Final = 24
"""Columns of a matrix of digits; longer texts hold no single number."""


_AREA_CODE: Final = 5
"""Digits of an area code at most, with the zero before it."""
_SHORTEST: Final = 8
"""Digits of an international number with a calling code of two digits or three, at least; below, a swap proves nothing."""


class Numbers(NamedTuple):
    """Texts of `+` and digits as a matrix."""

    digits: Bytes
    """Rows of ASCII digits without the plus, 0 behind the end."""
    length: Ints
    plus: Flags
    code_width: Ints
    """Digits of the calling code at the front, 0 where there is none."""

    def take(self, rows: Ints) -> Numbers:
        """Some of the rows."""
        return Numbers(self.digits[rows], self.length[rows], self.plus[rows], self.code_width[rows])


class Candidates(NamedTuple):
    """Other readings of some rows: `text[i]` for row `row[i]`."""

    reason: str
    sure: bool
    row: Ints
    text: pa.Array


def numbers_from(texts: pa.Array) -> Numbers:
    """Take texts of at most one plus and digits apart."""
    content, offsets = text_parts(texts)
    start, count = offsets[:-1], np.diff(offsets)
    plus = np.zeros(len(texts), bool)
    some = count > 0
    plus[some] = content[start[some]] == ord("+")
    start, count = start + plus, np.minimum(count - plus, WIDTH)
    columns = np.arange(WIDTH)
    digits = np.zeros((len(texts), WIDTH), np.uint8)
    inside = columns < count[:, None]
    digits[inside] = content[(start[:, None] + columns)[inside]]
    front = (digits[:, :3].astype(np.int64) - ord("0")) @ np.array([100, 10, 1])
    front[(count < 3) | (front < 0)] = 0
    return Numbers(digits, count, plus, _code_widths()[front])


def candidates(numbers: Numbers, home_code: Ints, first_group: Ints) -> list[Candidates]:
    """Other readings, preferred first.

    `home_code` is the calling code of each row's default region, 0 where there is none; `first_group` the digits before the first mark.
    """
    digits, count, plus, width = numbers
    zero = digits == ord("0")
    after_idd = np.select(
        [
            zero[:, 0] & (digits[:, 1] == ord("0")) & (digits[:, 2] == ord("1")) & (digits[:, 3] == ord("1")),
            zero[:, 0] & (digits[:, 1] == ord("1")) & (digits[:, 2] == ord("1")),
            zero[:, 0] & zero[:, 1],
        ],
        [4, 3, 2],
        0,
    )
    idd = (after_idd > 0) & (_at(digits, after_idd) != ord("0"))
    doubled = (width > 0) & _same(digits, np.zeros_like(width), width, width)
    doubled_idd = (
        (width > 0)
        & (_at(digits, width) == ord("0"))
        & (_at(digits, width + 1) == ord("0"))
        & _same(digits, np.zeros_like(width), width + 2, width)
    )
    trunk = plus & (width > 0) & (_at(digits, width) == ord("0"))
    national_zero = ~plus & zero[:, 0] & (home_code > 0)
    dense = home_code == 1
    refilled = (
        ~plus & zero[:, 0] & (first_group > 1) & (first_group <= _AREA_CODE) & (_at(digits, first_group) == ord("0"))
    )
    again = refilled & _same(digits, np.zeros_like(width), first_group, first_group)

    def build(reason: str, sure: bool, rows: Flags, skip: Ints | int, *front: Bytes | np.uint8) -> Candidates:
        """Rows that apply, with the bytes put in front (0 for none) and the digits from `skip` on."""
        if not rows.any():
            return Candidates(reason, sure, np.empty(0, np.int64), pa.array([], pa.string()))
        starts = np.broadcast_to(np.asarray(skip, np.int64), count.shape)
        row = np.flatnonzero(rows & (count > starts))
        heads = np.stack([np.broadcast_to(np.asarray(column, np.uint8), count.shape)[row] for column in front], axis=1)
        return Candidates(reason, sure, row, _with_heads(numbers, row, heads, starts[row]))

    plus_sign, zero_sign, nothing = np.uint8(ord("+")), np.uint8(ord("0")), np.uint8(0)
    first, second, third = digits[:, 0], digits[:, 1], digits[:, 2]
    nothing_yet = np.zeros_like(width)
    code = [np.where(width > at, digits[:, at], 0) for at in range(3)]
    return [
        build("foreign_prefix", True, idd, after_idd, plus_sign),
        build("doubled_country_code", True, doubled, width, plus_sign),
        build("doubled_country_code", True, doubled_idd, width + 2, plus_sign),
        build("trunk_zero", True, trunk, width + 1, plus_sign, *code),
        build("trunk_zero", True, national_zero & ~dense, 1, nothing),
        build("doubled_area_code", True, again, first_group, nothing),
        *[
            build(
                "old_prefix",
                True,
                (plus & (_code(numbers) == old)) & _starts(digits, width, prefix),
                width + len(prefix),
                plus_sign,
                *code,
            )
            for old, prefix in _old_prefixes("international")
        ],
        *[
            build(
                "old_prefix",
                True,
                ~plus & (home_code == old) & _starts(digits, nothing_yet, prefix),
                len(prefix),
                nothing,
            )
            for old, prefix in _old_prefixes("national")
        ],
        build("missing_plus", True, ~plus & (width > 0), 0, plus_sign),
        build("trunk_zero", False, national_zero & dense, 1, nothing),
        build("doubled_area_code", False, refilled, first_group, nothing),
        build("lost_zero", False, plus & _codes_with_zero()[_code(numbers)], width, plus_sign, *code, zero_sign),
        build("stray_plus", False, plus & (home_code > 0), 0, nothing),
        *[
            build(
                "transposed_country_code",
                False,
                _fits(order, plus, home_code) & (count > _SHORTEST),
                3,
                plus_sign,
                *order,
            )
            for order in (
                (second, first, third),
                (first, third, second),
                (first, np.where(second == third, first, zero_sign), third),
                (first, np.where(first == second, third, zero_sign), third),
            )
        ],
        build("lost_zero", False, ~plus & ~zero[:, 0] & _codes_with_zero()[home_code], 0, zero_sign),
    ]


def _fits(front: tuple[Bytes, ...], plus: Flags, home_code: Ints) -> Flags:
    """Rows whose first digits in another order are a calling code of two digits or three: that of the default region, without a plus."""
    value = sum(
        (column.astype(np.int64) - ord("0")) * weight for column, weight in zip(front, (100, 10, 1), strict=True)
    )
    value = np.clip(value, 0, 999)
    width = _code_widths()[value]
    code = value // 10 ** (3 - np.maximum(width, 1))
    fits: Flags = (width > 1) & (plus | (code == home_code))
    return fits


def cut(numbers: Numbers, rows: Ints, by: int = 0) -> pa.Array:
    """The digits of some rows, as many fewer from the end."""
    less = numbers._replace(length=np.maximum(numbers.length - by, 0))
    return _with_heads(less, rows, _NO_HEAD, np.zeros(len(rows), np.int64))


def fillers(numbers: Numbers) -> Flags:
    """Rows of one digit again and again, after up to three others, or of a run along the keyboard, after a plus and its calling code."""
    last = np.maximum(numbers.length, 3) - 1
    ends = [
        (_at(numbers.digits, last - back) + np.uint8(10) - _at(numbers.digits, last - back - 1)) % 10 for back in (0, 1)
    ]
    likely = np.flatnonzero((ends[0] == ends[1]) & np.isin(ends[0], (0, 1, 9)))
    found = np.zeros(len(last), bool)
    found[likely] = _are_fillers(numbers.take(likely))
    return found


def _are_fillers(numbers: Numbers) -> Flags:
    digits, count, plus, width = numbers
    places = np.arange(WIDTH)
    steps = np.zeros(digits.shape, np.uint8)
    steps[:, 1:] = (digits[:, 1:] + np.uint8(10) - digits[:, :-1]) % 10
    steps[places >= count[:, None]] = _BEHIND
    found = np.zeros(len(count), bool)
    for step, least, first_digits in ((0, 4, b"0123456789"), (1, 5, b"01"), (9, 5, b"09")):
        broken = (steps != step) & (steps != _BEHIND)
        begin = np.where(broken.any(axis=1), WIDTH - 1 - broken[:, ::-1].argmax(axis=1), 0)
        whole = (begin == 0) & (count >= least)
        behind_others = (
            (begin <= 3) & (count - begin >= 7) & (begin == np.where(plus, width, begin if step == 0 else 0))
        )
        found |= (whole | behind_others) & np.isin(_at(digits, begin), np.frombuffer(first_digits, np.uint8))
    return found


def _code(numbers: Numbers) -> Ints:
    """The calling code at the front of each row, 0 where there is none."""
    front = numbers.digits[:, :3].astype(np.int64) - ord("0")
    value = np.clip(front @ np.array([100, 10, 1]), 0, 999)
    code: Ints = np.where(numbers.code_width > 0, value // 10 ** (3 - np.maximum(numbers.code_width, 1)), 0)
    return code


def _starts(digits: Bytes, place: Ints, prefix: str) -> Flags:
    """Whether the digits from a place on begin with a prefix."""
    found = np.ones(len(digits), bool)
    for step, digit in enumerate(prefix.encode()):
        found &= _at(digits, place + step) == digit
    return found


@cache
def _old_prefixes(kind: str) -> tuple[tuple[int, str], ...]:
    text = files("ringtrue").joinpath("data/numbers/prefixes.toml").read_text(encoding="utf-8")
    return tuple((entry["code"], prefix) for entry in tomllib.loads(text)["old"] for prefix in entry[kind])


def _at(digits: Bytes, place: Ints) -> Bytes:
    return digits[np.arange(len(digits)), np.minimum(place, WIDTH - 1)]


def _same(digits: Bytes, first: Ints, second: Ints, length: Ints) -> Flags:
    """Whether runs of up to five digits at two places are equal."""
    equal = np.ones(len(digits), bool)
    for step in range(min(int(length.max(initial=0)), _AREA_CODE)):
        equal &= (step >= length) | (_at(digits, first + step) == _at(digits, second + step))
    return equal


_NO_HEAD: Final = np.zeros((1, 1), np.uint8)


def _with_heads(numbers: Numbers, rows: Ints, heads: Bytes, skip: Ints) -> pa.Array:
    """Bytes in front and the digits from `skip` on, for each row."""
    columns = np.arange(WIDTH)
    kept = (columns >= skip[:, None]) & (columns < numbers.length[rows][:, None])
    front = np.broadcast_to(heads, (len(rows), heads.shape[1]))
    joined = np.concatenate([front, np.where(kept, numbers.digits[rows], 0).astype(np.uint8)], axis=1)
    used = joined > 0
    return strings(joined[used], starts_of(used.sum(axis=1)))


@cache
def _codes_with_zero() -> Flags:
    """For every calling code whether national numbers may begin with a zero."""
    found = np.zeros(1000, bool)
    for region in phonenumbers.SUPPORTED_REGIONS:
        for kind in (PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE):
            number = phonenumbers.example_number_for_type(region, kind)
            if number is not None and number.italian_leading_zero:
                found[number.country_code] = True
    return found


@cache
def _code_widths() -> Ints:
    """For every three digits the width of the calling code they begin with."""
    widths = np.zeros(1000, np.int64)
    for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE:
        size = 10 ** (3 - len(str(code)))
        widths[code * size : (code + 1) * size] = len(str(code))
    return widths
