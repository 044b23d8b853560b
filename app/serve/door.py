"""The ledger as the entry service holds it: read within a time limit, written in groups, opened again when it was away."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from app.serve.refusals import busy
from connectors.resources import open_ledger
from ringtrue.errors import RingTrueError
from ringtrue.ledger import Ledger
from ringtrue.masking import mask_text
from ringtrue.settings import Settings

log = logging.getLogger("ringtrue.serve")
T = TypeVar("T")

READERS = 4
RETRY_SECONDS = 5.0
MOST_TOGETHER = 200
"""Messages committed in one transaction at most."""


class LedgerAway(Exception):
    """The ledger cannot be read, or not in time."""


class _Job(NamedTuple):
    work: Callable[[Connection, bytes], Any]
    done: Future[Any]


class Door:
    """What every endpoint shares: settings, environment, ledger."""

    def __init__(self, settings: Settings, environ: Mapping[str, str], clock: Callable[[], float] = time.time) -> None:
        self.settings, self.environ, self.clock = settings, environ, clock
        self.serve = settings.serve
        self._ledger: Ledger | None = None
        self._tried_at = float("-inf")
        self._opening = threading.Lock()
        self._readers = ThreadPoolExecutor(READERS, "reader")
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._writer = threading.Thread(target=self._write, name="writer", daemon=True)
        self._writer.start()

    def now(self) -> int:
        """Milliseconds since 1970."""
        return int(self.clock() * 1000)

    def ledger(self) -> Ledger:
        """The open ledger. Raises LedgerAway; after a failure it is tried again every few seconds."""
        if self._ledger is not None:
            return self._ledger
        with self._opening:
            if self._ledger is None:
                if time.monotonic() - self._tried_at < RETRY_SECONDS:
                    raise LedgerAway
                self._tried_at = time.monotonic()
                try:
                    self._ledger = open_ledger(self.settings)
                except (RingTrueError, SQLAlchemyError, OSError) as error:
                    log.error("The ledger cannot be opened: %s", mask_text(_said(error)))
                    raise LedgerAway from error
            return self._ledger

    async def read(self, work: Callable[[Connection, bytes], T], seconds: float) -> T:
        """Run a query in a snapshot. Raises LedgerAway when it fails or takes longer."""
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)
        except TimeoutError as error:
            raise LedgerAway from error

    def _read(self, work: Callable[[Connection, bytes], T]) -> T:
        ledger = self.ledger()
        try:
            with ledger.read() as connection:
                return work(connection, ledger.key)
        except (SQLAlchemyError, OSError) as error:
            log.error("The ledger cannot be read: %s", mask_text(_said(error)))
            raise LedgerAway from error

    async def commit(self, work: Callable[[Connection, bytes], T]) -> T:
        """Do `work` in a transaction and return once it is committed. Raises Refused (503) when that fails or takes too long.

        Messages that arrive together share one transaction, each behind a savepoint of its own. After a time-out the work may still be
        committed; the sender repeats it, and every kind of message is recognised when it comes twice.
        """
        job = _Job(work, Future())
        self._jobs.put(job)
        try:
            async with asyncio.timeout(self.serve.commit_seconds):
                result: T = await asyncio.wrap_future(job.done)
        except (TimeoutError, LedgerAway) as error:
            raise busy() from error
        return result

    def _write(self) -> None:
        over = False
        while not over:
            waiting = [self._jobs.get()]
            while len(waiting) < MOST_TOGETHER and not self._jobs.empty():
                waiting.append(self._jobs.get())
            over = None in waiting
            # A sender that has given up sends its message again.
            jobs = [job for job in waiting if job is not None and job.done.set_running_or_notify_cancel()]
            if jobs:
                self._together(jobs)

    def _together(self, jobs: list[_Job]) -> None:
        results: list[tuple[_Job, Any, BaseException | None]] = []
        try:
            ledger = self.ledger()
            with ledger.write() as connection:
                for job in jobs:
                    try:
                        with connection.begin_nested():
                            results.append((job, job.work(connection, ledger.key), None))
                    except OperationalError:
                        raise
                    except Exception as error:
                        results.append((job, None, error))
        except Exception as error:
            if not isinstance(error, LedgerAway):
                log.error("The ledger cannot be written: %s", mask_text(_said(error)))
            for job in jobs:
                job.done.set_exception(LedgerAway())
            return
        for job, result, failure in results:
            if failure is not None:
                job.done.set_exception(failure)
            else:
                job.done.set_result(result)

    def close(self) -> None:
        """Commit what was taken and give the ledger back."""
        self._jobs.put(None)
        self._writer.join()
        self._readers.shutdown(wait=True, cancel_futures=True)
        if self._ledger is not None:
            self._ledger.close()


def _said(error: BaseException) -> str:
    """What went wrong, without the values of a statement: they may be numbers and names."""
    if isinstance(error, RingTrueError):
        return str(error)
    return f"{type(error).__name__}: {getattr(error, 'orig', None) or type(error).__name__}"
