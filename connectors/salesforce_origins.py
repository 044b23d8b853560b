"""Campaigns as lead sources: who joined which campaign, and when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from connectors.salesforce_records import select, soql_time
from connectors.salesforce_session import SalesforceSession


class CampaignJoin(NamedTuple):
    """A contact or lead that was put on a campaign."""

    person_id: str
    campaign: str
    joined_at: datetime


def campaign_names(session: SalesforceSession) -> dict[str, str]:
    """Name of every campaign our user sees, by id."""
    pages = session.query_rows(select(("Id", "Name"), "Campaign"), deleted_too=False)
    return {row["Id"]: row["Name"] for page in pages for row in page}


def campaign_joins(
    session: SalesforceSession, since: datetime | None
) -> Iterator[tuple[list[CampaignJoin], datetime | None]]:
    """Memberships changed since a moment (None: all), oldest change first, a page at a time, each with the latest change it holds."""
    names = campaign_names(session)
    where = f"SystemModstamp >= {soql_time(since)}" if since is not None else ""
    columns = ("Id", "ContactId", "LeadId", "CampaignId", "CreatedDate", "SystemModstamp")
    soql = select(columns, "CampaignMember", where, "ORDER BY SystemModstamp, Id")
    for page in session.query_rows(soql, deleted_too=False):
        joins = [
            CampaignJoin(person, names[row["CampaignId"]], datetime.fromisoformat(row["CreatedDate"]))
            for row in page
            if (person := row["ContactId"] or row["LeadId"]) and row["CampaignId"] in names
        ]
        latest = max((datetime.fromisoformat(row["SystemModstamp"]) for row in page), default=None)
        yield joins, latest
