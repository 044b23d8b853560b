"""The standard objects of the org, and those of the Tooling API: only what a phone-data integration can meet."""

from __future__ import annotations

from dataclasses import replace

from sandbox.lead_sources import LEAD_SOURCES as WORLD_SOURCES
from sandbox.salesforce_fields import (
    DELETED,
    ID,
    MASTER,
    OWNER,
    SYSTEM,
    Field,
    SObject,
    address_fields,
    boolean_field,
    derived_field,
    phone_field,
    picklist_field,
    reference_field,
    text_field,
)

LEAD_SOURCES = (*(source.salesforce for source in WORLD_SOURCES), "Other")

_CONTACT = SObject(
    "Contact",
    "Contact",
    "Contacts",
    "003",
    (
        ID,
        DELETED,
        replace(MASTER, references=("Contact",)),
        reference_field("AccountId", "Account ID", ("Account",), "Account"),
        text_field("LastName", "Last Name", 80, nillable=False, compound="Name"),
        text_field("FirstName", "First Name", 40, compound="Name"),
        picklist_field("Salutation", "Salutation", ("Mr.", "Ms.", "Mrs.", "Dr.", "Prof.", "Mx."), length=40),
        derived_field("Name", "Full Name", "string", "person_name", 121),
        *address_fields("Mailing", "Mailing"),
        *address_fields("Other", "Other"),
        phone_field("Phone", "Business Phone"),
        phone_field("Fax", "Business Fax"),
        phone_field("MobilePhone", "Mobile Phone"),
        phone_field("HomePhone", "Home Phone"),
        phone_field("OtherPhone", "Other Phone"),
        phone_field("AssistantPhone", "Asst. Phone"),
        reference_field("ReportsToId", "Reports To ID", ("Contact",), "ReportsTo"),
        Field("Email", "Email", "email", 80),
        text_field("Title", "Title", 128),
        text_field("Department", "Department", 80),
        text_field("AssistantName", "Assistant's Name", 40),
        picklist_field("LeadSource", "Lead Source", LEAD_SOURCES),
        Field("Birthdate", "Birthdate", "date"),
        Field("Description", "Contact Description", "textarea", 32000),
        OWNER,
        boolean_field("HasOptedOutOfEmail", "Email Opt Out"),
        boolean_field("HasOptedOutOfFax", "Fax Opt Out"),
        boolean_field("DoNotCall", "Do Not Call"),
        *SYSTEM,
        Field("LastActivityDate", "Last Activity", "date", createable=False, updateable=False),
        text_field("EmailBouncedReason", "Email Bounced Reason", 255),
        Field("EmailBouncedDate", "Email Bounced Date", "datetime"),
        text_field("LinkedIn__c", "LinkedIn", 255, custom=True),
    ),
    children=(("Tasks", "Task", "WhoId"), ("CampaignMembers", "CampaignMember", "ContactId")),
)

_LEAD = SObject(
    "Lead",
    "Lead",
    "Leads",
    "00Q",
    (
        ID,
        DELETED,
        replace(MASTER, references=("Lead",)),
        text_field("LastName", "Last Name", 80, nillable=False, compound="Name"),
        text_field("FirstName", "First Name", 40, compound="Name"),
        picklist_field("Salutation", "Salutation", ("Mr.", "Ms.", "Mrs.", "Dr.", "Prof.", "Mx."), length=40),
        derived_field("Name", "Full Name", "string", "person_name", 121),
        text_field("Title", "Title", 128),
        text_field("Company", "Company", 255, nillable=False),
        *address_fields("", ""),
        phone_field("Phone", "Phone"),
        phone_field("MobilePhone", "Mobile Phone"),
        phone_field("Fax", "Fax"),
        Field("Email", "Email", "email", 80),
        Field("Website", "Website", "url", 255),
        Field("Description", "Description", "textarea", 32000),
        picklist_field("LeadSource", "Lead Source", LEAD_SOURCES),
        replace(
            picklist_field(
                "Status",
                "Lead Status",
                ("Open - Not Contacted", "Working - Contacted", "Closed - Converted", "Closed - Not Converted"),
            ),
            nillable=False,
            default="Open - Not Contacted",
        ),
        picklist_field("Industry", "Industry", ()),
        OWNER,
        Field("IsConverted", "Converted", "boolean", createable=False, updateable=False, nillable=False, default=False),
        Field("ConvertedDate", "Converted Date", "date", createable=False, updateable=False),
        replace(
            reference_field("ConvertedAccountId", "Converted Account ID", ("Account",), "ConvertedAccount"),
            createable=False,
            updateable=False,
        ),
        replace(
            reference_field("ConvertedContactId", "Converted Contact ID", ("Contact",), "ConvertedContact"),
            createable=False,
            updateable=False,
        ),
        boolean_field("HasOptedOutOfEmail", "Email Opt Out"),
        boolean_field("HasOptedOutOfFax", "Fax Opt Out"),
        boolean_field("DoNotCall", "Do Not Call"),
        *SYSTEM,
        Field("LastActivityDate", "Last Activity", "date", createable=False, updateable=False),
        text_field("EmailBouncedReason", "Email Bounced Reason", 255),
        Field("EmailBouncedDate", "Email Bounced Date", "datetime"),
        text_field("LinkedIn__c", "LinkedIn", 255, custom=True),
    ),
    children=(("Tasks", "Task", "WhoId"), ("CampaignMembers", "CampaignMember", "LeadId")),
)

