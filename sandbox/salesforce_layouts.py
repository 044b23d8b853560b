"""Page layouts and list views: what the org starts with, and whether a new one names only fields that exist."""

from __future__ import annotations

from xml.etree.ElementTree import Element

from sandbox.salesforce_errors import RowError
from sandbox.salesforce_schema import Schema

_FIRST_FIELDS = {
    "Contact": ("Name", "AccountId", "Title", "Phone", "MobilePhone", "HomePhone", "OtherPhone", "Email", "LeadSource"),
    "Lead": ("Name", "Company", "Title", "Phone", "MobilePhone", "Email", "LeadSource", "Status"),
}


def first_layouts() -> dict[str, str]:
    """The layouts of a new org by full name, as `records` elements."""
    return {f"{sobject}-{sobject} Layout": _layout(sobject, fields) for sobject, fields in _FIRST_FIELDS.items()}


def check_layout(schema: Schema, layout: Element, full_name: str) -> None:
    """Refuse a layout of no object, without sections, or with a field that does not exist. Raises RowError."""
    sobject = full_name.partition("-")[0]
    if schema.view(sobject) is None:
        raise RowError("INVALID_CROSS_REFERENCE_KEY", f"Parent entity failed to deploy or does not exist: {sobject}")
    sections = [element for element in layout if _local(element) == "layoutSections"]
    if not sections:
        raise RowError("FIELD_INTEGRITY_EXCEPTION", "Layout must contain at least one section")
    seen = set()
    for element in (found for section in sections for found in section.iter() if _local(found) == "field"):
        name = (element.text or "").strip()
        if not schema.exists(f"{sobject}.{name}"):
            raise RowError(
                "INVALID_CROSS_REFERENCE_KEY", f"In field: field - no CustomField named {sobject}.{name} found"
            )
        if name in seen:
            raise RowError("FIELD_INTEGRITY_EXCEPTION", f"Field: {name} is on the layout more than once")
        seen.add(name)


def check_list_view(schema: Schema, view: Element, full_name: str) -> None:
    """Refuse a list view of no object, without label or scope, or with a custom column that does not exist. Raises RowError.

    Standard columns have names of their own in list views (NAME, CONTACT.PHONE1), so only custom ones are looked up.
    """
    sobject = full_name.partition(".")[0]
    if schema.view(sobject) is None:
        raise RowError("INVALID_CROSS_REFERENCE_KEY", f"Parent entity failed to deploy or does not exist: {sobject}")
    given = {_local(element) for element in view}
    for needed in ("label", "filterScope"):
        if needed not in given:
            raise RowError("REQUIRED_FIELD_MISSING", f"Required field is missing: {needed}")
    names = [element for element in view.iter() if _local(element) in {"columns", "field"}]
    for name in ((element.text or "").strip() for element in names):
        if name.endswith("__c") and not schema.exists(f"{sobject}.{name}"):
            raise RowError("INVALID_CROSS_REFERENCE_KEY", f"Could not resolve list view column: {name}")


def _layout(sobject: str, fields: tuple[str, ...]) -> str:
    items = "".join(f"<layoutItems><behavior>Edit</behavior><field>{field}</field></layoutItems>" for field in fields)
    return (
        '<records xmlns="http://soap.sforce.com/2006/04/metadata" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="Layout">'
        f"<fullName>{sobject}-{sobject} Layout</fullName><layoutSections><customLabel>false</customLabel><detailHeading>true</detailHeading>"
        f"<editHeading>true</editHeading><label>{sobject} Information</label><layoutColumns>{items}</layoutColumns>"
        "<style>OneColumn</style></layoutSections></records>"
    )


def _local(element: Element) -> str:
    return str(element.tag).rsplit("}", 1)[-1]
