"""What RingTrue needs in an org: its fields, two permission sets, a section on the page layouts and a list view.

Everything is looked up first and made only where it is missing. Fields come by Tooling API, permissions by REST (a field made through an API is hidden
from everybody until a permission set shows it), layouts and list views by Metadata API. What an org refuses comes back as
numbered steps for a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connectors.crm import FieldKind, StepPrepared, WantedField
from connectors.salesforce_ids import api_name, id18, quoted_ids
from connectors.salesforce_layout import layout_steps, list_view_step
from connectors.salesforce_records import select
from connectors.salesforce_session import SalesforceSession
from ringtrue.errors import FieldMissing, RecordRefused, SchemaChanged

INTEGRATION_SET = "RingTrue_Integration"
SALES_SET = "RingTrue_Sales"
_SETS = {
    INTEGRATION_SET: ("RingTrue integration", "Lets RingTrue write its fields and the do-not-call flag."),
    SALES_SET: ("RingTrue for sales", "Shows what RingTrue found out about phone numbers."),
}
_FLAG = "DoNotCall"
"""The standard flag that we set, hidden by default in many orgs."""

_TYPES: dict[FieldKind, tuple[str, str]] = {
    "text": ("Text", "string"),
    "long_text": ("LongTextArea", "textarea"),
    "picklist": ("Picklist", "picklist"),
    "checkbox": ("Checkbox", "boolean"),
    "datetime": ("DateTime", "datetime"),
    "number": ("Number", "double"),
    "url": ("Url", "url"),
}
"""Field kind -> (type in metadata, type in describe)."""
_DUPLICATE = ("DUPLICATE_DEVELOPER_NAME", "DUPLICATE_VALUE", "DUPLICATE_FULL_NAME")


def prepare(session: SalesforceSession, wanted: Sequence[WantedField], *, dry_run: bool) -> list[StepPrepared]:
    """Make what is missing, or with `dry_run` only say so. Steps come in the order they were done."""
    if not wanted:
        return []
    objects = tuple(dict.fromkeys(api_name(field.object_name) for field in wanted))
    described = {name: _described(session, name) for name in objects}
    made = _custom_fields(session, objects)
    steps = [_field_step(session, field, described[field.object_name], made, dry_run) for field in wanted]
    refused = {step.what for step in steps if step.result == "by_hand"}
    granted = [field for field in wanted if _field_name(field) not in refused]
    steps += _permission_steps(session, objects, granted, dry_run)
    for name in objects:
        own = [field for field in granted if field.object_name == name]
        steps += layout_steps(session, name, own, dry_run=dry_run)
        step = list_view_step(session, name, own, dry_run=dry_run)
        steps += [step] if step else []
    return steps


def _described(session: SalesforceSession, object_name: str) -> dict[str, dict[str, Any]]:
    answer = session.sf.restful(f"sobjects/{object_name}/describe") or {}
    return {one["name"]: one for one in answer.get("fields", [])}


def _custom_fields(session: SalesforceSession, objects: Sequence[str]) -> dict[str, str]:
    """Id by "Object.Name__c" of every custom field, those hidden from our user included.

    A user without the right to view the setup may not ask; then creating tells which fields are there.
    """
    names = ", ".join(f"'{name}'" for name in objects)
    soql = select(("Id", "DeveloperName", "TableEnumOrId"), "CustomField", f"TableEnumOrId IN ({names})")
    try:
        answer = session.sf.toolingexecute("query/", params={"q": soql})
    except FieldMissing:
        return {}
    if not isinstance(answer, dict) or "records" not in answer:
        raise SchemaChanged("The Tooling API answered a query for custom fields without records.")
    found = {}
    while True:
        found.update({f"{one['TableEnumOrId']}.{one['DeveloperName']}__c": str(one["Id"]) for one in answer["records"]})
        if answer.get("done", True):
            return found
        answer = session.next_page(answer)


def _field_name(field: WantedField) -> str:
    return f"Field {field.object_name}.{field.name}"


def _field_step(
    session: SalesforceSession,
    field: WantedField,
    described: dict[str, dict[str, Any]],
    made: dict[str, str],
    dry_run: bool,
) -> StepPrepared:
    what, full_name = _field_name(field), f"{field.object_name}.{api_name(field.name)}"
    seen = described.get(field.name)
    if seen is not None:
        return _existing_field(session, field, seen, made.get(full_name), dry_run)
    if full_name in made:
        return StepPrepared(what, "exists")
    if dry_run:
        return StepPrepared(what, "would_create")
    try:
        session.sf.toolingexecute(
            "sobjects/CustomField/", method="POST", data={"FullName": full_name, "Metadata": metadata_of(field)}
        )
    except RecordRefused as exc:
        if str(exc).startswith(_DUPLICATE):
            return StepPrepared(what, "exists")
        return StepPrepared(what, "by_hand", f"Salesforce refused to create it ({exc}). {_field_by_hand(field)}")
    return StepPrepared(what, "created")


def _existing_field(
    session: SalesforceSession, field: WantedField, seen: dict[str, Any], field_id: str | None, dry_run: bool
) -> StepPrepared:
    what, type_due = _field_name(field), _TYPES[field.kind][1]
    if seen.get("type") != type_due:
        return StepPrepared(
            what,
            "by_hand",
            f"1. The field is there with type {seen.get('type')}, but RingTrue needs {type_due}. 2. Rename or delete it in Setup, Object Manager, "
            f"{field.object_name}, Fields & Relationships. 3. Run `ringtrue prepare` again.",
        )
    have = {item.get("value") for item in seen.get("picklistValues") or []}
    lacking = [option for option in field.options if option[0] not in have]
    if not lacking:
        return StepPrepared(what, "exists")
    if dry_run:
        return StepPrepared(f"{what}: options {', '.join(key for key, _ in lacking)}", "would_create")
    try:
        if field_id is None:
            raise FieldMissing(f"{what} is no custom field.")
        path = f"sobjects/CustomField/{field_id}"
        metadata = session.sf.toolingexecute(path)["Metadata"]
        metadata["valueSet"]["valueSetDefinition"]["value"] += [_option(*option) for option in lacking]
        session.sf.toolingexecute(path, method="PATCH", data={"Metadata": metadata})
    except (RecordRefused, FieldMissing, SchemaChanged, KeyError, TypeError):
        listed = ", ".join(f"{label} (API name {key})" for key, label in lacking)
        return StepPrepared(
            what,
            "by_hand",
            f"1. Open Setup, Object Manager, {field.object_name}, Fields & Relationships, {seen.get('label')}. 2. Under Values add: {listed}.",
        )
    return StepPrepared(what, "updated")


def metadata_of(field: WantedField) -> dict[str, Any]:
    """A wanted field as the Metadata of a Tooling request."""
    metadata: dict[str, Any] = {"label": field.label, "type": _TYPES[field.kind][0]}
    if field.help_text:
        metadata["inlineHelpText"] = field.help_text
        metadata["description"] = f"Kept by RingTrue. {field.help_text}"
    if field.kind == "text":
        metadata["length"] = field.length or 255
    elif field.kind == "long_text":
        metadata |= {"length": max(field.length or 2000, 256), "visibleLines": 3}
    elif field.kind == "checkbox":
        metadata["defaultValue"] = "false"
    elif field.kind == "number":
        metadata |= {"precision": 18, "scale": 2}
    elif field.kind == "picklist":
        values = [_option(*option) for option in field.options]
        metadata["valueSet"] = {"restricted": True, "valueSetDefinition": {"sorted": False, "value": values}}
    return metadata


def _option(key: str, label: str) -> dict[str, Any]:
    return {"fullName": key, "label": label, "default": False}


def _field_by_hand(field: WantedField) -> str:
    options = f", restricted to the values {', '.join(key for key, _ in field.options)}" if field.options else ""
    return (
        f"1. Open Setup, Object Manager, {field.object_name}, Fields & Relationships, New. 2. Choose {_TYPES[field.kind][0]}{options}. "
        f"3. Label it {field.label!r} and name it {field.name.removesuffix('__c')}. 4. Run `ringtrue prepare` again."
    )


def _permission_steps(
    session: SalesforceSession, objects: Sequence[str], fields: Sequence[WantedField], dry_run: bool
) -> list[StepPrepared]:
    names = ", ".join(f"'{name}'" for name in _SETS)
    found = session.query(select(("Id", "Name"), "PermissionSet", f"Name IN ({names})"), deleted_too=False)
    ids = {one["Name"]: id18(one["Id"]) for one in found["records"]}
    steps = []
    for name, (label, description) in _SETS.items():
        if name in ids:
            steps.append(StepPrepared(f"Permission set {name}", "exists"))
        elif dry_run:
            steps.append(StepPrepared(f"Permission set {name}", "would_create"))
        else:
            body = {"Name": name, "Label": label, "Description": description}
            ids[name] = id18(str(session.json("POST", "sobjects/PermissionSet", json=body)["id"]))
            steps.append(StepPrepared(f"Permission set {name}", "created"))
    own = [f"{field.object_name}.{field.name}" for field in fields]
    edit = dict.fromkeys([*own, *(f"{name}.{_FLAG}" for name in objects)], True)
    steps += _grant(session, INTEGRATION_SET, ids.get(INTEGRATION_SET), edit, dry_run)
    steps += _grant(session, SALES_SET, ids.get(SALES_SET), dict.fromkeys(own, False), dry_run)
    steps.append(_assign(session, ids.get(INTEGRATION_SET), dry_run))
    steps.append(_sales_team(session, ids.get(SALES_SET)))
    return steps


def _grant(
    session: SalesforceSession, set_name: str, set_id: str | None, fields: dict[str, bool], dry_run: bool
) -> list[StepPrepared]:
    """Give a permission set access to fields: True to edit, False to read."""
    have: dict[str, tuple[str, bool]] = {}
    if set_id is not None:
        where = f"ParentId IN ({quoted_ids([set_id])})"
        soql = select(("Id", "Field", "PermissionsRead", "PermissionsEdit"), "FieldPermissions", where)
        for page in session.query_rows(soql, deleted_too=False):
            have.update({one["Field"]: (one["Id"], bool(one["PermissionsEdit"])) for one in page})
    new = [name for name in fields if name not in have]
    widened = [name for name, edit in fields.items() if edit and name in have and not have[name][1]]
    what = f"Access of {set_name} to {len(fields)} fields"
    if not new and not widened:
        return [StepPrepared(what, "exists")]
    if dry_run:
        return [StepPrepared(f"{what}: {', '.join(new + widened)}", "would_create")]
    refused: list[str] = []
    creates = [
        {
            "attributes": {"type": "FieldPermissions"},
            "ParentId": set_id,
            "SobjectType": name.split(".")[0],
            "Field": name,
            "PermissionsRead": True,
            "PermissionsEdit": fields[name],
        }
        for name in new
    ]
    updates = [
        {
            "attributes": {"type": "FieldPermissions"},
            "id": have[name][0],
            "PermissionsRead": True,
            "PermissionsEdit": True,
        }
        for name in widened
    ]
    refused += _send(session, "POST", creates, new)
    refused += _send(session, "PATCH", updates, widened)
    if refused:
        return [
            StepPrepared(
                what,
                "by_hand",
                f"1. Open Setup, Permission Sets, {_SETS[set_name][0]}, Object Settings. 2. Give "
                f"{'edit' if any(fields.values()) else 'read'} access to: {'; '.join(refused)}.",
            )
        ]
    return [StepPrepared(what, "updated" if have else "created")]


def _send(session: SalesforceSession, method: str, records: list[dict[str, Any]], names: list[str]) -> list[str]:
    """Create or update up to 200 records at a time; the names of those refused, with the reason."""
    refused = []
    for start in range(0, len(records), 200):
        body = {"allOrNone": False, "records": records[start : start + 200]}
        answer = session.json(method, "composite/sobjects", json=body)
        for name, one in zip(names[start : start + 200], answer, strict=True):
            error: dict[str, Any] = next(iter(one.get("errors") or []), {})
            if not one.get("success") and error.get("statusCode") not in _DUPLICATE:
                refused.append(f"{name} ({error.get('statusCode')})")
    return refused


def _assign(session: SalesforceSession, set_id: str | None, dry_run: bool) -> StepPrepared:
    what, user_id = f"Permission set {INTEGRATION_SET} for the integration user", session.login.user_id
    if set_id is not None:
        where = f"PermissionSetId = '{set_id}' AND AssigneeId = '{user_id}'"
        if session.query(select(("Id",), "PermissionSetAssignment", where), deleted_too=False)["records"]:
            return StepPrepared(what, "exists")
    if dry_run:
        return StepPrepared(what, "would_create")
    try:
        body = {"PermissionSetId": set_id, "AssigneeId": user_id}
        session.json("POST", "sobjects/PermissionSetAssignment", json=body)
    except RecordRefused as exc:
        if str(exc).startswith(_DUPLICATE):
            return StepPrepared(what, "exists")
        return StepPrepared(
            what,
            "by_hand",
            f"Salesforce refused the assignment ({exc}). 1. Open Setup, Permission Sets, {_SETS[INTEGRATION_SET][0]}, Manage Assignments. "
            "2. Add the integration user.",
        )
    return StepPrepared(what, "created")


def _sales_team(session: SalesforceSession, set_id: str | None) -> StepPrepared:
    """Who is in sales is for a person to say; as long as nobody has the set, we ask."""
    what = f"Permission set {SALES_SET} for the sales team"
    if set_id is not None:
        where = f"PermissionSetId = '{set_id}'"
        if session.query(select(("Id",), "PermissionSetAssignment", where), deleted_too=False)["records"]:
            return StepPrepared(what, "exists")
    return StepPrepared(
        what,
        "by_hand",
        f"1. Open Setup, Permission Sets, {_SETS[SALES_SET][0]}, Manage Assignments. 2. Add the people of the sales team, or a permission set group of theirs.",
    )
