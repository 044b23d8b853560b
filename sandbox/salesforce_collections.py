"""sObject Collections: up to 200 records in one request, one outcome for each, in request order, and HTTP 200 even if every row failed."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from starlette.responses import Response

from sandbox.salesforce_answers import Shape, rows_of
from sandbox.salesforce_describe import view_of
from sandbox.salesforce_errors import RequestError, RowError, no_such_column, no_such_type
from sandbox.salesforce_http import Call, Rule, json_response
from sandbox.salesforce_ids import long_id
from sandbox.salesforce_rows import ROLLED_BACK, Outcome, Rows, Terms, terms_of
from sandbox.salesforce_schema import View, object_of_prefix
from sandbox.salesforce_sobjects import without_attributes
from sandbox.salesforce_soql import Literal, Membership, Query
from sandbox.salesforce_soql_sql import compile_query

MOST_RECORDS = 200
MOST_CHUNKS = 10
MOST_READ = 2000


class _RolledBack(Exception):
    """Leaves the transaction of an all-or-none request."""


class Collections:
    """The `composite/sobjects` resources of one org."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows

    def rules(self) -> list[Rule]:
        """The paths."""
        return [
            Rule("POST", "/data/composite/sobjects", self.create, "write"),
            Rule("PATCH", "/data/composite/sobjects", self.update, "write"),
            Rule("DELETE", "/data/composite/sobjects", self.delete, "write"),
            Rule("GET", "/data/composite/sobjects/{sobject}", self.read),
            Rule("POST", "/data/composite/sobjects/{sobject}", self.read),
            Rule("PATCH", "/data/composite/sobjects/{sobject}/{field}", self.upsert, "write"),
        ]

    async def create(self, call: Call) -> Response:
        """New records."""
        records, terms = await self._asked(call)
        results: list[dict[str, Any]] = []
        for view, chunk in self._chunks(call, records):
            outcomes = self.rows.create(view, [without_attributes(record) for record in chunk], terms)
            results.extend(_result(outcome) for outcome in outcomes)
        return json_response(results)

    async def update(self, call: Call) -> Response:
        """Changes by record id."""
        records, terms = await self._asked(call)
        try:
            with self.rows.org.store.transaction():
                outcomes = self._update(call, records, terms)
                if terms.all_or_none and any(isinstance(outcome, RowError) for outcome in outcomes):
                    raise _RolledBack
        except _RolledBack:
            outcomes = [ROLLED_BACK if isinstance(outcome, str) else outcome for outcome in outcomes]
        return json_response([_result(outcome) for outcome in outcomes])

    def _update(self, call: Call, records: list[dict[str, Any]], terms: Terms) -> list[Outcome]:
        outcomes: list[Outcome] = []
        for view, chunk in self._chunks(call, records):
            rows = [
                (
                    _id_of(record),
                    {name: value for name, value in record.items() if name.lower() not in {"attributes", "id"}},
                )
                for record in chunk
            ]
            outcomes.extend(self.rows.update(view, rows, terms))
        return outcomes

    async def upsert(self, call: Call) -> Response:
        """Create or change by an external id."""
        records, terms = await self._asked(call)
        view = view_of(call)
        name = call.parts["field"]
        results = []
        for record in records:
            values = without_attributes(record)
            key = next((str(value) for field, value in values.items() if field.lower() == name.lower()), "")
            found = self.rows.by_external_id(view, name, key)
            rest = {field: value for field, value in values.items() if field.lower() != name.lower()}
            outcome: Outcome
            if len(found) > 1:
                outcome = RowError(
                    "DUPLICATE_EXTERNAL_ID", f"{name}: more than one record found for external id field: {found}"
                )
            elif found:
                outcome = self.rows.update(view, [(found[0], rest)], terms)[0]
            elif name.lower() == "id":
                outcome = RowError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
            else:
                outcome = self.rows.create(view, [values], terms)[0]
            results.append(_result(outcome) | ({"created": not found} if isinstance(outcome, str) else {}))
        return json_response(results)

    async def delete(self, call: Call) -> Response:
        """Records into the recycle bin, by id, of any object."""
        identifiers = [identifier for identifier in call.query.get("ids", "").split(",") if identifier]
        _check_size(len(identifiers))
        terms = terms_of(call, all_or_none=call.query.get("allOrNone", "false").lower() == "true")
        results: list[dict[str, Any]] = []
        for name, group in groupby(identifiers, object_of_prefix):
            view = call.org.schema.view(name or "")
            chunk = list(group)
            if view is None:
                results.extend(
                    _result(RowError("MALFORMED_ID", f"bad id {identifier}", ("Id",))) for identifier in chunk
                )
            else:
                results.extend(_result(outcome) for outcome in self.rows.delete(view, chunk, terms))
        return json_response(results)

    async def read(self, call: Call) -> Response:
        """Fields of up to 2,000 records by id, null for those that are not there."""
        view = view_of(call)
        if call.method == "POST":
            body = await call.json_object()
            identifiers, names = body.get("ids") or [], body.get("fields") or []
        else:
            identifiers, names = call.query.get("ids", "").split(","), call.query.get("fields", "").split(",")
        if len(identifiers) > MOST_READ:
            raise RequestError(400, "EXCEEDED_MAX_SIZE_REQUEST", f"The number of ids exceeds {MOST_READ}")
        for name in names:
            if "." not in name and view.field(name) is None:
                raise no_such_column(name, view.name)
        wanted = [long_id(str(identifier)) or "" for identifier in identifiers]
        literals = tuple(Literal("string", identifier) for identifier in wanted if identifier)
        query = Query(view.name, list(dict.fromkeys(["Id", *names])), Membership("Id", False, literals))
        statement = compile_query(call.org.schema, query, "", call.org.now_ms())
        shape = Shape(statement, call.data_path)
        rows = await call.org.readers.run(lambda connection: rows_of(connection, statement, shape.expressions))
        found = {row[0]: shape.record(row) for row in rows}
        return json_response([found.get(identifier) for identifier in wanted])

    async def _asked(self, call: Call) -> tuple[list[dict[str, Any]], Terms]:
        body = await call.json_object()
        records = body.get("records")
        if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
            raise RequestError(400, "JSON_PARSER_ERROR", "The request has to hold a list of records")
        _check_size(len(records))
        return records, terms_of(call, all_or_none=body.get("allOrNone") is True)

    def _chunks(self, call: Call, records: list[dict[str, Any]]) -> list[tuple[View, list[dict[str, Any]]]]:
        """Records in runs of one object. Raises RequestError where there are more than ten, or an object is unknown."""
        chunks = []
        for name, group in groupby(records, lambda record: str((record.get("attributes") or {}).get("type", ""))):
            view = call.org.schema.view(name)
            if view is None:
                raise no_such_type(name)
            chunks.append((view, list(group)))
        if len(chunks) > MOST_CHUNKS:
            raise RequestError(
                400,
                "INVALID_INPUT",
                f"The number of chunks of one object type exceeds {MOST_CHUNKS}: {len(chunks)}. Group the records by type.",
            )
        return chunks


def _check_size(count: int) -> None:
    if count > MOST_RECORDS:
        raise RequestError(
            400,
            "EXCEEDED_MAX_SIZE_REQUEST",
            f"record limit reached. cannot submit more than {MOST_RECORDS} records in this operation",
        )
    if not count:
        raise RequestError(400, "REQUIRED_FIELD_MISSING", "The request holds no records")


def _id_of(record: dict[str, Any]) -> str:
    return str(next((value for name, value in record.items() if name.lower() == "id"), ""))


def _result(outcome: Outcome) -> dict[str, Any]:
    if isinstance(outcome, RowError):
        return {"success": False, "errors": [outcome.collection()]}
    return {"id": outcome, "success": True, "errors": []}
