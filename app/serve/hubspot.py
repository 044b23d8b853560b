"""`POST /webhooks/hubspot`: signed batches of contact events.

Signature v3, https://developers.hubspot.com/docs/apps/legacy-apps/authentication/validating-requests: base64 of HMAC-SHA256 over method + URI +
body + timestamp. HubSpot promises neither order nor single delivery, so an event only says which record is to be read again.
"""

from __future__ import annotations

import base64
import hmac
import logging
import re
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from app.serve.addresses import called_url, secret_of
from app.serve.door import Door
from app.serve.refusals import Refused, json_answer
from ringtrue.ledger import inbox
from ringtrue.ledger.inbox import Told
from ringtrue.serve_settings import HubspotHook

log = logging.getLogger("ringtrue.serve")

REPLAY_SECONDS = 300
AHEAD_SECONDS = 60
"""How far the sender's clock may be ahead of ours."""
MOST_EVENTS = 1_000
"""HubSpot sends at most 100."""
_DECODED = {
    "%3A": ":", "%2F": "/", "%3F": "?", "%40": "@", "%21": "!", "%24": "$", "%27": "'", "%28": "(", "%29": ")", "%2A": "*",
    "%2C": ",", "%3B": ";",
}  # fmt: skip
_ESCAPE = re.compile("|".join(_DECODED), re.IGNORECASE)
_KINDS = {
    "creation": "created", "propertyChange": "changed", "deletion": "deleted", "merge": "merged", "restore": "restored",
    "privacyDeletion": "erased",
}  # fmt: skip
_CONTACTS = frozenset({"0-1"})


def signed_uri(url: str) -> str:
    """The URI as HubSpot signs it: some escapes decoded, the question mark before the query as it is."""
    return _ESCAPE.sub(lambda match: _DECODED[match.group().upper()], url)


def signature(secret: str, method: str, url: str, body: bytes, timestamp: str) -> str:
    """Signature v3 of a request."""
    message = method.encode() + signed_uri(url).encode() + body + timestamp.encode()
    return base64.b64encode(hmac.digest(secret.encode(), message, "sha256")).decode()


class HubspotWebhook:
    """Takes the events of one HubSpot app."""

    def __init__(self, door: Door, hook: HubspotHook) -> None:
        self._door, self._hook = door, hook

    async def __call__(self, request: Request) -> Response:
        secret = secret_of(self._door.environ, self._hook.secret_variable)
        body = await request.body()
        self._verify(request, body, secret)
        events = _events(body)
        now = self._door.now()
        names = [self._hook.connection]

        def keep(connection: Any, _key: bytes) -> tuple[int, int]:
            portal = inbox.identities(connection, names).get(self._hook.connection)
            ours = [event for event in events if portal is None or str(event.get("portalId")) == portal]
            told = [each for event in ours if (each := self._told(event)) is not None]
            return inbox.put(connection, told, now), len(events) - len(ours)

        new, foreign = await self._door.commit(keep)
        if foreign:
            log.warning(
                "hubspot: %d events of another portal than that of %s were left out", foreign, self._hook.connection
            )
        return json_answer({"taken": len(events), "new": new})

    def _verify(self, request: Request, body: bytes, secret: str) -> None:
        stamp = request.headers.get("x-hubspot-request-timestamp", "")
        given = request.headers.get("x-hubspot-signature-v3", "")
        if not given or not stamp.isascii() or not stamp.isdigit():
            raise Refused(401, "Sign the request: X-HubSpot-Signature-v3 and X-HubSpot-Request-Timestamp are needed.")
        expected = signature(secret, request.method, called_url(request, self._door.serve), body, stamp)
        if not hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace")):
            raise Refused(
                401,
                f"The signature does not fit. Check the client secret in {self._hook.secret_variable} and that [serve] public_url is the "
                "address HubSpot calls.",
            )
        age = self._door.now() / 1000 - int(stamp[:15]) / 1000
        if age > REPLAY_SECONDS or age < -AHEAD_SECONDS:
            raise Refused(
                401, "The request is older than 5 minutes, or from the future. Check the clocks; a replay is not taken."
            )

    def _told(self, event: dict[str, Any]) -> Told | None:
        """The event as the inbox keeps it: without the property's value, which is read from HubSpot. None for what is no news to us."""
        family, _, word = str(event.get("subscriptionType") or event.get("eventType") or "").partition(".")
        if family != "contact" and not (family == "object" and event.get("objectTypeId") in _CONTACTS):
            return None
        kind = _KINDS.get(word)
        if kind is None or (kind == "changed" and self._own_echo(event)):
            return None
        record = event.get("newObjectId") or event.get("primaryObjectId") if kind == "merged" else None
        record_id = str(record or event["objectId"])
        # eventId alone is not promised to be unique. A repeated delivery has a higher attemptNumber and is the same event.
        parts = ("portalId", "subscriptionId", "eventId", "occurredAt", "objectId")
        event_id = "-".join(str(event.get(part, "")) for part in parts)
        about = {name: event[name] for name in ("propertyName", "changeSource", "mergedObjectIds") if name in event}
        occurred = event.get("occurredAt")
        return Told(
            f"hubspot:{self._hook.connection}",
            event_id,
            kind,
            self._hook.connection,
            "contacts",
            record_id,
            orjson.dumps(about).decode(),
            occurred if isinstance(occurred, int) else None,
        )

    def _own_echo(self, event: dict[str, Any]) -> bool:
        return (
            self._hook.app_id is not None
            and event.get("changeSource") in ("INTEGRATION", "API")
            and str(self._hook.app_id) in (str(event.get("sourceId")), str(event.get("appId")))
        )


def _events(body: bytes) -> list[dict[str, Any]]:
    try:
        events = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Refused(400, "The body is not valid JSON; HubSpot sends an array of events.") from None
    if not isinstance(events, list) or len(events) > MOST_EVENTS:
        raise Refused(400, f"The body must be an array of at most {MOST_EVENTS} events.")
    for event in events:
        if not isinstance(event, dict) or not isinstance(event.get("objectId"), int | str):
            raise Refused(400, "Every event must be an object with an objectId.")
    return events
