"""Who is on a campaign: read, taken off, put back. Membership is a record of its own (CampaignMember) for a contact or a lead."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from connectors.salesforce_calls import remove_campaign_members
from connectors.salesforce_ids import chunked, quoted_ids
from connectors.salesforce_records import select
from connectors.salesforce_session import SalesforceSession
from connectors.salesforce_write import COLLECTION_SIZE, results_of
from ringtrue.list_objects import list_id
from ringtrue.records import PulledRecord, RecordWrite, RowResult

_LEAD = "00Q"
_PEOPLE = 200


def members_of(session: SalesforceSession, campaign: str) -> Iterator[list[tuple[str, str]]]:
    """(contact or lead id, status) of everybody on a campaign, a page at a time."""
    soql = select(("ContactId", "LeadId", "Status"), "CampaignMember", f"CampaignId = {quoted_ids([campaign])}")
    for page in session.query_rows(soql, deleted_too=False):
        yield [(one["ContactId"] or one["LeadId"], one["Status"]) for one in page if one["ContactId"] or one["LeadId"]]


def _memberships(session: SalesforceSession, campaign: str, people: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Member id and status by person, of those who are on the campaign now."""
    found: dict[str, tuple[str, str]] = {}
    for some in chunked(people, _PEOPLE):
        ids = quoted_ids(some)
        where = f"CampaignId = {quoted_ids([campaign])} AND (ContactId IN ({ids}) OR LeadId IN ({ids}))"
        soql = select(("Id", "ContactId", "LeadId", "Status"), "CampaignMember", where)
        for page in session.query_rows(soql, deleted_too=False):
            for one in page:
                for person in (one["ContactId"], one["LeadId"]):
                    if person in some:
                        found[person] = (one["Id"], one["Status"])
    return found


def read_memberships(session: SalesforceSession, object_name: str, people: Sequence[str]) -> dict[str, PulledRecord]:
    """Each person as a record of the list: its one field is the member's status, or empty."""
    held = _memberships(session, list_id(object_name), people)
    now = datetime.now(UTC)
    return {
        person: PulledRecord(person, {object_name: held[person][1] if person in held else None}, None, now)
        for person in people
    }


def write_memberships(session: SalesforceSession, object_name: str, rows: Sequence[RecordWrite]) -> list[RowResult]:
    """Take people off a campaign (empty status) or put them on it; results in order. "gone": the person was not on it any more."""
    campaign = list_id(object_name)
    leaving = [row.record_id for row in rows if row.values[object_name] is None]
    joining = [row for row in rows if row.values[object_name] is not None]
    results: dict[str, RowResult] = {}
    held = _memberships(session, campaign, leaving) if leaving else {}
    for person in leaving:
        if person not in held:
            results[person] = RowResult(person, "gone", "the person was not on the campaign any more")
    going = list(held)
    for person, result in zip(
        going, remove_campaign_members(session, [held[person][0] for person in going]), strict=True
    ):
        results[person] = RowResult(person, result.outcome, result.reason)
    for some in chunked(joining, COLLECTION_SIZE):
        records = [
            {
                "attributes": {"type": "CampaignMember"},
                "CampaignId": campaign,
                "LeadId" if row.record_id.startswith(_LEAD) else "ContactId": row.record_id,
                "Status": row.values[object_name],
            }
            for row in some
        ]
        answer = session.json("POST", "composite/sobjects", json={"allOrNone": False, "records": records})
        for result in results_of([row.record_id for row in some], answer, "CampaignMember"):
            results[result.record_id] = result
    return [results[row.record_id] for row in rows]
