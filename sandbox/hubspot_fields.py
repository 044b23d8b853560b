"""The properties a portal has from its first day, as the properties API describes them.

Names and types follow https://developers.hubspot.com/docs/api-reference/crm-properties-v3/guide and public portal schemas; only what a phone-data integration
can meet is here.
"""

from __future__ import annotations

from typing import Any

TYPES = frozenset(
    {"string", "number", "date", "datetime", "enumeration", "bool", "phone_number", "object_coordinates", "json"}
)
FIELD_TYPES = frozenset(
    {"text", "textarea", "date", "file", "number", "select", "radio", "checkbox", "booleancheckbox", "calculation_equation", "html", "phonenumber"}
)  # fmt: skip

PHONE_PROPERTIES = ("phone", "mobilephone", "hs_whatsapp_phone_number")
CALCULATED_PHONES = {
    "hs_calculated_phone_number": "_e164_phone",
    "hs_calculated_mobile_number": "_e164_mobilephone",
    "hs_searchable_calculated_phone_number": "_search_phone",
    "hs_searchable_calculated_mobile_number": "_search_mobilephone",
    "hs_searchable_calculated_international_phone_number": "_e164_phone",
    "hs_searchable_calculated_international_mobile_number": "_e164_mobilephone",
}
"""Read-only property -> the internal value it shows (internal ones start with "_" and never leave the stand-in)."""

_BOOL_OPTIONS = (("true", "Yes"), ("false", "No"))
_SOURCES = (
    "ORGANIC_SEARCH", "PAID_SEARCH", "EMAIL_MARKETING", "SOCIAL_MEDIA", "REFERRALS", "OTHER_CAMPAIGNS", "DIRECT_TRAFFIC", "OFFLINE",
    "PAID_SOCIAL", "AI_REFERRALS",
)  # fmt: skip
_STAGES = (
    "subscriber",
    "lead",
    "marketingqualifiedlead",
    "salesqualifiedlead",
    "opportunity",
    "customer",
    "evangelist",
    "other",
)
_LEAD_STATUS = (
    "NEW",
    "OPEN",
    "IN_PROGRESS",
    "OPEN_DEAL",
    "UNQUALIFIED",
    "ATTEMPTED_TO_CONTACT",
    "CONNECTED",
    "BAD_TIMING",
)

# name | label | type | fieldType | flags: r read-only, c calculated, o own (made by the portal, not by HubSpot)
_CONTACTS = """
email | Email | string | text |
firstname | First Name | string | text |
lastname | Last Name | string | text |
phone | Phone Number | string | phonenumber |
mobilephone | Mobile Phone Number | string | phonenumber |
hs_whatsapp_phone_number | WhatsApp Phone Number | string | phonenumber |
fax | Fax Number | string | phonenumber |
company | Company Name | string | text |
jobtitle | Job Title | string | text |
address | Street Address | string | text |
city | City | string | text |
state | State/Region | string | text |
hs_state_code | State/Region Code | string | text |
zip | Postal Code | string | text |
country | Country/Region | string | text |
hs_country_region_code | Country/Region Code | string | text |
website | Website URL | string | text |
lifecyclestage | Lifecycle Stage | enumeration | radio |
hs_lead_status | Lead Status | enumeration | radio |
hubspot_owner_id | Contact owner | enumeration | select |
hs_timezone | Time Zone | string | text |
hs_linkedin_url | LinkedIn URL | string | text |
createdate | Create Date | datetime | date | r
lastmodifieddate | Last Modified Date | datetime | date | r
hs_object_id | Record ID | number | number | r
hs_analytics_source | Original Traffic Source | enumeration | select | r
hs_analytics_source_data_1 | Original Traffic Source Drill-Down 1 | string | text | r
hs_analytics_source_data_2 | Original Traffic Source Drill-Down 2 | string | text | r
hs_latest_source | Latest Traffic Source | enumeration | select | r
hs_latest_source_data_1 | Latest Traffic Source Drill-Down 1 | string | text | r
hs_latest_source_data_2 | Latest Traffic Source Drill-Down 2 | string | text | r
hs_object_source | Record creation source | enumeration | select | r
hs_object_source_id | Record creation source ID | string | text | r
hs_object_source_label | Record source | enumeration | select | r
hs_object_source_detail_1 | Record source detail 1 | string | text | r
hs_object_source_detail_2 | Record source detail 2 | string | text | r
hs_object_source_detail_3 | Record source detail 3 | string | text | r
hs_object_source_user_id | Record creation source user ID | number | number | r
hs_email_optout | Unsubscribed from all email | bool | booleancheckbox | r
hs_email_bounce | Marketing emails bounced | number | number | r
hs_email_bad_address | Invalid email address | bool | booleancheckbox | r
hs_merged_object_ids | Merged record IDs | enumeration | checkbox | r
hs_calculated_merged_vids | Merged vids with timestamps | string | text | rc
hs_calculated_phone_number | Calculated Phone Number in International Format | string | text | rc
hs_calculated_phone_number_country_code | Calculated Phone Number Country Code | string | text | rc
hs_calculated_phone_number_area_code | Calculated Phone Number Area Code | string | text | rc
hs_calculated_phone_number_region_code | Calculated Phone Number Region | string | text | rc
hs_calculated_mobile_number | Calculated Mobile Number in International Format | string | text | rc
hs_searchable_calculated_phone_number | Calculated Phone Number without country code | string | text | rc
hs_searchable_calculated_mobile_number | Calculated Mobile Number without country code | string | text | rc
hs_searchable_calculated_international_phone_number | Calculated Phone Number with country code | string | text | rc
hs_searchable_calculated_international_mobile_number | Calculated Mobile Number with country code | string | text | rc
ip_country | IP Country | string | text | r
ip_country_code | IP Country Code | string | text | r
num_conversion_events | Number of Form Submissions | number | number | r
hs_marketable_status | Marketing contact status | enumeration | select | r
do_not_call | Do not call | bool | booleancheckbox | o
"""