_ACCOUNT = SObject(
    "Account",
    "Account",
    "Accounts",
    "001",
    (
        ID,
        DELETED,
        replace(MASTER, references=("Account",)),
        text_field("Name", "Account Name", 255, nillable=False),
        picklist_field("Type", "Account Type", ("Prospect", "Customer", "Partner", "Other")),
        *address_fields("Billing", "Billing"),
        phone_field("Phone", "Account Phone"),
        phone_field("Fax", "Account Fax"),
        Field("Website", "Website", "url", 255),
        picklist_field("Industry", "Industry", ()),
        Field("Description", "Account Description", "textarea", 32000),
        OWNER,
        *SYSTEM,
    ),
    children=(("Contacts", "Contact", "AccountId"), ("Tasks", "Task", "WhatId")),
)

_TASK = SObject(
    "Task",
    "Task",
    "Tasks",
    "00T",
    (
        ID,
        DELETED,
        reference_field("WhoId", "Name ID", ("Contact", "Lead"), "Who"),
        reference_field("WhatId", "Related To ID", ("Account", "Campaign"), "What"),
        picklist_field("Subject", "Subject", ("Call", "Email", "Send Letter", "Send Quote", "Other")),
        Field("ActivityDate", "Due Date Only", "date"),
        replace(
            picklist_field(
                "Status", "Status", ("Not Started", "In Progress", "Completed", "Waiting on someone else", "Deferred")
            ),
            nillable=False,
            default="Not Started",
        ),
        replace(picklist_field("Priority", "Priority", ("High", "Normal", "Low")), nillable=False, default="Normal"),
        OWNER,
        Field("Description", "Description", "textarea", 32000),
        picklist_field("Type", "Type", ("Call", "Email", "Meeting", "Other")),
        replace(
            picklist_field("TaskSubtype", "Task Subtype", ("Task", "Email", "Call"), length=40, restricted=True),
            updateable=False,
        ),
        Field("CallDurationInSeconds", "Call Duration", "int"),
        picklist_field("CallType", "Call Type", ("Internal", "Inbound", "Outbound"), length=40, restricted=True),
        text_field("CallDisposition", "Call Result", 255),
        text_field("CallObject", "Call Object Identifier", 255),
        Field("CompletedDateTime", "Completed Date", "datetime", createable=False, updateable=False),
        derived_field("IsClosed", "Closed", "boolean", "task_closed"),
        derived_field("IsArchived", "Archived", "boolean", "task_archived"),
        reference_field("AccountId", "Account ID", ("Account",), "Account", updateable=False),
        *SYSTEM,
    ),
)

_CAMPAIGN = SObject(
    "Campaign",
    "Campaign",
    "Campaigns",
    "701",
    (
        ID,
        DELETED,
        text_field("Name", "Name", 80, nillable=False),
        picklist_field("Type", "Type", ("Conference", "Webinar", "Telemarketing", "Email", "Other")),
        picklist_field("Status", "Status", ("Planned", "In Progress", "Completed", "Aborted")),
        boolean_field("IsActive", "Active"),
        Field("StartDate", "Start Date", "date"),
        Field("EndDate", "End Date", "date"),
        Field("Description", "Description", "textarea", 32000),
        OWNER,
        *SYSTEM,
    ),
    children=(("CampaignMembers", "CampaignMember", "CampaignId"),),
)

