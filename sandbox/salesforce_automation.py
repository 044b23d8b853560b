"""What an admin has built to run when records change: record-triggered flows, a workflow rule, an Apex trigger. Seen with "View Setup and Configuration" only.

Shapes: FlowDefinitionView of the Object Reference; Flow, WorkflowRule and ApexTrigger of the Tooling API. They are there to be read; nothing here runs.
"""

from __future__ import annotations

from typing import Any

import orjson
from starlette.responses import Response

from sandbox.salesforce_errors import not_found
from sandbox.salesforce_fields import ID, Field, SObject, boolean_field, text_field
from sandbox.salesforce_http import Call, Rule, json_response
from sandbox.salesforce_ids import long_id, record_id
from sandbox.salesforce_org import Org
from sandbox.salesforce_schema import View, Views
from sandbox.store import RecordStore

_FLOW_VIEW = SObject(
    "FlowDefinitionView", "Flow Definition", "Flow Definitions", "300",
    (
        ID, text_field("DurableId", "Durable ID", 255), text_field("ApiName", "API Name", 255), text_field("Label", "Label", 255),
        text_field("ProcessType", "Process Type", 40), text_field("TriggerType", "Trigger Type", 40),
        text_field("TriggerObjectOrEventId", "Trigger Object or Event ID", 40),
        text_field("TriggerObjectOrEventLabel", "Trigger Object or Event Label", 80), text_field("RecordTriggerType", "Record Trigger Type", 40),
        text_field("ActiveVersionId", "Active Version ID", 18), boolean_field("IsActive", "Is Active"),
    ),
)  # fmt: skip
_RULE = SObject(
    "WorkflowRule", "Workflow Rule", "Workflow Rules", "01Q",
    (ID, text_field("Name", "Name", 80), text_field("TableEnumOrId", "Object", 40)),
)  # fmt: skip
_TRIGGER = SObject(
    "ApexTrigger", "Apex Trigger", "Apex Triggers", "01q",
    (
        ID, text_field("Name", "Name", 80), text_field("TableEnumOrId", "Object", 40), text_field("Status", "Status", 40),
        boolean_field("UsageBeforeUpdate", "Before Update"), boolean_field("UsageAfterUpdate", "After Update"),
        Field("Body", "Body", "textarea", 1_000_000),
    ),
)  # fmt: skip
_FLOW = SObject(
    "Flow", "Flow", "Flows", "301", (ID, text_field("MasterLabel", "Label", 255), text_field("Status", "Status", 40))
)
_SETUP = {one.name.lower(): one for one in (_FLOW_VIEW,)}
_TOOLING = {one.name.lower(): one for one in (_FLOW, _RULE, _TRIGGER)}


def _flow(number: int, label: str, active: bool, object_name: str, when: str, named: str) -> dict[str, dict[str, Any]]:
    filters = [{"field": named, "operator": "IsChanged", "value": {"booleanValue": True}}]
    return {
        "FlowDefinitionView": {
            "DurableId": record_id("FlowDefinitionView", number), "ApiName": label.replace(" ", "_"), "Label": label,
            "ProcessType": "AutoLaunchedFlow", "TriggerType": "RecordAfterSave", "TriggerObjectOrEventId": object_name,
            "TriggerObjectOrEventLabel": object_name, "RecordTriggerType": when, "ActiveVersionId": record_id("Flow", number) if active else None,
            "IsActive": active,
        },
        "Flow": {
            "MasterLabel": label, "Status": "Active" if active else "Draft",
            "Metadata": orjson.dumps({"label": label, "start": {"object": object_name, "recordTriggerType": when, "filters": filters}}).decode(),
        },
    }  # fmt: skip


_ROWS: tuple[dict[str, dict[str, Any]], ...] = (
    _flow(1, "Tell the owner about do not call", True, "Contact", "Update", "DoNotCall"),
    _flow(2, "Old welcome call", False, "Contact", "CreateAndUpdate", "Phone"),
    _flow(3, "Greet a new lead", True, "Lead", "Create", "LeadSource"),
    {
        "WorkflowRule": {
            "Name": "Mail the desk about a new status", "TableEnumOrId": "Contact",
            "Metadata": orjson.dumps({"active": True, "criteriaItems": [{"field": "Contact.RingTrue_Status__c", "operation": "notEqual", "value": ""}]}).decode(),
        },
        "ApexTrigger": {
            "Name": "LeadStamp", "TableEnumOrId": "Lead", "Status": "Active", "UsageBeforeUpdate": True, "UsageAfterUpdate": False,
            "Body": "trigger LeadStamp on Lead (before update) { for (Lead one : Trigger.new) one.Rating = one.Rating; }",
        },
    },
)  # fmt: skip


def load_automation(store: RecordStore, now_ms: int) -> None:
    """What the admin built. Rows that are there already stay."""
    for place, rows in enumerate(_ROWS, start=1):
        for name, values in rows.items():
            identifier = record_id(name, place)
            if store.get(name, identifier) is None:
                store.insert_many(name, [(identifier, now_ms, values)])


class SetupViews:
    """The objects of a query, with those of the setup where the user may view it."""

    def __init__(self, org: Org, views: Views, *, tooling: bool) -> None:
        self._views = views
        self._setup = (_TOOLING if tooling else _SETUP) if org.settings["view_setup"] else {}

    def view(self, name: str) -> View | None:
        """The object by name in any case, None where there is no such object or it may not be seen."""
        sobject = self._setup.get(name.lower())
        return View(sobject, {one.name.lower(): one for one in sobject.fields}) if sobject else self._views.view(name)


def rules() -> list[Rule]:
    """Reading one definition with its metadata."""
    return [
        Rule("GET", f"/data/tooling/sobjects/{name}/{{identifier}}", _reader(name)) for name in ("Flow", "WorkflowRule")
    ]


def _reader(name: str) -> Any:
    async def read(call: Call) -> Response:
        record = call.org.store.get(name, long_id(call.parts["identifier"]) or "")
        if record is None or not call.org.settings["view_setup"]:
            raise not_found()
        url = f"{call.data_path}/tooling/sobjects/{name}/{record.record_id}"
        values = {**record.fields, "Metadata": orjson.loads(record.fields["Metadata"])}
        return json_response({"attributes": {"type": name, "url": url}, "Id": record.record_id, **values})

    return read
