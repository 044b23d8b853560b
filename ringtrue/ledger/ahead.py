"""What is written to a CRM ahead of its sync: do-not-call flags, and records that were just made or changed.

Such a delivery may run beside a sync of the same connection, so both look at the other's rows of the journal in the transaction that says
`sending`. Whoever comes first writes a field; it is taken out of what the other one still has planned. A note tells a sync when there was a
delivery beside it at all: without one it looks at nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import orjson
from sqlalchemy import Connection, text

from ringtrue.ledger import dirty, journal
from ringtrue.ledger.beside import note, takes_flag, was_beside
from ringtrue.ledger.database import batch_of, fetch, take_turns, update_rows
from ringtrue.ledger.journal import Change, Fields
from ringtrue.ledger.suppressions import live_numbers, live_persons

BUSY = "another run is writing this field"
LEFT = "left to the sync"
_OPEN = "state IN ('planned', 'sending', 'failed')"
"""As the index on open changes says it, see `journal`."""
TALLY = "changes"
"""Under this name the summary of a plan holds what the guard counts."""
STANDS = "the field holds this value already"


def still_to_send(
    connection: Connection, connection_name: str, changes: Sequence[Change], read_at: int
) -> Sequence[Change]:
    """Of changes read from the journal at `read_at`, those that still are to be sent, as they stand now.

    Left out are records that something is being written to, and those that wait to be planned anew. No flag is taken from somebody who opted
    out since.
    """
    if not changes:
        return changes
    take_turns(connection, f"sending to {connection_name}")
    unflag = [change for change in changes if change.undoes is None and takes_flag(change.fields)]
    looked_at = changes if was_beside(connection, connection_name, read_at) else unflag
    if not looked_at:
        return changes
    flag_stage = dirty.do_not_call_stage(connection_name)
    stopped_since = dict(dirty.marks_of(connection, "contact_id", flag_stage, [change.contact_id for change in unflag]))
    not_to_send = {change.change_id for change in unflag if change.contact_id in stopped_since}
    with batch_of(connection, [change.change_id for change in looked_at]) as batch:
        present = dict(
            fetch(
                connection,
                f"SELECT ch.change_id, ch.fields FROM {batch} AS b JOIN changes AS ch ON ch.change_id = b.key "
                "WHERE ch.state = 'planned' AND NOT EXISTS (SELECT 1 FROM changes AS o WHERE o.contact_id = ch.contact_id "
                "AND o.connection = ch.connection AND o.state = 'sending') AND (ch.undoes IS NOT NULL OR NOT EXISTS "
                "(SELECT 1 FROM dirty_contacts AS d WHERE d.stage = :stage AND d.contact_id = ch.contact_id))",
                {"stage": dirty.changes_stage(connection_name)},
            )
        )
    left_out = not_to_send | {change.change_id for change in looked_at} - present.keys()
    return [
        change._replace(fields=orjson.loads(present[change.change_id])) if change.change_id in present else change
        for change in changes
        if change.change_id not in left_out
    ]


def claim(
    connection: Connection, connection_name: str, changes: Sequence[Change], needed: frozenset[str], now: int
) -> list[Change]:
    """Take records for a delivery ahead of the sync. Returns what it may send.

    A field that is being sent already is left out; where that is one of `needed`, so is the record. The changes left out are superseded.
    """
    if not changes:
        return []
    take_turns(connection, f"sending to {connection_name}")
    in_flight: dict[int, set[str]] = {}
    own = {change.change_id for change in changes}
    with batch_of(connection, sorted({change.contact_id for change in changes})) as batch:
        for change_id, contact_id, sent in fetch(
            connection,
            f"SELECT ch.change_id, ch.contact_id, ch.fields FROM {batch} AS b JOIN changes AS ch ON ch.contact_id = b.key "
            "WHERE ch.connection = :connection AND ch.state = 'sending'",
            {"connection": connection_name},
        ):
            if change_id not in own:
                in_flight.setdefault(contact_id, set()).update(orjson.loads(sent))
    taken: list[Change] = []
    dropped: list[Change] = []
    for change in changes:
        theirs = in_flight.get(change.contact_id, set())
        fields: Fields = {name: pair for name, pair in change.fields.items() if name not in theirs}
        if not fields or needed & theirs & change.fields.keys():
            dropped.append(change)
        else:
            taken.append(change._replace(fields=fields))
    update_rows(
        connection, "changes", ["fields"], ["change_id"],
        [(orjson.dumps(change.fields).decode(), change.change_id) for change in taken if change.contact_id in in_flight],
    )  # fmt: skip
    journal.finish(connection, [("superseded", BUSY, change.change_id) for change in dropped], now)
    take_out(connection, connection_name, taken, now)
    note(connection, connection_name, now, busy=True)
    return taken


def take_out(connection: Connection, connection_name: str, sent: Sequence[Change], now: int) -> None:
    """Take the fields of changes out of what other plans still hold for the same records, so that nothing is written twice."""
    if not sent:
        return
    fields = {change.contact_id: change.fields for change in sent}
    own = {change.change_id for change in sent}
    with batch_of(connection, list(fields)) as batch:
        held = fetch(
            connection,
            f"SELECT ch.change_id, ch.contact_id, ch.fields, ch.plan_id FROM {batch} AS b JOIN changes AS ch ON ch.contact_id = b.key "
            "WHERE ch.connection = :connection AND ch.state IN ('planned', 'failed') AND ch.undoes IS NULL",
            {"connection": connection_name},
        )
    left: list[tuple[str, int, int]] = []
    ended: list[tuple[journal.State, str | None, int]] = []
    for change_id, contact_id, planned, _ in held:
        before: Fields = orjson.loads(planned)
        rest = {name: pair for name, pair in before.items() if name not in fields[contact_id]}
        if change_id in own or len(rest) == len(before):
            continue
        if rest:
            left.append((orjson.dumps(rest).decode(), now, change_id))
        else:
            ended.append(("superseded", "written ahead of the sync", change_id))
    update_rows(connection, "changes", ["fields", "changed_at"], ["change_id"], left)
    journal.finish(connection, ended, now)


def supersede(connection: Connection, connection_name: str, contact_ids: Sequence[int], now: int) -> None:
    """Drop what is planned for records that are planned anew. Dialling lists that they are to leave stay planned.

    A sync may have read these rows: it is told to look again before it sends them.
    """
    take_turns(connection, f"sending to {connection_name}")
    note(connection, connection_name, now, busy=True)
    with batch_of(connection, contact_ids) as batch:
        connection.execute(
            text(
                "UPDATE changes SET state = 'superseded', changed_at = :now WHERE connection = :connection "
                f"AND contact_id IN (SELECT key FROM {batch}) AND state IN ('planned', 'failed') AND undoes IS NULL "
                "AND object = (SELECT c.object FROM contacts AS c WHERE c.contact_id = changes.contact_id)"
            ),
            {"now": now, "connection": connection_name},
        )


def contacts_of(connection: Connection, connection_name: str, object_name: str, record_ids: Sequence[str]) -> list[int]:
    """Contacts of records, with those they were merged into."""
    if not record_ids:
        return []
    with batch_of(connection, record_ids) as batch:
        rows = fetch(
            connection,
            f"SELECT c.contact_id, s.contact_id FROM {batch} AS b JOIN contacts AS c ON c.record_id = b.key "
            "LEFT JOIN contacts AS s ON s.record_id = c.merged_into AND s.connection = c.connection AND s.object = c.object "
            "WHERE c.connection = :connection AND c.object = :object",
            {"connection": connection_name, "object": object_name},
        )
    return sorted({contact_id for row in rows for contact_id in row if contact_id is not None})


def open_plans(connection: Connection, connection_name: str) -> list[str]:
    """Plans written ahead of the sync that were not finished."""
    return [
        row[0]
        for row in fetch(
            connection,
            "SELECT plan_id FROM plans WHERE connection = :connection AND purpose = 'ahead' AND state = 'open' ORDER BY created_at",
            {"connection": connection_name},
        )
    ]


def settled(connection: Connection, plan_id: str, contact_ids: Sequence[int]) -> set[int]:
    """Of the contacts given, those with nothing left to write: the CRM took the plan's changes, refused them, held the values already, or lost the record."""
    if not contact_ids:
        return set()
    with batch_of(connection, contact_ids) as batch:
        rows = fetch(
            connection,
            f"SELECT ch.contact_id, ch.state, ch.error FROM {batch} AS b JOIN changes AS ch ON ch.contact_id = b.key "
            "WHERE ch.plan_id = :plan AND ch.undoes IS NULL",
            {"plan": plan_id},
        )
    left = {
        contact_id
        for contact_id, state, error in rows
        if state not in ("applied", "failed", "skipped") and (state, error) != ("superseded", STANDS)
    }
    return {row[0] for row in rows} - left


