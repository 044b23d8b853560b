"""What Bulk 2.0 query and ingest jobs share: their state, kept over a restart, their files, their CSV dialect, the answers with CSV."""

from __future__ import annotations

import asyncio
import csv
import shutil
import zlib
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from starlette.responses import Response, StreamingResponse

from sandbox.salesforce_errors import RequestError, not_found
from sandbox.salesforce_http import Call, json_response
from sandbox.salesforce_ids import json_time, long_id, record_id
from sandbox.salesforce_org import INTEGRATION_USER, Org

DELIMITERS = {"BACKQUOTE": "`", "CARET": "^", "COMMA": ",", "PIPE": "|", "SEMICOLON": ";", "TAB": "\t"}
LINE_ENDINGS = {"LF": "\n", "CRLF": "\r\n"}
FINISHED = {"JobComplete", "Failed", "Aborted"}
PIECE_BYTES = 1 << 20
Job = dict[str, Any]


class Jobs:
    """The jobs of one kind ("query" or "ingest"). Keys that begin with "_" are the stand-in's own and never shown."""

    def __init__(self, org: Org, kind: str) -> None:
        self.org = org
        self.kind = kind
        self.folder = Path(org.store.path).parent / "salesforce_jobs" / kind
        self._jobs: dict[str, Job] = dict(org.store.settings(f"sf:job:{kind}:"))
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def create(self, call: Call, **values: Any) -> Job:
        """A new job with an empty folder of its own."""
        identifier = record_id("Job", self.org.store.next_number("sf:job"))
        now = json_time(self.org.now_ms())
        job: Job = {
            "id": identifier,
            **values,
            "createdById": INTEGRATION_USER,
            "createdDate": now,
            "systemModstamp": now,
            "concurrencyMode": "Parallel",
            "contentType": "CSV",
            "apiVersion": float(call.version),
        }
        self.path(job, "").mkdir(parents=True, exist_ok=True)
        self.save(job)
        return job

    def path(self, job: Job, name: str) -> Path:
        """A file of the job."""
        return self.folder / str(job["id"]) / name

    def save(self, job: Job) -> None:
        """Keep the job's state."""
        key = f"sf:job:{self.kind}:{job['id']}"
        self._jobs[key] = job
        self.org.store.set_setting(key, job)

    def set_state(self, job: Job, state: str, **values: Any) -> None:
        """Move a job on."""
        job.update(values, state=state, systemModstamp=json_time(self.org.now_ms()))
        self.save(job)

    def of(self, call: Call) -> Job:
        """The job the path names. Raises RequestError 404, and 409 where another API version made it."""
        identifier = long_id(call.parts["job"])
        job = self._jobs.get(f"sf:job:{self.kind}:{identifier}")
        if job is None:
            raise not_found()
        if job["apiVersion"] != float(call.version):
            raise RequestError(
                409,
                "API_ERROR",
                f"The job was created with API version {job['apiVersion']}. Use the same version to read it.",
            )
        return job

    def all(self) -> list[Job]:
        """Every job, newest first."""
        return sorted(self._jobs.values(), key=lambda job: str(job["id"]), reverse=True)

    def delete(self, job: Job) -> None:
        """Remove a finished job and its files. Raises RequestError INVALIDJOBSTATE where it runs."""
        if job["state"] not in {*FINISHED, "UploadComplete"}:
            raise invalid_state(f"Unable to delete a job in state {job['state']}")
        self._jobs.pop(f"sf:job:{self.kind}:{job['id']}")
        self.org.store.delete_setting(f"sf:job:{self.kind}:{job['id']}")
        shutil.rmtree(self.path(job, ""), ignore_errors=True)

    def start(self, job: Job, work: Callable[[Job], Awaitable[None]]) -> None:
        """Run a job in the background; a job that was under way when the process stopped starts over."""
        task = self._tasks.get(job["id"])
        if task is None or task.done():
            self._tasks[job["id"]] = asyncio.get_running_loop().create_task(self._run(job, work))

    async def _run(self, job: Job, work: Callable[[Job], Awaitable[None]]) -> None:
        started = self.org.now_ms()
        self.set_state(job, "InProgress")
        for fault in self.org.faults.standing("slow_job"):
            await asyncio.sleep(float(fault.options.get("seconds", 1)))
        try:
            await work(job)
        except Exception as exc:
            self.set_state(job, "Failed", errorMessage=f"InternalServerError : {type(exc).__name__}: {exc}")
            raise
        job["totalProcessingTime"] = self.org.now_ms() - started
        self.save(job)

    def shown(self, job: Job) -> Job:
        """The job as answers carry it."""
        return {name: value for name, value in job.items() if not name.startswith("_")}

    def listed(self) -> Response:
        """All jobs, as one page."""
        return json_response({"done": True, "nextRecordsUrl": None, "records": [self.shown(job) for job in self.all()]})


def invalid_state(message: str) -> RequestError:
    """The job is not in a state for this."""
    return RequestError(400, "INVALIDJOBSTATE", message)


def dialect_of(body: dict[str, Any]) -> dict[str, str]:
    """Delimiter and line ending of a new job. Raises RequestError INVALIDJOB where they are unknown."""
    delimiter, ending = body.get("columnDelimiter") or "COMMA", body.get("lineEnding") or "LF"
    if delimiter not in DELIMITERS or ending not in LINE_ENDINGS:
        raise RequestError(
            400, "INVALIDJOB", f"InvalidJob : unknown columnDelimiter {delimiter} or lineEnding {ending}"
        )
    return {"columnDelimiter": delimiter, "lineEnding": ending}


def writer(job: Job, target: Any) -> Any:
    """A CSV writer in the job's dialect, every cell quoted."""
    return csv.writer(
        target,
        delimiter=DELIMITERS[job["columnDelimiter"]],
        lineterminator=LINE_ENDINGS[job["lineEnding"]],
        quoting=csv.QUOTE_ALL,
    )


def csv_response(call: Call, head: bytes, path: Path, start: int, end: int, headers: dict[str, str]) -> Response:
    """`head` and bytes `start` to `end` of a file, streamed, gzipped where the client takes it."""
    packed = "gzip" in call.headers.get("accept-encoding", "")
    pieces = _pieces(head, path, start, end)
    if packed:
        headers = {**headers, "content-encoding": "gzip"}
    return StreamingResponse(
        _zipped(pieces) if packed else pieces, headers=headers, media_type="text/csv; charset=UTF-8"
    )


def _pieces(head: bytes, path: Path, start: int, end: int) -> Iterator[bytes]:
    with path.open("rb") as source:
        source.seek(start)
        left = end - start
        piece = head
        while left > 0:
            found = source.read(min(PIECE_BYTES, left))
            left -= len(found) or left
            yield piece + found
            piece = b""
        if piece:
            yield piece


def _zipped(pieces: Iterator[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    for piece in pieces:
        if found := packer.compress(piece):
            yield found
    yield packer.flush()
