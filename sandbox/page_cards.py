"""A CRM record as a sales person sees it, the same for Salesforce and HubSpot."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from sandbox.load import HUBSPOT_OWNERS, SALES_TEAM
from sandbox.store import Edit, Record, RecordStore, json_value


class Phone(NamedTuple):
    """A phone field: what stands in it, and what RingTrue wrote beside it (None before its first visit)."""

    field: str
    label: str
    raw: str | None
    e164: str | None
    status: str | None


@dataclass
class Card:
    """One record, ready for a page."""

    crm: str
    object: str
    record_id: str
    name: str
    company: str | None
    job: str | None
    email: str | None
    country: str | None
    owner: str | None
    source: str | None
    linkedin: str | None
    do_not_call: bool
    email_opt_out: bool
    status: str | None
    reason: str | None
    best_number: str | None
    next_channel: str | None
    why: str | None
    checked_at: str | None
    deleted: bool
    merged_into: str | None
    modified_at: str
    phones: list[Phone] = field(default_factory=list)

    @property
    def crm_label(self) -> str:
        """The CRM's name as people write it."""
        return {"salesforce": "Salesforce", "hubspot": "HubSpot"}[self.crm]

    @property
    def path(self) -> str:
        """The address of the record's page."""
        return f"/{self.crm}/{self.object}/{self.record_id}"


SALESFORCE_PHONES = (
    ("MobilePhone", "Mobile"),
    ("Phone", "Phone"),
    ("HomePhone", "Home"),
    ("OtherPhone", "Other"),
    ("AssistantPhone", "Assistant"),
    ("Fax", "Fax"),
)
HUBSPOT_PHONES = (
    ("mobilephone", "Mobile"),
    ("phone", "Phone"),
    ("hs_whatsapp_phone_number", "WhatsApp"),
    ("fax", "Fax"),
)
OBJECTS = {"salesforce": ("Contact", "Lead"), "hubspot": ("contacts",)}
STATUS_FIELD = {"salesforce": "RingTrue_Status__c", "hubspot": "ringtrue_status"}
SEARCHED = {
    "salesforce": ("FirstName", "LastName", "Email", "Company", *(name for name, _ in SALESFORCE_PHONES)),
    "hubspot": ("firstname", "lastname", "email", "company", *(name for name, _ in HUBSPOT_PHONES)),
}


def card_of(crm: str, object_name: str, record: Record, store: RecordStore) -> Card:
    """The card of a record."""
    return _salesforce(object_name, record, store) if crm == "salesforce" else _hubspot(object_name, record)


def _salesforce(object_name: str, record: Record, store: RecordStore) -> Card:
    get = record.fields.get
    account = store.get("Account", get("AccountId") or "")
    owner = store.get("User", get("OwnerId") or "")
    return Card(
        crm="salesforce",
        object=object_name,
        record_id=record.record_id,
        name=_name(get("FirstName"), get("LastName")),
        company=account.fields.get("Name") if account else get("Company"),
        job=get("Title"),
        email=get("Email"),
        country=get("MailingCountry") or get("Country"),
        owner=_name(owner.fields.get("FirstName"), owner.fields.get("LastName")) if owner else None,
        source=get("LeadSource"),
        linkedin=get("LinkedIn__c"),
        do_not_call=get("DoNotCall") is True,
        email_opt_out=get("HasOptedOutOfEmail") is True,
        status=get("RingTrue_Status__c"),
        reason=get("RingTrue_Reason__c"),
        best_number=get("RingTrue_Best_Number__c"),
        next_channel=get("RingTrue_Next_Channel__c"),
        why=get("RingTrue_Why__c"),
        checked_at=_day_time(get("RingTrue_Checked_At__c")),
        deleted=record.deleted_at is not None,
        merged_into=record.merged_into,
        modified_at=_moment(record.modified_at),
        phones=[
            Phone(name, label, get(name), get(f"RingTrue_{name}_E164__c"), get(f"RingTrue_{name}_Status__c"))
            for name, label in SALESFORCE_PHONES
            if get(name) or get(f"RingTrue_{name}_Status__c")
        ],
    )


