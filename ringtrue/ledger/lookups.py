"""What the lookups stage reads and writes besides money: whom to look at, whom numbers belong to, how fast numbers died."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import pandas as pd
from sqlalchemy import Connection

from ringtrue.evidence import vocabulary
from ringtrue.ledger.database import batch_of, fetch, insert_rows, stream

STAGE = "status"
_LIVING = tuple(outcome for outcome, effect in vocabulary().effects.items() if effect.line == "alive")
_STREAM = 20_000


class Observed(NamedTuple):
    """Evidence of a service about a number."""

    number: str
    source: str
    source_group: str
    outcome: str
    raw: str
    log_lr: float | None
    observed_at: int
    external_id: str
    cost: float


class LineFact(NamedTuple):
    """What a service told of a line besides its life."""

    number: str
    line_type: str | None
    carrier: str | None
    ported: bool | None
    listed: bool | None
    service: str
    observed_at: int


class Carried(NamedTuple):
    """A number on a living contact."""

    number: str
    contact_id: int
    field: str
    region: str | None
    type: str | None
    created_at: int


def add_observations(connection: Connection, rows: Sequence[Observed], run: str, now: int) -> None:
    """Append evidence about numbers."""
    insert_rows(
        connection,
        "observations",
        ["number", "kind", "source", "source_group", "outcome", "raw", "log_lr", "observed_at", "recorded_at",
         "external_id", "cost", "run"],
        [
            (row.number, "lookup", row.source, row.source_group, row.outcome, row.raw, row.log_lr, row.observed_at, now,
             row.external_id, row.cost, run)
            for row in rows
        ],
        on_conflict="(source, external_id, kind, number, contact_id) DO NOTHING",
    )  # fmt: skip


def store_lines(connection: Connection, facts: Sequence[LineFact]) -> None:
    """Keep what was told of lines; a later answer overwrites only what it knows."""
    latest = {fact.number: fact for fact in sorted(facts, key=lambda fact: fact.observed_at)}
    names = LineFact._fields[1:5]
    insert_rows(
        connection,
        "lines",
        LineFact._fields,
        list(latest.values()),
        on_conflict="(number) DO UPDATE SET "
        + ", ".join(f"{name} = coalesce(excluded.{name}, lines.{name})" for name in names)
        + ", service = excluded.service, observed_at = excluded.observed_at",
    )


def next_numbers(connection: Connection, after: str, limit: int, now: int, *, everything: bool = False) -> list[str]:
    """Valid numbers of living contacts to look at, in order: new ones, those with new evidence, those whose date has come."""
    only = (
        ""
        if everything
        else "AND (d.look_at IS NULL OR d.look_at <= :now OR EXISTS (SELECT 1 FROM dirty_numbers AS n "
        f"WHERE n.stage = '{STAGE}' AND n.number = p.number))"
    )
    rows = fetch(
        connection,
        "SELECT DISTINCT p.number FROM phones AS p JOIN contacts AS c ON c.contact_id = p.contact_id "
        "LEFT JOIN lookup_dates AS d ON d.number = p.number "
        f"WHERE p.number > :after AND p.e164 IS NOT NULL AND p.valid AND c.deleted_at IS NULL {only} "
        "ORDER BY p.number LIMIT :limit",
        {"after": after, "limit": limit, "now": now},
    )
    return [row[0] for row in rows]


def carried(connection: Connection, numbers: Sequence[str]) -> list[Carried]:
    """The living contacts that carry the numbers."""
    with batch_of(connection, numbers) as batch:
        rows = fetch(
            connection,
            "SELECT p.number, c.contact_id, p.field, p.region, p.type, coalesce(c.created_at, c.first_seen_at) "
            f"FROM {batch} AS b JOIN phones AS p ON p.number = b.key JOIN contacts AS c ON c.contact_id = p.contact_id "
            "WHERE c.deleted_at IS NULL ORDER BY p.number, c.contact_id, p.field",
        )
    return [Carried._make(row) for row in rows]


def numbers_of(connection: Connection, contact_ids: Sequence[int]) -> list[tuple[int, str]]:
    """(contact, number) of every field of the contacts; numbers that could not be read have keys of their own."""
    with batch_of(connection, contact_ids, empty=int) as batch:
        rows = fetch(
            connection,
            f"SELECT p.contact_id, p.number FROM {batch} AS b JOIN phones AS p ON p.contact_id = b.key ORDER BY p.contact_id",
        )
    return [(row[0], row[1]) for row in rows]


def waiting_contacts(connection: Connection) -> array[int]:
    """Contacts that some connection's preview will look at."""
    query = "SELECT DISTINCT contact_id FROM dirty_contacts WHERE stage LIKE 'changes:%'"
    return array("q", (row[0] for row in stream(connection, query)))


