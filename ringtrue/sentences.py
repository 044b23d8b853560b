"""The one sentence that explains a decision, in English or Chinese, written for a whole batch at once.

Templates and words are data (`data/sentences/<language>.toml`). A template is cut at its slots; each piece is taken from a short list by code
and the pieces are joined by Arrow, so that a million sentences cost no loop in Python.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ringtrue.records import STATUSES, Status

Language = Literal["en", "zh"]
LONGEST = 255
"""Characters of the CRM's reason field."""

_SLOT = re.compile(r"\{(\w+)\}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHIFT = 1 << 24


@cache
def _words(language: Language) -> dict[str, Any]:
    name = f"data/sentences/{language}.toml"
    return tomllib.loads(files("ringtrue").joinpath(name).read_text(encoding="utf-8"))


def labels(language: Language) -> dict[Status, str]:
    """What people call the eight statuses."""
    return {status: str(_words(language)["labels"][status]) for status in STATUSES}


def templates(language: Language) -> dict[str, str]:
    """All sentences by name; those of the suppressions are named `suppression.<kind>`."""
    words = _words(language)
    listed = {f"suppression.{kind}": str(text) for kind, text in words["suppression"].items()}
    return listed | {name: str(text) for name, text in words["sentence"].items()}


def phrase(language: Language, outcome: str) -> str:
    """What happened in a call, as part of a sentence."""
    words = _words(language)["phrases"]
    return str(words.get(outcome, words["other"]))


def source_name(language: Language, source: str) -> str:
    """What people call a source: "lookup:melissa.globalphone" is Melissa."""
    key = source.rpartition(":")[2].partition(".")[0]
    known = _words(language)["sources"].get(key)
    return str(known) if known else key.replace("_", " ").capitalize()


def detail(language: Language, reason: str) -> str:
    """Why a number cannot exist, by the reason codes of `ringtrue.reasons`; those that tell of a repair are no such reason."""
    words = _words(language)["details"]
    return str(words.get(reason, words["other"]))


def suppression_template(language: Language, kind: str) -> str:
    """Name of the sentence for a kind of suppression."""
    return f"suppression.{kind if kind in _words(language)['suppression'] else 'other'}"


class Dates:
    """Days since 1970 as people write them; the year only when it is not the present one."""

    def __init__(self, language: Language, today: int) -> None:
        self._words = _words(language)
        self._year = (_EPOCH + timedelta(days=today)).year

    def one(self, day: int) -> str:
        """A date: "3 May" or "3 May 2024"."""
        when = _EPOCH + timedelta(days=day)
        form = self._words["dates"]["this_year" if when.year == self._year else "other_year"]
        return str(form).format(day=when.day, month=self._words["months"]["names"][when.month - 1], year=when.year)

    def two(self, first: int, second: int) -> str:
        """Two dates as one phrase: "3 and 5 May"."""
        if first == second:
            return self.one(first)
        forms = self._words["dates"]
        one, other = _EPOCH + timedelta(days=first), _EPOCH + timedelta(days=second)
        if (one.year, one.month) != (other.year, other.month):
            return str(forms["pair"]).format(first=self.one(first), second=self.one(second))
        if "pair_same_month" in forms:
            return str(forms["pair_same_month"]).format(
                first=self.one(first), second_day=forms["day"].format(day=other.day)
            )
        return str(forms["pair"]).format(first=forms["day"].format(day=one.day), second=self.one(second))


Codes = NDArray[np.int64]


class Writer:
    """Writes sentences for one call of `decide`. `slots` lists are what the codes of `write` point into."""

    def __init__(self, language: Language, today: int, slots: Mapping[str, Sequence[str]]) -> None:
        self._dates = Dates(language, today)
        self._slots = {name: pa.array(list(texts), pa.string()) for name, texts in slots.items()}
        self._names = list(templates(language))
        self._pieces = [_SLOT.split(text) for text in templates(language).values()]
        self.number = {name: place for place, name in enumerate(self._names)}

    def write(self, template: Codes, slots: Mapping[str, Codes]) -> pa.Array:
        """One sentence for each row: `template` by its number, the slots by code, dates in days since 1970, counts as they are.

        A negative code stands for the last entry of its list.
        """
        parts, order = [], []
        for place in np.unique(template):
            rows = np.flatnonzero(template == place)
            order.append(rows)
            pieces = [
                pa.scalar(piece, pa.string()) if odd % 2 == 0 else self._slot(piece, rows, slots)
                for odd, piece in enumerate(self._pieces[place])
                if piece
            ]
            text = pc.binary_join_element_wise(*pieces, pa.scalar("", pa.string()))
            if isinstance(text, pa.Scalar):
                text = pa.repeat(text, len(rows))
            parts.append(pc.utf8_slice_codeunits(text, 0, LONGEST))
        if not parts:
            return pa.array([], pa.string())
        if len(parts) == 1:
            return parts[0]
        back = np.empty(len(template), np.int64)
        back[np.concatenate(order)] = np.arange(len(template))
        return pa.concat_arrays(parts).take(pa.array(back))

    def _slot(self, name: str, rows: Codes, slots: Mapping[str, Codes]) -> pa.Array:
        if name == "dates":
            pairs = slots["date"][rows] * _SHIFT + slots["date2"][rows]
            distinct, codes = np.unique(pairs, return_inverse=True)
            texts = [self._dates.two(*divmod(int(pair), _SHIFT)) for pair in distinct]
        elif name.startswith("date"):
            distinct, codes = np.unique(slots[name][rows], return_inverse=True)
            texts = [self._dates.one(int(day)) for day in distinct]
        elif name == "count":
            distinct, codes = np.unique(slots[name][rows], return_inverse=True)
            texts = [str(count) for count in distinct]
        else:
            words = self._slots["source" if name.startswith("source") else name]
            codes = slots[name][rows]
            return words.take(pa.array(np.where(codes < 0, len(words) - 1, codes)))
        return pa.array(texts, pa.string()).take(pa.array(codes))
