"""Writes rows the way the platform does: security, types, the org's own rules, then the store; one outcome for each row, in order."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.faults import due
from sandbox.salesforce_errors import RequestError, RowError
from sandbox.salesforce_http import Call
from sandbox.salesforce_ids import json_time, long_id, record_id, record_number
from sandbox.salesforce_org import INTEGRATION_USER, Org
from sandbox.salesforce_relations import check_new, created
from sandbox.salesforce_schema import View, object_of_prefix
from sandbox.salesforce_values import Values, clean_row, missing
from sandbox.store import Record, json_value

ROLLED_BACK = RowError(
    "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    "Record rolled back because not all records were valid and the request was using AllOrNone header",
)
SECURITY_OBJECTS = {"PermissionSet", "PermissionSetAssignment", "FieldPermissions"}


@dataclass
class Terms:
    """What the request said about its writes, and the faults it met. `lock` is "", "one" or "all"; the first `fail` rows are refused."""

    source: str
    allow_duplicates: bool = False
    auto_assign: bool = False
    all_or_none: bool = False
    lock: str = ""
    fail: int = 0


def terms_of(call: Call, *, all_or_none: bool = False) -> Terms:
    """The terms of one REST request."""
    locked = due(call.request.scope, "row_locked")
    failing = due(call.request.scope, "partial_failure")
    return Terms(
        call.source,
        allow_duplicates="allowsave=true"
        in call.headers.get("sforce-duplicate-rule-header", "").lower().replace(" ", ""),
        auto_assign=call.headers.get("sforce-auto-assign", "true").lower() != "false",
        all_or_none=all_or_none,
        lock=str(locked.options.get("rows", "one")) if locked else "",
        fail=int(failing.options.get("n", 1)) if failing else 0,
    )


Outcome = str | RowError
"""The id of the written record, or why it was not written."""


class Rows:
    """The writing half of an org."""

    def __init__(self, org: Org) -> None:
        self.org = org

    def now(self) -> int:
        """The present in epoch milliseconds, whole seconds: the resolution of SystemModstamp."""
        return self.org.now_ms() // 1000 * 1000

    def update(self, view: View, rows: Sequence[tuple[str, Mapping[str, Any]]], terms: Terms) -> list[Outcome]:
        """Update records by id. One transaction; with `all_or_none`, nothing is written if one row fails."""
        identifiers, present = self._find(view, [identifier for identifier, _ in rows])
        held = self._held()
        outcomes: list[Outcome] = []
        accepted: list[tuple[str, Values]] = []
        seen: set[str] = set()
        for place, (identifier, (_, values)) in enumerate(zip(identifiers, rows, strict=True)):
            try:
                record = self._writable(view, identifier, present.get(identifier), seen)
                self._faults(identifier, held, terms, place)
                changes = self._changes(view, record, values, terms)
            except RowError as error:
                outcomes.append(error)
            else:
                outcomes.append(identifier)
                accepted.append((identifier, changes))
        if terms.all_or_none and len(accepted) < len(outcomes):
            return [ROLLED_BACK if isinstance(outcome, str) else outcome for outcome in outcomes]
        self.org.store.update_many(view.name, accepted, terms.source, self.now())
        self._settle(view)
        return outcomes

    def create(self, view: View, rows: Sequence[Mapping[str, Any]], terms: Terms) -> list[Outcome]:
        """Create records; the outcome is the new id."""
        outcomes: list[Outcome] = []
        now = self.now()
        with self.org.store.transaction():
            number = self._next_number(view.name)
            for place, values in enumerate(rows):
                identifier = record_id(view.name, number + place)
                try:
                    self._faults("", frozenset(), terms, place)
                    fields = self._new(view, values, terms)
                except RowError as error:
                    outcomes.append(error)
                    continue
                if not (terms.all_or_none and any(isinstance(one, RowError) for one in outcomes)):
                    self.org.store.insert_many(view.name, [(identifier, now, fields)])
                    created(self.org, view.name, identifier, now)
                outcomes.append(identifier)
            if terms.all_or_none and any(isinstance(one, RowError) for one in outcomes):
                for outcome in outcomes:
                    if isinstance(outcome, str):
                        self.org.store.purge(view.name, outcome)
                outcomes = [ROLLED_BACK if isinstance(outcome, str) else outcome for outcome in outcomes]
        self._settle(view)
        return outcomes

    def delete(self, view: View, identifiers: Sequence[str], terms: Terms, *, hard: bool = False) -> list[Outcome]:
        """Move records to the recycle bin, or remove them for good."""
        wanted, present = self._find(view, identifiers)
        held = self._held()
        outcomes: list[Outcome] = []
        for place, identifier in enumerate(wanted):
            try:
                if not view.sobject.deletable:
                    raise RowError("INSUFFICIENT_ACCESS_OR_READONLY", f"{view.name} records cannot be deleted")
                self._writable(view, identifier, present.get(identifier), set(), deleting=True)
                self._faults(identifier, held, terms, place)
            except RowError as error:
                outcomes.append(error)
            else:
                outcomes.append(identifier)
        failed = any(isinstance(outcome, RowError) for outcome in outcomes)
        if terms.all_or_none and failed:
            return [ROLLED_BACK if isinstance(outcome, str) else outcome for outcome in outcomes]
        with self.org.store.transaction():
            for outcome in outcomes:
                if isinstance(outcome, str) and hard:
                    self.org.store.purge(view.name, outcome)
                elif isinstance(outcome, str):
                    self.org.store.delete(view.name, outcome, terms.source, self.now())
        self._settle(view)
        return outcomes

    def by_external_id(self, view: View, name: str, value: str) -> list[str]:
        """Ids of the living records whose external-id field holds `value`. Raises RequestError where the field is no such thing."""
        field = view.field(name)
        if field is None or not (field.external_id or field.type == "id"):
            raise RequestError(
                400, "INVALID_FIELD", f"Provided external ID field does not exist or is not accessible: {name}"
            )
        if field.type == "id":
            return [long_id(value) or value]
        found = self.org.store.query(
            view.name, f"deleted_at IS NULL AND {json_value(field.name)} = ? COLLATE NOCASE", [value]
        )
        return [record.record_id for record in found]

    def _writable(
        self, view: View, identifier: str, record: Record | None, seen: set[str], *, deleting: bool = False
    ) -> Record:
        if not identifier:
            raise RowError("MISSING_ARGUMENT", "Id not specified in an update call", ("Id",))
        if len(identifier) != 18 or not identifier.isalnum():
            raise RowError("MALFORMED_ID", f"bad id {identifier}", ("Id",))
        if object_of_prefix(identifier) != view.name:
            raise RowError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
        if record is None:
            raise RowError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", status=404)
        if record.deleted_at is not None:
            raise RowError("ENTITY_IS_DELETED", "entity is deleted", status=404)
        if identifier in seen:
            raise RowError("DUPLICATE_VALUE", f"Duplicate id specified: {identifier}")
        seen.add(identifier)
        if view.name == "Lead" and record.fields.get("IsConverted") and not deleting:
            raise RowError("CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead")
        return record

    def _find(self, view: View, given: Sequence[str]) -> tuple[list[str], dict[str, Record]]:
        """Ids in their 18-character form, and the records there are. An id found as it was given needs no repair."""
        present = self.org.store.get_many(view.name, list(dict.fromkeys(given)))
        identifiers = [
            identifier if identifier in present else long_id(identifier) or identifier for identifier in given
        ]
        missing = [identifier for identifier in identifiers if identifier not in present]
        if missing:
            present |= self.org.store.get_many(view.name, missing)
        return identifiers, present

    def _held(self) -> frozenset[str]:
        return frozenset(long_id(identifier) or identifier for identifier in self.org.faults.held_rows())

    def _faults(self, identifier: str, held: frozenset[str], terms: Terms, place: int) -> None:
        rate = self.org.settings["random_lock_rate"]
        locked = (
            terms.lock == "all" or (terms.lock == "one" and place == 0) or (rate and self.org.random.random() < rate)
        )
        if locked or identifier in held:
            raise RowError(
                "UNABLE_TO_LOCK_ROW",
                f"unable to obtain exclusive access to this record or 1 records: {identifier or 'new record'}",
            )
        if place < terms.fail:
            raise RowError("FIELD_CUSTOM_VALIDATION_EXCEPTION", "This record is frozen by an administrator's rule.")

    def _changes(self, view: View, record: Record, values: Mapping[str, Any], terms: Terms) -> Values:
        changes = clean_row(view, values, frozenset(self.org.settings["restricted_picklists"]), creating=False)
        after = {**record.fields, **changes}
        self._org_rules(view, record.record_id, record.fields, changes, after, terms)
        if view.name == "Task" and changes.get("Status") == "Completed" and record.fields.get("Status") != "Completed":
            changes["CompletedDateTime"] = json_time(self.now())
        return changes

    def _new(self, view: View, values: Mapping[str, Any], terms: Terms) -> Values:
        if not view.sobject.createable:
            raise RowError(
                "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", f"entity type cannot be inserted: {view.sobject.label}"
            )
        fields = clean_row(view, values, frozenset(self.org.settings["restricted_picklists"]), creating=True)
        lacking = missing(view, fields)
        if lacking:
            raise RowError(
                "REQUIRED_FIELD_MISSING", f"Required fields are missing: [{', '.join(lacking)}]", tuple(lacking)
            )
        defaults = {field.name: field.default for field in view.fields.values() if field.default is not None}
        fields = {**defaults, **fields}
        if view.field("OwnerId"):
            fields.setdefault("OwnerId", INTEGRATION_USER)
        if fields.get("Status") == "Completed" and view.name == "Task":
            fields["CompletedDateTime"] = json_time(self.now())
        check_new(self.org, view.name, fields)
        self._org_rules(view, "", {}, fields, fields, terms)
        return fields

    def _org_rules(
        self,
        view: View,
        identifier: str,
        before: Mapping[str, Any],
        changes: Values,
        after: Mapping[str, Any],
        terms: Terms,
    ) -> None:
        settings = self.org.settings
        for rule in settings["validation_rules"]:
            value = after.get(rule["field"])
            if rule["object"] == view.name and value is not None and not re.search(rule["pattern"], str(value)):
                raise RowError("FIELD_CUSTOM_VALIDATION_EXCEPTION", rule["message"], (rule["field"],))
        for name in settings["duplicate_fields"].get(view.name, []):
            value = changes.get(name)
            if value is None or value == before.get(name) or terms.allow_duplicates:
                continue
            where = f"deleted_at IS NULL AND record_id <> ? AND {json_value(name)} = ?"
            twin = next(self.org.store.query(view.name, where, [identifier, value], limit=1), None)
            if twin is not None:
                raise RowError(
                    "DUPLICATES_DETECTED",
                    "Use one of these records?",
                    extra=_duplicate_result(view.name, twin.record_id),
                )
        for field in view.fields.values():
            value = changes.get(field.name) if field.unique else None
            if value is None or value == before.get(field.name):
                continue
            for other in self.by_external_id(view, field.name, value) if field.external_id else []:
                if other != identifier:
                    raise RowError(
                        "DUPLICATE_VALUE",
                        f"duplicate value found: {field.name} duplicates value on record with id: {other[:15]}",
                    )
        owner = settings["lead_assignment_owner"]
        if view.name == "Lead" and terms.auto_assign and owner:
            changes["OwnerId"] = owner

    def _next_number(self, sobject: str) -> int:
        highest = next(self.org.store.select("SELECT max(record_id) FROM records WHERE object = ?", [sobject]))[0]
        return record_number(highest) + 1 if highest else 1

    def _settle(self, view: View) -> None:
        if view.name in SECURITY_OBJECTS:
            self.org.schema.forget()


def _duplicate_result(sobject: str, identifier: str) -> dict[str, object]:
    match = {
        "record": {"attributes": {"type": sobject}, "Id": identifier},
        "matchConfidence": 100.0,
        "fieldDiffs": [],
        "additionalInformation": [],
    }
    result = {
        "allowSave": True,
        "duplicateRule": f"Standard_{sobject}_Duplicate_Rule",
        "duplicateRuleEntityType": sobject,
        "errorMessage": "Use one of these records?",
        "matchResults": [
            {
                "entityType": sobject,
                "errors": [],
                "matchEngine": "ExactMatchEngine",
                "matchRecords": [match],
                "size": 1,
                "success": True,
            }
        ],
    }
    return {"duplicateResult": result}
