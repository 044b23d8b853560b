"""RingTrue's policy in the simulated world: own calls first, then the cheapest service that can answer, ranked by staleness; `decide` decides.

The pieces are RingTrue's own (`decide`, `trunk_alarms`, `rank`, `allocate`, `learn`, the word and outcome tables, the lead sources' posterior); the order in which they are
called is the pipeline's. Only the ledger and the desk's queues are left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from benchmarks.truth_calls import Plan, listed_pairs, outcome_codes
from benchmarks.truth_evidence import Decisions, Evidence, hard_words, living_words
from benchmarks.truth_judge import Judge
from benchmarks.truth_noise import Floats
from benchmarks.truth_services import Desk
from benchmarks.truth_world import BEGIN_SECONDS, DAY, MONTH_DAYS, Ints, Mask, World
from ringtrue.evidence import OUTCOMES
from ringtrue.expectations import Expectations, learned
from ringtrue.policy import Policy
from ringtrue.record_status import record_status
from ringtrue.records import STATUSES
from ringtrue.staleness import Cadence, allocate, default_hazards, exposure, learn, rank, segments
from ringtrue.suspensions import lines_named

SYNC_SECONDS = 3_540
"""The daily sync runs before the first call of the day in the east and after the last one in the west."""
_CALLABLE = np.isin(STATUSES, ["active", "unverified"])
_SUSPENDED = STATUSES.index("suspended")
_GIVEN_UP = np.isin(STATUSES, ["do_not_call", "invalid", "disconnected"])
_SUSPECT = 0.10
_FRIDAY_OVER = 5
"""Day of the week from which nobody dials until Monday."""


@dataclass(frozen=True)
class Tactics:
    """How the policy asks. `notice`: days before its first call that a campaign's list is known; `budget`: share of what asking every number once a month
    would cost, None without end. What a day does not need is there on the next.

    `ask`: "worth" (the staleness rule), "monthly" (every number each month, for comparison) or "never". `learn`: what decisions take from the ledger:
    "both", "hazards", "priors" or "nothing".
    """

    ask: str = "worth"
    notice: int = 1
    budget: float | None = 0.12
    cadence: Cadence = field(default_factory=Cadence)
    learn: str = "both"


class RingTrue:
    """One run. `morning` syncs, decides and asks; `allows` is the dialling list; `evening` takes the day's calls."""

    by_number = True

    def __init__(self, world: World, plan: Plan, judge: Judge, policy: Policy, tactics: Tactics) -> None:
        self.world, self.plan, self.judge, self.tactics = world, plan, judge, tactics
        self.desk = Desk(world)
        self._services = [one.name for one in self.desk.services]
        suppressions = ("suppression:us_national", "suppression:crm_flag", "suppression:call")
        sources = ("call:dialler", "rule:numbering", *suppressions, *(f"lookup:{name}" for name in self._services))
        self.evidence = Evidence(world, sources, tuple(self._services))
        self.decisions = Decisions(world, policy)
        self._policy = policy
        self._word = outcome_codes()
        self._hard, self._living = hard_words(), living_words()
        self._dirty = np.zeros(world.size, np.bool_)
        self._confirmed = np.zeros(world.size, np.int64)
        """Seconds since 1970 of the last sign of life by the present owner, 0 if none."""
        self._p_confirmed = np.full(world.size, policy.prior_dead)
        self._fresh = np.zeros(world.size, np.bool_)
        self._purse = 0.0
        first = np.where(self.desk.covers.any(axis=0), self.desk.covers.argmax(axis=0), -1)
        self._list_price = np.where(first >= 0, self.desk.prices[first], 0.0)
        self._asked = np.full((len(self._services), world.size), -10_000, np.int64)
        self._hazards = default_hazards()
        self._segment = segments(
            pd.DataFrame(
                {
                    "line_type": np.array(["mobile", "landline", "landline", "voip"], object)[world.kind],
                    "status": "unverified",
                    "field": np.array(["", "homephone", "phone", ""], object)[world.kind],
                }
            )
        ).to_numpy(dtype=object)
        self._intervals: list[pd.DataFrame] = []
        self._exposed: list[pd.DataFrame] = []
        self._called = np.zeros(0, np.int64)
        self._day = 0
        self._recent: list[int] = []
        self._first = np.zeros(world.size, np.int8)
        """What the first evidence that told of the line said: 1 alive, 2 dead."""
        self._expected = Expectations()
        kinds = [(region, kind) for region in ("1", "86", "880") for kind in ("mobile", "landline")]
        self._lines = [lines_named(*one) for one in kinds]
        self._group = world.region * 2 + (world.kind > 0)
        self._calls = np.zeros(len(kinds), np.int64)
        self._reported = np.zeros(world.size, np.bool_)

    def morning(self, day: int, opted: Ints, withdrawn: Ints) -> None:
        """Sync: new leads, opt-outs, registry; decide what has news or has run out; ask what is worth its price."""
        self._day = day
        now = BEGIN_SECONDS + day * DAY + SYNC_SECONDS
        self._arrivals(day, now)
        self._opt_outs(now, day, opted, withdrawn)
        if day and day % 30 == 0:
            self._learn(now)
        self._decide(day, now, np.flatnonzero(self._dirty | (self.decisions.until <= now)))
        self._dirty[:] = False
        self._ask(day, now)

    def allows(self, day: int, pairs: Ints) -> Mask:
        """The dialling list. Left out: do-not-call, invalid, disconnected, wrong person, no answer; suspended until its re-check is due."""
        now = BEGIN_SECONDS + day * DAY + SYNC_SECONDS
        status = self.decisions.of_pairs()[pairs]
        due = (status == _SUSPENDED) & (self.decisions.until[self.world.pair_number[pairs]] <= now)
        allowed: Mask = _CALLABLE[status] | due
        return allowed

    def evening(self, rows: Ints) -> None:
        """The day's calls become evidence; a "stop" reaches the person's other numbers."""
        world, plan = self.world, self.plan
        pair, time = plan.pair[rows], plan.time[rows]
        number, outcome = world.pair_number[pair], self._word[plan.word[rows]]
        contact = world.pair_contact[pair]
        self.evidence.add(number, outcome, "call:dialler", time, trunk=plan.trunk[rows], contact=contact)
        for row in np.flatnonzero(outcome == OUTCOMES.index("opted_out")).tolist():
            others = np.setdiff1d(self.judge.numbers_of(int(contact[row])), number[row])
            self._stop(others, "do_not_call", "suppression:call", int(time[row]), np.full(len(others), contact[row]))
        self._tell(number, outcome)
        self._calls += np.bincount(self._group[number], minlength=len(self._calls))
        self._reported[number[outcome == OUTCOMES.index("suspended")]] = True
        self._called = number
        self._recent = [*self._recent[-29:], len(np.unique(number))]
        self._dirty[number] = True
        self._alive(number[self._living[outcome]], time[self._living[outcome]])
        self._sync(self._day)

    def _sync(self, day: int) -> None:
        """Syncs run every hour while people dial; the last one, after the day's calls, stands for them all."""
        now = BEGIN_SECONDS + (day + 1) * DAY + SYNC_SECONDS - 1
        if len(self._called):
            self.decisions.watch(self.evidence, now)
        self._decide(day, now, np.flatnonzero(self._dirty))
        self._dirty[:] = False

    def _arrivals(self, day: int, now: int) -> None:
        world = self.world
        new = np.flatnonzero(world.arrival == day)
        outcome = np.where(world.refused[new], OUTCOMES.index("format_invalid"), OUTCOMES.index("format_valid"))
        self.evidence.add(new, outcome, "rule:numbering", now - 300)
        self._dirty[new] = True
        listed = world.listed[new] <= day
        self._stop(new[listed], "do_not_call", "suppression:us_national", now - 200)
        if day % 7 == 0:
            older = np.flatnonzero((world.listed > day - 7) & (world.listed <= day) & (world.arrival < day))
            self._stop(older, "do_not_call", "suppression:us_national", now - 200)
        elsewhere = np.flatnonzero((world.listed > day - day % 7) & (world.listed <= day) & (world.arrival == day))
        self._stop(elsewhere, "do_not_call", "suppression:us_national", now - 200)

    def _opt_outs(self, now: int, day: int, opted: Ints, withdrawn: Ints) -> None:
        """A withdrawal lifts nothing where the contact has said stop in a call: another suppression lives."""
        world = self.world
        withdrawn = withdrawn[self.judge.spoke[world.pair_contact[withdrawn]] >= day]
        for pairs, outcome in ((opted, "do_not_call"), (withdrawn, "opt_out_retracted")):
            self._stop(world.pair_number[pairs], outcome, "suppression:crm_flag", now - 100, world.pair_contact[pairs])
        late = self.judge.late_arrivals(day)
        self._stop(world.pair_number[late], "do_not_call", "suppression:call", now - 100, world.pair_contact[late])

    def _stop(self, numbers: Ints, outcome: str, source: str, time: int, contact: Ints | int = -1) -> None:
        self.evidence.add(numbers, OUTCOMES.index(outcome), source, time, contact=contact)
        self._dirty[numbers] = True

    def _alive(self, numbers: Ints, times: Ints) -> None:
        """Signs of life: they end an interval for the hazards and begin the next."""
        known = self._confirmed[numbers] > 0
        self._interval(numbers[known], times[known], died=False)
        np.maximum.at(self._confirmed, numbers, times)
        self._fresh[numbers] = True

    def _tell(self, numbers: Ints, outcome: Ints) -> None:
        """What is told of numbers; of several things told at once the first counts."""
        said = np.where(self._hard[outcome], 2, np.where(self._living[outcome], 1, 0)).astype(np.int8)
        fresh = (said > 0) & (self._first[numbers] == 0)
        self._first[numbers[fresh][::-1]] = said[fresh][::-1]

    def _interval(self, numbers: Ints, seen: Ints, *, died: bool) -> None:
        alive = self._confirmed[numbers]
        self._intervals.append(
            pd.DataFrame(
                {
                    "segment": self._segment[numbers],
                    "alive_at": alive.astype("datetime64[s]"),
                    "seen_at": np.maximum(seen, alive).astype("datetime64[s]"),
                    "died": died,
                }
            )
        )

    def _decide(self, day: int, now: int, numbers: Ints) -> None:
        if not len(numbers):
            return
        decisions = self.decisions
        before = decisions.line[numbers]
        retired = decisions.decide(self.evidence, numbers, now)
        self.judge.changed(numbers[decisions.line[numbers] != before], decisions.line, day)
        self.judge.retired(retired, day)
        confirmed = retired[self._confirmed[retired] > 0]
        self._interval(confirmed, np.full(len(confirmed), now), died=True)
        self._confirmed[retired] = 0
        fresh = numbers[self._fresh[numbers]]
        self._p_confirmed[fresh] = decisions.p_dead[fresh]
        self._fresh[fresh] = False

    def _learn(self, now: int) -> None:
        """Hazards from what the ledger saw, priors of the lead sources from their first verdicts."""
        if self._intervals:
            self._exposed.append(exposure(pd.concat(self._intervals, ignore_index=True)))
            self._intervals = []
            self._hazards = learn(pd.concat(self._exposed, ignore_index=True))
        world, before = self.world, self._expected
        names = [one.slug for one in world.settings.sources]
        counts = {
            name: np.bincount(world.source[self._first == code], minlength=len(names))
            for code, name in ((1, "alive"), (2, "dead"))
        }
        heard = np.bincount(self._group[self._reported], minlength=len(self._lines))
        calls = pd.DataFrame({"lines": self._lines, "calls": self._calls, "reported": heard})
        known = learned(pd.DataFrame({"source": names, **counts}), self._hazards, calls, now * 1_000)
        takes = self.tactics.learn
        self._expected = Expectations(
            known.priors if takes in ("both", "priors") else {},
            known.hazards if takes in ("both", "hazards") else {},
            known.reports if takes != "nothing" else {},
        )
        if self._expected != before:
            policy = self._expected.applied(self._policy)
            self.decisions.policy, self.decisions.reports = policy, dict(self._expected.reports)
            shares: Floats = np.array([self._expected.prior(name, policy) for name in names])
            self.evidence.prior[:] = shares[world.source]
            self._dirty |= world.arrival <= (now - BEGIN_SECONDS) // DAY

    def _ask(self, day: int, now: int) -> None:
        ask = self.tactics.ask
        if self.tactics.budget:
            here = self._list_price[self.world.arrival <= day]
            self._purse += self.tactics.budget * float(here.sum()) / MONTH_DAYS
        if ask == "never" or (ask == "worth" and day % 7 >= _FRIDAY_OVER):
            return
        world, decisions = self.world, self.decisions
        able = (world.arrival <= day) & ~_GIVEN_UP[decisions.status]
        if ask == "monthly":
            if day % 30 == 0:
                self._waterfall(np.flatnonzero(able & (self._available(day) >= 0)), day, now)
            return
        chance = np.zeros(world.size)
        if day % 7 == 0 and self._recent:
            chance[:] = min(1.0, sum(self._recent) / max(1, int(able.sum())))
        listed = listed_pairs(self.plan, day, self.tactics.notice)
        chance[world.pair_number[self.plan.campaign_pair[listed]]] = 1.0
        service = self._available(day)
        numbers = np.flatnonzero(able & (chance > 0) & (service >= 0))
        if not len(numbers):
            return
        confirmed = self._confirmed[numbers].astype("datetime64[s]")
        suspect = (decisions.p_dead[numbers] >= _SUSPECT) | (self._confirmed[numbers] == 0)
        confirmed[suspect] = np.datetime64("NaT")
        frame = pd.DataFrame(
            {
                "number": world.names[numbers],
                "segment": np.where(decisions.status[numbers] == _SUSPENDED, "suspended", self._segment[numbers]),
                "confirmed_at": pd.Series(confirmed).dt.tz_localize("UTC").to_numpy(),
                "p_dead": np.where(suspect, decisions.p_dead[numbers], self._p_confirmed[numbers]),
                "call_probability": chance[numbers],
                "price": self.desk.prices[service[numbers]],
                "at": numbers,
            }
        )
        frame["confirmed_at"] = pd.to_datetime(frame["confirmed_at"], utc=True)
        ranked = rank(frame, self._hazards, pd.Timestamp(now, unit="s", tz="UTC"), self.tactics.cadence)
        budget = None if self.tactics.budget is None else max(self._purse, 0.0)
        chosen = allocate(ranked, budget)["at"].to_numpy()
        self._waterfall(chosen, day, now)

    def _available(self, day: int) -> Ints:
        """By number: the cheapest service that covers it and has not been asked within its answer's lifetime, -1 where none."""
        found = np.full(self.world.size, -1, np.int64)
        for at in reversed(range(len(self._services))):
            found[self._open_to(at, day)] = at
        return found

    def _open_to(self, service: int, day: int) -> Mask:
        lifetime = self.desk.services[service].lifetime_days
        open_: Mask = self.desk.covers[service] & (day - self._asked[service] >= lifetime)
        return open_

    def _waterfall(self, numbers: Ints, day: int, now: int) -> None:
        """Ask the cheapest service, then the next about what is still open: no answer, or "dead" where that alone does not settle it."""
        for at, name in enumerate(self._services):
            if not len(numbers):
                return
            can = self._open_to(at, day)[numbers]
            asked = numbers[can]
            if not len(asked):
                continue
            answers = self.desk.ask(at, asked, day)
            self._asked[at, asked] = day
            self._purse -= float(answers.cost.sum())
            self.judge.paid(name, float(answers.cost.sum()), len(asked), int((~answers.told).sum()))
            self.evidence.add(asked, answers.outcome, f"lookup:{name}", now, group=at, log_lr=answers.log_lr)
            told = asked[answers.told]
            self._tell(told, answers.outcome[answers.told])
            self.judge.observed(told, day)
            living = self._living[answers.outcome] & answers.told
            self._alive(asked[living], np.full(int(living.sum()), now))
            news = told[self._hard[answers.outcome[answers.told]] | (self.decisions.status[told] == _SUSPENDED)]
            self._dirty[told] = True
            self._decide(day, now, news)
            settled = living | _GIVEN_UP[self.decisions.status[asked]]
            settled |= self.decisions.status[asked] == _SUSPENDED
            numbers = np.sort(np.concatenate([numbers[~can], asked[~settled]]))

    def shown(self, day: int) -> None:
        """What the CRM shows on this day: for the confusion matrices and the do-not-call flags."""
        world, decisions = self.world, self.decisions
        self.judge.snapshot(day, decisions.line, decisions.of_pairs())
        here = np.flatnonzero(world.pair_arrival <= day)
        numbers = pd.DataFrame({"record": world.pair_contact[here], "number": world.names[world.pair_number[here]]})
        kinds = np.array([None, "person", "registry"], object)[decisions.kind]
        table = pd.DataFrame(
            {
                "number": world.names,
                "contact": pd.Series(pd.NA, index=range(world.size), dtype="Int64"),
                "status": np.array(STATUSES, object)[decisions.status],
                "dnc_kind": kinds,
            }
        )
        records = record_status(numbers, table, self._policy)
        flagged = np.zeros(world.contacts, np.bool_)
        flagged[records["record"].to_numpy(dtype=np.int64)] = (records["status"] == "do_not_call").to_numpy()
        self.judge.flags_shown(day, flagged)
