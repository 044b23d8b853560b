"""The journal of write-back: plans, and the state of each change. It is written before the CRM is.

    planned -> sending -> applied | failed | conflict | skipped
    planned or failed -> superseded (a newer plan)      applied -> reverted (undone)

A change row covers the fields of one record that travel together: {field: [before, after]}.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from operator import attrgetter, itemgetter
from typing import Any, Literal, NamedTuple

import orjson
from sqlalchemy import Connection, text

from ringtrue.ledger import dirty
from ringtrue.ledger.beside import OPEN_AHEAD
from ringtrue.ledger.contacts import dumps
from ringtrue.ledger.database import STREAM_ROWS, batch_of, fetch, insert_rows, stream, take_turns, update_rows
from ringtrue.ledger.plan_content import Content

State = Literal["planned", "sending", "applied", "failed", "conflict", "skipped", "superseded", "reverted"]
Fields = dict[str, list[str | None]]
Purpose = Literal["sync", "undo", "ahead"]
"""`ahead`: written beside a sync and before it, see `ringtrue.ledger.ahead`."""


class Planned(NamedTuple):
    """A change to journal."""

    object_name: str
    record_id: str
    contact_id: int
    fields: Fields
    guarded: bool
    decisions: list[int]
    undoes: int | None = None


class Change(NamedTuple):
    """A change as it stands in the journal."""

    change_id: int
    object_name: str
    record_id: str
    contact_id: int
    fields: Fields
    guarded: bool
    attempts: int
    batch: str | None
    job: str | None
    undoes: int | None
    """The change this one takes back: for an undo, or for a person's edit that our write overtook."""
    plan_id: str
    changed_at: int
    parent: str | None

    def after(self) -> dict[str, str | None]:
        """The values to write."""
        return {name: pair[1] for name, pair in self.fields.items()}


class Plan(NamedTuple):
    """A sealed plan."""

    plan_id: str
    connection: str
    purpose: Purpose
    created_at: int
    records: int
    fields: int
    hash: str
    summary: dict[str, Any]
    approved_by: str | None
    approved_hash: str | None


_BY_ID = attrgetter("change_id")
"""Rows are updated in the order in which they lie in the table, not in that of a job, which is sorted by account."""

_OPEN = "state IN ('planned', 'sending', 'failed')"
"""The condition of the index on open changes, word for word: without it SQLite does not see that the index will do."""


def new_plan_id() -> str:
    """A short id that a person can type. It holds a letter: digits alone would be masked as a number in a message."""
    return "".join(secrets.choice("abcdef") + secrets.token_hex(2) for _ in range(2))


def supersede(connection: Connection, connection_name: str, contact_ids: Sequence[int], now: int) -> None:
    """Drop the open changes of contacts that are being planned anew. A delivery ahead of the sync ends its own."""
    with batch_of(connection, contact_ids, empty=int) as batch:
        connection.execute(
            text(
                "UPDATE changes SET state = 'superseded', changed_at = :now WHERE connection = :connection "
                f"AND contact_id IN (SELECT key FROM {batch}) AND state IN ('planned', 'failed') AND undoes IS NULL "
                f"AND plan_id NOT IN ({OPEN_AHEAD})"
            ),
            {"now": now, "connection": connection_name},
        )


def add(
    connection: Connection, plan_id: str, connection_name: str, rows: Iterable[Planned], run: str, now: int
) -> Content:
    """Write planned changes into the journal. Returns what they hold."""
    content = Content()
    written = [(row, orjson.dumps(row.fields).decode()) for row in rows]
    content.take((row.object_name, row.record_id, fields) for row, fields in written)
    insert_rows(
        connection,
        "changes",
        ["plan_id", "connection", "object", "record_id", "contact_id", "fields", "guarded", "decisions", "state",
         "undoes", "root_run", "changed_at"],
        [
            (plan_id, connection_name, row.object_name, row.record_id, row.contact_id, fields,
             row.guarded, orjson.dumps(row.decisions).decode(), "planned", row.undoes, run, now)
            for row, fields in written
        ],
    )  # fmt: skip
    return content


