"""Search (`.../search`): filter groups turned into SQL, with HubSpot's limits and its index that lags behind.

https://developers.hubspot.com/docs/api-reference/search/guide. Archived records are never found, 10,000 results are all one query can reach, and a record
changed less than the index lag ago is not found at all (HubSpot would show its old state).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sandbox.hubspot_errors import invalid
from sandbox.hubspot_fields import CALCULATED_PHONES
from sandbox.hubspot_http import Answer, Call, Rule, rule
from sandbox.hubspot_objects import READ, object_of
from sandbox.hubspot_portal import Portal
from sandbox.hubspot_values import iso, milliseconds_of
from sandbox.hubspot_view import View
from sandbox.store import json_value

MOST_RESULTS = 10_000
_MOST_PAGE, _MOST_GROUPS, _MOST_PER_GROUP, _MOST_FILTERS, _MOST_BODY = 200, 5, 6, 18, 3000
_ID_WIDTH = 12
_COLUMNS = {
    "createdate": "created_at",
    "hs_createdate": "created_at",
    "lastmodifieddate": "modified_at",
    "hs_lastmodifieddate": "modified_at",
    "hs_object_id": "record_id",
}
_SIGNS = {"EQ": "=", "LT": "<", "LTE": "<=", "GT": ">", "GTE": ">="}
_DEFAULT_SEARCH = ("firstname", "lastname", "email", "phone", "mobilephone", "company")

Sql = tuple[str, list[Any]]


class Search:
    """The search handler."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    def rules(self) -> list[Rule]:
        """The route."""
        return [rule("POST", "objects/{}/search", self.search, "search", READ)]

    def search(self, call: Call) -> Answer:
        """Filter, sort and page; `after` is an offset."""
        name, body = object_of(call), call.json()
        if len(call.body) > _MOST_BODY:
            raise invalid(f"Request body is too long: the maximum is {_MOST_BODY} characters.")
        limit, offset = _number(body.get("limit", 10), "limit"), _number(body.get("after") or 0, "after")
        if not 1 <= limit <= _MOST_PAGE:
            raise invalid(f"The maximum page size is {_MOST_PAGE}; {limit} was asked for.")
        if offset + limit > MOST_RESULTS:
            raise invalid(f"The maximum number of results this query can reach is {MOST_RESULTS}.")
        where, parameters = self._where(name, body)
        order = self._order(name, body.get("sorts") or [])
        store = self._portal.store
        total = store.count_where(name, where, parameters)
        records = store.query(name, where, parameters, order, limit, offset)
        view = View(self._portal, name, body.get("properties") or [])
        value: dict[str, Any] = {"total": total, "results": [view.show(record) for record in records]}
        if offset + limit < total:
            value["paging"] = {"next": {"after": str(offset + limit)}}
        return Answer(value=value)

    def _where(self, name: str, body: dict[str, Any]) -> Sql:
        groups = body.get("filterGroups") or []
        if body.get("filters"):
            groups = [*groups, {"filters": body["filters"]}]
        filters = [group.get("filters") or [] for group in groups]
        if len(filters) > _MOST_GROUPS:
            raise invalid(f"Too many filter groups: the maximum is {_MOST_GROUPS}.")
        if any(len(group) > _MOST_PER_GROUP for group in filters) or sum(map(len, filters)) > _MOST_FILTERS:
            raise invalid(f"Too many filters: the maximum is {_MOST_PER_GROUP} in a group and {_MOST_FILTERS} in all.")
        clauses = ["deleted_at IS NULL"]
        parameters: list[Any] = []
        lag = int(self._portal.settings["index_lag_ms"])
        lag = max([lag, *(int(fault.options.get("ms", 0)) for fault in self._portal.faults.standing("index_lag"))])
        if lag:
            clauses.append("modified_at <= ?")
            parameters.append(self._portal.now_ms() - lag)
        alternatives = []
        for group in filters:
            parts = [self._filter(name, one) for one in group]
            alternatives.append(" AND ".join(f"({sql})" for sql, _ in parts) or "1")
            parameters += [value for _, values in parts for value in values]
        if alternatives:
            clauses.append("(" + " OR ".join(f"({one})" for one in alternatives) + ")")
        if text := str(body.get("query") or "").strip():
            clauses.append("(" + " OR ".join(f"{json_value(field)} LIKE ?" for field in _DEFAULT_SEARCH) + ")")
            parameters += [f"%{text}%"] * len(_DEFAULT_SEARCH)
        return " AND ".join(clauses), parameters

    def _filter(self, name: str, one: dict[str, Any]) -> Sql:
        property_name, operator = str(one.get("propertyName", "")), str(one.get("operator", ""))
        column, kind = self._column(name, property_name)
        value = _converter(property_name, kind)
        if operator == "HAS_PROPERTY":
            return f"{column} IS NOT NULL", []
        if operator == "NOT_HAS_PROPERTY":
            return f"{column} IS NULL", []
        if operator in ("IN", "NOT_IN"):
            values = one.get("values")
            if not isinstance(values, list) or not values:
                raise invalid(f"operator {operator} requires values")
            marks = ",".join("?" * len(values))
            sql = f"{_comparable(column, kind)} IN ({marks})"
            # A text that is not lower-case finds nothing: HubSpot compares it with lower-cased values.
            given = [value(str(item)) if kind != "text" else str(item) for item in values]
            return (sql, given) if operator == "IN" else (f"{column} IS NULL OR NOT ({sql})", given)
        if one.get("value") is None:
            raise invalid(f"operator {operator or '(none)'} requires a value")
        if operator == "BETWEEN":
            if one.get("highValue") is None:
                raise invalid("operator BETWEEN requires a highValue")
            return f"{_comparable(column, kind)} BETWEEN ? AND ?", [
                value(str(one["value"])),
                value(str(one["highValue"])),
            ]
        if operator in _SIGNS:
            return f"{_comparable(column, kind)} {_SIGNS[operator]} ?", [value(str(one["value"]))]
        if operator == "NEQ":
            return f"{column} IS NULL OR {_comparable(column, kind)} <> ?", [value(str(one["value"]))]
        if operator in ("CONTAINS_TOKEN", "NOT_CONTAINS_TOKEN"):
            pattern = "%" + str(one["value"]).replace("*", "%") + "%"
            return (
                (f"{column} LIKE ?", [pattern])
                if operator == "CONTAINS_TOKEN"
                else (f"coalesce({column}, '') NOT LIKE ?", [pattern])
            )
        raise invalid(f"Invalid operator: {operator}")

    def _column(self, name: str, property_name: str) -> tuple[str, str]:
        """(SQL expression, kind of comparison) of a property. Raises 400 for one that does not exist or cannot be searched."""
        definition = self._portal.definitions(name).get(property_name)
        if definition is None or (name == "contacts" and property_name in ("hs_createdate", "hs_lastmodifieddate")):
            raise invalid(f"There was a problem with the request: property {property_name!r} does not exist.")
        if property_name in _COLUMNS:
            return _COLUMNS[property_name], "id" if property_name == "hs_object_id" else "moment"
        if property_name in CALCULATED_PHONES:
            expression = json_value(CALCULATED_PHONES[property_name])
            return (f"ltrim({expression}, '+')" if "international" in property_name else expression), "exact"
        kinds = {"number": "number", "datetime": "iso", "date": "date", "enumeration": "exact", "bool": "exact"}
        return json_value(property_name), kinds.get(definition["type"], "text")

    def _order(self, name: str, sorts: list[Any]) -> str:
        if len(sorts) > 1:
            raise invalid("Only one sort is supported.")
        if not sorts:
            return "record_id"
        first = sorts[0]
        if isinstance(first, str):
            property_name, descending = first.lstrip("-"), first.startswith("-")
        else:
            property_name, descending = (
                str(first.get("propertyName", "")),
                str(first.get("direction", "")).startswith("DESC"),
            )
        column, kind = self._column(name, property_name)
        way = "DESC" if descending else "ASC"
        return f"record_id {way}" if kind == "id" else f"{_comparable(column, kind)} {way}, record_id"


def _comparable(column: str, kind: str) -> str:
    if kind == "text":
        return f"lower({column})"
    return f"CAST({column} AS REAL)" if kind == "number" else column


def _converter(property_name: str, kind: str) -> Callable[[str], Any]:
    def moment(text: str) -> int:
        found = milliseconds_of(text)
        if found is None:
            raise invalid(f"{text} is not a valid value for {property_name}: epoch milliseconds or ISO 8601.")
        return found

    def number(text: str) -> float:
        try:
            return float(text)
        except ValueError as exc:
            raise invalid(f"{text} is not a valid number for {property_name}.") from exc

    def record_id(text: str) -> str:
        if not text.isdigit():
            raise invalid(f"{text} is not a valid number for {property_name}.")
        return text.zfill(_ID_WIDTH)

    return {
        "moment": moment,
        "iso": lambda text: iso(moment(text)),
        "date": lambda text: iso(moment(text))[:10],
        "number": number,
        "id": record_id,
        "text": str.lower,
    }.get(kind, str)


def _number(value: Any, name: str) -> int:
    text = str(value)
    if not text.isdigit():
        raise invalid(f"{name} must be an integer.")
    return int(text)