_CALLS = """
hs_timestamp | Activity date | datetime | date |
hs_call_title | Call Title | string | text |
hs_call_body | Call notes | string | html |
hs_call_direction | Call direction | enumeration | select |
hs_call_disposition | Call outcome | string | text |
hs_call_duration | Call duration | number | number |
hs_call_from_number | From Number | string | phonenumber |
hs_call_to_number | To Number | string | phonenumber |
hs_call_status | Call status | enumeration | select |
hs_call_recording_url | Recording URL | string | text |
hubspot_owner_id | Activity assigned to | enumeration | select |
hs_createdate | Object create date/time | datetime | date | r
hs_lastmodifieddate | Object last modified date/time | datetime | date | r
hs_object_id | Record ID | number | number | r
"""

_OPTIONS: dict[str, tuple[str, ...]] = {
    "lifecyclestage": _STAGES,
    "hs_lead_status": _LEAD_STATUS,
    "hs_analytics_source": _SOURCES,
    "hs_latest_source": _SOURCES,
    "hs_call_direction": ("INBOUND", "OUTBOUND"),
    "hs_call_status": (
        "BUSY", "CALLING_CRM_USER", "CANCELED", "COMPLETED", "CONNECTING", "FAILED", "IN_PROGRESS", "NO_ANSWER", "QUEUED", "RINGING", "MISSED",
    ),
}  # fmt: skip
OPEN_ENUMERATIONS = frozenset(
    {"hubspot_owner_id", "hs_object_source", "hs_object_source_label", "hs_merged_object_ids", "hs_marketable_status"}
)
"""Enumerations whose options come from elsewhere; any value passes."""


def standard_properties(object_name: str) -> dict[str, dict[str, Any]]:
    """Definitions by name for "contacts" or "calls"."""
    text, group = (_CONTACTS, "contactinformation") if object_name == "contacts" else (_CALLS, "call")
    definitions = {}
    for order, line in enumerate(text.strip().splitlines()):
        name, label, kind, field_type, flags = (part.strip() for part in line.split("|"))
        definitions[name] = definition(
            name,
            label,
            kind,
            field_type,
            group,
            options=_BOOL_OPTIONS if kind == "bool" else tuple((value, value) for value in _OPTIONS.get(name, ())),
            read_only="r" in flags,
            calculated="c" in flags,
            own="o" in flags,
            order=order,
        )
    return definitions


def definition(
    name: str,
    label: str,
    kind: str,
    field_type: str,
    group: str,
    *,
    options: tuple[tuple[str, str], ...] = (),
    read_only: bool = False,
    calculated: bool = False,
    own: bool = False,
    order: int = -1,
) -> dict[str, Any]:
    """A property as the properties API shows it."""
    return {
        "name": name,
        "label": label,
        "type": kind,
        "fieldType": field_type,
        "description": "",
        "groupName": group,
        "options": [
            {"label": text, "value": value, "displayOrder": place, "hidden": False}
            for place, (value, text) in enumerate(options)
        ],
        "displayOrder": order,
        "calculated": calculated,
        "externalOptions": name in OPEN_ENUMERATIONS,
        "hasUniqueValue": name == "email",
        "hidden": False,
        "hubspotDefined": not own,
        "formField": not read_only,
        "archived": False,
        "modificationMetadata": {
            "archivable": own,
            "readOnlyDefinition": not own,
            "readOnlyOptions": not own,
            "readOnlyValue": read_only,
        },
    }
