"""`<connection>/email_preferences`: who opted out of e-mail in HubSpot, so that nobody is suggested a channel that they refused."""

import dagster as dg
from dagster import MetadataValue

from assets.stage import columns, now_ms, plain_errors, usage_metadata
from connectors.hubspot import HubspotCrm
from connectors.resources import CrmResource, LedgerResource
from ringtrue.ledger import Ledger, email_preferences
from ringtrue.settings import load_settings

BATCH = 100


def run(ledger: Ledger, crm: HubspotCrm, name: str, limit: int, now: int) -> dict[str, int]:
    """Ask about the addresses that are due, at most `limit` of them."""
    with ledger.read() as book:
        addresses = email_preferences.due(book, name, now, limit)
    opted_out = 0
    for start in range(0, len(addresses), BATCH):
        answers = crm.email_opt_outs(addresses[start : start + BATCH])
        with ledger.write() as book:
            opted_out += email_preferences.store(book, name, answers, now)
    return {"addresses asked": len(addresses), "opted out": opted_out}


def build_email_preferences(name: str) -> dg.AssetsDefinition:
    """The e-mail preferences of one HubSpot connection."""
    key = dg.AssetKey([name, "email_preferences"])

    @dg.asset(
        key=key,
        deps=[dg.AssetKey([name, "contacts"])],
        group_name=name,
        kinds={"python", "hubspot"},
        owners=["team:compliance"],
        pool=f"crm_{name}",
        required_resource_keys={name, "ledger"},
        metadata={
            "dagster/column_schema": columns(email="the address", opted_out="of all e-mail", checked_at="when asked")
        },
    )
    def preferences(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        """Reads HubSpot's communication preferences, the people whom e-mail would be suggested for first, some hundred a run."""
        resource: CrmResource = getattr(context.resources, name)
        book: LedgerResource = context.resources.ledger
        limit = load_settings().connections[name].email_preferences_per_run
        with plain_errors(), book.open() as ledger, resource.open() as crm:
            if not isinstance(crm, HubspotCrm):
                raise TypeError(f"{name} is no HubSpot connection")
            found = run(ledger, crm, name, limit, now_ms())
            usage = crm.usage
        return dg.MaterializeResult(
            metadata={**{what: MetadataValue.int(count) for what, count in found.items()}, **usage_metadata(usage)}
        )

    return preferences
