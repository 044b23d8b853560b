"""What a person would read in digits that make no number as they stand: other readings, in order of preference, each a head and a tail of them.

This is the definition, number by number. `ringtrue/numbering/mend.c` does the same where the kernel is built, and a test compares both.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple

import numpy as np
import phonenumbers
import pyarrow as pa
from numpy.typing import NDArray
from phonenumbers import PhoneNumberType

from ringtrue.numbering import native, read
from ringtrue.numbering.arrays import Flags, Ints
from ringtrue.numbering.listed import LISTED
from ringtrue.numbering.native import KERNEL
from ringtrue.numbering.reader import Plans, code_of_plan, kernel_tables
from ringtrue.reasons import REASONS

NOTHING: Final = -1
"""No reading was found."""
_LEFT: Final = -2
"""The kernel leaves the number to Python."""
_WIDTH: Final = 24
"""Digits that are looked at; longer texts hold no single number."""
_LENGTHS: Final = range(7, 21)
"""How many digits a number has for which other readings are tried."""
_AREA_CODE: Final = 5
"""Digits of an area code at most, with the zero before it."""
_SWAPPED: Final = 9
"""Digits of a number with a calling code of two digits or three, at least; below, a swap proves nothing."""
_SURPLUS: Final = 4
"""How many digits too many a national number with a short extension behind it may have."""
_CERTAIN: Final = 12
"""Digits from which on a number without a default region is sure to begin with a country code."""

FOUND: Final = (
    "foreign_prefix",
    "doubled_country_code",
    "trunk_zero",
    "doubled_area_code",
    "old_prefix",
    "missing_plus",
    "wrong_region",
    "lost_zero",
    "stray_plus",
    "transposed_country_code",
    "placeholder",
)
"""What may be found, in the kernel's order."""
_CODES: Final = np.array([list(REASONS).index(name) for name in FOUND] + [_LEFT, NOTHING], np.int8)


class Mended(NamedTuple):
    """For each number the reading that was found."""

    text: pa.Array
    """A plus or none and digits; empty where nothing was found, and for fillers."""
    reason: NDArray[np.int8]
    """The code of the reason; `placeholder` for fillers, NOTHING where nothing was found."""
    sure: Flags


class Candidate(NamedTuple):
    """One reading, to be tried."""

    reason: str
    text: str
    sure: bool = True


def mended(texts: pa.Array, plans: Plans, first_groups: Ints) -> Mended:
    """Another reading for each text of at most one plus and digits.

    `plans` says whose rules apply at home, `first_groups` how many digits stood before the first mark.
    """
    if not KERNEL:
        return mended_slowly(texts, plans, first_groups)
    count = len(texts)
    reasons, sure = np.empty(count, np.int8), np.empty(count, bool)
    out, text = pa.allocate_buffer(4 * (count + 1)), pa.allocate_buffer((_WIDTH + 1) * count)
    _, offsets, data = texts.buffers()
    tables = kernel_tables()
    used = native.kernel.mend(
        *(tables, data or b"", offsets or b"\0\0\0\0", texts.offset, count, plans, first_groups),
        *(_packed_prefixes(), _codes_with_zero(), reasons, sure, out, text),
    )
    found = Mended(pa.StringArray.from_buffers(count, out, text.slice(0, used)), _CODES[reasons], sure)
    left = np.flatnonzero(found.reason == _LEFT)
    return _with_slow_rows(found, left, texts, plans, first_groups) if len(left) else found


def _with_slow_rows(found: Mended, left: Ints, texts: pa.Array, plans: Plans, first_groups: Ints) -> Mended:
    slow = mended_slowly(texts.take(pa.array(left)), plans[left], first_groups[left])
    place = np.arange(len(texts))
    place[left] = len(texts) + np.arange(len(left))
    found.reason[left], found.sure[left] = slow.reason, slow.sure
    return found._replace(text=pa.concat_arrays([found.text, slow.text]).take(pa.array(place)))


def mended_slowly(texts: pa.Array, plans: Plans, first_groups: Ints) -> Mended:
    """The same without the kernel."""
    numbers = texts.to_pylist()
    homes = code_of_plan()[plans].tolist()
    tried = [
        list(candidates(number, home, first)) if len(number.lstrip("+")[:_WIDTH]) in _LENGTHS else []
        for number, home, first in zip(numbers, homes, first_groups.tolist(), strict=True)
    ]
    rows = np.repeat(np.arange(len(tried)), [len(some) for some in tried])
    answers = _readings([candidate.text for some in tried for candidate in some], plans[rows])
    found: list[tuple[str, str, bool]] = []
    for number, home, first, plan, some in zip(numbers, homes, first_groups.tolist(), plans, tried, strict=True):
        good = [candidate for candidate in some if _counts(candidate, *next(answers))]
        if good and good[0].reason == "missing_plus":
            found.append(_without_plus(number, good[0].text, home, first, plan))
        elif good and good[0].sure:
            found.append((good[0].text, good[0].reason, True))
        elif is_filler(number):
            found.append(("", "placeholder", True))
        else:
            found.append((good[0].text, good[0].reason, False) if good else ("", "", False))
    reasons = [_CODES[FOUND.index(reason)] if reason else NOTHING for _, reason, _ in found]
    return Mended(
        pa.array([text for text, _, _ in found], pa.string()),
        np.array(reasons, np.int8),
        np.array([sure for _, _, sure in found], bool),
    )


def _readings(texts: list[str], plans: Plans) -> Iterator[tuple[bool, str]]:
    for batch in read(pa.array(texts, pa.string()), plans, dialable=True):
        yield from zip(batch.column("valid").to_pylist(), batch.column("reason").to_pylist(), strict=True)


