"""Large writes: Bulk API 2.0 ingest jobs. Open, upload once, close, wait, and join the results by id.

Nothing runs before a job is closed, so its id can be stored first. JobComplete says only that the job ended: every row has its own result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any

from connectors.crm import BulkJob, BulkState
from connectors.http import RetryPolicy, retrying
from connectors.salesforce_bulk import Polling, download, wait_for_job
from connectors.salesforce_csv import csv_of, picked
from connectors.salesforce_errors import ApiError, JobStateRefused, bulk_entry, field_error_of, row_of
from connectors.salesforce_ids import api_name, id18
from connectors.salesforce_session import SalesforceSession
from connectors.salesforce_write import settle_gone
from ringtrue.errors import ConnectionLost, RecordGone, SchemaChanged, ServiceUnavailable
from ringtrue.masking import mask_text
from ringtrue.records import RecordWrite, RowResult

LARGEST_UPLOAD_BYTES = 100_000_000
"""Salesforce takes 150 MB after base64, which is a little more than 100 MB of CSV."""

_STATES: dict[str, BulkState] = {
    "Open": "open",
    "UploadComplete": "running",
    "InProgress": "running",
    "JobComplete": "complete",
    "Failed": "failed",
    "Aborted": "aborted",
}
_RESULT_ROWS = 20_000


class Ingest:
    """The ingest jobs of one connection."""

    def __init__(self, session: SalesforceSession, *, polling: Polling, most_rows: int) -> None:
        self._session = session
        self._polling = polling
        self.most_rows = most_rows
        self._fields: dict[str, tuple[str, ...]] = {}

    def open(self, object_name: str, fields: Sequence[str]) -> str:
        """Open an update job and return its id."""
        job = self._session.json(
            "POST",
            "jobs/ingest",
            json={
                "object": api_name(object_name),
                "operation": "update",
                "contentType": "CSV",
                "columnDelimiter": "COMMA",
                "lineEnding": "LF",
            },
        )
        job_id = str(job["id"])
        self._fields[job_id] = tuple(api_name(name) for name in fields)
        return job_id

    def upload(self, job_id: str, rows: Sequence[RecordWrite]) -> None:
        """Upload the rows of a job, once. Raises ConnectionLost when it is not known whether they arrived: abandon the job then."""
        body = csv_of(rows, self._fields.pop(job_id, ()))
        if len(rows) > self.most_rows or len(body) > LARGEST_UPLOAD_BYTES:
            raise ValueError(
                f"A Bulk job takes at most {self.most_rows:,} rows and {LARGEST_UPLOAD_BYTES:,} bytes here, not {len(rows):,} and {len(body):,}."
            )
        url = f"{self._session.sf.bulk2_url}ingest/{job_id}/batches"
        self._session.request("PUT", url, data=body, headers={"Content-Type": "text/csv; charset=UTF-8"})

    def close(self, job_id: str) -> None:
        """Let the job run. After a lost answer the job is asked for its state, so that it is closed once and only once; a job that was closed before
        is left as it is.
        """
        self._change_state(job_id, "UploadComplete", done=lambda state: state != "open")

    def abort(self, job_id: str) -> None:
        """Abandon a job that never ran. One that is not there any more, or has ended, is left alone."""
        try:
            if self.state(job_id).state in ("open", "running"):
                self._change_state(job_id, "Aborted", done=lambda state: state not in ("open", "running"))
        except RecordGone:
            return

    def _change_state(self, job_id: str, state: str, done: Callable[[BulkState], bool]) -> None:
        def once() -> None:
            try:
                self._session.json("PATCH", f"jobs/ingest/{job_id}", json={"state": state})
            except (ConnectionLost, JobStateRefused):
                if not done(self.state(job_id).state):
                    raise

        retrying(
            once,
            policy=RetryPolicy(attempts=3),
            retry_if=lambda error: isinstance(error, ConnectionLost),
            on_retry=self._session.note_retry,
            sleep=self._session.sleep,
        )

    def state(self, job_id: str) -> BulkJob:
        """The job's state now. Raises RecordGone for a job that Salesforce no longer knows."""
        return _job_of(self._session.json("GET", f"jobs/ingest/{job_id}"))

    def wait(self, job_id: str) -> BulkJob:
        """Poll until the job has ended. Raises FieldMissing or FieldNotWritable when it failed because of a column."""
        job = wait_for_job(self._session, f"jobs/ingest/{job_id}", self._polling)
        ended = _job_of(job)
        if ended.state == "failed":
            about_field = field_error_of(
                ApiError("", str(job.get("errorMessage") or "")), f"/sobjects/{job.get('object')}"
            )
            if about_field is not None:
                raise about_field
        return ended

    def results(self, job_id: str) -> Iterator[list[RowResult]]:
        """A result for every row of an ended job, joined by id. Raises ServiceUnavailable when fewer came than the job processed."""
        job = self._session.json("GET", f"jobs/ingest/{job_id}")
        if _job_of(job).state in ("open", "running"):
            raise ServiceUnavailable(f"The Bulk job {job_id} has not ended yet. Ask for its results when it has.")
        seen = 0
        for rows in self._rows(job_id, "successfulResults", ("sf__Id",)):
            seen += len(rows)
            yield [RowResult(id18(row[0]), "applied") for row in rows]
        for rows in self._rows(job_id, "failedResults", ("Id", "sf__Error")):
            seen += len(rows)
            results = [row_of(id18(record_id), bulk_entry(error)) for record_id, error in rows]
            yield settle_gone(self._session, str(job["object"]), results)
        expected = int(job.get("numberRecordsProcessed") or 0)
        if seen != expected:
            raise ServiceUnavailable(
                f"The Bulk job {job_id} processed {expected:,} rows but reports on {seen:,}. Ask for its results again."
            )
        why = mask_text(str(job.get("errorMessage") or f"The job ended as {job.get('state')} before this row's turn."))
        for rows in self._rows(job_id, "unprocessedrecords", ("Id",)):
            yield [RowResult(id18(row[0]), "retry", why) for row in rows]

    def _rows(self, job_id: str, kind: str, columns: Sequence[str]) -> Iterator[list[tuple[str, ...]]]:
        url = f"{self._session.sf.bulk2_url}ingest/{job_id}/{kind}"
        page, _ = download(self._session, url, {})
        with closing(page):
            yield from picked(page, columns, _RESULT_ROWS)


def split(rows: Sequence[RecordWrite], most_rows: int) -> Iterator[list[RecordWrite]]:
    """Rows in portions that each fit one job by rows and, generously reckoned, by bytes; siblings stay together where they can."""
    portion: list[RecordWrite] = []
    size = 0
    for row in sorted(rows, key=lambda one: (one.parent or "", one.record_id)):
        weight = 40 + sum(4 * len(value or "") + 4 for value in row.values.values())
        if portion and (len(portion) >= most_rows or size + weight > LARGEST_UPLOAD_BYTES):
            yield portion
            portion, size = [], 0
        portion.append(row)
        size += weight
    if portion:
        yield portion


def _job_of(job: dict[str, Any]) -> BulkJob:
    state = _STATES.get(str(job.get("state")))
    if state is None:
        raise SchemaChanged(f"Salesforce says a Bulk job is {job.get('state')!r}, a state we do not know.")
    said = job.get("errorMessage")
    return BulkJob(str(job["id"]), state, mask_text(str(said)) if said else None)
