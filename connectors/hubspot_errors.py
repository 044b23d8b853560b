"""What HubSpot's refusals mean to us. Fields of its error bodies are all optional, so everything here reads them as such."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterable, Mapping
from typing import Any, NamedTuple

import orjson

from connectors.http import TurnedAway, retry_after_seconds
from ringtrue.errors import (
    AllowanceSpent,
    ConnectionLost,
    CredentialRefused,
    FieldMissing,
    FieldNotWritable,
    RateLimited,
    RecordRefused,
    RingTrueError,
    RowLocked,
    SchemaChanged,
    ServiceUnavailable,
)
from ringtrue.masking import mask_text

SCOPES: Mapping[str, str] = {
    "list": "crm.objects.contacts.read",
    "search": "crm.objects.contacts.read",
    "read": "crm.objects.contacts.read",
    "history": "crm.objects.contacts.read",
    "associations": "crm.objects.contacts.read",
    "write": "crm.objects.contacts.write",
    "describe": "crm.schemas.contacts.read",
    "prepare": "crm.schemas.contacts.write",
    "lists": "crm.lists.read and crm.lists.write",
    "preferences": "communication_preferences.read",
}
"""The scope each kind of call needs, for refusals that do not name it."""

LOCK_SECONDS = 2.0
"""HubSpot's locks last two seconds (usage guidelines, 423)."""

TEN_SECONDLY_SECONDS = 10.0
SECONDLY_SECONDS = 1.0
DOWN_SECONDS = 3.0

MISSING = frozenset({"PROPERTY_DOESNT_EXIST"})
READ_ONLY = frozenset({"READ_ONLY_VALUE", "READ_ONLY_PROPERTY"})
NOT_FOUND = "OBJECT_NOT_FOUND"

SCOPE_HOME = "HubSpot: Settings > Integrations > Service Keys (or the private app's Scopes tab)"

_TURNED_AWAY = frozenset({503, 521, 523})
"""Statuses after which the call was provably not carried out; after any other 5xx nobody knows."""


_NO_ANSWER = frozenset({408, 499})
_NO_SUCH_ADDRESS = frozenset({404, 405})


class Problem(NamedTuple):
    """One property HubSpot refused, and its code (PROPERTY_DOESNT_EXIST, READ_ONLY_VALUE, INVALID_OPTION, ...)."""

    name: str
    code: str
    message: str


class Refused(RecordRefused):
    """HubSpot refused a request for what stood in it. `ids` are the records it named, if any."""

    def __init__(
        self, message: str, *, category: str = "", problems: tuple[Problem, ...] = (), ids: tuple[str, ...] = ()
    ) -> None:
        super().__init__(message)
        self.category = category
        self.problems = problems
        self.ids = ids


def body_of(raw: bytes | str | None) -> dict[str, Any]:
    """An error body as an object; empty when it is not JSON (an HTML page, broken bytes, nothing)."""
    if not raw:
        return {}
    try:
        parsed = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return {}
    return parsed if isinstance(parsed, dict) else {}


def problems_of(error: Mapping[str, Any]) -> tuple[Problem, ...]:
    """The refused properties of an error: the JSON inside `message`, else the `errors` list."""
    message = str(error.get("message") or "")
    rows: list[Any] = []
    start = message.find("[")
    if start >= 0:
        with contextlib.suppress(orjson.JSONDecodeError):
            rows = orjson.loads(message[start : message.rfind("]") + 1])
    if not rows:
        rows = error.get("errors") or []
    problems = []
    for row in rows:
        if not isinstance(row, dict):
            continue
        named = row.get("name") or next(iter((row.get("context") or {}).get("propertyName") or ()), "")
        code = row.get("error") or row.get("code") or row.get("subCategory") or ""
        problems.append(Problem(str(named), str(code), mask_text(str(row.get("message") or ""))))
    return tuple(problems)


def reason_of(error: Mapping[str, Any]) -> str:
    """One sentence of why, without the JSON and with every number and address masked."""
    problems = problems_of(error)
    if problems:
        return "; ".join(f"{p.name}: {p.message} ({p.code})" if p.code else f"{p.name}: {p.message}" for p in problems)
    message = str(error.get("message") or error.get("category") or "HubSpot gave no reason")
    return mask_text(message.partition("[{")[0].rstrip(": "))[:300]


def ids_of(error: Mapping[str, Any]) -> tuple[str, ...]:
    """The record ids an error names in its context."""
    context = error.get("context") or {}
    found = context.get("ids") or context.get("id") or []
    return tuple(str(item) for item in found) if isinstance(found, list) else (str(found),)


