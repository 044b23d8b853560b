"""Salesforce campaigns as lead sources: which campaign brought a contact, which it joined later."""

from datetime import UTC, datetime, timedelta

from connectors.crm import Crm
from connectors.salesforce import SalesforceCrm
from ringtrue.errors import FieldMissing
from ringtrue.ledger import Ledger, campaigns, contacts

OBJECT = "CampaignMember"
OVERLAP = timedelta(minutes=10)
"""Read again at each pull: changes are committed later than their time says."""


def pull_campaigns(ledger: Ledger, crm: Crm, name: str, now: int) -> dict[str, int]:
    """Store who joined which campaign since the last pull. Counts; nothing for a CRM whose campaigns bring no contacts."""
    if not isinstance(crm, SalesforceCrm):
        return {}
    with ledger.read() as book:
        cursor, _ = contacts.sync_state(book, name, OBJECT)
    since = datetime.fromisoformat(cursor) - OVERLAP if cursor else None
    try:
        return _store(ledger, crm, name, since, now)
    except FieldMissing:
        # Campaigns are one origin among others: a user that may not see them still pulls contacts.
        return {"campaigns hidden from our user": 1}


def _store(ledger: Ledger, crm: SalesforceCrm, name: str, since: datetime | None, now: int) -> dict[str, int]:
    brought = later = 0
    for joins, latest in crm.campaign_joins(since):
        rows = [(join.person_id, join.campaign, int(join.joined_at.timestamp() * 1000)) for join in joins]
        with ledger.write() as book:
            first, again = campaigns.store_joins(book, name, rows)
            if latest is not None:
                contacts.store_cursor(book, name, OBJECT, latest.astimezone(UTC).isoformat(), now, full=since is None)
        brought, later = brought + first, later + again
    return {"brought by a campaign": brought, "joined a campaign later": later}
