"""phonenumbers itself, row by row: the definition of a right answer, and the reader where the kernel is not built."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat, PhoneNumberType

from ringtrue.numbering.listed import listed_reason
from ringtrue.numbering.names import ERRORS, POSSIBLE, TYPES

phonenumbers.enable_pattern_cache()


class Reading(NamedTuple):
    """What phonenumbers makes of one text. Every field but `error` and `valid` is None when the text does not parse."""

    e164: str | None
    extension: str | None
    error: str | None
    possible: str | None
    valid: bool
    type: str | None
    region: str | None
    homeless: bool = False
    """It does not parse only because no default region is known for a number in national form."""
    listed: str | None = None
    """Why the number, though possibly valid, reaches nobody (`ringtrue.numbering.listed`)."""


def read_one(text: str | None, region: str | None) -> Reading:
    """Parse one text with its default region and answer everything phonenumbers knows about it."""
    if text is None:
        return Reading(None, None, "NOT_A_NUMBER", None, False, None, None)
    try:
        number = phonenumbers.parse(text, region)
    except NumberParseException as error:
        homeless = "default region" in str(error)
        return Reading(None, None, ERRORS[error.error_type], None, False, None, None, homeless)
    kind = phonenumbers.number_type(number)
    return Reading(
        phonenumbers.format_number(number, PhoneNumberFormat.E164),
        number.extension,
        None,
        POSSIBLE[phonenumbers.is_possible_number_with_reason(number)],
        phonenumbers.is_valid_number(number),
        TYPES[-1] if kind == PhoneNumberType.UNKNOWN else TYPES[kind],
        phonenumbers.region_code_for_number(number),
        listed=listed_reason(number.country_code or 0, phonenumbers.national_significant_number(number)),
    )


def read_rows(texts: Iterable[str | None], regions: Iterable[str | None]) -> list[Reading]:
    """Parse rows one by one, equal rows once."""
    known: dict[tuple[str | None, str | None], Reading] = {}
    answers = []
    for row in zip(texts, regions, strict=True):
        answer = known.get(row)
        if answer is None:
            answer = known[row] = read_one(*row)
        answers.append(answer)
    return answers