def drop_planned(connection: Connection, connection_name: str, plan_id: str, now: int) -> list[int]:
    """Drop what a plan has not sent. Its records are planned anew by the sync, and so are those of failed changes: nothing is lost.

    Returns the contacts of what was dropped.
    """
    rows = fetch(
        connection,
        "SELECT change_id, contact_id, state FROM changes WHERE connection = :connection AND plan_id = :plan "
        f"AND state <> 'sending' AND undoes IS NULL AND {_OPEN}",
        {"connection": connection_name, "plan": plan_id},
    )
    dropped = [row for row in rows if row[2] == "planned"]
    journal.finish(connection, [("superseded", LEFT, row[0]) for row in dropped], now)
    dirty.mark_contacts(connection, dirty.changes_stage(connection_name), [row[1] for row in rows])
    return [row[1] for row in dropped]


def close(
    connection: Connection, connection_name: str, plan_id: str, now: int, contact_ids: Sequence[int] | None = None
) -> None:
    """End a plan. The sync plans anew what it did not send, what the CRM refused, and what met another run's write or a person's edit.

    `contact_ids`: whom the plan concerns, where that is known. The whole journal is looked through else.
    """
    drop_planned(connection, connection_name, plan_id, now)
    met = (
        "ch.connection = :connection AND ch.plan_id = :plan AND ch.undoes IS NULL "
        "AND (ch.state = 'conflict' OR (ch.state = 'superseded' AND ch.error = :busy))"
    )
    here = {"connection": connection_name, "plan": plan_id, "busy": BUSY}
    if contact_ids is None:
        rows = fetch(connection, f"SELECT ch.contact_id FROM changes AS ch WHERE {met}", here)
    else:
        with batch_of(connection, contact_ids, empty=int) as batch:
            among = f"{batch} AS b JOIN changes AS ch ON ch.contact_id = b.key"
            rows = fetch(connection, f"SELECT ch.contact_id FROM {among} WHERE {met}", here)
    dirty.mark_contacts(connection, dirty.changes_stage(connection_name), [row[0] for row in rows])
    connection.execute(text("UPDATE plans SET state = 'closed' WHERE plan_id = :plan"), {"plan": plan_id})


