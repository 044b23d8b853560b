"""Consent by channel, append-only, each with its evidence. A number that changed hands has none any more."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from sqlalchemy import Connection

from ringtrue.ledger import dirty
from ringtrue.ledger.database import batch_of, fetch, insert_rows
from ringtrue.ledger.suppressions import live_numbers, number_key

Channel = Literal["call", "sms"]


class Consent(NamedTuple):
    """Somebody agreed, or took it back. `evidence` says what was shown and where it is kept."""

    kind: Literal["given", "withdrawn"]
    channel: Channel
    number: str
    source: str
    evidence: str
    actor: str
    at: int
    second_person: str | None = None


def add(connection: Connection, key: bytes, given: Iterable[Consent], now: int) -> int:
    """Record consents and mark the people who carry the numbers for planning. Returns how many were recorded."""
    rows = [
        (row.kind, row.channel, row.number, number_key(key, row.number), row.source, row.evidence, row.actor,
         row.second_person, row.at, now)
        for row in given
    ]  # fmt: skip
    insert_rows(
        connection, "consents",
        ["kind", "channel", "number", "number_key", "source", "evidence", "actor", "second_person", "at", "recorded_at"],
        rows,
    )  # fmt: skip
    if not rows:
        return 0
    with batch_of(connection, [row[2] for row in rows]) as batch:
        dirty.mark_by_query(
            connection,
            "contact_id",
            f"SELECT DISTINCT 'changes:' || c.connection AS stage, c.contact_id AS key FROM {batch} AS b "
            "JOIN phones AS p ON p.number = b.key JOIN contacts AS c ON c.contact_id = p.contact_id WHERE c.deleted_at IS NULL",
            {},
        )
    return len(rows)


def given(connection: Connection, key: bytes, numbers: Sequence[str], channel: Channel) -> dict[str, int]:
    """Numbers with a consent for the channel, and when it was given: not withdrawn since, and no older than the number's last death."""
    by_key = {number_key(key, number): number for number in numbers}
    if not by_key:
        return {}
    with batch_of(connection, list(by_key)) as batch:
        rows = fetch(
            connection,
            f"SELECT c.number_key, c.kind, c.at FROM {batch} AS b JOIN consents AS c ON c.number_key = b.key "
            "WHERE c.channel = :channel ORDER BY c.at, c.consent_id",
            {"channel": channel},
        )
    last = {by_key[row[0]]: (row[1], row[2]) for row in rows}
    held = {number: at for number, (kind, at) in last.items() if kind == "given"}
    if not held:
        return {}
    with batch_of(connection, list(held)) as batch:
        died = dict(
            fetch(
                connection,
                f"SELECT d.number, max(d.decided_at) FROM {batch} AS b JOIN decisions AS d ON d.number = b.key "
                "WHERE d.line = 'disconnected' GROUP BY d.number",
            )
        )
    return {number: at for number, at in held.items() if at > died.get(number, -1)}


def any_given(connection: Connection, channel: Channel) -> bool:
    """Whether anybody ever consented to the channel."""
    return bool(fetch(connection, "SELECT 1 FROM consents WHERE channel = :channel LIMIT 1", {"channel": channel}))


def may_text(connection: Connection, key: bytes, numbers: Sequence[str]) -> set[str]:
    """Numbers that may be texted: a consent to it, newer than every opt-out that still holds (a stop counts for all channels)."""
    held = given(connection, key, numbers, "sms")
    for live in live_numbers(connection, key, list(held)) if held else []:
        if live.at >= held.get(live.number, -1):
            held.pop(live.number, None)
    return set(held)
