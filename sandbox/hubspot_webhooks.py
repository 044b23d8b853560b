"""Webhooks: settings, subscriptions, and deliveries of contact events in signed, repeated, out-of-order batches.

Deliveries start when `webhook_url` is set, by an admin switch or by the settings endpoint. Signature v3: base64(HMAC-SHA256(secret, method + URI + body + timestamp)),
https://developers.hubspot.com/docs/apps/legacy-apps/authentication/validating-requests
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from typing import Any

import httpx
import orjson

from sandbox.hubspot_errors import APP_ID, PORTAL_ID, invalid, not_found
from sandbox.hubspot_http import Answer, Call, Rule, rule
from sandbox.hubspot_portal import Portal
from sandbox.hubspot_values import iso

_MOST_EVENTS, _TIMEOUT_SECONDS, _MOST_RETRIES = 100, 5.0, 10
_KINDS = ("creation", "deletion", "merge", "propertyChange", "restore", "privacyDeletion", "associationChange")


class Webhooks:
    """Keeps subscriptions and delivers what happens to contacts."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal
        self._queue: list[dict[str, Any]] = []
        self._sender: asyncio.Task[None] | None = None
        portal.listeners.append(self._hear)

    def rules(self) -> list[Rule]:
        """The routes, for both families ("webhooks" and "app-webhooks")."""
        return [
            one
            for area in ("webhooks", "app-webhooks")
            for one in (
                rule("GET", f"{area}/{{}}/settings", self.settings, "read"),
                rule("PUT", f"{area}/{{}}/settings", self.configure, "write"),
                rule("GET", f"{area}/{{}}/subscriptions", self.subscriptions, "read"),
                rule("POST", f"{area}/{{}}/subscriptions", self.subscribe, "write"),
                rule("DELETE", f"{area}/{{}}/subscriptions/{{}}", self.unsubscribe, "write"),
            )
        ]

    def settings(self, _: Call) -> Answer:
        """The target of deliveries."""
        url = self._portal.settings["webhook_url"]
        if not url:
            raise not_found()
        stamp = iso(self._portal.now_ms())
        return Answer(
            value={
                "targetUrl": url,
                "throttling": {"maxConcurrentRequests": 10},
                "createdAt": stamp,
                "updatedAt": stamp,
            }
        )

    def configure(self, call: Call) -> Answer:
        """Set the target of deliveries."""
        url = str(call.json().get("targetUrl", ""))
        if not url.startswith(("https://", "http://127.0.0.1")):
            raise invalid("targetUrl must be an https address.")
        self._portal.settings["webhook_url"] = url
        self._portal.keep_settings({"webhook_url": url})
        return self.settings(call)

    def subscriptions(self, _: Call) -> Answer:
        """What is subscribed."""
        return Answer(value={"results": list(self._portal.store.settings("subscription:").values())})

    def subscribe(self, call: Call) -> Answer:
        """Subscribe to an event, for a property change to a property."""
        body = call.json()
        event = str(body.get("eventType", ""))
        if event.partition(".")[2] not in _KINDS or (event.endswith("propertyChange") and not body.get("propertyName")):
            raise invalid(f"Unknown eventType {event!r}, or a propertyChange without propertyName.")
        if body.get("propertyName") in ("hs_lastmodifieddate", "lastmodifieddate"):
            raise invalid("The last modified date cannot be subscribed to.")
        number = self._portal.store.next_number("subscriptions", 25)
        found = {
            "id": str(number),
            "eventType": event,
            "propertyName": body.get("propertyName"),
            "active": bool(body.get("active", True)),
            "createdAt": iso(self._portal.now_ms()),
        }
        self._portal.store.set_setting(f"subscription:{number}", found)
        return Answer(201, found)

    def unsubscribe(self, call: Call) -> Answer:
        """End a subscription."""
        self._portal.store.delete_setting(f"subscription:{call.place.parts[2]}")
        return Answer(204)

    def _hear(self, event: str, record_id: str, details: dict[str, Any]) -> None:
        if not self._portal.settings["webhook_url"]:
            return
        for found in self._portal.store.settings("subscription:").values():
            family, _, kind = found["eventType"].partition(".")
            wanted = kind == event and found["active"] and found["propertyName"] in (None, details.get("property"))
            if wanted:
                self._queue.append(self._event(family, event, record_id, details, int(found["id"])))
        if self._queue and self._sender is None:
            self._sender = asyncio.get_running_loop().create_task(self._deliver())

    def _event(
        self, family: str, event: str, record_id: str, details: dict[str, Any], subscription: int
    ) -> dict[str, Any]:
        source, _, who = str(details.get("source", "")).partition(":")
        body: dict[str, Any] = {
            "eventId": self._portal.store.next_number("events", 3_816_279_340),
            "subscriptionId": subscription,
            "portalId": PORTAL_ID,
            "appId": APP_ID,
            "occurredAt": self._portal.now_ms(),
            "subscriptionType": f"{family}.{event}",
            "attemptNumber": 0,
            "objectId": int(record_id),
            "changeSource": {"user": "CRM_UI", "integration": "INTEGRATION"}.get(source, "IMPORT"),
            "sourceId": f"userId:{who}" if source == "user" else who,
        }
        if family == "object":
            body["objectTypeId"] = "0-1"
        if event == "propertyChange":
            body |= {"propertyName": details["property"], "propertyValue": details["value"] or ""}
        if event == "merge":
            merged = [int(one) for one in details["merged"]]
            body |= {
                "primaryObjectId": int(details["primary"]),
                "mergedObjectIds": merged,
                "newObjectId": int(record_id),
            }
        return body

    async def _deliver(self) -> None:
        """Send what has come together, newest first (order is not promised), each batch until it is taken or ten retries have failed."""
        async with httpx.AsyncClient(timeout=_TIMEOUT_SECONDS, trust_env=False) as client:
            while self._queue:
                await asyncio.sleep(0.05)
                batch = self._queue[:_MOST_EVENTS][::-1]
                del self._queue[:_MOST_EVENTS]
                for attempt in range(_MOST_RETRIES + 1):
                    if await self._taken(client, [{**one, "attemptNumber": attempt} for one in batch]):
                        break
                    await asyncio.sleep(float(self._portal.settings["webhook_retry_seconds"]) * 2**attempt)
        self._sender = None

    async def _taken(self, client: httpx.AsyncClient, batch: list[dict[str, Any]]) -> bool:
        url, body = str(self._portal.settings["webhook_url"]), orjson.dumps(batch)
        stamp = str(self._portal.now_ms())
        secret = str(self._portal.settings["webhook_secret"]).encode()
        digest = hmac.new(secret, b"POST" + url.encode() + body + stamp.encode(), hashlib.sha256).digest()
        headers = {
            "Content-Type": "application/json",
            "X-HubSpot-Signature-v3": base64.b64encode(digest).decode(),
            "X-HubSpot-Request-Timestamp": stamp,
            "X-HubSpot-Signature-Version": "v1",
            "X-HubSpot-Signature": hashlib.sha256(secret + body).hexdigest(),
        }
        try:
            answer = await client.post(url, content=body, headers=headers)
        except httpx.HTTPError:
            return False
        return answer.is_success
