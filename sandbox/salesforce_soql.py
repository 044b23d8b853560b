"""Reads SOQL into a small tree. What the words mean for the org's objects is `salesforce_soql_sql`'s business.

The grammar: SELECT of fields, parent paths, aggregates and child queries, FROM one object, WHERE with AND, OR, NOT and brackets, GROUP BY, ORDER BY
with NULLS FIRST or LAST, LIMIT, OFFSET, ALL ROWS. https://developer.salesforce.com/docs/atlas.en-us.soql_sosl.meta/soql_sosl/
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NoReturn

from sandbox.salesforce_errors import RequestError, malformed_query

_TOKEN = re.compile(
    r"""\s*(?:
    (?P<string>'(?:[^'\\]|\\.)*')
  | (?P<datetime>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))
  | (?P<date>\d{4}-\d\d-\d\d(?!\w))
  | (?P<number>[+-]?\d+(?:\.\d+)?(?!\w))
  | (?P<name>[A-Za-z_]\w*(?:\.\w+)*(?::\d+)?)
  | (?P<operator><=|>=|!=|<>|=|<|>)
  | (?P<mark>[(),])
  | (?P<end>$)
  )""",
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "'": "'", '"': '"', "\\": "\\"}
_AGGREGATES = {"COUNT", "COUNT_DISTINCT", "MIN", "MAX", "SUM", "AVG"}
_CLAUSES = {"FROM", "WHERE", "GROUP", "ORDER", "LIMIT", "OFFSET", "ALL", "FOR", "AND", "OR", "HAVING", "USING", "WITH"}


@dataclass(frozen=True)
class Literal:
    """A value: kind is string, number, boolean, null, datetime, date or name (TODAY, LAST_N_DAYS:7)."""

    kind: str
    text: str


@dataclass(frozen=True)
class Comparison:
    """`path` operator value; operator is one of = != < <= > >= LIKE."""

    path: str
    operator: str
    value: Literal


@dataclass(frozen=True)
class Membership:
    """`path` [NOT] IN values or a query of one column."""

    path: str
    negated: bool
    values: tuple[Literal, ...] | Query


@dataclass(frozen=True)
class Junction:
    """Conditions joined by AND or OR, or one condition under NOT."""

    word: str
    parts: tuple[Condition, ...]


Condition = Comparison | Membership | Junction


@dataclass(frozen=True)
class Aggregate:
    """COUNT(Id) and the like; `path` is empty for COUNT()."""

    function: str
    path: str
    alias: str


@dataclass(frozen=True)
class Order:
    """One sort key; `nulls_last` is False unless said."""

    path: str
    descending: bool
    nulls_last: bool


@dataclass
class Query:
    """A whole SELECT."""

    entity: str
    columns: list[str | Aggregate | Query] = field(default_factory=list)
    where: Condition | None = None
    group: list[str] = field(default_factory=list)
    order: list[Order] = field(default_factory=list)
    limit: int | None = None
    offset: int = 0
    all_rows: bool = False

    @property
    def counts(self) -> bool:
        """Whether this is a bare SELECT COUNT()."""
        return len(self.columns) == 1 and isinstance(self.columns[0], Aggregate) and not self.columns[0].path

    @property
    def aggregates(self) -> bool:
        """Whether answers are aggregate rows."""
        return bool(self.group) or any(isinstance(one, Aggregate) for one in self.columns)


def parse(text: str) -> Query:
    """The query in `text`. Raises RequestError MALFORMED_QUERY where it cannot be read."""
    parser = _Parser(text)
    query = parser.select()
    if parser.kind != "end":
        parser.unexpected()
    return query


def text_of(literal: str) -> str:
    """The characters of a quoted string. `\\%` and `\\_` keep their backslash: they mean something to LIKE."""
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found.group(1), found.group(0)), literal[1:-1], flags=re.DOTALL)


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens: list[tuple[str, str]] = []
        position = 0
        while not self.tokens or self.tokens[-1][0] != "end":
            found = _TOKEN.match(text, position)
            if found is None:
                raise malformed_query(f"unexpected token: '{text[position:].strip()[:1]}'")
            self.tokens.append((str(found.lastgroup), found.group(str(found.lastgroup))))
            position = found.end()
        self.place = 0

    @property
    def kind(self) -> str:
        return self.tokens[self.place][0]

    @property
    def value(self) -> str:
        return self.tokens[self.place][1]

    def is_word(self, *words: str) -> bool:
        return self.kind == "name" and self.value.upper() in words

    def take(self) -> str:
        value = self.value
        self.place += 1
        return value

    def taken(self, *words: str) -> bool:
        """Whether the words come next; they are consumed if so."""
        for ahead, word in enumerate(words):
            if self.place + ahead >= len(self.tokens) or self.tokens[self.place + ahead][1].upper() != word:
                return False
        self.place += len(words)
        return True

    def expect(self, word: str) -> None:
        if not self.taken(word):
            self.unexpected()

    def name(self) -> str:
        if self.kind != "name" or self.is_word(*_CLAUSES):
            self.unexpected()
        return self.take()

    def unexpected(self) -> NoReturn:
        raise malformed_query("unexpected end of query" if self.kind == "end" else f"unexpected token: '{self.value}'")

    def select(self) -> Query:
        self.expect("SELECT")
        columns = [self.column()]
        while self.taken(","):
            columns.append(self.column())
        self.expect("FROM")
        query = Query(self.name(), columns)
        alias = self.name() if self.kind == "name" and not self.is_word(*_CLAUSES) else None
        if self.taken("WHERE"):
            query.where = self.condition()
        if self.taken("GROUP", "BY"):
            query.group = [self.name()]
            while self.taken(","):
                query.group.append(self.name())
        if self.taken("ORDER", "BY"):
            query.order = [self.sort_key()]
            while self.taken(","):
                query.order.append(self.sort_key())
        if self.taken("LIMIT"):
            query.limit = self.whole_number()
        if self.taken("OFFSET"):
            query.offset = self.whole_number()
            if query.offset > 2000:
                raise RequestError(400, "NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOQL offset allowed is 2000")
        query.all_rows = self.taken("ALL", "ROWS")
        return _without_alias(query, alias) if alias else query

    def column(self) -> str | Aggregate | Query:
        if self.taken("("):
            child = self.select()
            self.expect(")")
            return child
        name = self.name()
        if not self.taken("("):
            return name
        if name.upper() not in _AGGREGATES:
            raise malformed_query(f"unexpected token: '{name}'")
        path = "" if self.value == ")" else self.name()
        self.expect(")")
        alias = self.take() if self.kind == "name" and not self.is_word(*_CLAUSES) else ""
        if not path and name.upper() != "COUNT":
            raise malformed_query(f"unexpected token: '{name}'")
        return Aggregate(name.upper(), path, alias)

    def whole_number(self) -> int:
        if self.kind != "number" or not self.value.isdigit():
            self.unexpected()
        return int(self.take())

    def sort_key(self) -> Order:
        path = self.name()
        descending = self.taken("DESC")
        if not descending:
            self.taken("ASC")
        nulls_last = self.taken("NULLS", "LAST")
        if not nulls_last:
            self.taken("NULLS", "FIRST")
        return Order(path, descending, nulls_last)

    def condition(self) -> Condition:
        parts = [self.term()]
        word = ""
        while self.is_word("AND", "OR"):
            if word and self.value.upper() != word:
                self.unexpected()  # SOQL wants brackets where AND meets OR
            word = self.take().upper()
            parts.append(self.term())
        return parts[0] if not word else Junction(word, tuple(parts))

    def term(self) -> Condition:
        if self.taken("NOT"):
            return Junction("NOT", (self.term(),))
        if self.taken("("):
            inside = self.condition()
            self.expect(")")
            return inside
        path = self.name()
        if self.kind == "operator":
            operator = self.take()
            return Comparison(path, "!=" if operator == "<>" else operator, self.literal())
        if self.taken("LIKE"):
            return Comparison(path, "LIKE", self.literal())
        if self.taken("IN"):
            return Membership(path, False, self.values())
        if self.taken("NOT", "IN"):
            return Membership(path, True, self.values())
        return self.unexpected()

    def values(self) -> tuple[Literal, ...] | Query:
        self.expect("(")
        if self.is_word("SELECT"):
            inside = self.select()
            self.expect(")")
            return inside
        listed = [self.literal()]
        while self.taken(","):
            listed.append(self.literal())
        self.expect(")")
        return tuple(listed)

    def literal(self) -> Literal:
        if self.kind in {"string", "number", "datetime", "date"}:
            kind = self.kind
            return Literal(kind, text_of(self.take()) if kind == "string" else self.take())
        if self.is_word("TRUE", "FALSE"):
            return Literal("boolean", self.take().lower())
        if self.is_word("NULL"):
            self.take()
            return Literal("null", "")
        return Literal("name", self.name().upper())


def _without_alias(query: Query, alias: str) -> Query:
    """The query with `c.Phone` read as `Phone` where `FROM Contact c` named it so."""

    def plain(path: str) -> str:
        head, _, rest = path.partition(".")
        return rest if rest and head.lower() == alias.lower() else path

    def inside(condition: Condition) -> Condition:
        if isinstance(condition, Junction):
            return Junction(condition.word, tuple(inside(part) for part in condition.parts))
        if isinstance(condition, Comparison):
            return Comparison(plain(condition.path), condition.operator, condition.value)
        return Membership(plain(condition.path), condition.negated, condition.values)

    query.columns = [
        plain(one)
        if isinstance(one, str)
        else Aggregate(one.function, plain(one.path), one.alias)
        if isinstance(one, Aggregate)
        else one
        for one in query.columns
    ]
    query.where = inside(query.where) if query.where else None
    query.group = [plain(path) for path in query.group]
    query.order = [Order(plain(one.path), one.descending, one.nulls_last) for one in query.order]
    return query
