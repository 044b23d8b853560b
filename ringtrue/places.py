"""Area codes by place: which one a local number lacks, where the place has only one.

`python -m ringtrue.places` makes ringtrue/data/numbers/area_codes.csv anew from the geographic data of the installed phonenumbers.
"""

from __future__ import annotations

import csv
import re
import sys
from functools import cache
from importlib.resources import files
from typing import Any, Final, TextIO

import phonenumbers
from phonenumbers import PhoneNumber
from phonenumbers.phonemetadata import PhoneMetadata

_TAILS: Final = ("2345678901", "1234567890", "5550000000", "0000000000", "9876543210", "4444444444", "6789012345")
"""Digits tried behind a prefix until they make a valid number."""


def area_code(code: int, place: str) -> str | None:
    """The one area code of a place, such as `Kaitaia` or `Jersey City, NJ`, in the country of a calling code; None where it has several."""
    known = _area_codes()
    return next((known[code, name] for name in _names(place) if (code, name) in known), None)


def _names(place: str) -> list[str]:
    """The place as it is written, then ever shorter without its last part: `Ponsonby, Auckland, New Zealand`."""
    parts = [part.strip() for part in re.split(r"[,;\n]", place.casefold()) if part.strip()]
    return [", ".join(parts[first:last]) for first in range(len(parts)) for last in range(len(parts), first, -1)]


@cache
def _area_codes() -> dict[tuple[int, str], str]:
    text = files("ringtrue").joinpath("data/numbers/area_codes.csv").read_text(encoding="utf-8")
    return {(int(row[0]), row[2]): row[1] for row in csv.reader(text.splitlines()) if not row[0].startswith("#")}


def write(file: TextIO) -> None:
    """Write the table: calling code, area code, place in lower case; places with more than one area code are left out."""
    from phonenumbers.geodata import GEOCODE_DATA

    codes: dict[tuple[int, str], set[str]] = {}
    for prefix, names in GEOCODE_DATA.items():
        number = _number_with(prefix)
        if number is None:
            continue
        size = phonenumbers.length_of_geographical_area_code(number)
        found = phonenumbers.national_significant_number(number)[:size]
        for name in names.values() if size else ():
            codes.setdefault((number.country_code or 0, name.casefold()), set()).add(found)
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([f"# phonenumbers {phonenumbers.__version__}", "geographic data", "places with one area code"])
    writer.writerows(sorted((code, *found, name) for (code, name), found in codes.items() if len(found) == 1))


def _number_with(prefix: str) -> PhoneNumber | None:
    """A valid number that begins with the prefix, in a country where local numbers can lack an area code."""
    size = next((size for size in (1, 2, 3) if int(prefix[:size]) in phonenumbers.COUNTRY_CODE_TO_REGION_CODE), 0)
    code, start = int(prefix[:size]), prefix[size:]
    region = phonenumbers.region_code_for_country_code(code)
    meta: Any = PhoneMetadata.metadata_for_region_or_calling_code(code, region)
    if not meta.general_desc.possible_length_local_only:
        return None
    for length in reversed(meta.general_desc.possible_length):
        for tail in _TAILS:
            digits = (start + tail + tail)[:length]
            number = PhoneNumber(code, int(digits), italian_leading_zero=digits.startswith("0"))
            if phonenumbers.is_valid_number(number):
                return number
    return None


if __name__ == "__main__":
    write(sys.stdout)
