"""What was learned of lead sources and lines, as decisions use it, and what it is learned from."""

from __future__ import annotations

import pandas as pd
from sqlalchemy import Connection

from ringtrue.evidence import vocabulary
from ringtrue.expectations import Expectations
from ringtrue.ledger import meta
from ringtrue.ledger.database import fetch
from ringtrue.segments import segment_of_number
from ringtrue.source_names import SourceMap
from ringtrue.suspensions import lines_named

_NAME = "expectations"


def stored(connection: Connection) -> Expectations:
    """The expectations in force; empty ones where nothing was learned yet."""
    kept = meta.value(connection, _NAME)
    return Expectations.from_json(kept) if kept else Expectations()


def store(connection: Connection, known: Expectations) -> None:
    """Put expectations into force."""
    meta.set_value(connection, _NAME, known.as_json())


def first_told(connection: Connection, sources: SourceMap) -> pd.DataFrame:
    """By lead source, what the first evidence that told of a number's line said: source, dead, alive. Numbers that the rules refuse are left out."""
    effects = vocabulary().effects
    dead = ", ".join(f"'{name}'" for name, effect in effects.items() if effect.hard)
    alive = ", ".join(f"'{name}'" for name, effect in effects.items() if effect.line == "alive")
    rows = fetch(
        connection,
        f"SELECT c.connection, c.first_source, count(DISTINCT CASE WHEN q.outcome IN ({dead}) THEN q.number END), "
        "count(DISTINCT q.number) FROM (SELECT o.number, o.outcome, "
        "row_number() OVER (PARTITION BY o.number ORDER BY o.observed_at, o.observation_id) AS place FROM observations AS o "
        f"WHERE NOT o.void AND o.outcome IN ({dead}, {alive})) AS q JOIN phones AS p ON p.number = q.number AND p.valid "
        "JOIN contacts AS c ON c.contact_id = p.contact_id WHERE q.place = 1 GROUP BY c.connection, c.first_source",
    )
    counts: dict[str, list[int]] = {}
    for name, raw, said_dead, told in rows:
        count = counts.setdefault(sources.slug(name, raw), [0, 0])
        count[0] += int(said_dead)
        count[1] += int(told) - int(said_dead)
    return pd.DataFrame(
        [(slug, *count) for slug, count in sorted(counts.items())], columns=["source", "dead", "alive"]
    ).astype({"dead": "int64", "alive": "int64"})


def reports(connection: Connection) -> pd.DataFrame:
    """By lines (country and kind): how many calls there were, and how many numbers a call has reported as suspended."""
    attempts = ", ".join(f"'{name}'" for name, effect in vocabulary().effects.items() if effect.attempt)
    rows = fetch(
        connection,
        "SELECT substr(o.number, 2, 3), l.line_type, p.type, p.field, count(*), "
        "count(DISTINCT CASE WHEN o.outcome = 'suspended' THEN o.number END) "
        "FROM observations AS o JOIN phones AS p ON p.number = o.number AND p.valid LEFT JOIN lines AS l ON l.number = p.number "
        f"WHERE NOT o.void AND o.outcome IN ({attempts}) GROUP BY substr(o.number, 2, 3), l.line_type, p.type, p.field",
    )
    counts: dict[str, list[int]] = {}
    for digits, line_type, kind, field, calls, reported in rows:
        count = counts.setdefault(lines_named(digits, segment_of_number(line_type, kind, field)), [0, 0])
        count[0] += int(calls)
        count[1] += int(reported)
    return pd.DataFrame(
        [(lines, *count) for lines, count in sorted(counts.items())], columns=["lines", "calls", "reported"]
    ).astype({"calls": "int64", "reported": "int64"})
