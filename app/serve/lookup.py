"""A lookup while somebody waits: the cheapest service that may be asked, within its budget, recorded like any other."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from pathlib import Path
from typing import Literal, NamedTuple

import pandas as pd

from app.serve.door import Door, LedgerAway
from assets.deciding import deciding
from assets.lookup_judge import Judge
from connectors.lookups import open_services
from connectors.lookups.active import active
from connectors.lookups.book import LedgerBook
from connectors.lookups.protocol import Answer, LineType, LookupService, Offer, Question
from connectors.lookups.routes import routes
from connectors.lookups.service import Surroundings
from connectors.lookups.spend import Declined, Intent
from ringtrue.errors import ConnectionLost, RingTrueError
from ringtrue.ledger import entry
from ringtrue.ledger.entry import Known
from ringtrue.masking import mask_text

log = logging.getLogger("ringtrue.serve")

State = Literal["answered", "pending", "unavailable", "unknown"]
MOST_AT_ONCE = 20


class Heard(NamedTuple):
    """How a lookup ended, and what the ledger knows since; `known` None where it knows nothing more."""

    state: State
    known: Known | None


class LookupDesk:
    """Asks one question at a time. What was paid for is kept even when the form has gone."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._services: list[LookupService] | None = None
        self._running: set[asyncio.Task[bool]] = set()
        self._settings = door.settings.lookups

    async def ask(self, number: str, region: str | None, line_type: str | None) -> Heard:
        """Ask whether the line is alive. `pending`: no answer within the time budget, it is kept when it comes. `unknown`: nobody may be asked, or can tell."""
        if len(self._running) >= MOST_AT_ONCE:
            return Heard("unavailable", None)
        task = asyncio.create_task(self._answered(number, region, line_type))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        done, _ = await asyncio.wait({task}, timeout=self._door.serve.lookup_seconds)
        if not done:
            return Heard("pending", None)
        if task.exception() is not None:
            log.error("A lookup at the door failed: %s", type(task.exception()).__name__)
            return Heard("unavailable", None)
        if not task.result():
            return Heard("unknown", None)
        try:
            return Heard("answered", await asyncio.to_thread(self._decided, number))
        except (LedgerAway, RingTrueError):
            return Heard("unavailable", None)

    async def _answered(self, number: str, region: str | None, line_type: str | None) -> bool:
        """Whether a service answered. The services are asked in the order of their price until one does."""
        services = await asyncio.to_thread(self._opened)
        kind: LineType = line_type or "unknown"  # type: ignore[assignment]  # the ledger keeps the protocol's words
        question = Question(number, "line_status", region=region, line_type=kind)
        for service, offer, _ in routes(services, self._settings, question):
            if offer.job:
                continue
            answer = await self._one(service, offer, question)
            if answer is not None and answer.result == "answered":
                return True
        return False

    async def _one(self, service: LookupService, offer: Offer, question: Question) -> Answer | None:
        ledger = self._door.ledger()
        day = f"entry-{pd.Timestamp(self._door.now(), unit='ms', tz='UTC'):%Y-%m-%d}"
        named = self._settings.services
        groups = {name: each.group for name, each in named.items() if each.group}
        book = LedgerBook(ledger, day, lease=timedelta(minutes=self._settings.lease_minutes), groups=groups)
        name = service.facts.name
        (decision,) = await asyncio.to_thread(book.reserve, name, offer, [question], named[name].budget)
        if isinstance(decision, Declined):
            return decision.answer
        intent: Intent = decision
        try:
            answer = await anext(aiter(service.ask(offer, [question])))
        except RingTrueError as error:
            log.warning("%s could not be asked at the door: %s", name, mask_text(str(error)))
            if isinstance(error, ConnectionLost) and not service.facts.repeatable:
                await asyncio.to_thread(book.unknown, [intent], str(error))
            else:
                await asyncio.to_thread(book.release, [intent])
            return None
        await asyncio.to_thread(book.settle, [(intent, answer)])
        return answer

    def _opened(self) -> list[LookupService]:
        """The services in force; none where sandbox and real world would be mixed, which `ringtrue doctor` explains."""
        if self._services is None:
            try:
                chosen = active(self._door.settings, self._door.environ)
                self._settings = chosen.settings
                self._services, left_out = open_services(
                    chosen.settings, Surroundings(environ=chosen.environ, folder=Path(chosen.settings.folder))
                )
            except RingTrueError as error:
                self._services, left_out = [], [str(error)]
            for sentence in left_out:
                log.warning("%s", mask_text(sentence))
        return self._services

    def _decided(self, number: str) -> Known:
        """What `status` will decide with the new evidence; nothing is written here."""
        ledger = self._door.ledger()
        now = self._door.now()
        judge = Judge(deciding(ledger, self._door.settings, now, learn=False), {})
        decisions = judge.decided([number])
        with ledger.read() as connection:
            found = entry.known(connection, ledger.key, number)
        if decisions.empty:
            return found
        decision = decisions.iloc[0]
        return found._replace(
            status=str(decision["status"]),
            line=str(decision["line"]),
            reason=str(decision["reason"]),
            confidence=float(decision["confidence"]),
            decided_at=now,
        )

    async def close(self) -> None:
        """Let the questions under way end, which are paid for, and give the connections back."""
        if self._running:
            await asyncio.wait(self._running, timeout=self._door.serve.lookup_seconds)
        for service in self._services or []:
            await service.close()
