"""`<connection>/campaign_members` and `<connection>/list_members`: who is on the dialling lists named in the settings, and who has to come off."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import dagster as dg
from dagster import MetadataValue

from assets.stage import columns, now_ms, plain_errors, usage_metadata
from connectors.crm import Crm
from connectors.hubspot import HubspotCrm
from connectors.resources import CrmResource, LedgerResource
from connectors.salesforce import SalesforceCrm
from ringtrue.changes import ContactState, PlanRules, best_number, is_suppressed
from ringtrue.ledger import Ledger, list_members
from ringtrue.ledger.journal import Planned
from ringtrue.list_objects import MEMBER, list_object
from ringtrue.records import Status
from ringtrue.settings import Connection, load_settings

REMOVED: frozenset[Status] = frozenset({"do_not_call", "invalid", "disconnected", "wrong_person"})
"""Statuses with which a person is taken off a dialling list. A suspended line comes back, so it stays."""


def shown_status(contact: ContactState, rules: PlanRules) -> Status | None:
    """The status that a record shows; None where it has no number."""
    if is_suppressed(contact, rules):
        return "do_not_call"
    best = best_number(contact.numbers)
    return best.status if best else None


def removals(ledger: Ledger, states: Sequence[ContactState], rules: Mapping[str, PlanRules]) -> list[Planned]:
    """Changes that take people off the lists they are on. One that an undo put back is left there."""
    leaving = {state.contact_id: state for state in states if shown_status(state, rules[state.object_name]) in REMOVED}
    with ledger.read() as book:
        held = list_members.of_contacts(book, list(leaving))
    return [
        Planned(
            name,
            leaving[contact_id].record_id,
            contact_id,
            {name: [status, None]},
            guarded=False,
            decisions=[number.decision_id for number in leaving[contact_id].numbers],
        )
        for contact_id, lists in held.items()
        for name, status in lists
        if name not in leaving[contact_id].holds
    ]


def named_lists(connection: Connection) -> tuple[str, ...]:
    """Ids of the dialling lists that the settings name for a connection."""
    return {"salesforce": connection.campaigns, "hubspot": connection.lists, "files": ()}[connection.kind]


def stage_name(connection: Connection) -> Literal["campaign_members", "list_members"]:
    """Name of the asset that pulls a connection's lists."""
    return "campaign_members" if connection.kind == "salesforce" else "list_members"


def extra_stages(name: str, connection: Connection) -> list[dg.AssetKey]:
    """Stages that a connection has only where its settings ask for them: its dialling lists, its e-mail preferences."""
    wanted = [stage_name(connection)] if named_lists(connection) else []
    preferences = ["email_preferences"] if connection.kind == "hubspot" and connection.email_preferences else []
    return [dg.AssetKey([name, stage]) for stage in (*wanted, *preferences)]


def _pages(crm: Crm, list_id: str) -> Iterator[list[tuple[str, str]]]:
    if isinstance(crm, SalesforceCrm):
        yield from crm.campaign_people(list_id)
    elif isinstance(crm, HubspotCrm):
        for page in crm.list_members([list_id]):
            yield [(record_id, MEMBER) for _, record_id in page]


def pull_lists(ledger: Ledger, crm: Crm, name: str, connection: Connection, now: int) -> dict[str, int]:
    """Pull all members of the lists named. A list is replaced as a whole once all were read. Returns members by list."""
    found: dict[str, int] = {}
    kind: Literal["salesforce", "hubspot"] = "salesforce" if connection.kind == "salesforce" else "hubspot"
    for list_id in named_lists(connection):
        list_name = list_object(kind, list_id)
        found[list_name] = 0
        for page in _pages(crm, list_id):
            with ledger.write() as book:
                list_members.store_page(book, name, list_name, page, now)
            found[list_name] += len(page)
    with ledger.write() as book:
        list_members.finish(book, name, now)
        if connection.remove_from_lists:
            list_members.mark_members(book, name)
    return found


def build_lists(name: str, connection: Connection) -> dg.AssetsDefinition:
    """The pull of one connection's dialling lists."""
    key = dg.AssetKey([name, stage_name(connection)])

    @dg.asset(
        key=key,
        deps=[dg.AssetKey([name, "contacts"])],
        group_name=name,
        kinds={"python", connection.kind},
        owners=["team:data"],
        pool=f"crm_{name}",
        required_resource_keys={name, "ledger"},
        metadata={
            "dagster/column_schema": columns(
                list="the campaign or list",
                record_id="who is on it",
                status="the member's status",
                seen_at="when pulled",
            )
        },
    )
    def members_asset(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        """Pulls who is on the dialling lists: a call to them is planned, so their numbers are checked sooner."""
        resource: CrmResource = getattr(context.resources, name)
        book: LedgerResource = context.resources.ledger
        with plain_errors(), book.open() as ledger, resource.open() as crm:
            found = pull_lists(ledger, crm, name, load_settings().connections[name], now_ms())
            usage = crm.usage
        return dg.MaterializeResult(
            metadata={
                "members": MetadataValue.int(sum(found.values())),
                "by list": MetadataValue.json(found),
                **usage_metadata(usage),
            }
        )

    return members_asset
