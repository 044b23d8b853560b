"""What is told and when: a failure once, not again until it has passed, and once that it has passed. What could not be delivered waits."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from pydantic import BaseModel, Field

from ringtrue.masking import mask_text

LONGEST_SENTENCE = 1_000
MOST_LINES = 12
RUNS_REMEMBERED = 600
LATE_SECONDS = 300.0
"""A run may become visible this much later than its moment says: clocks differ, and commits come out of order."""
TRIES = 5
"""So often a message that is itself refused is tried."""
SENTENCES_REMEMBERED = 20
_CHANGING = re.compile(r"\b[0-9a-f]*\d[0-9a-f]*\b", re.IGNORECASE)


class Finding(NamedTuple):
    """How one stage, check or job stands after a run. `sentence` is empty where it is well."""

    kind: Literal["stage", "check", "job"]
    subject: str
    """An asset such as `salesforce/writeback`, a check such as `registries: us_is_fresh`, or a job."""
    sentence: str = ""


class Ended(NamedTuple):
    """A run that has ended."""

    run_id: str
    job: str
    at: float
    """When, in seconds since 1970."""
    failed: bool


class Message(BaseModel):
    """Something to tell, and the ways it has still to be told."""

    title: str
    text: str
    ways: list[str]
    refused: dict[str, int] = Field(default_factory=dict)
    """How often each way has refused the message itself."""

    def given_up(self, way: str) -> bool:
        """Note that a way refused the message itself. Whether it is not tried there any more."""
        self.refused[way] = self.refused.get(way, 0) + 1
        if self.refused[way] < TRIES:
            return False
        self.ways.remove(way)
        return True


class Trouble(BaseModel):
    """A subject that is not well: what was told of it, since when, and how often it was found so."""

    since: float
    times: int = 1
    told: list[str] = Field(default_factory=list)


class Alerts(BaseModel):
    """All that is remembered between two looks, kept as JSON."""

    since: float
    """The latest moment of a run that was looked at."""
    not_before: float = 0.0
    """Runs of before are not looked at: of before the first look, or so many that they are not remembered."""
    looked_at: dict[str, float] = Field(default_factory=dict)
    """Runs that were looked at, and their moments."""
    troubles: dict[str, Trouble] = Field(default_factory=dict)
    waiting: list[Message] = Field(default_factory=list)

    @classmethod
    def starting(cls, since: float) -> Alerts:
        """Nothing is remembered yet, and what ended before is not told."""
        return cls(since=since, not_before=since)

    @property
    def after(self) -> float:
        """Runs later than this are to be listed: those in `looked_at` once more, among which a late one may stand."""
        return max(self.since - LATE_SECONDS, self.not_before)

    def listed_again(self) -> int:
        """How many runs later than `after` were looked at already."""
        return sum(moment > self.after for moment in self.looked_at.values())

    def is_new(self, run_id: str, moment: float) -> bool:
        """Note that a run is looked at. False where it was before."""
        if run_id in self.looked_at:
            return False
        self.looked_at[run_id] = moment
        self.since = max(self.since, moment)
        while len(self.looked_at) > RUNS_REMEMBERED:
            oldest = min(self.looked_at, key=self.looked_at.__getitem__)
            self.not_before = max(self.not_before, self.looked_at.pop(oldest))
        return True

    def take(self, run: Ended, findings: Iterable[Finding], ways: Sequence[str], link: str) -> None:
        """Look at one run's findings and queue what has to be told."""
        news: list[str] = []
        passed: list[str] = []
        only_checks = True
        for finding in findings:
            key = f"{finding.kind} {finding.subject}"
            trouble = self.troubles.get(key)
            if not finding.sentence:
                if trouble is not None:
                    passed.append(_passed(finding, self.troubles.pop(key)))
                continue
            mark = "" if finding.kind == "check" else fingerprint(finding.sentence)
            if trouble is None:
                self.troubles[key] = Trouble(since=run.at, told=[mark])
            else:
                trouble.times += 1
                if mark in trouble.told:
                    continue
                trouble.told = [*trouble.told, mark][-SENTENCES_REMEMBERED:]
            only_checks = only_checks and finding.kind == "check"
            news.append(f"{finding.subject}: {shown(finding.sentence)}")
        if news:
            title = f"{run.job} failed" if run.failed and not only_checks else f"{run.job}: a check is red"
            self._queue(title, news, ways, link)
        if passed:
            self._queue(f"{run.job}: well again", passed, ways, link)

    def _queue(self, title: str, lines: list[str], ways: Sequence[str], link: str) -> None:
        more = len(lines) - MOST_LINES
        kept = [*lines[:MOST_LINES], *([f"And {more} more."] if more > 0 else [])]
        self.waiting.append(Message(title=f"RingTrue: {title}", text="\n".join([*kept, link]), ways=list(ways)))


def fingerprint(sentence: str) -> str:
    """The same for sentences that differ in counts, ids and dates only."""
    return _CHANGING.sub("#", sentence)[:200]


def shown(sentence: str) -> str:
    """A sentence as it may be sent: on one line, of bounded length, masked."""
    plain = " ".join(mask_text(sentence).split())
    return plain if len(plain) <= LONGEST_SENTENCE else f"{plain[:LONGEST_SENTENCE]} …"


def _passed(finding: Finding, trouble: Trouble) -> str:
    since = datetime.fromtimestamp(trouble.since, UTC).strftime("%d %b %H:%M UTC")
    times = f"{trouble.times} times " if trouble.times > 1 else ""
    bad = "was red" if finding.kind == "check" else "had failed"
    return f"{finding.subject} is well again; it {bad} {times}since {since}."
