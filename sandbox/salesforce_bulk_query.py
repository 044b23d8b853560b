"""Bulk API 2.0 queries. A job writes its whole result to a file; result pages are slices of it, so that any page can be fetched again.

Each page repeats the header row, every cell is quoted, null is the empty cell, and the last page's Sforce-Locator is the literal text "null".
"""

from __future__ import annotations

import base64
import binascii
import io
import sqlite3
from array import array
from pathlib import Path

from starlette.responses import Response

from sandbox.faults import due
from sandbox.salesforce_errors import RequestError
from sandbox.salesforce_http import Call, Rule, json_response
from sandbox.salesforce_jobs import LINE_ENDINGS, Job, Jobs, csv_response, dialect_of, invalid_state, writer
from sandbox.salesforce_org import Org
from sandbox.salesforce_soql import parse
from sandbox.salesforce_soql_sql import Column, Statement, compile_query
from sandbox.salesforce_values import NUL

ROWS_A_MARK = 500
"""The file's index holds the byte where every 500th row starts."""


class BulkQueries:
    """The `jobs/query` resources of one org."""

    def __init__(self, org: Org) -> None:
        self.org = org
        self.jobs = Jobs(org, "query")

    def rules(self) -> list[Rule]:
        """The paths."""
        return [
            Rule("POST", "/data/jobs/query", self.create, "bulk"),
            Rule("GET", "/data/jobs/query", self.list, "bulk"),
            Rule("GET", "/data/jobs/query/{job}", self.read, "bulk"),
            Rule("GET", "/data/jobs/query/{job}/results", self.results, "bulk"),
            Rule("PATCH", "/data/jobs/query/{job}", self.abort, "bulk"),
            Rule("DELETE", "/data/jobs/query/{job}", self.delete, "bulk"),
        ]

    async def create(self, call: Call) -> Response:
        """A new job; the query is read and checked at once."""
        body = await call.json_object()
        operation, text = body.get("operation"), str(body.get("query") or "")
        if operation not in {"query", "queryAll"}:
            raise RequestError(400, "INVALIDJOB", f"InvalidJob : unknown operation {operation}")
        statement = self._statement(text, operation)
        job = self.jobs.create(
            call, operation=operation, object=statement.view.name, state="UploadComplete", **dialect_of(body)
        )
        failing = due(call.request.scope, "job_failed")
        job["_query"] = text
        job["_fails"] = (
            str(failing.options.get("message", "InternalServerError : Retried more than 15 times")) if failing else ""
        )
        self.jobs.save(job)
        self.jobs.start(job, self._work)
        return json_response(self.jobs.shown({**job, "state": "UploadComplete"}))

    async def list(self, _: Call) -> Response:
        """Every query job."""
        return self.jobs.listed()

    async def read(self, call: Call) -> Response:
        """A job's progress."""
        job = self.jobs.of(call)
        if job["state"] in {"UploadComplete", "InProgress"}:
            self.jobs.start(job, self._work)
        extra = {"jobType": "V2Query", "retries": 0, "isPkChunkingSupported": True}
        return json_response(
            {**self.jobs.shown(job), **extra, "totalProcessingTime": job.get("totalProcessingTime", 0)}
        )

    async def abort(self, call: Call) -> Response:
        """Stop a job that still runs."""
        job = self.jobs.of(call)
        body = await call.json_object()
        if body.get("state") != "Aborted":
            raise RequestError(400, "INVALIDJOB", "InvalidJob : a query job can only be aborted")
        if job["state"] == "JobComplete":
            raise invalid_state("Aborting already Completed Job not allowed")
        if job["state"] in {"Failed", "Aborted"}:
            raise invalid_state(f"Aborting a Job in state {job['state']} not allowed")
        self.jobs.set_state(job, "Aborted")
        return json_response(self.jobs.shown(job))

    async def delete(self, call: Call) -> Response:
        """Remove a finished job and its results."""
        self.jobs.delete(self.jobs.of(call))
        return Response(status_code=204)

    async def results(self, call: Call) -> Response:
        """A page of the result."""
        job = self.jobs.of(call)
        if job["state"] != "JobComplete":
            raise invalid_state(f"Unable to retrieve results for job in state {job['state']}")
        total = int(job["numberRecordsProcessed"])
        start = _row_of(call.query.get("locator"))
        size = int(call.query.get("maxRecords") or call.org.settings["bulk_page"])
        if start > total or size < 1:
            raise RequestError(400, "INVALIDLOCATOR", "Invalid locator or maxRecords")
        end = min(start + size, total)
        path = self.jobs.path(job, "result.csv")
        ending = LINE_ENDINGS[job["lineEnding"]].encode()
        first, last = await call.org.readers.thread(
            lambda: (_byte_of(path, start, ending), _byte_of(path, end, ending))
        )
        headers = {
            "sforce-locator": _locator(end) if end < total else "null",
            "sforce-numberofrecords": str(end - start),
        }
        return csv_response(call, job["_header"].encode(), path, first, last, headers)

    def _statement(self, text: str, operation: str) -> Statement:
        query = parse(text)
        if self.org.schema.view(query.entity) is None:
            raise RequestError(400, "INVALIDENTITY", f"Entity '{query.entity}' is not supported by the Bulk API.")
        if query.aggregates or query.offset:
            raise RequestError(
                400, "API_ERROR", "Aggregate queries, GROUP BY and OFFSET are not supported in Bulk Query"
            )
        statement = compile_query(
            self.org.schema, query, text, self.org.now_ms(), include_deleted=operation == "queryAll"
        )
        if statement.children:
            raise RequestError(400, "API_ERROR", "Nested queries are not supported in Bulk Query")
        if any(column.field.type == "address" for column in statement.columns):
            raise RequestError(400, "API_ERROR", "Selecting compound data not supported in Bulk Query")
        return statement

    async def _work(self, job: Job) -> None:
        if job["_fails"]:
            self.jobs.set_state(job, "Failed", errorMessage=job["_fails"], numberRecordsProcessed=0)
            return
        statement = self._statement(job["_query"], job["operation"])
        rows = await self.org.readers.run(lambda connection: self._export(connection, job, statement))
        if job["state"] == "Aborted":
            return
        header = io.StringIO()
        writer(job, header).writerow([".".join(column.path) for column in statement.columns])
        job["_header"] = header.getvalue()
        self.jobs.set_state(job, "JobComplete", numberRecordsProcessed=rows)

    def _export(self, connection: sqlite3.Connection, job: Job, statement: Statement) -> int:
        """Write every row and the index; returns how many rows."""
        expressions = [cell_sql(column) for column in statement.columns]
        sql = statement.select(expressions, ordered=bool(statement.query.order))
        path = self.jobs.path(job, "result.csv")
        marks = array("Q")
        buffer = io.StringIO()
        writerows = writer(job, buffer).writerows
        total = 0
        with path.open("wb") as target:
            cursor = connection.execute(sql, statement.parameters)
            position = 0
            while (rows := cursor.fetchmany(ROWS_A_MARK)) and job["state"] != "Aborted":
                marks.append(position)
                writerows(rows)
                position += target.write(buffer.getvalue().replace(NUL, "\x00").encode())
                buffer.seek(0)
                buffer.truncate()
                total += len(rows)
            marks.append(position)
            cursor.close()
        path.with_suffix(".marks").write_bytes(marks.tobytes())
        return total


