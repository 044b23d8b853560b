"""The standard objects of the stand-in and their fields.

Types, lengths and the flags follow the object reference at https://developer.salesforce.com/docs/atlas.en-us.object_reference.meta/object_reference/.
Only what a phone-data integration can meet is here; the labels matter because STRING_TOO_LONG messages use them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sandbox.lead_sources import LEAD_SOURCES as WORLD_SOURCES


@dataclass(frozen=True)
class Field:
    """One field of an object. `source` says where its value lies: "json" (the record's fields) or the name of a derived value."""

    name: str
    label: str
    type: str
    length: int = 0
    createable: bool = True
    updateable: bool = True
    nillable: bool = True
    restricted: bool = False
    values: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    relationship: str | None = None
    external_id: bool = False
    unique: bool = False
    custom: bool = False
    compound: str | None = None
    scale: int = 0
    hidden: bool = False
    source: str = "json"
    default: str | bool | None = None

    @property
    def readable_text(self) -> bool:
        """Whether values are text that compares without regard to case."""
        return self.type in {"string", "phone", "email", "picklist", "textarea", "url"}


@dataclass(frozen=True)
class SObject:
    """An object type and its fields, in describe order."""

    name: str
    label: str
    plural: str
    prefix: str
    fields: tuple[Field, ...]
    deletable: bool = True
    createable: bool = True
    children: tuple[tuple[str, str, str], ...] = ()  # (relationship name, child object, reference field)


def _text(name: str, label: str, length: int, **flags: object) -> Field:
    return replace(Field(name, label, "string", length), **flags)  # type: ignore[arg-type]  # flags are fields of Field


def _phone(name: str, label: str) -> Field:
    return Field(name, label, "phone", 40)


def _boolean(name: str, label: str, *, hidden: bool = False) -> Field:
    return Field(name, label, "boolean", nillable=False, hidden=hidden, default=False)


def _picklist(name: str, label: str, values: tuple[str, ...], *, length: int = 255, restricted: bool = False) -> Field:
    return Field(name, label, "picklist", length, values=values, restricted=restricted)


def _reference(name: str, label: str, to: tuple[str, ...], relationship: str, *, updateable: bool = True) -> Field:
    return Field(name, label, "reference", 18, references=to, relationship=relationship, updateable=updateable)


def _derived(name: str, label: str, kind: str, source: str, length: int = 0) -> Field:
    return Field(name, label, kind, length, createable=False, updateable=False, source=source)


_ID = Field("Id", "Record ID", "id", 18, createable=False, updateable=False, nillable=False, source="id")
_SYSTEM = (
    Field(
        "CreatedDate", "Created Date", "datetime", createable=False, updateable=False, nillable=False, source="created"
    ),
    Field(
        "LastModifiedDate",
        "Last Modified Date",
        "datetime",
        createable=False,
        updateable=False,
        nillable=False,
        source="modified",
    ),
    Field(
        "SystemModstamp",
        "System Modstamp",
        "datetime",
        createable=False,
        updateable=False,
        nillable=False,
        source="modified",
    ),
)
_DELETED = Field(
    "IsDeleted", "Deleted", "boolean", createable=False, updateable=False, nillable=False, source="deleted"
)
_MASTER = Field(
    "MasterRecordId",
    "Master Record ID",
    "reference",
    18,
    createable=False,
    updateable=False,
    relationship="MasterRecord",
    source="master",
)
_OWNER = _reference("OwnerId", "Owner ID", ("User",), "Owner")
LEAD_SOURCES = (*(source.salesforce for source in WORLD_SOURCES), "Other")
ADDRESS_PARTS = ("Street", "City", "State", "PostalCode", "Country", "StateCode", "CountryCode")


def _address(prefix: str, label: str) -> tuple[Field, ...]:
    lengths = {
        "Street": 255,
        "City": 40,
        "State": 80,
        "PostalCode": 20,
        "Country": 80,
        "StateCode": 10,
        "CountryCode": 10,
    }
    compound = f"{prefix}Address"
    parts = []
    for part in ADDRESS_PARTS:
        kind = "textarea" if part == "Street" else "picklist" if part.endswith("Code") else "string"
        parts.append(Field(f"{prefix}{part}", f"{label} {part}".strip(), kind, lengths[part], compound=compound))
    address = Field(
        compound, f"{label} Address".strip(), "address", createable=False, updateable=False, source="address"
    )
    return (*parts, address)


_CONTACT = SObject(
    "Contact",
    "Contact",
    "Contacts",
    "003",
    (
        _ID,
        _DELETED,
        replace(_MASTER, references=("Contact",)),
        _reference("AccountId", "Account ID", ("Account",), "Account"),
        _text("LastName", "Last Name", 80, nillable=False, compound="Name"),
        _text("FirstName", "First Name", 40, compound="Name"),
        _picklist("Salutation", "Salutation", ("Mr.", "Ms.", "Mrs.", "Dr.", "Prof.", "Mx."), length=40),
        _derived("Name", "Full Name", "string", "person_name", 121),
        *_address("Mailing", "Mailing"),
        *_address("Other", "Other"),
        _phone("Phone", "Business Phone"),
        _phone("Fax", "Business Fax"),
        _phone("MobilePhone", "Mobile Phone"),
        _phone("HomePhone", "Home Phone"),
        _phone("OtherPhone", "Other Phone"),
        _phone("AssistantPhone", "Asst. Phone"),
        _reference("ReportsToId", "Reports To ID", ("Contact",), "ReportsTo"),
        Field("Email", "Email", "email", 80),
        _text("Title", "Title", 128),
        _text("Department", "Department", 80),
        _text("AssistantName", "Assistant's Name", 40),
        _picklist("LeadSource", "Lead Source", LEAD_SOURCES),
        Field("Birthdate", "Birthdate", "date"),
        Field("Description", "Contact Description", "textarea", 32000),
        _OWNER,
        _boolean("HasOptedOutOfEmail", "Email Opt Out", hidden=True),
        _boolean("HasOptedOutOfFax", "Fax Opt Out", hidden=True),
        _boolean("DoNotCall", "Do Not Call", hidden=True),
        *_SYSTEM,
        Field("LastActivityDate", "Last Activity", "date", createable=False, updateable=False),
        _text("EmailBouncedReason", "Email Bounced Reason", 255),
        Field("EmailBouncedDate", "Email Bounced Date", "datetime"),
        _text("LinkedIn__c", "LinkedIn", 255, custom=True),
    ),
    children=(("Tasks", "Task", "WhoId"), ("CampaignMembers", "CampaignMember", "ContactId")),
)

_LEAD = SObject(
    "Lead",
    "Lead",
    "Leads",
    "00Q",
    (
        _ID,
        _DELETED,
        replace(_MASTER, references=("Lead",)),
        _text("LastName", "Last Name", 80, nillable=False, compound="Name"),
        _text("FirstName", "First Name", 40, compound="Name"),
        _picklist("Salutation", "Salutation", ("Mr.", "Ms.", "Mrs.", "Dr.", "Prof.", "Mx."), length=40),
        _derived("Name", "Full Name", "string", "person_name", 121),
        _text("Title", "Title", 128),
        _text("Company", "Company", 255, nillable=False),
        *_address("", ""),
        _phone("Phone", "Phone"),
        _phone("MobilePhone", "Mobile Phone"),
        _phone("Fax", "Fax"),
        Field("Email", "Email", "email", 80),
        Field("Website", "Website", "url", 255),
        Field("Description", "Description", "textarea", 32000),
        _picklist("LeadSource", "Lead Source", LEAD_SOURCES),
        replace(
            _picklist(
                "Status",
                "Lead Status",
                ("Open - Not Contacted", "Working - Contacted", "Closed - Converted", "Closed - Not Converted"),
            ),
            nillable=False,
            default="Open - Not Contacted",
        ),
        _picklist("Industry", "Industry", ()),
        _OWNER,
        Field("IsConverted", "Converted", "boolean", createable=False, updateable=False, nillable=False, default=False),
        Field("ConvertedDate", "Converted Date", "date", createable=False, updateable=False),
        replace(
            _reference("ConvertedAccountId", "Converted Account ID", ("Account",), "ConvertedAccount"),
            createable=False,
            updateable=False,
        ),
        replace(
            _reference("ConvertedContactId", "Converted Contact ID", ("Contact",), "ConvertedContact"),
            createable=False,
            updateable=False,
        ),
        _boolean("HasOptedOutOfEmail", "Email Opt Out", hidden=True),
        _boolean("HasOptedOutOfFax", "Fax Opt Out", hidden=True),
        _boolean("DoNotCall", "Do Not Call", hidden=True),
        *_SYSTEM,
        Field("LastActivityDate", "Last Activity", "date", createable=False, updateable=False),
        _text("EmailBouncedReason", "Email Bounced Reason", 255),
        Field("EmailBouncedDate", "Email Bounced Date", "datetime"),
        _text("LinkedIn__c", "LinkedIn", 255, custom=True),
    ),
    children=(("Tasks", "Task", "WhoId"), ("CampaignMembers", "CampaignMember", "LeadId")),
)

_ACCOUNT = SObject(
    "Account",
    "Account",
    "Accounts",
    "001",
    (
        _ID,
        _DELETED,
        replace(_MASTER, references=("Account",)),
        _text("Name", "Account Name", 255, nillable=False),
        _picklist("Type", "Account Type", ("Prospect", "Customer", "Partner", "Other")),
        *_address("Billing", "Billing"),
        _phone("Phone", "Account Phone"),
        _phone("Fax", "Account Fax"),
        Field("Website", "Website", "url", 255),
        _picklist("Industry", "Industry", ()),
        Field("Description", "Account Description", "textarea", 32000),
        _OWNER,
        *_SYSTEM,
    ),
    children=(("Contacts", "Contact", "AccountId"), ("Tasks", "Task", "WhatId")),
)

_TASK = SObject(
    "Task",
    "Task",
    "Tasks",
    "00T",
    (
        _ID,
        _DELETED,
        _reference("WhoId", "Name ID", ("Contact", "Lead"), "Who"),
        _reference("WhatId", "Related To ID", ("Account", "Campaign"), "What"),
        _picklist("Subject", "Subject", ("Call", "Email", "Send Letter", "Send Quote", "Other")),
        Field("ActivityDate", "Due Date Only", "date"),
        replace(
            _picklist(
                "Status", "Status", ("Not Started", "In Progress", "Completed", "Waiting on someone else", "Deferred")
            ),
            nillable=False,
            default="Not Started",
        ),
        replace(_picklist("Priority", "Priority", ("High", "Normal", "Low")), nillable=False, default="Normal"),
        _OWNER,
        Field("Description", "Description", "textarea", 32000),
        _picklist("Type", "Type", ("Call", "Email", "Meeting", "Other")),
        replace(
            _picklist("TaskSubtype", "Task Subtype", ("Task", "Email", "Call"), length=40, restricted=True),
            updateable=False,
        ),
        Field("CallDurationInSeconds", "Call Duration", "int"),
        _picklist("CallType", "Call Type", ("Internal", "Inbound", "Outbound"), length=40, restricted=True),
        _text("CallDisposition", "Call Result", 255),
        _text("CallObject", "Call Object Identifier", 255),
        Field("CompletedDateTime", "Completed Date", "datetime", createable=False, updateable=False),
        _derived("IsClosed", "Closed", "boolean", "task_closed"),
        Field("IsArchived", "Archived", "boolean", createable=False, updateable=False, nillable=False, default=False),
        _reference("AccountId", "Account ID", ("Account",), "Account", updateable=False),
        *_SYSTEM,
    ),
)

_CAMPAIGN = SObject(
    "Campaign",
    "Campaign",
    "Campaigns",
    "701",
    (
        _ID,
        _DELETED,
        _text("Name", "Name", 80, nillable=False),
        _picklist("Type", "Type", ("Conference", "Webinar", "Telemarketing", "Email", "Other")),
        _picklist("Status", "Status", ("Planned", "In Progress", "Completed", "Aborted")),
        _boolean("IsActive", "Active"),
        Field("StartDate", "Start Date", "date"),
        Field("EndDate", "End Date", "date"),
        Field("Description", "Description", "textarea", 32000),
        _OWNER,
        *_SYSTEM,
    ),
    children=(("CampaignMembers", "CampaignMember", "CampaignId"),),
)

_CAMPAIGN_MEMBER = SObject(
    "CampaignMember",
    "Campaign Member",
    "Campaign Members",
    "00v",
    (
        _ID,
        _DELETED,
        replace(_reference("CampaignId", "Campaign ID", ("Campaign",), "Campaign", updateable=False), nillable=False),
        _reference("LeadId", "Lead ID", ("Lead",), "Lead", updateable=False),
        _reference("ContactId", "Contact ID", ("Contact",), "Contact", updateable=False),
        _picklist("Status", "Status", ()),
        _derived("HasResponded", "Responded", "boolean", "member_responded"),
        Field("FirstRespondedDate", "First Responded Date", "date", createable=False, updateable=False),
        _derived("Name", "Name", "string", "member_name", 121),
        _derived("Phone", "Phone", "phone", "member_phone", 40),
        _derived("MobilePhone", "Mobile", "phone", "member_mobile", 40),
        _derived("DoNotCall", "Do Not Call", "boolean", "member_do_not_call"),
        *_SYSTEM,
    ),
)

_MEMBER_STATUS = SObject(
    "CampaignMemberStatus",
    "Campaign Member Status",
    "Campaign Member Statuses",
    "01Y",
    (
        _ID,
        _DELETED,
        replace(_reference("CampaignId", "Campaign ID", ("Campaign",), "Campaign", updateable=False), nillable=False),
        _text("Label", "Label", 765, nillable=False),
        Field("SortOrder", "Sort Order", "int"),
        _boolean("IsDefault", "Is Default"),
        _boolean("HasResponded", "Responded"),
        *_SYSTEM,
    ),
)

_USER = SObject(
    "User",
    "User",
    "Users",
    "005",
    (
        _ID,
        _text("Username", "Username", 80, nillable=False),
        _text("LastName", "Last Name", 80, nillable=False),
        _text("FirstName", "First Name", 40),
        _derived("Name", "Full Name", "string", "person_name", 121),
        Field("Email", "Email", "email", 128, nillable=False),
        _boolean("IsActive", "Active"),
        _text("TimeZoneSidKey", "Time Zone", 40),
        _reference("ProfileId", "Profile ID", ("Profile",), "Profile"),
        _picklist("UserType", "User Type", ("Standard",), length=40),
        *_SYSTEM,
    ),
    deletable=False,
)

_ORGANIZATION = SObject(
    "Organization",
    "Organization",
    "Organizations",
    "00D",
    (
        _ID,
        _text("Name", "Name", 80, nillable=False),
        _text("OrganizationType", "Edition", 40),
        _text("InstanceName", "Instance Name", 5),
        _boolean("IsSandbox", "Is Sandbox"),
        _text("TimeZoneSidKey", "Time Zone", 40),
        _text("DefaultLocaleSidKey", "Locale", 40),
        *_SYSTEM,
    ),
    deletable=False,
    createable=False,
)

_PROFILE = SObject(
    "Profile",
    "Profile",
    "Profiles",
    "00e",
    (_ID, _text("Name", "Name", 255, nillable=False), *_SYSTEM),
    deletable=False,
    createable=False,
)

_PERMISSION_SET = SObject(
    "PermissionSet",
    "Permission Set",
    "Permission Sets",
    "0PS",
    (
        _ID,
        _text("Name", "Permission Set Name", 80, nillable=False),
        _text("Label", "Permission Set Label", 80, nillable=False),
        _text("Description", "Description", 255),
        Field(
            "IsOwnedByProfile",
            "Is Owned By Profile",
            "boolean",
            createable=False,
            updateable=False,
            nillable=False,
            default=False,
        ),
        *_SYSTEM,
    ),
)

_FIELD_PERMISSIONS = SObject(
    "FieldPermissions",
    "Field Permissions",
    "Field Permissions",
    "01k",
    (
        _ID,
        replace(_reference("ParentId", "Parent ID", ("PermissionSet",), "Parent", updateable=False), nillable=False),
        replace(_text("SobjectType", "Sobject Type Name", 40), nillable=False, updateable=False),
        replace(_text("Field", "Field Name", 255), nillable=False, updateable=False),
        _boolean("PermissionsRead", "Read"),
        _boolean("PermissionsEdit", "Edit"),
        _SYSTEM[2],
    ),
)

_ASSIGNMENT = SObject(
    "PermissionSetAssignment",
    "Permission Set Assignment",
    "Permission Set Assignments",
    "0Pa",
    (
        _ID,
        replace(
            _reference("PermissionSetId", "PermissionSet ID", ("PermissionSet",), "PermissionSet", updateable=False),
            nillable=False,
        ),
        replace(_reference("AssigneeId", "Assignee ID", ("User",), "Assignee", updateable=False), nillable=False),
        _SYSTEM[2],
    ),
)

STANDARD_OBJECTS = {
    sobject.name: sobject
    for sobject in (
        _ACCOUNT,
        _CAMPAIGN,
        _CAMPAIGN_MEMBER,
        _MEMBER_STATUS,
        _CONTACT,
        _FIELD_PERMISSIONS,
        _LEAD,
        _ORGANIZATION,
        _PERMISSION_SET,
        _ASSIGNMENT,
        _PROFILE,
        _TASK,
        _USER,
    )
}

TOOLING_OBJECTS = {
    "CustomField": SObject(
        "CustomField",
        "Custom Field",
        "Custom Fields",
        "00N",
        (
            _ID,
            _text("DeveloperName", "Custom Field Name", 80),
            _text("TableEnumOrId", "Object", 40),
            _text("FullName", "Full Name", 255),
            *_SYSTEM,
        ),
    )
}
