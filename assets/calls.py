"""`<connection>/calls`: pulls one CRM's call history into the ledger; `files/calls` does the same for dialler exports."""

import dagster as dg

from assets.contacts import PullConfig
from assets.stage import columns, counts, now_ms, plain_errors, usage_metadata
from connectors.crm import Crm
from connectors.resources import CrmResource, LedgerResource
from ringtrue.ledger import Ledger, calls, contacts
from ringtrue.ledger.calls import CallCounts
from ringtrue.records import PulledCall
from ringtrue.settings import Connection

OBJECT = "calls"
STORE_ROWS = 5_000


def pull_calls(ledger: Ledger, crm: Crm, name: str, config: PullConfig, region: str = "US") -> CallCounts:
    """Pull calls changed since the last pull and store them batch by batch."""
    counted = CallCounts()
    now = now_ms()
    with ledger.read() as book:
        cursor, _ = contacts.sync_state(book, name, OBJECT)
    labels = crm.call_outcomes()
    pages = crm.pull_calls(cursor=None if config.full else cursor, since=config.moment())
    held: list[PulledCall] = []
    position = cursor
    for page in pages:
        held += [call if call.label else call._replace(label=labels.get(call.outcome or "")) for call in page.calls]
        position = page.cursor
        if len(held) >= STORE_ROWS:
            _store(ledger, crm, name, held, position, counted, now, region)
            held = []
    _store(ledger, crm, name, held, position, counted, now, region)
    return counted


def _store(
    ledger: Ledger,
    crm: Crm,
    name: str,
    held: list[PulledCall],
    cursor: str | None,
    counted: CallCounts,
    now: int,
    region: str,
) -> None:
    with ledger.write() as book:
        if held:
            calls.store_page(book, name, crm.kind, held, counted, key=ledger.key, region=region)
        contacts.store_cursor(book, name, OBJECT, cursor, now, full=False)


def build_calls(name: str, connection: Connection) -> dg.AssetsDefinition:
    """The call history of one connection."""

    @dg.asset(
        key=[name, "calls"],
        group_name=name,
        kinds={"python", connection.kind},
        owners=["team:data"],
        pool=f"crm_{name}",
        required_resource_keys={name, "ledger"},
        metadata={
            "dagster/column_schema": columns(
                external_id="id of the call in the CRM",
                records="the people called",
                number="the number dialled, where the CRM keeps it",
                outcome="the outcome as the CRM stores it",
                duration_seconds="length of the call",
                started_at="when it began",
            )
        },
    )
    def calls_asset(context: dg.AssetExecutionContext, config: PullConfig) -> dg.MaterializeResult[None]:
        """Pulls new and changed calls. Nothing is judged here: `call_evidence` reads what they say."""
        resource: CrmResource = getattr(context.resources, name)
        book: LedgerResource = context.resources.ledger
        if config.record is not None:
            # One record's run asks for that record only; its calls come with the next whole pull.
            return dg.MaterializeResult(metadata=counts({"calls read": 0}))
        with plain_errors(), book.open() as ledger, resource.open() as crm:
            counted = pull_calls(ledger, crm, name, config, connection.default_region)
            usage = crm.usage
        return dg.MaterializeResult(
            metadata={
                **counts(
                    {
                        "calls read": counted.read,
                        "new": counted.new,
                        "changed": counted.changed,
                        "unchanged": counted.unchanged,
                    }
                ),
                **usage_metadata(usage),
            }
        )

    return calls_asset
