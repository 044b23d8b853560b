"""The portal's workflows, to be read: /automation/v4/flows. They are there to be found; nothing here runs.

Shapes: https://developers.hubspot.com/docs/api-reference/legacy/automation/workflows/guide
"""

from __future__ import annotations

from typing import Any

from sandbox.hubspot_errors import not_found
from sandbox.hubspot_http import Answer, Call, Rule, rule
from sandbox.hubspot_portal import Portal
from sandbox.hubspot_values import iso

_SCOPE = "automation"
_FLOWS = (("1501", "Stop sequences when somebody says stop", True, "ringtrue_do_not_call"), ("1502", "Old reminder", False, "ringtrue_status"), ("1503", "Welcome", True, "lifecyclestage"))  # fmt: skip


class Flows:
    """The handlers."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    def rules(self) -> list[Rule]:
        """The routes."""
        return [
            rule("GET", "automation/flows", self.listed, "read", _SCOPE),
            rule("GET", "automation/flows/{}", self.one, "read", _SCOPE),
        ]

    def listed(self, call: Call) -> Answer:
        """A page of workflows, without what they do."""
        size = call.limit(100, 100)
        start = int(call.text("after", "0"))
        page = _FLOWS[start : start + size]
        answer: dict[str, Any] = {"results": [_head(flow) for flow in page]}
        if start + size < len(_FLOWS):
            answer["paging"] = {"next": {"after": str(start + size)}}
        return Answer(value=answer)

    def one(self, call: Call) -> Answer:
        """A workflow with what enrols a contact in it."""
        found = next((flow for flow in _FLOWS if flow[0] == call.place.parts[1]), None)
        if found is None:
            raise not_found()
        filters = [
            {
                "property": found[3],
                "operation": {"operator": "IS_KNOWN", "operationType": "ALL_PROPERTY"},
                "filterType": "PROPERTY",
            }
        ]
        criteria = {
            "shouldReEnroll": True,
            "type": "LIST_BASED",
            "listFilterBranch": {"filters": filters, "filterBranchType": "OR"},
        }
        return Answer(value={**_head(found), "type": "CONTACT_FLOW", "enrollmentCriteria": criteria, "actions": []})


def _head(flow: tuple[str, str, bool, str]) -> dict[str, Any]:
    stamp = iso(0)
    return {
        "id": flow[0],
        "name": flow[1],
        "isEnabled": flow[2],
        "flowType": "WORKFLOW",
        "objectTypeId": "0-1",
        "revisionId": "1",
        "createdAt": stamp,
        "updatedAt": stamp,
    }