def note_tally(connection: Connection, plan_id: str, counted: Mapping[str, int]) -> None:
    """Note what of a plan was written, as the guard counts it."""
    [(summary,)] = fetch(connection, "SELECT summary FROM plans WHERE plan_id = :plan", {"plan": plan_id})
    connection.execute(
        text("UPDATE plans SET summary = :summary WHERE plan_id = :plan"),
        {"summary": orjson.dumps({**orjson.loads(summary), TALLY: dict(counted)}).decode(), "plan": plan_id},
    )


def counted_since(connection: Connection, connection_name: str, since: int) -> dict[str, Counter[str]]:
    """What plans written ahead of the sync counted since a moment (ms): by name of the count."""
    found: dict[str, Counter[str]] = {}
    for (summary,) in fetch(
        connection,
        "SELECT summary FROM plans WHERE connection = :connection AND purpose = 'ahead' AND created_at >= :since",
        {"connection": connection_name, "since": since},
    ):
        for name, counts in orjson.loads(summary).items():
            found.setdefault(name, Counter()).update(counts)
    return found


def written_since(
    connection: Connection, connection_name: str, contact_ids: Sequence[int], since: int
) -> dict[int, Counter[tuple[str, str | None]]]:
    """How often each field of contacts was given the same value ahead of the sync since a moment (ms): by contact, field and value."""
    found: dict[int, Counter[tuple[str, str | None]]] = {}
    with batch_of(connection, contact_ids, empty=int) as batch:
        rows = fetch(
            connection,
            f"SELECT ch.contact_id, ch.fields FROM {batch} AS b JOIN changes AS ch ON ch.contact_id = b.key "
            "JOIN plans AS p ON p.plan_id = ch.plan_id WHERE p.purpose = 'ahead' AND ch.connection = :connection "
            "AND ch.state = 'applied' AND ch.undoes IS NULL AND ch.changed_at >= :since",
            {"connection": connection_name, "since": since},
        )
    for contact_id, fields in rows:
        values = ((name, after) for name, (_, after) in orjson.loads(fields).items())
        found.setdefault(contact_id, Counter()).update(values)
    return found


