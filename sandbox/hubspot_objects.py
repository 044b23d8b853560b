"""Single records: list, read, create, update, archive, merge, erase (`/crm/v3/objects/...` and `/crm/objects/2026-09/...`)."""

from __future__ import annotations

from typing import Any

from sandbox.faults import due
from sandbox.hubspot_errors import HubSpotError, conflict, envelope, invalid, invalid_values, not_found
from sandbox.hubspot_http import Answer, Call, Rule, rule
from sandbox.hubspot_portal import FIRST_NEW_ID, INTEGRATION, OBJECT_TYPES, EmailTaken, Portal
from sandbox.hubspot_view import View, next_page
from sandbox.store import Record

READ, WRITE = "crm.objects.contacts.read", "crm.objects.contacts.write"
_MOST_MERGES = 250


def object_of(call: Call) -> str:
    """The object a path speaks of. Raises 404 for one this portal does not have."""
    name = OBJECT_TYPES.get(call.place.parts[0].lower())
    if name is None:
        raise not_found(f"Unable to infer object type from: {call.place.parts[0]}")
    return name


class Objects:
    """The handlers for single records."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._store = portal.store

    def rules(self) -> list[Rule]:
        """The routes."""
        return [
            rule("GET", "objects/{}", self.page, "read", READ),
            rule("POST", "objects/{}", self.create, "write", WRITE),
            rule("GET", "objects/{}/{}", self.get, "read", READ),
            rule("PATCH", "objects/{}/{}", self.update, "write", WRITE),
            rule("DELETE", "objects/{}/{}", self.archive, "write", WRITE),
            rule("POST", "objects/{}/merge", self.merge, "write", WRITE),
            rule("POST", "objects/{}/gdpr-delete", self.erase, "write", WRITE),
        ]

    def page(self, call: Call) -> Answer:
        """A page in id order; `after` is the id of the first record of the next page."""
        name = object_of(call)
        history = call.names("propertiesWithHistory")
        limit = call.limit(10, 50 if history else 100)
        view = View(self._portal, name, call.names("properties"), history, call.names("associations"))
        records = self._store.page_by_id(
            name, call.text("after"), limit + 1, deleted=call.flag("archived"), inclusive=True
        )
        body: dict[str, Any] = {"results": [view.show(record) for record in records[:limit]]}
        if len(records) > limit:
            body["paging"] = next_page(call, records[limit].record_id)
        return Answer(value=body)

    def get(self, call: Call) -> Answer:
        """One record by id, e-mail or another unique property; a merged-away id shows the survivor."""
        name = object_of(call)
        record = self._one(name, call.place.parts[1], call.text("idProperty"), archived=call.flag("archived"))
        view = View(
            self._portal,
            name,
            call.names("properties"),
            call.names("propertiesWithHistory"),
            call.names("associations"),
        )
        return Answer(value=view.show(record))

    def create(self, call: Call) -> Answer:
        """Create one record; an address that exists already is a 409 that names the other record."""
        name = object_of(call)
        body = call.json()
        values, refused = self._portal.check(name, body.get("properties") or {})
        refused += self._portal.missing_required(name, values, call.place.dated)
        if name == "calls" and not values.get("hs_timestamp"):
            raise invalid("hs_timestamp is required to create an engagement.")
        if refused:
            raise invalid_values(refused)
        try:
            record = self._portal.create(name, values, INTEGRATION)
        except EmailTaken as exc:
            raise conflict(exc.fault.message) from exc
        self.associate(name, record.record_id, body.get("associations") or [])
        return Answer(201, View(self._portal, name, values).show(record))

    def associate(self, name: str, record_id: str, associations: list[dict[str, Any]]) -> None:
        """Make the associations that came with a new record: a call's contacts."""
        other = "contacts" if name == "calls" else "calls"
        pairs = [(record_id, str(one["to"]["id"])) for one in associations if one.get("to")]
        self._store.link_many(name, other, pairs, self._portal.now_ms())

    def update(self, call: Call) -> Answer:
        """Set properties of one record."""
        name = object_of(call)
        record = self._one(name, call.place.parts[1], call.text("idProperty"))
        values, refused = self._portal.check(name, call.json().get("properties") or {})
        refused += self._portal.missing_required(name, {**record.fields, **values}, call.place.dated)
        if refused:
            raise invalid_values(refused)
        if record.record_id in self._portal.faults.held_rows() or due(call.scope, "partial_failure"):
            raise invalid(HELD)
        record = self._portal.write(name, [(record, values)], INTEGRATION)[0]
        return Answer(value=View(self._portal, name, values).show(record))

    def archive(self, call: Call) -> Answer:
        """Put a record into the recycle bin; an unknown id is no error."""
        name = object_of(call)
        if self._store.delete(name, call.place.parts[1], INTEGRATION, self._portal.now_ms()):
            self._portal.tell("deletion", call.place.parts[1], source=INTEGRATION)
        return Answer(204)

    def merge(self, call: Call) -> Answer:
        """Merge two contacts. The answer is the surviving record, which has a new id where the portal is set so."""
        name = object_of(call)
        body = call.json()
        primary, other = str(body.get("primaryObjectId", "")), str(body.get("objectIdToMerge", ""))
        record = merge_records(self._portal, name, primary, other, INTEGRATION)
        return Answer(
            value=View(self._portal, name, ("hs_merged_object_ids", "hs_calculated_merged_vids")).show(record)
        )

    def erase(self, call: Call) -> Answer:
        """Erase a contact for good (a privacy request); by id, or by e-mail with idProperty."""
        name = object_of(call)
        body = call.json()
        record = self._one(name, str(body.get("objectId", "")), str(body.get("idProperty") or ""))
        self._store.purge(name, record.record_id)
        self._portal.tell("privacyDeletion", record.record_id, source=INTEGRATION)
        return Answer(204)

    def _one(self, name: str, record_id: str, id_property: str, archived: bool = False) -> Record:
        record = find(self._portal, name, record_id, id_property)
        if record is None or (record.deleted_at is not None) != archived:
            raise not_found()
        return record


