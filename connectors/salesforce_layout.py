"""Where sales people see our fields: a section on the page layouts, and a list view of records whose numbers are bad."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import escape

from defusedxml import ElementTree

from connectors.crm import StepPrepared, WantedField
from connectors.salesforce_records import select
from connectors.salesforce_session import SalesforceSession
from ringtrue.errors import (
    AllowanceSpent,
    ConnectionLost,
    CredentialRefused,
    HostUnreachable,
    RateLimited,
    RingTrueError,
)

SECTION = "RingTrue"
LIST_VIEW = "RingTrue_Bad_Numbers"
_LIST_LABEL = "RingTrue: bad numbers"
_BAD = ("do_not_call", "invalid", "disconnected", "wrong_person")
_NAME_COLUMN = {"Contact": "NAME", "Lead": "FULL_NAME"}
_ENDS_IT = (AllowanceSpent, CredentialRefused, HostUnreachable, RateLimited)
"""Errors that are about the connection, not about what this org allows."""


def layout_steps(
    session: SalesforceSession, object_name: str, fields: Sequence[WantedField], *, dry_run: bool
) -> list[StepPrepared]:
    """Put a section with our fields, read-only, on every page layout of an object."""
    try:
        soql = select(("Id", "Name"), "Layout", f"TableEnumOrId = '{object_name}'")
        answer = session.sf.toolingexecute("query/", params={"q": soql})
        layouts = [(str(one["Id"]), str(one["Name"])) for one in answer["records"]]
        steps = [_layout_step(session, object_name, layout, fields, dry_run) for layout in layouts]
    except (RingTrueError, KeyError, TypeError) as exc:
        if isinstance(exc, _ENDS_IT):
            raise
        steps = []
    return steps or [_layout_by_hand(object_name, "", fields)]


def _layout_step(
    session: SalesforceSession,
    object_name: str,
    layout: tuple[str, str],
    fields: Sequence[WantedField],
    dry_run: bool,
) -> StepPrepared:
    layout_id, name = layout
    what = f"Section {SECTION} on the layout {name}"
    path = f"sobjects/Layout/{layout_id}"
    metadata: dict[str, Any] = session.sf.toolingexecute(path)["Metadata"]
    sections: list[dict[str, Any]] = metadata.get("layoutSections") or []
    shown = {
        item.get("field")
        for section in sections
        for column in section.get("layoutColumns") or []
        for item in column.get("layoutItems") or []
    }
    new = [field.name for field in fields if field.name not in shown]
    if not new:
        return StepPrepared(what, "exists")
    if dry_run:
        return StepPrepared(what, "would_create")
    metadata["layoutSections"] = _with_fields(sections, new)
    try:
        session.sf.toolingexecute(path, method="PATCH", data={"Metadata": metadata})
    except RingTrueError as exc:
        if isinstance(exc, _ENDS_IT):
            raise
        return _layout_by_hand(object_name, name, fields)
    return StepPrepared(what, "created")


def _with_fields(sections: list[dict[str, Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    """The sections with the fields added to ours, which is made after the first section where it is not there yet."""
    ours = next((section for section in sections if section.get("label") == SECTION), None)
    if ours is None:
        ours = {
            "label": SECTION,
            "customLabel": True,
            "detailHeading": True,
            "editHeading": True,
            "style": "TwoColumnsTopToBottom",
            "layoutColumns": [{"layoutItems": []}, {"layoutItems": []}],
        }
        sections = [*sections[:1], ours, *sections[1:]]
    columns = ours["layoutColumns"]
    for place, name in enumerate(names):
        column = columns[place % len(columns)]
        column["layoutItems"] = [*(column.get("layoutItems") or []), {"behavior": "Readonly", "field": name}]
    return sections


def _layout_by_hand(object_name: str, layout: str, fields: Sequence[WantedField]) -> StepPrepared:
    labels = ", ".join(field.label for field in fields)
    which = f"the layout {layout}" if layout else "each layout that sales people use"
    return StepPrepared(
        f"Section {SECTION} on the {object_name} layouts",
        "by_hand",
        f"1. Open Setup, Object Manager, {object_name}, Page Layouts, and there {which}. 2. Drag a Section onto the page and name it {SECTION}. "
        f"3. Drag these fields into it and make them read-only: {labels}. 4. Save.",
    )


def list_view_step(
    session: SalesforceSession, object_name: str, fields: Sequence[WantedField], *, dry_run: bool
) -> StepPrepared | None:
    """Make a list view, for everybody, of the records whose status is a bad one. None where no field holds such a status."""
    status = next((field for field in fields if set(_BAD) & {key for key, _ in field.options}), None)
    if status is None:
        return None
    what = f"List view {LIST_VIEW} of {object_name}"
    if _list_view_exists(session, object_name):
        return StepPrepared(what, "exists")
    if dry_run:
        return StepPrepared(what, "would_create")
    bad = [key for key, _ in status.options if key in _BAD]
    try:
        error = _create(session, "ListView", _list_view(object_name, fields, status, bad))
    except RingTrueError as exc:
        if isinstance(exc, _ENDS_IT):
            raise
        error = str(exc)
    if error is None:
        return StepPrepared(what, "created")
    if "DUPLICATE" in error:
        return StepPrepared(what, "exists")
    labels = ", ".join(field.label for field in fields)
    words = ", ".join(label for key, label in status.options if key in bad)
    return StepPrepared(
        what,
        "by_hand",
        f"1. Open the {object_name}s tab, and there List View Controls, New. 2. Name it {_LIST_LABEL!r} and let all users see it. "
        f"3. Filter: {status.label} equals {words}. 4. Select fields to display: Name, {labels}.",
    )


def _list_view_exists(session: SalesforceSession, object_name: str) -> bool:
    where = f"SobjectType = '{object_name}' AND DeveloperName = '{LIST_VIEW}'"
    try:
        return bool(session.query(select(("Id",), "ListView", where), deleted_too=False)["records"])
    except RingTrueError as exc:
        if isinstance(exc, _ENDS_IT):
            raise
        return False


def _list_view(object_name: str, fields: Sequence[WantedField], status: WantedField, bad: Sequence[str]) -> str:
    columns = [_NAME_COLUMN.get(object_name, "NAME"), *(field.name for field in fields)]
    # A list view shows fifteen columns at most.
    shown = "".join(f"<columns>{escape(name)}</columns>" for name in columns[:15])
    return (
        f"<fullName>{object_name}.{LIST_VIEW}</fullName>{shown}<filterScope>Everything</filterScope>"
        f"<filters><field>{escape(status.name)}</field><operation>equals</operation><value>{escape(','.join(bad))}</value></filters>"
        f"<label>{escape(_LIST_LABEL)}</label>"
    )


def _create(session: SalesforceSession, kind: str, body: str) -> str | None:
    """Make one component by the Metadata API. Returns Salesforce's error, None for success.

    By hand rather than by simple-salesforce's `mdapi`: that brings a SOAP stack with a session of its own, past our time-outs and errors.
    """
    envelope = (
        '<?xml version="1.0" encoding="UTF-8"?><env:Envelope xmlns:env="http://schemas.xmlsoap.org/soap/envelope/" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns="http://soap.sforce.com/2006/04/metadata"><env:Header><SessionHeader>'
        f"<sessionId>{escape(session.login.token)}</sessionId></SessionHeader></env:Header><env:Body><createMetadata>"
        f'<metadata xsi:type="{kind}">{body}</metadata></createMetadata></env:Body></env:Envelope>'
    )
    url = f"https://{session.login.host}/services/Soap/m/{session.wire.api_version}"
    headers = {"Content-Type": "text/xml; charset=UTF-8", "SOAPAction": '""'}
    answer = session.request("POST", url, data=envelope.encode(), headers=headers)
    texts = {"success": "", "message": "", "statusCode": ""}
    for element in ElementTree.fromstring(answer.content).iter():
        name = str(element.tag).rpartition("}")[2]
        if name in texts:
            texts[name] = element.text or ""
    if not texts["success"]:
        raise ConnectionLost("The Metadata API answered without a result.")
    return None if texts["success"] == "true" else f"{texts['statusCode']}: {texts['message']}"