class Stopped(NamedTuple):
    """A record whose flag waits to be set. `sources`: where it was said that the person or one of the numbers must not be called."""

    contact_id: int
    object_name: str
    record_id: str
    ours: dict[str, str]
    held: dict[str, str | None]
    sources: frozenset[str]


def stopped(connection: Connection, key: bytes, contact_ids: Sequence[int]) -> list[Stopped]:
    """Of the contacts given, the living ones that a person's opt-out covers, whatever was decided about their numbers before."""
    if not contact_ids:
        return []
    with batch_of(connection, contact_ids) as batch:
        people = fetch(
            connection,
            f"SELECT c.contact_id, c.object, c.record_id, c.ours FROM {batch} AS b JOIN contacts AS c ON c.contact_id = b.key "
            "WHERE c.deleted_at IS NULL ORDER BY c.contact_id",
        )
        numbers: dict[str, list[int]] = {}
        for contact_id, number in fetch(
            connection,
            f"SELECT DISTINCT p.contact_id, p.number FROM {batch} AS b JOIN phones AS p ON p.contact_id = b.key "
            "WHERE p.e164 IS NOT NULL",
        ):
            numbers.setdefault(number, []).append(contact_id)
        held: dict[int, dict[str, str | None]] = {}
        for contact_id, field, refused in fetch(
            connection,
            f"SELECT h.contact_id, h.field, h.refused FROM {batch} AS b JOIN holds AS h ON h.contact_id = b.key",
        ):
            held.setdefault(contact_id, {})[field] = refused
    persons = live_persons(connection, contact_ids)
    sources: dict[int, set[str]] = {}
    if persons:
        with batch_of(connection, set(persons.values())) as batch:
            said = dict(
                fetch(
                    connection,
                    f"SELECT s.event_id, s.source FROM {batch} AS b JOIN suppressions AS s ON s.event_id = b.key",
                )
            )
        for contact_id, event in persons.items():
            sources.setdefault(contact_id, set()).add(said[event])
    for live in live_numbers(connection, key, list(numbers)):
        if not live.source.startswith("registry:"):
            for contact_id in numbers[live.number]:
                sources.setdefault(contact_id, set()).add(live.source)
    return [
        Stopped(row[0], row[1], row[2], orjson.loads(row[3]), held.get(row[0], {}), frozenset(sources[row[0]]))
        for row in people
        if row[0] in sources
    ]
