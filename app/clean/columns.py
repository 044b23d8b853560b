"""Which columns of a list hold numbers, and what says where they are from: the words of the header first, then what stands in the cells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import phonenumbers

from connectors.file_columns import find_columns
from connectors.table_files import TableFile
from ringtrue.countries import region_of
from ringtrue.errors import FileUnreadable, SettingsError
from ringtrue.phone import normalize_arrow

SURE_SHARE = 0.8
"""Share of a column's cells that must be valid numbers where the header does not say that it holds numbers."""
LEAST_DIFFERENT = 0.5
COUNTRY_SHARE = 0.8
COUNTRY_LEAD = 0.02
"""How far behind the next country must be, for a list whose country is told by its numbers alone."""
OURS = (" E.164", " status", " reason", " type", " extension", " suggestion", " do not call")
"""What the names of added columns end with."""


class Layout(NamedTuple):
    """Places of the columns that matter, and the country of numbers whose row names none."""

    phones: tuple[int, ...]
    countries: tuple[int, ...]
    towns: tuple[int, ...]
    region: str | None
    guessed: bool


def layout_of(table: TableFile, wanted: Sequence[str], region: str | None) -> Layout:
    """Find the columns of a list. `wanted` names the phone columns, `region` the country; both are found out where they are not given.

    Raises FileUnreadable when no column holds numbers, SettingsError for a column or a country that does not exist.
    """
    if region is not None:
        region = region.upper()
        if region not in phonenumbers.SUPPORTED_REGIONS:
            raise SettingsError(f"There is no country {region!r}: write its two-letter code, such as US.")
    names, sample = table.columns, table.sample()
    for name in wanted:
        if name not in names:
            raise SettingsError(f"{table.path.name} has no column {name!r}; it has {', '.join(names[:20])}.")
    mapping = {"phone": tuple(wanted)} if wanted else {}
    fields = find_columns(names, sample, mapping, table.path.name, may_lack_phones=True).fields
    countries = tuple(names.index(name) for name in fields.country)
    phones = [name for name in fields.phones if not _is_ours(name, names)]
    guessed = None
    if region is None and not countries:
        headed = [names.index(name) for name in phones]
        guessed = country_of([row[place] for row in sample for place in headed if row[place]])
    if not wanted:
        used = {
            *phones, *fields.country, *fields.state, *fields.lead_source, *fields.do_not_call, *fields.email_opt_out,
            fields.city, fields.postal_code, fields.email, fields.first_name, fields.last_name, fields.full_name,
        }  # fmt: skip
        regions = [
            next((found for at in countries if (found := region_of(row[at]))), region or guessed) for row in sample
        ]
        phones += [
            name
            for place, name in enumerate(names)
            if name not in used
            and not _is_ours(name, names)
            and _holds_numbers([row[place] for row in sample], regions)
        ]
    if not phones:
        raise FileUnreadable(
            f"{table.path.name} has no column with phone numbers (its columns: {', '.join(names[:12])}): name it with --column."
        )
    places = tuple(sorted(names.index(name) for name in phones))
    towns = tuple(names.index(name) for name in (fields.city, *fields.state) if name)
    return Layout(places, countries, towns, region or guessed, guessed is not None)


def country_of(texts: Sequence[str]) -> str | None:
    """The one country whose numbers these are, as they were written; None where none stands out."""
    if not texts:
        return None
    ranked = sorted((_share(texts, region), region) for region in phonenumbers.SUPPORTED_REGIONS)
    (second, _), (best, region) = ranked[-2:]
    return region if best >= COUNTRY_SHARE and best - second >= COUNTRY_LEAD else None


def _share(texts: Sequence[str], region: str) -> float:
    read = normalize_arrow(texts, region, repair=False)
    own = zip(read.column("valid").to_pylist(), read.column("region").to_pylist(), strict=True)
    return [bool(valid) and found == region for valid, found in own].count(True) / len(texts)


def _is_ours(name: str, names: Iterable[str]) -> bool:
    """Whether a column was added when the list was cleaned before."""
    known = set(names)
    return any(name.endswith(end) and name.removesuffix(end) in known for end in OURS)


def _holds_numbers(cells: Sequence[str], regions: Sequence[str | None]) -> bool:
    """Whether nearly every cell is a valid number and they differ, as ids in a range that happens to be valid would not all be."""
    filled = [(cell, region) for cell, region in zip(cells, regions, strict=True) if cell]
    if len(filled) < 3 or len({cell for cell, _ in filled}) < LEAST_DIFFERENT * len(filled):
        return False
    read = normalize_arrow([cell for cell, _ in filled], [region for _, region in filled], repair=False)
    return sum(map(bool, read.column("valid").to_pylist())) >= SURE_SHARE * len(filled)
