"""Reading what changed: by REST query when little did, by Bulk when much did.

The rule. With a time to start from, the first REST page says how many rows there are in all (`totalSize`), so the choice costs no call; without one,
a COUNT() is asked first, which is cheaper for the server than sorting everything. More than `bulk_from_rows` rows go by Bulk. 10,000 is where the two meet: five
REST pages of 2,000 take about as many calls and seconds as opening, polling and fetching one Bulk job; above it Bulk wins on both.

REST pages come oldest change first, each with the cursor of its last row. A Bulk query is not sorted, since sorting keeps Salesforce from splitting it,
so its batches carry the job and the page to go on from, and only when all rows have arrived the time the next pull starts at: the latest change seen,
or the job's start if that is earlier, because a chunk read early may miss a change made while a later chunk was read. For the same reason a cursor
never passes the present: a record stamped in the future must not hide what changes until then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from connectors.http import LoopGuard
from connectors.salesforce_bulk import Polling, QueryResults, open_query, wait_for_query
from connectors.salesforce_cursor import BulkPlace, Cursor, decode, fingerprint
from connectors.salesforce_errors import QueryLocatorLost, QueryTooSlow
from connectors.salesforce_records import Shape, row_of_json, select, soql_time, tidy, time_text
from connectors.salesforce_session import SalesforceSession
from ringtrue.errors import RecordGone, ServiceUnavailable

ORDER = "ORDER BY SystemModstamp, Id"


@dataclass(frozen=True)
class PullSettings:
    """Sizes of a pull. `overlap_seconds` before the cursor are read again, for transactions that commit late; `page_rows` is how many records, about, one
    page hands to the caller.
    """

    overlap_seconds: float = 600.0
    bulk_from_rows: int = 10_000
    bulk_page_rows: int = 50_000
    page_rows: int = 5_000
    polling: Polling = field(default_factory=Polling)


class Rows(NamedTuple):
    """A batch of rows in the order of the shape's columns, and the cursor to store after it."""

    rows: list[list[str]]
    cursor: Cursor


T = TypeVar("T")


def gathered(
    batches: Iterable[Rows], read: Callable[[list[list[str]]], list[T]], page_rows: int
) -> Iterator[tuple[list[T], str]]:
    """Batches read and joined into pages of at least `page_rows`, each with the cursor of its last batch. The last page may be smaller, or empty."""
    page: list[T] = []
    cursor: Cursor | None = None
    for batch in batches:
        page += read(batch.rows)
        cursor = batch.cursor
        if len(page) >= page_rows:
            yield page, cursor.encode()
            page, cursor = [], None
    if cursor is not None:
        yield page, cursor.encode()


@dataclass(frozen=True)
class Question:
    """What is asked: an object, its columns, and a condition besides the time."""

    object_name: str
    shape: Shape
    condition: str = ""

    def soql(self, *conditions: str, ordered: bool = False) -> str:
        """The query with further conditions."""
        every = [f"({one})" for one in (self.condition, *conditions) if one]
        return select(self.shape.columns, self.object_name, " AND ".join(every), ORDER if ordered else "")

    def count_soql(self) -> str:
        """The query that counts all rows."""
        return select(("COUNT()",), self.object_name, self.condition)


