"""What the entry service asks of the ledger while somebody waits: one number, the change feed of permission, one record."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, text

from ringtrue.ledger import registries
from ringtrue.ledger.database import batch_of, fetch
from ringtrue.ledger.suppressions import GENESIS, LIVE, kind_of, number_key


class Known(NamedTuple):
    """What the ledger knows of a number. `status` None: nobody carries it, or it was not decided yet."""

    status: str | None
    line: str | None
    reason: str | None
    confidence: float | None
    decided_at: int | None
    recheck_at: int | None
    line_type: str | None
    opted_out: bool
    listed_in: str | None
    """Kind of the registry in force that lists the number."""

    @property
    def do_not_call(self) -> bool:
        """Whether anything forbids to call the number."""
        return self.opted_out or self.listed_in is not None


_KNOWN = text(
    "SELECT d.status, d.line, d.reason, d.confidence, d.decided_at, d.recheck_at, l.line_type, "
    f"EXISTS (SELECT 1 FROM suppressions AS s WHERE s.number_key = :key AND s.scope = 'number' AND {LIVE}), "
    "(SELECT min(r.kind) FROM registry_listings AS r WHERE r.number = :number), "
    "EXISTS (SELECT 1 FROM registry_parts) "
    "FROM (SELECT 1 AS one) AS o LEFT JOIN decisions AS d ON d.number = :number AND d.contact_id = 0 AND d.current "
    "LEFT JOIN lines AS l ON l.number = :number"
)


def known(connection: Connection, key: bytes, number: str) -> Known:
    """Look one number up. A number that no record carries is compared with the registries in force as well."""
    row = connection.execute(_KNOWN, {"key": number_key(key, number), "number": number}).one()
    listed = row[8]
    if listed is None and row[9] and row[0] is None:
        listed = next((each.kind for each in registries.check(connection, [number])), None)
    return Known(row[0], row[1], row[2], row[3], row[4], row[5], row[6], bool(row[7]), listed)


class Step(NamedTuple):
    """One change of permission. `number` None: it concerns the records named, whatever their numbers, or was erased."""

    event_id: int
    state: str
    """suppressed, lifted"""
    scope: str
    number: str | None
    kind: str
    records: tuple[str, ...]
    """connection:record id"""
    at: int
    recorded_at: int


class Feed(NamedTuple):
    """Changes of permission behind a cursor."""

    steps: list[Step]
    cursor: str
    more: bool


def feed(connection: Connection, since: str | None, limit: int) -> Feed | None:
    """Opt-outs and lifts in the order they were recorded; None when the cursor is not of this chain (another ledger, an older backup).

    The chain's ids are given out under one lock and become visible in order, so that "behind the last one" loses nothing. A lift says
    `lifted` only when no other opt-out holds the number or person any more, else `suppressed`.
    """
    place = _place(connection, since)
    if place is None:
        return None
    rows = fetch(
        connection,
        "SELECT e.event_id, e.kind, e.scope, coalesce(o.scope, e.scope), coalesce(o.number, e.number), coalesce(o.source, e.source), "
        "coalesce(nullif(o.contact_id, 0), nullif(e.contact_id, 0)), e.at, e.recorded_at, e.hash, "
        f"EXISTS (SELECT 1 FROM suppressions AS s WHERE s.scope = 'number' AND s.number_key = coalesce(o.number_key, e.number_key) AND {LIVE}), "
        "EXISTS (SELECT 1 FROM suppressions AS s WHERE s.scope = 'person' "
        f"AND s.contact_id = coalesce(nullif(o.contact_id, 0), nullif(e.contact_id, 0)) AND {LIVE}) "
        "FROM suppressions AS e LEFT JOIN suppressions AS o ON o.event_id = e.lifts "
        "WHERE e.event_id > :place ORDER BY e.event_id LIMIT :limit",
        {"place": place, "limit": limit + 1},
    )
    more = len(rows) > limit
    rows = rows[:limit]
    records = _records(connection, [row[6] for row in rows if row[3] == "person" and row[6]])
    steps = []
    for event, kind, _, scope, number, source, contact, at, recorded_at, _, number_held, person_held in rows:
        if kind == "import" or scope not in ("number", "person"):
            continue
        holds = person_held if scope == "person" else number_held
        state = "suppressed" if holds else "lifted"
        whose = records.get(contact, ()) if scope == "person" else ()
        steps.append(Step(event, state, scope, number, kind_of(source), whose, at, recorded_at))
    cursor = _cursor(rows[-1][0], rows[-1][9]) if rows else since or _cursor(0, GENESIS)
    return Feed(steps, cursor, more)


def _cursor(event_id: int, digest: str) -> str:
    return f"{event_id}.{digest[:12]}"


def _place(connection: Connection, since: str | None) -> int | None:
    if since is None:
        return 0
    number, _, digest = since.partition(".")
    place = int(number)
    if place == 0:
        return 0 if digest == GENESIS[:12] else None
    held = fetch(connection, "SELECT hash FROM suppressions WHERE event_id = :place", {"place": place})
    return place if held and str(held[0][0])[:12] == digest else None


def _records(connection: Connection, contact_ids: list[int]) -> dict[int, tuple[str, ...]]:
    if not contact_ids:
        return {}
    with batch_of(connection, contact_ids) as batch:
        rows = fetch(
            connection,
            "SELECT c.contact_id, c.connection, c.record_id, s.record_id FROM "
            f"{batch} AS b JOIN contacts AS c ON c.contact_id = b.key LEFT JOIN contacts AS s "
            "ON s.connection = c.connection AND s.object = c.object AND s.record_id = c.merged_into",
        )
    return {row[0]: tuple(f"{row[1]}:{record}" for record in row[2:] if record) for row in rows}
