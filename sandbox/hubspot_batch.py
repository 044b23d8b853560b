"""Batches of up to 100 records: read, create, update, upsert, archive, with HubSpot's ways of failing in part."""

from __future__ import annotations

from typing import Any

from sandbox.faults import due
from sandbox.hubspot_errors import (
    HubSpotError,
    conflict,
    envelope,
    invalid,
    invalid_values,
    missing_objects,
    values_message,
)
from sandbox.hubspot_http import Answer, Call, Rule, rule
from sandbox.hubspot_objects import HELD, READ, WRITE, Objects, find, object_of
from sandbox.hubspot_portal import INTEGRATION, EmailTaken, Portal
from sandbox.hubspot_values import iso
from sandbox.hubspot_view import View
from sandbox.store import Record

_MOST = 100
Row = tuple[Record, dict[str, Any]]


class Batches:
    """The batch handlers."""

    def __init__(self, portal: Portal, objects: Objects) -> None:
        self._portal = portal
        self._store = portal.store
        self._objects = objects

    def rules(self) -> list[Rule]:
        """The routes."""
        return [
            rule("POST", "objects/{}/batch/read", self.read, "read", READ),
            rule("POST", "objects/{}/batch/create", self.create, "write", WRITE),
            rule("POST", "objects/{}/batch/update", self.update, "write", WRITE),
            rule("POST", "objects/{}/batch/upsert", self.upsert, "write", WRITE),
            rule("POST", "objects/{}/batch/archive", self.archive, "write", WRITE),
        ]

    def read(self, call: Call) -> Answer:
        """Records by id (or by a unique property); ids that do not exist make it a 207."""
        name, started, body = object_of(call), self._portal.now_ms(), call.json()
        history = body.get("propertiesWithHistory") or []
        inputs = _inputs(body, 50 if history else _MOST)
        by = body.get("idProperty") or ""
        ids = list(dict.fromkeys(str(one.get("id", "")) for one in inputs))
        if by in ("", "hs_object_id"):
            found = self._portal.resolve_many(name, ids)
        else:
            found = {one: record for one in ids if (record := find(self._portal, name, one, by)) is not None}
        if call.flag("archived"):
            found = {
                one: record for one, record in self._store.get_many(name, ids).items() if record.deleted_at is not None
            }
        missing = [one for one in ids if one not in found]
        view = View(self._portal, name, body.get("properties") or [], history)
        records = {record.record_id: record for record in found.values()}
        return self._answer(200, [view.show(one) for one in records.values()], _errors_for(missing), started)

    def update(self, call: Call) -> Answer:
        """Set properties of records by id. An unknown number is a 207 (or a 400, by switch); anything that is no number does nothing, silently."""
        name, started, body = object_of(call), self._portal.now_ms(), call.json()
        inputs = _inputs(body, _MOST)
        by = next((str(one["idProperty"]) for one in inputs if one.get("idProperty")), "")
        if by and (by == "hs_object_id" or not self._portal.definitions(name).get(by, {}).get("hasUniqueValue")):
            raise invalid(f"Unable to perform update/upsert by non-unique 0-1 property {by}")
        ids = [str(one.get("id", "")) for one in inputs]
        if len(set(ids)) < len(ids):
            raise invalid("Duplicate IDs found in batch input: each object may appear only once.")
        if by:
            found = {one: record for one in ids if (record := find(self._portal, name, one, by)) is not None}
        else:
            found = self._portal.resolve_many(name, ids)
        missing = [one for one in ids if one not in found and (by or one.isdigit())]
        if missing and self._portal.settings["missing_id_status"] == 400:
            entry = missing_objects(missing)
            raise HubSpotError(400, envelope(entry["message"], entry["category"], context=entry["context"]))
        rows, errors = self._checked(
            call, name, [(found[one], item) for one, item in zip(ids, inputs, strict=True) if one in found]
        )
        records = self._portal.write(name, rows, INTEGRATION)
        view = View(self._portal, name, dict.fromkeys(field for _, values in rows for field in values))
        return self._answer(200, [view.show(one) for one in records], _errors_for(missing) + errors, started)

    def create(self, call: Call) -> Answer:
        """Create records. Only if every input has an objectWriteTraceId do bad rows fail alone (207); otherwise one of them fails all."""
        name, started, body = object_of(call), self._portal.now_ms(), call.json()
        inputs = _inputs(body, _MOST)
        traced = all(one.get("objectWriteTraceId") for one in inputs)
        errors: list[dict[str, Any]] = []
        accepted: list[tuple[dict[str, Any], dict[str, Any]]] = []
        for item in inputs:
            values, refused = self._portal.check(name, item.get("properties") or {})
            refused += self._portal.missing_required(name, values, call.place.dated)
            if refused and not traced:
                raise invalid_values(refused)
            if refused:
                errors.append(_traced(item, "VALIDATION_ERROR", values_message(refused)))
            else:
                accepted.append((values, item))
        created: list[Record] = []
        with self._store.transaction():
            for values, item in accepted:
                try:
                    record = self._portal.create(name, values, INTEGRATION)
                except EmailTaken as exc:
                    if not traced:
                        raise conflict(exc.fault.message) from exc
                    errors.append(_traced(item, "CONFLICT", exc.fault.message))
                    continue
                self._objects.associate(name, record.record_id, item.get("associations") or [])
                created.append(record)
        view = View(self._portal, name, dict.fromkeys(field for values, _ in accepted for field in values))
        return self._answer(201, [view.show(one) for one in created], errors, started)

    def upsert(self, call: Call) -> Answer:
        """Update by a unique property or create. idProperty is required."""
        name, started, body = object_of(call), self._portal.now_ms(), call.json()
        inputs = _inputs(body, _MOST)
        shown = []
        with self._store.transaction():
            for item in inputs:
                by = str(item.get("idProperty") or "")
                if not by or not self._portal.definitions(name).get(by, {}).get("hasUniqueValue"):
                    raise invalid(f"Unable to perform update/upsert by non-unique 0-1 property {by or 'hs_object_id'}")
                given = {**(item.get("properties") or {}), by: item.get("id")}
                values, refused = self._portal.check(name, given)
                record = find(self._portal, name, str(item.get("id", "")), by)
                whole = {**record.fields, **values} if record else values
                refused += self._portal.missing_required(name, whole, call.place.dated)
                if refused:
                    raise invalid_values(refused)
                if record is None:
                    after = self._portal.create(name, values, INTEGRATION)
                else:
                    after = self._portal.write(name, [(record, values)], INTEGRATION)[0]
                shown.append({**View(self._portal, name, values).show(after), "new": record is None})
        return self._answer(200, shown, [], started)

    def archive(self, call: Call) -> Answer:
        """Put records into the recycle bin; unknown ids are no error."""
        name = object_of(call)
        for item in _inputs(call.json(), _MOST):
            record_id = str(item.get("id", ""))
            if self._store.delete(name, record_id, INTEGRATION, self._portal.now_ms()):
                self._portal.tell("deletion", record_id, source=INTEGRATION)
        return Answer(204)

    def _checked(
        self, call: Call, name: str, found: list[tuple[Record, dict[str, Any]]]
    ) -> tuple[list[Row], list[dict[str, Any]]]:
        """(rows to write, errors of rows that fail alone). Raises the first refusal for the whole batch unless the portal is set to fail rows alone."""
        alone = self._portal.settings["invalid_value_status"] == 207
        held = self._portal.faults.held_rows()
        spoiled = due(call.scope, "partial_failure")
        unlucky = int(spoiled.options.get("n", 1)) if spoiled else 0
        rows: list[Row] = []
        errors: list[dict[str, Any]] = []
        for place, (record, item) in enumerate(found):
            values, refused = self._portal.check(name, item.get("properties") or {})
            refused += self._portal.missing_required(name, {**record.fields, **values}, call.place.dated)
            if place < unlucky:
                errors.append(_row_error(record.record_id, HELD))
            elif refused or record.record_id in held:
                message = values_message(refused) if refused else HELD
                if not alone:
                    raise invalid(message)
                errors.append(_row_error(record.record_id, message))
            else:
                rows.append((record, values))
        return rows, errors

    def _answer(self, status: int, results: list[dict[str, Any]], errors: list[dict[str, Any]], started: int) -> Answer:
        value: dict[str, Any] = {
            "status": "COMPLETE",
            "results": results,
            "startedAt": iso(started),
            "completedAt": iso(self._portal.now_ms()),
        }
        if errors:
            value |= {"numErrors": len(errors), "errors": errors}
        return Answer(207 if errors else status, value)


def _inputs(body: dict[str, Any], most: int) -> list[dict[str, Any]]:
    inputs = body.get("inputs")
    if not isinstance(inputs, list) or not inputs:
        raise invalid("Invalid input: inputs must be a non-empty list.")
    if len(inputs) > most:
        raise invalid(
            f"The maximum number of inputs supported in a batch request is {most}; this one has {len(inputs)}."
        )
    return inputs


def _errors_for(missing: list[str]) -> list[dict[str, Any]]:
    return [missing_objects(missing)] if missing else []


def _row_error(record_id: str, message: str) -> dict[str, Any]:
    return {"status": "error", "category": "VALIDATION_ERROR", "message": message, "context": {"ids": [record_id]}}


def _traced(item: dict[str, Any], category: str, message: str) -> dict[str, Any]:
    context = {"objectWriteTraceId": [item["objectWriteTraceId"]]}
    return {"status": "error", "category": category, "message": message, "context": context}