class Puller:
    """Pulls rows of any object that has the META columns. `nul_bytes` counts what was taken out of the answers."""

    def __init__(
        self,
        session: SalesforceSession,
        settings: PullSettings,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._session = session
        self._settings = settings
        self._now = now
        self.nul_bytes = 0

    def pull(self, question: Question, *, cursor: str | None, since: datetime | None) -> Iterator[Rows]:
        """Rows changed since the cursor, deleted and merged ones included; ends with the cursor for the next pull.

        Raises ServiceUnavailable when fewer rows came than the server counted.
        """
        place = decode(cursor, question.object_name)
        start = soql_time(since) if since is not None else self._start_of(place)
        changed = f"SystemModstamp >= {start}" if start else ""
        if place.bulk is not None and since is None:
            yield from self._bulk(question, place, question.soql(changed))
            return
        if since is not None and place.stamp and start > place.stamp:
            # A look at what is newer than the cursor must not make the next pull skip what lies between.
            for batch in self._choose(question, place._replace(bulk=None), start, changed):
                yield Rows(batch.rows, place)
            return
        yield from self._choose(question, place._replace(bulk=None), start, changed)

    def _choose(self, question: Question, place: Cursor, start: str, changed: str) -> Iterator[Rows]:
        bulk_soql = question.soql(changed)
        if not start and self._count(question) > self._settings.bulk_from_rows:
            yield from self._bulk(question, place, bulk_soql)
            return
        try:
            answer = self._session.query(question.soql(changed, ordered=True))
        except QueryTooSlow:
            yield from self._bulk(question, place, bulk_soql)
            return
        if answer["totalSize"] > self._settings.bulk_from_rows:
            yield from self._bulk(question, place, bulk_soql)
        else:
            yield from self._rest(question, place, answer)

    def _start_of(self, place: Cursor) -> str:
        if not place.stamp:
            return ""
        return soql_time(datetime.fromisoformat(place.stamp) - timedelta(seconds=self._settings.overlap_seconds))

    def _count(self, question: Question) -> int:
        return int(self._session.query(question.count_soql())["totalSize"])

    def _rest(self, question: Question, place: Cursor, answer: dict[str, Any]) -> Iterator[Rows]:
        guard = LoopGuard(f"The query for {question.object_name}")
        stamp = question.shape.columns.index("SystemModstamp")
        last = ("", "")
        expected, seen = int(answer["totalSize"]), 0
        while True:
            rows = [row_of_json(question.shape, record) for record in answer["records"]]
            seen += len(rows)
            if rows:
                last = (rows[-1][stamp], rows[-1][0])
                reached = min(last[0], soql_time(self._now()))
                place = place._replace(stamp=max(place.stamp, reached), record_id=last[1])
            done = answer["done"]
            if done and seen < expected:
                raise ServiceUnavailable(
                    f"Salesforce counted {expected:,} rows of {question.object_name} but handed over {seen:,}. Run again."
                )
            yield Rows(rows, place)
            if done:
                return
            guard.see(answer.get("nextRecordsUrl"))
            try:
                answer = self._session.next_page(answer)
            except QueryLocatorLost:
                guard.see(last)
                after = f"SystemModstamp > {last[0]} OR (SystemModstamp = {last[0]} AND Id > '{last[1]}')"
                answer = self._session.query(question.soql(after, ordered=True))
                expected, seen = int(answer["totalSize"]), 0

    def _bulk(self, question: Question, place: Cursor, soql: str) -> Iterator[Rows]:
        begun = place.bulk if place.bulk is not None and place.bulk.query == fingerprint(soql) else None
        if begun is None:
            begun = BulkPlace(open_query(self._session, soql), fingerprint(soql))
        try:
            job = wait_for_query(self._session, begun.job_id, self._settings.polling)
        except RecordGone:
            # Results are kept seven days; a pull resumed later than that starts again.
            begun = BulkPlace(open_query(self._session, soql), fingerprint(soql))
            job = wait_for_query(self._session, begun.job_id, self._settings.polling)
        yield from self._bulk_pages(question, place, begun, job)

    def _bulk_pages(self, question: Question, place: Cursor, begun: BulkPlace, job: dict[str, Any]) -> Iterator[Rows]:
        results = QueryResults(
            self._session,
            job,
            question.shape.columns,
            page_rows=self._settings.bulk_page_rows,
            locator=begun.locator,
            before=begun.rows,
        )
        at = question.shape.columns.index("SystemModstamp")
        here, top = begun, begun.top
        for batch in results:
            tidy(question.shape, batch.rows)
            top = max([top, *(row[at] for row in batch.rows)])
            if batch.locator is not None:
                here = begun._replace(locator=batch.locator, rows=batch.before, top=top)
            yield Rows(batch.rows, place._replace(bulk=here))
        self.nul_bytes += results.nul_bytes
        created = time_text(str(job["createdDate"]))
        stamp = min(top, created) if top else place.stamp or created
        yield Rows([], Cursor(question.object_name, max(place.stamp, stamp)))
