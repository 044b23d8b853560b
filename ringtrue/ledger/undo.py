"""Takes a run's changes back: plans `after` -> `before`, and holds what was put back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import orjson
from sqlalchemy import Connection, text

from ringtrue.errors import PlanRefused
from ringtrue.fields import OwnFields
from ringtrue.ledger import dirty
from ringtrue.ledger.database import fetch, insert_rows, update_rows
from ringtrue.ledger.journal import Fields, Planned
from ringtrue.ledger.list_members import not_to_return
from ringtrue.ledger.personal import ERASED
from ringtrue.list_objects import is_list


class Undoable(NamedTuple):
    """What of a run can be taken back, and how many do-not-call flags stay."""

    connection: str
    planned: list[Planned]
    flags_kept: int


def connections_of(connection: Connection, run: str) -> tuple[str, list[str]]:
    """The run that is meant, by its id or the first characters of it, and the connections it (its retries included) wrote to.

    No connection where nothing is left to undo. Raises PlanRefused when the characters fit more than one run.
    """
    written = fetch(
        connection,
        "SELECT DISTINCT root_run, connection FROM changes WHERE state = 'applied' AND undoes IS NULL "
        "AND substr(root_run, 1, :length) = :run ORDER BY root_run, connection",
        {"run": run, "length": len(run)},
    )
    runs = list(dict.fromkeys(row[0] for row in written))
    if len(runs) > 1:
        raise PlanRefused(f"{run!r} is the beginning of {len(runs)} runs: {', '.join(runs[:5])}. Give more of the id.")
    return (runs[0] if runs else run), [row[1] for row in written]


def undoable(connection: Connection, connection_name: str, run: str, own: dict[str, OwnFields]) -> Undoable:
    """Plan the way back for a run's applied changes. Do-not-call flags stay: they are retracted or re-consented, never undone."""
    planned: list[Planned] = []
    kept = 0
    for change_id, object_name, record_id, contact_id, fields_text in fetch(
        connection,
        "SELECT change_id, object, record_id, contact_id, fields FROM changes WHERE connection = :connection "
        "AND root_run = :run AND state = 'applied' AND undoes IS NULL ORDER BY change_id DESC",
        {"connection": connection_name, "run": run},
    ):
        fields: Fields = orjson.loads(fields_text)
        flag = own[object_name].do_not_call
        kept += flag in fields
        # What a privacy request erased is not known any more: nothing can be put back.
        back: Fields = {
            name: [after, before]
            for name, (before, after) in fields.items()
            if name != flag and ERASED not in (before, after)
        }
        if back:
            planned.append(
                Planned(object_name, record_id, contact_id, back, guarded=True, decisions=[], undoes=change_id)
            )
    # Nobody who must not be called is put back on a dialling list.
    stopped = not_to_return(connection, [row.contact_id for row in planned if is_list(row.object_name)])
    wanted = [row for row in planned if not (is_list(row.object_name) and row.contact_id in stopped)]
    return Undoable(connection_name, wanted, kept + len(planned) - len(wanted))


def interrupted(connection: Connection, connection_name: str) -> list[tuple[str, str]]:
    """Undo plans that were never finished, and their runs."""
    rows = fetch(
        connection,
        "SELECT plan_id, run FROM plans WHERE connection = :connection AND purpose = 'undo' AND state = 'open' "
        "ORDER BY created_at",
        {"connection": connection_name},
    )
    return [(row[0], row[1]) for row in rows]


def finish(connection: Connection, plan_id: str, run: str, now: int) -> Counter[str]:
    """Note the changes that were taken back as reverted and hold their fields. Returns undo rows by state.

    A field that held its old value already counts as taken back. What the undo did not get to is dropped from its plan.
    """
    ends = Counter[str]()
    reverted: list[tuple[str, int, int]] = []
    holds: list[tuple[int, str, str | None, int, str]] = []
    dropped: list[tuple[str, int, int]] = []
    for change_id, state, undoes, contact_id, fields_text in fetch(
        connection,
        "SELECT change_id, state, undoes, contact_id, fields FROM changes WHERE plan_id = :plan",
        {"plan": plan_id},
    ):
        ends[state] += 1
        if state in ("applied", "superseded"):
            if undoes is not None:
                reverted.append(("reverted", now, undoes))
            fields: Fields = orjson.loads(fields_text)
            holds += [(contact_id, name, after, now, run) for name, (after, _) in fields.items()]
        elif state == "planned":
            dropped.append(("superseded", now, change_id))
    update_rows(connection, "changes", ["state", "changed_at"], ["change_id"], [*reverted, *dropped])
    insert_rows(
        connection, "holds", ["contact_id", "field", "refused", "since", "run"], holds,
        on_conflict="(contact_id, field) DO UPDATE SET refused = excluded.refused, since = excluded.since, run = excluded.run",
    )  # fmt: skip
    connection.execute(text("UPDATE plans SET state = 'closed' WHERE plan_id = :plan"), {"plan": plan_id})
    return ends


def lift(connection: Connection, holds: Sequence[tuple[int, str]]) -> None:
    """Forget holds, given as (contact, field)."""
    for contact_id, field in holds:
        connection.execute(
            text("DELETE FROM holds WHERE contact_id = :contact AND field = :field"),
            {"contact": contact_id, "field": field},
        )


def release(connection: Connection, *, run: str | None = None, record: str | None = None) -> int:
    """Lift holds: those of one undo run, of one record, or all. Their contacts are planned again. Returns how many were lifted."""
    conditions = ["1 = 1"]
    parameters: dict[str, object] = {}
    if run is not None:
        conditions.append("h.run = :run")
        parameters["run"] = run
    if record is not None:
        conditions.append("c.record_id = :record")
        parameters["record"] = record
    held: list[tuple[int, str, str]] = [
        (row[0], row[1], row[2])
        for row in fetch(
            connection,
            "SELECT h.contact_id, h.field, c.connection FROM holds AS h JOIN contacts AS c ON c.contact_id = h.contact_id "
            f"WHERE {' AND '.join(conditions)}",
            parameters,
        )
    ]
    lift(connection, [(contact_id, field) for contact_id, field, _ in held])
    by_connection: dict[str, set[int]] = {}
    for contact_id, _, name in held:
        by_connection.setdefault(name, set()).add(contact_id)
    for name, contact_ids in by_connection.items():
        dirty.mark_contacts(connection, dirty.changes_stage(name), contact_ids)
    return len(held)
