"""Small writes and reads by id: sObject Collections, single conditional writes, and what became of records that are gone.

One Collections call is one API call for up to 200 writes or 2,000 reads. Errors of a row never touch its neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from email.utils import format_datetime
from typing import Any

from connectors.crm import FieldInfo
from connectors.salesforce_errors import CONVERTED, entry_of, field_error_of, row_of
from connectors.salesforce_ids import api_name, chunked, id18, quoted_ids
from connectors.salesforce_records import META, json_value, records_of, row_of_json, select, shape_of
from connectors.salesforce_session import SalesforceSession
from ringtrue.errors import ConnectionLost, RecordChanged, RecordGone, RecordRefused, RowLocked, SchemaChanged
from ringtrue.records import PulledRecord, RecordWrite, RowResult

COLLECTION_SIZE = 200
READ_SIZE = 2000
_IDS_IN_QUERY = 400
"""Ids that fit a GET address of 16,384 bytes beside the rest of the query."""
_LONGEST_CHAIN = 10
"""Merges of merges that are followed."""

WRITE_HEADERS = {"Sforce-Duplicate-Rule-Header": "allowSave=true", "Sforce-Auto-Assign": "FALSE"}
"""A changed phone number must neither trip a duplicate rule nor hand a lead to somebody else."""


def write_rows(
    session: SalesforceSession, object_name: str, rows: Sequence[RecordWrite], infos: Mapping[str, FieldInfo]
) -> list[RowResult]:
    """Write up to 200 records of one object in one call; results in the order of the rows.

    Raises FieldMissing or FieldNotWritable when no row was taken because of a column.
    """
    if len(rows) > COLLECTION_SIZE:
        raise ValueError(f"One call writes at most {COLLECTION_SIZE} records, not {len(rows)}.")
    if not rows:
        return []
    records = [
        {
            "attributes": {"type": api_name(object_name)},
            "id": row.record_id,
            **{name: json_value(infos.get(name), value) for name, value in row.values.items()},
        }
        for row in rows
    ]
    answer = session.json(
        "PATCH", "composite/sobjects", json={"allOrNone": False, "records": records}, headers=WRITE_HEADERS
    )
    results = results_of([row.record_id for row in rows], answer, object_name)
    return settle_gone(session, object_name, results)


def results_of(ids: Sequence[str], answer: Any, object_name: str) -> list[RowResult]:
    """The results of a Collections answer, which come by position and may lack ids."""
    if not isinstance(answer, list) or len(answer) != len(ids):
        raise ConnectionLost("Salesforce answered a write without one result for each row.")
    results: list[RowResult] = []
    column_errors = []
    for record_id, one in zip(ids, answer, strict=True):
        if one.get("success"):
            results.append(RowResult(record_id, "applied"))
            continue
        entry = entry_of((one.get("errors") or [{}])[0])
        results.append(row_of(record_id, entry))
        column_error = field_error_of(entry, f"/sobjects/{object_name}")
        if column_error is not None:
            column_errors.append(column_error)
    if column_errors and len(column_errors) == len(results):
        raise column_errors[0]
    return results


def write_if_unmodified(
    session: SalesforceSession,
    object_name: str,
    row: RecordWrite,
    unmodified_since: datetime,
    infos: Mapping[str, FieldInfo],
) -> RowResult:
    """Write one record unless it was modified after the moment, which counts in whole seconds."""
    body = {name: json_value(infos.get(name), value) for name, value in row.values.items()}
    quoted_ids([row.record_id])
    headers = {**WRITE_HEADERS, "If-Unmodified-Since": format_datetime(unmodified_since, usegmt=True)}
    try:
        session.json("PATCH", f"sobjects/{api_name(object_name)}/{row.record_id}", json=body, headers=headers)
    except RecordChanged as exc:
        return RowResult(row.record_id, "changed", str(exc))
    except RowLocked as exc:
        return RowResult(row.record_id, "retry", str(exc))
    except RecordRefused as exc:
        return RowResult(row.record_id, "gone" if str(exc) == CONVERTED else "failed", str(exc))
    except RecordGone as exc:
        return settle_gone(session, object_name, [RowResult(row.record_id, "gone", str(exc))])[0]
    return RowResult(row.record_id, "applied")


def read_rows(
    session: SalesforceSession,
    object_name: str,
    ids: Sequence[str],
    fields: Sequence[str],
    infos: Mapping[str, FieldInfo],
) -> dict[str, PulledRecord]:
    """Up to 2,000 records by id. Deleted ones come as `deleted`, with `merged_into`; ids that never were are missing."""
    if len(ids) > READ_SIZE:
        raise ValueError(f"One call reads at most {READ_SIZE} records, not {len(ids)}.")
    if not ids:
        return {}
    quoted_ids(ids)
    shape = shape_of(fields, infos)
    answer = session.json(
        "POST",
        f"composite/sobjects/{api_name(object_name)}",
        json={"ids": list(ids), "fields": list(shape.columns)},
    )
    if not isinstance(answer, list):
        raise SchemaChanged("Salesforce answered a read by ids with something that is no list.")
    living = records_of(shape, [row_of_json(shape, one) for one in answer if one])
    found = {record.record_id: record for record in living}
    named = {id18(record_id): record_id for record_id in ids}
    missing = [record_id for record_id in named if record_id not in found]
    found.update(_deleted(session, object_name, missing, fields))
    return {named[record_id]: record for record_id, record in found.items() if record_id in named}


def settle_gone(session: SalesforceSession, object_name: str, results: list[RowResult]) -> list[RowResult]:
    """Look up the records said to be gone: where a merge went to, and whether they are gone at all."""
    lost = [result for result in results if result.outcome == "gone" and result.reason != CONVERTED]
    asked = [id18(result.record_id) for result in lost]
    if not asked:
        return results
    state = _fate(session, object_name, asked)
    settled = []
    for result in results:
        if result in lost:
            deleted, master = state.get(id18(result.record_id), (True, None))
            result = result._replace(merged_into=master) if deleted else result._replace(outcome="failed")
        settled.append(result)
    return settled


def _fate(session: SalesforceSession, object_name: str, ids: Sequence[str]) -> dict[str, tuple[bool, str | None]]:
    """(deleted, survivor of the merge) by id. Merges of merges are followed to the record that is left."""
    known: dict[str, tuple[bool, str | None]] = {}
    todo = list(dict.fromkeys(ids))
    for _ in range(_LONGEST_CHAIN):
        if not todo:
            break
        for some in chunked(todo, _IDS_IN_QUERY):
            soql = select(("Id", "IsDeleted", "MasterRecordId"), api_name(object_name), f"Id IN ({quoted_ids(some)})")
            for page in session.query_rows(soql):
                known.update({one["Id"]: (bool(one["IsDeleted"]), one["MasterRecordId"]) for one in page})
        todo = [master for _, master in known.values() if master and master not in known]
    return {record_id: (known[record_id][0], _survivor(known, record_id)) for record_id in ids if record_id in known}


def _survivor(known: Mapping[str, tuple[bool, str | None]], record_id: str) -> str | None:
    master = known[record_id][1]
    for _ in range(_LONGEST_CHAIN):
        further = known.get(master or "", (False, None))[1]
        if not further:
            return master
        master = further
    return master


def _deleted(
    session: SalesforceSession, object_name: str, ids: Sequence[str], fields: Sequence[str]
) -> dict[str, PulledRecord]:
    if not ids:
        return {}
    fate = _fate(session, object_name, ids)
    shape = shape_of((), {})
    found: dict[str, PulledRecord] = {}
    empty = dict.fromkeys(fields)
    for some in chunked(ids, _IDS_IN_QUERY):
        for page in session.query_rows(select(META, api_name(object_name), f"Id IN ({quoted_ids(some)})")):
            for record in records_of(shape._replace(times=(3, 4)), [row_of_json(shape, one) for one in page]):
                merged_into = fate.get(record.record_id, (True, None))[1]
                found[record.record_id] = record._replace(values=dict(empty), merged_into=merged_into)
    return found
