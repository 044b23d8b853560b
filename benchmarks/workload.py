"""Synthetic lists of raw phone fields, as CRMs hold them. Digits are libphonenumber's example numbers with random tails."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Final

import phonenumbers
from phonenumbers import PhoneNumberFormat

COUNTRIES: Final = ("US",) * 6 + (
    "GB",
    "GB",
    "DE",
    "DE",
    "FR",
    "FR",
    "IN",
    "IN",
    "CN",
    "BR",
    "MX",
    "AU",
    "IT",
    "JP",
    "AR",
    "BD",
    "NG",
)
EXTENSIONS: Final = (" x{}", " ext. {}", " ext {}", "x{}", " #{}", ";ext={}", " extension {}", ", {}")
REPAIRABLE: Final = (
    "Tel: {i}\t", "mob. {n}", "{n}\u200e", "\u202a{i}\u202c", "{n}_", "{d}.0", "'{n}", "tel {n} (home)", "{n} / {m}", "{i}; {j}",
    "{n} or {m}", "00{c}{d}", "+{c}{c}{d}", "{c} {d}", "{i} Durchwahl 12", "{i} доб. 123", "callto:{i}", "https://wa.me/{c}{d}",
    "n/a", "none", "0000000", "1234567", "Ann Smith", "2024-03-01", "ann@example.com", "4.93316E+12", "{s}", "电话 {n}",
)  # fmt: skip
"""Fields that phonenumbers alone does not read: {n} national, {i} international, {c} country code, {d} bare, {s} without area code."""


def rows(count: int, *, seed: int = 1, damaged: float = 0.0) -> Iterator[tuple[str, str | None]]:
    """Raw texts with their default regions; a share of `damaged` takes one of the REPAIRABLE forms."""
    chance = random.Random(seed)
    supported = sorted(phonenumbers.SUPPORTED_REGIONS)
    bases: dict[str, list[phonenumbers.PhoneNumber]] = {}
    for region in supported:
        kinds = (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE)
        found = [phonenumbers.example_number_for_type(region, kind) for kind in kinds]
        bases[region] = [number for number in found if number is not None]
    for _ in range(count):
        region = chance.choice(COUNTRIES) if chance.random() < 0.97 else chance.choice(supported)
        number = _vary(chance, chance.choice(bases[region] or bases["US"]))
        if chance.random() < damaged:
            other = _vary(chance, chance.choice(bases[region] or bases["US"]))
            text = _damage(chance, number, other)
        else:
            text = _write(chance, number)
        luck = chance.random()
        yield text, region if luck < 0.97 else None if luck < 0.99 else chance.choice(supported)


def _vary(chance: random.Random, number: phonenumbers.PhoneNumber) -> phonenumbers.PhoneNumber:
    for _ in range(4):
        varied = phonenumbers.PhoneNumber()
        varied.merge_from(number)
        varied.national_number = (number.national_number or 0) // 10_000 * 10_000 + chance.randrange(10_000)
        if phonenumbers.is_valid_number(varied):
            return varied
    return number


def _write(chance: random.Random, number: phonenumbers.PhoneNumber) -> str:
    national = phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL)
    international = phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL)
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    luck = chance.random()
    if luck < 0.30:
        return national
    if luck < 0.55:
        return e164
    if luck < 0.75:
        return international
    if luck < 0.82:
        return national.replace(" ", "").replace("-", "")
    if luck < 0.86:
        return national.replace(" ", ".").replace("-", ".")
    if luck < 0.92:
        return national + chance.choice(EXTENSIONS).format(chance.randint(1, 9999))
    if luck < 0.94:
        return e164[1:]
    if luck < 0.95:
        return "00" + e164[1:]
    if luck < 0.96:
        return national.translate({48 + digit: 0xFF10 + digit for digit in range(10)})
    if luck < 0.97:
        return f"Tel: {international}"
    if luck < 0.98:
        return national.replace(" ", "\u00a0").replace("-", "\u2013")
    if luck < 0.99:
        return international.replace(" ", " (0)", 1)
    return chance.choice(("", "-", "call first", national[:6], f"{e164}{chance.randint(10, 9999)}"))


def _damage(chance: random.Random, number: phonenumbers.PhoneNumber, other: phonenumbers.PhoneNumber) -> str:
    bare = phonenumbers.national_significant_number(number)
    return chance.choice(REPAIRABLE).format(
        n=phonenumbers.format_number(number, PhoneNumberFormat.NATIONAL),
        m=phonenumbers.format_number(other, PhoneNumberFormat.NATIONAL),
        i=phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL),
        j=phonenumbers.format_number(other, PhoneNumberFormat.INTERNATIONAL),
        c=number.country_code,
        d=bare,
        s=bare[-7:],
    )
