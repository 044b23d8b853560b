"""Finds out what the columns of a contact list hold: by the words of their header in many languages, then by what stands in them."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import ringtrue
from connectors.crm import FieldMap
from ringtrue.errors import FileUnreadable

_TABLE = Path(ringtrue.__file__).parent / "data" / "files" / "columns.toml"
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_WORDS = re.compile(r"[^\W\d_]+|\d+")
_UNSPACED = re.compile("[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_STROKED = str.maketrans({"đ": "d", "ð": "d", "ł": "l", "ø": "o", "ı": "i", "æ": "ae", "œ": "oe"})
"""Letters that Unicode does not take apart into a letter and a mark."""

_DATE = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}([ T].*)?")
_PHONE = re.compile(r"(?i)[+(]?[\d\s().\-/+]*(?:(?:ext|x|ex|durchwahl)\.?\s*\d{1,6})?")

MANY = ("phone", "country", "state", "lead_source", "do_not_call", "email_opt_out")
"""Kinds that several columns of one file may be."""

ORDER = (
    "record_id",
    "do_not_call",
    "email_opt_out",
    "email",
    "phone",
    "linkedin",
    "first_name",
    "last_name",
    "full_name",
    "country",
    "state",
    "city",
    "postal_code",
    "account",
    "owner",
    "lead_source",
)
"""A column is the first kind that its header fits."""


class FoundColumns(NamedTuple):
    """The field map of a file, in its own column names, and the column that holds a stable id, if any."""

    fields: FieldMap
    record_id: str | None


@cache
def _kinds() -> Mapping[str, Any]:
    with _TABLE.open("rb") as file:
        return tomllib.load(file)


def no_words() -> frozenset[str]:
    """What people write for no, in lower case."""
    return frozenset(_kinds()["words"]["no"])


def find_columns(
    columns: Sequence[str],
    sample: Sequence[Sequence[str]],
    mapping: Mapping[str, str | Sequence[str]],
    file_name: str,
    *,
    may_lack_phones: bool = False,
) -> FoundColumns:
    """Find what each column holds; `mapping` (kind -> column or columns) overrides.

    Raises FileUnreadable when no column holds phone numbers, unless it may lack them, or when the mapping names a kind or a column that
    does not exist.
    """
    chosen: dict[str, list[str]] = {kind: _mapped(kind, names, columns, file_name) for kind, names in mapping.items()}
    taken = {name for names in chosen.values() for name in names}
    for place, name in enumerate(columns):
        kind = None if name in taken else _kind_by_header(name)
        if kind is None or kind in mapping:
            continue
        if kind == "phone" and not _may_hold_phones([row[place] for row in sample]):
            continue
        if kind in MANY or kind not in chosen:
            chosen.setdefault(kind, []).append(name)
    if "phone" not in chosen:
        used = {name for names in chosen.values() for name in names}
        for place, name in enumerate(columns):
            if name not in used and _surely_holds_phones([row[place] for row in sample]):
                chosen.setdefault("phone", []).append(name)
    if "email" not in chosen:
        for place, name in enumerate(columns):
            if _holds([row[place] for row in sample], lambda cell: "@" in cell.strip("@")):
                chosen["email"] = [name]
                break
    if not chosen.get("phone") and not may_lack_phones:
        raise FileUnreadable(
            f"{file_name} has no column with phone numbers (its columns: {', '.join(columns[:12])}): name it in ringtrue.toml."
        )
    return FoundColumns(_field_map(chosen), next(iter(chosen.get("record_id", ())), None))


def _mapped(kind: str, names: str | Sequence[str], columns: Sequence[str], file_name: str) -> list[str]:
    if kind not in ORDER:
        raise FileUnreadable(f"ringtrue.toml maps a column of {file_name} to {kind!r}: use one of {', '.join(ORDER)}.")
    wanted = [names] if isinstance(names, str) else list(names)
    for name in wanted:
        if name not in columns:
            raise FileUnreadable(
                f"{file_name} has no column {name!r} (its columns: {', '.join(columns[:12])}): correct the mapping in ringtrue.toml."
            )
    return wanted


def _kind_by_header(header: str) -> str | None:
    words = _normal(header)
    return next((kind for kind in ORDER if _fits(words, _phrases(kind))), None)


class _Phrases(NamedTuple):
    anywhere: tuple[tuple[str, ...], ...]
    whole: frozenset[tuple[str, ...]]
    never: tuple[tuple[str, ...], ...]


@cache
def _phrases(kind: str) -> _Phrases:
    table = _kinds()[kind]
    anywhere = [phrase for language, found in table.items() if language not in {"whole", "except"} for phrase in found]
    return _Phrases(
        tuple(_normal(phrase) for phrase in anywhere),
        frozenset(_normal(phrase) for phrase in table.get("whole", ())),
        tuple(_normal(phrase) for phrase in table.get("except", ())),
    )


def _fits(words: tuple[str, ...], phrases: _Phrases) -> bool:
    if any(_within(phrase, words) for phrase in phrases.never):
        return False
    return words in phrases.whole or any(_within(phrase, words) for phrase in phrases.anywhere)


def _within(phrase: tuple[str, ...], words: tuple[str, ...]) -> bool:
    if _UNSPACED.search("".join(phrase)):
        return "".join(phrase) in "".join(words)
    size = len(phrase)
    return any(words[start : start + size] == phrase for start in range(len(words) - size + 1))


def _normal(text: str) -> tuple[str, ...]:
    """Words in lower case without accents; digits apart."""
    split = _CAMEL.sub(" ", text)
    bare = "".join(
        c for c in unicodedata.normalize("NFKD", split.casefold().translate(_STROKED)) if not unicodedata.combining(c)
    )
    return tuple(_WORDS.findall(unicodedata.normalize("NFC", bare)))


def _holds(cells: Sequence[str], test: Any, share: float = 0.6) -> bool:
    filled = [cell for cell in cells if cell]
    return bool(filled) and sum(bool(test(cell)) for cell in filled) >= share * len(filled)


def _may_hold_phones(cells: Sequence[str]) -> bool:
    """A column headed as one is one, unless hardly a cell has six digits."""
    filled = [cell for cell in cells if cell]
    return not filled or _holds(filled, lambda cell: sum(c.isdigit() for c in cell) >= 6, 0.2)


def _surely_holds_phones(cells: Sequence[str]) -> bool:
    """A column without a telling header must look like numbers as people write them, and vary."""
    if len(set(cells)) < len(cells) / 10:
        return False
    return _holds(cells, _like_a_phone, 0.7)


def _like_a_phone(cell: str) -> bool:
    digits = sum(character.isdigit() for character in cell)
    if not 7 <= digits <= 18 or _DATE.fullmatch(cell) or not _PHONE.fullmatch(cell):
        return False
    # A bare row of digits may be any id; a plus, a trunk zero, brackets or groups make it a number to dial.
    return cell.startswith(("+", "0", "(")) or any(character in " -./()" for character in cell) or 10 <= digits <= 12


def _field_map(chosen: Mapping[str, list[str]]) -> FieldMap:
    def one(kind: str) -> str | None:
        return next(iter(chosen.get(kind, ())), None)

    def many(kind: str) -> tuple[str, ...]:
        return tuple(chosen.get(kind, ()))

    return FieldMap(
        phones=many("phone"),
        first_name=one("first_name"),
        last_name=one("last_name"),
        full_name=one("full_name"),
        email=one("email"),
        country=many("country"),
        state=many("state"),
        city=one("city"),
        postal_code=one("postal_code"),
        owner=one("owner"),
        account=one("account"),
        lead_source=many("lead_source"),
        do_not_call=many("do_not_call"),
        email_opt_out=many("email_opt_out"),
        linkedin=one("linkedin"),
    )
