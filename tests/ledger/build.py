"""Records for ledger tests."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from ringtrue.fields import FieldMap, own_fields
from ringtrue.ledger import Ledger, contacts, dirty, phones
from ringtrue.ledger.contacts import Origin, PullCounts
from ringtrue.ledger.phones import PhoneRow
from ringtrue.records import PulledRecord

START = datetime(2026, 11, 1, tzinfo=UTC)
FIELDS = FieldMap(
    phones=("Phone", "MobilePhone"),
    full_name="Name",
    email="Email",
    lead_source=("LeadSource",),
    do_not_call=("DoNotCall",),
)
OWN = own_fields("salesforce", FIELDS.phones)
NOW = int(START.timestamp() * 1000)
# libphonenumber's own example numbers
MOBILE, LANDLINE, OTHER = "+447400123456", "+441212345678", "+4915123456789"


def origin(connection: str = "salesforce", object_name: str = "Contact") -> Origin:
    return Origin(connection, object_name, FIELDS, OWN)


def record(
    record_id: str,
    *,
    minutes: float = 0,
    deleted: bool = False,
    merged_into: str | None = None,
    merged_from: tuple[str, ...] = (),
    ours: Mapping[str, str] | None = None,
    **values: str | None,
) -> PulledRecord:
    """A record as last changed some minutes after START; `ours` holds fields of our own by name."""
    moment = START + timedelta(minutes=minutes)
    named = {"Name": record_id, **values, **(ours or {})}
    return PulledRecord(record_id, named, START, moment, deleted, merged_into, merged_from)


def pull(ledger: Ledger, *records: PulledRecord, connection: str = "salesforce") -> PullCounts:
    """Store records as a pull would."""
    counted = PullCounts()
    with ledger.write() as book:
        contacts.store_page(book, origin(connection), records, ledger.key, NOW, counted)
    return counted


def waiting_numbers(ledger: Ledger) -> tuple[list[tuple[int, int]], list[PhoneRow]]:
    """Marks of the waiting contacts, and one valid number per field, as typed: these tests type E.164."""
    with ledger.read() as book:
        marks = dirty.next_contacts(book, phones.STAGE, 1_000)
        rows = [
            PhoneRow(person.contact_id, field, 0, raw, raw, raw, None, True, True, "ok", "GB", "MOBILE")
            for person in phones.waiting(book, marks)
            if not person.deleted
            for field, raw in person.phones.items()
        ]
    return marks, rows


def read_numbers(ledger: Ledger) -> None:
    """Give every waiting contact its numbers."""
    marks, rows = waiting_numbers(ledger)
    with ledger.write() as book:
        phones.store(book, marks, rows)
