"""What was learned of lead sources and lines, as decisions use it, and what it is learned from."""

from __future__ import annotations

import pandas as pd
from sqlalchemy import Connection

from ringtrue.expectations import Expectations
from ringtrue.ledger import meta
from ringtrue.ledger.database import fetch
from ringtrue.source_names import SourceMap

_NAME = "expectations"
_ALIVE = ("active", "suspended", "wrong_person")


def stored(connection: Connection) -> Expectations:
    """The expectations in force; empty ones where nothing was learned yet."""
    kept = meta.value(connection, _NAME)
    return Expectations.from_json(kept) if kept else Expectations()


def store(connection: Connection, known: Expectations) -> None:
    """Put expectations into force."""
    meta.set_value(connection, _NAME, known.as_json())


def arrivals(connection: Connection, sources: SourceMap) -> pd.DataFrame:
    """By lead source, what the first verification on arrival found: source, dead, alive. Numbers that the rules refuse are left out."""
    alive = ", ".join(f"'{status}'" for status in _ALIVE)
    rows = fetch(
        connection,
        "SELECT c.connection, c.first_source, sum(CASE WHEN a.status = 'disconnected' THEN 1 ELSE 0 END), "
        f"sum(CASE WHEN a.status IN ({alive}) THEN 1 ELSE 0 END) "
        "FROM source_arrivals AS a JOIN contacts AS c ON c.contact_id = a.contact_id GROUP BY c.connection, c.first_source",
    )
    counts: dict[str, list[int]] = {}
    for name, raw, dead, living in rows:
        count = counts.setdefault(sources.slug(name, raw), [0, 0])
        count[0] += int(dead)
        count[1] += int(living)
    return pd.DataFrame(
        [(slug, *count) for slug, count in sorted(counts.items())], columns=["source", "dead", "alive"]
    ).astype({"dead": "int64", "alive": "int64"})
