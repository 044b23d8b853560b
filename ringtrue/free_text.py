"""Reads call outcomes and opt-outs out of what people typed, in the languages of `data/outcomes/text_<language>.toml`.

A match is dropped when a negation stands before it in the same clause ("not disconnected", "did not say stop"), and unsure when a hedge
does ("maybe disconnected"), when a question mark follows, or when another match contradicts it.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Literal, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from ringtrue.errors import SettingsError
from ringtrue.evidence import Outcome

LANGUAGES = ("en", "zh", "es", "de", "fr", "pt", "it", "nl", "ja", "bn")
Sureness = Literal["sure", "unsure"]

PRECEDENCE: tuple[Outcome, ...] = (
    "wrong_person",
    "left_company",
    "opted_out",
    "number_changed",
    "disconnected_heard",
    "suspended",
    "bad_number_heard",
    "call_dropped",
    "fax",
    "right_person",
    "third_party",
    "voicemail",
    "switched_off",
    "absent",
    "rejected",
    "busy_reported",
    "no_answer",
    "reached",
    "network_fault",
    "call_failed",
    "canceled",
)
"""Where a text says several things, the first of these counts. A wrong person who says stop is both: `opt_out` tells the other half."""

_DEAD = frozenset({"disconnected_heard", "suspended", "bad_number_heard", "number_changed"})
_ALIVE = frozenset({"right_person", "reached", "third_party", "voicemail", "switched_off", "rejected", "call_dropped"})
_CLAUSE_END = re.compile(r"[.,;:!?。、|/()\n]+|\s[-–—]+\s")
_QUOTES = str.maketrans({"’": "'", "‘": "'", "`": "'", "´": "'", "“": '"', "”": '"', "\u00ad": None, "\u200b": None})
_ACCENTS = re.compile(r"[\u0300-\u036f]")
_NEGATION_WORDS = 4
_NEGATION_CHARACTERS = 3
_HEDGE_WORDS = 4
_HEDGE_CHARACTERS = 6


class Reading(NamedTuple):
    """What a text says: the outcome, or None, and whether that can be taken as said."""

    outcome: Outcome | None
    sure: bool


@lru_cache(maxsize=65_536)
def fold(text: str) -> str:
    """Lower case, no accents on Latin letters, plain quotes, single blanks: the form in which words are compared."""
    plain = unicodedata.normalize("NFKD", text.translate(_QUOTES)).casefold()
    return " ".join(unicodedata.normalize("NFC", _ACCENTS.sub("", plain)).split())


@dataclass(frozen=True)
class _Language:
    name: str
    outcomes: tuple[tuple[Outcome, re.Pattern[str]], ...]
    sure: re.Pattern[str]
    alone: re.Pattern[str]
    unsure: re.Pattern[str]
    negation: re.Pattern[str] | None
    hedge: re.Pattern[str] | None
    clause: re.Pattern[str]


@cache
def _languages() -> tuple[_Language, ...]:
    return tuple(_read(name) for name in LANGUAGES)


def _read(name: str) -> _Language:
    raw = text_tables()[name]
    spaced = bool(raw["spaced"])
    unknown = set(raw["outcomes"]) - set(PRECEDENCE)
    if unknown:
        raise SettingsError(f"text_{name}.toml has the outcome {sorted(unknown)[0]!r} that PRECEDENCE does not order.")
    return _Language(
        name,
        tuple(
            (outcome, _any(raw["outcomes"][outcome], spaced)) for outcome in PRECEDENCE if outcome in raw["outcomes"]
        ),
        _any(raw["opt_out"]["sure"], spaced),
        re.compile(rf"(?:{'|'.join(map(_fold_pattern, raw['opt_out']['alone']))})[.! ]*"),
        _any(raw["opt_out"]["unsure"], spaced),
        _before(raw["negations"], spaced, _NEGATION_WORDS, _NEGATION_CHARACTERS),
        _before(raw["hedges"], spaced, _HEDGE_WORDS, _HEDGE_CHARACTERS),
        re.compile(
            "|".join(
                [
                    _CLAUSE_END.pattern,
                    *(rf"\b{re.escape(fold(word))}\b" if spaced else fold(word) for word in raw["clauses"]),
                ]
            )
        ),
    )


def _fold_pattern(pattern: str) -> str:
    return unicodedata.normalize(
        "NFC", _ACCENTS.sub("", unicodedata.normalize("NFKD", pattern.translate(_QUOTES)).casefold())
    )


def _any(patterns: list[str], spaced: bool) -> re.Pattern[str]:
    edge = (r"(?<!\w)(?:", r")(?!\w)") if spaced else ("(?:", ")")
    longest_first = sorted(map(_fold_pattern, patterns), key=len, reverse=True)
    return re.compile(f"{edge[0]}{'|'.join(longest_first)}{edge[1]}")


def _before(words: list[str], spaced: bool, gap_words: int, gap_characters: int) -> re.Pattern[str] | None:
    """Finds one of the words shortly before the end of a text."""
    if not words:
        return None
    choice = "|".join(sorted(map(_fold_pattern, words), key=len, reverse=True))
    if spaced:
        return re.compile(rf"(?<!\w)(?P<word>{choice})(?!\w)(?:\s+[\w'\"]+){{0,{gap_words}}}\s*$")
    return re.compile(rf"(?P<word>{choice})\S{{0,{gap_characters}}}\s*$")


class _Match(NamedTuple):
    outcome: Outcome
    start: int
    end: int
    language: _Language


@lru_cache(maxsize=65_536)
def read(text: str) -> Reading:
    """The outcome that a disposition or a note tells of. None where no table knows the words."""
    folded = fold(text)
    found = list(_longest(_matches(folded)))
    sure, kept = True, []
    for match in found:
        negated, hedged = _guarded(folded, match.start, match.end, match.language, found)
        if not negated:
            kept.append(match.outcome)
            sure = sure and not hedged
    if not kept:
        return Reading(None, False)
    said = set(kept)
    contradicts = bool(said & _DEAD) and bool(said & _ALIVE)
    outcome = min(said, key=PRECEDENCE.index)
    if outcome == "opted_out":
        sure = opt_out(text) == "sure"
    return Reading(outcome, sure and not contradicts)


def _matches(folded: str) -> Iterator[_Match]:
    for language in _languages():
        for outcome, pattern in language.outcomes:
            for hit in pattern.finditer(folded):
                yield _Match(outcome, hit.start(), hit.end(), language)


def _longest(matches: Iterator[_Match]) -> Iterator[_Match]:
    """Matches that do not lie inside a longer one: "not interested" is not "interested"."""
    found = list(matches)
    for one in found:
        inside = any(
            other.start <= one.start and one.end <= other.end and other.end - other.start > one.end - one.start
            for other in found
        )
        if not inside:
            yield one


def _guarded(folded: str, start: int, end: int, language: _Language, others: list[_Match]) -> tuple[bool, bool]:
    """Whether a negation, and whether a hedge, bears on the words from `start` to `end`."""
    begin = max((hit.end() for hit in language.clause.finditer(folded, 0, start)), default=0)
    before = folded[begin:start]
    negation = language.negation.search(before) if language.negation else None
    while negation and any(other.start <= begin + negation.start("word") < other.end <= start for other in others):
        negation = language.negation.search(before, negation.end("word")) if language.negation else None
    hedge = language.hedge.search(before) if language.hedge else None
    asked = re.match(r"[^.,;!。]{0,20}\?", folded[end:])
    return bool(negation), bool(hedge or asked)


@lru_cache(maxsize=65_536)
def opt_out(text: str) -> Sureness | None:
    """Whether the text says that somebody does not want to be called: "sure", "unsure" (a person should look), or None.

    A single word such as STOP is sure when it is all there is (47 CFR 64.1200(a)(10)) and unsure inside a longer text.
    """
    folded = fold(text)
    if any(language.alone.fullmatch(folded) for language in _languages()):
        return "sure"
    answer: Sureness | None = None
    others: list[_Match] | None = None
    for language in _languages():
        for pattern in (language.sure, language.unsure):
            for hit in pattern.finditer(folded):
                if others is None:
                    others = [match for match in _longest(_matches(folded)) if match.outcome != "opted_out"]
                negated, hedged = _guarded(folded, hit.start(), hit.end(), language, others)
                if negated:
                    continue
                if pattern is language.sure and not hedged:
                    return "sure"
                answer = "unsure"
    return answer


def may_say(texts: list[str], what: Literal["outcome", "opt_out"]) -> list[bool]:
    """Screen many texts at once: False where `read` or `opt_out` can find nothing. Cheap, so that few texts need the careful look."""
    hits = pc.match_substring_regex(pa.array([fold(text) for text in texts], pa.string()), _screen(what))
    return [bool(hit) for hit in hits.to_pylist()]


@cache
def _screen(what: Literal["outcome", "opt_out"]) -> str:
    """All patterns as one regular expression without look-arounds, for RE2."""
    patterns: list[str] = []
    for table in text_tables().values():
        if what == "outcome":
            patterns += [pattern for listed in table["outcomes"].values() for pattern in listed]
        else:
            patterns += table["opt_out"]["sure"] + table["opt_out"]["unsure"]
            patterns += [f"^(?:{pattern})[.! ]*$" for pattern in table["opt_out"]["alone"]]
    return "|".join(f"(?:{_loosened(_fold_pattern(pattern))})" for pattern in patterns)


def _loosened(pattern: str) -> str:
    """The pattern without its look-aheads and atomic groups: it matches wherever the pattern does, and sometimes more."""
    loose, place = "", 0
    while place < len(pattern):
        if pattern.startswith(("(?!", "(?="), place):
            depth = 0
            while True:
                depth += {"(": 1, ")": -1}.get(pattern[place], 0)
                place += 1
                if depth == 0:
                    break
        elif pattern.startswith("(?>", place):
            loose, place = loose + "(?:", place + 3
        else:
            loose, place = loose + pattern[place], place + 1
    return loose


@cache
def text_tables() -> dict[str, dict[str, Any]]:
    """The text tables as they stand in their files, by language."""
    return {
        name: tomllib.loads(files("ringtrue").joinpath(f"data/outcomes/text_{name}.toml").read_text(encoding="utf-8"))
        for name in LANGUAGES
    }
