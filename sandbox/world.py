"""The seeded world: people, lines with their true history, lead sources, and what tests or simulations change in it.

Everything about people and lines follows from (seed, contacts, epoch) and is made on demand, so that a million contacts cost neither memory nor disk.
`world.db` keeps those three and the changes made later: line states set by hand, opt-outs said in a simulated call. One process at a time may change them.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, NamedTuple

from sandbox.lead_sources import LEAD_SOURCES, LeadSource
from sandbox.lines import STATES, Line, LineState, State, make_line
from sandbox.people import DAY, Crowd, OptOut, Person, Written

__all__ = ["LeadSource", "Line", "LineState", "OptOut", "Person", "Truth", "World", "Written"]

Crm = Literal["salesforce", "hubspot"]
TrueStatus = Literal["do_not_call", "invalid", "disconnected", "suspended", "wrong_person", "active"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS line_states (e164 TEXT, since INTEGER, state TEXT NOT NULL, owner TEXT, PRIMARY KEY (e164, since)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS opt_outs (pid TEXT PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS listings (e164 TEXT, registry TEXT, since INTEGER NOT NULL, PRIMARY KEY (e164, registry)) WITHOUT ROWID;
"""


class Truth(NamedTuple):
    """What is true about (person, number) at a moment. `right_person` is None while nobody answers the line.

    `status` is the word RingTrue ought to show: its statuses except no_answer and unverified, which are states of knowledge and not of the world.
    """

    line: LineState | None
    right_person: bool | None
    opted_out: bool
    listed: tuple[str, ...]
    status: TrueStatus


