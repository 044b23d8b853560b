"""What a write of ours sets off in a portal: workflows of contacts that are switched on and name a property we write.

Source: HubSpot, Workflows API v4 (beta). It needs the scope `automation`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connectors.http import LoopGuard
from connectors.hubspot_wire import Wire
from connectors.listening import MOST_READ, Listener, Listening, named_in
from ringtrue.errors import CredentialRefused

SCOPE = "automation"
_TYPES = {"0-1": "contacts"}
_PAGE = "100"


def listening(wire: Wire, fields: Mapping[str, Sequence[str]]) -> Listening:
    """Workflows of our objects; `fields` are ours by object. A portal's plan may have no workflows at all, which reads as none."""
    found: list[Listener] = []
    guard = LoopGuard("The list of workflows")
    after = ""
    try:
        while True:
            query = [("limit", _PAGE), *([("after", after)] if after else [])]
            answer = wire.send("account", "GET", wire.paths.flows(), query=query, what="list workflows", allow=(404,))
            if answer.status == 404:
                return Listening([])
            for row in answer.data.get("results") or []:
                name = _TYPES.get(str(row.get("objectTypeId")), "")
                if not row.get("isEnabled") or name not in fields:
                    continue
                label = str(row.get("name") or row.get("id"))
                if len(found) >= MOST_READ:
                    found.append(Listener("workflow", label, name, read=False))
                    continue
                whole = wire.send(
                    "account", "GET", wire.paths.flows(str(row["id"])), what="read a workflow", allow=(404,)
                )
                found.append(Listener("workflow", label, name, named_in(whole.data, fields[name])))
            after = str(((answer.data.get("paging") or {}).get("next") or {}).get("after") or "")
            if not after:
                break
            guard.see(after)
    except CredentialRefused:
        return Listening([], ("workflows",))
    # A workflow that names no property of ours does not run when we write.
    return Listening([one for one in found if one.fields or not one.read])
