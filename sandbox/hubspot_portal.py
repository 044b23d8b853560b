"""The portal behind the HubSpot surface: its store, its switches, its property definitions, its clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sandbox.faults import Faults
from sandbox.hubspot_errors import APP_ID, PropertyFault, invalid_values
from sandbox.hubspot_fields import standard_properties
from sandbox.hubspot_limits import RateLimits
from sandbox.hubspot_values import calculated_phones, clean
from sandbox.store import Record, RecordStore, Updated

OBJECT_TYPES = {
    "contacts": "contacts",
    "contact": "contacts",
    "0-1": "contacts",
    "calls": "calls",
    "call": "calls",
    "0-48": "calls",
}
ASSOCIATION_TYPES = {("calls", "contacts"): (194, "call_to_contact"), ("contacts", "calls"): (193, "contact_to_call")}
FIRST_NEW_ID = {"contacts": 900_000_000_001, "calls": 910_000_000_001}
INTEGRATION = f"integration:{APP_ID}"

DEFAULT_SETTINGS: dict[str, Any] = {
    "burst": 190,
    "search_per_second": 5,
    "daily": 650_000,
    "retry_after_on_429": None,
    "missing_id_status": 207,
    "invalid_value_status": 400,
    "merge_keeps_id": True,
    "enforce_admin_rules": False,
    "required_properties": ["lastname"],
    "missing_scopes": [],
    "index_lag_ms": 0,
    "export_seconds": 0,
    "webhook_url": None,
    "webhook_secret": "sandbox-webhook-secret",
    "webhook_retry_seconds": 1.0,
}
"""The switches of the stand-in (POST /__sandbox__/settings); docs of each: sandbox/hubspot_app.py."""

Listener = Callable[[str, str, dict[str, Any]], None]


class Portal:
    """One HubSpot account over a record store.

    `now_ms` is the account's clock (epoch ms), `monotonic` times the rolling rate windows in seconds. `listeners` are called with
    (event, record id, details) after each change of a contact: event is creation, deletion, restore, merge, propertyChange or privacyDeletion.
    """

    def __init__(
        self,
        store: RecordStore,
        faults: Faults,
        now_ms: Callable[[], int] | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store = store
        self.faults = faults
        self.now_ms = now_ms or (lambda: round(time.time() * 1000))
        self.settings: dict[str, Any] = {**DEFAULT_SETTINGS, **store.setting("settings", {})}
        self.limits = RateLimits(self.settings, monotonic, self.now)
        self.listeners: list[Listener] = []
        self._definitions: dict[str, dict[str, dict[str, Any]]] = {}
        store.select_all(
            "CREATE INDEX IF NOT EXISTS contacts_by_email ON records (json_extract(fields, '$.\"email\"')) WHERE object = 'contacts'"
        )

    def now(self) -> datetime:
        """The account's clock as a date-time in UTC."""
        return datetime.fromtimestamp(self.now_ms() / 1000, UTC)

    def keep_settings(self, changes: Mapping[str, Any]) -> None:
        """Remember switches over a restart."""
        self.store.set_setting("settings", {**self.store.setting("settings", {}), **changes})

    def definitions(self, object_name: str) -> dict[str, dict[str, Any]]:
        """Every property of an object by name, without the ones hidden by a fault."""
        found = self._definitions.get(object_name)
        if found is None:
            found = standard_properties(object_name)
            own = self.store.settings(f"property:{object_name}:")
            found |= {definition["name"]: definition for definition in own.values()}
            self._definitions[object_name] = found
        hidden = self.faults.hidden_fields()
        return {name: one for name, one in found.items() if name not in hidden} if hidden else found

    def keep_definition(self, object_name: str, definition: dict[str, Any]) -> None:
        """Create or change a property of the portal's own."""
        self.store.set_setting(f"property:{object_name}:{definition['name']}", definition)
        self._definitions.pop(object_name, None)

    def drop_definition(self, object_name: str, name: str) -> None:
        """Archive a property of the portal's own."""
        self.store.delete_setting(f"property:{object_name}:{name}")
        self._definitions.pop(object_name, None)

    def check(
        self, object_name: str, properties: Mapping[str, Any], *, by_person: bool = False
    ) -> tuple[dict[str, Any], list[PropertyFault]]:
        """(values to keep, refusals) of properties as sent. A null is no value and changes nothing. `by_person`: an edit in the app, to which faults do not apply."""
        definitions = self.definitions(object_name)
        read_only = set() if by_person else self.faults.read_only_fields()
        kept: dict[str, Any] = {}
        refused: list[PropertyFault] = []
        for name, value in properties.items():
            definition = definitions.get(name.lower())
            if value is None:
                continue
            if definition is None:
                refused.append(PropertyFault(name, "PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist'))
            elif definition["modificationMetadata"]["readOnlyValue"] or name in read_only:
                text = f'"{name}" is a read only property; its value cannot be set.'
                refused.append(PropertyFault(name, "READ_ONLY_VALUE", text))
            else:
                kept[definition["name"]], fault = clean(definition, value)
                if fault:
                    refused.append(fault)
        return kept, refused

    def missing_required(self, object_name: str, fields: Mapping[str, Any], dated_path: bool) -> list[PropertyFault]:
        """What an administrator's rules demand of a record that is about to be written; enforced on date-versioned paths only."""
        if not (dated_path and self.settings["enforce_admin_rules"] and object_name == "contacts"):
            return []
        return [
            PropertyFault(name, "REQUIRED_PROPERTY", f'Property "{name}" is required')
            for name in self.settings["required_properties"]
            if not fields.get(name)
        ]

    def by_email(self, email: str) -> Record | None:
        """The living contact with an address."""
        where = "json_extract(fields, '$.\"email\"') = ? AND deleted_at IS NULL"
        return next(self.store.query("contacts", where, (email.strip().lower(),), limit=1), None)

    def resolve_many(self, object_name: str, ids: Iterable[str]) -> dict[str, Record]:
        """Living records by the id asked for; a merged-away id finds its survivor."""
        found: dict[str, Record] = {}
        for asked, record in self.store.get_many(object_name, list(ids)).items():
            survivor = self.store.resolve(object_name, asked) if record.merged_into else record
            if survivor is not None and survivor.deleted_at is None:
                found[asked] = survivor
        return found

    def write(self, object_name: str, rows: list[tuple[Record, dict[str, Any]]], source: str) -> list[Record]:
        """Set checked values on living records in one transaction and tell the listeners."""
        prepared = []
        for record, values in rows:
            changes = values
            if object_name == "contacts":
                if isinstance(values.get("email"), str):
                    changes = {**changes, "email": values["email"].strip().lower()}
                changes = {**changes, **calculated_phones(record.fields, changes)}
            prepared.append((record.record_id, changes))
        results = [
            one
            for one in self.store.update_many(object_name, prepared, source, self.now_ms())
            if isinstance(one, Updated)
        ]
        for (before, values), after in zip(rows, results, strict=True):
            for name, value in values.items():
                if before.fields.get(name) != value:
                    self.tell("propertyChange", after.record.record_id, property=name, value=value, source=source)
        return [one.record for one in results]

    def create(self, object_name: str, values: dict[str, Any], source: str) -> Record:
        """Create a record of checked values. Raises the refusal of an address that another contact has."""
        if object_name == "contacts" and values.get("email"):
            values = {**values, "email": values["email"].strip().lower()}
            taken = self.by_email(values["email"])
            if taken is not None:
                from_person = PropertyFault(
                    "email", "CONFLICT", f"Contact already exists. Existing ID: {taken.record_id}"
                )
                raise EmailTaken(taken.record_id, from_person)
        record_id = str(self.store.next_number(object_name, FIRST_NEW_ID[object_name]))
        if object_name == "contacts":
            values = {**values, **calculated_phones({}, values)}
            kind, label = ("CRM_UI", "CRM UI") if source.startswith("user:") else ("INTEGRATION", "Integration")
            values |= {"hs_object_source": kind, "hs_object_source_label": label, "hs_analytics_source": "OFFLINE"}
        self.store.insert_many(object_name, [(record_id, self.now_ms(), values)])
        self.tell("creation", record_id, source=source)
        return self.store.require(object_name, record_id)

    def tell(self, event: str, record_id: str, **details: Any) -> None:
        """Pass an event on to whoever listens."""
        for listener in self.listeners:
            listener(event, record_id, details)

    def edit(self, object_name: str, record_id: str, properties: Mapping[str, Any], source: str) -> Record:
        """A person's edit in the app. None clears. Raises KeyError for an unknown id, HubSpotError for a value HubSpot would refuse."""
        record = self.store.require(object_name, record_id)
        given = {name: "" if value is None else value for name, value in properties.items()}
        values, refused = self.check(object_name, given, by_person=True)
        if refused:
            raise invalid_values(refused)
        return self.write(object_name, [(record, values)], source)[0]


class EmailTaken(Exception):
    """Another contact has this address."""

    def __init__(self, record_id: str, fault: PropertyFault) -> None:
        super().__init__(fault.message)
        self.record_id = record_id
        self.fault = fault
