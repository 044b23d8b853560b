"""Stored rows as REST shows them: JSON records with their `attributes`, parents nested."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from sandbox.salesforce_fields import Field
from sandbox.salesforce_ids import json_time
from sandbox.salesforce_soql_sql import Statement

Row = tuple[Any, ...]


def json_value(field: Field) -> Callable[[Any], Any] | None:
    """What turns a stored value of `field` into its JSON form; None where nothing has to change."""
    if field.type == "boolean":
        return bool
    if field.type == "address":
        return _address
    if field.type == "datetime" and field.source != "json":
        return json_time
    return None


def attributes(data_path: str, sobject: str, identifier: str) -> dict[str, str]:
    """The `attributes` every record carries."""
    return {"type": sobject, "url": f"{data_path}/sobjects/{sobject}/{identifier}"}


class Shape:
    """How the rows of one statement become records. `expressions` is what the SQL has to select, in order."""

    def __init__(self, statement: Statement, data_path: str) -> None:
        self.data_path = data_path
        self.view_name = statement.view.name
        self.aggregates = statement.query.aggregates
        own = [] if self.aggregates else ["r.record_id"]
        self._parents = [(path, len(own) + 2 * place) for place, (path, _, _) in enumerate(statement.parents)]
        first = len(own) + 2 * len(statement.parents)
        self._columns = [
            (column.path[:-1], column.path[-1], first + place, json_value(column.field))
            for place, column in enumerate(statement.columns)
        ]
        self.expressions = [
            *own,
            *(sql for _, sobject, identifier in statement.parents for sql in (sobject, identifier)),
            *(column.expression for column in statement.columns),
        ]

    def record(self, row: Sequence[Any]) -> dict[str, Any]:
        """One row as a record."""
        if self.aggregates:
            answer: dict[str, Any] = {"attributes": {"type": "AggregateResult"}}
        else:
            answer = {"attributes": attributes(self.data_path, self.view_name, row[0])}
        nested: dict[tuple[str, ...], dict[str, Any] | None] = {(): answer}
        for path, place in self._parents:
            holder = nested[path[:-1]]
            inner = (
                None
                if row[place + 1] is None
                else {"attributes": attributes(self.data_path, row[place], row[place + 1])}
            )
            nested[path] = inner
            if holder is not None:
                holder[path[-1]] = inner
        for path, name, place, convert in self._columns:
            target = nested[path]
            if target is not None:
                value = row[place]
                target[name] = value if convert is None or value is None else convert(value)
        return answer


def rows_of(connection: sqlite3.Connection, statement: Statement, expressions: list[str]) -> list[Row]:
    """Every row of the statement, with its grouping."""
    return connection.execute(grouped(statement, expressions), statement.parameters).fetchall()


def grouped(statement: Statement, expressions: list[str]) -> str:
    """The statement's SQL, with GROUP BY where it has one."""
    by_name = {".".join(column.path).lower(): column.expression for column in statement.columns}
    groups = [by_name.get(path.lower(), path) for path in statement.query.group]
    if not groups:
        return statement.select(expressions, ordered=bool(statement.query.order) or not statement.query.aggregates)
    order = f" ORDER BY {statement.order}" if statement.query.order else ""
    return (
        f"SELECT {', '.join(expressions)} FROM {statement.tables} WHERE {statement.where}"
        f" GROUP BY {', '.join(groups)}{order}{statement.limits}"
    )


def _address(text: str) -> dict[str, Any] | None:
    parts: dict[str, Any] = orjson.loads(text)
    return parts if any(value is not None for value in parts.values()) else None
