"""Stores what a CRM handed over, tells what of it is new, and marks what the next stages have to look at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection, text

from ringtrue.fields import FieldMap, OwnFields
from ringtrue.ledger import beside, dirty
from ringtrue.ledger.database import batch_of, fetch, insert_rows, take_turns, update_rows
from ringtrue.ledger.personal import without_person
from ringtrue.records import PulledRecord

# What is compared with a pulled record, in the order of `_facts`.
_FACTS = (
    "name", "email", "country", "state", "place", "owner", "account", "linkedin", "source",
    "do_not_call", "email_opt_out", "phones", "ours", "deleted_at", "merged_into",
)  # fmt: skip
_NAME, _EMAIL, _COUNTRY, _STATE, _PLACE, _LINKEDIN, _SOURCE = 0, 1, 2, 3, 4, 7, 8
_DNC, _EMAIL_OPT_OUT, _PHONES, _OURS, _DELETED, _MERGED = 9, 10, 11, 12, 13, 14
EMPTY = "{}"


@dataclass
class PullCounts:
    """What became of the records of a pull. `new + changed + unchanged` is what was read."""

    read: int = 0
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    deleted: int = 0
    merged: int = 0
    drifted: int = 0
    """Records where a field of ours no longer holds what we last saw there."""

    unticked: int = 0
    """Do-not-call flags that somebody took away since the last pull. Where a suppression lives they are set again."""
    rejected: int = 0
    """Rows of a file that could not be used; counted apart from `read`."""


class Origin(NamedTuple):
    """Where records come from and how they are read."""

    connection: str
    object_name: str
    fields: FieldMap
    own: OwnFields | None
    """None for files: nothing is written back to them."""
    index_lags: bool = True
    """A version with the moment seen last may be older than what we wrote since. Else it was edited in the same second."""


def milliseconds(moment: datetime) -> int:
    """Milliseconds since 1970 in UTC."""
    return int(moment.timestamp() * 1000)


def moment(value: int) -> datetime:
    """The date-time in UTC behind milliseconds since 1970."""
    return datetime.fromtimestamp(value / 1000, UTC)


def dumps(value: dict[str, Any]) -> str:
    """JSON in the one form the ledger compares: sorted keys."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode() if value else EMPTY


def why_id(key: bytes, connection_name: str, object_name: str, record_id: str) -> str:
    """The stable opaque id of a record, for the link in its CRM: a keyed hash, so that it tells nothing."""
    subject = f"{connection_name}\0{object_name}\0{record_id}".encode()
    return blake2b(subject, key=key[:64], digest_size=10, person=b"ringtrue-why").hexdigest()


def _first(values: dict[str, str | None], names: Sequence[str]) -> str | None:
    for name in names:
        value = values.get(name)
        if value:
            return value
    return None


def _asks_to_stop(values: Mapping[str, str | None], origin: Origin, flag_ours: bool) -> bool:
    """Whether a do-not-call flag stands that somebody else set: any flag but ours, and ours unless our own write set it."""
    own = origin.own.do_not_call if origin.own else None
    return any(values.get(flag) == "true" and not (flag == own and flag_ours) for flag in origin.fields.do_not_call)


def _as_known(facts: tuple[Any, ...], known: Sequence[Any]) -> tuple[Any, ...]:
    """Facts of a version that we saw before: its values of our fields are older than what we wrote there since.

    HubSpot's search hands out such versions while its index lags.
    """
    ours = {**orjson.loads(facts[_OURS]), **orjson.loads(known[_OURS])}
    return (*facts[:_DNC], facts[_DNC] or known[_DNC], *facts[_DNC + 1 : _OURS], dumps(ours), *facts[_OURS + 1 :])


def _of_the_forgotten(facts: tuple[Any, ...], before: Sequence[Any]) -> tuple[Any, ...]:
    """What may be stored of somebody whom a privacy request erased, as long as the CRM still has the record: flags and our own statuses."""
    ours = dumps(without_person(orjson.loads(facts[_OURS])))
    return (*before[:_DNC], facts[_DNC], facts[_EMAIL_OPT_OUT], before[_PHONES], ours, *facts[_DELETED:])


