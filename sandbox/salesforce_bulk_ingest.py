"""Bulk API 2.0 ingest: a job takes one CSV upload and works on it in the background, 200 rows to a transaction, as the platform does.

JobComplete says only that every row was tried: failedResults tells which were refused. Result rows come in no particular order.
"""

from __future__ import annotations

import asyncio
import random
import zlib
from typing import Any

from starlette.responses import Response

from sandbox.faults import due
from sandbox.salesforce_errors import RequestError, RowError
from sandbox.salesforce_http import Call, Rule, json_response
from sandbox.salesforce_ingest_file import JobFailed, Upload, check, values_of
from sandbox.salesforce_jobs import FINISHED, Job, Jobs, csv_response, dialect_of, invalid_state, writer
from sandbox.salesforce_org import Org
from sandbox.salesforce_rows import Outcome, Rows, Terms
from sandbox.salesforce_schema import View

ROWS_A_CHUNK = 200
ROWS_A_BATCH = 10_000
MOST_BYTES = 150 * 1024 * 1024 * 3 // 4  # 150 MB counted after base64
_OPERATIONS = {"insert", "update", "upsert", "delete", "hardDelete"}
_RESULTS = {
    "successfulresults": "successful.csv",
    "failedresults": "failed.csv",
    "unprocessedrecords": "unprocessed.csv",
}