def _hubspot(object_name: str, record: Record) -> Card:
    get = record.fields.get
    owner = get("hubspot_owner_id")
    drill = " / ".join(text for text in (get("hs_analytics_source_data_1"), get("hs_analytics_source_data_2")) if text)
    return Card(
        crm="hubspot",
        object=object_name,
        record_id=record.record_id,
        name=_name(get("firstname"), get("lastname")),
        company=get("company"),
        job=get("jobtitle"),
        email=get("email"),
        country=get("country") or get("hs_country_region_code"),
        owner=" ".join(SALES_TEAM[HUBSPOT_OWNERS.index(owner)]) if owner in HUBSPOT_OWNERS else None,
        source=" · ".join(text for text in (get("hs_analytics_source"), drill) if text) or None,
        linkedin=get("hs_linkedin_url"),
        do_not_call="true" in (get("do_not_call"), get("ringtrue_do_not_call")),
        email_opt_out=get("hs_email_optout") == "true",
        status=get("ringtrue_status"),
        reason=get("ringtrue_reason"),
        best_number=get("ringtrue_best_number"),
        next_channel=get("ringtrue_next_channel"),
        why=get("ringtrue_why"),
        checked_at=_day_time(get("ringtrue_checked_at")),
        deleted=record.deleted_at is not None,
        merged_into=record.merged_into,
        modified_at=_moment(record.modified_at),
        phones=[
            Phone(name, label, get(name), get(f"ringtrue_{name}_e164"), get(f"ringtrue_{name}_status"))
            for name, label in HUBSPOT_PHONES
            if get(name) or get(f"ringtrue_{name}_status")
        ],
    )


class Line(NamedTuple):
    """One changed field."""

    field: str
    before: str
    after: str


class Step(NamedTuple):
    """What one hand changed at one moment."""

    who: str
    ours: bool
    at: str
    lines: list[Line]


def story(edits: list[Edit]) -> list[Step]:
    """The changes of a record, newest first, one step for each moment and hand."""
    steps: dict[tuple[int, str], Step] = {}
    for edit in reversed(edits):
        if edit.field.startswith("_") and edit.field != "__deleted__":
            continue
        kind, _, who = edit.source.partition(":")
        ours = kind == "integration"
        name = (
            "RingTrue"
            if ours
            else who.capitalize()
            if kind == "user"
            else f"Merge of {who}"
            if kind == "merge"
            else edit.source
        )
        step = steps.setdefault((edit.at, edit.source), Step(name, ours, _moment(edit.at), []))
        field_name = "In the recycle bin" if edit.field == "__deleted__" else edit.field
        step.lines.append(Line(field_name, _text(edit.old), _text(edit.new)))
    return list(steps.values())


class PastCall(NamedTuple):
    """A logged call."""

    at: str
    outcome: str
    number: str
    seconds: int
    note: str


def calls_of(card: Card, store: RecordStore, labels: dict[str, str], most: int = 20) -> list[PastCall]:
    """The calls logged with a record, newest first."""
    if card.crm == "salesforce":
        tasks = store.query(
            "Task", f"{json_value('WhoId')} = ? AND deleted_at IS NULL", (card.record_id,), "created_at DESC", most
        )
        return [
            PastCall(
                _moment(task.created_at),
                str(task.fields.get("CallDisposition") or task.fields.get("Subject") or ""),
                "",
                int(task.fields.get("CallDurationInSeconds") or 0),
                str(task.fields.get("Description") or ""),
            )
            for task in tasks
        ]
    found = store.get_many("calls", [call_id for call_id, _ in store.linked("contacts", card.record_id, "calls")])
    calls = [
        PastCall(
            str(_day_time(call.fields.get("hs_timestamp")) or ""),
            labels.get(str(call.fields.get("hs_call_disposition")), str(call.fields.get("hs_call_status") or "")),
            str(call.fields.get("hs_call_to_number") or ""),
            int(float(call.fields.get("hs_call_duration") or 0) / 1000),
            str(call.fields.get("hs_call_body") or ""),
        )
        for call in found.values()
    ]
    return sorted(calls, reverse=True)[:most]


def _name(first: Any, last: Any) -> str:
    return " ".join(str(part) for part in (first, last) if part) or "(no name)"


def _moment(milliseconds: int) -> str:
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%d %b %Y, %H:%M} UTC"


def _day_time(text: Any) -> str | None:
    if not text:
        return None
    try:
        return f"{datetime.fromisoformat(str(text)).astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    except ValueError:
        return str(text)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
