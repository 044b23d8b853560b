"""Turns a SOQL tree into one SQL statement over the record store, with every field checked against what the user sees."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.salesforce_errors import RequestError, no_such_column, no_such_type
from sandbox.salesforce_fields import ADDRESS_PARTS, Field
from sandbox.salesforce_ids import json_time, long_id, parse_time
from sandbox.salesforce_schema import View, Views
from sandbox.salesforce_soql import Aggregate, Comparison, Condition, Junction, Literal, Membership, Query

_NEVER_NULL = {"id", "created", "modified", "deleted"}


@dataclass(frozen=True)
class Column:
    """One selected column: where it goes in the answer, what it is, and the SQL expression of its stored value."""

    path: tuple[str, ...]
    field: Field
    expression: str


@dataclass(frozen=True)
class Child:
    """A child query of the SELECT list: records whose last column, `reference`, names their parent. It is `added` where the query did not ask for it."""

    relationship: str
    statement: Statement
    reference: str
    added: bool
    limit: int | None


@dataclass(frozen=True)
class Statement:
    """A query ready to run. `parents` are (path, SQL of the parent's object, SQL of its id) for every relationship that columns pass through."""

    view: View
    query: Query
    columns: list[Column]
    children: list[Child]
    parents: list[tuple[tuple[str, ...], str, str]]
    tables: str
    where: str
    parameters: list[Any]
    order: str

    @property
    def limits(self) -> str:
        """The LIMIT clause, empty without one."""
        if self.query.limit is None and not self.query.offset:
            return ""
        return f" LIMIT {-1 if self.query.limit is None else self.query.limit} OFFSET {self.query.offset}"

    def select(self, expressions: list[str], *, ordered: bool = True) -> str:
        """The whole statement for the given result expressions."""
        order = f" ORDER BY {self.order}" if ordered else ""
        return f"SELECT {', '.join(expressions)} FROM {self.tables} WHERE {self.where}{order}{self.limits}"


def stored(alias: str, name: str) -> str:
    """SQL for a JSON field of the row called `alias`."""
    return f"json_extract({alias}.fields,'$.{name}')"


def value_sql(alias: str, field: Field, now_ms: int) -> str:
    """SQL for a field's stored value: text, number, 1 and 0 for booleans, epoch milliseconds for the row's own dates."""
    member = f"(SELECT {{}} FROM records m WHERE m.object = iif({stored(alias, 'ContactId')} IS NULL, 'Lead', 'Contact') AND m.record_id = coalesce({stored(alias, 'ContactId')}, {stored(alias, 'LeadId')}))"
    person = "nullif(trim(coalesce({0} || ' ', '') || coalesce({1}, '')), '')"
    derived = {
        "id": f"{alias}.record_id",
        "created": f"{alias}.created_at",
        "modified": f"{alias}.modified_at",
        "deleted": f"({alias}.deleted_at IS NOT NULL)",
        "master": f"{alias}.merged_into",
        "person_name": person.format(stored(alias, "FirstName"), stored(alias, "LastName")),
        "task_closed": f"coalesce({stored(alias, 'Status')} = 'Completed', 0)",
        "task_archived": f"coalesce({stored(alias, 'Status')} = 'Completed' AND {stored(alias, 'ActivityDate')} < '{_archive_day(now_ms)}', 0)",
        "member_phone": member.format(stored("m", "Phone")),
        "member_mobile": member.format(stored("m", "MobilePhone")),
        "member_do_not_call": f"coalesce({member.format(stored('m', 'DoNotCall'))}, 0)",
        "member_name": member.format(person.format(stored("m", "FirstName"), stored("m", "LastName"))),
        "member_responded": f"EXISTS (SELECT 1 FROM records s WHERE s.object = 'CampaignMemberStatus' AND {stored('s', 'CampaignId')} = {stored(alias, 'CampaignId')}"
        f" AND {stored('s', 'Label')} = {stored(alias, 'Status')} AND {stored('s', 'HasResponded')})",
    }
    if field.source == "address":
        prefix = field.name.removesuffix("Address")
        pairs = ", ".join(f"'{part[0].lower()}{part[1:]}', {stored(alias, prefix + part)}" for part in ADDRESS_PARTS)
        return f"json_object({pairs})"
    if field.source != "json":
        return derived[field.source]
    return f"coalesce({stored(alias, field.name)}, 0)" if field.type == "boolean" else stored(alias, field.name)


def compile_query(schema: Views, query: Query, text: str, now_ms: int, *, include_deleted: bool = False) -> Statement:
    """The statement for a query. Raises RequestError INVALID_TYPE, INVALID_FIELD or MALFORMED_QUERY as Salesforce would."""
    return _Compiler(schema, query, text, now_ms, include_deleted, "r").statement()


class _Compiler:
    def __init__(self, schema: Views, query: Query, text: str, now_ms: int, include_deleted: bool, alias: str) -> None:
        view = schema.view(query.entity)
        if view is None:
            raise no_such_type(query.entity)
        self.schema = schema
        self.view = view
        self.query = query
        self.text = text
        self.now_ms = now_ms
        self.include_deleted = include_deleted
        self.alias = alias
        self.joins: dict[tuple[str, ...], tuple[str, View]] = {}
        self.join_sql: list[str] = []
        self.parameters: list[Any] = []

    def statement(self) -> Statement:
        query = self.query
        columns: list[Column] = []
        children: list[Child] = []
        for one in query.columns:
            if isinstance(one, Query):
                children.append(self.child(one))
            elif isinstance(one, str):
                columns.append(self.column(one))
            elif one.path:
                columns.append(self.aggregate(one, len(columns)))
        conditions = [f"{self.alias}.object = '{self.view.name}'"]
        if not (self.include_deleted or query.all_rows):
            conditions.append(f"{self.alias}.deleted_at IS NULL")
            archived = self.view.field("IsArchived")
            if archived is not None:
                conditions.append(f"NOT {value_sql(self.alias, archived, self.now_ms)}")
        if query.where is not None:
            conditions.append(self.condition(query.where))
        order = [self.sort_key(one.path, one.descending, one.nulls_last) for one in query.order]
        if not query.aggregates and not any(one.path.lower() == "id" for one in query.order):
            order.append(f"{self.alias}.record_id")
        shown = {column.path[:depth] for column in columns for depth in range(1, len(column.path))}
        parents = [
            (path, f"{alias}.object", f"{alias}.record_id") for path, (alias, _) in self.joins.items() if path in shown
        ]
        return Statement(
            self.view,
            query,
            columns,
            children,
            parents,
            " ".join([f"records {self.alias}", *self.join_sql]),
            " AND ".join(conditions),
            self.parameters,
            ", ".join(order) or "1",
        )

    def column(self, path: str) -> Column:
        expression, field, names = self.resolve(path)
        return Column(names, field, expression)

    def aggregate(self, wanted: Aggregate, place: int) -> Column:
        expression, field, _ = self.resolve(wanted.path)
        functions = {
            "COUNT": "count({})",
            "COUNT_DISTINCT": "count(DISTINCT {})",
            "MIN": "min({})",
            "MAX": "max({})",
            "SUM": "sum({})",
            "AVG": "avg({})",
        }
        counted = wanted.function.startswith("COUNT") or wanted.function in {"SUM", "AVG"}
        kind = Field("count", "count", "int") if counted else field
        return Column((wanted.alias or f"expr{place}",), kind, functions[wanted.function].format(expression))

    def child(self, query: Query) -> Child:
        for relationship, sobject, reference in self.view.sobject.children:
            if relationship.lower() == query.entity.lower():
                asked = any(isinstance(column, str) and column.lower() == reference.lower() for column in query.columns)
                plain = Query(sobject, [*query.columns, reference], query.where, [], query.order)
                inner = _Compiler(self.schema, plain, self.text, self.now_ms, self.include_deleted, "r")
                return Child(relationship, inner.statement(), reference, not asked, query.limit)
        raise RequestError(
            400, "INVALID_TYPE", f"Didn't understand relationship '{query.entity}' in FROM part of query call."
        )

    def resolve(self, path: str) -> tuple[str, Field, tuple[str, ...]]:
        """(SQL, field, canonical path) of `Account.Owner.Name`, joining the parents it passes through."""
        *parents, last = path.split(".")
        alias, view = self.alias, self.view
        canonical: tuple[str, ...] = ()
        for name in parents:
            reference = view.relationship(name)
            parent_view = self.schema.view(reference.references[0]) if reference and reference.references else None
            if reference is None or parent_view is None or not reference.relationship:
                raise RequestError(400, "INVALID_FIELD", f"Didn't understand relationship '{name}' in field path.")
            canonical = (*canonical, reference.relationship)
            if canonical not in self.joins:
                joined = f"{self.alias}p{len(self.joins)}"
                objects = ", ".join(f"'{one}'" for one in reference.references)
                self.join_sql.append(
                    f"LEFT JOIN records {joined} ON {joined}.object IN ({objects}) AND {joined}.record_id = {value_sql(alias, reference, self.now_ms)}"
                )
                self.joins[canonical] = (joined, parent_view)
            alias, view = self.joins[canonical]
        field = view.field(last)
        if field is None:
            raise no_such_column(last, view.name, self.text)
        return value_sql(alias, field, self.now_ms), field, (*canonical, field.name)

    def sort_key(self, path: str, descending: bool, nulls_last: bool) -> str:
        aliases = {one.alias for one in self.query.columns if isinstance(one, Aggregate) and one.alias}
        if path in aliases:
            return f"{path}{' DESC' if descending else ''}"
        expression, field, _ = self.resolve(path)
        collate = " COLLATE NOCASE" if field.readable_text else ""
        nulls = "" if field.source in _NEVER_NULL else " NULLS LAST" if nulls_last else " NULLS FIRST"
        return f"{expression}{collate}{' DESC' if descending else ''}{nulls}"

    def condition(self, wanted: Condition) -> str:
        if isinstance(wanted, Junction):
            parts = [self.condition(part) for part in wanted.parts]
            return f"NOT ({parts[0]})" if wanted.word == "NOT" else "(" + f" {wanted.word} ".join(parts) + ")"
        expression, field, _ = self.resolve(wanted.path)
        if field.type in {"address"} or (field.type == "textarea" and field.length > 255):
            raise RequestError(400, "INVALID_FIELD", f"field '{field.name}' can not be filtered in a query call")
        if isinstance(wanted, Membership):
            return self.membership(expression, field, wanted)
        return self.comparison(expression, field, wanted)

    def membership(self, expression: str, field: Field, wanted: Membership) -> str:
        collate = " COLLATE NOCASE" if field.readable_text else ""
        if isinstance(wanted.values, Query):
            inner = _Compiler(
                self.schema, wanted.values, self.text, self.now_ms, self.include_deleted, self.alias + "s"
            )
            inner.parameters = self.parameters
            statement = inner.statement()
            inside = statement.select([statement.columns[0].expression], ordered=False)
        else:
            values = [self.value(field, literal) for literal in wanted.values]
            self.parameters.extend(values)
            inside = ",".join("?" * len(values))
        if wanted.negated:
            return f"({expression} IS NULL OR {expression}{collate} NOT IN ({inside}))"
        return f"{expression}{collate} IN ({inside})"

    def comparison(self, expression: str, field: Field, wanted: Comparison) -> str:
        if wanted.operator == "LIKE":
            if not field.readable_text or wanted.value.kind != "string":
                raise RequestError(400, "INVALID_FIELD", f"invalid operator on {field.type} field '{field.name}': like")
            self.parameters.append(wanted.value.text)
            return f"{expression} LIKE ? ESCAPE '\\'"
        if wanted.value.kind == "name" and field.type in {"datetime", "date"}:
            return self.named_days(expression, field, wanted)
        value = self.value(field, wanted.value)
        if value is None:
            if wanted.operator not in {"=", "!="}:
                raise RequestError(400, "MALFORMED_QUERY", f"unexpected token: '{wanted.operator}'")
            return f"{expression} IS {'NOT ' if wanted.operator == '!=' else ''}NULL"
        self.parameters.append(value)
        collate = " COLLATE NOCASE" if field.readable_text else ""
        if wanted.operator == "!=":
            return f"({expression} IS NULL OR {expression} <> ?{collate})"
        return f"{expression} {wanted.operator} ?{collate}"

    def value(self, field: Field, literal: Literal) -> Any:
        """The SQL parameter for a literal compared with `field`; None for null and the empty string."""
        kind, text = literal.kind, literal.text
        if kind == "null" or (kind == "string" and not text and field.type not in {"id", "reference"}):
            return None
        wrong = RequestError(
            400,
            "INVALID_FIELD",
            f"value of filter criterion for field '{field.name}' must be of type {_soap_kind(field)} and should not be enclosed in quotes",
        )
        if field.type in {"id", "reference"}:
            identifier = long_id(text) if kind == "string" else None
            if identifier is None:
                raise RequestError(400, "INVALID_QUERY_FILTER_OPERATOR", f"invalid ID field: {text}")
            return identifier
        if field.type == "boolean" and kind == "boolean":
            return int(text == "true")
        if field.type in {"int", "double"} and kind == "number":
            return float(text)
        if field.type == "datetime" and kind == "datetime":
            moment = parse_time(text)
            return moment if field.source != "json" else json_time(moment)
        if field.type == "date" and kind == "date":
            return text
        if field.readable_text:
            if kind == "string":
                return text
            raise RequestError(
                400,
                "INVALID_FIELD",
                f"value of filter criterion for field '{field.name}' must be of type string and should be enclosed in quotes",
            )
        raise wrong

    def named_days(self, expression: str, field: Field, wanted: Comparison) -> str:
        """TODAY, YESTERDAY, TOMORROW, LAST_N_DAYS:n as a half-open range of days, UTC."""
        name, _, count = wanted.value.text.partition(":")
        today = datetime.fromtimestamp(self.now_ms / 1000, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        spans = {
            "TODAY": (0, 1),
            "YESTERDAY": (-1, 0),
            "TOMORROW": (1, 2),
            "LAST_N_DAYS": (-int(count or 0), 1),
            "NEXT_N_DAYS": (1, int(count or 0) + 1),
        }
        if name not in spans:
            raise RequestError(400, "MALFORMED_QUERY", f"unexpected token: '{wanted.value.text}'")
        start, end = (self.day(field, today + timedelta(days=days)) for days in spans[name])
        if wanted.operator == "=":
            self.parameters.extend((start, end))
            return f"({expression} >= ? AND {expression} < ?)"
        edge, sign = {"<": (start, "<"), ">=": (start, ">="), "<=": (end, "<"), ">": (end, ">=")}.get(
            wanted.operator, (start, "<>")
        )
        self.parameters.append(edge)
        return f"{expression} {sign} ?"

    def day(self, field: Field, moment: datetime) -> Any:
        milliseconds = int(moment.timestamp() * 1000)
        if field.type == "date":
            return moment.strftime("%Y-%m-%d")
        return milliseconds if field.source != "json" else json_time(milliseconds)


def _archive_day(now_ms: int) -> str:
    """Closed tasks due before this day are archived: only queryAll shows them."""
    return (datetime.fromtimestamp(now_ms / 1000, UTC) - timedelta(days=365)).strftime("%Y-%m-%d")


def _soap_kind(field: Field) -> str:
    return {"datetime": "dateTime", "date": "date", "boolean": "boolean", "int": "int", "double": "double"}.get(
        field.type, field.type
    )
