"""Associations between calls and contacts, in the v3, v4 and date-versioned forms."""

from __future__ import annotations

from typing import Any

from sandbox.hubspot_errors import invalid, not_found
from sandbox.hubspot_http import Answer, Call, Rule, rule
from sandbox.hubspot_objects import READ, WRITE
from sandbox.hubspot_portal import ASSOCIATION_TYPES, OBJECT_TYPES, Portal
from sandbox.hubspot_view import next_page

_MOST_INPUTS = 1000


class Associations:
    """The handlers for associations."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._store = portal.store

    def rules(self) -> list[Rule]:
        """The routes."""
        return [
            rule("GET", "objects/{}/{}/associations/{}", self.of_record, "read", READ),
            rule("PUT", "objects/{}/{}/associations/{}/{}/{}", self.link, "write", WRITE),
            rule("PUT", "objects/{}/{}/associations/{}/{}", self.link, "write", WRITE),
            rule("PUT", "objects/{}/{}/associations/default/{}/{}", self.link_default, "write", WRITE),
            rule("DELETE", "objects/{}/{}/associations/{}/{}", self.unlink, "write", WRITE),
            rule("POST", "associations/{}/{}/batch/read", self.read_many, "read", READ),
            rule("POST", "associations/{}/{}/batch/create", self.create_many, "write", WRITE),
            rule("POST", "associations/{}/{}/batch/archive", self.archive_many, "write", WRITE),
            rule("GET", "associations/{}/{}/types", self.types, "read", READ),
            rule("GET", "associations/{}/{}/labels", self.types, "read", READ),
        ]

    def of_record(self, call: Call) -> Answer:
        """What one record is associated with."""
        from_name, from_id, _, to_name = call.place.parts
        start, target = _pair(from_name, to_name)
        if self._store.get(start, from_id) is None:
            raise not_found()
        limit = call.limit(500, 500)
        found = [one for one, _ in self._store.linked(start, from_id, target, call.text("after"), limit + 1)]
        value: dict[str, Any] = {"results": [self._shown(call, start, target, one) for one in found[:limit]]}
        if len(found) > limit:
            value["paging"] = next_page(call, found[limit - 1])
        return Answer(value=value)

    def read_many(self, call: Call) -> Answer:
        """What many records are associated with; records with nothing are named in `errors`."""
        start, target = _pair(*call.place.parts[:2])
        results, missing = [], []
        for item in self._inputs(call):
            from_id = str(item.get("id", ""))
            found = [one for one, _ in self._store.linked(start, from_id, target)]
            if found:
                results.append(
                    {"from": {"id": from_id}, "to": [self._shown(call, start, target, one) for one in found]}
                )
            else:
                missing.append(from_id)
        value: dict[str, Any] = {"status": "COMPLETE", "results": results}
        if missing:
            value |= {"numErrors": len(missing), "errors": [_nothing(start, target, one) for one in missing]}
        return Answer(207 if missing else 200, value)

    def create_many(self, call: Call) -> Answer:
        """Associate pairs."""
        start, target = _pair(*call.place.parts[:2])
        pairs = [(str(item["from"]["id"]), str(item["to"]["id"])) for item in self._inputs(call)]
        self._store.link_many(start, target, pairs, self._portal.now_ms())
        results = [
            {"from": {"id": one}, "to": {"id": other}, "type": ASSOCIATION_TYPES[start, target][1]}
            for one, other in pairs
        ]
        return Answer(201, {"status": "COMPLETE", "results": results})

    def archive_many(self, call: Call) -> Answer:
        """Take associations back."""
        start, target = _pair(*call.place.parts[:2])
        for item in self._inputs(call):
            others = item["to"] if isinstance(item["to"], list) else [item["to"]]
            self._store.unlink_many(start, target, [(str(item["from"]["id"]), str(other["id"])) for other in others])
        return Answer(204)

    def link(self, call: Call) -> Answer:
        """Associate one pair."""
        from_name, from_id, _, to_name, to_id = call.place.parts[:5]
        return self._link(from_name, from_id, to_name, to_id)

    def link_default(self, call: Call) -> Answer:
        """Associate one pair by the default type."""
        from_name, from_id, _, _, to_name, to_id = call.place.parts
        return self._link(from_name, from_id, to_name, to_id)

    def unlink(self, call: Call) -> Answer:
        """Take one association back."""
        from_name, from_id, _, to_name, to_id = call.place.parts
        start, target = _pair(from_name, to_name)
        self._store.unlink_many(start, target, [(from_id, to_id)])
        return Answer(204)

    def types(self, call: Call) -> Answer:
        """The association types of a pair of objects."""
        number, name = ASSOCIATION_TYPES[_pair(*call.place.parts[:2])]
        return Answer(
            value={
                "results": [
                    {"id": str(number), "typeId": number, "name": name, "category": "HUBSPOT_DEFINED", "label": None}
                ]
            }
        )

    def _link(self, from_name: str, from_id: str, to_name: str, to_id: str) -> Answer:
        start, target = _pair(from_name, to_name)
        if self._store.get(start, from_id) is None or self._store.get(target, to_id) is None:
            raise not_found()
        self._store.link_many(start, target, [(from_id, to_id)], self._portal.now_ms())
        number = ASSOCIATION_TYPES[start, target][0]
        value = {"fromObjectId": from_id, "toObjectId": to_id, "labels": [], "associationTypeId": number}
        return Answer(201, value)

    def _shown(self, call: Call, start: str, target: str, record_id: str) -> dict[str, Any]:
        number, name = ASSOCIATION_TYPES[start, target]
        if call.place.version == "v3":
            return {"id": record_id, "type": name}
        kind = {"category": "HUBSPOT_DEFINED", "typeId": number, "label": None}
        return {"toObjectId": int(record_id), "associationTypes": [kind]}

    def _inputs(self, call: Call) -> list[dict[str, Any]]:
        inputs = call.json().get("inputs")
        if not isinstance(inputs, list) or not 1 <= len(inputs) <= _MOST_INPUTS:
            raise invalid(f"inputs must be a list of 1 to {_MOST_INPUTS}.")
        return inputs


def _pair(from_name: str, to_name: str) -> tuple[str, str]:
    start, target = OBJECT_TYPES.get(from_name.lower()), OBJECT_TYPES.get(to_name.lower())
    if start is None or target is None or (start, target) not in ASSOCIATION_TYPES:
        raise not_found(f"There is no association between {from_name} and {to_name}.")
    return start, target


def _nothing(start: str, target: str, record_id: str) -> dict[str, Any]:
    return {
        "status": "error",
        "category": "OBJECT_NOT_FOUND",
        "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
        "message": f"No {target} is associated with {start} {record_id}.",
        "context": {"fromObjectId": [record_id], "fromObjectType": [start[:-1]], "toObjectType": [target[:-1]]},
    }
