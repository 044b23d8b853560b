"""Everything on the way from a lead source to a changed field: contacts, fields, evidence, decisions, changes, each with its time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection

from ringtrue.ledger.database import batch_of, fetch
from ringtrue.ledger.suppressions import number_key

Row = dict[str, Any]


class Traced(NamedTuple):
    """One contact and all that is known of the way its numbers took. Moments are ms; texts are as stored, not masked."""

    contact: Row
    """contact_id, connection, object, record_id, first_source, source, created_at, first_seen_at, deleted_at, merged_into"""
    later_sources: list[Row]
    """source, seen_at"""
    phones: list[Row]
    """field, position, raw, number, reason, valid, type"""
    arrivals: list[Row]
    """number, status, verified_at, raw, reason"""
    evidence: list[Row]
    """number, id, kind, source, outcome, observed_at, recorded_at, cost, void"""
    suppressions: list[Row]
    """number (null: the person), id, kind, source, at, lifted"""
    decisions: list[Row]
    """number, id, status, reason, confidence, decided_at, current, evidence (ids)"""
    changes: list[Row]
    """id, field, before, after, state, at, run, plan, decisions (ids)"""


def contacts_with(connection: Connection, numbers: Sequence[str], limit: int) -> list[int]:
    """Contacts that carry one of the numbers, or were delivered with it, oldest first."""
    with batch_of(connection, numbers) as batch:
        rows = fetch(
            connection,
            f"SELECT c.contact_id FROM contacts AS c WHERE c.contact_id IN (SELECT p.contact_id FROM {batch} AS b "
            "JOIN phones AS p ON p.number = b.key UNION SELECT a.contact_id FROM "
            f"{batch} AS b JOIN source_arrivals AS a ON a.number = b.key) "
            "ORDER BY coalesce(c.created_at, c.first_seen_at), c.contact_id LIMIT :limit",
            {"limit": limit},
        )
    return [row[0] for row in rows]


def contact_of(connection: Connection, name: str, record: str) -> list[int]:
    """The contact behind a record of a connection, whichever object it belongs to; a Salesforce id may have 15 or 18 characters."""
    rows = fetch(
        connection,
        "SELECT contact_id FROM contacts WHERE connection = :name AND (record_id = :record OR "
        "(length(record_id) = 18 AND substr(record_id, 1, 15) = :record)) ORDER BY object",
        {"name": name, "record": record},
    )
    return [row[0] for row in rows]


def origins(connection: Connection) -> list[tuple[str, str, int]]:
    """Connection, raw first source and number of contacts of every origin there is."""
    rows = fetch(
        connection, "SELECT connection, first_source, count(*) FROM contacts GROUP BY connection, first_source"
    )
    return [(row[0], row[1], int(row[2])) for row in rows]


def contacts_from(connection: Connection, origins_wanted: Sequence[tuple[str, str]], limit: int) -> list[int]:
    """The latest contacts of some origins."""
    with batch_of(connection, [raw for _, raw in origins_wanted]) as batch:
        rows = fetch(
            connection,
            f"SELECT c.contact_id, c.connection, c.first_source FROM {batch} AS b JOIN contacts AS c ON c.first_source = b.key "
            "ORDER BY coalesce(c.created_at, c.first_seen_at) DESC, c.contact_id DESC LIMIT :limit",
            {"limit": limit * 20},
        )
    wanted = set(origins_wanted)
    return [row[0] for row in rows if (row[1], row[2]) in wanted][:limit]


def trace_contacts(connection: Connection, key: bytes, contact_ids: Sequence[int]) -> list[Traced]:
    """The whole way of each contact, in the order given."""
    with batch_of(connection, contact_ids, empty=int) as batch:
        people = _rows(
            connection,
            "contact_id connection object record_id first_source source created_at first_seen_at deleted_at merged_into",
            "SELECT c.contact_id, c.connection, c.object, c.record_id, c.first_source, c.source, c.created_at, c.first_seen_at, "
            f"c.deleted_at, c.merged_into FROM {batch} AS b JOIN contacts AS c ON c.contact_id = b.key",
        )
        later = _rows(
            connection,
            "contact_id source seen_at",
            f"SELECT s.contact_id, s.source, s.seen_at FROM {batch} AS b JOIN contact_sources AS s ON s.contact_id = b.key "
            "ORDER BY s.seen_at",
        )
        phones = _rows(
            connection,
            "contact_id field position raw number reason valid type",
            "SELECT p.contact_id, p.field, p.position, p.raw, p.number, p.reason, p.valid, p.type "
            f"FROM {batch} AS b JOIN phones AS p ON p.contact_id = b.key ORDER BY p.field, p.position",
        )
        arrivals = _rows(
            connection,
            "contact_id number status verified_at raw reason",
            "SELECT a.contact_id, a.number, a.status, a.verified_at, a.raw, a.reason "
            f"FROM {batch} AS b JOIN source_arrivals AS a ON a.contact_id = b.key ORDER BY a.verified_at",
        )
        changes = _rows(
            connection,
            "contact_id id fields state at run plan decisions",
            "SELECT h.contact_id, h.change_id, h.fields, h.state, h.changed_at, h.run, h.plan_id, h.decisions "
            f"FROM {batch} AS b JOIN changes AS h ON h.contact_id = b.key ORDER BY h.change_id",
        )
        people_said = _rows(
            connection,
            "contact_id number id kind source at lifted",
            "SELECT s.contact_id, NULL, s.event_id, s.kind, s.source, s.at, "
            "EXISTS (SELECT 1 FROM suppressions AS l WHERE l.lifts = s.event_id) "
            f"FROM {batch} AS b JOIN suppressions AS s ON s.contact_id = b.key WHERE s.scope = 'person'",
        )
    carried: dict[str, set[int]] = {}
    for row in [*phones, *arrivals]:
        carried.setdefault(row["number"], set()).add(row["contact_id"])
    evidence, decisions, numbers_said = _of_numbers(connection, key, carried)
    traced = []
    by_id = {row["contact_id"]: row for row in people}
    for contact_id in contact_ids:
        if contact_id not in by_id:
            continue
        numbers = {number for number, whose in carried.items() if contact_id in whose}

        def own(rows: Sequence[Row], contact_id: int = contact_id) -> list[Row]:
            return [row for row in rows if row["contact_id"] == contact_id]

        def known(rows: Sequence[Row], numbers: set[str] = numbers, contact_id: int = contact_id) -> list[Row]:
            return [row for row in rows if row["number"] in numbers and row["contact_id"] in (0, contact_id)]

        traced.append(
            Traced(
                by_id[contact_id],
                own(later),
                own(phones),
                own(arrivals),
                known(evidence),
                [*own(people_said), *(row for row in numbers_said if row["number"] in numbers)],
                known(decisions),
                _fields(own(changes)),
            )
        )
    return traced


def _of_numbers(
    connection: Connection, key: bytes, carried: Mapping[str, set[int]]
) -> tuple[list[Row], list[Row], list[Row]]:
    by_key = {number_key(key, number): number for number in carried}
    with batch_of(connection, list(carried)) as batch:
        evidence = _rows(
            connection,
            "number contact_id id kind source outcome observed_at recorded_at cost void",
            "SELECT o.number, o.contact_id, o.observation_id, o.kind, o.source, o.outcome, o.observed_at, o.recorded_at, o.cost, o.void "
            f"FROM {batch} AS b JOIN observations AS o ON o.number = b.key ORDER BY o.observed_at, o.observation_id",
        )
        decisions = _rows(
            connection,
            "number contact_id id status reason confidence decided_at current evidence",
            "SELECT d.number, d.contact_id, d.decision_id, d.status, d.reason, d.confidence, d.decided_at, d.current, d.evidence "
            f"FROM {batch} AS b JOIN decisions AS d ON d.number = b.key ORDER BY d.decided_at, d.decision_id",
        )
    for row in decisions:
        row["evidence"] = orjson.loads(row["evidence"])
    with batch_of(connection, list(by_key)) as batch:
        said = _rows(
            connection,
            "number id kind source at lifted",
            "SELECT s.number_key, s.event_id, s.kind, s.source, s.at, "
            "EXISTS (SELECT 1 FROM suppressions AS l WHERE l.lifts = s.event_id) "
            f"FROM {batch} AS b JOIN suppressions AS s ON s.number_key = b.key WHERE s.scope = 'number' ORDER BY s.event_id",
        )
    for row in said:
        row["number"] = by_key[row["number"]]
    return evidence, decisions, said


def _fields(changes: Sequence[Row]) -> list[Row]:
    """One row per field of each change."""
    return [
        {
            "id": change["id"], "field": field, "before": before, "after": after, "state": change["state"], "at": change["at"],
            "run": change["run"], "plan": change["plan"], "decisions": orjson.loads(change["decisions"]),
        }
        for change in changes
        for field, (before, after) in orjson.loads(change["fields"]).items()
    ]  # fmt: skip


def _rows(connection: Connection, names: str, sql: str) -> list[Row]:
    return [dict(zip(names.split(), row, strict=True)) for row in fetch(connection, sql)]
