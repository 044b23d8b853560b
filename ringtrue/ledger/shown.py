"""What the records of a CRM show, as last read or written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

import orjson
from sqlalchemy import Connection

from ringtrue.ledger.database import stream


def statuses(connection: Connection, connection_name: str, fields: Collection[str]) -> Counter[str]:
    """Living records by the status they show; `fields` are the API names of the status field on the connection's objects."""
    shown = Counter[str]()
    for (ours,) in stream(
        connection,
        "SELECT ours FROM contacts WHERE connection = :connection AND deleted_at IS NULL",
        {"connection": connection_name},
    ):
        held = orjson.loads(ours)
        status = next((held[name] for name in fields if held.get(name)), None)
        if status is not None:
            shown[status] += 1
    return shown