def seal(
    connection: Connection,
    plan_id: str,
    connection_name: str,
    purpose: Purpose,
    run: str,
    now: int,
    summary: dict[str, Any],
    content: Content | None = None,
) -> Plan:
    """Count and hash a plan. A plan of a sync also adopts what older ones left open and becomes the one to carry out.

    Plans that a crash left unsealed are adopted too. `content`: what was added to the plan, where the caller kept count; it is read
    from the journal else. An approval of the plan before it holds on when nothing came or went: it is for the content.
    """
    before = open_plan(connection, connection_name) if purpose == "sync" else None
    here = {"plan": plan_id, "connection": connection_name}
    if content is None or content.records != _count(connection, here):
        content = Content()
        _read_into(content, connection, "plan_id = :plan AND state = 'planned'", here)
    if purpose == "sync":
        _read_into(content, connection, _LEFT_OPEN, here)
        connection.execute(
            text(
                f"UPDATE changes SET plan_id = :plan, state = 'planned' WHERE connection = :connection AND {_LEFT_OPEN} AND {_OPEN}"
            ),
            here,
        )
        connection.execute(
            text(
                "UPDATE plans SET state = 'closed' WHERE connection = :connection AND purpose = 'sync' AND state = 'open'"
            ),
            {"connection": connection_name},
        )
    connection.execute(
        text(
            "INSERT INTO plans (plan_id, connection, purpose, created_at, run, records, fields, hash, summary, state) "
            "VALUES (:plan, :connection, :purpose, :now, :run, :records, :fields, :hash, :summary, 'open')"
        ),
        {
            **here, "purpose": purpose, "now": now, "run": run, "records": content.records,
            "fields": content.fields, "hash": content.hash, "summary": orjson.dumps(summary).decode(),
        },
    )  # fmt: skip
    plan = Plan(
        plan_id, connection_name, purpose, now, content.records, content.fields, content.hash, summary, None, None
    )
    if before is not None and before.approved_by is not None and before.approved_hash == plan.hash:
        approve(connection, plan, before.approved_by, now)
        plan = plan._replace(approved_by=before.approved_by, approved_hash=plan.hash)
    return plan


_LEFT_OPEN = (
    "plan_id <> :plan AND state IN ('planned', 'failed') "
    "AND plan_id NOT IN (SELECT plan_id FROM plans WHERE purpose <> 'sync')"
)
"""Changes of other plans that a plan of a sync takes over: those of older syncs, sealed or not."""


def _count(connection: Connection, here: dict[str, str]) -> int:
    condition = f"connection = :connection AND plan_id = :plan AND state = 'planned' AND {_OPEN}"
    return int(fetch(connection, f"SELECT count(*) FROM changes WHERE {condition}", here)[0][0])


def _read_into(content: Content, connection: Connection, condition: str, here: dict[str, str]) -> None:
    rows = stream(
        connection,
        f"SELECT object, record_id, fields FROM changes WHERE connection = :connection AND {condition} AND {_OPEN}",
        here,
    )
    while part := list(islice(rows, STREAM_ROWS)):
        content.take(part)


_PLAN = "plan_id, connection, purpose, created_at, records, fields, hash, summary, approved_by, approved_hash"


def _plan(row: tuple[Any, ...]) -> Plan:
    plan_id, connection, purpose, created_at, records, fields, digest, summary, approved_by, approved_hash = row
    return Plan(
        plan_id,
        connection,
        purpose,
        created_at,
        records,
        fields,
        digest,
        orjson.loads(summary),
        approved_by,
        approved_hash,
    )


def open_plan(connection: Connection, connection_name: str) -> Plan | None:
    """The plan that write-back would carry out."""
    rows = fetch(
        connection,
        f"SELECT {_PLAN} FROM plans WHERE connection = :connection AND purpose = 'sync' AND state = 'open'",
        {"connection": connection_name},
    )
    return _plan(rows[0]) if rows else None


def find_plan(connection: Connection, plan_id: str) -> Plan | None:
    """A plan by its id."""
    rows = fetch(connection, f"SELECT {_PLAN} FROM plans WHERE plan_id = :plan", {"plan": plan_id})
    return _plan(rows[0]) if rows else None


