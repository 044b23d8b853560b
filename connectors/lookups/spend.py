"""The book of what is asked and spent: an intent is written before a call, the answer when it arrives.

`SpendBook` is what the ledger keeps; `MemoryBook` is the same in memory, for tests and simulations.
"""

from __future__ import annotations

import functools
import itertools
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Concatenate, Literal, ParamSpec, Protocol, TypeVar

from connectors.lookups.protocol import Answer, Offer, Question
from ringtrue.lookup_settings import Budget

P = ParamSpec("P")
T = TypeVar("T")

Reason = Literal["forgotten", "fresh", "open", "budget_run", "budget_day", "budget_month"]


@dataclass(frozen=True, slots=True)
class Intent:
    """A question that may be on its way. `price` is spent until the answer says otherwise. `lifetime_days` is how long its answer will stand."""

    id: str
    run: str
    service: str
    product: str
    question: Question
    price: Decimal
    currency: str
    created_at: datetime
    lifetime_days: float = 30.0
    job_id: str | None = None


@dataclass(frozen=True, slots=True)
class Declined:
    """A question that may not be asked now.

    forgotten: a privacy request erased the number. fresh: it was answered, or lost, within its lifetime. open: another run is asking it. budget_*: the money of the run, day or month does not reach.
    """

    question: Question
    reason: Reason
    answer: Answer | None = None
    """The answer that still stands, where the book has it at hand."""


class SpendBook(Protocol):
    """What the ledger promises the desk. Every method is one committed transaction; none is called twice at the same time by one desk.

    A question is the same question when service, product and subject are the same. Days and months are UTC.
    """

    def reserve(
        self, service: str, offer: Offer, questions: Sequence[Question], budget: Budget
    ) -> list[Intent | Declined]:
        """Commit an intent for each question that may be asked, in order; checks and writes are atomic against other runs."""
        ...

    def note_job(self, intents: Sequence[Intent], job_id: str) -> list[Intent]:
        """Commit the service's job id, which makes an answer fetchable after a crash; returns the intents with it."""
        ...

    def settle(self, answers: Sequence[tuple[Intent, Answer]]) -> None:
        """Commit answers and what they really cost, with whatever evidence is written from them, in one transaction."""
        ...

    def unknown(self, intents: Sequence[Intent], reason: str) -> None:
        """Close intents whose answer was lost: spent, and not asked again within the lifetime."""
        ...

    def release(self, intents: Sequence[Intent]) -> None:
        """Take intents back that surely were not served: not spent, and free to be asked."""
        ...

    def left_open(self, service: str) -> list[Intent]:
        """Intents of other runs that are still open although their run is over, or their lease has passed (a run that was killed cannot say that it is over)."""
        ...

    def end_run(self) -> None:
        """This run is over: what it left open may be taken up by the next."""
        ...


@dataclass(slots=True)
class _Entry:
    intent: Intent
    state: Literal["open", "answered", "unknown"] = "open"
    cost: Decimal = Decimal(0)
    answer: Answer | None = None
    closed_at: datetime | None = None
    reason: str = ""


def _one_at_a_time(method: Callable[Concatenate[MemoryBook, P], T]) -> Callable[Concatenate[MemoryBook, P], T]:
    """One transaction after the other, as a database would have it."""

    @functools.wraps(method)
    def locked(self: MemoryBook, /, *args: P.args, **kwargs: P.kwargs) -> T:
        with self.lock:
            return method(self, *args, **kwargs)

    return locked