def _facts(record: PulledRecord, origin: Origin, own_names: tuple[str, ...], now: int) -> tuple[Any, ...]:
    values, fields = record.values, origin.fields
    get = values.get
    if fields.full_name:
        name = get(fields.full_name)
    else:
        name = " ".join(part for part in (get(fields.first_name or ""), get(fields.last_name or "")) if part)
    return (
        name or None,
        get(fields.email) if fields.email else None,
        _first(values, fields.country),
        _first(values, fields.state),
        get(fields.city) if fields.city else None,
        get(fields.owner) if fields.owner else None,
        get(fields.account) if fields.account else None,
        get(fields.linkedin) if fields.linkedin else None,
        dumps({key: value for key in fields.lead_source if (value := get(key))}),
        any(get(flag) == "true" for flag in fields.do_not_call),
        any(get(flag) == "true" for flag in fields.email_opt_out),
        dumps({key: value for key in fields.phones if (value := get(key)) and not value.isspace()}),
        dumps({key: value for key in own_names if (value := get(key))}),
        now if record.deleted else None,
        record.merged_into,
    )


def store_page(
    connection: Connection,
    origin: Origin,
    records: Sequence[PulledRecord],
    key: bytes,
    now: int,
    counts: PullCounts,
    *,
    beside_sync: bool = False,
) -> None:
    """Store pulled records and mark what changed: numbers for `phones`, flags for `opt_outs`, drift for `changes`.

    A record seen twice in the page counts once, with its newest version. A version older than the one the ledger holds is no news.
    """
    unique: dict[str, PulledRecord] = {}
    for record in records:
        held = unique.get(record.record_id)
        if held is None or record.modified_at >= held.modified_at:
            unique[record.record_id] = record
    counts.read += len(records)
    counts.unchanged += len(records) - len(unique)
    own_names = tuple(origin.own.names()) if origin.own else ()
    own_flag = origin.own.do_not_call if origin.own else ""
    where = {"connection": origin.connection, "object": origin.object_name}
    take_turns(connection, f"contacts of {origin.connection}")
    with batch_of(connection, list(unique)) as batch:
        known = {
            row[0]: row
            for row in fetch(
                connection,
                "SELECT c.record_id, c.contact_id, c.do_not_call_ours, c.flagged_at, c.modified_at, c.forgotten_at, "
                f"{', '.join('c.' + n for n in _FACTS)} "
                f"FROM {batch} AS b JOIN contacts AS c ON c.record_id = b.key "
                "WHERE c.connection = :connection AND c.object = :object",
                where,
            )
        }
        ids = [row[1] for row in known.values()]
        beside_us = beside.written(connection, origin.connection, ids, now, sync_too=beside_sync)
        inserts: list[tuple[Any, ...]] = []
        updates: list[tuple[Any, ...]] = []
        touched: list[tuple[int, int]] = []
        renumber: set[int] = set()
        flagged: set[int] = set()
        replan: set[int] = set()
        new_flagged: set[str] = set()
        later_sources: list[tuple[int, str, int]] = []
        survivors: set[str] = set()
        for record_id, record in unique.items():
            row = known.get(record_id)
            modified = milliseconds(record.modified_at)
            told = beside_us.as_known(row[1], record.values) if row is not None else {}
            if row is not None and told:
                # The next pull reads the record again: our write moved it.
                record = record._replace(values={**record.values, **told})
                modified = row[4]
            facts = _facts(record, origin, own_names, now)
            if row is None:
                if record.deleted and not record.merged_into:
                    # Created and deleted between two pulls: there is nothing to keep true.
                    counts.unchanged += 1
                    continue
                counts.new += 1
                created = milliseconds(record.created_at) if record.created_at else None
                opaque = why_id(key, origin.connection, origin.object_name, record_id)
                stopped = modified if _asks_to_stop(record.values, origin, flag_ours=False) else None
                inserts.append((
                    origin.connection, origin.object_name, record_id, *facts, facts[_SOURCE], opaque, created, modified, now,
                    stopped,
                ))  # fmt: skip
                if stopped is not None:
                    new_flagged.add(record_id)
                if record.merged_into:
                    survivors.add(record.merged_into)
                continue
            contact_id, flag_ours, stopped_before, seen = row[1], bool(row[2]), row[3], row[4]
            before = list(row[6:])
            before[_DNC], before[_EMAIL_OPT_OUT] = bool(before[_DNC]), bool(before[_EMAIL_OPT_OUT])
            ours = origin.own is not None
            if record.deleted:
                # A deleted record comes with few values or none: what it said last stays.
                deleted_at = before[_DELETED] if before[_DELETED] is not None else now
                phones = facts[_PHONES] if facts[_PHONES] != EMPTY else before[_PHONES]
                facts = (*before[:_PHONES], phones, before[_OURS], deleted_at, facts[_MERGED] or before[_MERGED])
            elif ours and modified < seen and before[_DELETED] is None:
                counts.unchanged += 1
                continue
            elif ours and modified == seen and (told or origin.index_lags):
                facts = facts if facts == tuple(before) else _as_known(facts, before)
            else:
                flag_ours = flag_ours and record.values.get(own_flag) == "true"
            if row[5] is not None:
                facts = _of_the_forgotten(facts, before)
            asks = _asks_to_stop(record.values, origin, flag_ours)
            kept = stopped_before if record.deleted or (ours and modified == seen) else None
            stopped = (stopped_before or modified) if asks else kept
            if tuple(before) == facts and stopped == stopped_before:
                counts.unchanged += 1
                if modified != seen:
                    touched.append((modified, contact_id))
                continue
            counts.changed += 1
            updates.append((*facts, flag_ours, stopped, modified, contact_id))
            if before[_DELETED] is None and facts[_DELETED] is not None:
                counts.deleted += 1
                counts.merged += facts[_MERGED] is not None
            if facts[_MERGED] is not None and before[_MERGED] is None:
                survivors.add(facts[_MERGED])
            if _differs(before, facts, _PHONES, _COUNTRY, _STATE, _DELETED, _MERGED):
                renumber.add(contact_id)
            if stopped is not None and stopped_before is None:
                flagged.add(contact_id)
            counts.unticked += before[_DNC] and not facts[_DNC]
            if before[_OURS] != facts[_OURS] or before[_DNC] != facts[_DNC]:
                counts.drifted += 1
                replan.add(contact_id)
            if _differs(before, facts, _EMAIL, _EMAIL_OPT_OUT, _LINKEDIN):
                replan.add(contact_id)
            if before[_SOURCE] != facts[_SOURCE]:
                later_sources.append((contact_id, facts[_SOURCE], now))
        insert_rows(
            connection,
            "contacts",
            ["connection", "object", "record_id", *_FACTS, "first_source", "why_id", "created_at", "modified_at", "first_seen_at",
             "flagged_at"],
            inserts,
        )  # fmt: skip
        update_rows(
            connection, "contacts", [*_FACTS, "do_not_call_ours", "flagged_at", "modified_at"], ["contact_id"], updates
        )
        update_rows(connection, "contacts", ["modified_at"], ["contact_id"], touched)
        insert_rows(
            connection, "contact_sources", ["contact_id", "source", "seen_at"], later_sources,
            on_conflict="(contact_id, source) DO NOTHING",
        )  # fmt: skip
        if inserts:
            new_ids = {
                record_id: contact_id
                for record_id, contact_id in fetch(
                    connection,
                    f"SELECT c.record_id, c.contact_id FROM {batch} AS b JOIN contacts AS c ON c.record_id = b.key "
                    "WHERE c.connection = :connection AND c.object = :object",
                    where,
                )
                if record_id not in known
            }
            renumber.update(new_ids.values())
            flagged.update(new_ids[record_id] for record_id in new_flagged)
        dirty.mark_contacts(connection, "phones", renumber)
        dirty.mark_contacts(connection, "opt_outs", flagged)
        dirty.mark_contacts(connection, dirty.changes_stage(origin.connection), replan)
    survivors |= _note_losers(connection, origin, unique.values(), now, counts)
    _mark_survivors(connection, origin.connection, survivors)