def refusal(
    status: int, raw: bytes | str | None, headers: Mapping[str, str], *, what: str, kind: str, writing: bool
) -> RingTrueError:
    """The error of ours for a status HubSpot answered. `what` says what we were doing ("read contacts")."""
    error = body_of(raw)
    if status == 401:
        return CredentialRefused(_unauthorized(error))
    if status == 403:
        return CredentialRefused(_forbidden(error, what, kind))
    if status == 423:
        return RowLocked(f"HubSpot holds a lock on the records, we could not {what}.", retry_after_seconds=LOCK_SECONDS)
    if status == 429:
        return _too_many(error)
    if status == 477:
        return TurnedAway(
            f"HubSpot is moving this portal to another data centre (477) and cannot {what} now: run again later.",
            retry_after_seconds=retry_after_seconds(headers) or 60.0,
        )
    if status == 530:
        return CredentialRefused(
            "HubSpot does not know this portal (530): check that the token belongs to a live portal."
        )
    if status >= 500 or status in _NO_ANSWER:
        if status in _TURNED_AWAY:
            return TurnedAway(
                f"HubSpot is down for a moment ({status}), we could not {what}.", retry_after_seconds=DOWN_SECONDS
            )
        if writing:
            return ConnectionLost(
                f"HubSpot answered {status} when we wanted to {what}: nobody knows whether it was carried out."
            )
        return ServiceUnavailable(
            f"HubSpot is down for a moment ({status}), we could not {what}.", retry_after_seconds=DOWN_SECONDS
        )
    return _bad_request(status, error, what=what, writing=writing)


def field_error(problems: Iterable[Problem]) -> FieldMissing | FieldNotWritable | None:
    """The error for properties that do not exist or may not be written; None when the refusal is about values."""
    if missing := field_names(problems, MISSING):
        return FieldMissing(
            f"HubSpot has no property {', '.join(missing)}: run `ringtrue prepare`, or take it out of ringtrue.toml."
        )
    if locked := field_names(problems, READ_ONLY):
        return FieldNotWritable(
            f"HubSpot does not let us write {', '.join(locked)}: take it out of the field mapping in ringtrue.toml."
        )
    return None


def field_names(problems: Iterable[Problem], codes: Collection[str]) -> list[str]:
    """The properties refused with one of these codes, in order of name."""
    return sorted({problem.name for problem in problems if problem.code in codes})


def _bad_request(status: int, error: Mapping[str, Any], *, what: str, writing: bool) -> RingTrueError:
    problems = problems_of(error)
    if writing and status not in _NO_SUCH_ADDRESS:
        category = str(error.get("category") or "")
        return Refused(reason_of(error), category=category, problems=problems, ids=ids_of(error))
    return field_error(problems) or SchemaChanged(
        f"HubSpot answered {status} when we wanted to {what}: {reason_of(error)}. Check the path family and the fields in ringtrue.toml."
    )


def _unauthorized(error: Mapping[str, Any]) -> str:
    if "EXPIRED" in str(error.get("category") or ""):
        return f"The HubSpot token has expired: make a new one ({SCOPE_HOME}) and put it into the environment."
    return (
        f"HubSpot refused the token: put a valid service key or private-app token into the environment ({SCOPE_HOME})."
    )


def _forbidden(error: Mapping[str, Any], what: str, kind: str) -> str:
    scopes: dict[str, None] = {}
    for source in (error, *(row for row in error.get("errors") or () if isinstance(row, dict))):
        context = source.get("context") or {}
        for key in ("requiredGranularScopes", "requiredScopes"):
            for scope in context.get(key) or ():
                scopes[str(scope)] = None
    if not scopes and kind in SCOPES:
        scopes[SCOPES[kind]] = None
    if scopes:
        return f"The HubSpot token may not {what}: give it the scope {', '.join(scopes)} under {SCOPE_HOME}."
    return f"The HubSpot token may not {what} ({reason_of(error)}): check its scopes under {SCOPE_HOME}."


def _too_many(error: Mapping[str, Any]) -> RingTrueError:
    policy = str(error.get("policyName") or error.get("message") or "").upper()
    if "DAILY" in policy:
        return AllowanceSpent(
            "HubSpot's API calls of the day are used up. They come back at midnight in the portal's time zone: run again then."
        )
    if "TEN_SECONDLY" in policy or "SECONDLY" not in policy:
        return RateLimited(
            "HubSpot asked us to slow down (ten-second limit).", retry_after_seconds=TEN_SECONDLY_SECONDS
        )
    return RateLimited("HubSpot asked us to slow down (search limit).", retry_after_seconds=SECONDLY_SECONDS)
