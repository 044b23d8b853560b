"""Who watches the policies: it knows the truth, and counts what each of them does to live numbers, dead numbers and people who said stop."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from benchmarks.truth_calls import WORDS, Plan
from benchmarks.truth_world import DEAD, NEVER, NONE, OTHERS, SUSPENDED, Ints, Mask, World

_STOP = WORDS.index("stop")
_TALKS = [WORDS.index(word) for word in ("sale", "talk", "stop")]
REBORN = 4
_LEGAL_DAYS = 31
"""Days after which a registry listing binds callers in the United States (16 CFR 310.4(b)(3)(iv))."""


@dataclass
class Tally:
    """What one policy did. Confusion matrices: region, truth, shown. `said` counts lines at the moment their word changed, `lines` and `statuses` what stood in
    the CRM every two months.
    """

    name: str
    dials: int = 0
    dead_dials: int = 0
    suspended_dials: int = 0
    talks: int = 0
    violations: int = 0
    money: float = 0.0
    lookups: int = 0
    abstained: int = 0
    wrongly_retired: int = 0
    suspended_retired: int = 0
    live_observed: int = 0
    deaths: int = 0
    known: int = 0
    false_flags: int = 0
    missing_flags: int = 0
    wrong_by_region: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(3, np.int64))
    money_by_service: dict[str, float] = field(default_factory=dict)
    said: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros((3, 5, 5), np.int64))
    lines: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros((3, 5, 5), np.int64))
    statuses: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros((3, 6, 8), np.int64))
    seconds: float = 0.0


class Judge:
    """Truth beside one policy's run."""

    def __init__(self, world: World, plan: Plan, name: str) -> None:
        self.world, self.plan, self.tally = world, plan, Tally(name)
        self.said = np.full(world.size, NEVER, np.int64)
        """Second since 1970 from which a person's word in a call stops the number (NEVER * 100,000 where nobody said it)."""
        self.said *= 100_000
        self.flags = np.zeros(world.size, np.int64)
        """How many records with the number carry a live opt-out given in another way."""
        gone = (world.state == DEAD) | (world.state == NONE)
        gone &= np.arange(world.settings.days)[None, :] >= world.arrival[:, None]
        self.death = np.where(gone.any(axis=1), gone.argmax(axis=1), NEVER)
        self.known_on = np.full(world.size, NEVER, np.int64)
        self.retired_on = np.full(world.size, NEVER, np.int64)
        self._killed, self._killed_suspended = np.zeros(world.size, np.bool_), np.zeros(world.size, np.bool_)
        self._observed = np.zeros(world.size, np.bool_)
        order = np.argsort(world.pair_contact, kind="stable")
        self._by_contact = order
        self._contact_starts = np.searchsorted(world.pair_contact[order], np.arange(world.contacts + 1))
        self.spoke = np.full(world.contacts, NEVER, np.int64)
        """Day on which a contact said stop in a call."""

    def pairs_of(self, contact: int) -> Ints:
        """The pairs of a contact."""
        return self._by_contact[self._contact_starts[contact] : self._contact_starts[contact + 1]]

    def numbers_of(self, contact: int) -> Ints:
        """The numbers that a contact carries."""
        return self.world.pair_number[self.pairs_of(contact)]

    def morning(self, day: int) -> tuple[Ints, Ints]:
        """Opt-outs that come in otherwise today, and those withdrawn today, as pairs. A pair that arrives later brings its contact's along."""
        world = self.world
        stop, withdrawn = world.stop[world.pair_contact], world.withdrawn[world.pair_contact]
        begins = np.maximum(stop, world.pair_arrival)
        valid = (stop < NEVER) & (withdrawn > world.pair_arrival) & (withdrawn > stop)
        new, over = np.flatnonzero(valid & (begins == day)), np.flatnonzero(valid & (withdrawn == day))
        np.add.at(self.flags, world.pair_number[new], 1)
        np.subtract.at(self.flags, world.pair_number[over], 1)
        arrived = np.flatnonzero((world.pair_arrival == day) & (self.spoke[world.pair_contact] < day))
        self.said[world.pair_number[arrived]] = np.minimum(self.said[world.pair_number[arrived]], 0)
        return new, over

    def late_arrivals(self, day: int) -> Ints:
        """Pairs arriving today whose contact has said stop in a call before."""
        world = self.world
        return np.flatnonzero((world.pair_arrival == day) & (self.spoke[world.pair_contact] < day))

    def calls(self, day: int, rows: Ints, *, by_number: bool) -> Ints:
        """Take the day's dials (rows of the plan) and return those that were really made: after a "stop" nobody dials again on that day.

        `by_number`: whether the policy stops every record with the number and the person's other numbers, or the one record only.
        """
        world, plan = self.world, self.plan
        stops = rows[plan.word[rows] == _STOP]
        for row in stops.tolist():
            pair = int(plan.pair[row])
            contact = int(world.pair_contact[pair])
            hop = self.numbers_of(contact)
            if by_number:
                later = (plan.time[rows] > plan.time[row]) & np.isin(world.pair_number[plan.pair[rows]], hop)
                if plan.time[row] < self.said[world.pair_number[pair]]:
                    rows = rows[~later]
            self.said[hop] = np.minimum(self.said[hop], plan.time[row])
            self.spoke[contact] = min(int(self.spoke[contact]), day)
        number, time = world.pair_number[plan.pair[rows]], plan.time[rows]
        state = world.state[number, day]
        tally = self.tally
        tally.dials += len(rows)
        tally.dead_dials += int(((state == DEAD) | (state == NONE)).sum())
        tally.suspended_dials += int((state == SUSPENDED).sum())
        tally.talks += int((np.isin(plan.word[rows], _TALKS) & (state != OTHERS)).sum())
        stopped = (time > self.said[number]) | (self.flags[number] > 0) | (world.listed[number] + _LEGAL_DAYS < day)
        tally.violations += int(stopped.sum())
        self.observed(number, day)
        return rows

    def observed(self, numbers: Ints, day: int) -> None:
        """A call or an answer about these numbers."""
        state = self.world.state[numbers, day]
        self._observed[numbers[(state != DEAD) & (state != NONE)]] = True

    def retired(self, numbers: Ints, day: int) -> None:
        """These numbers have just been given up."""
        state = self.world.state[numbers, day]
        live = (state != DEAD) & (state != NONE)
        self._killed[numbers[live & (state != SUSPENDED)]] = True
        self._killed_suspended[numbers[state == SUSPENDED]] = True
        self.retired_on[numbers] = day
        self.known_on[numbers] = np.where(
            self.known_on[numbers] < self.death[numbers], day, np.minimum(self.known_on[numbers], day)
        )

    def paid(self, service: str, money: float, lookups: int, abstained: int) -> None:
        """Lookups bought."""
        tally = self.tally
        tally.money += money
        tally.lookups += lookups
        tally.abstained += abstained
        tally.money_by_service[service] = tally.money_by_service.get(service, 0.0) + money

    def _truth(self, numbers: Ints, day: int) -> Ints:
        """Rows of the line matrix: alive, suspended, disconnected, nonexistent, alive again under another owner."""
        truth = np.array([0, 0, 1, 2, 0, 3])[self.world.state[numbers, day]]
        reborn = (self.world.state[numbers, day] == OTHERS) & (self.death[numbers] < day)
        return np.where(reborn, REBORN, truth)

    def changed(self, numbers: Ints, line: npt.NDArray[np.int8], day: int) -> None:
        """The line fact of these numbers has just changed."""
        region = self.world.region[numbers]
        np.add.at(self.tally.said, (region, self._truth(numbers, day), line[numbers].astype(np.int64)), 1)

    def snapshot(self, day: int, line: npt.NDArray[np.int8], pair_status: npt.NDArray[np.int8]) -> None:
        """Add today's shown facts of all numbers on the list to the confusion matrices."""
        world = self.world
        here = np.flatnonzero(world.arrival <= day)
        np.add.at(self.tally.lines, (world.region[here], self._truth(here, day), line[here].astype(np.int64)), 1)
        pairs = np.flatnonzero(world.pair_arrival <= day)
        number = world.pair_number[pairs]
        state = world.state[number, day]
        truth = np.array([5, 5, 3, 2, 4, 1])[state]
        truth = np.where(self.stopped(day)[number], 0, truth)
        np.add.at(self.tally.statuses, (world.region[number], truth, pair_status[pairs].astype(np.int64)), 1)

    def stopped(self, day: int) -> Mask:
        """By number: a person said stop, or a registry lists it."""
        return (self.said < NEVER * 100_000) | (self.flags > 0) | (self.world.listed <= day)

    def flags_shown(self, day: int, flagged: Mask) -> None:
        """Compare the do-not-call flags of the records (by contact) with the suppressions that live."""
        world = self.world
        here = world.pair_arrival <= day
        contact, number = world.pair_contact[here], world.pair_number[here]
        personal = ((self.said < NEVER * 100_000) | (self.flags > 0))[number]
        behind = np.bincount(contact[self.stopped(day)[number]], minlength=world.contacts) > 0
        due = np.bincount(contact[personal], minlength=world.contacts) > 0
        self.tally.false_flags += int((flagged & ~behind).sum())
        self.tally.missing_flags += int((due & ~flagged).sum())

    def finish(self) -> Tally:
        """Close the books."""
        tally, days = self.tally, self.world.settings.days
        tally.wrongly_retired = int(self._killed.sum())
        tally.wrong_by_region = np.bincount(self.world.region[self._killed], minlength=3)
        tally.suspended_retired = int(self._killed_suspended.sum())
        tally.live_observed = int((self._observed | self._killed).sum())
        due = self.death + 30 < days
        tally.deaths = int(due.sum())
        tally.known = int((self.known_on <= self.death + 30)[due].sum())
        return tally
