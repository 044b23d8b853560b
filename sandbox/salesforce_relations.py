"""Rules that span records: what a new row's references must name, duplicates of membership and permission rows, and what a new row brings with it."""

from __future__ import annotations

from typing import Any

from sandbox.salesforce_errors import RowError
from sandbox.salesforce_ids import record_id, record_number
from sandbox.salesforce_objects import STANDARD_OBJECTS
from sandbox.salesforce_org import Org
from sandbox.store import json_value

_UNIQUE_TOGETHER: dict[str, tuple[tuple[str, ...], str]] = {
    "PermissionSet": (("Name",), "duplicate value found: Name duplicates value on record with id: {}"),
    "PermissionSetAssignment": (
        ("PermissionSetId", "AssigneeId"),
        "duplicate value found: AssigneeId duplicates value on record with id: {}",
    ),
    "FieldPermissions": (
        ("ParentId", "Field"),
        "duplicate value found: <unknown> duplicates value on record with id: {}",
    ),
    "CampaignMemberStatus": (
        ("CampaignId", "Label"),
        "duplicate value found: Label duplicates value on record with id: {}",
    ),
}
_FIRST_STATUSES = (("Sent", True, False), ("Responded", False, True))


def check_new(org: Org, sobject: str, fields: dict[str, Any]) -> None:
    """Refuse a new record whose references lead nowhere or that exists already. Raises RowError."""
    for field in STANDARD_OBJECTS[sobject].fields:
        value = fields.get(field.name)
        if field.type == "reference" and field.source == "json" and value is not None:
            found = [record for target in field.references if (record := org.store.get(target, value))]
            if not found:
                raise RowError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", (field.name,))
            if found[0].deleted_at is not None:
                raise RowError("ENTITY_IS_DELETED", "entity is deleted", (field.name,))
    if sobject == "FieldPermissions" and not org.schema.exists(fields["Field"]):
        raise RowError(
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
            f"Field Name: bad value for restricted picklist field: {fields['Field']}",
            ("Field",),
        )
    if sobject == "CampaignMember":
        _check_member(org, fields)
    names, message = _UNIQUE_TOGETHER.get(sobject, ((), ""))
    if names:
        where = " AND ".join(["deleted_at IS NULL", *(f"{json_value(name)} = ? COLLATE NOCASE" for name in names)])
        twin = next(org.store.query(sobject, where, [fields[name] for name in names], limit=1), None)
        if twin is not None:
            raise RowError("DUPLICATE_VALUE", message.format(twin.record_id[:15]))


def created(org: Org, sobject: str, identifier: str, now_ms: int) -> None:
    """Add what a new record brings: the two statuses every campaign starts with."""
    if sobject != "Campaign":
        return
    highest = next(org.store.select("SELECT max(record_id) FROM records WHERE object = 'CampaignMemberStatus'"))[0]
    first = record_number(highest) + 1 if highest else 1
    org.store.insert_many("CampaignMemberStatus", member_statuses(identifier, first, now_ms))


def member_statuses(campaign: str, first_number: int, now_ms: int) -> list[tuple[str, int, dict[str, Any]]]:
    """Rows for the statuses "Sent" and "Responded" of one campaign."""
    return [
        (
            record_id("CampaignMemberStatus", first_number + place),
            now_ms,
            {
                "CampaignId": campaign,
                "Label": label,
                "SortOrder": place + 1,
                "IsDefault": default,
                "HasResponded": responded,
            },
        )
        for place, (label, default, responded) in enumerate(_FIRST_STATUSES)
    ]


def _check_member(org: Org, fields: dict[str, Any]) -> None:
    person = fields.get("ContactId") or fields.get("LeadId")
    if person is None:
        raise RowError(
            "REQUIRED_FIELD_MISSING", "Required fields are missing: [LeadId, ContactId]", ("LeadId", "ContactId")
        )
    name = "ContactId" if fields.get("ContactId") else "LeadId"
    where = f"deleted_at IS NULL AND {json_value('CampaignId')} = ? AND {json_value(name)} = ?"
    if next(org.store.query("CampaignMember", where, [fields["CampaignId"], person], limit=1), None) is not None:
        raise RowError("DUPLICATE_VALUE", "Already a campaign member.")
    statuses = list(
        org.store.query(
            "CampaignMemberStatus", f"deleted_at IS NULL AND {json_value('CampaignId')} = ?", [fields["CampaignId"]]
        )
    )
    labels = {record.fields["Label"].lower(): record.fields["Label"] for record in statuses}
    wanted = fields.get("Status")
    if wanted is None:
        fields["Status"] = next(
            (record.fields["Label"] for record in statuses if record.fields.get("IsDefault")), "Sent"
        )
    elif wanted.lower() not in labels:
        raise RowError(
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
            f"Status: bad value for restricted picklist field: {wanted}",
            ("Status",),
        )
