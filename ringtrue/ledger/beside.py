"""What a delivery ahead of the sync wrote while somebody else read or wrote the same records. A note says whether there was one at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import orjson
from sqlalchemy import Connection

from ringtrue.ledger import meta
from ringtrue.ledger.database import batch_of, fetch, take_turns
from ringtrue.values import same

CLOCKS_MS = 300_000
"""For so long after a delivery it is looked whether it was beside: far longer than clocks of two machines are apart."""
SKEW_MS = 2_000
"""How far clocks of two machines are apart at most, where what a person did meanwhile would be missed."""

OPEN_AHEAD = "SELECT plan_id FROM plans WHERE connection = :connection AND purpose = 'ahead' AND state = 'open'"
"""Plans of a delivery that is under way, or that a crash left."""


def note(connection: Connection, connection_name: str, now: int, *, busy: bool) -> None:
    """Note that something is about to be written ahead of the sync, or that all of it was answered."""
    meta.set_value(connection, f"ahead:{connection_name}", orjson.dumps({"at": now, "busy": busy}).decode())


def was_beside(connection: Connection, connection_name: str, since: int) -> bool:
    """Whether anything was written ahead of the sync since a moment (ms), or is being written."""
    kept = meta.value(connection, f"ahead:{connection_name}")
    if kept is None:
        return False
    told = orjson.loads(kept)
    return bool(told["busy"]) or told["at"] >= since - CLOCKS_MS


class Written(dict[int, list[tuple[bool, dict[str, list[str | None]]]]]):
    """By contact: whether a write was answered, and its fields."""

    def as_known(self, contact_id: int, values: Mapping[str, str | None]) -> dict[str, str | None]:
        """Of the values that a CRM showed, those that tell nothing but our own write, with what the ledger holds instead.

        A write without an answer yet is not taken for a person's; a value from before a write is not taken for one that was put back.
        """
        last: dict[str, tuple[bool, str | None, str | None]] = {}
        for answered, fields in self.get(contact_id, ()):
            last.update({name: (answered, before, after) for name, (before, after) in fields.items()})
        return {
            name: after if answered else before
            for name, (answered, before, after) in last.items()
            if name in values and same(values[name], before if answered else after)
        }

    def overtook(self, contact_id: int, seen: Mapping[str, str | None]) -> bool:
        """Whether something is being written to a contact, or was written after its values were seen."""
        return any(
            not answered or any(same(seen.get(name), pair[0]) and not same(*pair) for name, pair in fields.items())
            for answered, fields in self.get(contact_id, ())
        )


def takes_flag(fields: Mapping[str, Sequence[str | None]]) -> bool:
    """Whether a change takes a do-not-call flag away."""
    return any(before == "true" and after == "false" for before, after in fields.values())


def taken_away(connection: Connection, connection_name: str, contact_ids: Sequence[int], since: int) -> dict[int, bool]:
    """Contacts from which a do-not-call flag is to be taken away, or was since a moment (ms): True where nothing was sent yet."""
    take_turns(connection, f"sending to {connection_name}")
    found: dict[int, bool] = {}
    with batch_of(connection, contact_ids, empty=int) as batch:
        rows = fetch(
            connection,
            f"SELECT ch.contact_id, ch.state, ch.fields FROM {batch} AS b JOIN changes AS ch ON ch.contact_id = b.key "
            "WHERE ch.connection = :connection AND (ch.state IN ('planned', 'sending', 'failed') "
            "OR (ch.state = 'applied' AND ch.changed_at >= :since))",
            {"connection": connection_name, "since": since - SKEW_MS},
        )
    for contact_id, state, fields in rows:
        if takes_flag(orjson.loads(fields)):
            found[contact_id] = state in ("planned", "failed") and found.get(contact_id, True)
    return found


def written(
    connection: Connection,
    connection_name: str,
    contact_ids: Sequence[int],
    since: int,
    *,
    sync_too: bool = False,
    planned_too: bool = False,
) -> Written:
    """What was written to contacts since a moment (ms), or is being written: by a delivery ahead of the sync, with `sync_too` by anybody.

    `planned_too`: also what such a delivery is about to write.
    """
    result = Written()
    if not contact_ids or not (sync_too or was_beside(connection, connection_name, since)):
        return result
    with batch_of(connection, contact_ids) as batch:
        rows = fetch(
            connection,
            f"SELECT ch.contact_id, ch.state, ch.fields FROM {batch} AS b JOIN changes AS ch ON ch.contact_id = b.key "
            "WHERE ch.connection = :connection AND (ch.state = 'sending' OR (ch.state = 'applied' AND ch.changed_at >= :since) "
            f"OR (:planned AND ch.state = 'planned' AND ch.plan_id IN ({OPEN_AHEAD}))) ORDER BY ch.change_id",
            {"connection": connection_name, "since": since - SKEW_MS, "planned": planned_too},
        )
    for contact_id, state, fields in rows:
        result.setdefault(contact_id, []).append((state == "applied", orjson.loads(fields)))
    return result