class World:
    """The world of one sandbox directory.

    `seed`, `contacts` (per CRM) and `epoch` (aware datetime: the world's "today"; default: now) count at the first start only; a later start on the same file
    takes them from it. `clock` gives the present moment and may be replaced (tests, simulations); line states after the epoch come true as it moves on.
    `real_data` marks a sandbox loaded from a file: then there is no truth about its numbers.
    """

    def __init__(
        self,
        path: str | Path,
        seed: int = 1,
        contacts: int = 2000,
        epoch: datetime | None = None,
        clock: Callable[[], datetime] | None = None,
        real_data: bool = False,
    ) -> None:
        self._db = sqlite3.connect(str(path), isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.executescript(_SCHEMA)
        moment = round(time.time()) if epoch is None else round(epoch.timestamp())
        first = {"seed": seed, "contacts": contacts, "epoch": moment // 3600 * 3600 * 1000, "real_data": int(real_data)}
        for key, value in first.items():
            self._db.execute("INSERT OR IGNORE INTO meta (key, value) VALUES (?, ?)", (key, str(value)))
        meta = {key: int(value) for key, value in self._db.execute("SELECT key, value FROM meta")}
        self.seed, self.contacts, self.epoch_ms = meta["seed"], meta["contacts"], meta["epoch"]
        self.real_data = bool(meta["real_data"])
        self._ahead_ms = meta.get("clock_ahead", 0)
        self.clock: Callable[[], datetime] = clock or (
            lambda: datetime.now(UTC) + timedelta(milliseconds=self._ahead_ms)
        )
        self.crowd = Crowd(self.seed, self.contacts, self.epoch_ms)
        self._line_states: dict[str, list[LineState]] = {}
        for e164, since, state, owner in self._db.execute(
            "SELECT e164, since, state, owner FROM line_states ORDER BY e164, since"
        ):
            self._line_states.setdefault(e164, []).append(LineState(state, owner, since))
        self._opt_outs: dict[str, int] = dict(self._db.execute("SELECT pid, at FROM opt_outs"))
        self._listings: dict[str, dict[str, int]] = {}
        for e164, registry, listed in self._db.execute("SELECT e164, registry, since FROM listings"):
            self._listings.setdefault(e164, {})[registry] = listed

    @property
    def epoch(self) -> datetime:
        """The world's "today" when it was made: people were created in the three years before it."""
        return datetime.fromtimestamp(self.epoch_ms / 1000, UTC)

    def now_ms(self) -> int:
        """The clock's present moment in epoch milliseconds."""
        return round(self.clock().timestamp() * 1000)

    def move_clock(self, to: datetime) -> None:
        """Set the default clock to a moment; it runs on from there, also after a restart. CRM times follow. Without effect on a clock passed in."""
        self._ahead_ms = round((to - datetime.now(UTC)).total_seconds() * 1000)
        self._db.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('clock_ahead', ?)", (str(self._ahead_ms),))

    def close(self) -> None:
        """Close world.db."""
        self._db.close()

    def people(self, start: int = 0, count: int | None = None) -> Iterator[Person]:
        """People in order of their index (and of their creation, nearly), as a stream; none if the world is of real data."""
        return iter(()) if self.real_data else self.crowd.people(start, count)

    def person(self, pid: str | int) -> Person:
        """A person by index or pid ("p12"). Raises ValueError if there is no such person."""
        index = int(str(pid).lstrip("p"))
        if self.real_data or not 0 <= index < self.crowd.size:
            raise ValueError(f"There is no person {pid!r} in this world of {self.crowd.size} people.")
        return self.crowd.person(index)

    def members(self, crm: Crm) -> Iterator[Person]:
        """The people whom a CRM holds, exactly `contacts` of them."""
        left = self.contacts
        for index in range(0 if self.real_data else self.crowd.size):
            if self.crowd.crms(index) in (crm, "both"):
                yield self.crowd.person(index)
                left -= 1
                if left <= 0:
                    return

    def written(self, person: Person, crm: Crm) -> list[Written]:
        """The phone fields of a person as a CRM was loaded with them, with the truth behind each."""
        return self.crowd.written(person, crm)

    def lead_sources(self) -> list[LeadSource]:
        """The lead sources with their true rates."""
        return list(LEAD_SOURCES)

    def line(self, e164: str) -> Line | None:
        """The line of a number; None if it lies in none of the world's ranges (then nothing is known about it) or the data is real.

        A number in a range that was given to nobody has a line too: most such numbers are never_allocated, some belong to strangers.
        """
        if self.real_data:
            return None
        line = make_line(self.crowd, e164)
        if line is None:
            return None
        changes = self._line_states.get(e164)
        if changes:
            before = tuple(state for state in line.timeline if state.since < changes[0].since)
            line = replace(line, timeline=(*before, *changes))
        listings = self._listings.get(e164)
        return replace(line, registries={**line.registries, **listings}) if listings else line

    def set_line(self, e164: str, state: State, owner: str | None = None, since: datetime | None = None) -> None:
        """Change a line's story: from `since` (default: now) it is in this state; its own story ends there.

        Raises ValueError if the state is unknown or the number lies outside the world's ranges.
        """
        if state not in STATES:
            raise ValueError(f"Unknown line state {state!r}. Use one of: {', '.join(STATES)}.")
        if self.crowd.holder(e164) is None:
            raise ValueError("This number lies in none of the world's ranges.")
        at = self.now_ms() if since is None else round(since.timestamp() * 1000)
        self._db.execute("INSERT OR REPLACE INTO line_states VALUES (?, ?, ?, ?)", (e164, at, state, owner))
        others = [one for one in self._line_states.get(e164, []) if one.since != at]
        self._line_states[e164] = sorted([*others, LineState(state, owner, at)], key=lambda one: one.since)

    def say_stop(self, pid: str, at: datetime | None = None) -> None:
        """A person asks not to be called again (in a simulated call, say). The first time counts."""
        moment = self.now_ms() if at is None else round(at.timestamp() * 1000)
        self._db.execute("INSERT OR IGNORE INTO opt_outs VALUES (?, ?)", (pid, moment))
        self._opt_outs.setdefault(pid, moment)

    def list_number(self, e164: str, registry: str, since: datetime | None = None) -> None:
        """Put a number on a do-not-call registry."""
        moment = self.now_ms() if since is None else round(since.timestamp() * 1000)
        self._db.execute("INSERT OR REPLACE INTO listings VALUES (?, ?, ?)", (e164, registry, moment))
        self._listings.setdefault(e164, {})[registry] = moment

    def opted_out_at(self, person: Person) -> int | None:
        """When the person said stop (epoch ms), by whatever way; None if never."""
        said = [self._opt_outs[person.pid]] if person.pid in self._opt_outs else []
        if person.same_as is not None:
            person = self.crowd.person(person.same_as)
        if person.opt_out is not None:
            said.append(person.opt_out.at)
        return min(said) if said else None

    def owner_name(self, owner: str) -> str:
        """The name of a line's owner ("p12", "c3", "x99")."""
        return self.crowd.name_of(owner)

    def truth(self, person: Person, e164: str | None, moment: datetime | int | None = None) -> Truth:
        """What is true about a person's number at a moment (default: now). `e164` None means that the field holds no number."""
        at = (
            self.now_ms() if moment is None else moment if isinstance(moment, int) else round(moment.timestamp() * 1000)
        )
        return self.truth_on_line(person, self.line(e164) if e164 else None, at, e164 is not None)

    def truth_on_line(self, person: Person, line: Line | None, at: int, has_number: bool = True) -> Truth:
        """`truth` for a line in hand."""
        opted = self.opted_out_at(person)
        opted_out = opted is not None and opted <= at
        if line is None:
            return Truth(None, None, opted_out, (), "do_not_call" if opted_out and has_number else "invalid")
        state = line.state_at(at)
        listed = tuple(line.listed_at(at))
        right = None if state.owner is None else state.owner in (person.pid, f"c{person.company.serial}")
        if opted_out or listed:
            status: TrueStatus = "do_not_call"
        elif state.state == "never_allocated":
            status = "invalid"
        elif state.state == "disconnected":
            status = "disconnected"
        elif right is False:
            status = "wrong_person"
        else:
            status = "suspended" if state.state == "suspended" else "active"
        return Truth(state, right, opted_out, listed, status)

    def days_since_epoch(self) -> float:
        """How far the clock has moved past the world's epoch, in days."""
        return (self.now_ms() - self.epoch_ms) / DAY
