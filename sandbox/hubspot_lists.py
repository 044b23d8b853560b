"""Lists of contacts: manual, snapshot and dynamic, and who is on them (`/crm/v3/lists`, `/crm/lists/2026-09`)."""

from __future__ import annotations

from typing import Any

from sandbox.hubspot_errors import conflict, invalid, not_found
from sandbox.hubspot_http import Answer, Call, Rule, rule
from sandbox.hubspot_portal import Portal
from sandbox.hubspot_values import iso
from sandbox.hubspot_view import next_page

_READ, _WRITE = "crm.lists.read", "crm.lists.write"
_MOST_TO_EMPTY = 100_000
_WRITABLE = ("MANUAL", "SNAPSHOT")


class Lists:
    """The handlers for lists. Members are kept as links between "lists" and "contacts"."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._store = portal.store

    def rules(self) -> list[Rule]:
        """The routes."""
        return [
            rule("POST", "lists", self.create, "write", _WRITE),
            rule("GET", "lists", self.all, "read", _READ),
            rule("POST", "lists/search", self.search, "read", _READ),
            rule("GET", "lists/{}", self.get, "read", _READ),
            rule("DELETE", "lists/{}", self.delete, "write", _WRITE),
            rule("GET", "lists/object-type-id/{}/name/{}", self.by_name, "read", _READ),
            rule("GET", "lists/records/{}/{}/memberships", self.of_record, "read", _READ),
            rule("GET", "lists/{}/memberships", self.members, "read", _READ),
            rule("DELETE", "lists/{}/memberships", self.empty, "write", _WRITE),
            rule("PUT", "lists/{}/memberships/add", self.add, "write", _WRITE),
            rule("PUT", "lists/{}/memberships/remove", self.remove, "write", _WRITE),
            rule("PUT", "lists/{}/memberships/add-and-remove", self.add_and_remove, "write", _WRITE),
        ]

    def create(self, call: Call) -> Answer:
        """Create a list."""
        wanted = call.json()
        name, processing = str(wanted.get("name", "")), str(wanted.get("processingType", ""))
        if not name or wanted.get("objectTypeId") != "0-1" or processing not in (*_WRITABLE, "DYNAMIC"):
            raise invalid("A list needs a name, objectTypeId 0-1 and processingType MANUAL, SNAPSHOT or DYNAMIC.")
        if any(one["name"] == name for one in self._store.settings("list:").values()):
            raise conflict(f"A list named '{name}' already exists.")
        now = iso(self._portal.now_ms())
        found = {
            "listId": str(self._store.next_number("lists")),
            "name": name,
            "objectTypeId": "0-1",
            "processingType": processing,
            "processingStatus": "COMPLETE",
            "createdAt": now,
            "updatedAt": now,
            "listVersion": 1,
        }
        self._store.set_setting(f"list:{found['listId']}", found)
        return Answer(200, {"list": self._shown(found)})

    def all(self, call: Call) -> Answer:
        """Lists by id."""
        wanted = call.names("listIds")
        return Answer(value={"lists": [self._shown(self._list(one)) for one in wanted]})

    def search(self, call: Call) -> Answer:
        """Lists whose name contains a text."""
        body = call.json()
        text, offset, count = (
            str(body.get("query", "")).lower(),
            int(body.get("offset") or 0),
            int(body.get("count") or 20),
        )
        found = [one for one in self._store.settings("list:").values() if text in one["name"].lower()]
        page = [self._shown(one) for one in found[offset : offset + count]]
        return Answer(
            value={
                "lists": page,
                "total": len(found),
                "offset": offset + len(page),
                "hasMore": offset + count < len(found),
            }
        )

    def get(self, call: Call) -> Answer:
        """One list."""
        return Answer(value={"list": self._shown(self._list(call.place.parts[0]))})

    def by_name(self, call: Call) -> Answer:
        """One list by its exact name."""
        for one in self._store.settings("list:").values():
            if one["name"] == call.place.parts[3]:
                return Answer(value={"list": self._shown(one)})
        raise not_found(f"List does not exist with name {call.place.parts[3]}.")

    def delete(self, call: Call) -> Answer:
        """Delete a list and its memberships."""
        list_id = self._list(call.place.parts[0])["listId"]
        self._unlink(list_id, [member for member, _ in self._store.linked("lists", list_id, "contacts")])
        self._store.delete_setting(f"list:{list_id}")
        return Answer(204)

    def members(self, call: Call) -> Answer:
        """Members in id order."""
        list_id = self._list(call.place.parts[0])["listId"]
        limit = call.limit(100, 250)
        found = self._store.linked("lists", list_id, "contacts", call.text("after"), limit + 1)
        page = found[:limit]
        value: dict[str, Any] = {
            "results": [{"recordId": member, "membershipTimestamp": iso(at)} for member, at in page],
            "total": self._store.count_linked("lists", list_id, "contacts"),
        }
        if len(found) > limit:
            value["paging"] = next_page(call, page[-1][0])
        return Answer(value=value)

    def of_record(self, call: Call) -> Answer:
        """The lists a contact is on."""
        found = self._store.linked("contacts", call.place.parts[2], "lists")
        rows = [
            {"listId": list_id, "listVersion": 1, "firstAddedTimestamp": iso(at), "lastAddedTimestamp": iso(at)}
            for list_id, at in found
        ]
        return Answer(value={"results": rows, "total": len(rows)})

    def empty(self, call: Call) -> Answer:
        """Remove all members; only below 100,000 of them."""
        list_id = self._writable(call)
        if self._store.count_linked("lists", list_id, "contacts") >= _MOST_TO_EMPTY:
            raise invalid(f"Lists with {_MOST_TO_EMPTY} members or more cannot be emptied by one call.")
        self._unlink(list_id, [member for member, _ in self._store.linked("lists", list_id, "contacts")])
        return Answer(204)

    def add(self, call: Call) -> Answer:
        """Add members; the body is a bare array of ids."""
        return self._change(self._writable(call), _ids(call.json()), [])

    def remove(self, call: Call) -> Answer:
        """Remove members; the body is a bare array of ids."""
        return self._change(self._writable(call), [], _ids(call.json()))

    def add_and_remove(self, call: Call) -> Answer:
        """Both at once."""
        body = call.json()
        return self._change(
            self._writable(call), _ids(body.get("recordIdsToAdd") or []), _ids(body.get("recordIdsToRemove") or [])
        )

    def _change(self, list_id: str, adding: list[str], removing: list[str]) -> Answer:
        living = self._portal.resolve_many("contacts", [*adding, *removing])
        missing = [one for one in [*adding, *removing] if one not in living]
        present = self._store.linked_among("lists", list_id, "contacts", [*adding, *removing])
        added = [one for one in dict.fromkeys(adding) if one in living and one not in present]
        removed = [one for one in dict.fromkeys(removing) if one in present]
        with self._store.transaction():
            self._store.link_many("lists", "contacts", [(list_id, one) for one in added], self._portal.now_ms())
            self._unlink(list_id, removed)
        # The key is misspelt in HubSpot's own schema; both spellings are seen on the wire.
        value = {
            "recordsIdsAdded": added,
            "recordIdsAdded": added,
            "recordIdsRemoved": removed,
            "recordIdsMissing": missing,
        }
        return Answer(value=value)

    def _unlink(self, list_id: str, members: list[str]) -> None:
        self._store.unlink_many("lists", "contacts", [(list_id, one) for one in members])

    def _list(self, list_id: str) -> dict[str, Any]:
        found: dict[str, Any] | None = self._store.setting(f"list:{list_id}")
        if found is None:
            raise not_found(f"List does not exist with ID {list_id}.")
        return found

    def _writable(self, call: Call) -> str:
        found = self._list(call.place.parts[0])
        if found["processingType"] not in _WRITABLE:
            raise invalid(f"Memberships of a {found['processingType']} list cannot be changed by hand.")
        list_id: str = found["listId"]
        return list_id

    def _shown(self, found: dict[str, Any]) -> dict[str, Any]:
        size = self._store.count_linked("lists", found["listId"], "contacts")
        return {**found, "size": size, "additionalProperties": {"hs_list_size": str(size)}}


def _ids(value: Any) -> list[str]:
    if not isinstance(value, list):
        raise invalid("The body must be an array of record ids.")
    return [str(one) for one in value]
