"""What Salesforce's error bodies mean: one error of ours for a failed call, one result for a failed row.

Codes: REST API Developer Guide, "Status Codes and Error Responses". Match on codes, never on wording, except where one code has two meanings.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import orjson
import requests

from connectors.http import error_for_status, is_html, mask_body
from ringtrue.errors import (
    AllowanceSpent,
    CredentialRefused,
    FieldMissing,
    FieldNotWritable,
    RateLimited,
    RecordChanged,
    RecordGone,
    RecordRefused,
    RingTrueError,
    RowLocked,
    SchemaChanged,
    ServiceUnavailable,
    SettingsError,
)
from ringtrue.masking import mask_text
from ringtrue.records import RowResult

GRANT = "Give the integration user's permission set edit access to it; run `ringtrue prepare`, which creates the fields and the permission set."
CONVERTED_CODE = "CANNOT_UPDATE_CONVERTED_LEAD"
CONVERTED = "The lead was converted and is read-only: its contact carries the numbers now."

_NO_COLUMN = re.compile(r"No such column '([^']+)' on (?:entity|sobject of type) '?(\w+)")
_NOT_FOUND_IN_BULK = re.compile(r"Field name not found : ([\w.]+)")
_NOT_WRITABLE = re.compile(r"Unable to create/update fields: ([\w, ]+)")
_OBJECT = re.compile(r"/sobjects/(\w+)|sObject type '(\w+)'")

_ONE_RECORD = re.compile(r"/sobjects/\w+/\w{15}(?:\w{3})?(?:$|\?)")

_GONE = frozenset({"ENTITY_IS_DELETED", "NOT_FOUND", "INVALID_CROSS_REFERENCE_KEY"})
_RETRY = frozenset(
    {
        "UNABLE_TO_LOCK_ROW",
        "ALL_OR_NONE_OPERATION_ROLLED_BACK",
        "REQUEST_LIMIT_EXCEEDED",
        "SERVER_UNAVAILABLE",
        "UNKNOWN_EXCEPTION",
        "QUERY_TIMEOUT",
    }
)
_NO_RIGHT = frozenset(
    {
        "API_DISABLED_FOR_ORG",
        "API_CURRENTLY_DISABLED",
        "INSUFFICIENT_ACCESS",
        "INSUFFICIENT_ACCESS_OR_READONLY",
        "TXN_SECURITY_METERING_ERROR",
        "CLIENT_NOT_ACCESSIBLE_FOR_USER",
        "API_ERROR",
    }
)
_UNREADABLE = frozenset(
    {
        "MALFORMED_QUERY",
        "JSON_PARSER_ERROR",
        "INVALID_QUERY_FILTER_OPERATOR",
        "EXCEEDED_MAX_SIZE_REQUEST",
    }
)


class QueryLocatorLost(ServiceUnavailable):
    """The server forgot where the query was: start again from the last row read."""


class QueryTooSlow(ServiceUnavailable):
    """The query ran into the server's time limit: ask for less, or by Bulk."""


class JobStateRefused(SchemaChanged):
    """The job is not in the state that this needs: not ended yet, or ended already."""


class ApiError(NamedTuple):
    """One entry of an error body. `errorCode` in calls, `statusCode` in rows."""

    code: str
    message: str
    fields: tuple[str, ...] = ()


def parse_errors(body: bytes) -> list[ApiError]:
    """The entries of an error body, an empty list where it is not the JSON array that was due."""
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        return []
    entries = content if isinstance(content, list) else [content]
    return [entry_of(entry) for entry in entries if isinstance(entry, dict)]


def entry_of(entry: dict[str, Any]) -> ApiError:
    """An error entry of a call or of a row."""
    code = entry.get("errorCode") or entry.get("statusCode") or entry.get("error") or ""
    return ApiError(
        str(code), str(entry.get("message") or entry.get("error_description") or ""), tuple(entry.get("fields") or ())
    )


def error_of(response: requests.Response) -> RingTrueError | None:
    """The error that an answer stands for, None for success. A 401 is the session's business and comes back as CredentialRefused."""
    status = response.status_code
    if status < 300:
        if response.headers.get("Content-Type", "").startswith("text/html"):
            return ServiceUnavailable(
                "Salesforce answered with a page for people instead of data. It may be under maintenance."
            )
        return None
    body = response.content
    entries = parse_errors(body)
    url = response.request.url or ""
    if status == 412:
        return RecordChanged("The record was modified after the moment named; nothing was written.")
    if entries and status not in (420, 429):
        known = _known(status, entries[0], url)
        if known is not None:
            return known
    text = response.text
    passing = error_for_status("Salesforce", status, response.headers, text)
    if passing is not None:
        return passing
    if status == 401:
        return CredentialRefused("Salesforce does not accept the session.")
    if 300 <= status < 400 or is_html(text):
        return ServiceUnavailable(
            f"Salesforce answered with a page or sent us elsewhere (HTTP {status}). Check the domain of the connection."
        )
    if status == 410:
        return SettingsError("Salesforce has retired this API version. Set a newer `api_version` for the connection.")
    if status == 404:
        return RecordGone("Salesforce does not know this record or job.")
    return SchemaChanged(f"Salesforce answered HTTP {status} in words we do not know: {mask_body(text)}")