@dataclass
class MemoryBook:
    """A `SpendBook` in memory. `for_run` gives a second run its view of the same book."""

    run: str = "run"
    lease: timedelta = timedelta(minutes=30)
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    entries: dict[tuple[str, str, str], _Entry] = field(default_factory=dict)
    past: list[_Entry] = field(default_factory=list)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)
    _spent: dict[tuple[str, str], Decimal] = field(default_factory=dict)
    _ended: set[str] = field(default_factory=set)
    lock: threading.RLock = field(default_factory=threading.RLock)
    """Shared by all runs: two desks commit from two threads."""

    def for_run(self, run: str) -> MemoryBook:
        """The same book as another run sees it."""
        return replace(self, run=run)

    @_one_at_a_time
    def reserve(
        self, service: str, offer: Offer, questions: Sequence[Question], budget: Budget
    ) -> list[Intent | Declined]:
        """See `SpendBook.reserve`."""
        now = self.clock()
        decided: list[Intent | Declined] = []
        for question in questions:
            key = (service, offer.product, question.subject)
            known = self.entries.get(key)
            if known is not None and known.state == "open":
                decided.append(Declined(question, "open"))
                continue
            if known is not None and (known.closed_at or now) + timedelta(days=known.intent.lifetime_days) > now:
                decided.append(Declined(question, "fresh", known.answer))
                continue
            short = self._short(service, offer.price, budget, now)
            if short is not None:
                decided.append(Declined(question, short))
                continue
            intent = Intent(
                str(next(self._numbers)),
                self.run,
                service,
                offer.product,
                question,
                offer.price,
                offer.currency,
                now,
                offer.lifetime_days,
            )
            if known is not None:
                self.past.append(known)
            self.entries[key] = _Entry(intent, cost=offer.price)
            self._add(service, offer.price, intent)
            decided.append(intent)
        return decided

    @_one_at_a_time
    def note_job(self, intents: Sequence[Intent], job_id: str) -> list[Intent]:
        """See `SpendBook.note_job`."""
        noted = []
        for intent in intents:
            entry = self._entry(intent)
            entry.intent = replace(entry.intent, job_id=job_id)
            noted.append(entry.intent)
        return noted

    @_one_at_a_time
    def settle(self, answers: Sequence[tuple[Intent, Answer]]) -> None:
        """See `SpendBook.settle`."""
        for intent, answer in answers:
            entry = self._entry(intent)
            self._add(intent.service, answer.cost - entry.cost, intent)
            entry.cost, entry.answer, entry.state, entry.closed_at = answer.cost, answer, "answered", self.clock()

    @_one_at_a_time
    def unknown(self, intents: Sequence[Intent], reason: str) -> None:
        """See `SpendBook.unknown`."""
        for intent in intents:
            entry = self._entry(intent)
            entry.state, entry.closed_at, entry.reason = "unknown", self.clock(), reason

    @_one_at_a_time
    def release(self, intents: Sequence[Intent]) -> None:
        """See `SpendBook.release`."""
        for intent in intents:
            entry = self.entries.pop((intent.service, intent.product, intent.question.subject))
            self._add(intent.service, -entry.cost, intent)

    @_one_at_a_time
    def left_open(self, service: str) -> list[Intent]:
        """See `SpendBook.left_open`."""
        before = self.clock() - self.lease
        return [
            entry.intent
            for entry in self.entries.values()
            if entry.state == "open"
            and entry.intent.service == service
            and entry.intent.run != self.run
            and (entry.intent.run in self._ended or entry.intent.created_at <= before)
        ]

    @_one_at_a_time
    def end_run(self) -> None:
        """See `SpendBook.end_run`."""
        self._ended.add(self.run)

    def spent(self, service: str, period: str) -> Decimal:
        """Money of a service in a period: a run's name, a day "2026-11-24" or a month "2026-11"."""
        return self._spent.get((service, period), Decimal(0))

    def _entry(self, intent: Intent) -> _Entry:
        return self.entries[intent.service, intent.product, intent.question.subject]

    def _short(self, service: str, price: Decimal, budget: Budget, now: datetime) -> Reason | None:
        limits: tuple[tuple[Reason, Decimal | None, str], ...] = (
            ("budget_run", budget.run, self.run),
            ("budget_day", budget.day, f"{now:%Y-%m-%d}"),
            ("budget_month", budget.month, f"{now:%Y-%m}"),
        )
        for reason, limit, period in limits:
            if limit is not None and self.spent(service, period) + price > limit:
                return reason
        return None

    def _add(self, service: str, amount: Decimal, intent: Intent) -> None:
        for period in (intent.run, f"{intent.created_at:%Y-%m-%d}", f"{intent.created_at:%Y-%m}"):
            self._spent[service, period] = self.spent(service, period) + amount
