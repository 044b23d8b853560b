"""Whom the lookups ask, and what each answer is worth: numbers that rules and our own calls leave open, and that somebody may call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from assets.deciding import Deciding
from assets.learning import hazards
from assets.stage import BATCH
from connectors.lookups.protocol import Kind, LookupService, Question
from connectors.lookups.routes import routes
from ringtrue import staleness
from ringtrue.evidence import vocabulary
from ringtrue.ledger import Ledger, consents, list_members, lookups, suppressions
from ringtrue.lookup_settings import LookupsSettings
from ringtrue.policy import Policy
from ringtrue.segments import line_type_of

DAY_MS = 86_400_000
LOOK_DAYS = 7
"""A number is looked at again after so long, whether it is worth asking by then; at once when there is new evidence."""
IN_USE_DAYS = 30
MOST_QUESTIONS = 100_000
"""What one run asks at most, and holds in memory. What is left over is looked at again by the next run."""
Rests = Callable[[Sequence[str]], None]
RND_BEGINS = pd.Timestamp("2021-01-27", tz="UTC")
"""The reassigned-numbers database holds nothing older: a question about an earlier day is paid for and answered "no data"."""
_CLOSED = ("do_not_call", "invalid", "disconnected")


@dataclass
class Choice:
    """Questions, the most valuable first, and what is known of the numbers they are about. Its size does not grow with the list beyond 16 bytes for each contact."""

    most: int
    questions: list[Question] = field(default_factory=list)
    looked_at: int = 0
    people: list[npt.NDArray[np.int64]] = field(default_factory=list)
    line: dict[str, str] = field(default_factory=dict)
    """The line fact of each number that is asked, before the answers."""
    closed: int = 0
    """Numbers nobody may or should call: never paid for."""
    no_route: int = 0
    """Numbers that no switched-on service can answer or may be told."""
    left_over: int = 0
    """Questions worth their price that were less valuable than the `most` chosen: their numbers stay due."""

    def contacts(self) -> npt.NDArray[np.int64]:
        """Living contacts that carry a number looked at, in order."""
        return np.unique(np.concatenate(self.people)) if self.people else np.zeros(0, np.int64)

    def keep_best(self) -> None:
        """Keep the most valuable questions, in their order; of equal ones the number decides."""
        self.questions.sort(key=lambda question: (-question.value, question.subject, question.kind))
        self.left_over += max(0, len(self.questions) - self.most)
        del self.questions[self.most :]
        asked = {question.subject for question in self.questions}
        self.line = {number: line for number, line in self.line.items() if number in asked}


@dataclass(frozen=True)
class Grounds:
    """What a choice rests on."""

    way: Deciding
    services: Sequence[LookupService]
    settings: LookupsSettings

    @property
    def ledger(self) -> Ledger:
        return self.way.ledger

    @property
    def policy(self) -> Policy:
        return self.way.policy

    @property
    def now(self) -> int:
        return self.way.now

    @property
    def moment(self) -> pd.Timestamp:
        return self.way.moment


def choose(
    grounds: Grounds, *, everything: bool = False, most: int = MOST_QUESTIONS, rests: Rests | None = None
) -> Choice:
    """Look at every number whose time has come and pick the questions worth their price, at most `most`. `rests` is told the numbers with nothing to ask."""
    choice = Choice(most)
    price = Prices(grounds)
    rates = hazards(grounds.ledger, grounds.now)
    after = ""
    while True:
        with grounds.ledger.read() as connection:
            numbers = lookups.next_numbers(connection, after, BATCH, grounds.now, everything=everything)
            if not numbers:
                break
            frame = _known(grounds, connection, numbers, choice)
        after = numbers[-1]
        choice.looked_at += len(numbers)
        choice.closed += len(numbers) - len(frame)
        before = len(choice.questions)
        if len(frame):
            _pick(grounds, price, rates, frame, choice)
        if rests is not None:
            open_ = {question.subject for question in choice.questions[before:] if question.kind != "line_type"}
            rests([number for number in numbers if number not in open_])
        if len(choice.questions) > 2 * most:
            choice.keep_best()
    choice.keep_best()
    return choice


def _known(grounds: Grounds, connection: Any, numbers: Sequence[str], choice: Choice) -> pd.DataFrame:
    """One row for each number that somebody may call: what it is, how it stands, when it was last seen alive."""
    carriers = pd.DataFrame(lookups.carried(connection, numbers), columns=list(lookups.Carried._fields))
    evidence = grounds.way.evidence(connection, numbers)
    decided = grounds.way.decided(evidence)
    people = carriers["contact_id"].to_numpy(dtype=np.int64)
    choice.people.append(np.unique(people))
    contacts = choice.people[-1].tolist()
    stopped = set(suppressions.live_persons(connection, contacts))
    own = decided[decided["contact"].notna() & (decided["status"] == "wrong_person")]
    wrong = set(zip(own["number"], own["contact"].astype("int64"), strict=True))
    pairs = zip(carriers["number"], carriers["contact_id"], strict=True)
    off = [contact in stopped or (number, contact) in wrong for number, contact in pairs]
    per = carriers[~np.array(off, dtype=bool)].groupby("number").agg(
        region=("region", "first"), type=("type", "first"), field=("field", "first"),
        created_at=("created_at", "max"),
    )  # fmt: skip
    general = decided[decided["contact"].isna()].set_index("number")
    per = per.join(general[["status", "line", "p_dead", "new_owner_since"]], how="inner")
    per = per[~per["status"].isin([*_CLOSED, "wrong_person"])].copy()
    told = lookups.line_types(connection, per.index.tolist())
    types = _types(per["type"])
    per["line_type"] = pd.Series(per.index.map(told), index=per.index, dtype=object).fillna(types)
    moments = _moments(evidence, general["new_owner_since"])
    per = per.join(moments)
    per["planned"] = pd.Series(list_members.planned_calls(connection, per.index.tolist()), dtype="float64").reindex(
        per.index
    )
    per["consent_at"] = pd.Series(
        consents.given(connection, grounds.ledger.key, per.index.tolist(), "call"), dtype="float64"
    ).reindex(per.index)
    return per.rename_axis("number").reset_index()


def _types(column: pd.Series) -> pd.Series:
    return column.map(line_type_of).fillna("unknown").astype(object)


_MOMENTS = ("alive_at", "failed_at", "called_at", "right_at", "suspended_at")


def _moments(evidence: pd.DataFrame, owner_since: pd.Series) -> pd.DataFrame:
    """By number, the last sign of life, failure, call, conversation with the right person and suspension under the present owner."""
    effects = vocabulary().effects
    since = evidence["number"].map(owner_since)
    present = since.isna() | (evidence["observed_at"] >= since)
    outcome = evidence["outcome"]
    living = [name for name, effect in effects.items() if effect.line == "alive"]
    failing = [name for name, effect in effects.items() if effect.hard]
    attempts = [name for name, effect in effects.items() if effect.attempt]
    suspended = [name for name, effect in effects.items() if effect.line == "suspended"]
    marked = (
        outcome.isin(living) & present,
        outcome.isin(failing) & present,
        outcome.isin(attempts),
        (outcome == "right_person") & present,
        outcome.isin(suspended) & present,
    )
    return pd.DataFrame(
        {
            name: evidence[mask].groupby("number")["observed_at"].max()
            for name, mask in zip(_MOMENTS, marked, strict=True)
        },
        columns=list(_MOMENTS),
    )


class Prices:
    """The cheapest price of a kind of question, by region and line type."""

    def __init__(self, grounds: Grounds) -> None:
        self._grounds = grounds
        self._known: dict[tuple[Kind, str | None, str], float] = {}

    def column(self, frame: pd.DataFrame, kind: Kind) -> pd.Series:
        """Price by row; NaN where nobody can answer or may be told."""
        rows = zip(frame["number"], frame["region"], frame["line_type"], strict=True)
        return pd.Series(
            [self._price(number, region, line_type, kind) for number, region, line_type in rows],
            index=frame.index,
            dtype=float,
        )

    def _price(self, number: str, region: str | None, line_type: Any, kind: Kind) -> float:
        key = (kind, region, line_type)
        if key not in self._known:
            question = Question(number, kind, region=region, line_type=line_type)
            found = routes(self._grounds.services, self._grounds.settings, question)
            self._known[key] = found[0][2] if found else float("nan")
        return self._known[key]


def _pick(grounds: Grounds, price: Prices, rates: pd.DataFrame, frame: pd.DataFrame, choice: Choice) -> None:
    before = len(choice.questions)
    frame["call_probability"] = _chances(grounds, frame)
    frame["segment"] = staleness.segments(frame)
    failed_since = frame["failed_at"].notna() & ~(frame["failed_at"] < frame["alive_at"])
    suspended = frame["status"] == "suspended"
    confirmed = frame["suspended_at"].where(suspended, frame["alive_at"].mask(failed_since))
    quiet = frame["status"] == "no_answer"
    belief = frame["p_dead"].astype(float)
    # Ringing on cannot tell a quiet line from a dead one: one question can.
    belief = belief.mask(quiet & confirmed.isna(), belief.clip(lower=grounds.policy.prior_dead))
    frame["confirmed_at"] = pd.to_datetime(confirmed, utc=True)
    frame["p_dead"] = belief.where(frame["confirmed_at"].isna(), grounds.policy.after_conversation)
    alive = _due(grounds, rates, frame.assign(price=price.column(frame, "line_status")))
    choice.no_route += int(alive["price"].isna().sum())
    _add(choice, alive[alive["due"]], "line_status")
    known = frame["right_at"].astype("datetime64[ms, UTC]")
    consent = pd.to_datetime(frame["consent_at"], unit="ms", utc=True).astype("datetime64[ms, UTC]")
    since = pd.concat([known, consent], axis=1).max(axis=1)
    owned = frame.assign(price=price.column(frame, "reassigned"), confirmed_at=since, p_dead=0.0)
    owned = _due(grounds, rates, owned[since.notna() & (since >= RND_BEGINS) & ~suspended])
    _add(choice, owned[owned["due"]], "reassigned", since=True)
    if grounds.settings.line_types:
        untyped = frame[frame["line_type"].isin(["unknown", "fixed_or_mobile"])]
        untyped = untyped.assign(price=price.column(untyped, "line_type"), worth=0.0)
        _add(choice, untyped[untyped["price"].notna() & (untyped["call_probability"] > 0)], "line_type")
    asked = {question.subject for question in choice.questions[before:]}
    lines = zip(frame["number"], frame["line"].astype(str), strict=True)
    choice.line.update((number, line) for number, line in lines if number in asked)


def _chances(grounds: Grounds, frame: pd.DataFrame) -> pd.Series:
    """Chance that somebody calls within the next month: calls planned on the dialling lists, each by itself; then use so far."""
    cadence = grounds.settings.cadence
    recent = grounds.now - IN_USE_DAYS * DAY_MS
    called = frame["called_at"] >= pd.Timestamp(recent, unit="ms", tz="UTC")
    in_use = called | (frame["created_at"] >= recent)
    usual = np.where(in_use, cadence.chance_in_use, cadence.chance_other)
    planned = 1 - (1 - cadence.chance_listed) ** frame["planned"].fillna(0).to_numpy(dtype=float)
    return pd.Series(np.maximum(usual, planned), index=frame.index, dtype=float)


def _due(grounds: Grounds, rates: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    cadence = grounds.settings.cadence
    ranked = staleness.rank(frame, rates, grounds.moment, staleness.cadence_of(cadence))
    if cadence.mode == "fixed":
        due = staleness.fixed_due(ranked, grounds.moment, cadence.fixed_days, cadence.default_days)
        ranked["due"] = due & (ranked["call_probability"] > 0)
    ranked["due"] &= ranked["price"].notna()
    return ranked


def _add(choice: Choice, rows: pd.DataFrame, kind: Kind, *, since: bool = False) -> None:
    days: list[date | None] = [stamp.date() for stamp in rows["confirmed_at"]] if since else [None] * len(rows)
    ask = partial(Question, kind=kind)
    for number, region, line_type, worth, day in zip(
        rows["number"], rows["region"], rows["line_type"], rows["worth"], days, strict=True
    ):
        choice.questions.append(ask(number, region=region, line_type=line_type, since=day, value=float(worth)))
