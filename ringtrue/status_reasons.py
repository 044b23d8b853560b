"""Which sentence explains each decision, and the rows its words are taken from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from ringtrue.evidence import OUTCOMES, vocabulary
from ringtrue.policy import Policy
from ringtrue.records import STATUSES
from ringtrue.sentences import Writer, detail, labels, phrase, source_name, suppression_template
from ringtrue.status_bayes import LineState, Weights
from ringtrue.status_rows import DAY, EARLIEST, Coded, Codes, Ints, Mask, Rows
from ringtrue.status_rules import SUPPRESSION, Identity, NoAnswer, Numbering, Permission


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found out about the numbers of one chunk."""

    rows: Rows
    weights: Weights
    line: LineState
    permission: Permission
    numbering: Numbering
    no_answer: NoAnswer
    identity: Identity


class Reasons:
    """Writes the reason column. Made once for a call of `decide`, used for each chunk."""

    def __init__(self, policy: Policy, sources: Coded, details: Coded, now: pd.Timestamp) -> None:
        words = vocabulary()
        language = policy.language
        self._policy = policy
        self._zone = policy.report_timezone
        by_label = labels(language)
        self._now = int(now.timestamp())
        self._writer = Writer(
            language,
            int(self._days(np.array([self._now]))[0]),
            {
                "label": [by_label[status] for status in STATUSES],
                "phrase": [phrase(language, outcome) for outcome in OUTCOMES],
                "source": [*(source_name(language, source) for source in sources.texts()), "?"],
                "detail": [*(detail(language, reason) for reason in details.texts()), detail(language, "other")],
            },
        )
        number = self._writer.number
        kinds = [
            suppression_template(
                language, source.removeprefix(SUPPRESSION) if source.startswith(SUPPRESSION) else "call"
            )
            for source in sources.texts()
        ]
        self._stop = np.array([*(number[kind] for kind in kinds), number["suppression.other"]])
        self._identity = np.array([number.get(outcome, number["wrong_person"]) for outcome in OUTCOMES])
        self._attempt = words.flags("attempt", True)
        self._weak = words.flags("line", "unknown") & (words.log_lr() != 0)

    def _days(self, times: Ints) -> Ints:
        if self._zone == "UTC":
            return times // DAY
        there = pd.DatetimeIndex(times.view("datetime64[s]")).tz_localize("UTC").tz_convert(self._zone)
        return there.tz_localize(None).to_numpy(dtype="datetime64[s]").view(np.int64) // DAY

    def write(self, facts: Facts, number: Codes, status: Codes, identity_row: Codes) -> pa.Array:
        """One sentence for each result row; `number`, `status` and `identity_row` say whose."""
        draft = _Draft(len(number), self._writer.number)
        told = {name: status == place for place, name in enumerate(STATUSES)}
        stop, refused = facts.permission.row[number], facts.numbering.refused[number]
        if told["do_not_call"].any():
            draft.say(told["do_not_call"], self._stop[_of(facts.rows.source, stop)], stop)
        if told["invalid"].any():
            by_rule = _of(facts.rows.outcome, refused) == OUTCOMES.index("format_invalid")
            draft.say(told["invalid"] & by_rule, "invalid_rule", refused)
            draft.say(told["invalid"] & ~by_rule, "invalid_service", refused)
        if told["disconnected"].any():
            self._disconnected(draft, facts, number, told["disconnected"])
        if told["suspended"].any():
            last = facts.line.suspended_last[number]
            service = _of(facts.rows.group, last) >= 0
            draft.say(told["suspended"] & ~service, "suspended_call", last)
            draft.say(told["suspended"] & service, "suspended_service", last)
        if told["wrong_person"].any():
            draft.say(told["wrong_person"], self._identity[_of(facts.rows.outcome, identity_row)], identity_row)
        if told["no_answer"].any():
            quiet = facts.no_answer
            draft.say(told["no_answer"], "no_answer", quiet.first[number], quiet.last[number])
            draft.count[:] = quiet.count[number]
        if told["active"].any():
            last, since = facts.line.alive_last[number], facts.line.owner_since[number]
            service = _of(facts.rows.group, last) >= 0
            draft.say(told["active"] & ~service, "active_call", last)
            draft.say(told["active"] & service, "active_service", last)
            known = identity_row >= 0
            draft.say(told["active"] & (since > EARLIEST) & ~known, "active_again", last)
        if told["unverified"].any():
            self._unverified(draft, facts, number, told["unverified"])
        return self._written(facts, status, draft)

    def _disconnected(self, draft: _Draft, facts: Facts, number: Codes, told: Mask) -> None:
        rows, line = facts.rows, facts.line
        run = hard_run(facts)
        own = rows.group < 0
        first, last = rows.first(run & own)[number], rows.last(run & own)[number]
        service_first, service_last = rows.first(run & ~own)[number], rows.last(run & ~own)[number]
        called, asked = told & (first >= 0), told & (service_first >= 0)
        times = rows.count(run & own)[number]
        draft.say(called, "dead_calls", first, last)
        many = called & ~asked & (times > 2)
        draft.say(many, "dead_many_calls", first, last)
        draft.count[many] = times[many]
        draft.say(called & asked, "dead_calls_service", first, last, service_last)
        other = _of(rows.source, service_first) != _of(rows.source, service_last)
        draft.say(asked & ~called, "dead_service", service_first, service_last)
        draft.say(asked & ~called & other, "dead_services", service_first, service_last)
        draft.say(told & line.dead_suspended[number] & ~called & ~asked, "dead_suspended", line.suspended_first[number])

    def _unverified(self, draft: _Draft, facts: Facts, number: Codes, told: Mask) -> None:
        rows, line = facts.rows, facts.line
        draft.say(told, "nothing")
        draft.say(told & (facts.numbering.accepted[number] >= 0), "well_formed")
        if not (rows.log_lr != 0).any() and not self._attempt[rows.outcome].any():
            return
        own = rows.group < 0
        asked = rows.last(~own & self._weak[rows.outcome])[number]
        tried = rows.last(own & self._attempt[rows.outcome])[number]
        alive = line.alive_last[number]
        draft.say(told & (asked >= 0), "unclear_service", asked)
        draft.say(told & (tried >= 0), "tried", tried)
        recent = self._now - rows.time_of(alive) <= self._policy.alive_days * DAY
        service = _of(rows.group, alive) >= 0
        draft.say(told & (alive >= 0) & ~recent, "stale", alive)
        draft.say(told & (alive >= 0) & recent & ~service, "weak_call", alive)
        draft.say(told & (alive >= 0) & recent & service, "weak_service", alive)
        run = hard_run(facts)
        failed = rows.last(run)[number]
        by_call = _of(rows.group, failed) < 0
        draft.say(told & (failed >= 0) & by_call, "suspect_call", failed)
        draft.say(told & (failed >= 0) & ~by_call, "suspect_service", failed)
        gone = told & line.was_dead[number]
        draft.say(gone, "faded_dead", np.maximum(line.hard_last, line.suspended_last)[number])

    def _written(self, facts: Facts, status: Codes, draft: _Draft) -> pa.Array:
        rows = facts.rows
        used = draft.template
        if not len(rows.time) or not len(used):
            slots = {"label": status.astype(np.int64)}
            return self._writer.write(used, slots)
        return self._writer.write(
            used,
            {
                "label": status.astype(np.int64),
                "phrase": _of(rows.outcome, draft.first),
                "detail": _of(rows.detail, draft.first),
                "source": _of(rows.source, draft.first),
                "source2": _of(rows.source, draft.second),
                "source3": _of(rows.source, draft.third),
                "date": self._days(rows.time_of(draft.first)),
                "date2": self._days(rows.time_of(draft.second)),
                "date3": self._days(rows.time_of(draft.third)),
                "count": draft.count,
            },
        )


