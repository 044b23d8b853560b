"""HubSpot's refusals: the error envelopes and the exceptions that carry them.

Shapes: https://developers.hubspot.com/docs/api-reference/error-handling
"""

from __future__ import annotations

import uuid
from typing import Any, NamedTuple

import orjson

PORTAL_ID = 48_000_001
APP_ID = 4_800_777


class PropertyFault(NamedTuple):
    """One property value that was refused: HubSpot packs these as JSON inside `message`."""

    name: str
    error: str
    message: str

    def as_json(self) -> dict[str, Any]:
        return {
            "isValid": False,
            "message": self.message,
            "error": self.error,
            "name": self.name,
            "localizedErrorMessage": self.message,
            "portalId": PORTAL_ID,
        }


class HubSpotError(Exception):
    """A refusal with its status and body."""

    def __init__(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        super().__init__(str(body.get("message", status)))
        self.status = status
        self.body = body
        self.headers = headers or {}


def envelope(message: str, category: str | None = None, **more: Any) -> dict[str, Any]:
    """The usual error body."""
    body: dict[str, Any] = {"status": "error", "message": message, "correlationId": str(uuid.uuid4())}
    if category:
        body["category"] = category
    return {**body, **more}


def invalid(message: str, **more: Any) -> HubSpotError:
    """400 VALIDATION_ERROR."""
    return HubSpotError(400, envelope(message, "VALIDATION_ERROR", **more))


def invalid_values(faults: list[PropertyFault]) -> HubSpotError:
    """400 for property values, with the details packed into the message."""
    return invalid(values_message(faults))


def values_message(faults: list[PropertyFault]) -> str:
    """The message of a refusal of property values."""
    packed = orjson.dumps([fault.as_json() for fault in faults]).decode()
    return f"Property values were not valid: {packed}"


def not_found(message: str = "resource not found") -> HubSpotError:
    """404; the envelope has no category."""
    return HubSpotError(404, envelope(message))


def conflict(message: str) -> HubSpotError:
    """409 CONFLICT."""
    return HubSpotError(409, envelope(message, "CONFLICT"))


def unauthenticated(expired: bool = False) -> HubSpotError:
    """401: no valid token, or one that was valid once."""
    if expired:
        return HubSpotError(401, envelope("The OAuth token used to make this call expired.", "EXPIRED_AUTHENTICATION"))
    return HubSpotError(
        401,
        envelope(
            "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find more details at https://developers.hubspot.com/docs/methods/auth/oauth-overview",
            "INVALID_AUTHENTICATION",
        ),
    )


def missing_scope(scope: str) -> HubSpotError:
    """403 MISSING_SCOPES."""
    text = "This app hasn't been granted all required scopes to make this call. Read more about required scopes here: https://developers.hubspot.com/scopes."
    detail = {
        "message": "One or more of the following scopes are required.",
        "context": {"requiredGranularScopes": [scope]},
    }
    return HubSpotError(
        403,
        envelope(text, "MISSING_SCOPES", errors=[detail], links={"scopes": "https://developers.hubspot.com/scopes"}),
    )


def locked() -> HubSpotError:
    """423: too many writes to the same records; locks last two seconds."""
    return HubSpotError(423, envelope("The record is locked by another operation. Try again in 2 seconds.", "LOCKED"))


def rate_limited(policy: str, headers: dict[str, str] | None = None) -> HubSpotError:
    """429 in its own envelope. `policy`: TEN_SECONDLY_ROLLING, SECONDLY or DAILY."""
    word = {"TEN_SECONDLY_ROLLING": "ten_secondly_rolling", "SECONDLY": "secondly", "DAILY": "daily"}[policy]
    body = {
        "status": "error",
        "message": f"You have reached your {word} limit.",
        "errorType": "RATE_LIMIT",
        "correlationId": str(uuid.uuid4()),
        "policyName": policy,
        "requestId": uuid.uuid4().hex,
    }
    if policy == "TEN_SECONDLY_ROLLING":
        body["groupName"] = f"publicapi:private-app-api-calls-ten-secondly:{APP_ID}"
    return HubSpotError(429, body, headers)


def missing_objects(ids: list[str]) -> dict[str, Any]:
    """The entry of a batch answer's `errors` for ids that do not exist."""
    return {
        "status": "error",
        "category": "OBJECT_NOT_FOUND",
        "message": "Could not get some CONTACT objects, they may be deleted or not exist. Check that ids are valid.",
        "context": {"ids": ids},
    }
