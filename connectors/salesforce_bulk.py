"""Bulk API 2.0 queries: open a job, wait for it, fetch its pages through a file each. Memory holds one batch of rows."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from connectors.http import LoopGuard, retrying
from connectors.salesforce_csv import Downloaded, HalfPage, batches
from connectors.salesforce_errors import ApiError, field_error_of
from connectors.salesforce_session import SalesforceSession
from ringtrue.errors import ServiceUnavailable
from ringtrue.masking import mask_text

ROWS_AT_ONCE = 250
"""Rows parsed before they are turned into records. Few enough that they are gone before Python's cycle collector looks at them: a third of the time at 5,000."""

_ENDED = frozenset({"JobComplete", "Failed", "Aborted"})


@dataclass(frozen=True)
class Polling:
    """How often to ask for a job's state: waits grow by `growth` up to `longest_seconds`; past `give_up_seconds` the run is told to come back."""

    first_seconds: float = 1.0
    growth: float = 1.5
    longest_seconds: float = 20.0
    give_up_seconds: float = 4 * 3600.0


class Batch(NamedTuple):
    """Rows of a page, and the locator to go on from: the page's own until its last batch, then the next page's. None after the last page."""

    rows: list[list[str]]
    locator: str | None
    before: int
    """Rows of the job in the pages before `locator`."""


def wait_for_job(
    session: SalesforceSession, path: str, polling: Polling, clock: Callable[[], float] = time.monotonic
) -> dict[str, Any]:
    """Ask for a job until it has ended and return its last state."""
    started, wait = clock(), polling.first_seconds
    while True:
        job: dict[str, Any] = session.json("GET", path)
        if job.get("state") in _ENDED:
            return job
        if clock() - started > polling.give_up_seconds:
            raise ServiceUnavailable(
                f"The Bulk job {job.get('id')} has not ended after {polling.give_up_seconds / 3600:.0f} hours. Run again later: it goes on."
            )
        session.sleep(wait * random.uniform(0.8, 1.0))  # noqa: S311  spreads polls, hides nothing
        wait = min(wait * polling.growth, polling.longest_seconds)


def open_query(session: SalesforceSession, soql: str, *, deleted_too: bool = True) -> str:
    """Start a query job and return its id. The query must not be sorted: sorting keeps Salesforce from splitting it."""
    job = session.json(
        "POST",
        "jobs/query",
        json={
            "operation": "queryAll" if deleted_too else "query",
            "query": soql,
            "contentType": "CSV",
            "columnDelimiter": "COMMA",
            "lineEnding": "LF",
        },
    )
    return str(job["id"])


def wait_for_query(session: SalesforceSession, job_id: str, polling: Polling) -> dict[str, Any]:
    """Wait for a query job. Raises FieldMissing or ServiceUnavailable when it failed."""
    job = wait_for_job(session, f"jobs/query/{job_id}", polling)
    if job["state"] != "JobComplete":
        said = mask_text(str(job.get("errorMessage") or "no reason given"))
        about_field = field_error_of(ApiError("", said))
        if about_field is not None:
            raise about_field
        raise ServiceUnavailable(f"The Bulk query job {job_id} ended as {job['state']}: {said}.")
    return job


class QueryResults:
    """The rows of a finished query job, from a locator on, page by page.

    After the last batch `finish` has compared the rows parsed with the number the job says it processed; unequal raises ServiceUnavailable. The header
    `Sforce-NumberOfRecords` is not trusted: proxies strip it.
    """

    def __init__(
        self,
        session: SalesforceSession,
        job: dict[str, Any],
        columns: Sequence[str],
        *,
        page_rows: int,
        batch_rows: int = ROWS_AT_ONCE,
        locator: str = "",
        before: int = 0,
    ) -> None:
        self._session = session
        self._job_id = str(job["id"])
        self._expected = int(job.get("numberRecordsProcessed") or 0)
        self._columns = columns
        self._page_rows = page_rows
        self._batch_rows = batch_rows
        self._locator: str | None = locator
        self._before = before
        self.nul_bytes = 0

    def __iter__(self) -> Iterator[Batch]:
        guard = LoopGuard(f"The Bulk query job {self._job_id}")
        while self._locator is not None:
            guard.see(self._locator)
            page, after = self._page(self._locator)
            try:
                yield from self._batches_of(page, after)
            finally:
                page.close()
            self._locator = after
        if self._before != self._expected:
            raise ServiceUnavailable(
                f"The Bulk query job {self._job_id} processed {self._expected:,} rows but handed over {self._before:,}. Nothing was concluded from it; run again."
            )

    def _batches_of(self, page: Downloaded, after: str | None) -> Iterator[Batch]:
        here, start = self._locator, self._before
        held: list[list[str]] | None = None
        for rows in batches(page, self._columns, self._batch_rows):
            if held is not None:
                yield Batch(held, here, start)
            held = rows
            self._before += len(rows)
        if held is not None:
            yield Batch(held, after, self._before)

    def _page(self, locator: str) -> tuple[Downloaded, str | None]:
        params: dict[str, str | int] = {"maxRecords": self._page_rows}
        if locator:
            params["locator"] = locator
        url = f"{self._session.sf.bulk2_url}query/{self._job_id}/results"
        page, after = download(self._session, url, params)
        self.nul_bytes += page.nul_bytes
        return page, after


def download(session: SalesforceSession, url: str, params: dict[str, str | int]) -> tuple[Downloaded, str | None]:
    """Fetch a page of results into a file, again from its start when the connection breaks. Returns it and the locator of the page after it."""

    def once() -> tuple[Downloaded, str | None]:
        response = session.request(
            "GET", url, params=params, headers={"Accept": "text/csv", "Accept-Encoding": "gzip"}, stream=True
        )
        after = response.headers.get("Sforce-Locator", "null")
        return Downloaded(response), None if after in ("", "null") else after

    return retrying(
        once,
        policy=session.wire.retry,
        retry_if=lambda error: isinstance(error, HalfPage),
        on_retry=session.note_retry,
        sleep=session.sleep,
    )
