"""What a write of ours sets off in an org: record-triggered flows, workflow rules and Apex triggers of the objects we write.

Flows are read from FlowDefinitionView (Object Reference), rules and triggers from the Tooling API. All three need "View Setup and Configuration";
an org hides what a user may not see as if it did not exist.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from connectors.listening import MOST_READ, Listener, Listening, named_in
from connectors.salesforce_records import select
from connectors.salesforce_session import SalesforceSession
from ringtrue.errors import CredentialRefused, FieldMissing, RecordGone, RecordRefused

RIGHT = "View Setup and Configuration"


def listening(session: SalesforceSession, fields: Mapping[str, Sequence[str]]) -> Listening:
    """Everything switched on that runs when one of these objects is updated; `fields` are ours by object."""
    found: list[Listener] = []
    unseen: list[str] = []
    looks: dict[str, Callable[[], list[Listener]]] = {
        "flows": lambda: _flows(session, fields),
        "workflow rules": lambda: _rules(session, fields),
        "Apex triggers": lambda: _triggers(session, fields),
    }
    for what, look in looks.items():
        try:
            found += look()
        except (FieldMissing, CredentialRefused, RecordRefused):
            unseen.append(what)
    return Listening(found, tuple(unseen))


def _names(objects: Mapping[str, Sequence[str]]) -> str:
    return ", ".join(f"'{name}'" for name in objects)


def _flows(session: SalesforceSession, fields: Mapping[str, Sequence[str]]) -> list[Listener]:
    wanted = ("Label", "ActiveVersionId", "TriggerObjectOrEventId", "TriggerObjectOrEventLabel", "RecordTriggerType")
    where = "IsActive = true AND TriggerType IN ('RecordBeforeSave', 'RecordAfterSave') AND RecordTriggerType IN ('Update', 'CreateAndUpdate')"
    found: list[Listener] = []
    for page in session.query_rows(select(wanted, "FlowDefinitionView", where), deleted_too=False):
        for row in page:
            name = next(
                (row[key] for key in ("TriggerObjectOrEventId", "TriggerObjectOrEventLabel") if row[key] in fields),
                None,
            )
            if name:
                found.append(
                    _read(
                        session, "flow", row["Label"], name, f"Flow/{row['ActiveVersionId']}", fields[name], len(found)
                    )
                )
    return found


def _rules(session: SalesforceSession, fields: Mapping[str, Sequence[str]]) -> list[Listener]:
    found: list[Listener] = []
    for row in _tooling(
        session, select(("Id", "Name", "TableEnumOrId"), "WorkflowRule", f"TableEnumOrId IN ({_names(fields)})")
    ):
        name = row["TableEnumOrId"]
        one = _metadata(session, f"WorkflowRule/{row['Id']}") if len(found) < MOST_READ else None
        # Whether a rule is switched on stands in its metadata alone.
        if one is None or one.get("active"):
            named = named_in(one, fields[name]) if one else ()
            found.append(Listener("workflow rule", row["Name"], name, named, one is not None))
    return found


def _triggers(session: SalesforceSession, fields: Mapping[str, Sequence[str]]) -> list[Listener]:
    where = f"TableEnumOrId IN ({_names(fields)}) AND Status = 'Active'"
    rows = _tooling(
        session,
        select(("Name", "TableEnumOrId", "UsageBeforeUpdate", "UsageAfterUpdate", "Body"), "ApexTrigger", where),
    )
    return [
        Listener("Apex trigger", row["Name"], row["TableEnumOrId"], named_in(row["Body"], fields[row["TableEnumOrId"]]))
        for row in rows
        if row["UsageBeforeUpdate"] or row["UsageAfterUpdate"]
    ]


def _tooling(session: SalesforceSession, soql: str) -> list[dict[str, Any]]:
    answer = session.sf.toolingexecute("query/", params={"q": soql}) or {}
    rows: list[dict[str, Any]] = list(answer.get("records") or [])
    while not answer.get("done", True):
        answer = session.next_page(answer)
        rows += answer["records"]
    return rows


def _read(
    session: SalesforceSession, kind: str, label: str, name: str, path: str, fields: Sequence[str], so_far: int
) -> Listener:
    one = _metadata(session, path) if so_far < MOST_READ else None
    return Listener(kind, label, name, named_in(one, fields) if one else (), one is not None)


def _metadata(session: SalesforceSession, path: str) -> dict[str, Any] | None:
    """A definition, None where it is hidden, as that of a managed package is."""
    try:
        answer = session.sf.toolingexecute(f"sobjects/{path}") or {}
    except (RecordGone, FieldMissing, CredentialRefused):
        return None
    found: dict[str, Any] | None = answer.get("Metadata")
    return found
