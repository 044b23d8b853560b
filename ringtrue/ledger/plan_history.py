"""What plans that passed the guard counted: what is usual for a connection."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import orjson
from sqlalchemy import Connection, text

from ringtrue.ledger.database import fetch

_PASSED = "passed"


def note_passed(connection: Connection, plan_id: str, counted: Mapping[str, int], *, first: bool) -> None:
    """Note what the changes that were let pass count. Those of one plan that pass later are added. `first`: the first plan of a CRM, which tells nothing of the usual."""
    rows = fetch(connection, "SELECT summary FROM plans WHERE plan_id = :plan", {"plan": plan_id})
    summary = orjson.loads(rows[0][0])
    before = summary.get(_PASSED, {"counts": {}, "first": first})
    summary[_PASSED] = {**before, "counts": dict(Counter(before["counts"]) + Counter(dict(counted)))}
    connection.execute(
        text("UPDATE plans SET summary = :summary WHERE plan_id = :plan"),
        {"summary": orjson.dumps(summary).decode(), "plan": plan_id},
    )


def passed(connection: Connection, connection_name: str, since: int) -> list[dict[str, int]]:
    """Counts of each plan of a connection that passed since a moment (ms), oldest first."""
    rows = fetch(
        connection,
        "SELECT summary FROM plans WHERE connection = :connection AND purpose = 'sync' AND created_at >= :since "
        "AND summary LIKE :mark ORDER BY created_at",
        {"connection": connection_name, "since": since, "mark": f'%"{_PASSED}":%'},
    )
    found = [orjson.loads(row[0])[_PASSED] for row in rows]
    return [plan["counts"] for plan in found if not plan["first"]]