def _known(status: int, entry: ApiError, url: str) -> RingTrueError | None:
    code, said = entry.code, mask_text(entry.message)
    field_error = field_error_of(entry, url)
    if field_error is not None:
        return field_error
    if code == "REQUEST_LIMIT_EXCEEDED":
        if "concurrent" in said.lower():
            return RateLimited("Too many long calls are running in Salesforce at the same time.")
        return AllowanceSpent(
            "The org's API calls of the last 24 hours are used up. Run again later, or raise the org's limit."
        )
    if code == "UNABLE_TO_LOCK_ROW" or "UNABLE_TO_LOCK_ROW" in said:
        return RowLocked("Another transaction holds the record.")
    if code == "INVALID_QUERY_LOCATOR":
        return QueryLocatorLost("Salesforce no longer knows where the query was.")
    if code == "QUERY_TIMEOUT":
        return QueryTooSlow("The query took Salesforce too long.")
    if code in ("INVALID_TYPE", "INVALIDENTITY"):
        match = _OBJECT.search(said)
        name = next((group for group in match.groups() if group), "") if match else ""
        return FieldMissing(
            f"Our user does not see the object {name or said}. Give the integration user read and edit access to it."
        )
    if code == "INVALIDJOBSTATE":
        return JobStateRefused(f"The Bulk job is not in the state for this ({said}).")
    if code.startswith("INSUFFICIENT_ACCESS") and _ONE_RECORD.search(url):
        return RecordRefused(reason_of(entry))
    if code in _NO_RIGHT or (status == 403 and code not in ("", "NOT_FOUND")):
        return CredentialRefused(
            f"Salesforce does not let our user do this ({code}: {said}). Check the integration user's permissions."
        )
    if code in _GONE and status == 404:
        return RecordGone(
            "The record was deleted." if code == "ENTITY_IS_DELETED" else f"Salesforce does not know it ({code})."
        )
    if status == 400 and code in _GONE:
        return RecordGone(f"Salesforce does not know the record ({code}).")
    if status == 400 and code in _UNREADABLE:
        return SchemaChanged(f"Salesforce could not read our request ({code}: {said}).")
    if status == 400 and code:
        return RecordRefused(reason_of(entry))
    return None


def field_error_of(entry: ApiError, url: str = "") -> FieldMissing | FieldNotWritable | None:
    """FieldMissing or FieldNotWritable where the entry is about a column as such, not about a value in it."""
    object_match = re.search(r"/sobjects/(\w+)", url)
    of = f" of {object_match.group(1)}" if object_match else ""
    if entry.code == "INVALID_FIELD_FOR_INSERT_UPDATE":
        match = _NOT_WRITABLE.search(entry.message)
        names = match.group(1).strip() if match else ", ".join(entry.fields)
        return FieldNotWritable(f"Our Salesforce user may not write {names or 'a field'}{of}. {GRANT}")
    column, bulk = _NO_COLUMN.search(entry.message), _NOT_FOUND_IN_BULK.search(entry.message)
    if column:
        return FieldMissing(f"Our Salesforce user sees no field {column.group(1)} of {column.group(2)}. {GRANT}")
    if bulk:
        return FieldMissing(f"Our Salesforce user sees no field {bulk.group(1)}{of}. {GRANT}")
    if entry.code == "INVALID_FIELD":
        names = ", ".join(entry.fields) or mask_text(entry.message)
        return FieldMissing(f"Our Salesforce user sees no field {names}{of}. {GRANT}")
    return None


def reason_of(entry: ApiError) -> str:
    """Why a row was refused, in words fit for a sales person's list: the code, the message masked, the fields."""
    if entry.code == CONVERTED_CODE:
        return CONVERTED
    fields = f" ({', '.join(entry.fields)})" if entry.fields else ""
    return f"{entry.code}: {mask_text(entry.message)}{fields}"


def row_of(record_id: str, entry: ApiError) -> RowResult:
    """What became of a row that came back with this error."""
    if entry.code in _RETRY or "UNABLE_TO_LOCK_ROW" in entry.message:
        return RowResult(record_id, "retry", reason_of(entry))
    if entry.code in _GONE or entry.code == CONVERTED_CODE:
        return RowResult(record_id, "gone", reason_of(entry))
    return RowResult(record_id, "failed", reason_of(entry))


def bulk_entry(text: str) -> ApiError:
    """The `sf__Error` of a Bulk result, `CODE:message:fields--`, taken apart."""
    code, _, rest = text.partition(":")
    message, _, tail = rest.rpartition(":")
    if not message:
        return ApiError(code, rest.removesuffix("--"))
    fields = tuple(name.strip() for name in tail.removesuffix("--").split(",") if name.strip())
    return ApiError(code, message, fields)
