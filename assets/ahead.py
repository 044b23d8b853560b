"""Writes to one CRM ahead of its sync, and beside one that runs: a few records at once, through the same journal."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from assets.delivery import Delivery
from assets.planner import fields_by_object
from assets.stage import now_ms
from connectors.crm import Crm
from connectors.resources import target_of
from ringtrue.errors import LedgerError
from ringtrue.ledger import Ledger, ahead, beside, journal
from ringtrue.ledger.journal import Change, Planned
from ringtrue.settings import Settings

NO_BULK = 1_000_000_000


WAIT_SECONDS = 20.0
LOOK_SECONDS = 0.1


@contextmanager
def the_only_one(ledger: Ledger, what: str, wait_seconds: float = WAIT_SECONDS) -> Iterator[bool]:
    """Whether no other run is at this, after a while of waiting for it; it stays so until the block ends."""
    deadline = time.monotonic() + wait_seconds
    with ExitStack() as stack:
        free = False
        while not free:
            try:
                stack.enter_context(ledger.alone(what))
                free = True
            except LedgerError:
                if time.monotonic() > deadline:
                    break
                # A lock of another process tells nobody when it is given back.
                time.sleep(LOOK_SECONDS)
        yield free


def waits_for_approval(ledger: Ledger, settings: Settings, name: str) -> bool:
    """Whether nothing was ever written to a real CRM and a person wants to see the first plan."""
    connection = settings.connections[name]
    if not connection.approve_first or not target_of(name, connection).live:
        return False
    with ledger.read() as book:
        return not journal.has_written(book, name)


@dataclass
class AheadDelivery(Delivery):
    """Plans that are written ahead of the sync. Only one run at a time may hold one for a connection (`writing ahead to <connection>`)."""

    flags_only: bool = False
    """A record is left out only where its do-not-call flag is being written by somebody else, not for any other field."""
    dropped: list[int] = field(default_factory=list)
    """Contacts of what `settle` found planned and not sent. They wait to be planned anew."""

    @classmethod
    def of(
        cls, ledger: Ledger, crm: Crm, settings: Settings, name: str, run: str, root_run: str, *, flags_only: bool
    ) -> "AheadDelivery":
        """The delivery of one run."""
        own = fields_by_object(ledger, name, settings.connections[name])
        return cls(ledger, crm, name, own, run, root_run, NO_BULK, flags_only=flags_only)

    def settle(self, *, reading_only: bool = False) -> int:
        """Find out what became of writes ahead that a crash left without an answer, and end their plans. Returns how many there were.

        `reading_only`: nothing is written to the CRM, so the plans stay open for whoever may put back an edit that a write overtook.
        """
        count = 0
        while left := self._sending():
            count += len(left)
            self._settle_by_reading(left)
        with self.ledger.read() as book:
            plans = ahead.open_plans(book, self.name)
        for plan_id in plans:
            with self.ledger.write() as book:
                self.dropped += ahead.drop_planned(book, self.name, plan_id, now_ms())
            if reading_only:
                continue
            # What is left puts a person's edit back that a write overtook.
            self.deliver(plan_id)
            self.finish(plan_id)
        self.totals = Counter({"settled after a crash": count})
        self.errors.clear()
        return count

    def plan(
        self, rows: Sequence[Planned], summary: dict[str, Any], also: Callable[[Connection], None] | None = None
    ) -> str:
        """Journal a plan and return its id. `summary` holds counts by name that `ahead.counted_since` adds up; `also` is done with it."""
        plan_id = journal.new_plan_id()
        now = now_ms()
        with self.ledger.write() as book:
            if also is not None:
                also(book)
            journal.add(book, plan_id, self.name, rows, self.root_run, now)
            journal.seal(book, plan_id, self.name, "ahead", self.root_run, now, summary)
        return plan_id

    def finish(self, plan_id: str, contact_ids: Sequence[int] | None = None) -> set[int]:
        """End a plan. Returns those of its contacts with nothing left to write; `contact_ids` names all of them where that is known."""
        with self.ledger.write() as book:
            settled = ahead.settled(book, plan_id, contact_ids or ())
            ahead.close(book, self.name, plan_id, now_ms(), contact_ids)
            beside.note(book, self.name, now_ms(), busy=False)
        return settled

    def _sending(self) -> list[Change]:
        with self.ledger.read() as book:
            return journal.sending(book, self.name, 2_000, ahead=True)

    def _next(
        self, plan_id: str, object_name: str, *, guarded: bool, after: int, limit: int, only: str | None
    ) -> list[Change]:
        with self.ledger.read() as book:
            return journal.planned(
                book,
                self.name,
                plan_id,
                object_name,
                guarded=guarded,
                after=after,
                limit=limit,
                only=only,
                marked_too=True,
            )

    def _start(self, rows: Sequence[Change], job: str | None) -> list[Change]:
        own = self.own[rows[0].object_name]
        needed = frozenset([own.do_not_call] if self.flags_only else [*own.names(), *own.phone_status])
        with self.ledger.write() as book:
            return self._note_start(book, ahead.claim(book, self.name, rows, needed, now_ms()), job)

    def _remember(self, book: Connection, object_name: str, taken: Sequence[Change]) -> None:
        super()._remember(book, object_name, taken)
        # A sync may have planned the same while the answer was awaited.
        ahead.take_out(book, self.name, taken, now_ms())


def settle_ahead(
    ledger: Ledger, crm: Crm, settings: Settings, name: str, run: str, root_run: str, *, reading_only: bool = False
) -> tuple[int, list[int]]:
    """Settle what deliveries ahead of the sync left open, unless one is at work.

    Returns how many changes had no answer, and contacts of changes that were not sent.
    """
    with ledger.read() as book:
        if not ahead.open_plans(book, name):
            return 0, []
    with the_only_one(ledger, f"writing ahead to {name}", 0) as alone:
        if not alone:
            return 0, []
        delivery = AheadDelivery.of(ledger, crm, settings, name, run, root_run, flags_only=False)
        return delivery.settle(reading_only=reading_only), delivery.dropped
