"""`<connection>/contacts`: pulls one CRM's contacts and leads into the ledger, batch by batch."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from dagster import MetadataValue

from assets.campaigns import pull_campaigns
from assets.lead_sources import observe_sources
from assets.settling import settle
from assets.stage import columns, counts, now_ms, plain_errors, sample, usage_metadata
from connectors.crm import Crm
from connectors.resources import CrmResource, LedgerResource
from ringtrue.collector import rare_collections
from ringtrue.errors import LedgerError, SettingsError
from ringtrue.fields import FieldMap, own_fields
from ringtrue.ledger import Ledger, contacts
from ringtrue.ledger.contacts import Origin, PullCounts
from ringtrue.records import PulledRecord
from ringtrue.settings import Connection, Settings, load_settings

RECONCILE_HOURS = 24
STORE_ROWS = 20_000
"""Records stored in one transaction, about: the pages of an index that it touches are written once for all of them."""


class PullConfig(dg.Config):
    """What one run pulls."""

    full: bool = False
    """Pull every record again, not only what changed since the last pull."""
    since: str | None = None
    """Pull what changed since this moment (ISO 8601), whatever the last pull saw."""
    record: str | None = None
    """Pull this one record only."""

    def moment(self) -> datetime | None:
        """`since` as a moment. Raises SettingsError when it is none."""
        if self.since is None:
            return None
        try:
            moment = datetime.fromisoformat(self.since)
        except ValueError:
            raise SettingsError(
                f"since must be a date like 2026-11-01 or 2026-11-01T08:00:00Z, not {self.since!r}."
            ) from None
        return moment.replace(tzinfo=moment.tzinfo or UTC)


def origin_of(crm: Crm, name: str, connection: Connection, object_name: str) -> tuple[Origin, list[str]]:
    """Where records of one object come from, and the API names to ask for.

    Fields of ours that `ringtrue prepare` has not made yet are left out of the question.
    """
    from dataclasses import replace

    seen = crm.describe(object_name)
    fields: FieldMap = crm.available_fields(object_name)
    if object_name in connection.phones:
        fields = replace(fields, phones=tuple(name for name in connection.phones[object_name] if name in seen))
    if connection.kind == "files":
        raise SettingsError(f"Connection {name!r} is a folder of files, not a CRM.")
    own = own_fields(connection.kind, fields.phones, connection.do_not_call_property)
    flags = (*fields.do_not_call, *connection.do_not_call.get(object_name, ()), own.do_not_call)
    fields = replace(fields, do_not_call=tuple(dict.fromkeys(flag for flag in flags if flag in seen)))
    mail = (*fields.email_opt_out, *connection.email_opt_out.get(object_name, ()))
    fields = replace(fields, email_opt_out=tuple(dict.fromkeys(flag for flag in mail if flag in seen)))
    asked = [*fields.all_fields(), *(field for field in own.names() if field in seen)]
    return Origin(name, object_name, fields, own, crm.index_lags), list(dict.fromkeys(asked))


def in_chunks(
    records: Iterator[tuple[list[PulledRecord], str | None]],
) -> Iterator[tuple[list[PulledRecord], str | None]]:
    """Gather small pages into batches worth a transaction; the cursor of the last page goes with the batch."""
    held: list[PulledRecord] = []
    cursor: str | None = None
    pages = 0
    for page, page_cursor in records:
        held.extend(page)
        cursor = page_cursor
        pages += 1
        if len(held) >= STORE_ROWS:
            yield held, cursor
            held, pages = [], 0
    if held or pages:
        yield held, cursor


def pull_object(
    ledger: Ledger, crm: Crm, origin: Origin, asked: Sequence[str], config: PullConfig, counted: PullCounts, now: int
) -> list[PulledRecord]:
    """Pull one object. Returns the first records, for the sample."""
    first: list[PulledRecord] = []
    name, object_name = origin.connection, origin.object_name
    if config.record:
        found = crm.read(object_name, [config.record], asked)
        with ledger.write() as book:
            contacts.store_page(book, origin, list(found.values()), ledger.key, now, counted)
        return list(found.values())
    with ledger.read() as book:
        cursor, reconciled = contacts.sync_state(book, name, object_name)
    whole = config.full or (cursor is None and config.since is None)
    pages = crm.pull(object_name, asked, cursor=None if whole else cursor, since=config.moment())
    with ledger.write() as book:
        contacts.remember_phone_fields(book, name, object_name, origin.fields.phones)
    for records, page_cursor in in_chunks((page.records, page.cursor) for page in pages):
        with ledger.write() as book:
            contacts.store_page(book, origin, records, ledger.key, now, counted)
            contacts.store_cursor(book, name, object_name, page_cursor, now, full=whole)
        first = first or records[:10]
    if whole and cursor is None:
        with ledger.write() as book:
            contacts.mark_deleted(book, name, object_name, [], now)
    elif whole or reconciled is None or now - reconciled >= RECONCILE_HOURS * 3_600_000:
        reconcile(ledger, crm, origin, asked, counted, now)
    return first


def reconcile(ledger: Ledger, crm: Crm, origin: Origin, asked: Sequence[str], counted: PullCounts, now: int) -> None:
    """Compare ids once a day: what vanished without a trace is marked deleted, what an index hid is read."""
    name, object_name = origin.connection, origin.object_name
    with ledger.read() as book:
        gone, unknown = contacts.compare_ids(book, name, object_name, crm.pull_ids(object_name))
    for start in range(0, len(unknown), crm.read_size):
        found = crm.read(object_name, unknown[start : start + crm.read_size], asked)
        with ledger.write() as book:
            contacts.store_page(book, origin, list(found.values()), ledger.key, now, counted)
    with ledger.write() as book:
        contacts.mark_deleted(book, name, object_name, gone, now)
    counted.deleted += len(gone)


def check_identity(ledger: Ledger, crm: Crm, name: str) -> None:
    """Note which org or portal a connection speaks to. Raises LedgerError when the ledger's records are of another one."""
    identity = crm.identity()
    with ledger.write() as book:
        other = contacts.remember_identity(book, name, identity)
    if other is not None:
        raise LedgerError(
            f"This ledger holds records of {other!r} under connection {name!r}, but the credentials are for {identity!r}. "
            "Use another ledger ([ledger] url) or another connection name."
        )