class BulkIngest:
    """The `jobs/ingest` resources of one org."""

    def __init__(self, org: Org, rows: Rows) -> None:
        self.org = org
        self.rows = rows
        self.jobs = Jobs(org, "ingest")

    def rules(self) -> list[Rule]:
        """The paths."""
        return [
            Rule("POST", "/data/jobs/ingest", self.create, "bulk"),
            Rule("GET", "/data/jobs/ingest", self.list, "bulk"),
            Rule("GET", "/data/jobs/ingest/{job}", self.read, "bulk"),
            Rule("PATCH", "/data/jobs/ingest/{job}", self.close, "bulk"),
            Rule("DELETE", "/data/jobs/ingest/{job}", self.delete, "bulk"),
            Rule("PUT", "/data/jobs/ingest/{job}/batches", self.upload, "bulk"),
            Rule("GET", "/data/jobs/ingest/{job}/{results}", self.results, "bulk"),
        ]

    async def create(self, call: Call) -> Response:
        """A new, open job."""
        body = await call.json_object()
        view = self.org.schema.view(str(body.get("object")))
        if view is None:
            raise RequestError(400, "INVALIDENTITY", f"Entity '{body.get('object')}' is not supported by the Bulk API.")
        if body.get("operation") not in _OPERATIONS:
            raise RequestError(400, "INVALIDJOB", f"InvalidJob : unknown operation {body.get('operation')}")
        external = body.get("externalIdFieldName")
        if body["operation"] == "upsert" and not external:
            raise RequestError(400, "INVALIDJOB", "InvalidJob : External ID field name is required for upsert")
        extra = {name: body[name] for name in ("externalIdFieldName", "assignmentRuleId") if body.get(name)}
        job = self.jobs.create(
            call,
            operation=body["operation"],
            object=view.name,
            state="Open",
            jobType="V2Ingest",
            **dialect_of(body),
            **extra,
        )
        job["contentUrl"] = f"{call.data_path.lstrip('/')}/jobs/ingest/{job['id']}/batches"
        job["_source"] = call.source
        self._meet_faults(call, job)
        self.jobs.save(job)
        return json_response(self.jobs.shown(job))

    async def list(self, _: Call) -> Response:
        """Every ingest job."""
        return self.jobs.listed()

    async def upload(self, call: Call) -> Response:
        """The job's one upload, spooled to a file."""
        job = self.jobs.of(call)
        path = self.jobs.path(job, "upload.csv")
        if job["state"] != "Open":
            raise invalid_state(f"Unable to upload to a job in state {job['state']}")
        if path.exists():
            raise invalid_state(
                f"Found multiple contents for job: <{job['id']}>, please 'Close' / 'Abort' / 'Delete' the current Job then create a new Job "
                "and make sure you only do 'PUT' once on a given Job."
            )
        unpacker = zlib.decompressobj(31) if call.headers.get("content-encoding", "") == "gzip" else None
        size = 0
        partial = path.with_suffix(".part")
        with partial.open("wb") as target:
            async for piece in call.request.stream():
                size += target.write(unpacker.decompress(piece) if unpacker else piece)
                if size > MOST_BYTES:
                    raise RequestError(
                        413, "EXCEEDED_MAX_SIZE_REQUEST", "The upload is larger than 150 MB after base64 encoding"
                    )
        partial.replace(path)
        self._meet_faults(call, job)
        return Response(status_code=201)

    async def close(self, call: Call) -> Response:
        """UploadComplete hands the file over; Aborted ends the job."""
        job = self.jobs.of(call)
        state = (await call.json_object()).get("state")
        if state not in {"UploadComplete", "Aborted"}:
            raise RequestError(400, "INVALIDJOB", f"InvalidJob : a job cannot be set to {state}")
        if state == "Aborted":
            if job["state"] in FINISHED:
                raise invalid_state("Aborting already Completed Job not allowed")
            self.jobs.set_state(job, "Aborted")
            if (
                not self.jobs.path(job, "unprocessed.csv").exists()
                and self.jobs.path(job, "upload.csv").exists()
                and "_header" not in job
            ):
                self.leave_all(job)
            return json_response(self.jobs.shown(job))
        if job["state"] != "Open":
            raise invalid_state(f"Closing already closed Job not allowed: state is {job['state']}")
        if not self.jobs.path(job, "upload.csv").exists():
            raise invalid_state("The job has no content. Upload a CSV file first.")
        self._meet_faults(call, job)
        self.jobs.set_state(job, "UploadComplete")
        self.jobs.start(job, self._work)
        return json_response(self.jobs.shown({**job, "state": "UploadComplete"}))

    async def read(self, call: Call) -> Response:
        """A job's progress."""
        job = self.jobs.of(call)
        if job["state"] in {"UploadComplete", "InProgress"}:
            self.jobs.start(job, self._work)
        counts = {
            name: job.get(name, 0) for name in ("numberRecordsProcessed", "numberRecordsFailed", "totalProcessingTime")
        }
        times = {"apiActiveProcessingTime": counts["totalProcessingTime"], "apexProcessingTime": 0, "retries": 0}
        return json_response({**self.jobs.shown(job), **counts, **times})

    async def delete(self, call: Call) -> Response:
        """Remove a finished job."""
        self.jobs.delete(self.jobs.of(call))
        return Response(status_code=204)

    async def results(self, call: Call) -> Response:
        """Rows that were written, refused or never tried."""
        job = self.jobs.of(call)
        name = _RESULTS.get(call.parts["results"].lower())
        if name is None:
            raise RequestError(404, "NOT_FOUND", "The requested resource does not exist")
        if job["state"] not in FINISHED:
            raise invalid_state(f"Unable to retrieve results for job in state {job['state']}")
        path = self.jobs.path(job, name)
        if not path.exists():
            path.write_bytes(b"")
        return csv_response(call, b"", path, 0, path.stat().st_size, {})

    def _meet_faults(self, call: Call, job: Job) -> None:
        """Note faults that fell on a request of this job; they are played when it runs."""
        if locked := due(call.request.scope, "row_locked"):
            job["_lock"] = str(locked.options.get("rows", "one"))
        if failing := due(call.request.scope, "partial_failure"):
            job["_fail"] = int(failing.options.get("n", 1))
        if failed := due(call.request.scope, "job_failed"):
            job["_job_failed"] = str(failed.options.get("message", "InternalServerError : Retried more than 20 times"))

    async def _work(self, job: Job) -> None:
        with Upload(self.jobs.path(job, "upload.csv"), job) as upload:
            try:
                await _Run(self, job, upload).rows()
            except JobFailed as failed:
                self.jobs.set_state(job, "Failed", errorMessage=str(failed))

    def leave_all(self, job: Job) -> None:
        """Nothing was tried: the whole upload is unprocessed."""
        source, target = self.jobs.path(job, "upload.csv"), self.jobs.path(job, "unprocessed.csv")
        target.write_bytes(source.read_bytes())