def _note_losers(
    connection: Connection, origin: Origin, records: Iterable[PulledRecord], now: int, counts: PullCounts
) -> set[str]:
    """Note the records that a survivor names as merged into it, where the CRM shows them nowhere else. Returns survivors with news."""
    into = {loser: record.record_id for record in records for loser in record.merged_from}
    if not into:
        return set()
    with batch_of(connection, list(into)) as batch:
        rows = fetch(
            connection,
            f"SELECT c.contact_id, c.record_id, c.deleted_at FROM {batch} AS b JOIN contacts AS c ON c.record_id = b.key "
            "WHERE c.connection = :connection AND c.object = :object AND c.merged_into IS NULL",
            {"connection": origin.connection, "object": origin.object_name},
        )
    losers = [
        (deleted_at if deleted_at is not None else now, into[loser], contact_id)
        for contact_id, loser, deleted_at in rows
    ]
    update_rows(connection, "contacts", ["deleted_at", "merged_into"], ["contact_id"], losers)
    dirty.mark_contacts(connection, "phones", [row[2] for row in losers])
    counts.merged += len(losers)
    counts.deleted += sum(row[2] is None for row in rows)
    return {row[1] for row in losers}


def _mark_survivors(connection: Connection, connection_name: str, record_ids: set[str]) -> None:
    """A survivor takes over the do-not-call of what was merged into it, so it is looked at again."""
    if not record_ids:
        return
    for stage in ("opt_outs", dirty.changes_stage(connection_name)):
        with batch_of(connection, record_ids) as batch:
            dirty.mark_by_query(
                connection,
                "contact_id",
                f"SELECT :stage AS stage, c.contact_id AS key FROM {batch} AS b JOIN contacts AS c ON c.record_id = b.key "
                "WHERE c.connection = :connection",
                {"stage": stage, "connection": connection_name},
            )