_CAMPAIGN_MEMBER = SObject(
    "CampaignMember",
    "Campaign Member",
    "Campaign Members",
    "00v",
    (
        ID,
        DELETED,
        replace(
            reference_field("CampaignId", "Campaign ID", ("Campaign",), "Campaign", updateable=False), nillable=False
        ),
        reference_field("LeadId", "Lead ID", ("Lead",), "Lead", updateable=False),
        reference_field("ContactId", "Contact ID", ("Contact",), "Contact", updateable=False),
        picklist_field("Status", "Status", ()),
        derived_field("HasResponded", "Responded", "boolean", "member_responded"),
        Field("FirstRespondedDate", "First Responded Date", "date", createable=False, updateable=False),
        derived_field("Name", "Name", "string", "member_name", 121),
        derived_field("Phone", "Phone", "phone", "member_phone", 40),
        derived_field("MobilePhone", "Mobile", "phone", "member_mobile", 40),
        derived_field("DoNotCall", "Do Not Call", "boolean", "member_do_not_call"),
        *SYSTEM,
    ),
)

_MEMBER_STATUS = SObject(
    "CampaignMemberStatus",
    "Campaign Member Status",
    "Campaign Member Statuses",
    "01Y",
    (
        ID,
        DELETED,
        replace(
            reference_field("CampaignId", "Campaign ID", ("Campaign",), "Campaign", updateable=False), nillable=False
        ),
        text_field("Label", "Label", 765, nillable=False),
        Field("SortOrder", "Sort Order", "int"),
        boolean_field("IsDefault", "Is Default"),
        boolean_field("HasResponded", "Responded"),
        *SYSTEM,
    ),
)

_USER = SObject(
    "User",
    "User",
    "Users",
    "005",
    (
        ID,
        text_field("Username", "Username", 80, nillable=False),
        text_field("LastName", "Last Name", 80, nillable=False),
        text_field("FirstName", "First Name", 40),
        derived_field("Name", "Full Name", "string", "person_name", 121),
        Field("Email", "Email", "email", 128, nillable=False),
        boolean_field("IsActive", "Active"),
        text_field("TimeZoneSidKey", "Time Zone", 40),
        reference_field("ProfileId", "Profile ID", ("Profile",), "Profile"),
        picklist_field("UserType", "User Type", ("Standard",), length=40),
        *SYSTEM,
    ),
    deletable=False,
)

_ORGANIZATION = SObject(
    "Organization",
    "Organization",
    "Organizations",
    "00D",
    (
        ID,
        text_field("Name", "Name", 80, nillable=False),
        text_field("OrganizationType", "Edition", 40),
        text_field("InstanceName", "Instance Name", 5),
        boolean_field("IsSandbox", "Is Sandbox"),
        text_field("TimeZoneSidKey", "Time Zone", 40),
        text_field("DefaultLocaleSidKey", "Locale", 40),
        *SYSTEM,
    ),
    deletable=False,
    createable=False,
)

_PROFILE = SObject(
    "Profile",
    "Profile",
    "Profiles",
    "00e",
    (ID, text_field("Name", "Name", 255, nillable=False), *SYSTEM),
    deletable=False,
    createable=False,
)

_PERMISSION_SET = SObject(
    "PermissionSet",
    "Permission Set",
    "Permission Sets",
    "0PS",
    (
        ID,
        text_field("Name", "Permission Set Name", 80, nillable=False),
        text_field("Label", "Permission Set Label", 80, nillable=False),
        text_field("Description", "Description", 255),
        Field(
            "IsOwnedByProfile",
            "Is Owned By Profile",
            "boolean",
            createable=False,
            updateable=False,
            nillable=False,
            default=False,
        ),
        *SYSTEM,
    ),
)

_FIELD_PERMISSIONS = SObject(
    "FieldPermissions",
    "Field Permissions",
    "Field Permissions",
    "01k",
    (
        ID,
        replace(
            reference_field("ParentId", "Parent ID", ("PermissionSet",), "Parent", updateable=False), nillable=False
        ),
        replace(text_field("SobjectType", "Sobject Type Name", 40), nillable=False, updateable=False),
        replace(text_field("Field", "Field Name", 255), nillable=False, updateable=False),
        boolean_field("PermissionsRead", "Read"),
        boolean_field("PermissionsEdit", "Edit"),
        SYSTEM[2],
    ),
)

_ASSIGNMENT = SObject(
    "PermissionSetAssignment",
    "Permission Set Assignment",
    "Permission Set Assignments",
    "0Pa",
    (
        ID,
        replace(
            reference_field(
                "PermissionSetId", "PermissionSet ID", ("PermissionSet",), "PermissionSet", updateable=False
            ),
            nillable=False,
        ),
        replace(reference_field("AssigneeId", "Assignee ID", ("User",), "Assignee", updateable=False), nillable=False),
        SYSTEM[2],
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
            ID,
            text_field("DeveloperName", "Custom Field Name", 80),
            text_field("TableEnumOrId", "Object", 40),
            text_field("FullName", "Full Name", 255),
            *SYSTEM,
        ),
    )
}