@rare_collections()
def pull(
    ledger: Ledger, crm: Crm, settings: Settings, name: str, config: PullConfig
) -> tuple[dict[str, PullCounts], list[dict[str, Any]]]:
    """Pull all objects of a connection. Returns counts by object and a sample."""
    connection = settings.connections[name]
    check_identity(ledger, crm, name)
    # A write that a crash left open is settled first: else the pull would take our own flag for a person's.
    settle(ledger, crm, settings, name)
    by_object = {object_name: PullCounts() for object_name in crm.objects}
    rows: list[dict[str, Any]] = []
    now = now_ms()
    for object_name in crm.objects:
        origin, asked = origin_of(crm, name, connection, object_name)
        counted = by_object[object_name]
        first = pull_object(ledger, crm, origin, asked, config, counted, now)
        rows += [
            {
                "object": object_name,
                "record": record.record_id,
                **{f: record.values.get(f) for f in origin.fields.phones[:2]},
            }
            for record in first[:5]
        ]
    if config.record and not any(counted.read for counted in by_object.values()):
        raise SettingsError(f"There is no record {config.record!r} in {name}. Copy its id from the record's page.")
    return by_object, rows


def build_contacts(name: str, connection: Connection, sources: Sequence[dg.AssetKey]) -> dg.AssetsDefinition:
    """The pull of one connection."""
    key = dg.AssetKey([name, "contacts"])

    @dg.asset(
        key=key,
        deps=list(sources),
        group_name=name,
        kinds={"python", connection.kind},
        owners=["team:data"],
        pool=f"crm_{name}",
        required_resource_keys={name, "ledger"},
        metadata={
            "dagster/column_schema": columns(
                contact_id="the record in the ledger",
                record_id="its id in the CRM",
                phones="phone fields as typed",
                ours="fields of ours as last seen",
                source="where the lead came from",
                do_not_call="a do-not-call flag is set",
                modified_at="last change in the CRM",
            )
        },
    )
    def contacts_asset(context: dg.AssetExecutionContext, config: PullConfig) -> dg.MaterializeResult[None]:
        """Pulls new and changed contacts; deleted and merged ones are noticed. Every record read is stored or counted."""
        resource: CrmResource = getattr(context.resources, name)
        book: LedgerResource = context.resources.ledger
        with plain_errors(), book.open() as ledger, resource.open() as crm:
            by_object, rows = pull(ledger, crm, load_settings(), name, config)
            joined = pull_campaigns(ledger, crm, name, now_ms())
            observe_sources(context, ledger, name)
            usage = crm.usage
        totals = Counter[str]()
        for counted in by_object.values():
            totals.update(
                {
                    "records read": counted.read,
                    "new": counted.new,
                    "changed": counted.changed,
                    "unchanged": counted.unchanged,
                    "deleted": counted.deleted,
                    "merged": counted.merged,
                    "drifted": counted.drifted,
                    "do-not-call unticked": counted.unticked,
                }
            )
        masked = {column: "number" for row in rows for column in row if column not in ("object", "record")}
        return dg.MaterializeResult(
            metadata={
                **counts(dict(totals)),
                **counts(joined),
                "by object": MetadataValue.json({name: counted.read for name, counted in by_object.items()}),
                **usage_metadata(usage),
                "sample": sample(rows, masked),
            }
        )

    return contacts_asset
