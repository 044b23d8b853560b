"""Which country a contact list without a country column comes from, by its numbers."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import NamedTuple

import phonenumbers

from connectors.files import FileContacts
from ringtrue.phone import normalize_arrow

SAMPLE_PAGES = 3
SURE_SHARE = 0.8
"""Share of the numbers that must be valid in the country as they were entered."""
SURE_LEAD = 0.02
"""How far the next country must be behind."""


class Guess(NamedTuple):
    """A country (ISO code) and the share of the list's numbers that are its own, valid as entered."""

    region: str
    share: float


def guess_country(path: Path) -> Guess | None:
    """The country whose numbers a list holds, from its first rows. None where it has a country column, or no country stands out.

    Raises FileUnreadable with one sentence that says what to do.
    """
    source = FileContacts(path)
    if source.fields.country:
        return None
    pages = islice(source.pull(source.fields.phones), SAMPLE_PAGES)
    texts = [text for page in pages for record in page.records for text in record.values.values() if text]
    if not texts:
        return None
    ranked = sorted((Guess(region, _share(texts, region)) for region in phonenumbers.SUPPORTED_REGIONS), key=_by_share)
    best, second = ranked[-1], ranked[-2]
    return best if best.share >= SURE_SHARE and best.share - second.share >= SURE_LEAD else None


def _by_share(guess: Guess) -> tuple[float, str]:
    return guess.share, guess.region


def _share(texts: list[str], region: str) -> float:
    table = normalize_arrow(texts, region, repair=False)
    valid, regions = (table.column(name).to_pylist() for name in ("valid", "region"))
    own = [bool(fine) and found == region for fine, found in zip(valid, regions, strict=True)]
    return own.count(True) / len(own)
