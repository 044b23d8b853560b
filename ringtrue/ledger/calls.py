"""Call history: what a CRM or a dialler logged, and whom and which number it concerns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection

from ringtrue.ledger import dirty, suppressions
from ringtrue.ledger.contacts import milliseconds
from ringtrue.ledger.database import batch_of, fetch, insert_rows, update_rows
from ringtrue.phone import normalize_arrow
from ringtrue.records import PulledCall

STAGE = "call_evidence"
_FACTS = (
    "records", "number", "outcome", "label", "status", "cause", "direction", "duration_seconds", "notes", "trunk",
    "started_at", "deleted",
)  # fmt: skip


@dataclass
class CallCounts:
    """What became of the calls of a pull."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0

    @property
    def read(self) -> int:
        return self.new + self.changed + self.unchanged


class CallRow(NamedTuple):
    """A call to read evidence from."""

    call_id: int
    connection: str
    external_id: str
    namespace: str
    records: list[str]
    number: str | None
    outcome: str | None
    label: str | None
    status: str | None
    cause: str | None
    direction: str | None
    duration_seconds: float | None
    notes: str | None
    trunk: str | None
    started_at: int | None
    deleted: bool


def _facts(call: PulledCall) -> tuple[Any, ...]:
    return (
        orjson.dumps(sorted(call.contact_ids)).decode(), call.number, call.outcome, call.label, call.status, call.cause,
        call.direction, call.duration_seconds, call.notes, call.trunk,
        milliseconds(call.started_at) if call.started_at else None, call.deleted,
    )  # fmt: skip


def store_page(
    connection: Connection,
    connection_name: str,
    namespace: str,
    calls: Sequence[PulledCall],
    counts: CallCounts,
    *,
    key: bytes,
    region: str = "US",
) -> None:
    """Store pulled calls and mark the new and changed ones to be read. `region` is the country of numbers that name none."""
    unique = {call.call_id: call for call in _without_the_forgotten(connection, key, connection_name, region, calls)}
    counts.unchanged += len(calls) - len(unique)
    with batch_of(connection, list(unique)) as batch:
        known = {
            row[0]: row
            for row in fetch(
                connection,
                f"SELECT c.external_id, c.call_id, {', '.join('c.' + name for name in _FACTS)} FROM {batch} AS b "
                "JOIN calls AS c ON c.external_id = b.key WHERE c.connection = :connection",
                {"connection": connection_name},
            )
        }
        inserts = []
        updates = []
        touched: list[int] = []
        old = {row[1] for row in known.values()}
        for call_id, call in unique.items():
            facts = _facts(call)
            before = known.get(call_id)
            if before is None:
                counts.new += 1
                inserts.append((connection_name, call_id, namespace, *facts, milliseconds(call.modified_at)))
            elif (*before[2:-1], bool(before[-1])) == facts:
                counts.unchanged += 1
            else:
                counts.changed += 1
                updates.append((*facts, milliseconds(call.modified_at), before[1]))
                touched.append(before[1])
        insert_rows(connection, "calls", ["connection", "external_id", "namespace", *_FACTS, "modified_at"], inserts)
        update_rows(connection, "calls", [*_FACTS, "modified_at"], ["call_id"], updates)
        if inserts:
            touched += [
                row[0]
                for row in fetch(
                    connection,
                    f"SELECT c.call_id FROM {batch} AS b JOIN calls AS c ON c.external_id = b.key "
                    "WHERE c.connection = :connection",
                    {"connection": connection_name},
                )
                if row[0] not in old
            ]
        dirty.mark_calls(connection, STAGE, touched)


