"""Campaigns people joined: the one that brought them belongs to their first source, later ones are kept beside it."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from sqlalchemy import Connection

from ringtrue.ledger.database import batch_of, fetch, insert_rows, update_rows

BROUGHT_WITHIN_MS = 86_400_000
"""A campaign joined at most so long before or after the record was made brought it."""


def store_joins(connection: Connection, name: str, joins: Sequence[tuple[str, str, int]]) -> tuple[int, int]:
    """Store (record id, campaign, ms) of a page. Returns how many contacts a campaign brought, and how many joined one later.

    A contact that has a first campaign keeps it.
    """
    with batch_of(connection, [record for record, _, _ in joins]) as batch:
        known = {
            row[0]: (row[1], row[2], row[3])
            for row in fetch(
                connection,
                "SELECT c.record_id, c.contact_id, coalesce(c.created_at, c.first_seen_at), c.first_source "
                f"FROM {batch} AS b JOIN contacts AS c ON c.record_id = b.key WHERE c.connection = :name",
                {"name": name},
            )
        }
    brought: dict[int, str] = {}
    later: list[tuple[int, str, int]] = []
    for record, campaign, at in sorted(joins, key=lambda join: join[2]):
        if record not in known:
            continue
        contact_id, created, written = known[record]
        source = orjson.loads(written)
        if contact_id not in brought and "campaign" not in source and abs(at - created) <= BROUGHT_WITHIN_MS:
            source["campaign"] = campaign
            brought[contact_id] = orjson.dumps(source, option=orjson.OPT_SORT_KEYS).decode()
        elif source.get("campaign") != campaign:
            later.append((contact_id, orjson.dumps({"campaign": campaign}).decode(), at))
    update_rows(
        connection, "contacts", ["first_source"], ["contact_id"], [(source, key) for key, source in brought.items()]
    )
    insert_rows(
        connection, "contact_sources", ["contact_id", "source", "seen_at"], later,
        on_conflict="(contact_id, source) DO NOTHING",
    )  # fmt: skip
    return len(brought), len(later)
