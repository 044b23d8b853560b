"""Texts for comparing the kernel with phonenumbers: every transition of the tables, example numbers and their neighbours, and noise."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache
from typing import Final

import phonenumbers
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from ringtrue.numbering.automata import MAX_DIGITS, TERMINAL
from ringtrue.numbering.builder import NO_PREFIX, NumberTables, Plan
from ringtrue.numbering.names import UNKNOWN_TYPE

Case = tuple[str, str | None]
"""A text and its default region."""

SUPPORTED: Final = sorted(phonenumbers.SUPPORTED_REGIONS)
LABELS: Final = (
    *(
        " ext ",
        " ext. ",
        "x",
        " X ",
        "#",
        "~",
        ";ext=",
        " extn: ",
        "extension",
        "extensión ",
        "extensio\u0301n",
        " доб. ",
        " anexo ",
    ),
    *(
        ",",
        ",,",
        ";",
        " int ",
        "ｉｎｔ",
        "ｅｘｔ",
        "ｘ",
        "＃",
        " - ",
        "/x",
        " / x",
        "\\ x",
        "xt",
        " ext:",
        ", ext.\t",
        "# ",
    ),
)
MARKS: Final = (
    *"+-./()[]*~#;:,_ xX'\"!|&=@\t\n\r\0",
    *"＋－．／（）［］～＃　ー\u00a0\u00ad\u2010\u2011\u2013\u2014\u2015\u2212\u200b\u2060\u2053\u223c\u202a\u200e",
)
LETTERS: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZſKıİßéøжΩ文"
DIGITS: Final = "0123456789" * 4 + "０１２３４５６７８９" + "٠١٢٣٤٥٦٧٨٩" + "۰۱۲۳۴۵۶۷۸۹" + "०१२" + "𝟎𝟏𝟐" + "²³①"
WORDS: Final = (
    "Tel: ",
    "phone ",
    "tel:",
    ";phone-context=+44",
    ";phone-context=a.com",
    ";isub=12",
    "FLOWERS",
    " or ",
    "ask for Ann",
    "E+11",
    ".0",
)


@cache
def number_tables() -> NumberTables:
    """The tables as the builder makes them, before they are packed."""
    return NumberTables()


def table_edges(share: int = 1, offset: int = 0) -> Iterator[Case]:
    """One text for each transition of each automaton; with `share` n, every n-th of them from `offset` on."""
    for at, case in enumerate(_all_edges()):
        if at % share == offset:
            yield case


def _all_edges() -> Iterator[Case]:
    tables = number_tables()
    region_of = {plan: region for region, plan in tables.plan_of_region.items() if region != "001"}
    endings, seen = _endings(), set[int]()
    for at, plan in enumerate(tables.plans):
        region = region_of.get(at)
        if tables.plan_of_code[plan.code] == at:
            for digits in _edge_digits(plan.numbers, endings):
                yield f"+{plan.code}{digits}", region
        elif region:
            for digits in _edge_digits(plan.general, endings):
                yield f"{plan.code}{digits}", region
        for row in (plan.national_prefix, plan.international_prefix):
            if region and row != NO_PREFIX:
                for digits in _prefix_edges(row):
                    for rest in _continuations(plan, endings, in_full=row not in seen):
                        yield digits + rest, region
                        yield f"{plan.code}{digits}{rest}", region
                seen.add(row)


def _endings() -> list[str | None]:
    """For each state a shortest way to a valid number, or None."""
    children, labels = number_tables().digits.children, number_tables().digits.labels
    found: list[str | None] = [None] * len(children)
    for state, row in enumerate(children):
        if labels[state] >> 1 & 15 != UNKNOWN_TYPE or labels[state] & 1:
            found[state] = ""
        else:
            ways = [
                f"{digit}{found[child]}"
                for digit, child in enumerate(row)
                if child < state and found[child] is not None
            ]
            found[state] = min(ways, key=len, default=None)
    return found


def _edge_digits(root: int, endings: list[str | None]) -> Iterator[str]:
    children = number_tables().digits.children
    paths, todo = {root: ""}, [root]
    while todo:
        state = todo.pop(0)
        if len(paths[state]) >= MAX_DIGITS:
            continue
        for digit, child in enumerate(children[state]):
            path = f"{paths[state]}{digit}"
            yield path + (endings[child] or "")
            if child not in paths and child != state:
                paths[child] = path
                todo.append(child)


def _prefix_edges(row: int) -> Iterator[str]:
    rows = number_tables().prefixes.rows
    paths, todo = {row: ""}, [row]
    while todo:
        at = todo.pop(0)
        yield paths[at]
        for digit in range(10):
            child = rows[at][digit]
            yield f"{paths[at]}{digit}"
            if child < TERMINAL and child not in paths:
                paths[child] = f"{paths[at]}{digit}"
                todo.append(child)


def _continuations(plan: Plan, endings: list[str | None], *, in_full: bool) -> Iterator[str]:
    valid = endings[plan.numbers] or ""
    yield from ("", valid, f"0{valid}", "12025550123")
    if in_full:
        for size in range(1, 13):
            yield ("234567890123")[:size]
            yield (valid * 3)[:size]


@cache
def examples() -> tuple[phonenumbers.PhoneNumber, ...]:
    """An example number of every region and type."""
    kinds = [kind for kind in PhoneNumberType.values() if kind != PhoneNumberType.UNKNOWN]
    found = [phonenumbers.example_number_for_type(region, kind) for region in SUPPORTED for kind in kinds]
    found += [
        phonenumbers.example_number_for_non_geo_entity(code) for code in phonenumbers.COUNTRY_CODES_FOR_NON_GEO_REGIONS
    ]
    return tuple(number for number in found if number is not None)


def neighbours() -> Iterator[Case]:
    """Every example number in every form, a digit more, a digit less, and the first and last digits changed."""
    for number in examples():
        region = phonenumbers.region_code_for_country_code(number.country_code or 0)
        home = None if region == "001" else region
        digits = phonenumbers.format_number(number, PhoneNumberFormat.E164)[1:]
        national = digits[len(str(number.country_code)) :]
        yield phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL), home
        yield phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL), None
        yield phonenumbers.format_number(number, PhoneNumberFormat.RFC3966), home
        yield national, home
        yield f"0{national}", home
        yield digits, home
        for near in (f"{digits}7", f"{digits}12", digits[:-1], digits[:-2]):
            yield f"+{near}", None
        for at in (*range(min(6, len(digits))), len(digits) - 1):
            for step in (1, 5):
                yield f"+{digits[:at]}{(int(digits[at]) + step) % 10}{digits[at + 1 :]}", home


def noise(seed: int, rows: int) -> Iterator[Case]:
    """Random texts: bare digits in every region, mutated real formats, and hostile mixtures of marks, labels and scripts."""
    chance = random.Random(seed)
    forms = [
        phonenumbers.format_number(number, form)
        for number in examples()
        for form in (PhoneNumberFormat.NATIONAL, PhoneNumberFormat.INTERNATIONAL, PhoneNumberFormat.E164)
    ]
    for _ in range(rows):
        region = chance.choice(SUPPORTED) if chance.random() < 0.93 else chance.choice((None, "ZZ", "US", "001"))
        kind = chance.random()
        if kind < 0.25:
            yield _bare_digits(chance), region
        elif kind < 0.65:
            text, like = chance.choice(forms), chance.random()
            if like < 0.5:
                number = chance.choice(examples())
                region = phonenumbers.region_code_for_country_code(number.country_code or 0)
                text = phonenumbers.format_number(number, chance.choice((0, 1, 2)))
            yield _mutate(chance, text), region
        else:
            yield _hostile(chance), region


def _bare_digits(chance: random.Random) -> str:
    start = chance.choice(("", "", "+", "+", "00", "011", "0", "1", "++"))
    code = str(chance.choice(sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE))) if chance.random() < 0.6 else ""
    trunk = chance.choice(("", "", "0", "(0)", "8", "1"))
    return start + code + trunk + "".join(chance.choices("0123456789", k=chance.randint(1, 14)))


def _mutate(chance: random.Random, text: str) -> str:
    chars = list(text)
    for _ in range(chance.randint(0, 4)):
        at = chance.randrange(len(chars) + 1)
        act = chance.random()
        if act < 0.4:
            chars.insert(at, chance.choice((*MARKS, *DIGITS)))
        elif act < 0.6 and at < len(chars):
            del chars[at]
        elif at < len(chars):
            chars[at] = chance.choice("0123456789") if act < 0.8 else chance.choice((*DIGITS, *MARKS, *LETTERS))
    if chance.random() < 0.3:
        chars += [
            chance.choice(LABELS),
            *chance.choices(DIGITS, k=chance.randint(0, 21)),
            chance.choice(("", "", "#", " ", "\n")),
        ]
    if chance.random() < 0.1:
        chars.insert(0, chance.choice(WORDS))
    return "".join(chars)


def _hostile(chance: random.Random) -> str:
    parts = []
    for _ in range(chance.randint(1, 14)):
        pick = chance.random()
        if pick < 0.55:
            parts.append("".join(chance.choices(DIGITS, k=chance.randint(1, 6))))
        elif pick < 0.75:
            parts.append(chance.choice(MARKS) * chance.choice((1, 1, 1, 2, 40)))
        elif pick < 0.85:
            parts.append(chance.choice(LABELS))
        elif pick < 0.95:
            parts.append("".join(chance.choices(LETTERS, k=chance.randint(1, 4))))
        else:
            parts.append(chance.choice(WORDS))
    return "".join(parts) * chance.choice((1, 1, 1, 1, 1, 1, 1, 1, 1, 6))
