"""Run one policy, day by day, through one world."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Protocol

import numpy as np

from benchmarks.truth_calls import Plan, make_plan
from benchmarks.truth_judge import Judge, Tally
from benchmarks.truth_ringtrue import RingTrue, Tactics
from benchmarks.truth_rivals import Interval, Rival, Strikes
from benchmarks.truth_settings import Settings
from benchmarks.truth_world import Ints, Mask, World, make_world
from ringtrue.policy import Policy

POLICIES = {
    "ringtrue": "RingTrue",
    "monthly": "(a) all monthly",
    "quarterly": "(b) all quarterly",
    "never": "(c) never check",
    "strikes": "(d) three strikes",
    "eager": "all monthly, decided by RingTrue",
    "calls": "RingTrue, own calls only",
}
_SNAPSHOT_DAYS = 61


class Runner(Protocol):
    """What a policy does on a day."""

    by_number: bool

    def morning(self, day: int, opted: Ints, withdrawn: Ints) -> None: ...
    def allows(self, day: int, pairs: Ints) -> Mask: ...
    def evening(self, rows: Ints) -> None: ...
    def shown(self, day: int) -> None: ...


def runner(name: str, world: World, plan: Plan, judge: Judge, policy: Policy, tactics: Tactics) -> Runner:
    """The policy of this name."""
    if name == "monthly":
        return Interval(world, plan, judge, 30)
    if name == "quarterly":
        return Interval(world, plan, judge, 91)
    if name == "never":
        return Rival(world, plan, judge)
    if name == "strikes":
        return Strikes(world, plan, judge)
    ask = {"ringtrue": tactics.ask, "eager": "monthly", "calls": "never"}[name]
    return RingTrue(world, plan, judge, policy, replace(tactics, ask=ask))


def run(name: str, world: World, plan: Plan, policy: Policy | None = None, tactics: Tactics | None = None) -> Tally:
    """One policy through all days of the world."""
    begin = time.process_time()
    judge = Judge(world, plan, name)
    it = runner(name, world, plan, judge, policy or Policy(), tactics or Tactics())
    for day in range(world.settings.days):
        opted, withdrawn = judge.morning(day)
        it.morning(day, opted, withdrawn)
        if (day + 1) % _SNAPSHOT_DAYS == 0 or day == world.settings.days - 1:
            it.shown(day)
        planned = np.arange(plan.starts[day], plan.starts[day + 1])
        made = planned[it.allows(day, plan.pair[planned])]
        made = judge.calls(day, made, by_number=it.by_number)
        it.evening(made)
    tally = judge.finish()
    tally.seconds = time.process_time() - begin
    return tally


def prepared(settings: Settings) -> tuple[World, Plan]:
    """A world and its planned calls."""
    world = make_world(settings)
    return world, make_plan(world)