HELD = "Cannot set values: a rule of this portal holds the record."


def find(portal: Portal, name: str, record_id: str, id_property: str = "") -> Record | None:
    """A record by id (merged-away ids find the survivor), e-mail or unique property. Raises 400 for a property that is not unique."""
    if id_property in ("", "hs_object_id"):
        return portal.store.resolve(name, record_id)
    if id_property == "email" and name == "contacts":
        return portal.by_email(record_id)
    if not portal.definitions(name).get(id_property, {}).get("hasUniqueValue"):
        raise invalid(f"Unable to perform read by non-unique property {id_property}")
    where = f"json_extract(fields, '$.\"{id_property}\"') = ? AND deleted_at IS NULL"
    return next(portal.store.query(name, where, (record_id,), limit=1), None)


def merge_records(portal: Portal, name: str, primary: str, other: str, source: str) -> Record:
    """Merge `other` into `primary`: the primary's values win, its empty ones are filled, calls and list memberships move.

    Raises 404 if either is no living record, 414 when the result would stand for more than 250 records.
    """
    store, now = portal.store, portal.now_ms()
    winner, loser = store.get(name, primary), store.get(name, other)
    if winner is None or loser is None or winner.deleted_at or loser.deleted_at or primary == other:
        raise not_found("Cannot merge: one of the objects does not exist.")
    losers = [
        one for record in (winner, loser) for one in (record.fields.get("hs_merged_object_ids") or "").split(";") if one
    ]
    stamps = [
        one
        for record in (winner, loser)
        for one in (record.fields.get("hs_calculated_merged_vids") or "").split(";")
        if one
    ]
    keeps = bool(portal.settings["merge_keeps_id"])
    fresh = [other] if keeps else [primary, other]
    if len(losers) + len(fresh) > _MOST_MERGES:
        raise HubSpotError(414, envelope("Cannot have more than 250 identities on a profile"))
    filled = {field: value for field, value in loser.fields.items() if not winner.fields.get(field)}
    filled["hs_merged_object_ids"] = ";".join([*losers, *fresh])
    filled["hs_calculated_merged_vids"] = ";".join([*stamps, *(f"{one}:{now}" for one in fresh)])
    survivor = primary
    with store.transaction():
        if not keeps:
            survivor = str(store.next_number(name, FIRST_NEW_ID[name]))
            store.insert_many(name, [(survivor, now, winner.fields)])
            store.merge(name, survivor, primary, f"merge:{primary}", now)
        store.merge(name, survivor, other, f"merge:{other}", now, filled)
        for gone in fresh:
            for linked in ("calls", "lists"):
                kept = store.linked(name, gone, linked)
                store.link_many(name, linked, [(survivor, target) for target, _ in kept], now)
                store.unlink_many(name, linked, [(gone, target) for target, _ in kept])
    portal.tell("merge", survivor, primary=primary, merged=[other], source=source)
    return store.require(name, survivor)