def _counts(candidate: Candidate, valid: bool, reason: str) -> bool:
    """Whether a reading is one: a valid number, or a listed one where the way there is sure."""
    return candidate.sure if reason in LISTED else valid


def _without_plus(number: str, text: str, home: int, first_group: int, plan: np.int16) -> tuple[str, str, bool]:
    """Digits without a plus that begin with a country code, and whether they surely do.

    They do where the code stands alone as the first group. A code of three digits may be an area code at home with something behind the
    number, so no shorter part may be a number at home. Digits without any grouping must not be a home number with one digit too many.
    """
    shorter = pa.array([number[:-by] for by in range(1, _SURPLUS + 1)], pa.string())
    fits = read(shorter, np.full(_SURPLUS, plan))[0].column("valid").to_pylist()
    width = len(_code_of(number))
    grouped = first_group == width and (width == 2 or not any(fits))
    alone = first_group == len(number) and not fits[0] and (home > 0 or len(number) >= _CERTAIN)
    return text, "wrong_region" if home and first_group != width else "missing_plus", grouped or alone


def candidates(number: str, home: int, first_group: int) -> Iterator[Candidate]:
    """Other readings of a number, the preferred ones first and those that are no more than suggestions last.

    `home` is the calling code of the default region, 0 where there is none.
    """
    plus, digits = number.startswith("+"), number.lstrip("+")
    code = _code_of(digits)
    rest, zero = digits[len(code) :], digits.startswith("0")
    abroad = next((prefix for prefix in ("0011", "011", "00") if digits.startswith(prefix)), "")
    if abroad and not digits.startswith(f"{abroad}0"):
        yield Candidate("foreign_prefix", f"+{digits[len(abroad) :]}")
    if code and rest.startswith(code):
        yield Candidate("doubled_country_code", f"+{rest}")
    if code and rest.startswith(f"00{code}"):
        yield Candidate("doubled_country_code", f"+{rest[2:]}")
    if plus and code and rest.startswith("0"):
        yield Candidate("trunk_zero", f"+{code}{rest[1:]}")
    if not plus and zero and home > 1:
        yield Candidate("trunk_zero", digits[1:])
    behind_area = digits[first_group:]
    refilled = not plus and zero and 1 < first_group <= _AREA_CODE and behind_area.startswith("0")
    if refilled and behind_area.startswith(digits[:first_group]):
        yield Candidate("doubled_area_code", behind_area)
    for old, international, prefix in _old_prefixes():
        if plus and international and code == str(old) and rest.startswith(prefix):
            yield Candidate("old_prefix", f"+{code}{rest[len(prefix) :]}")
        elif not plus and not international and home == old and digits.startswith(prefix):
            yield Candidate("old_prefix", digits[len(prefix) :])
    if not plus and code:
        yield Candidate("missing_plus", f"+{digits}")
    if not plus and zero and home == 1:
        yield Candidate("trunk_zero", digits[1:], sure=False)
    if refilled:
        yield Candidate("doubled_area_code", behind_area, sure=False)
    if plus and code and _codes_with_zero()[int(code)]:
        yield Candidate("lost_zero", f"+{code}0{rest}", sure=False)
    if plus and home:
        yield Candidate("stray_plus", digits, sure=False)
    if len(digits) >= _SWAPPED:
        for front in _swapped(*digits[:3]):
            swapped = _code_of(front)
            if len(swapped) > 1 and (plus or swapped == str(home)):
                yield Candidate("transposed_country_code", f"+{front}{digits[3:]}", sure=False)
    if not plus and not zero and _codes_with_zero()[home]:
        yield Candidate("lost_zero", f"0{digits}", sure=False)


def _swapped(first: str, second: str, third: str) -> tuple[str, ...]:
    """What three digits may have been: two of them in the other order, or the wrong one of them doubled."""
    return (
        second + first + third,
        first + third + second,
        first + (first if second == third else "0") + third,
        first + (third if first == second else "0") + third,
    )


def is_filler(number: str) -> bool:
    """One digit again and again, after up to three others, or a run along the keyboard, after a plus and its calling code."""
    plus, digits = number.startswith("+"), number.lstrip("+")[:_WIDTH]
    code = len(_code_of(digits))
    for step, least, first_digits in ((0, 4, "0123456789"), (1, 5, "01"), (9, 5, "09")):
        begin = max(len(digits) - 1, 0)
        while begin and (int(digits[begin]) - int(digits[begin - 1])) % 10 == step:
            begin -= 1
        others = code if plus else begin if step == 0 else 0
        whole = begin == 0 and len(digits) >= least
        if (whole or (begin <= 3 and len(digits) - begin >= 7 and begin == others)) and digits[begin] in first_digits:
            return True
    return False


def _code_of(digits: str) -> str:
    """The calling code that digits begin with, or nothing."""
    found = (digits[:width] for width in (1, 2, 3) if len(digits) >= 3)
    return next(
        (code for code in found if code[0] != "0" and int(code) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE), ""
    )


@cache
def _old_prefixes() -> tuple[tuple[int, bool, str], ...]:
    """Calling code, whether it stands before the prefix, and the prefix."""
    text = files("ringtrue").joinpath("data/numbers/prefixes.toml").read_text(encoding="utf-8")
    return tuple(
        (entry["code"], kind == "international", prefix)
        for entry in tomllib.loads(text)["old"]
        for kind in ("international", "national")
        for prefix in entry[kind]
    )


@cache
def _packed_prefixes() -> np.ndarray:
    """The old prefixes as the kernel takes them."""
    rows = [(code, plus, len(prefix), [*map(int, prefix.ljust(12, "0"))]) for code, plus, prefix in _old_prefixes()]
    return np.array(rows, "<u2, u1, u1, (12,)u1")


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
