"""Whom the lookups ask, and what each answer is worth: numbers that rules and our own calls leave open, and that somebody may call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from typing import Any

import numpy as np
import orjson
import pandas as pd

from assets.stage import BATCH
from connectors.lookups.protocol import Kind, LineType, LookupService, Question
from connectors.lookups.routes import routes
from ringtrue import staleness
from ringtrue.evidence import vocabulary
from ringtrue.ledger import Ledger, consents, decisions, lookups, meta, suppressions
from ringtrue.lookup_settings import LookupsSettings
from ringtrue.policy import Policy
from ringtrue.status import decide

DAY_MS = 86_400_000
LOOK_DAYS = 7
"""A number is looked at again after so long, whether it is worth asking by then; at once when there is new evidence."""
IN_USE_DAYS = 30
LEARN_HOURS = 24
RND_BEGINS = pd.Timestamp("2021-01-27", tz="UTC")
"""The reassigned-numbers database holds nothing older: a question about an earlier day is paid for and answered "no data"."""
_CLOSED = ("do_not_call", "invalid", "disconnected")
_LINE_TYPES: dict[str, LineType] = {
    "MOBILE": "mobile",
    "FIXED_LINE": "landline",
    "FIXED_LINE_OR_MOBILE": "fixed_or_mobile",
    "VOIP": "fixed_voip",
    "TOLL_FREE": "tollfree",
    "PREMIUM_RATE": "premium",
}


@dataclass
class Choice:
    """Questions, the most valuable first, and what is known of the numbers they are about."""

    questions: list[Question] = field(default_factory=list)
    looked_at: list[str] = field(default_factory=list)
    contacts: set[int] = field(default_factory=set)
    """Living contacts that carry a number looked at."""
    line: dict[str, str] = field(default_factory=dict)
    """The line fact of each number that is asked, before the answers."""
    closed: int = 0
    """Numbers nobody may or should call: never paid for."""
    no_route: int = 0
    """Numbers that no switched-on service can answer or may be told."""


@dataclass(frozen=True)
class Grounds:
    """What a choice rests on."""

    ledger: Ledger
    services: Sequence[LookupService]
    settings: LookupsSettings
    policy: Policy
    alarms: pd.DataFrame
    now: int

    @property
    def moment(self) -> pd.Timestamp:
        return pd.Timestamp(self.now, unit="ms", tz="UTC")


def hazards(ledger: Ledger, now: int) -> pd.DataFrame:
    """How fast numbers go stale by segment: learned from the ledger, once a day."""
    with ledger.read() as connection:
        kept = meta.value(connection, "hazards")
    if kept is not None:
        told = orjson.loads(kept)
        if now - told["learned_at"] < LEARN_HOURS * 3_600_000:
            return pd.DataFrame.from_dict(told["table"], orient="index").astype(float).rename_axis("segment")
    with ledger.read() as connection:
        seen = lookups.intervals(connection)
    seen["line_type"] = _types(seen["type"])
    seen["status"] = ""
    seen["segment"] = staleness.segments(seen)
    table = staleness.learn(staleness.exposure(seen))
    plain = {
        str(name): {key: None if np.isnan(value) else value for key, value in row.items()}
        for name, row in table.to_dict("index").items()
    }
    with ledger.write() as connection:
        meta.set_value(connection, "hazards", orjson.dumps({"learned_at": now, "table": plain}).decode())
    return table


def choose(grounds: Grounds, *, everything: bool = False) -> Choice:
    """Look at every number whose time has come and pick the questions worth their price."""
    choice = Choice()
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
        choice.looked_at += numbers
        choice.closed += len(numbers) - len(frame)
        if len(frame):
            _pick(grounds, price, rates, frame, choice)
    choice.questions.sort(key=lambda question: -question.value)
    return choice


def _known(grounds: Grounds, connection: Any, numbers: Sequence[str], choice: Choice) -> pd.DataFrame:
    """One row for each number that somebody may call: what it is, how it stands, when it was last seen alive."""
    carriers = pd.DataFrame(lookups.carried(connection, numbers), columns=list(lookups.Carried._fields))
    evidence = decisions.evidence(connection, grounds.ledger.key, numbers, grounds.now)
    decided = decide(evidence, grounds.policy, grounds.moment, alarms=grounds.alarms)
    contacts = carriers["contact_id"].unique().tolist()
    choice.contacts.update(contacts)
    stopped = set(suppressions.live_persons(connection, contacts))
    own = decided[decided["contact"].notna() & (decided["status"] == "wrong_person")]
    wrong = set(zip(own["number"], own["contact"].astype("int64"), strict=True))
    pairs = zip(carriers["number"], carriers["contact_id"], strict=True)
    off = [contact in stopped or (number, contact) in wrong for number, contact in pairs]
    per = carriers[~np.array(off, dtype=bool)].groupby("number").agg(
        region=("region", "first"), type=("type", "first"), field=("field", "first"),
        created_at=("created_at", "max"), listed=("listed", "max"),
    )  # fmt: skip
    general = decided[decided["contact"].isna()].set_index("number")
    per = per.join(general[["status", "line", "p_dead", "new_owner_since"]], how="inner")
    per = per[~per["status"].isin([*_CLOSED, "wrong_person"])].copy()
    told = lookups.line_types(connection, per.index.tolist())
    types = _types(per["type"])
    per["line_type"] = pd.Series(per.index.map(told), index=per.index, dtype=object).fillna(types)
    moments = _moments(evidence, general["new_owner_since"])
    per = per.join(moments)
    per["consent_at"] = pd.Series(
        consents.given(connection, grounds.ledger.key, per.index.tolist(), "call"), dtype="float64"
    ).reindex(per.index)
    return per.rename_axis("number").reset_index()


def _types(column: pd.Series) -> pd.Series:
    return column.map(_LINE_TYPES).fillna("unknown").astype(object)


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
    choice.line.update(zip(frame["number"], frame["line"].astype(str), strict=True))

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


def _chances(grounds: Grounds, frame: pd.DataFrame) -> pd.Series:
    """Chance that somebody calls within the next month: planned calls first, then use so far."""
    cadence = grounds.settings.cadence
    recent = grounds.now - IN_USE_DAYS * DAY_MS
    called = frame["called_at"] >= pd.Timestamp(recent, unit="ms", tz="UTC")
    in_use = called | (frame["created_at"] >= recent)
    chances = np.select(
        [frame["listed"].astype(bool), in_use], [cadence.chance_listed, cadence.chance_in_use], cadence.chance_other
    )
    return pd.Series(chances, index=frame.index, dtype=float)


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
