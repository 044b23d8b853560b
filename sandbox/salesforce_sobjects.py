"""Single records over REST: create, read, update under a condition, upsert by external id, delete, and what changed or went since a time."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from starlette.responses import Response

from sandbox.salesforce_answers import Shape, rows_of
from sandbox.salesforce_describe import view_of
from sandbox.salesforce_errors import RequestError, RowError, no_such_column, not_found
from sandbox.salesforce_http import Call, Rule, json_response
from sandbox.salesforce_ids import json_time, long_id, parse_time
from sandbox.salesforce_rows import Rows, terms_of
from sandbox.salesforce_schema import View
from sandbox.salesforce_soql import Comparison, Literal, Query
from sandbox.salesforce_soql_sql import compile_query

_LONGEST_WINDOW_MS = 30 * 86_400_000
_MOST_IDS = 600_000


class SObjects:
    """The record resources of one org."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows

    def rules(self) -> list[Rule]:
        """The paths; `updated` and `deleted` come before ids."""
        return [
            Rule("GET", "/data/sobjects/{sobject}/updated", self.updated),
            Rule("GET", "/data/sobjects/{sobject}/deleted", self.deleted),
            Rule("POST", "/data/sobjects/{sobject}", self.create, "write"),
            Rule("GET", "/data/sobjects/{sobject}/{identifier}", self.read),
            Rule("PATCH", "/data/sobjects/{sobject}/{identifier}", self.update, "write"),
            Rule("DELETE", "/data/sobjects/{sobject}/{identifier}", self.delete, "write"),
            Rule("GET", "/data/sobjects/{sobject}/{field}/{value}", self.read_external),
            Rule("PATCH", "/data/sobjects/{sobject}/{field}/{value}", self.upsert, "write"),
        ]

    async def create(self, call: Call) -> Response:
        """A new record."""
        view = view_of(call)
        outcome = self.rows.create(view, [without_attributes(await call.json_object())], terms_of(call))[0]
        if isinstance(outcome, RowError):
            raise outcome
        return json_response({"id": outcome, "success": True, "errors": []}, 201)

    async def read(self, call: Call) -> Response:
        """One living record, whole or the fields asked for."""
        view = view_of(call)
        return await self._record(call, view, _identifier(view, call.parts["identifier"]))

    async def read_external(self, call: Call) -> Response:
        """One living record by external id."""
        view = view_of(call)
        found = self.rows.by_external_id(view, call.parts["field"], call.parts["value"])
        if len(found) > 1:
            return _choices(call, view, found)
        return await self._record(call, view, found[0] if found else "")

    async def update(self, call: Call) -> Response:
        """Change a record, unless it was modified after If-Unmodified-Since (412, and nothing is written)."""
        view = view_of(call)
        identifier = _identifier(view, call.parts["identifier"])
        values = without_attributes(await call.json_object())
        self._check_unmodified(call, view, identifier)
        outcome = self.rows.update(view, [(identifier, values)], terms_of(call))[0]
        if isinstance(outcome, RowError):
            raise (
                RequestError(404, "NOT_FOUND", "The requested resource does not exist")
                if outcome.status == 404 and outcome.code != "ENTITY_IS_DELETED"
                else outcome
            )
        return Response(status_code=204)

    async def upsert(self, call: Call) -> Response:
        """Create or change the record an external id names."""
        view = view_of(call)
        field, value = call.parts["field"], call.parts["value"]
        values = without_attributes(await call.json_object())
        found = self.rows.by_external_id(view, field, value)
        if len(found) > 1:
            return _choices(call, view, found)
        terms = terms_of(call)
        if found:
            outcome = self.rows.update(view, [(found[0], values)], terms)[0]
        else:
            outcome = self.rows.create(view, [{**values, field: value}], terms)[0]
        if isinstance(outcome, RowError):
            raise outcome
        return json_response(
            {"id": outcome, "success": True, "errors": [], "created": not found}, 200 if found else 201
        )

    async def delete(self, call: Call) -> Response:
        """Put a record into the recycle bin."""
        view = view_of(call)
        outcome = self.rows.delete(view, [_identifier(view, call.parts["identifier"])], terms_of(call))[0]
        if isinstance(outcome, RowError):
            raise not_found() if outcome.status == 404 and outcome.code != "ENTITY_IS_DELETED" else outcome
        return Response(status_code=204)

    async def updated(self, call: Call) -> Response:
        """Ids of records created or changed in a window of at most 30 days."""
        view = view_of(call)
        start, end = self._window(call)
        sql = "SELECT record_id FROM records WHERE object = ? AND modified_at >= ? AND modified_at < ? AND deleted_at IS NULL ORDER BY modified_at, record_id"
        rows = await call.org.readers.run(
            lambda connection: connection.execute(sql, (view.name, start, end)).fetchall()
        )
        if len(rows) > _MOST_IDS:
            raise RequestError(
                400, "EXCEEDED_ID_LIMIT", "The number of ids returned exceeds 600,000. Narrow the window."
            )
        return json_response({"ids": [identifier for (identifier,) in rows], "latestDateCovered": json_time(end)})

    async def deleted(self, call: Call) -> Response:
        """Ids of records deleted or merged away in a window of at most 30 days."""
        view = view_of(call)
        start, end = self._window(call)
        sql = "SELECT record_id, deleted_at FROM records WHERE object = ? AND deleted_at >= ? AND deleted_at < ? ORDER BY deleted_at, record_id"
        rows = await call.org.readers.run(
            lambda connection: connection.execute(sql, (view.name, start, end)).fetchall()
        )
        earliest = json_time(call.org.now_ms() - _LONGEST_WINDOW_MS)
        gone = [{"id": identifier, "deletedDate": json_time(moment)} for identifier, moment in rows]
        return json_response(
            {"deletedRecords": gone, "earliestDateAvailable": earliest, "latestDateCovered": json_time(end)}
        )

    def _window(self, call: Call) -> tuple[int, int]:
        try:
            start, end = (parse_time(call.query[name]) // 60_000 * 60_000 for name in ("start", "end"))
        except (KeyError, ValueError):
            raise RequestError(
                400, "INVALID_QUERY_FILTER_OPERATOR", "start and end have to be ISO 8601 date-times with an offset"
            ) from None
        if end - start < 60_000:
            raise RequestError(
                400, "INVALID_REPLICATION_DATE", "endDate must be at least one minute greater than startDate"
            )
        if start < call.org.now_ms() - _LONGEST_WINDOW_MS:
            raise RequestError(400, "INVALID_REPLICATION_DATE", "startDate cannot be more than 30 days ago")
        return start, end

    def _check_unmodified(self, call: Call, view: View, identifier: str) -> None:
        condition = call.headers.get("if-unmodified-since")
        record = self.rows.org.store.get(view.name, identifier) if condition else None
        if record is not None and condition is not None and record.modified_at // 1000 > _http_date(condition):
            raise RequestError(
                412, "PRECONDITION_FAILED", "The record has been modified since the date in If-Unmodified-Since"
            )

    async def _record(self, call: Call, view: View, identifier: str) -> Response:
        record = self.rows.org.store.get(view.name, identifier)
        if record is None:
            raise not_found()
        if record.deleted_at is not None:
            raise RequestError(404, "ENTITY_IS_DELETED", "entity is deleted", with_fields=True)
        since = call.headers.get("if-modified-since")
        if since is not None and record.modified_at // 1000 <= _http_date(since):
            return Response(status_code=304)
        names = [name.strip() for name in call.query.get("fields", "").split(",") if name.strip()]
        for name in names:
            if "." not in name and view.field(name) is None:
                raise no_such_column(name, view.name)
        columns: list[Any] = list(names or [field.name for field in view.fields.values()])
        query = Query(view.name, columns, Comparison("Id", "=", Literal("string", identifier)))
        statement = compile_query(call.org.schema, query, "", call.org.now_ms())
        shape = Shape(statement, call.data_path)
        rows = await call.org.readers.run(lambda connection: rows_of(connection, statement, shape.expressions))
        modified = datetime.fromtimestamp(record.modified_at // 1000, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
        return json_response(shape.record(rows[0]), headers={"last-modified": modified})


def without_attributes(values: dict[str, Any]) -> dict[str, Any]:
    """A row without its `attributes`, which name the object and are no field."""
    return {name: value for name, value in values.items() if name != "attributes"}


def _identifier(view: View, text: str) -> str:
    identifier = long_id(text)
    if identifier is None or not identifier.startswith(view.sobject.prefix):
        raise RequestError(404, "NOT_FOUND", f"Provided external ID field does not exist or is not accessible: {text}")
    return identifier


def _choices(call: Call, view: View, found: list[str]) -> Response:
    return json_response([f"{call.data_path}/sobjects/{view.name}/{identifier}" for identifier in found], 300)


def _http_date(text: str) -> int:
    try:
        return int(parsedate_to_datetime(text).timestamp())
    except ValueError:
        raise RequestError(400, "INVALID_DATE_FORMAT", f"{text} is not an HTTP date") from None
