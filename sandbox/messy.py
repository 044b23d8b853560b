"""The ways people and programs write a phone number into a CRM field, each with a name, so that its share is known.

A way is `plain`, `readable` (odd, but a careful person who knows the record's country reads the right number), `damaged` (digits are lost for good) or a
`placeholder` (no number). `write` turns a number into text in one of these ways.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple


class Digits(NamedTuple):
    """A number ready for writing: national digits with the area split off, the calling code, the trunk prefix dialled inside the country."""

    calling_code: str
    trunk: str
    area: str
    rest: str

    @property
    def e164(self) -> str:
        return f"+{self.calling_code}{self.area}{self.rest}"


class Way(NamedTuple):
    """A way of writing: its name, its kind, and how it is done. `pick` is a random number that decides details."""

    name: str
    kind: str
    write: Callable[[Digits, int], str]


def _groups(text: str, joint: str) -> str:
    """Digits in a first group of 3 or 4 and a last group of 4: 5550123 -> 555-0123."""
    return f"{text[:-4]}{joint}{text[-4:]}" if len(text) > 5 else text


def _national(number: Digits, joint: str = " ") -> str:
    return f"{number.trunk}{number.area}{joint}{_groups(number.rest, joint)}"


def _in_script(number: Digits, zero: int) -> str:
    return _national(number).translate({ord("0") + digit: zero + digit for digit in range(10)})


def _typo(number: Digits, pick: int) -> Digits:
    """Another well-formed number: one of the last four digits changed, or two neighbours swapped."""
    rest = list(number.rest)
    place = len(rest) - 1 - pick % 4
    if pick & 64 and rest[place] != rest[place - 1]:
        rest[place], rest[place - 1] = rest[place - 1], rest[place]
    else:
        rest[place] = str((int(rest[place]) + 1 + pick // 128 % 9) % 10)
    return number._replace(rest="".join(rest))


PLAIN: tuple[Way, ...] = (
    Way("e164", "plain", lambda n, _: n.e164),
    Way("international_spaces", "plain", lambda n, _: f"+{n.calling_code} {n.area} {_groups(n.rest, ' ')}"),
    Way("national_spaces", "plain", lambda n, _: _national(n)),
    Way("national_dashes", "plain", lambda n, _: _national(n, "-")),
    Way("national_brackets", "plain", lambda n, _: f"({n.trunk}{n.area}) {_groups(n.rest, '-')}"),
    Way("national_digits", "plain", lambda n, _: f"{n.trunk}{n.area}{n.rest}"),
)

READABLE: tuple[Way, ...] = (
    Way("dots", "readable", lambda n, _: _national(n, ".")),
    Way("double_zero", "readable", lambda n, _: f"00{n.calling_code} {n.area} {_groups(n.rest, ' ')}"),
    Way("bracketed_trunk_zero", "readable", lambda n, _: f"+{n.calling_code} ({n.trunk or '0'}) {n.area} {n.rest}" if n.trunk else f"+{n.calling_code} {n.area}/{n.rest}"),
    Way("no_plus", "readable", lambda n, _: f"{n.calling_code}{n.area}{n.rest}"),
    Way("slash", "readable", lambda n, _: f"{n.trunk}{n.area}/{n.rest}"),
    Way("extension_x", "readable", lambda n, pick: f"{_national(n)} x{100 + pick % 900}"),
    Way("extension_word", "readable", lambda n, pick: f"{_national(n)} ext. {100 + pick % 900}"),
    Way("label_before", "readable", lambda n, _: f"Tel: {_national(n)}"),
    Way("label_after", "readable", lambda n, _: f"{_national(n)} (mobile)"),
    Way("note_after", "readable", lambda n, _: f"{_national(n)} call after 5pm"),
    Way("uri", "readable", lambda n, _: f"tel:{n.e164}"),
    Way("no_break_spaces", "readable", lambda n, _: f"+{n.calling_code}\u00a0{n.area}\u00a0{_groups(n.rest, chr(0xA0))}"),
    Way("direction_marks", "readable", lambda n, _: f"\u202a{n.e164}\u202c"),
    Way("full_width", "readable", lambda n, _: _in_script(n, 0xFF10)),
    Way("bengali_digits", "readable", lambda n, _: _in_script(n, 0x09E6)),
    Way("letter_o", "readable", lambda n, _: f"+{n.calling_code} {n.area} {n.rest}".replace("0", "O")),
    Way("apostrophe", "readable", lambda n, _: f"'{n.trunk}{n.area}{n.rest}"),
    Way("two_numbers", "readable", lambda n, pick: f"{_national(n)} / {_national(_typo(n, pick))}"),
    Way("same_twice", "readable", lambda n, _: f"{_national(n)}; {n.e164}"),
    Way("nul_byte", "readable", lambda n, _: f"{_national(n)}\x00"),
    Way("padded", "readable", lambda n, _: f"  {_national(n)}\t"),
)  # fmt: skip

DAMAGED: tuple[Way, ...] = (
    Way("excel_scientific", "damaged", lambda n, _: f"{float(n.calling_code + n.area + n.rest):.5E}"),
    Way("excel_lost_zero_and_end", "damaged", lambda n, _: f"{n.area}{n.rest[:-1]}"),
    Way("excel_rounded", "damaged", lambda n, _: f"{n.calling_code}{n.area}{n.rest[:-4]}0000"),
    Way("lost_last_two", "damaged", lambda n, _: f"{n.trunk}{n.area}{n.rest[:-2]}"),
    Way("lost_area", "damaged", lambda n, _: n.rest),
    Way("extra_digit", "damaged", lambda n, pick: f"+{n.calling_code}{n.area}{n.rest}{pick % 10}{pick // 10 % 10}{pick // 100 % 10}"),
    Way("cut_off", "damaged", lambda n, _: f"+{n.calling_code} {n.area}..."),
    Way("masked", "damaged", lambda n, _: f"{n.trunk}{n.area}***{n.rest[-2:]}"),
)  # fmt: skip

PLACEHOLDERS: tuple[Way, ...] = (
    Way("not_available", "placeholder", lambda _, __: "N/A"),
    Way("unknown", "placeholder", lambda _, __: "unknown"),
    Way("dash", "placeholder", lambda _, __: "-"),
    Way("zeros", "placeholder", lambda _, __: "0000000000"),
    Way("ones", "placeholder", lambda _, __: "1111111111"),
    Way("counting", "placeholder", lambda _, __: "1234567890"),
    Way("fictional", "placeholder", lambda _, pick: f"555-01{pick % 100:02d}"),
    Way("see_notes", "placeholder", lambda _, __: "see notes"),
    Way("email_in_field", "placeholder", lambda _, __: "please.email@customer.example"),
)

TYPO = Way("typo", "typo", lambda n, pick: _national(_typo(n, pick)))


def typo_of(number: Digits, pick: int) -> Digits:
    """The number that the way "typo" writes for the same `pick`."""
    return _typo(number, pick)
