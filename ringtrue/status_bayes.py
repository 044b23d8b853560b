"""The line fact: is there a subscriber behind the number, from all its evidence in the order of time.

Per number a probability of "no subscriber" is carried from observation to observation. Between them it moves as a two-state
chain (lines lose their subscriber at a hazard, dead numbers are given out again at a rate): P(t+d) = q + (P - q) e^-(h+r)d with
q = h/(h+r). An observation multiplies the odds by its likelihood ratio. Verdicts have different thresholds for entering and
leaving, so that a number does not flicker between two words because a day went by.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ringtrue.evidence import OUTCOMES, vocabulary
from ringtrue.policy import Policy
from ringtrue.status_rows import DAY, EARLIEST, Coded, Codes, Floats, Ints, Mask, Rows
from ringtrue.suspensions import believed

MONTH = 30.44 * DAY
NEVER = np.int64(2**62)


@dataclass(frozen=True, slots=True)
class Weights:
    """By row: the weight of its evidence, whether it is a hard signal, and whether that stands for an independent source."""

    weight: Floats
    hard: Mask
    independent: Mask


@dataclass(frozen=True, slots=True)
class LineState:
    """By number. Positions are rows, -1 for none; times are seconds since 1970.

    `hard_first` and `hard_last` bound the failures since the last contact; `alive_last` is the last sign of life. `dead_suspended` marks
    a verdict that a suspension led to. `owner_since` is when a dead line answered again, EARLIEST if it never did: what was known of its owner
    before then is void. `until` is when the verdict changes if nothing more is heard.
    """

    p_dead: Floats
    dead: Mask
    alive: Mask
    suspended: Mask
    dead_suspended: Mask
    was_dead: Mask
    hard_first: Codes
    hard_last: Codes
    alive_last: Codes
    suspended_first: Codes
    suspended_last: Codes
    owner_since: Ints
    until: Ints


def spaced(keys: Ints, times: Ints, gap: float) -> Mask:
    """Which rows start anew: the first of each key, and each that lies at least `gap` seconds after the last one that did.

    Rows come in the order of time within a key; keys stand in any order.
    """
    fresh = np.zeros(len(keys), np.bool_)
    if not len(keys):
        return fresh
    order = np.argsort(keys, kind="stable")
    key, time = keys[order], times[order]
    changes = np.append(True, key[1:] != key[:-1])
    starts = np.flatnonzero(changes)
    ends = np.append(starts[1:], len(key))
    if len(starts) == len(key):
        fresh[:] = True
        return fresh
    base = int(time.min())
    span = int(time.max()) - base + int(gap) + 2
    line = np.cumsum(changes) * span + (time - base)
    following = np.searchsorted(line, line + int(np.ceil(gap)))
    front, bound = starts, ends
    while len(front):
        fresh[order[front]] = True
        front = following[front]
        inside = front < bound
        front, bound = front[inside], bound[inside]
    return fresh


def weigh(rows: Rows, muted: Mask, policy: Policy) -> Weights:
    """How much each observation counts beside the others of its number.

    A service group that answers again within `service_repeat_days`, and a trunk that fails again on the same day, rest on the same cause:
    they weigh `repeat_weight`. What a trunk in trouble reported weighs nothing, and neither does a call told again for another contact.
    """
    words = vocabulary()
    own_call = rows.group < 0
    hard = words.flags("hard", True)[rows.outcome] & (rows.log_lr > 0) & ~muted & ~rows.again
    weight = np.where(muted | rows.again, 0.0, 1.0)
    independent = np.zeros(len(weight), np.bool_)
    if not (rows.count(rows.log_lr != 0) > 1).any():
        return Weights(weight, hard, hard)
    kind = np.where(rows.log_lr < 0, 0, np.where(hard, 1, 2))
    source = np.where(rows.trunk >= 0, rows.trunk, rows.source + int(rows.trunk.max(initial=0)) + 1)
    for mine, origin, gap in (
        (own_call, source, policy.same_day_hours * 3_600),
        (~own_call, rows.group, policy.service_repeat_days * DAY),
    ):
        chosen = np.flatnonzero(mine & (weight > 0) & (rows.log_lr != 0))
        origins = int(origin.max(initial=0)) + 2
        key = (rows.number[chosen].astype(np.int64) * origins + origin[chosen] + 1) * 3 + kind[chosen]
        fresh = spaced(key, rows.time[chosen], gap)
        weight[chosen[~fresh]] = policy.repeat_weight
        failed = np.flatnonzero(mine & hard)
        group = rows.group[failed].astype(np.int64) + 1
        independent[failed] = spaced(
            rows.number[failed] * (int(group.max(initial=0)) + 1) + group, rows.time[failed], gap
        )
    return Weights(weight, hard, independent)


def judge(
    rows: Rows,
    weights: Weights,
    policy: Policy,
    numbers: pa.Array,
    line_types: Coded,
    reports: Mapping[str, float],
    now: int,
) -> LineState:
    """Carry every number of the chunk through its evidence and say how its line stands at `now` (seconds since 1970)."""
    walk = _Walk(rows, weights, policy, numbers, line_types, reports)
    walk.run()
    return walk.verdict(now)


class _Walk:
    """Steps through the k-th observation of all numbers at once. Numbers are ranked by how many observations they have, so that those still
    running are always the first ones and state is a slice, never a selection.
    """

    def __init__(
        self,
        rows: Rows,
        weights: Weights,
        policy: Policy,
        numbers: pa.Array,
        line_types: Coded,
        reports: Mapping[str, float],
    ) -> None:
        words = vocabulary()
        self.rows, self.policy = rows, policy
        outcome = rows.outcome
        self.alive_row = words.flags("line", "alive")[outcome] & (weights.weight > 0)
        self.talk_row = words.flags("reach", "reached")[outcome] & self.alive_row
        self.contact_row = self.talk_row | (words.flags("reach", "voicemail")[outcome] & self.alive_row)
        # "Out of reach" is what a service that cannot see suspensions says of a barred line.
        self.resumed_row = self.alive_row & (outcome != OUTCOMES.index("lookup_off"))
        heard = words.flags("line", "suspended")[outcome] & (weights.weight > 0)
        self.suspended_row = believed(rows, heard, self.resumed_row, numbers, line_types, policy, reports)
        self.hard_row, self.independent = weights.hard, weights.independent
        self.group_bit = np.where(rows.group >= 0, np.int64(1) << np.minimum(rows.group, 62).astype(np.int64), 0)
        strong = rows.log_lr >= policy.strongest_dead
        self.grave_row = weights.hard & strong & (weights.weight == 1) & (rows.group >= 0)
        strength = rows.log_lr * weights.weight + self._repeated_fault()
        self.odds = np.exp(strength)
        used = (strength != 0) | self.alive_row | self.suspended_row
        self.used = np.flatnonzero(used)
        counts = rows.count(used)
        self.rank = np.argsort(-counts, kind="stable")
        self.counts = counts[self.rank]
        self.start = (np.cumsum(counts) - counts)[self.rank]
        size = rows.numbers
        hazards = np.array([*(policy.hazard(name) for name in line_types.texts()), policy.hazard_unknown])
        self.hazard = hazards[rows.line_type][self.rank]
        self.settle = self.hazard / (self.hazard + policy.reuse_per_month)
        self.speed = (self.hazard + policy.reuse_per_month) / MONTH
        prior = np.where(np.isnan(rows.prior), policy.prior_dead, np.clip(rows.prior, 1e-4, 1 - 1e-4))
        self.p = prior[self.rank]
        self.time = np.zeros(size, np.int64)
        self.dead, self.alive = np.zeros(size, np.bool_), np.zeros(size, np.bool_)
        self.was_dead, self.by_suspension = np.zeros(size, np.bool_), np.zeros(size, np.bool_)
        self.signals, self.groups = np.zeros(size, np.int32), np.zeros(size, np.int64)
        none = np.full(size, -1, np.int32)
        self.hard_first, self.hard_last, self.alive_last = none.copy(), none.copy(), none.copy()
        self.suspended_first, self.suspended_last = none.copy(), none.copy()
        self.owner_since = np.full(size, EARLIEST, np.int64)

    def _repeated_fault(self) -> Floats:
        """`out_of_order` seen again after a week or more: one more unit, once (Q.850 cause 27)."""
        rows = self.rows
        mark = rows.outcome == OUTCOMES.index("out_of_order")
        extra = np.zeros(len(mark))
        if mark.any():
            later = mark & (rows.time >= rows.time_of(rows.first(mark))[rows.number] + 7 * DAY)
            position = rows.first(later)
            extra[position[position >= 0]] = 1.0
        return extra

    def run(self) -> None:
        """Step through all observations."""
        longest = int(self.counts[0]) if len(self.counts) else 0
        for step in range(longest):
            running = int(np.searchsorted(-self.counts, -step, side="left"))
            self._step(self.used[self.start[:running] + step], running, first=step == 0)

    def _decayed(self, n: int, elapsed: Ints) -> Floats:
        faded: Floats = self.settle[:n] + (self.p[:n] - self.settle[:n]) * np.exp(
            -self.speed[:n] * np.maximum(elapsed, 0)
        )
        return faded

    def _step(self, row: Ints, n: int, *, first: bool) -> None:
        policy, time = self.policy, self.rows.time[row]
        p = self.p[:n] if first else self._decayed(n, time - self.time[:n])
        dead, alive, was_dead = self.dead[:n], self.alive[:n], self.was_dead[:n]
        hard_first, hard_last, signals = self.hard_first[:n], self.hard_last[:n], self.signals[:n]
        self._fade(p, time, n)
        odds = p / (1 - p) * self.odds[row]
        p = odds / (1 + odds)
        talk, contact, living = self.talk_row[row], self.contact_row[row], self.alive_row[row]
        hard, suspended = self.hard_row[row], self.suspended_row[row]
        np.minimum(p, policy.after_conversation, out=p, where=talk)
        if suspended.any() or (self.suspended_first[:n] >= 0).any():
            self._suspension(row, time, p, n)

        void = contact | self._outdated(time, hard_last, n)
        signals[void] = 0
        self.groups[:n][void] = 0
        hard_first[void] = -1
        starts = hard & (hard_first < 0)
        hard_first[starts] = row[starts]
        hard_last[hard] = row[hard]
        signals += self._new_signal(row, n)

        came_back = living & (was_dead | (dead & (contact | (p < policy.dead_until))))
        dead &= ~contact & (p >= policy.dead_until) if policy.mode == "bayes" else ~contact
        self.owner_since[:n][came_back] = time[came_back]
        was_dead &= ~came_back
        self.by_suspension[:n] &= dead
        dead |= self._condemned(hard, time, p, n)

        self.alive_last[:n][living] = row[living]
        if policy.mode == "bayes":
            recent = (self.alive_last[:n] >= 0) & (
                time - self.rows.time_of(self.alive_last[:n]) <= policy.alive_days * DAY
            )
            alive |= recent & (p <= policy.alive_from)
            alive &= p <= policy.alive_until
        else:
            alive |= living
            alive &= ~hard
        alive &= ~dead
        self.p[:n] = p
        self.time[:n] = time

    def _outdated(self, time: Ints, hard_last: Codes, n: int) -> Mask:
        """Numbers not yet given up whose last sign of death is too old to be confirmed. The rule mode knows no such age."""
        if self.policy.mode == "rule":
            return np.zeros(n, np.bool_)
        old = time - self.rows.time_of(hard_last) > self.policy.signals_within_days * DAY
        outdated: Mask = (hard_last >= 0) & old & ~self.dead[:n]
        return outdated

    def _new_signal(self, row: Ints, n: int) -> Mask:
        """A service group is one opinion, however often it is asked; its second answer is no second signal until a contact has come between."""
        said, bit = self.groups[:n], self.group_bit[row]
        fresh: Mask = self.independent[row] & ((said & bit) == 0)
        said[fresh] |= bit[fresh]
        return fresh

    def _condemned(self, hard: Mask, time: Ints, p: Floats, n: int) -> Mask:
        if self.policy.mode == "bayes":
            return (p >= self.policy.dead_from) & (self.signals[:n] >= self.policy.independent_signals)
        apart = time - self.rows.time_of(self.hard_first[:n]) >= self.policy.rule_gap_days * DAY
        return hard & (self.hard_first[:n] >= 0) & apart

    def _fade(self, p: Floats, time: Ints, n: int) -> None:
        """Verdicts that time alone has ended before this observation."""
        dead, alive = self.dead[:n], self.alive[:n]
        if self.policy.mode == "bayes":
            over = dead & (p < self.policy.dead_until)
        else:
            over = dead & (time - self.rows.time_of(self.hard_last[:n]) > self.policy.rule_dead_days * DAY)
        self.was_dead[:n] |= over
        dead &= ~over
        self.hard_first[:n][over] = -1
        self.signals[:n][over] = 0
        self.groups[:n][over] = 0
        if self.policy.mode == "bayes":
            alive &= p <= self.policy.alive_until

    def _suspension(self, row: Ints, time: Ints, p: Floats, n: int) -> None:
        """A suspended line has a subscriber; seen so for `suspended_days` it has none; a sign of life ends it, and so does a service that finds nobody.

        A call that fails does not: most suspensions end with the line back, and then a false failure is as likely as ever.
        """
        policy = self.policy
        first, last = self.suspended_first[:n], self.suspended_last[:n]
        barred, living = self.suspended_row[row], self.resumed_row[row]
        begun, heard = self.rows.time_of(first), self.rows.time_of(last)
        given_up = (first >= 0) & (time >= self._given_up_at(begun, heard))
        back = living & given_up
        self.owner_since[:n][back] = time[back]
        first[living] = -1
        gone = self.grave_row[row] & (first >= 0) & ~given_up & (time < heard + policy.suspended_days * DAY)
        np.maximum(p, policy.dead_from, out=p, where=gone)
        self.dead[:n] |= gone
        self.by_suspension[:n] |= gone
        first[gone] = -1
        revived = barred & (self.dead[:n] | self.was_dead[:n])
        self.owner_since[:n][revived] = time[revived]
        self.dead[:n] &= ~barred
        self.was_dead[:n] &= ~barred
        self.signals[:n][barred] = 0
        self.groups[:n][barred] = 0
        self.hard_first[:n][barred] = -1
        np.minimum(p, policy.alive_until, out=p, where=barred)
        begins = barred & ((first < 0) | given_up | (time >= heard + policy.suspended_lapse_days * DAY))
        first[begins] = row[begins]
        last[barred] = row[barred]

    def _given_up_at(self, begun: Ints, heard: Ints) -> Ints:
        """When a suspension counts as the end: `suspended_days` after it began, if it was heard of until then without a gap; else NEVER."""
        ends = begun + np.int64(self.policy.suspended_days * DAY)
        return np.where(heard + np.int64(self.policy.suspended_lapse_days * DAY) >= ends, ends, NEVER)

    def verdict(self, now: int) -> LineState:
        """How things stand at `now`, and until when."""
        policy, rows = self.policy, self.rows
        n = rows.numbers
        heard = self.counts > 0
        elapsed = np.where(heard, now - self.time, 0)
        p = self._decayed(n, elapsed)
        p[~heard] = self.p[~heard]
        self._fade(p, np.full(n, now, np.int64), n)
        suspended_since = rows.time_of(self.suspended_first)
        under = self.suspended_first >= 0
        suspended_heard = rows.time_of(self.suspended_last)
        ends = np.where(under, self._given_up_at(suspended_since, suspended_heard), NEVER)
        given_up = under & (now >= ends)
        p_given_up = self.settle + (policy.dead_from - self.settle) * np.exp(
            -self.speed * np.where(given_up, now - ends, 0)
        )
        p = np.where(given_up, np.maximum(p, p_given_up), p)
        gone = given_up & (p >= policy.dead_until)
        dead = self.dead | gone
        lapses = suspended_heard + np.int64(policy.suspended_lapse_days * DAY)
        suspended = under & ~given_up & ~dead & (now < lapses)
        alive_time = rows.time_of(self.alive_last)
        stale = np.int64(policy.alive_days * DAY)
        alive = self.alive & ~dead & ~under & (self.alive_last >= 0) & (now - alive_time <= stale)
        until = np.full(n, NEVER)
        until = np.where(dead, self._crossing(p, policy.dead_until, now), until)
        if policy.mode == "rule":
            until = np.where(dead & ~gone, rows.time_of(self.hard_last) + np.int64(policy.rule_dead_days * DAY), until)
        ageing = np.minimum(alive_time + stale, self._crossing(p, policy.alive_until, now))
        until = np.where(alive, ageing if policy.mode == "bayes" else alive_time + stale, until)
        recheck = suspended_heard + np.int64(policy.suspended_recheck_days * DAY)
        until = np.where(suspended, np.minimum(np.minimum(recheck, lapses), ends), until)
        back = np.argsort(self.rank, kind="stable")
        self.was_dead |= given_up & ~gone
        return LineState(
            p_dead=p[back],
            dead=dead[back],
            alive=alive[back],
            suspended=suspended[back],
            dead_suspended=(gone | (self.by_suspension & dead))[back],
            was_dead=self.was_dead[back],
            hard_first=self.hard_first[back],
            hard_last=self.hard_last[back],
            alive_last=self.alive_last[back],
            suspended_first=self.suspended_first[back],
            suspended_last=self.suspended_last[back],
            owner_since=self.owner_since[back],
            until=until[back],
        )

    def _crossing(self, p: Floats, level: float, now: int) -> Ints:
        """When the fading probability passes `level`; NEVER if it does not."""
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = (level - self.settle) / (p - self.settle)
            wait = -np.log(ratio) / self.speed
        passes = np.isfinite(wait) & (wait >= 0)
        return np.where(passes, now + np.ceil(np.where(passes, wait, 0.0)).astype(np.int64), NEVER)
