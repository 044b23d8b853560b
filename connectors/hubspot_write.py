"""Batches of up to 100 updates by record id, with one result for each row whatever HubSpot thinks of the others.

HubSpot refuses a whole batch with 400 for one bad row, or takes it with 207 and a list of what it did not take. Both end in the same place: the
bad row is `failed` with its reason, its neighbours are applied. After a 400 the batch is halved until the bad row stands alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.hubspot_errors import (
    LOCK_SECONDS,
    MISSING,
    NOT_FOUND,
    READ_ONLY,
    Refused,
    field_error,
    field_names,
    ids_of,
    reason_of,
)
from connectors.hubspot_read import read_records
from connectors.hubspot_records import RecordReader
from connectors.hubspot_wire import Wire
from ringtrue.errors import RowLocked
from ringtrue.records import RecordWrite, RowResult

BATCH_SIZE = 100
LOCK_TRIES = 3


def write_rows(wire: Wire, object_name: str, rows: Sequence[RecordWrite]) -> list[RowResult]:
    """Write up to 100 records; one result for each row, in order.

    Raises ConnectionLost after a lost answer, FieldMissing or FieldNotWritable when a property stands in the way of every row.
    """
    inputs: dict[str, dict[str, str]] = {}
    batch = _Batch(wire, object_name, inputs)
    for row in rows:
        if row.record_id.isdigit():
            # Two rows for one record would fail the batch: their values travel together, the later ones win.
            values = {name: "" if value is None else value for name, value in row.values.items()}
            inputs.setdefault(row.record_id, {}).update(values)
        else:
            # HubSpot answers 200 to anything else in `id` and does nothing (hubspot-api-nodejs 548).
            batch.results[row.record_id] = RowResult(row.record_id, "failed", "This is not a HubSpot record id.")
    if inputs:
        batch.write(list(inputs))
    return [batch.results[row.record_id] for row in rows]


class _Batch:
    def __init__(self, wire: Wire, object_name: str, inputs: Mapping[str, Mapping[str, str]]) -> None:
        self._wire = wire
        self._object = object_name
        self._inputs = inputs
        self.results: dict[str, RowResult] = {}

    def write(self, ids: list[str]) -> None:
        self._send(ids, lock_tries=LOCK_TRIES)
        self._settle([record_id for record_id in ids if record_id not in self.results])

    def _send(self, ids: list[str], *, lock_tries: int) -> None:
        body = {"inputs": [{"id": record_id, "properties": self._inputs[record_id]} for record_id in ids]}
        path = self._wire.paths.objects(self._object, "/batch/update")
        try:
            answer = self._wire.send("write", "POST", path, body=body, what=f"update {self._object}", writing=True)
        except RowLocked as exc:
            self._locked(ids, str(exc), lock_tries)
        except Refused as exc:
            self._refused(ids, exc)
        else:
            self._taken(ids, answer.data or {})

    def _locked(self, ids: list[str], reason: str, tries: int) -> None:
        if tries > 1:
            self._wire.usage.retries += 1
            self._wire.sleep(LOCK_SECONDS)
            self._send(ids, lock_tries=tries - 1)
        elif len(ids) == 1:
            self._note(ids, "retry", reason)
        else:
            self._wire.sleep(LOCK_SECONDS)
            self._halves(ids)

    def _refused(self, ids: list[str], refused: Refused) -> None:
        if error := field_error(refused.problems):
            names = field_names(refused.problems, MISSING | READ_ONLY)
            touched = [record_id for record_id in ids if any(name in self._inputs[record_id] for name in names)]
            others = [record_id for record_id in ids if record_id not in touched]
            if not touched or (not others and not self.results):
                raise error from refused
            for record_id in touched:
                self.results[record_id] = RowResult(record_id, "failed", str(error))
            if others:
                self._send(others, lock_tries=LOCK_TRIES)
        elif len(ids) == 1:
            # An unknown id is looked up before it is called gone.
            if refused.category != NOT_FOUND:
                self.results[ids[0]] = RowResult(ids[0], "failed", str(refused))
        elif named := [record_id for record_id in ids if record_id in refused.ids]:
            if refused.category != NOT_FOUND:
                for record_id in named:
                    self.results[record_id] = RowResult(record_id, "failed", str(refused))
            if others := [record_id for record_id in ids if record_id not in named]:
                self._send(others, lock_tries=LOCK_TRIES)
        else:
            self._halves(ids)

    def _halves(self, ids: list[str]) -> None:
        middle = len(ids) // 2
        self._send(ids[:middle], lock_tries=1)
        self._send(ids[middle:], lock_tries=1)

    def _taken(self, ids: list[str], data: Mapping[str, Any]) -> None:
        asked = set(ids)
        for row in data.get("results") or ():
            if row["id"] in asked:
                self.results[row["id"]] = RowResult(row["id"], "applied")
        nameless: str | None = None
        named: set[str] = set()
        for error in data.get("errors") or ():
            found = asked.intersection(ids_of(error))
            named |= found
            if not found:
                nameless = reason_of(error)
            elif error.get("category") != NOT_FOUND:
                for record_id in found:
                    self._note([record_id], "failed", reason_of(error))
        left = [record_id for record_id in ids if record_id not in self.results and record_id not in named]
        if nameless is None or not left:
            return
        if len(left) == 1:
            self._note(left, "failed", nameless)
        else:
            self._halves(left)

    def _note(self, ids: list[str], outcome: str, reason: str) -> None:
        for record_id in ids:
            self.results[record_id] = RowResult(record_id, "retry" if outcome == "retry" else "failed", reason)

    def _settle(self, ids: list[str]) -> None:
        """Find out about rows that HubSpot neither confirmed nor refused."""
        if not ids:
            return
        records = read_records(self._wire, self._object, ids, RecordReader(("hs_object_id",)))
        for record_id in ids:
            record = records.get(record_id)
            if record is None:
                self.results[record_id] = RowResult(record_id, "gone", "The record was deleted in HubSpot.")
            elif record.deleted:
                reason = f"The record was merged into {record.merged_into}."
                self.results[record_id] = RowResult(record_id, "gone", reason, record.merged_into)
            else:
                self.results[record_id] = RowResult(record_id, "retry", "HubSpot did not confirm this row.")
