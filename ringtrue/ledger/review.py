"""What no rule could read: asked of a person once, with how often it came up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from hashlib import blake2b

from sqlalchemy import Connection

from ringtrue.ledger.database import insert_rows


def add(connection: Connection, kind: str, items: Sequence[tuple[str, str | None]], now: int) -> None:
    """Put (text, suggestion) pairs on the review table; the same text again only adds to its count."""
    counted = Counter(items)
    insert_rows(
        connection,
        "review",
        ["kind", "subject", "text", "suggestion", "count", "first_seen_at"],
        [
            (kind, blake2b(f"{text}\0{suggestion}".encode(), digest_size=12).hexdigest(), text, suggestion, times, now)
            for (text, suggestion), times in counted.items()
        ],
        on_conflict="(kind, subject) DO UPDATE SET count = review.count + excluded.count",
    )
