"""Trunks in trouble as the ledger remembers them, and the calls they are told from.

One value of `meta` for each stretch: `alarm:<begin>:<trunk>`, holding its end. Times in milliseconds since 1970.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd
from sqlalchemy import Connection, text

from ringtrue.ledger import dirty, meta
from ringtrue.ledger.database import fetch

_READ = "trunks_read"
_QUARTER = 900_000
_AT_ONCE = 100


class Alarm(NamedTuple):
    """A stretch in which a trunk was in trouble."""

    trunk: str
    begins: int
    ends: int


def alarms(connection: Connection) -> list[Alarm]:
    """All alarms that were ever found, by begin."""
    found = []
    for name, ends in fetch(connection, "SELECT name, value FROM meta WHERE name LIKE 'alarm:%'"):
        _, begins, trunk = name.split(":", 2)
        found.append(Alarm(trunk, int(begins), int(ends)))
    return sorted(found, key=lambda alarm: (alarm.begins, alarm.trunk))


def history(connection: Connection, since: int) -> pd.DataFrame:
    """Every observation over a trunk since a moment, dated by its quarter of an hour, in the columns that `trunk_alarms` reads.

    The database counts them: a call takes a few bytes here, however many there are.
    """
    rows = fetch(
        connection,
        f"SELECT trunk, outcome, observed_at / {_QUARTER}, count(*) FROM observations "
        f"WHERE trunk IS NOT NULL AND NOT void AND observed_at >= :since GROUP BY trunk, outcome, observed_at / {_QUARTER}",
        {"since": since // _QUARTER * _QUARTER},
    )
    counts = pd.DataFrame(rows, columns=["trunk", "outcome", "observed_at", "calls"])
    counts["observed_at"] = pd.to_datetime(counts["observed_at"].astype("int64") * _QUARTER, unit="ms", utc=True)
    counts = counts.astype({"trunk": "category", "outcome": "category", "calls": "int64"})
    return counts.loc[counts.index.repeat(counts.pop("calls"))].reset_index(drop=True)


def unread(connection: Connection) -> tuple[int, int | None]:
    """How far the observations go by now, and the earliest call over a trunk that came since `remember` was told so last: None for no call."""
    known = meta.value(connection, _READ)
    [(newest, earliest)] = fetch(
        connection,
        "SELECT max(observation_id), min(CASE WHEN trunk IS NOT NULL AND NOT void THEN observed_at END) FROM observations "
        "WHERE observation_id > :known",
        {"known": int(known or 0)},
    )
    return int(newest or known or 0), earliest


def remember(connection: Connection, found: Sequence[Alarm], standing: int, read: int) -> int:
    """Keep the alarms found, and mark the numbers called in one that is new, has another end or is no more. Returns how many.

    `standing`: alarms that ended before this moment stand for ever; later ones that were not found again go. `read`: as `unread` told before.
    """
    known = {(alarm.trunk, alarm.begins): alarm.ends for alarm in alarms(connection)}
    now: dict[tuple[str, int], int] = {}
    for alarm in found:
        before = known.get(alarm[:2], 0)
        now[alarm[:2]] = max(alarm.ends, before) if before < standing else alarm.ends
    gone = [Alarm(*key, ends) for key, ends in known.items() if ends >= standing and key not in now]
    changed = [Alarm(*key, ends) for key, ends in now.items() if known.get(key) != ends]
    for alarm in gone:
        connection.execute(text("DELETE FROM meta WHERE name = :name"), {"name": _name(alarm)})
    for alarm in changed:
        meta.set_value(connection, _name(alarm), str(alarm.ends))
    if meta.value(connection, _READ) != str(read):
        meta.set_value(connection, _READ, str(read))
    spans = [alarm._replace(ends=max(alarm.ends, known.get(alarm[:2], 0))) for alarm in gone + changed]
    return sum(_mark(connection, spans[start : start + _AT_ONCE]) for start in range(0, len(spans), _AT_ONCE))


def _name(alarm: Alarm) -> str:
    return f"alarm:{alarm.begins}:{alarm.trunk}"


def _mark(connection: Connection, spans: Sequence[Alarm]) -> int:
    """Mark the numbers called in these stretches for status."""
    each = " OR ".join(
        f"(o.trunk = :trunk{place} AND o.observed_at BETWEEN :begins{place} AND :ends{place})"
        for place in range(len(spans))
    )
    values: dict[str, object] = {
        f"{name}{place}": value
        for place, span in enumerate(spans)
        for name, value in zip(Alarm._fields, span, strict=True)
    }
    return dirty.mark_by_query(
        connection,
        "number",
        f"SELECT DISTINCT 'status' AS stage, o.number AS key FROM observations AS o WHERE NOT o.void AND ({each})",
        values,
    )