class _Run:
    """One pass over an upload."""

    def __init__(self, ingest: BulkIngest, job: Job, upload: Upload) -> None:
        self.ingest = ingest
        self.job = job
        self.upload = upload
        view = ingest.org.schema.view(job["object"])
        assert view is not None  # noqa: S101 (checked when the job was created)
        self.view = view
        self.terms = Terms(
            job["_source"],
            allow_duplicates=True,
            auto_assign="assignmentRuleId" in job,
            lock=job.get("_lock", ""),
            fail=job.get("_fail", 0),
        )
        self.crowded = float(ingest.org.settings["parent_lock_rate"])
        self.accounts: set[str] = set()
        self.shuffle = random.Random(job["id"]).shuffle

    async def rows(self) -> None:
        """Try every row. Raises JobFailed where the header is wrong or a fault says so."""
        jobs, job, upload = self.ingest.jobs, self.job, self.upload
        try:
            await jobs.org.readers.thread(lambda: check(jobs.path(job, "upload.csv"), job))
            upload.read_header()
            self._check_header()
        except JobFailed:
            self.ingest.leave_all(job)
            job.update(numberRecordsProcessed=0, numberRecordsFailed=0)
            raise
        processed = failed = chunks = 0
        with (
            self._opened("successful.csv") as good,
            self._opened("failed.csv") as bad,
            self._opened("unprocessed.csv") as left,
        ):
            good_rows, bad_rows, left_rows = writer(job, good), writer(job, bad), writer(job, left)
            good_rows.writerow(["sf__Id", "sf__Created", *upload.header])
            bad_rows.writerow(["sf__Id", "sf__Error", *upload.header])
            left_rows.writerow(upload.header)
            while chunk := upload.chunk(ROWS_A_CHUNK):
                if job["state"] == "Aborted" or (job.get("_job_failed") and chunks):
                    left_rows.writerows(chunk)
                    continue
                succeeded, refused = self._chunk(chunk)
                good_rows.writerows(succeeded)
                bad_rows.writerows(refused)
                processed, failed, chunks = processed + len(chunk), failed + len(refused), chunks + 1
                job.update(numberRecordsProcessed=processed, numberRecordsFailed=failed)
                if self.terms.lock == "one" or self.terms.fail:
                    self.terms.lock, self.terms.fail = "" if self.terms.lock == "one" else self.terms.lock, 0
                await asyncio.sleep(0)
        batches = int(jobs.org.store.setting("sf:bulk_batches", 0)) + -(-processed // ROWS_A_BATCH)
        jobs.org.store.set_setting("sf:bulk_batches", batches)
        job.update(numberRecordsProcessed=processed, numberRecordsFailed=failed)
        if job.get("_job_failed"):
            raise JobFailed(job["_job_failed"])
        if job["state"] != "Aborted":
            jobs.set_state(job, "JobComplete")

    def _opened(self, name: str) -> Any:
        return self.ingest.jobs.path(self.job, name).open("w", encoding="utf-8", newline="")

    def _check_header(self) -> None:
        header, operation = self.upload.header, self.job["operation"]
        for name in header:
            if self.view.field(name) is None:
                raise JobFailed(f"InvalidBatch : Field name not found : {name}")
        lower = [name.lower() for name in header]
        if operation in {"delete", "hardDelete"} and lower != ["id"]:
            raise JobFailed("InvalidBatch : Delete batch must contain only ids")
        needed = {
            "update": "Id",
            "delete": "Id",
            "hardDelete": "Id",
            "upsert": self.job.get("externalIdFieldName", ""),
        }.get(operation)
        if needed and needed.lower() not in lower:
            raise JobFailed(f"InvalidBatch : Field name not found : {needed}")
        if len(set(lower)) < len(lower):
            raise JobFailed("InvalidBatch : Duplicate field name in the header")

    def _chunk(self, chunk: list[list[str]]) -> tuple[list[list[str]], list[list[str]]]:
        """Write 200 rows; returns result rows for those written and those refused, shuffled."""
        width = len(self.upload.header)
        whole = [row for row in chunk if len(row) == width]
        broken = [
            ["", f"INVALID_NUMBER_OF_COLUMNS:The row has {len(row)} columns, the header {width}:--", *row]
            for row in chunk
            if len(row) != width
        ]
        values = [values_of(self.upload.header, row) for row in whole]
        results = self._write(values) if not self.crowded else self._write_crowded(values)
        succeeded = [
            [outcome, "true" if new else "false", *row]
            for row, (outcome, new) in zip(whole, results, strict=True)
            if isinstance(outcome, str)
        ]
        place = next((index for index, name in enumerate(self.upload.header) if name.lower() == "id"), None)
        refused = [
            [row[place] if place is not None else "", outcome.bulk(), *row]
            for row, (outcome, _) in zip(whole, results, strict=True)
            if isinstance(outcome, RowError)
        ]
        refused.extend(broken)
        self.shuffle(succeeded)
        self.shuffle(refused)
        return succeeded, refused

    def _write(self, values: list[dict[str, Any]]) -> list[tuple[Outcome, bool]]:
        rows, view, operation = self.ingest.rows, self.view, self.job["operation"]
        if operation == "insert":
            return [(outcome, True) for outcome in rows.create(view, values, self.terms)]
        if operation in {"delete", "hardDelete"}:
            outcomes = rows.delete(view, [_id(row) for row in values], self.terms, hard=operation == "hardDelete")
            return [(outcome, False) for outcome in outcomes]
        if operation == "update" or self.job["externalIdFieldName"].lower() == "id":
            pairs = [(_id(row), {name: value for name, value in row.items() if name.lower() != "id"}) for row in values]
            return [(outcome, False) for outcome in rows.update(view, pairs, self.terms)]
        return [self._upsert(rows, view, row) for row in values]

    def _write_crowded(self, values: list[dict[str, Any]]) -> list[tuple[Outcome, bool]]:
        """Write rows while chunks that run beside this one hold the accounts met before: siblings that stand apart in the file lock each other out."""
        present = self.ingest.org.store.get_many(self.view.name, [_id(row) for row in values])
        accounts = [present[_id(row)].fields.get("AccountId") if _id(row) in present else None for row in values]
        locked = {
            place
            for place, account in enumerate(accounts)
            if account in self.accounts and self.ingest.org.random.random() < self.crowded
        }
        self.accounts.update(account for account in accounts if account)
        written = iter(self._write([row for place, row in enumerate(values) if place not in locked]))
        message = "unable to obtain exclusive access to this record or 1 records: {}"
        return [
            (RowError("UNABLE_TO_LOCK_ROW", message.format(accounts[place])), False)
            if place in locked
            else next(written)
            for place in range(len(values))
        ]

    def _upsert(self, rows: Rows, view: View, row: dict[str, Any]) -> tuple[Outcome, bool]:
        name = self.job["externalIdFieldName"]
        key = next((value for field, value in row.items() if field.lower() == name.lower()), None)
        if key is None:
            return RowError("MISSING_ARGUMENT", f"{name} not specified"), False
        found = rows.by_external_id(view, name, key)
        if len(found) > 1:
            return RowError("DUPLICATE_EXTERNAL_ID", f"{name}: more than one record found for external id field"), False
        rest = {field: value for field, value in row.items() if field.lower() != name.lower()}
        if found:
            return rows.update(view, [(found[0], rest)], self.terms)[0], False
        return rows.create(view, [row], self.terms)[0], True


def _id(row: dict[str, Any]) -> str:
    return str(next((value for name, value in row.items() if name.lower() == "id"), ""))