def cell_sql(column: Column) -> str:
    """SQL for a column's CSV cell."""
    field, expression = column.field, column.expression
    if field.type == "boolean":
        return f"CASE {expression} WHEN 1 THEN 'true' ELSE 'false' END"
    if field.type == "datetime" and field.source != "json":
        return f"strftime('%Y-%m-%dT%H:%M:%fZ', {expression} / 1000.0, 'unixepoch')"
    if field.type == "datetime":
        return f"replace({expression}, '+0000', 'Z')"
    return expression


def _byte_of(path: Path, row: int, ending: bytes) -> int:
    """Where a row starts. Rows end at a line end outside quotes, that is, after an even number of quotes."""
    marks: array[int] = array("Q")
    marks.frombytes(path.with_suffix(".marks").read_bytes())
    place, rest = divmod(row, ROWS_A_MARK)
    if place >= len(marks):
        return marks[-1]
    position = marks[place]
    if not rest:
        return position
    with path.open("rb") as source:
        source.seek(position)
        block = source.read(marks[place + 1] - position)
    odd = False
    for line in block.split(ending):
        position += len(line) + len(ending)
        odd ^= line.count(b'"') % 2 == 1
        if not odd:
            rest -= 1
            if not rest:
                break
    return min(position, marks[place + 1])


def _locator(row: int) -> str:
    return base64.b64encode(str(row).encode()).decode().rstrip("=")


def _row_of(locator: str | None) -> int:
    if not locator or locator == "null":
        return 0
    try:
        return int(base64.b64decode(locator + "=" * (-len(locator) % 4), validate=True))
    except (binascii.Error, ValueError):
        raise RequestError(400, "INVALIDLOCATOR", f"Invalid locator: {locator}") from None
