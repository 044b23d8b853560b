"""Raw words and codes of calls -> outcomes of the evidence vocabulary.

A word that no table knows stays unknown and goes to the review table with its text; it is never guessed. What a person decided
there once is given as `decided` and wins over every table.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ringtrue.errors import SettingsError
from ringtrue.evidence import OUTCOMES, Effect, Outcome, Vocabulary, vocabulary
from ringtrue.free_text import Sureness, fold, may_say, opt_out, read

__all__ = [
    "NAMESPACES",
    "OUTCOMES",
    "Classified",
    "Effect",
    "Outcome",
    "Vocabulary",
    "classify",
    "classify_calls",
    "opt_out",
    "vocabulary",
]

Namespace = Literal[
    "sip", "q850", "sit", "hubspot", "salesforce", "vicidial", "five9", "twilio", "nice", "alibaba_voice", "ai_dialers", "generic"
]  # fmt: skip
NAMESPACES: tuple[str, ...] = (
    "sip", "q850", "sit", "hubspot", "salesforce", "vicidial", "five9", "twilio", "nice", "alibaba_voice", "ai_dialers", "generic",
)  # fmt: skip

TALK_SECONDS = 8
"""A connected call shorter than this is an announcement, a wrong click or somebody hanging up: nobody was reached."""
WRONG_PERSON_SECONDS = 10
"""It takes at least this long to learn that somebody else answered."""

Decided = Mapping[tuple[str, str], str]
"""(namespace, word as folded by `ringtrue.free_text.fold`) -> outcome."""

_TALKED = frozenset({"right_person", "reached", "third_party"})
_NOT_THEM = frozenset({"wrong_person", "left_company"})
_VAGUE = frozenset({"answered_unclear", "call_failed", "no_information", "no_answer_unclear"})
_CAUSE = re.compile(r"cause\s*=\s*(\d{1,3})", re.IGNORECASE)
_SIP = re.compile(r"(?<!\d)([1-6]\d\d)(?!\d)")


class Classified(NamedTuple):
    """What a call is evidence of.

    `outcome` None: no table knows the words. `sure` False: not to be used as it is, but shown to a person together with `why`. `opt_out`
    is what notes and words say of being called again; "unsure" belongs to the review table too.
    """

    outcome: Outcome | None
    sure: bool
    opt_out: Sureness | None = None
    why: str | None = None


class _Table(NamedTuple):
    words: dict[str, Outcome]
    status: dict[str, Outcome]
    review: dict[str, str]
    free_text: bool


@cache
def outcome_table(namespace: str) -> _Table:
    """The words of one namespace. Raises SettingsError for a namespace without a table or an outcome outside the vocabulary."""
    if namespace not in NAMESPACES:
        raise SettingsError(f"There is no outcome table {namespace!r}; choose one of {', '.join(NAMESPACES)}.")
    raw = tomllib.loads(files("ringtrue").joinpath(f"data/outcomes/{namespace}.toml").read_text(encoding="utf-8"))
    for word, outcome in {**raw["words"], **raw.get("status", {})}.items():
        if outcome not in OUTCOMES:
            raise SettingsError(f"data/outcomes/{namespace}.toml: {word!r} has the unknown outcome {outcome!r}.")
    return _Table(
        {fold(str(word)): outcome for word, outcome in raw["words"].items()},
        {fold(str(word)): outcome for word, outcome in raw.get("status", {}).items()},
        {fold(str(word)): str(text) for word, text in raw.get("review", {}).items()},
        bool(raw.get("free_text", False)),
    )


def classify(
    namespace: str,
    word: str | None,
    *,
    label: str | None = None,
    status: str | None = None,
    cause: str | None = None,
    direction: str | None = None,
    duration_seconds: float | None = None,
    notes: str | None = None,
    decided: Decided | None = None,
) -> Classified:
    """Say what one call is evidence of.

    `word` is the raw disposition, code or GUID, `label` what the CRM shows for it, `status` the call's technical status, `cause` a SIP response,
    a Q.850 cause or a SIP Reason header, `direction` "inbound" or "outbound".
    """
    told = _worded(namespace, word, label, status, decided or {})
    if told.outcome is None or told.outcome in _VAGUE or namespace in ("sip", "q850"):
        told = _by_cause(namespace, word, cause, told)
    if (told.outcome is None or told.outcome in _VAGUE) and notes:
        noted = read(notes)
        if noted.outcome is not None and noted.sure:
            told = Classified(noted.outcome, True)
    said = _strongest(opt_out(text) for text in (word, label, notes) if text)
    if (told.outcome is None or told.outcome in _VAGUE) and any(
        opt_out(text) == "sure" for text in (word, label) if text
    ):
        told = Classified("opted_out", True)
    told = _by_direction(_by_duration(told, duration_seconds), direction, duration_seconds)
    if told.sure and told.outcome in ("opted_out", "do_not_call"):
        said = "sure"
    if said == "unsure" and told.why is None:
        told = told._replace(why="It may say that the person does not want to be called.")
    return told._replace(opt_out=said)


def _worded(namespace: str, word: str | None, label: str | None, status: str | None, decided: Decided) -> Classified:
    table = outcome_table(namespace)
    keys = [fold(text) for text in (word, label) if text and fold(text)]
    for key in keys:
        if (namespace, key) in decided:
            outcome = decided[namespace, key]
            if outcome not in OUTCOMES:
                raise SettingsError(f"The outcome {outcome!r} decided for {key!r} is not in the vocabulary.")
            return Classified(outcome, True)
    by_word = [(table.words[key], table.review.get(key)) for key in keys if key in table.words]
    for outcome, why in sorted(by_word, key=lambda found: found[0] in _VAGUE):
        return Classified(outcome, True, why=why)
    if table.free_text:
        for text in (label, word):
            reading = read(text) if text else None
            if reading and reading.outcome is not None:
                why = None if reading.sure else "The words are hedged or contradict each other."
                return Classified(reading.outcome, reading.sure, why=why)
    if not keys and status and fold(status) in table.status:
        return Classified(table.status[fold(status)], True)
    if keys:
        return Classified(None, False, why="No table knows these words.")
    return Classified(
        "no_information" if not status else None, not status, why="No table knows this status." if status else None
    )


def _by_cause(namespace: str, word: str | None, cause: str | None, told: Classified) -> Classified:
    """What the network said. A Reason header with a Q.850 cause says more than the SIP response (RFC 3326)."""
    texts = [text for text in (cause, word if namespace in ("sip", "q850") else None) if text]
    for text in texts:
        header = _CAUSE.search(text)
        if header and header[1] in outcome_table("q850").words:
            return Classified(outcome_table("q850").words[header[1]], True)
    for text in texts:
        response = _SIP.search(text)
        if response and response[1] in outcome_table("sip").words:
            return Classified(
                outcome_table("sip").words[response[1]], True, why=outcome_table("sip").review.get(response[1])
            )
    return told


def _by_duration(told: Classified, seconds: float | None) -> Classified:
    if seconds is None or np.isnan(seconds):
        return told
    if told.outcome in _NOT_THEM and seconds < WRONG_PERSON_SECONDS:
        return Classified("wrong_person_brief", False, why=f"Marked as somebody else after {seconds:.0f} seconds.")
    if seconds < TALK_SECONDS:
        if told.outcome in _TALKED or told.outcome == "answered_unclear":
            return told._replace(outcome="answered_briefly")
        if told.outcome == "opted_out":
            return told._replace(outcome="do_not_call")
    return told


def _by_direction(told: Classified, direction: str | None, seconds: float | None) -> Classified:
    """Whoever calls us has a line that works; our own failures and attempts are then none."""
    if direction is None or fold(direction) not in ("inbound", "incoming", "in"):
        return told
    if told.outcome in _NOT_THEM or told.outcome in ("opted_out", "do_not_call", "right_person") or not told.sure:
        return told
    short = seconds is not None and seconds < TALK_SECONDS
    if told.outcome in _TALKED or (told.outcome in _VAGUE and seconds is not None and not short):
        return told._replace(outcome="called_us")
    return told._replace(outcome="missed_their_call")


def _strongest(found: Any) -> Sureness | None:
    answers = set(found)
    return "sure" if "sure" in answers else "unsure" if "unsure" in answers else None


_COLUMNS = ("namespace", "outcome", "label", "status", "cause", "direction", "notes")


def classify_calls(calls: pd.DataFrame, decided: Decided | None = None) -> pd.DataFrame:
    """`classify` for many calls: outcome, sure, opt_out and why, with the index of `calls`.

    Reads the columns namespace, outcome, label, status, cause, direction, duration_seconds and notes; all but the first may be missing.
    Equal calls are read once, and notes that cannot tell anything not at all.
    """
    texts = pd.DataFrame({name: _texts(calls, name) for name in _COLUMNS}, index=calls.index)
    if texts["namespace"].isna().any():
        raise SettingsError("Every call needs the namespace of its outcome words.")
    seconds = (
        pd.to_numeric(calls["duration_seconds"]).to_numpy(dtype=np.float64, na_value=np.nan)
        if "duration_seconds" in calls.columns
        else np.full(len(calls), np.nan)
    )
    length = np.select(
        [np.isnan(seconds), seconds < TALK_SECONDS, seconds < WRONG_PERSON_SECONDS],
        [np.nan, 0.0, float(TALK_SECONDS)],
        60.0,
    )
    texts["seconds"] = length
    group, answers = _answers(texts.assign(notes=None), decided)
    vague = np.array([answer.outcome is None or answer.outcome in _VAGUE for answer in answers], dtype=np.bool_)[group]
    texts.loc[~_telling(texts["notes"], vague), "notes"] = None
    if texts["notes"].notna().any():
        group, answers = _answers(texts, decided)
    return pd.DataFrame(
        {
            "outcome": pd.Series([answer.outcome for answer in answers], dtype="str").to_numpy()[group],
            "sure": np.array([answer.sure for answer in answers], dtype=np.bool_)[group],
            "opt_out": pd.Series([answer.opt_out for answer in answers], dtype="str").to_numpy()[group],
            "why": pd.Series([answer.why for answer in answers], dtype="str").to_numpy()[group],
        },
        index=calls.index,
    )


def _texts(calls: pd.DataFrame, name: str) -> pd.Series:
    """A column as texts or None; codes that a spreadsheet turned into 404.0 are 404 again."""
    if name not in calls.columns:
        return pd.Series(np.full(len(calls), None), index=calls.index, dtype=object)
    codes, distinct = pd.factorize(calls[name])
    known = [str(int(one)) if isinstance(one, float) and one.is_integer() else str(one) for one in distinct.tolist()]
    return pd.Series(np.array([*known, None], dtype=object)[codes], index=calls.index, dtype=object)


def _answers(texts: pd.DataFrame, decided: Decided | None) -> tuple[NDArray[np.int64], list[Classified]]:
    """The distinct calls, classified, and which of them each row is."""
    group, first = _distinct(texts)
    answers = [
        classify(
            row["namespace"],
            row["outcome"],
            label=row["label"],
            status=row["status"],
            cause=row["cause"],
            direction=row["direction"],
            duration_seconds=row["seconds"],
            notes=row["notes"],
            decided=decided,
        )
        for row in first.to_dict("records")
    ]
    return group, answers


def _telling(notes: pd.Series, vague: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which notes may hold an opt-out or, where the words were vague, an outcome."""
    codes, distinct = pd.factorize(notes)
    known = [str(text) for text in distinct]
    stops = np.array([*may_say(known, "opt_out"), False])
    tells = np.array([*may_say(known, "outcome"), False])
    chosen: NDArray[np.bool_] = stops[codes] | (tells[codes] & vague)
    return chosen


def _distinct(texts: pd.DataFrame) -> tuple[NDArray[np.int64], pd.DataFrame]:
    """For each row the number of its distinct combination, and the combinations."""
    group = np.zeros(len(texts), np.int64)
    for name in texts.columns:
        codes, distinct = pd.factorize(texts[name].to_numpy())
        group = pd.factorize(group * (len(distinct) + 1) + codes + 1)[0]
    _, first = np.unique(group, return_index=True)
    return group, texts.iloc[first]