def approve(connection: Connection, plan: Plan, person: str, now: int) -> None:
    """Let a person approve a plan as it is: another content needs another approval."""
    connection.execute(
        text("UPDATE plans SET approved_by = :person, approved_at = :now, approved_hash = hash WHERE plan_id = :plan"),
        {"person": person, "now": now, "plan": plan.plan_id},
    )


_CHANGE = "ch.change_id, ch.object, ch.record_id, ch.contact_id, ch.fields, ch.guarded, ch.attempts, ch.batch, ch.job, ch.undoes, ch.plan_id, ch.changed_at, c.account"


def _change(row: tuple[Any, ...]) -> Change:
    (
        change_id,
        object_name,
        record_id,
        contact_id,
        fields,
        guarded,
        attempts,
        batch,
        job,
        undoes,
        plan_id,
        at,
        parent,
    ) = row
    return Change(
        change_id,
        object_name,
        record_id,
        contact_id,
        orjson.loads(fields),
        bool(guarded),
        attempts,
        batch,
        job,
        undoes,
        plan_id,
        at,
        parent,
    )


def planned(
    connection: Connection,
    connection_name: str,
    plan_id: str,
    object_name: str,
    *,
    guarded: bool,
    after: int,
    limit: int,
    only: str | None = None,
    marked_too: bool = False,
) -> list[Change]:
    """The next changes of a plan to send, behind change id `after`. `only` names one record.

    Contacts that wait to be planned anew are left alone unless `marked_too`: their decision has changed since.
    """
    return [
        _change(row)
        for row in fetch(
            connection,
            f"SELECT {_CHANGE} FROM changes AS ch JOIN contacts AS c ON c.contact_id = ch.contact_id "
            "WHERE ch.connection = :connection AND ch.plan_id = :plan AND ch.state = 'planned' AND ch.guarded = :guarded "
            f"AND ch.object = :object AND ch.{_OPEN} "
            "AND ch.change_id > :after AND (:only IS NULL OR ch.record_id = :only) "
            "AND (:marked_too OR ch.undoes IS NOT NULL OR NOT EXISTS "
            "(SELECT 1 FROM dirty_contacts AS d WHERE d.stage = :stage AND d.contact_id = ch.contact_id)) "
            "ORDER BY ch.change_id LIMIT :limit",
            {
                "connection": connection_name, "plan": plan_id, "guarded": guarded, "after": after, "limit": limit,
                "only": only, "object": object_name, "stage": dirty.changes_stage(connection_name),
                "marked_too": marked_too,
            },
        )
    ]  # fmt: skip


def not_cleared(connection: Connection, connection_name: str, plan_id: str) -> Iterator[tuple[str, Fields]]:
    """Object and fields of every planned change that the guard or a person has not let pass yet, streamed."""
    for object_name, fields in stream(
        connection,
        "SELECT object, fields FROM changes WHERE connection = :connection AND plan_id = :plan AND state = 'planned' "
        f"AND NOT cleared AND {_OPEN}",
        {"connection": connection_name, "plan": plan_id},
    ):
        yield object_name, orjson.loads(fields)


def clear_plan(connection: Connection, connection_name: str, plan_id: str) -> None:
    """Note that the guard or a person let these changes pass: what a crash leaves of them is not stopped again."""
    connection.execute(
        text(
            "UPDATE changes SET cleared = true WHERE connection = :connection AND plan_id = :plan AND state = 'planned' "
            f"AND NOT cleared AND {_OPEN}"
        ),
        {"connection": connection_name, "plan": plan_id},
    )


def count_planned(connection: Connection, connection_name: str, plan_id: str) -> dict[tuple[str, bool], int]:
    """Planned changes by object and whether they are guarded."""
    rows = fetch(
        connection,
        "SELECT object, guarded, count(*) FROM changes WHERE connection = :connection AND plan_id = :plan "
        f"AND state = 'planned' AND {_OPEN} GROUP BY object, guarded",
        {"connection": connection_name, "plan": plan_id},
    )
    return {(row[0], bool(row[1])): int(row[2]) for row in rows}


