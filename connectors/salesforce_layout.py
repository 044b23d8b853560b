"""Where sales people see our fields: a section on the page layouts, and a list view of records whose numbers are bad."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement
from xml.sax.saxutils import escape

from connectors.crm import StepPrepared, WantedField
from connectors.salesforce_metadata import NAMESPACE, Metadata, local, text_of
from connectors.salesforce_session import SalesforceSession
from ringtrue.errors import AllowanceSpent, CredentialRefused, HostUnreachable, RateLimited, RingTrueError

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
    metadata = Metadata(session)
    try:
        names = [name for name in metadata.names("Layout") if name.startswith(f"{object_name}-")]
        layouts = [
            layout
            for start in range(0, len(names), 10)
            for layout in metadata.read("Layout", names[start : start + 10])
        ]
    except RingTrueError as exc:
        if isinstance(exc, _ENDS_IT):
            raise
        layouts = []
    steps = [_layout_step(metadata, object_name, layout, fields, dry_run) for layout in layouts]
    return steps or [_layout_by_hand(object_name, "", fields)]


def _layout_step(
    metadata: Metadata, object_name: str, layout: Element, fields: Sequence[WantedField], dry_run: bool
) -> StepPrepared:
    name = text_of(layout, "fullName")
    what = f"Section {SECTION} on the layout {name}"
    shown = {text_of(item, "field") for item in layout.iter() if local(item) == "layoutItems"}
    new = [field.name for field in fields if field.name not in shown]
    if not new:
        return StepPrepared(what, "exists")
    if dry_run:
        return StepPrepared(what, "would_create")
    _add_fields(layout, new)
    try:
        error = metadata.update("Layout", layout).error
    except RingTrueError as exc:
        if isinstance(exc, _ENDS_IT):
            raise
        error = str(exc)
    if error is not None:
        return _layout_by_hand(object_name, name, fields)
    return StepPrepared(what, "created")


def _add_fields(layout: Element, names: Sequence[str]) -> None:
    """Add fields to our section, left and right in turn; the section is made after the first one where it is not there yet."""
    sections = [child for child in layout if local(child) == "layoutSections"]
    ours = next((section for section in sections if text_of(section, "label") == SECTION), None)
    if ours is None:
        ours = Element(_tag("layoutSections"))
        layout.insert(list(layout).index(sections[0]) + 1 if sections else len(layout), ours)
        for name, text in (
            ("customLabel", "true"),
            ("detailHeading", "true"),
            ("editHeading", "true"),
            ("label", SECTION),
        ):
            SubElement(ours, _tag(name)).text = text
        SubElement(ours, _tag("layoutColumns"))
        SubElement(ours, _tag("layoutColumns"))
        SubElement(ours, _tag("style")).text = "TwoColumnsTopToBottom"
    columns = [child for child in ours if local(child) == "layoutColumns"]
    for place, name in enumerate(names):
        item = SubElement(columns[place % len(columns)], _tag("layoutItems"))
        SubElement(item, _tag("behavior")).text = "Readonly"
        SubElement(item, _tag("field")).text = name


def _tag(name: str) -> str:
    return f"{{{NAMESPACE}}}{name}"


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
    metadata = Metadata(session)
    bad = [key for key, _ in status.options if key in _BAD]
    try:
        if metadata.read("ListView", [f"{object_name}.{LIST_VIEW}"]):
            return StepPrepared(what, "exists")
        if dry_run:
            return StepPrepared(what, "would_create")
        error = metadata.create("ListView", _list_view(object_name, fields, status, bad)).error
    except RingTrueError as exc:
        if isinstance(exc, _ENDS_IT):
            raise
        error = str(exc)
    if error is None:
        return StepPrepared(what, "created")
    labels = ", ".join(field.label for field in fields)
    words = ", ".join(label for key, label in status.options if key in bad)
    return StepPrepared(
        what,
        "by_hand",
        f"1. Open the {object_name}s tab, and there List View Controls, New. 2. Name it {_LIST_LABEL!r} and let all users see it. "
        f"3. Filter: {status.label} equals {words}. 4. Select fields to display: Name, {labels}.",
    )


def _list_view(object_name: str, fields: Sequence[WantedField], status: WantedField, bad: Sequence[str]) -> str:
    columns = [_NAME_COLUMN.get(object_name, "NAME"), *(field.name for field in fields)]
    # A list view shows fifteen columns at most.
    shown = "".join(f"<columns>{escape(name)}</columns>" for name in columns[:15])
    return (
        f"<fullName>{object_name}.{LIST_VIEW}</fullName>{shown}<filterScope>Everything</filterScope>"
        f"<filters><field>{escape(status.name)}</field><operation>equals</operation><value>{escape(','.join(bad))}</value></filters>"
        f"<label>{escape(_LIST_LABEL)}</label>"
    )