def _differs(before: Sequence[Any], after: Sequence[Any], *positions: int) -> bool:
    return any(before[position] != after[position] for position in positions)


def store_cursor(
    connection: Connection, connection_name: str, object_name: str, cursor: str | None, now: int, *, full: bool
) -> None:
    """Move the cursor of a pull, in the transaction that stored its batch."""
    connection.execute(
        text(
            "INSERT INTO syncs (connection, object, cursor, last_pull_at, last_full_at) "
            "VALUES (:connection, :object, :cursor, :now, :full) ON CONFLICT (connection, object) DO UPDATE SET "
            "cursor = excluded.cursor, last_pull_at = excluded.last_pull_at, "
            "last_full_at = coalesce(excluded.last_full_at, syncs.last_full_at)"
        ),
        {
            "connection": connection_name,
            "object": object_name,
            "cursor": cursor,
            "now": now,
            "full": now if full else None,
        },
    )


def sync_state(connection: Connection, connection_name: str, object_name: str) -> tuple[str | None, int | None]:
    """The cursor to go on from and the moment of the last id reconcile; (None, None) before the first pull."""
    rows = fetch(
        connection,
        "SELECT cursor, last_reconcile_at FROM syncs WHERE connection = :connection AND object = :object",
        {"connection": connection_name, "object": object_name},
    )
    return (rows[0][0], rows[0][1]) if rows else (None, None)


def compare_ids(
    connection: Connection, connection_name: str, object_name: str, pages: Iterable[list[str]]
) -> tuple[list[int], list[str]]:
    """Compare the CRM's living ids with ours, page by page: our contacts that are gone, and the ids we do not hold."""
    where = {"connection": connection_name, "object": object_name}
    with batch_of(connection, list[str]()) as batch:
        for page in pages:
            insert_rows(connection, batch, ["key"], [(key,) for key in page], on_conflict="DO NOTHING")
        gone = fetch(
            connection,
            "SELECT contact_id FROM contacts AS c WHERE c.connection = :connection AND c.object = :object "
            f"AND c.deleted_at IS NULL AND NOT EXISTS (SELECT 1 FROM {batch} AS b WHERE b.key = c.record_id)",
            where,
        )
        unknown = fetch(
            connection,
            f"SELECT b.key FROM {batch} AS b WHERE NOT EXISTS (SELECT 1 FROM contacts AS c WHERE c.record_id = b.key "
            "AND c.connection = :connection AND c.object = :object AND c.deleted_at IS NULL)",
            where,
        )
    return [row[0] for row in gone], [row[0] for row in unknown]


def mark_deleted(
    connection: Connection, connection_name: str, object_name: str, contact_ids: Sequence[int], now: int
) -> None:
    """Note records that are gone from the CRM, and when the ids were last compared."""
    update_rows(connection, "contacts", ["deleted_at"], ["contact_id"], [(now, key) for key in contact_ids])
    dirty.mark_contacts(connection, "phones", contact_ids)
    connection.execute(
        text("UPDATE syncs SET last_reconcile_at = :now WHERE connection = :connection AND object = :object"),
        {"connection": connection_name, "object": object_name, "now": now},
    )


def remember_identity(connection: Connection, connection_name: str, identity: str) -> str | None:
    """Note which org or portal a connection speaks to. Returns the other one if the ledger knows a different one."""
    name = f"identity:{connection_name}"
    rows = fetch(connection, "SELECT value FROM meta WHERE name = :name", {"name": name})
    if rows:
        return rows[0][0] if rows[0][0] != identity else None
    connection.execute(text("INSERT INTO meta (name, value) VALUES (:name, :value)"), {"name": name, "value": identity})
    return None


def remember_phone_fields(
    connection: Connection, connection_name: str, object_name: str, fields: Sequence[str]
) -> None:
    """Note which phone fields of an object are read, so that planning knows them without asking the CRM."""
    connection.execute(
        text(
            "INSERT INTO meta (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
        ),
        {"name": f"phones:{connection_name}:{object_name}", "value": orjson.dumps(list(fields)).decode()},
    )


def phone_fields(connection: Connection, connection_name: str) -> dict[str, tuple[str, ...]]:
    """Phone fields by object, as the last pull read them. Empty before the first pull."""
    prefix = f"phones:{connection_name}:"
    rows = fetch(connection, "SELECT name, value FROM meta WHERE name LIKE :prefix || '%'", {"prefix": prefix})
    return {name.removeprefix(prefix): tuple(orjson.loads(value)) for name, value in rows}