def sending(connection: Connection, connection_name: str, limit: int, *, ahead: bool = False) -> list[Change]:
    """Changes that a crash left between sent and answered: those of plans written ahead of the sync, or of all others."""
    return [
        _change(row)
        for row in fetch(
            connection,
            f"SELECT {_CHANGE} FROM changes AS ch JOIN contacts AS c ON c.contact_id = ch.contact_id "
            f"WHERE ch.connection = :connection AND ch.state = 'sending' AND ch.{_OPEN} "
            f"AND ch.plan_id {'' if ahead else 'NOT '}IN ({OPEN_AHEAD}) ORDER BY ch.job, ch.change_id LIMIT :limit",
            {"connection": connection_name, "limit": limit},
        )
    ]


def of_job(connection: Connection, connection_name: str, job: str) -> list[Change]:
    """Changes that were sent with a bulk job and have no end yet."""
    return [
        _change(row)
        for row in fetch(
            connection,
            f"SELECT {_CHANGE} FROM changes AS ch JOIN contacts AS c ON c.contact_id = ch.contact_id "
            f"WHERE ch.connection = :connection AND ch.state = 'sending' AND ch.{_OPEN} AND ch.job = :job "
            "ORDER BY ch.change_id",
            {"connection": connection_name, "job": job},
        )
    ]


def start(
    connection: Connection, changes: Sequence[Change], *, batch: str, job: str | None, run: str, root_run: str, now: int
) -> list[Change]:
    """Note that changes are about to be sent; committed before they are. Returns those that were still planned: only they may be sent.

    `batch` names this call and no other.
    """
    started = update_rows(
        connection,
        "changes",
        ["state", "attempts", "batch", "job", "run", "root_run", "changed_at"],
        ["change_id", "state"],
        [
            ("sending", change.attempts + 1, batch, job, run, root_run, now, change.change_id, "planned")
            for change in sorted(changes, key=_BY_ID)
        ],
    )
    if started == len(changes):
        return list(changes)
    with batch_of(connection, [change.change_id for change in changes]) as keys:
        rows = fetch(
            connection,
            f"SELECT ch.change_id FROM {keys} AS b JOIN changes AS ch ON ch.change_id = b.key "
            "WHERE ch.state = 'sending' AND ch.batch = :batch",
            {"batch": batch},
        )
    mine = {row[0] for row in rows}
    return [change for change in changes if change.change_id in mine]


def finish(connection: Connection, rows: Sequence[tuple[State, str | None, int]], now: int) -> None:
    """Note what became of changes: (state, error, change_id)."""
    update_rows(
        connection, "changes", ["state", "error", "changed_at"], ["change_id"],
        [(state, error, now, change_id) for state, error, change_id in sorted(rows, key=itemgetter(2))],
    )  # fmt: skip


def split_off(
    connection: Connection,
    plan_id: str,
    connection_name: str,
    change: Change,
    fields: Fields,
    state: State,
    error: str,
    run: str,
    now: int,
) -> Change:
    """Take fields out of a change into a row of their own with its own end, and return what is left to send."""
    rest: Fields = {name: pair for name, pair in change.fields.items() if name not in fields}
    insert_rows(
        connection,
        "changes",
        ["plan_id", "connection", "object", "record_id", "contact_id", "fields", "guarded", "decisions", "state", "error",
         "run", "root_run", "changed_at"],
        [(plan_id, connection_name, change.object_name, change.record_id, change.contact_id, orjson.dumps(fields).decode(),
          change.guarded, "[]", state, error, run, run, now)],
    )  # fmt: skip
    update_rows(connection, "changes", ["fields"], ["change_id"], [(orjson.dumps(rest).decode(), change.change_id)])
    return change._replace(fields=rest)


