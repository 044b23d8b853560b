"""What is remembered of each lead source: its figures day by day, its alarm, the grade it is held to, and what was bad on arrival."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson
import pandas as pd
from sqlalchemy import Connection, text

from ringtrue.cusum import AlarmState
from ringtrue.ledger.database import fetch, insert_rows, stream
from ringtrue.source_advice import Fault
from ringtrue.source_grades import grade_fell

_UNTIL_FORGIVEN_MS = 30 * 86_400_000
"""How long a fallen grade is reported: after that it is what the source is held to."""
POINT_ROWS = 100_000


class SourceState(NamedTuple):
    """A source's alarm and the grade it is held to: the best one since somebody accepted a worse, or since a fall 30 days ago."""

    alarm: AlarmState = AlarmState()
    grade: str = ""
    fell_at: int | None = None


class Stored(NamedTuple):
    """A source as last measured."""

    source: str
    measured_at: int
    grade: str
    figures: dict[str, Any]
    faults: list[Fault]


def day_of(moment: int) -> str:
    """The UTC day of a moment in ms, as in 2026-11-24."""
    return f"{datetime.fromtimestamp(moment / 1000, UTC):%Y-%m-%d}"


def held_to(state: SourceState, grade: str, now: int) -> SourceState:
    """The state after a new grade: better raises what is expected, worse is remembered as a fall, 30 days later as the usual."""
    if grade_fell(state.grade, grade):
        if state.fell_at is None:
            return state._replace(fell_at=now)
        return state if now - state.fell_at < _UNTIL_FORGIVEN_MS else state._replace(grade=grade, fell_at=None)
    return state._replace(grade=grade or state.grade, fell_at=None if grade else state.fell_at)


def states(connection: Connection) -> dict[str, SourceState]:
    """All sources' states."""
    rows = fetch(connection, "SELECT source, alarm, grade, fell_at FROM source_states")
    return {row[0]: SourceState(AlarmState.model_validate_json(row[1]), row[2], row[3]) for row in rows}


def store_states(connection: Connection, known: Mapping[str, SourceState]) -> None:
    """Write states; who accepted a level stays noted."""
    insert_rows(
        connection,
        "source_states",
        ["source", "alarm", "grade", "fell_at"],
        [(source, state.alarm.model_dump_json(), state.grade, state.fell_at) for source, state in known.items()],
        on_conflict="(source) DO UPDATE SET alarm = excluded.alarm, grade = excluded.grade, fell_at = excluded.fell_at",
    )


def accept(connection: Connection, source: str, person: str, now: int) -> bool:
    """Take a source's present level as its usual one: the alarm learns again, the present grade counts. False when nothing is known of it."""
    state = states(connection).get(source)
    stored = latest(connection, source)
    if state is None or not stored:
        return False
    store_states(connection, {source: SourceState(state.alarm.rebased(), stored[0].grade, None)})
    connection.execute(
        text("UPDATE source_states SET accepted_by = :person, accepted_at = :now WHERE source = :source"),
        {"person": person, "now": now, "source": source},
    )
    return True


def store_quality(
    connection: Connection,
    figures: Sequence[Mapping[str, Any]],
    faults: Mapping[str, Sequence[Fault]],
    run: str,
    now: int,
) -> None:
    """Store the figures of all sources for today; an earlier measurement of the same day is replaced."""
    rows = [
        (
            str(row["source"]), day_of(now), now, str(row["grade"]), orjson.dumps(dict(row)).decode(),
            orjson.dumps([list(fault) for fault in faults.get(str(row["source"]), ())]).decode(), run,
        )
        for row in figures
    ]  # fmt: skip
    updated = ", ".join(f"{name} = excluded.{name}" for name in ("measured_at", "grade", "figures", "faults", "run"))
    insert_rows(
        connection,
        "source_quality",
        ["source", "day", "measured_at", "grade", "figures", "faults", "run"],
        rows,
        on_conflict=f"(source, day) DO UPDATE SET {updated}",
    )


def latest(connection: Connection, source: str | None = None) -> list[Stored]:
    """Each source (or one) as last measured."""
    only = "WHERE q.source = :source" if source else ""
    rows = fetch(
        connection,
        "SELECT q.source, q.measured_at, q.grade, q.figures, q.faults FROM source_quality AS q JOIN "
        f"(SELECT source, max(day) AS day FROM source_quality GROUP BY source) AS m ON m.source = q.source AND m.day = q.day {only} "
        "ORDER BY q.source",
        {"source": source} if source else {},
    )
    return [
        Stored(row[0], row[1], row[2], orjson.loads(row[3]), [Fault(*fault) for fault in orjson.loads(row[4])])
        for row in rows
    ]


