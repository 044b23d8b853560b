"""Dialling lists of the sandbox's org: campaigns whose members are every third contact and lead, so that bad numbers can be taken out of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sandbox.salesforce_ids import record_id, record_number
from sandbox.salesforce_relations import member_statuses
from sandbox.store import RecordStore

_NAMES = ("Autumn call campaign", "Renewals dial list", "Win-back calls")
_MEMBERS_OF = 3
_PAGE = 5000


def load_campaigns(store: RecordStore, now_ms: int) -> int:
    """Add the campaigns and their members, in a stream, to an org that has none; returns how many members."""
    if store.count("Campaign", include_deleted=True):
        return 0
    campaigns = [record_id("Campaign", place + 1) for place in range(len(_NAMES))]
    owner = record_id("User", 2)
    store.insert_many(
        "Campaign",
        [
            (
                identifier,
                now_ms,
                {"Name": name, "Type": "Telemarketing", "Status": "In Progress", "IsActive": True, "OwnerId": owner},
            )
            for identifier, name in zip(campaigns, _NAMES, strict=True)
        ],
    )
    for place, identifier in enumerate(campaigns):
        store.insert_many("CampaignMemberStatus", member_statuses(identifier, 2 * place + 1, now_ms))
    return store.insert_many("CampaignMember", _members(store, campaigns, now_ms))


def _members(store: RecordStore, campaigns: list[str], now_ms: int) -> Iterator[tuple[str, int, dict[str, Any]]]:
    number = 0
    for sobject, reference in (("Contact", "ContactId"), ("Lead", "LeadId")):
        last = ""
        while page := store.page_by_id(sobject, last, _PAGE):
            last = page[-1].record_id
            for record in page:
                serial = record_number(record.record_id)
                if serial % _MEMBERS_OF:
                    continue
                number += 1
                campaign = campaigns[serial // _MEMBERS_OF % len(campaigns)]
                yield (
                    record_id("CampaignMember", number),
                    now_ms,
                    {"CampaignId": campaign, reference: record.record_id, "Status": "Sent"},
                )
