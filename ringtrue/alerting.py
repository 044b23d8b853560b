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
RUNS_REMEMBERED = 300
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


class Trouble(BaseModel):
    """A subject that is not well: what was told of it, since when, and how often it was found so."""

    since: float
    times: int = 1
    told: list[str] = Field(default_factory=list)


class Alerts(BaseModel):
    """All that is remembered between two looks, kept as JSON."""

    since: float
    """Runs that ended later than this moment have not been looked at, but for those in `seen`."""
    seen: list[str] = Field(default_factory=list)
    troubles: dict[str, Trouble] = Field(default_factory=dict)
    waiting: list[Message] = Field(default_factory=list)

    def take(self, run: Ended, findings: Iterable[Finding], ways: Sequence[str], link: str) -> None:
        """Look at one run's findings and queue what has to be told."""
        if run.run_id in self.seen:
            return
        self.seen = [*self.seen, run.run_id][-RUNS_REMEMBERED:]
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
