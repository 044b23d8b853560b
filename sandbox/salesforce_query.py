"""REST queries: `query`, `queryAll`, their next pages.

A result longer than a page leaves a cursor behind: the rows it met, by their place in the store, in 8 bytes each. Pages can be fetched again while the
cursor lives; the org keeps ten of them and drops the oldest.
"""

from __future__ import annotations

import re
import secrets
import sqlite3
from array import array
from dataclasses import dataclass, replace
from typing import Any

from starlette.responses import Response

from sandbox.salesforce_answers import Shape, grouped, rows_of
from sandbox.salesforce_automation import SetupViews
from sandbox.salesforce_errors import RequestError, malformed_query
from sandbox.salesforce_http import Call, Rule, json_response
from sandbox.salesforce_schema import ToolingViews, Views
from sandbox.salesforce_soql import parse
from sandbox.salesforce_soql_sql import Child, Statement, compile_query

_LONGEST_URI = 16_384


@dataclass
class _Cursor:
    statement: Statement
    rows: array[int]


class Queries:
    """The query resources of one org and its open cursors."""

    def __init__(self) -> None:
        self._cursors: dict[str, _Cursor] = {}

    def rules(self) -> list[Rule]:
        """The paths."""
        return [
            Rule("GET", "/data/query", self.query, "query"),
            Rule("GET", "/data/queryAll", self.query_all, "query"),
            Rule("GET", "/data/tooling/query", self.tooling, "query"),
            Rule("GET", "/data/query/{locator}", self.more, "query"),
            Rule("GET", "/data/queryAll/{locator}", self.more, "query"),
        ]

    async def query(self, call: Call) -> Response:
        """The first page of living records."""
        return await self._first(call, SetupViews(call.org, call.org.schema, tooling=False), include_deleted=False)

    async def query_all(self, call: Call) -> Response:
        """The first page with deleted, merged and archived records."""
        return await self._first(call, call.org.schema, include_deleted=True)

    async def tooling(self, call: Call) -> Response:
        """A query over the Tooling API's objects."""
        return await self._first(call, SetupViews(call.org, ToolingViews(), tooling=True), include_deleted=False)

    async def more(self, call: Call) -> Response:
        """A further page."""
        found = re.fullmatch(r"(?P<cursor>\w+)-(?P<start>\d+)", call.parts["locator"])
        cursor = self._cursors.get(found["cursor"]) if found else None
        if found is None or cursor is None or int(found["start"]) >= len(cursor.rows):
            raise RequestError(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        start = int(found["start"])
        size = page_size(call)
        return json_response(
            await call.org.readers.run(
                lambda connection: self._page(connection, call, found["cursor"], cursor, start, size)
            )
        )

    async def _first(self, call: Call, views: Views, *, include_deleted: bool) -> Response:
        text = call.query.get("q")
        if not text:
            raise malformed_query("A query string has to be specified")
        if len(call.request.url.query) + len(call.request.url.path) > _LONGEST_URI:
            raise RequestError(414, "URI_TOO_LONG", "The length of the URI exceeds the 16,384 byte limit.")
        query = parse(text)
        if query.all_rows and not include_deleted:
            raise malformed_query("ALL ROWS not allowed in this context")
        statement = compile_query(views, query, text, call.org.now_ms(), include_deleted=include_deleted)
        size = page_size(call)
        answer, opened = await call.org.readers.run(lambda connection: self._open(connection, call, statement, size))
        while opened and len(self._cursors) >= call.org.settings["open_cursors"]:
            self._cursors.pop(next(iter(self._cursors)))
        self._cursors.update(opened)
        return json_response(answer)

    def _open(
        self, connection: sqlite3.Connection, call: Call, statement: Statement, size: int
    ) -> tuple[dict[str, Any], dict[str, _Cursor]]:
        """The first page, and the cursor that further pages need."""
        query = statement.query
        if query.counts and not query.group:
            counted = connection.execute(statement.select(["count(*)"], ordered=False), statement.parameters)
            return {"totalSize": counted.fetchone()[0], "done": True, "records": []}, {}
        shape = Shape(statement, call.data_path)
        if query.aggregates:
            records = [shape.record(row) for row in rows_of(connection, statement, shape.expressions)]
            return {"totalSize": len(records), "done": True, "records": records}, {}
        found = connection.execute(grouped(statement, ["r.seq"]), statement.parameters)
        cursor = _Cursor(statement, array("q", (seq for (seq,) in found)))
        locator = "0r8" + secrets.token_hex(8)
        page = self._page(connection, call, locator, cursor, 0, size)
        return page, {locator: cursor} if len(cursor.rows) > size else {}

    def _page(
        self, connection: sqlite3.Connection, call: Call, locator: str, cursor: _Cursor, start: int, size: int
    ) -> dict[str, Any]:
        wanted = cursor.rows[start : start + size]
        shape = Shape(cursor.statement, call.data_path)
        records = dict.fromkeys(wanted)
        if wanted:
            marks = ",".join(map(str, wanted))
            sql = (
                f"SELECT r.seq, {', '.join(shape.expressions)} FROM {cursor.statement.tables} WHERE r.seq IN ({marks})"
            )
            records.update((row[0], shape.record(row[1:])) for row in connection.execute(sql))
        listed = [record for record in records.values() if record is not None]
        for child in cursor.statement.children:
            _attach(connection, call, child, listed)
        done = start + size >= len(cursor.rows)
        answer: dict[str, Any] = {"totalSize": len(cursor.rows), "done": done}
        if not done:
            answer["nextRecordsUrl"] = f"{call.data_path}/query/{locator}-{start + size}"
        return {**answer, "records": listed}


def page_size(call: Call) -> int:
    """Rows a page holds: the org's setting, or what Sforce-Query-Options asks for between 200 and 2,000."""
    asked = re.search(r"batchSize=(\d+)", call.headers.get("sforce-query-options", ""))
    size = int(call.org.settings["query_page"])
    return min(max(int(asked.group(1)), 200), 2000) if asked else size


def _attach(connection: sqlite3.Connection, call: Call, child: Child, parents: list[dict[str, Any]]) -> None:
    """Add the records of a child query to the parents they belong to."""
    by_id = {record["attributes"]["url"].rsplit("/", 1)[1]: record for record in parents}
    statement = child.statement
    shape = Shape(statement, call.data_path)
    marks = ",".join("?" * len(by_id))
    narrowed = replace(statement, where=f"{statement.where} AND {statement.columns[-1].expression} IN ({marks})")
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in connection.execute(narrowed.select(shape.expressions), [*statement.parameters, *by_id]):
        record = shape.record(row)
        groups.setdefault(row[-1], []).append(record)
        if child.added:
            record.pop(child.reference)
    for identifier, record in by_id.items():
        found = groups.get(identifier, [])[: child.limit]
        record[child.relationship] = {"totalSize": len(found), "done": True, "records": found} if found else None