def grades_on(connection: Connection, day: str) -> dict[str, str]:
    """Each source's grade on a day, or on the last day before it with one."""
    rows = fetch(
        connection,
        "SELECT q.source, q.grade FROM source_quality AS q JOIN (SELECT source, max(day) AS day FROM source_quality "
        "WHERE day <= :day AND grade <> '' GROUP BY source) AS m ON m.source = q.source AND m.day = q.day",
        {"day": day},
    )
    return dict(rows)


def open_points(connection: Connection) -> pd.DataFrame:
    """First verifications that no chart has seen: `connection`, `raw_source` (categorical), `created` (ms), `verified_at` (ms), `status`.

    Categories and small integers: five million rows take about 150 MiB.
    """
    parts: list[pd.DataFrame] = []
    held: list[tuple[Any, ...]] = []
    names = ["connection", "raw_source", "created", "verified_at", "status"]

    def pack() -> None:
        part = pd.DataFrame(held, columns=names).astype(
            dict.fromkeys(("connection", "raw_source", "status"), "category")
        )
        parts.append(part.astype({"created": "int64", "verified_at": "int64"}))
        held.clear()

    for row in stream(
        connection,
        "SELECT c.connection, c.first_source, coalesce(c.created_at, c.first_seen_at), a.verified_at, a.status "
        "FROM source_arrivals AS a JOIN contacts AS c ON c.contact_id = a.contact_id WHERE NOT a.charted",
    ):
        held.append(tuple(row))
        if len(held) >= POINT_ROWS:
            pack()
    pack()
    if len(parts) == 1:
        return parts[0]
    united = {
        name: pd.api.types.union_categoricals([part[name] for part in parts])
        for name in ("connection", "raw_source", "status")
    }
    numbers = {
        name: pd.concat([part[name] for part in parts], ignore_index=True) for name in ("created", "verified_at")
    }
    return pd.DataFrame({**united, **numbers})


def points_charted(connection: Connection) -> None:
    """Note that all first verifications stand in the charts. In the transaction that stored the charts."""
    connection.execute(text("UPDATE source_arrivals SET charted = :yes WHERE NOT charted"), {"yes": True})


BAD_ARRIVAL_COLUMNS = (
    "connection", "object", "record_id", "raw_source", "number", "raw", "e164", "created_at", "first_verified_at",
    "first_status", "reason", "said",
)  # fmt: skip


def bad_arrivals(connection: Connection) -> list[tuple[Any, ...]]:
    """Numbers that were bad on arrival, in `BAD_ARRIVAL_COLUMNS`: moments in ms, `said` is the sentence of the decision that found it, null for a verdict over the past."""
    return fetch(
        connection,
        "SELECT c.connection, c.object, c.record_id, c.first_source, a.number, a.raw, a.e164, "
        "coalesce(c.created_at, c.first_seen_at), a.verified_at, a.status, a.reason, d.reason "
        "FROM source_arrivals AS a JOIN contacts AS c ON c.contact_id = a.contact_id "
        "LEFT JOIN decisions AS d ON d.decision_id = a.decision_id "
        "WHERE a.status IN ('invalid', 'disconnected', 'wrong_person') ORDER BY a.verified_at",
    )


def delivered(connection: Connection) -> pd.DataFrame:
    """Contacts by connection and raw origin, deleted ones included, for a source brought them all the same: `connection`, `raw`, `contacts`."""
    rows = fetch(
        connection, "SELECT connection, first_source, count(*) FROM contacts GROUP BY connection, first_source"
    )
    return pd.DataFrame([(row[0], row[1], int(row[2])) for row in rows], columns=["connection", "raw", "contacts"])


def returned(connection: Connection) -> pd.DataFrame:
    """Contacts that a later source brought again, by that source: `connection`, `raw`, `contacts`."""
    rows = fetch(
        connection,
        "SELECT c.connection, s.source, count(*) FROM contact_sources AS s JOIN contacts AS c ON c.contact_id = s.contact_id "
        "GROUP BY c.connection, s.source",
    )
    return pd.DataFrame([(row[0], row[1], int(row[2])) for row in rows], columns=["connection", "raw", "contacts"])