def _without_the_forgotten(
    connection: Connection, key: bytes, connection_name: str, region: str, calls: Sequence[PulledCall]
) -> Iterator[PulledCall]:
    """Calls to people and numbers that a privacy request erased come without number and notes.

    A call may come without the people it was with: those that its row names already count too, and stay in it.
    """
    forgotten = {
        row[0]
        for row in fetch(
            connection,
            "SELECT record_id FROM contacts WHERE connection = :connection AND forgotten_at IS NOT NULL",
            {"connection": connection_name},
        )
    }
    named: dict[str, set[str]] = {}
    if forgotten:
        with batch_of(connection, list({call.call_id for call in calls})) as batch:
            named = {
                row[0]: forgotten.intersection(orjson.loads(row[1]))
                for row in fetch(
                    connection,
                    f"SELECT c.external_id, c.records FROM {batch} AS b JOIN calls AS c ON c.external_id = b.key "
                    "WHERE c.connection = :connection",
                    {"connection": connection_name},
                )
            }
    erased = _to_erased_numbers(connection, key, region, calls)
    for place, call in enumerate(calls):
        still = named.get(call.call_id, set()).difference(call.contact_ids)
        if still or place in erased or not forgotten.isdisjoint(call.contact_ids):
            yield call._replace(number=None, notes=None, contact_ids=(*call.contact_ids, *still))
        else:
            yield call


def _to_erased_numbers(connection: Connection, key: bytes, region: str, calls: Sequence[PulledCall]) -> set[int]:
    """Places of the calls whose number, however it is written, was erased, unless they were with somebody else who is on record."""
    if not suppressions.any_erased(connection):
        return set()
    table = normalize_arrow([call.number or "" for call in calls], [region] * len(calls))
    read = list(zip(table.column("row").to_pylist(), table.column("e164").to_pylist(), strict=True))
    erased = suppressions.erased_numbers(connection, key, {e164 for _, e164 in read if e164})
    found = {place for place, e164 in read if e164 in erased}
    with batch_of(connection, sorted({record for place in found for record in calls[place].contact_ids})) as batch:
        others = {
            row[0]
            for row in fetch(
                connection,
                f"SELECT c.record_id FROM {batch} AS b JOIN contacts AS c ON c.record_id = b.key WHERE c.forgotten_at IS NULL",
            )
        }
    return {place for place in found if others.isdisjoint(calls[place].contact_ids)}


def waiting(connection: Connection, marks: Sequence[tuple[int, int]]) -> list[CallRow]:
    """The calls behind marks of the evidence stage."""
    names = ", ".join("c." + name for name in CallRow._fields)
    with batch_of(connection, [key for key, _ in marks], empty=int) as batch:
        rows = fetch(
            connection, f"SELECT {names} FROM {batch} AS b JOIN calls AS c ON c.call_id = b.key ORDER BY c.call_id"
        )
    return [
        CallRow(
            **{
                **dict(zip(CallRow._fields, row, strict=True)),
                "records": orjson.loads(row[4]),
                "deleted": bool(row[15]),
            }
        )
        for row in rows
    ]


class Callee(NamedTuple):
    """A contact a call may have gone to, with its numbers and country."""

    contact_id: int
    country: str | None
    numbers: tuple[str, ...]


def callees(connection: Connection, calls: Sequence[CallRow]) -> dict[tuple[str, str], Callee]:
    """The contacts that calls name, by connection and record id; a merged record stands for its survivor.

    A dialler's file names records of any CRM: an id that only one connection has stands under the connection "" too.
    """
    wanted = sorted({record for call in calls for record in call.records})
    with batch_of(connection, wanted) as batch:
        people = fetch(
            connection,
            "SELECT c.connection, c.record_id, coalesce(s.contact_id, c.contact_id), coalesce(s.country, c.country) "
            f"FROM {batch} AS b JOIN contacts AS c ON c.record_id = b.key LEFT JOIN contacts AS s "
            "ON s.connection = c.connection AND s.object = c.object AND s.record_id = c.merged_into",
        )
    with batch_of(connection, sorted({row[2] for row in people}), empty=int) as batch:
        lines: dict[int, list[str]] = {}
        for contact_id, number in fetch(
            connection,
            f"SELECT p.contact_id, p.number FROM {batch} AS b JOIN phones AS p ON p.contact_id = b.key "
            "WHERE p.e164 IS NOT NULL ORDER BY p.contact_id, p.number",
        ):
            held = lines.setdefault(contact_id, [])
            if number not in held:
                held.append(number)
    found = {(row[0], row[1]): Callee(row[2], row[3], tuple(lines.get(row[2], ()))) for row in people}
    holders: dict[str, list[str]] = {}
    for name, record in found:
        holders.setdefault(record, []).append(name)
    found.update({("", record): found[(names[0], record)] for record, names in holders.items() if len(names) == 1})
    return found


