"""The desk that asks: cheapest sufficient service first, the next when the question is still open, within budget, and never the same twice.

Questions wait at a station per service, the most valuable first. An intent is committed for exactly those that are about to be sent, so a crash loses at
most the calls in flight. One service that fails is left out; its questions go on to the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from connectors.lookups.breaker import Breaker
from connectors.lookups.client import AnswerNotUnderstood
from connectors.lookups.protocol import Answer, JobService, LookupService, Offer, Question
from connectors.lookups.report import DeskReport, ServiceReport, opposite
from connectors.lookups.routes import routes
from connectors.lookups.spend import Declined, Intent, SpendBook
from connectors.lookups.station import Case, Station
from ringtrue.errors import ConnectionLost, RetryLater, RingTrueError, StopRun
from ringtrue.lookup_settings import LookupsSettings, ServiceSettings

T = TypeVar("T")
_Arrival = tuple[Station, Intent, Answer, Case | None]

StillOpen = Callable[[Question, Sequence[Answer]], bool]
"""(question, answers of this run) -> whether it is worth asking the next service. True with no answers: worth asking at all."""
_LONGEST_PAUSE_SECONDS = 120.0
_LINGER_SECONDS = 0.1
_TRIES_PER_SERVICE = 2


class Desk:
    """Asks the switched-on services. One desk serves one run; `close` gives back the connections."""

    def __init__(
        self,
        services: Sequence[LookupService],
        book: SpendBook,
        settings: LookupsSettings,
        *,
        breaker: Callable[[], Breaker] = Breaker,
    ) -> None:
        self._book, self._settings = book, settings
        self._report = DeskReport()
        self._stations: list[Station] = []
        for service in services:
            facts = service.facts
            report = ServiceReport(facts.name, facts.offers[0].currency, warnings=list(facts.warnings))
            self._report.services[facts.name] = report
            own = settings.services.get(facts.name, ServiceSettings())
            self._stations.append(Station(service, own, report, breaker()))
        self._book_lock = asyncio.Lock()
        self._arrived: asyncio.Queue[_Arrival | None] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()
        self._open_cases = 0
        self._moving = 0
        self._still_open: StillOpen = lambda _question, answers: not answers
        self._failure: BaseException | None = None
        self._finished = asyncio.Event()

    async def close(self) -> None:
        """Close every service."""
        for station in self._stations:
            await station.service.close()

    async def run(self, questions: Iterable[Question], still_open: StillOpen) -> DeskReport:
        """Ask until every question is settled, nobody is left to ask, or the money is spent.

        Raises only what concerns the book or `still_open`; a service's errors are in the report.
        """
        self._still_open = still_open
        for station in self._stations:
            await self._take_up(station)
        seen: set[tuple[str, str]] = set()
        for question in questions:
            if (question.subject, question.kind) in seen:
                continue
            seen.add((question.subject, question.kind))
            self._report.questions += 1
            route = self._route(question)
            if not route:
                self._report.never_sent += 1
            elif not still_open(question, ()):
                self._report.settled += 1
            else:
                self._open_cases += 1
                self._forward(Case(question, route))
        bookkeeper = asyncio.create_task(self._keep_book())
        workers = [asyncio.create_task(self._serve(station)) for station in self._stations]
        for worker in (bookkeeper, *workers):
            worker.add_done_callback(self._note_failure)
        self._finished.clear()
        try:
            self._check_finished()
            await self._finished.wait()
        finally:
            asking = (*workers, *self._tasks)
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
            self._arrived.put_nowait(None)
            await asyncio.gather(bookkeeper, return_exceptions=True)
            await self._booked(self._book.end_run)
        if self._failure is not None:
            raise self._failure
        return self._report

    def _route(self, question: Question) -> list[tuple[Station, Offer]]:
        """Who can answer and may be told, with the cheapest product of each, the cheapest last: a stack."""
        found = routes([station.service for station in self._stations], self._settings, question)
        by_name = {station.service.facts.name: station for station in self._stations}
        return [(by_name[service.facts.name], offer) for service, offer, _ in reversed(found)]

    def _forward(self, case: Case) -> None:
        """Send a case to the next station of its route, or close it."""
        case.tries = 0
        while case.route:
            station, offer = case.route[-1]
            if not station.closed and offer.product not in station.exhausted:
                self._enqueue(station, offer, case)
                return
            case.route.pop()
        self._report.unsettled += 1
        self._end()

    def _enqueue(self, station: Station, offer: Offer, case: Case) -> None:
        station.put(offer, case)
        if not offer.job:
            self._moving += 1

    def _end(self) -> None:
        self._open_cases -= 1
        self._check_finished()

    def _check_finished(self) -> None:
        if self._open_cases == 0 and not self._tasks and self._arrived.empty():
            self._finished.set()
        elif self._moving == 0:
            for station in self._stations:
                station.wake.set()

    def _note_failure(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self._failure = self._failure or task.exception()
            self._finished.set()

    async def _booked(self, call: Callable[..., T], *arguments: object) -> T:
        """Run a method of the book in a thread, one at a time: a commit may wait for the disk."""
        async with self._book_lock:
            return await asyncio.to_thread(call, *arguments)

    async def _serve(self, station: Station) -> None:
        """Hand out the station's questions as fast as the service allows."""
        while True:
            await station.wake.wait()
            station.wake.clear()
            while (offer := self._ready(station)) is not None:
                if station.breaker.broken and not station.closed:
                    self._leave_out(station, "it failed again and again; its questions went to the other services.")
                if station.closed or offer.product in station.exhausted:
                    self._empty(station, offer)
                    continue
                if station.short and station.unsettled:
                    break
                slots = station.breaker.free(station.service.facts.limits.concurrency - station.in_flight)
                if slots <= 0:
                    if (pause := station.breaker.wait_seconds()) > 0:
                        asyncio.get_running_loop().call_later(pause, station.wake.set)
                    break
                if not offer.job and station.waiting(offer) < min(offer.batch_size, self._moving):
                    await asyncio.sleep(_LINGER_SECONDS)
                await self._send(station, offer, station.take(offer, slots * offer.batch_size))

    def _ready(self, station: Station) -> Offer | None:
        """The product whose first question is worth most. A job waits until it is full or nothing else moves, so that no small files are made."""
        for offer in station.by_value():
            if not offer.job or station.waiting(offer) >= offer.batch_size or self._moving == 0:
                return offer
            if station.closed or offer.product in station.exhausted:
                return offer
        return None

    def _empty(self, station: Station, offer: Offer) -> None:
        """Nobody is asked here any more: everybody goes to the next."""
        cases = station.take(offer, station.waiting(offer))
        if not offer.job:
            self._moving -= len(cases)
        for case in cases:
            self._forward(case)
        self._check_finished()

    def _leave_out(self, station: Station, why: str) -> None:
        station.report.left_out = station.report.left_out or why
        station.wake.set()

    async def _send(self, station: Station, offer: Offer, cases: list[Case]) -> None:
        """Commit the intents of what is about to be sent and send it."""
        decided = await self._booked(
            self._book.reserve,
            station.service.facts.name,
            offer,
            [case.question for case in cases],
            station.settings.budget,
        )
        going: list[tuple[Intent, Case]] = []
        for case, decision in zip(cases, decided, strict=True):
            if isinstance(decision, Intent):
                going.append((decision, case))
                station.unsettled += 0 if offer.job else 1
            else:
                self._declined(station, offer, case, decision)
        for start in range(0, len(going), offer.batch_size):
            batch = going[start : start + offer.batch_size]
            station.in_flight += 1
            station.breaker.sent()
            station.report.asked += len(batch)
            self._spawn(self._job(station, offer, batch) if offer.job else self._ask(station, offer, batch))
        self._check_finished()

    def _declined(self, station: Station, offer: Offer, case: Case, declined: Declined) -> None:
        if not offer.job:
            self._moving -= 1
        if declined.reason.startswith("budget") and station.unsettled:
            station.short = True
            self._enqueue(station, offer, case)
            return
        station.report.declined[declined.reason] += 1
        if declined.reason == "open":
            self._report.elsewhere += 1
            self._end()
            return
        case.route.pop()
        if declined.reason.startswith("budget"):
            station.exhausted.add(offer.product)
        if declined.answer is not None:
            case.answers.append(replace(declined.answer, question=case.question))
            if not self._still_open(case.question, case.answers):
                self._report.settled += 1
                self._end()
                return
        self._forward(case)

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._note_failure(task)
        self._check_finished()

    async def _ask(self, station: Station, offer: Offer, batch: list[tuple[Intent, Case]]) -> None:
        """One request. Every intent of it is settled, released or lost before this ends."""
        waiting = {case.question: (intent, case) for intent, case in batch}
        try:
            async for answer in station.service.ask(offer, [case.question for _, case in batch]):
                intent, case = waiting.pop(answer.question)
                self._arrived.put_nowait((station, intent, answer, case))
            station.breaker.succeeded()
            if waiting:
                await self._lost(station, list(waiting.values()), "the service left it out of its answer")
        except RingTrueError as error:
            await self._failed(station, list(waiting.values()), error)
        finally:
            station.in_flight -= 1
            station.wake.set()

    async def _failed(self, station: Station, waiting: list[tuple[Intent, Case]], error: RingTrueError) -> None:
        """A request failed as a whole: what surely cost nothing is released, the rest is lost; what is asked again goes back into the queue."""
        if isinstance(error, AnswerNotUnderstood):
            self._leave_out(station, str(error))
            await self._lost(station, waiting, str(error))
            return
        if isinstance(error, ConnectionLost):
            station.breaker.failed()
            if not station.service.facts.repeatable:
                await self._lost(station, waiting, str(error))
                return
        elif isinstance(error, RetryLater):
            pause = error.retry_after_seconds
            station.breaker.failed(pause)
            if pause is not None and pause > _LONGEST_PAUSE_SECONDS:
                self._leave_out(station, f"it asks us to stay away for {pause / 60:.0f} minutes.")
        else:
            self._leave_out(station, str(error))
        await self._booked(self._book.release, [intent for intent, _ in waiting])
        station.settled(sum(not case.route[-1][1].job for _, case in waiting))
        station.report.asked -= len(waiting)
        station.report.given_back += len(waiting)
        for _, case in waiting:
            _, offer = case.route[-1]
            case.tries += 1
            self._moving -= 0 if offer.job else 1
            if station.closed or case.tries >= _TRIES_PER_SERVICE:
                case.route.pop()
                self._forward(case)
            else:
                self._enqueue(station, offer, case)

    async def _lost(self, station: Station, waiting: list[tuple[Intent, Case]], why: str) -> None:
        """The answer will not come and the money is gone; the question goes to the next service."""
        await self._booked(self._book.unknown, [intent for intent, _ in waiting], why)
        station.settled(sum(not case.route[-1][1].job for _, case in waiting))
        for intent, case in waiting:
            station.report.lost += 1
            station.report.cost += intent.price
            _, offer = case.route.pop()
            self._moving -= 0 if offer.job else 1
            self._forward(case)

    async def _job(self, station: Station, offer: Offer, batch: list[tuple[Intent, Case]]) -> None:
        """Hand a job over, commit its id, wait for it."""
        service: JobService = station.service  # type: ignore[assignment]  # an offer with `job` belongs to a JobService
        try:
            try:
                job_id = await service.submit([case.question for _, case in batch])
            except RingTrueError as error:
                await self._failed(station, batch, error)
                return
            station.breaker.succeeded()
            noted = await self._booked(self._book.note_job, [intent for intent, _ in batch], job_id)
            pairs = [(intent, case) for intent, (_, case) in zip(noted, batch, strict=True)]
            await self._collect(station, offer, job_id, pairs)
        finally:
            station.in_flight -= 1
            station.wake.set()

    async def _collect(
        self, station: Station, offer: Offer, job_id: str, pairs: Sequence[tuple[Intent, Case | None]]
    ) -> None:
        """Fetch a job's answers. Whatever goes wrong, its intents stay open: what was paid for is fetched by a later run."""
        service: JobService = station.service  # type: ignore[assignment]  # an offer with `job` belongs to a JobService
        waiting = {intent.question: (intent, case) for intent, case in pairs}
        try:
            async for answer in service.collect(offer, job_id, [intent.question for intent, _ in pairs]):
                intent, case = waiting.pop(answer.question)
                self._arrived.put_nowait((station, intent, answer, case))
        except RetryLater as error:
            station.report.warnings.append(str(error))
        except StopRun as error:
            self._leave_out(station, str(error))
        station.report.still_open += len(waiting)
        for _, case in waiting.values():
            if case is not None:
                self._report.unsettled += 1
                self._end()

    async def _take_up(self, station: Station) -> None:
        """Intents that an earlier run left: jobs are fetched, the rest is asked again only where that costs nothing."""
        name = station.service.facts.name
        left = await self._booked(self._book.left_open, name)
        offers = {offer.product: offer for offer in station.service.facts.offers}
        jobs: dict[tuple[str, str], list[tuple[Intent, Case | None]]] = {}
        without: list[Intent] = []
        for intent in left:
            if intent.job_id is not None and intent.product in offers:
                jobs.setdefault((intent.product, intent.job_id), []).append((intent, None))
            elif intent.job_id is None:
                without.append(intent)
        for (product, job_id), pairs in jobs.items():
            station.report.asked += len(pairs)
            self._spawn(self._collect(station, offers[product], job_id, pairs))
        if not without:
            return
        if station.service.facts.repeatable:
            await self._booked(self._book.release, without)
        else:
            await self._booked(self._book.unknown, without, "a run ended before the answer came")
            station.report.lost += len(without)
            station.report.warnings.append(
                f"{name}: {len(without)} questions of a run that ended early count as spent without an answer."
            )

    async def _keep_book(self) -> None:
        """Commit answers as they arrive, as many as have come since the last commit, and move their questions on. Ends at None."""
        while (arrival := await self._arrived.get()) is not None:
            batch: list[_Arrival] = [arrival]
            while not self._arrived.empty():
                following = self._arrived.get_nowait()
                if following is None:
                    self._arrived.put_nowait(None)
                    break
                batch.append(following)
            await self._booked(self._book.settle, [(intent, answer) for _, intent, answer, _ in batch])
            for station, _, answer, case in batch:
                self._settled(station, answer, case)
            self._check_finished()

    def _settled(self, station: Station, answer: Answer, case: Case | None) -> None:
        station.report.count(answer)
        if case is None:
            station.report.fetched += 1
            return
        if any(opposite(earlier, answer) for earlier in case.answers):
            self._report.disagreements += 1
        case.answers.append(answer)
        _, offer = case.route.pop()
        self._moving -= 0 if offer.job else 1
        station.settled(0 if offer.job else 1)
        if self._still_open(case.question, case.answers):
            self._forward(case)
        else:
            self._report.settled += 1
            self._end()
