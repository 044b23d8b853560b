"""Numbers of contacts: what stood in each field and what was read from it."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection

from ringtrue.ledger import dirty
from ringtrue.ledger.database import batch_of, fetch, insert_rows, take_turns
from ringtrue.ledger.suppressions import LIVE, PERSONAL, erased_stops

STAGE = "phones"


class Waiting(NamedTuple):
    """A contact whose numbers have to be read again."""

    contact_id: int
    connection: str
    country: str | None
    place: str | None
    phones: dict[str, str]
    deleted: bool


class PhoneRow(NamedTuple):
    """One number of one field of one contact, in the order of the table's columns."""

    contact_id: int
    field: str
    position: int
    raw: str
    number: str
    e164: str | None
    extension: str | None
    valid: bool
    sure: bool
    reason: str | None
    region: str | None
    type: str | None


def subject_of(raw: str, region: str | None) -> str:
    """The key of a text that holds no E.164 number: the same text in the same country has the same key."""
    digest = blake2b(f"{region or ''}\0{' '.join(raw.split())}".encode(), digest_size=10, person=b"ringtrue-raw")
    return "?" + digest.hexdigest()


def waiting(connection: Connection, marks: Sequence[tuple[int, int]]) -> list[Waiting]:
    """The contacts behind marks of the phones stage. One that was deleted with somebody's do-not-call flag on it keeps its numbers."""
    with batch_of(connection, [key for key, _ in marks]) as batch:
        rows = fetch(
            connection,
            "SELECT c.contact_id, c.connection, c.country, c.place, c.phones, c.deleted_at IS NOT NULL AND c.flagged_at IS NULL "
            f"FROM {batch} AS b JOIN contacts AS c ON c.contact_id = b.key ORDER BY c.contact_id",
        )
    return [Waiting(row[0], row[1], row[2], row[3], orjson.loads(row[4]), bool(row[5])) for row in rows]


def store(connection: Connection, marks: Sequence[tuple[int, int]], rows: Sequence[PhoneRow]) -> None:
    """Replace the numbers of the marked contacts and pass on what that touches: numbers to the registry scrub and to status, contacts to changes.

    Who carries a number that somebody asked not to be called on is marked for the delivery of the flag alone. A contact whose mark does
    not stand any more is left out: a delivery ahead of the sync read it meanwhile, or it was marked again.
    """
    take_turns(connection, "phones")
    with batch_of(connection, [key for key, _ in marks], empty=int):
        standing = dirty.standing(connection, "contact_id", STAGE, marks)
        if len(standing) < len(marks):
            kept = {key for key, _ in standing}
            rows = [row for row in rows if row.contact_id in kept]
        _store(connection, standing, rows)


def _store(connection: Connection, marks: Sequence[tuple[int, int]], rows: Sequence[PhoneRow]) -> None:
    with batch_of(connection, [key for key, _ in marks], empty=int) as batch:
        # A number that a contact gave up needs no new decision; the contact's record does, below.
        # A merged one's evidence passes to its survivor: the number is decided again.
        dirty.mark_by_query(
            connection,
            "number",
            f"SELECT DISTINCT 'status' AS stage, p.number AS key FROM {batch} AS b "
            "JOIN contacts AS c ON c.contact_id = b.key JOIN phones AS p ON p.contact_id = b.key "
            "WHERE c.merged_into IS NOT NULL",
            {},
        )
        connection.exec_driver_sql(f"DELETE FROM phones WHERE contact_id IN (SELECT key FROM {batch})")
        insert_rows(connection, "phones", PhoneRow._fields, rows)
        dirty.mark_by_query(
            connection,
            "contact_id",
            "SELECT 'changes:' || c.connection AS stage, c.contact_id AS key "
            f"FROM {batch} AS b JOIN contacts AS c ON c.contact_id = b.key",
            {},
        )
        dirty.mark_by_query(
            connection,
            "contact_id",
            f"SELECT 'opt_outs' AS stage, s.contact_id AS key FROM {batch} AS b "
            "JOIN suppressions AS s ON s.contact_id = b.key UNION SELECT 'opt_outs', c.contact_id "
            f"FROM {batch} AS b JOIN contacts AS c ON c.contact_id = b.key "
            "JOIN contacts AS loser ON loser.merged_into = c.record_id AND loser.connection = c.connection",
            {},
        )
        dirty.mark_by_query(
            connection,
            "contact_id",
            f"SELECT DISTINCT 'do_not_call:' || c.connection AS stage, c.contact_id AS key FROM {batch} AS b "
            "JOIN contacts AS c ON c.contact_id = b.key JOIN phones AS p ON p.contact_id = b.key "
            f"JOIN suppressions AS s ON s.number = p.number WHERE c.deleted_at IS NULL AND {PERSONAL} AND {LIVE}",
            {},
        )
    dirty.mark_numbers(connection, "status", [row.number for row in rows])
    # Without a registry there is nothing to compare with, and the first one has every number compared.
    if fetch(connection, "SELECT 1 FROM registry_parts LIMIT 1"):
        dirty.mark_numbers(connection, "scrub", [row.number for row in rows if row.e164 is not None])
    dirty.clear(connection, "contact_id", STAGE, marks)


def mark_erased_stops(connection: Connection, key: bytes, contact_ids: Sequence[int]) -> None:
    """Mark for the delivery of the flag alone who carries a number that somebody asked not to be called on and that was erased since."""
    stopped = sorted({contact_id for contact_id, _ in erased_stops(connection, key, contact_ids)})
    if not stopped:
        return
    with batch_of(connection, stopped) as batch:
        dirty.mark_by_query(
            connection,
            "contact_id",
            f"SELECT 'do_not_call:' || c.connection AS stage, c.contact_id AS key FROM {batch} AS b "
            "JOIN contacts AS c ON c.contact_id = b.key WHERE c.deleted_at IS NULL",
            {},
        )


def forgotten(connection: Connection, contact_ids: Sequence[int]) -> set[int]:
    """Of contacts, those whom a privacy request erased."""
    with batch_of(connection, contact_ids, empty=int) as batch:
        rows = fetch(
            connection,
            f"SELECT c.contact_id FROM {batch} AS b JOIN contacts AS c ON c.contact_id = b.key WHERE c.forgotten_at IS NOT NULL",
        )
    return {row[0] for row in rows}


def numbers_of(connection: Connection, contact_ids: Sequence[int]) -> list[str]:
    """The numbers of contacts, those of texts that hold none included."""
    if not contact_ids:
        return []
    with batch_of(connection, contact_ids) as batch:
        rows = fetch(
            connection,
            f"SELECT DISTINCT p.number FROM {batch} AS b JOIN phones AS p ON p.contact_id = b.key ORDER BY p.number",
        )
    return [row[0] for row in rows]


def mark_all(connection: Connection, connection_name: str | None = None) -> int:
    """Mark every living contact (of one connection) to be read again."""
    only = "AND c.connection = :connection" if connection_name else ""
    parameters: dict[str, Any] = {"connection": connection_name} if connection_name else {}
    return dirty.mark_by_query(
        connection,
        "contact_id",
        f"SELECT 'phones' AS stage, c.contact_id AS key FROM contacts AS c WHERE c.deleted_at IS NULL {only}",
        parameters,
    )
