"""The queue in front of one service, and a question on its way through the services."""

from __future__ import annotations

import asyncio
import heapq
from dataclasses import dataclass, field

from connectors.lookups.breaker import Breaker
from connectors.lookups.protocol import Answer, LookupService, Offer, Question
from connectors.lookups.report import ServiceReport
from ringtrue.lookup_settings import ServiceSettings


@dataclass(slots=True, eq=False)
class Case:
    """One question. `route` is a stack: the last entry is asked next. `tries` counts requests to the present service that came to nothing."""

    question: Question
    route: list[tuple[Station, Offer]]
    answers: list[Answer] = field(default_factory=list)
    tries: int = 0


@dataclass(eq=False)
class Station:
    """A service with its queues, one per product, the most valuable question first."""

    service: LookupService
    settings: ServiceSettings
    report: ServiceReport
    breaker: Breaker
    exhausted: set[str] = field(default_factory=set)
    """Products for which the money does not reach any more."""
    in_flight: int = 0
    unsettled: int = 0
    """Questions sent whose cost is not known yet: until then the budget counts them at their full price."""
    short: bool = False
    """The money does not reach for the next question, but may when those are settled."""
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    _queues: dict[str, list[tuple[float, int, Case]]] = field(default_factory=dict)
    _order: int = 0

    @property
    def closed(self) -> bool:
        """Whether the service is left out of this run."""
        return self.report.left_out is not None

    def settled(self, count: int) -> None:
        """The cost of some questions is known: there may be money again."""
        self.unsettled -= count
        self.short = False
        self.wake.set()

    def put(self, offer: Offer, case: Case) -> None:
        """Let a case wait for a product and wake the station."""
        self._order += 1
        heapq.heappush(self._queues.setdefault(offer.product, []), (-case.question.value, self._order, case))
        self.wake.set()

    def take(self, offer: Offer, count: int) -> list[Case]:
        """The most valuable cases that wait for a product."""
        queue = self._queues.get(offer.product, [])
        return [heapq.heappop(queue)[2] for _ in range(min(count, len(queue)))]

    def waiting(self, offer: Offer) -> int:
        """How many wait for a product."""
        return len(self._queues.get(offer.product, ()))

    def by_value(self) -> list[Offer]:
        """Products somebody waits for, the one with the most valuable question first."""
        offers = [offer for offer in self.service.facts.offers if self._queues.get(offer.product)]
        return sorted(offers, key=lambda offer: self._queues[offer.product][0][:2])
