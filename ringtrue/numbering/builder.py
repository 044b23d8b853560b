"""phonenumbers' metadata and its text patterns, compiled into the kernel's tables.

The order of decisions is phonenumbers' own (`_number_type_helper`, `_region_code_for_number_from_list`); no country is known here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from phonenumbers import phonenumberutil as lib
from phonenumbers.phonemetadata import PhoneMetadata

from ringtrue.numbering.automata import MAX_DIGITS, DigitTables, PrefixTables, Symbols
from ringtrue.numbering.listed import LISTED, listed_patterns
from ringtrue.numbering.names import REGIONS, UNKNOWN_TYPE
from ringtrue.numbering.regex import Nfa, UnsupportedPatternError, longest

TYPE_ORDER: Final = ("premium_rate", "toll_free", "shared_cost", "voip", "personal_number", "pager", "uan", "voicemail")
TYPE_CODES: Final = (4, 3, 5, 6, 7, 8, 9, 10)
FIXED_LINE, MOBILE, FIXED_LINE_OR_MOBILE = range(3)

NO_REGION: Final = len(REGIONS)
NO_PREFIX: Final = 0xFFFF
LENGTHS: Final = 24
"""A plan's row of `ValidationResult` by number of digits; longer than 17 reads as 18."""


def label(region: int, kind: int, *, general: bool, listed: int = 0) -> int:
    """What a state says about the digits read so far, in one integer."""
    return region << 7 | listed << 5 | kind << 1 | general


class Plan(NamedTuple):
    """How to read national numbers of one region, or of one calling code without a region."""

    code: int
    numbers: int
    general: int
    national_prefix: int
    international_prefix: int
    lengths: tuple[int, ...]
    slow: bool


class Prefix(NamedTuple):
    """What a prefix match does: digits to drop, and what stands in their place (below 16 a digit, else 16 + position)."""

    matched: bool
    end: int
    rewrite: tuple[int, ...]


class NumberTables:
    """Every table about digits."""

    def __init__(self) -> None:
        self.digits = DigitTables()
        self.prefixes = PrefixTables()
        self.outcomes: list[Prefix] = [Prefix(matched=False, end=0, rewrite=())]
        self.plans: list[Plan] = []
        self.plan_of_code: dict[int, int] = {}
        self.plan_of_region: dict[str, int] = {}
        self._prefix_rows: dict[tuple[str, str], int] = {}
        self._general: dict[str, int] = {}
        for code, regions in sorted(lib.COUNTRY_CODE_TO_REGION_CODE.items()):
            self._add_code(code, regions)

    def _add_code(self, code: int, regions: tuple[str, ...]) -> None:
        metas = [PhoneMetadata.metadata_for_region_or_calling_code(code, region) for region in regions]
        try:
            numbers, slow = self._numbers(code, regions, metas), False
        except UnsupportedPatternError:
            numbers, slow = 0, True
        self.plan_of_code[code] = len(self.plans)
        for at, (region, meta) in enumerate(zip(regions, metas, strict=True)):
            self.plan_of_region.setdefault(region, len(self.plans))
            try:
                plan = self._plan(code, meta, numbers, main=at == 0)
            except UnsupportedPatternError:
                plan = None
            self.plans.append(
                plan._replace(slow=slow) if plan else Plan(code, 0, 0, NO_PREFIX, NO_PREFIX, (0,) * LENGTHS, slow=True)
            )

    def _plan(self, code: int, meta: Any, numbers: int, *, main: bool) -> Plan:
        general = meta.general_desc.national_number_pattern
        if general not in self._general and not main:
            self._general[general] = self._general_desc(general)
        return Plan(
            code,
            numbers,
            numbers if main else self._general[general],
            self._prefix(meta.national_prefix_for_parsing, meta.national_prefix_transform_rule),
            self._prefix(meta.international_prefix, None),
            tuple(lib._test_number_length("0" * min(length, MAX_DIGITS + 1), meta) for length in range(LENGTHS)),
            slow=False,
        )

    def _general_desc(self, pattern: str) -> int:
        nfa = Nfa()
        start = nfa.add(pattern, "general")
        _check_width(pattern)
        return self.digits.add(
            nfa,
            [start],
            digit_symbols(nfa),
            lambda _, tags: label(NO_REGION, UNKNOWN_TYPE, general="general" in tags),
        )

    def _numbers(self, code: int, regions: tuple[str, ...], metas: list[Any]) -> int:
        nfa = Nfa()
        patterns = {meta.general_desc.national_number_pattern for meta in metas}
        for meta in metas:
            for name in (*TYPE_ORDER, "fixed_line", "mobile"):
                desc = getattr(meta, name)
                if desc is not None and desc.national_number_pattern:
                    patterns.add(desc.national_number_pattern)
        starts = []
        for pattern in sorted(filter(None, patterns)):
            _check_width(pattern)
            starts.append(nfa.add(pattern, pattern))
        for region, meta in zip(regions, metas, strict=True):
            if len(regions) > 1 and meta.leading_digits is not None:
                starts.append(nfa.add(meta.leading_digits, (region,), repeat_after=r"[\d]"))
        for reason, pattern in listed_patterns(code):
            _check_width(pattern)
            starts.append(nfa.add(pattern, LISTED.index(reason) + 1))
        return self.digits.add(nfa, starts, digit_symbols(nfa), _labeller(regions, metas))

    def _prefix(self, pattern: str | None, rule: str | None) -> int:
        if not pattern:
            return NO_PREFIX
        key = (pattern, rule or "")
        if key not in self._prefix_rows:
            groups = re.compile(pattern).groups
            if rule and not groups:
                raise UnsupportedPatternError("a transform rule without a group")
            row = self.prefixes.add(pattern, groups, digit_symbols, lambda match: self._outcome(match, rule))
            if row & 0x8000:
                raise UnsupportedPatternError("a prefix pattern that looks at no digit")
            self._prefix_rows[key] = row
        return self._prefix_rows[key]

    def _outcome(self, match: Any, rule: str | None) -> int:
        if match is None:
            return 0
        end, spans = match
        rewrite: tuple[int, ...] = ()
        if rule and spans[-1][1] >= 0:
            parts = re.fullmatch(r"(\d*)\\(\d)", rule)
            if parts is None:
                raise UnsupportedPatternError(f"transform rule {rule}")
            rewrite = (*map(int, parts[1]), *(16 + at for at in range(*spans[int(parts[2]) - 1])))
        found = Prefix(matched=True, end=end, rewrite=rewrite)
        if found not in self.outcomes:
            self.outcomes.append(found)
        return self.outcomes.index(found)


