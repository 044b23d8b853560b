"""The policies RingTrue is compared with: check all numbers at fixed intervals, never check, and three strikes."""

from __future__ import annotations

import numpy as np

from benchmarks.truth_calls import WORDS, Plan
from benchmarks.truth_judge import Judge
from benchmarks.truth_services import Desk
from benchmarks.truth_world import Ints, Mask, World
from ringtrue.evidence import OUTCOMES, vocabulary

_STOP = WORDS.index("stop")
_CONTACT = [WORDS.index(word) for word in ("sale", "talk", "stop", "stranger", "machine")]


class Rival:
    """Dials whatever is not given up. Opt-outs hold for the record on which they were said; registries are looked at once, when a lead arrives."""

    by_number = False

    def __init__(self, world: World, plan: Plan, judge: Judge) -> None:
        self.world, self.plan, self.judge = world, plan, judge
        self._gone, self._paused = np.zeros(world.size, np.bool_), np.zeros(world.size, np.bool_)
        self._stopped = np.zeros(len(world.pair_number), np.bool_)
        self._day = 0

    def morning(self, day: int, opted: Ints, withdrawn: Ints) -> None:
        """New leads are scrubbed and their form is checked."""
        world = self.world
        self._stopped[opted] = True
        self._stopped[withdrawn] = False
        self._stopped |= (world.listed[world.pair_number] <= day) & (world.pair_arrival == day)
        self._give_up(np.flatnonzero((world.arrival == day) & world.refused), day)

    def _give_up(self, numbers: Ints, day: int) -> None:
        fresh = numbers[~self._gone[numbers]]
        self._gone[fresh] = True
        self.judge.retired(fresh, day)

    def allows(self, day: int, pairs: Ints) -> Mask:
        """Whom it dials."""
        self._day = day
        number = self.world.pair_number[pairs]
        allowed: Mask = ~self._stopped[pairs] & ~self._gone[number] & ~self._paused[number]
        return allowed

    def evening(self, rows: Ints) -> None:
        """Take the opt-outs down."""
        self._stopped[self.plan.pair[rows[self.plan.word[rows] == _STOP]]] = True

    def shown(self, day: int) -> None:
        """It shows nothing in a CRM."""
        self._day = day


class Interval(Rival):
    """Check every number that is not given up each `days` days, at the cheapest service that covers it, the next if it has no answer; believe one answer."""

    def __init__(self, world: World, plan: Plan, judge: Judge, days: int) -> None:
        super().__init__(world, plan, judge)
        self._desk, self._days = Desk(world), days
        words = vocabulary()
        self._dead = words.flags("hard", True) | words.flags("line", "nonexistent")
        self._held = words.flags("line", "suspended")

    def morning(self, day: int, opted: Ints, withdrawn: Ints) -> None:
        """On the day, check them all."""
        super().morning(day, opted, withdrawn)
        if day % self._days:
            return
        numbers = np.flatnonzero((self.world.arrival <= day) & ~self._gone)
        self._paused[:] = False
        for at, service in enumerate(self._desk.services):
            asked = numbers[self._desk.covers[at, numbers]]
            answers = self._desk.ask(at, asked, day)
            self.judge.paid(service.name, float(answers.cost.sum()), len(asked), int((~answers.told).sum()))
            self.judge.observed(asked[answers.told], day)
            self._give_up(asked[self._dead[answers.outcome]], day)
            self._paused[asked[self._held[answers.outcome]]] = True
            numbers = np.setdiff1d(
                numbers, asked[answers.told & (answers.outcome != OUTCOMES.index("lookup_abstained"))]
            )


class Strikes(Rival):
    """Give a number up after so many calls in a row without a person or a voicemail."""

    def __init__(self, world: World, plan: Plan, judge: Judge, strikes: int = 3) -> None:
        super().__init__(world, plan, judge)
        self._strikes, self._missed = strikes, np.zeros(world.size, np.int64)

    def evening(self, rows: Ints) -> None:
        """Count."""
        super().evening(rows)
        number = self.world.pair_number[self.plan.pair[rows]]
        contact = np.isin(self.plan.word[rows], _CONTACT)
        np.add.at(self._missed, number[~contact], 1)
        self._missed[number[contact]] = 0
        self._give_up(np.unique(number[self._missed[number] >= self._strikes]), self._day)
