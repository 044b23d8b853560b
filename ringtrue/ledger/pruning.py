"""Deletes from the ledger what nobody needs any more. What undo, trace, replay and the proof of permission rest on stays for ever."""

from __future__ import annotations

from sqlalchemy import text

from ringtrue.ledger import inbox
from ringtrue.ledger.database import Ledger

BATCH = 20_000
"""Rows deleted in one transaction: a sync that wants to write waits for no more."""


def prune_inbox(ledger: Ledger, now: int, days: float) -> int:
    """Forget messages that were handled, and answers nobody fetched."""
    with ledger.write() as connection:
        return inbox.prune(connection, now, days)


def prune_changes(ledger: Ledger, before: int) -> int:
    """Forget changes that a newer plan replaced before they were sent: nothing rests on them. Those of an undo stay: they tell what stood there already."""
    deleted = 0
    while True:
        with ledger.write() as connection:
            count = connection.execute(
                text(
                    "DELETE FROM changes WHERE change_id IN (SELECT change_id FROM changes WHERE state = 'superseded' "
                    "AND undoes IS NULL AND changed_at < :before ORDER BY change_id LIMIT :batch)"
                ),
                {"before": before, "batch": BATCH},
            ).rowcount
        deleted += count
        if count < BATCH:
            return deleted


def prune_plans(ledger: Ledger, before: int) -> int:
    """Forget plans of which no change is left. A plan that a person approved stays, with who it was."""
    with ledger.write() as connection:
        return connection.execute(
            text(
                "DELETE FROM plans WHERE created_at < :before AND state = 'closed' AND approved_by IS NULL "
                "AND plan_id NOT IN (SELECT plan_id FROM changes)"
            ),
            {"before": before},
        ).rowcount