def remember_written(
    connection: Connection,
    connection_name: str,
    written: Sequence[tuple[int, dict[str, str | None]]],
    phone_fields: frozenset[str],
    flag: str,
) -> None:
    """Hold the values just written as the ones last seen, so that their echo in the next pull is no news."""
    if not written:
        return
    # A pull reads, compares and writes the same columns: who comes second has to see what the first one wrote.
    take_turns(connection, f"contacts of {connection_name}")
    by_contact: dict[int, dict[str, str | None]] = {}
    for contact_id, values in written:
        by_contact.setdefault(contact_id, {}).update(values)
    with batch_of(connection, list(by_contact)) as batch:
        seen = fetch(
            connection,
            "SELECT c.contact_id, c.ours, c.phones, c.do_not_call, c.do_not_call_ours "
            f"FROM {batch} AS b JOIN contacts AS c ON c.contact_id = b.key",
        )
    rows = []
    for contact_id, ours_text, phones_text, flagged, flagged_by_us in seen:
        values = by_contact[contact_id]
        ours = orjson.loads(ours_text)
        phones_changed = not phone_fields.isdisjoint(values)
        phones = orjson.loads(phones_text) if phones_changed else {}
        for name, value in values.items():
            target = phones if name in phone_fields else ours
            if value is None:
                target.pop(name, None)
            else:
                target[name] = value
        if flag in values:
            flagged = values[flag] == "true"
            flagged_by_us = flagged
        rows.append((dumps(ours), dumps(phones) if phones_changed else phones_text, flagged, flagged_by_us, contact_id))
    update_rows(connection, "contacts", ["ours", "phones", "do_not_call", "do_not_call_ours"], ["contact_id"], rows)


def run_counts(connection: Connection, run: str) -> dict[str, int]:
    """Changes by state that a run sent."""
    rows = fetch(connection, "SELECT state, count(*) FROM changes WHERE run = :run GROUP BY state", {"run": run})
    return {state: int(count) for state, count in rows}


def has_written(connection: Connection, connection_name: str) -> bool:
    """Whether anything was ever written to this CRM."""
    return bool(
        fetch(
            connection,
            "SELECT 1 FROM changes WHERE connection = :connection AND state IN ('applied', 'reverted') LIMIT 1",
            {"connection": connection_name},
        )
    )


def has_synced(connection: Connection, connection_name: str) -> bool:
    """Whether a plan of a sync ever wrote to this CRM: what was written ahead of the first one tells nothing of it."""
    return bool(
        fetch(
            connection,
            "SELECT 1 FROM changes WHERE connection = :connection AND state IN ('applied', 'reverted') "
            "AND plan_id NOT IN (SELECT plan_id FROM plans WHERE connection = :connection AND purpose = 'ahead') LIMIT 1",
            {"connection": connection_name},
        )
    )


def living_records(connection: Connection, connection_name: str) -> int:
    """Records of a connection that are not deleted."""
    rows = fetch(
        connection,
        "SELECT count(*) FROM contacts WHERE connection = :connection AND deleted_at IS NULL",
        {"connection": connection_name},
    )
    return int(rows[0][0])


def back_to_plan(
    connection: Connection, connection_name: str, changes: Sequence[Change], error: str | None, now: int
) -> None:
    """Put changes that were not written back to be sent, into the open plan; superseded where the plan has a newer one.

    Those of a plan written ahead of the sync stay in it.
    """
    if not changes:
        return
    with batch_of(connection, [change.change_id for change in changes]) as batch:
        newer = (
            "EXISTS (SELECT 1 FROM changes AS n WHERE n.contact_id = changes.contact_id AND n.connection = changes.connection "
            f"AND n.state = 'planned' AND n.change_id > changes.change_id AND n.plan_id NOT IN ({OPEN_AHEAD})) "
            f"AND changes.undoes IS NULL AND changes.plan_id NOT IN ({OPEN_AHEAD})"
        )
        connection.execute(
            text(
                f"UPDATE changes SET state = CASE WHEN {newer} THEN 'superseded' ELSE 'planned' END, error = :error, "
                "changed_at = :now, batch = NULL, job = NULL, plan_id = coalesce((SELECT plan_id FROM plans "
                "WHERE connection = :connection AND purpose = 'sync' AND state = 'open' AND changes.undoes IS NULL "
                f"AND changes.plan_id NOT IN ({OPEN_AHEAD}) LIMIT 1), plan_id) "
                f"WHERE change_id IN (SELECT key FROM {batch})"
            ),
            {"error": error, "now": now, "connection": connection_name},
        )