class _Draft:
    """The sentence chosen for each result row so far; later choices replace earlier ones."""

    def __init__(self, size: int, number: dict[str, int]) -> None:
        self._number = number
        self.template = np.zeros(size, np.int64)
        self.first, self.second, self.third = (np.full(size, -1, np.int32) for _ in range(3))
        self.count = np.zeros(size, np.int64)

    def say(
        self,
        chosen: Mask,
        template: str | Ints,
        first: Codes | None = None,
        second: Codes | None = None,
        third: Codes | None = None,
    ) -> None:
        """Choose a sentence, by name or by number for each row, and the rows its words come from."""
        self.template[chosen] = self._number[template] if isinstance(template, str) else template[chosen]
        for place, rows in ((self.first, first), (self.second, second), (self.third, third)):
            if rows is not None:
                place[chosen] = rows[chosen]


def hard_run(facts: Facts) -> Mask:
    """The hard failures since the last contact: those that a verdict of "disconnected" rests on."""
    rows, start = facts.rows, facts.line.hard_first
    return facts.weights.hard & (start >= 0)[rows.number] & (np.arange(len(rows.time)) >= start[rows.number])


def _of(column: Codes, position: Codes) -> Ints:
    """The column's code at each position; -1 where there is no such row or no code."""
    if not len(column):
        return np.full(len(position), -1, np.int64)
    return np.where(position >= 0, column[position], -1).astype(np.int64)