def only_owners(connection: Connection, numbers: Iterable[str]) -> dict[str, int]:
    """Contacts by number, for numbers that exactly one living contact carries."""
    with batch_of(connection, sorted(set(numbers))) as batch:
        rows = fetch(
            connection,
            f"SELECT p.number, min(p.contact_id) FROM {batch} AS b JOIN phones AS p ON p.number = b.key "
            "JOIN contacts AS c ON c.contact_id = p.contact_id WHERE c.deleted_at IS NULL "
            "GROUP BY p.number HAVING count(DISTINCT p.contact_id) = 1",
        )
    return {row[0]: row[1] for row in rows}


class Seen(NamedTuple):
    """An observation to append: what a call says of a number, and of a contact's tie to it where one is named."""

    number: str
    contact_id: int
    source: str
    outcome: str
    raw: str | None
    trunk: str | None
    observed_at: int
    external_id: str


def observe(connection: Connection, calls: Sequence[CallRow], seen: Sequence[Seen], run: str, now: int) -> int:
    """Append what calls say, and void what an earlier version of a corrected call said. Marks the numbers for status.

    Returns the number of new observations.
    """
    fresh = {(item.source, item.external_id, item.number, item.contact_id, item.outcome): item for item in seen}
    with batch_of(connection, sorted({call.external_id for call in calls})) as batch:
        held = {
            (row[0], row[1], row[2], row[3], row[4]): row[5]
            for row in fetch(
                connection,
                "SELECT o.source, o.external_id, o.number, o.contact_id, o.outcome, o.observation_id "
                f"FROM {batch} AS b JOIN observations AS o ON o.external_id = b.key WHERE o.kind LIKE 'call%' AND NOT o.void",
            )
        }
    sources = {f"calls:{call.connection}" for call in calls}
    gone = [key for key in held if key not in fresh and key[0] in sources]
    new = [item for key, item in fresh.items() if key not in held]
    update_rows(connection, "observations", ["void"], ["observation_id"], [(True, held[key]) for key in gone])
    insert_rows(
        connection,
        "observations",
        ["number", "contact_id", "kind", "source", "outcome", "raw", "trunk", "observed_at", "recorded_at", "external_id", "run"],
        [
            (item.number, item.contact_id, f"call:{item.outcome}", item.source, item.outcome, item.raw, item.trunk,
             item.observed_at, now, item.external_id, run)
            for item in new
        ],
        on_conflict="(source, external_id, kind, number, contact_id) DO UPDATE SET void = false, recorded_at = excluded.recorded_at",
    )  # fmt: skip
    dirty.mark_numbers(connection, "status", [item.number for item in new] + [key[2] for key in gone])
    return len(new)


def mark_unread(connection: Connection, namespace: str, words: Sequence[str]) -> int:
    """Mark every call with one of these outcome words to be read again, after a person said what it means."""
    # SQLite lowers ASCII letters only: the word as written is compared too.
    with batch_of(connection, sorted({form for word in words for form in (word, word.lower())})) as batch:
        return dirty.mark_by_query(
            connection,
            "call_id",
            f"SELECT DISTINCT 'call_evidence' AS stage, c.call_id AS key FROM {batch} AS b JOIN calls AS c "
            "ON coalesce(c.label, c.outcome, c.status) = b.key OR lower(coalesce(c.label, c.outcome, c.status)) = b.key "
            "WHERE c.namespace = :namespace",
            {"namespace": namespace},
        )