def _check_width(pattern: str) -> None:
    if longest(pattern) > MAX_DIGITS:
        raise UnsupportedPatternError("a pattern for more digits than a number may have")


def digit_symbols(nfa: Nfa) -> Symbols:
    """Which of the ten digits each atom matches."""
    return {atom: sum(1 << digit for digit in range(10) if re.fullmatch(atom, str(digit))) for atom in nfa.atoms()}


def _labeller(regions: tuple[str, ...], metas: list[Any]) -> Callable[[int, frozenset[Any]], int]:
    """The decisions of `number_type`, `region_code_for_number` and `is_valid_number`, on the set of patterns matched."""
    known: dict[tuple[int, frozenset[Any]], int] = {}

    def matches(desc: Any, length: int, tags: frozenset[Any]) -> bool:
        if desc is None or not desc.national_number_pattern:
            return False
        if desc.possible_length and length not in desc.possible_length:
            return False
        return desc.national_number_pattern in tags

    def kind_of(meta: Any, length: int, tags: frozenset[Any]) -> int:
        if not matches(meta.general_desc, length, tags):
            return UNKNOWN_TYPE
        for name, code in zip(TYPE_ORDER, TYPE_CODES, strict=True):
            if matches(getattr(meta, name), length, tags):
                return code
        same = meta.same_mobile_and_fixed_line_pattern
        if matches(meta.fixed_line, length, tags):
            return FIXED_LINE_OR_MOBILE if same or matches(meta.mobile, length, tags) else FIXED_LINE
        return MOBILE if not same and matches(meta.mobile, length, tags) else UNKNOWN_TYPE

    def choose(length: int, tags: frozenset[Any]) -> tuple[int, int]:
        for region, meta in zip(regions, metas, strict=True):
            if len(regions) == 1:
                return REGIONS.index(region), kind_of(meta, length, tags)
            if meta.leading_digits is not None:
                if (region,) in tags:
                    return REGIONS.index(region), kind_of(meta, length, tags)
            else:
                kind = kind_of(meta, length, tags)
                if kind != UNKNOWN_TYPE:
                    return REGIONS.index(region), kind
        return NO_REGION, UNKNOWN_TYPE

    def name(length: int, tags: frozenset[Any]) -> int:
        key = (length if tags else 0, tags)
        if key not in known:
            general = metas[0].general_desc.national_number_pattern in tags
            listed = next((place for place in (1, 2) if place in tags), 0)
            known[key] = label(*choose(length, tags), general=general, listed=listed)
        return known[key]

    return name