def all_contacts(connection: Connection) -> array[int]:
    """Every living contact. Eight bytes each: there may be millions."""
    return array(
        "q", (row[0] for row in stream(connection, "SELECT contact_id FROM contacts WHERE deleted_at IS NULL"))
    )


def line_types(connection: Connection, numbers: Sequence[str]) -> dict[str, str]:
    """Line types that services told."""
    with batch_of(connection, numbers) as batch:
        rows = fetch(
            connection,
            f"SELECT l.number, l.line_type FROM {batch} AS b JOIN lines AS l ON l.number = b.key WHERE l.line_type IS NOT NULL",
        )
    return {row[0]: row[1] for row in rows}


def set_dates(connection: Connection, dates: Iterable[tuple[str, int]]) -> None:
    """When each number is looked at next."""
    insert_rows(
        connection,
        "lookup_dates",
        ["number", "look_at"],
        list(dates),
        on_conflict="(number) DO UPDATE SET look_at = excluded.look_at",
    )


class Interval(NamedTuple):
    """A number seen alive, and what the next evidence showed: life, or death or other hands."""

    number: str
    told: str | None
    """The kind of line that a service told."""
    type: str | None
    field: str | None
    alive_at: int
    seen_at: int
    died: bool


def intervals(connection: Connection) -> Iterator[pd.DataFrame]:
    """Every interval between two signs of life, and between the last sign of life and the decision that the number is dead or changed hands.

    One failed call is no death: only a decision is. Frames of bounded size, at least one; columns: those of `Interval`, moments as timestamps in UTC.
    """
    living = ", ".join(f"'{outcome}'" for outcome in _LIVING)
    first = "(SELECT min(p.{}) FROM phones AS p WHERE p.number = q.number)"
    told = "(SELECT l.line_type FROM lines AS l WHERE l.number = q.number)"
    place = f"{told}, {first.format('type')}, {first.format('field')}"
    between = (
        f"SELECT q.number, {place}, q.before, q.observed_at, false FROM (SELECT o.number, o.observed_at, "
        "lag(o.observed_at) OVER (PARTITION BY o.number ORDER BY o.observed_at, o.observation_id) AS before "
        f"FROM observations AS o WHERE NOT o.void AND o.outcome IN ({living})) AS q WHERE q.before < q.observed_at"
    )
    ends = (
        f"SELECT q.number, {place}, q.alive_at, q.seen_at, true FROM ("
        "SELECT o.number, max(o.observed_at) AS alive_at, d.seen_at FROM ("
        "SELECT number, min(decided_at) AS seen_at FROM decisions WHERE status = 'disconnected' AND contact_id = 0 GROUP BY number "
        "UNION ALL SELECT number, min(observed_at) FROM observations WHERE outcome = 'lookup_reassigned' AND NOT void GROUP BY number"
        ") AS d JOIN observations AS o ON o.number = d.number AND o.observed_at < d.seen_at "
        f"WHERE NOT o.void AND o.outcome IN ({living}) GROUP BY o.number, d.seen_at) AS q"
    )
    for query in (between, ends):
        rows: list[Interval] = []
        for row in stream(connection, query):
            rows.append(Interval._make((*row[:6], bool(row[6]))))
            if len(rows) >= _STREAM:
                yield _moments(rows)
                rows = []
        yield _moments(rows)


def _moments(rows: list[Interval]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(Interval._fields))
    for name in ("alive_at", "seen_at"):
        frame[name] = pd.to_datetime(frame[name], unit="ms", utc=True)
    return frame
