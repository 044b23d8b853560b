"""What surrounds the records: account details and usage, owners, call outcomes, tokens, e-mail preferences."""

from __future__ import annotations

import secrets
from typing import Any
from urllib.parse import parse_qs

from sandbox.calls import HUBSPOT_LABELS
from sandbox.hubspot_errors import APP_ID, PORTAL_ID, HubSpotError, envelope, invalid, not_found
from sandbox.hubspot_http import Answer, Call, Rule, rule
from sandbox.hubspot_portal import Portal
from sandbox.hubspot_values import iso
from sandbox.load import HUBSPOT_OWNERS, SALES_TEAM
from sandbox.store import Record

CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN = "sandbox-client", "sandbox-secret", "sandbox-refresh"
_TOKEN_SECONDS = 1800
SUBSCRIPTION = {"id": "1", "name": "Marketing Information", "description": "Marketing offers and updates.", "purpose": "Marketing", "communicationMethod": "Email", "isActive": True, "isDefault": True, "isInternal": False}  # fmt: skip


class Account:
    """The handlers around the records."""

    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    def rules(self) -> list[Rule]:
        """The routes."""
        prefer = "communication-preferences"
        return [
            rule("GET", "account-info/details", self.details, "read"),
            rule("GET", "account-info/api-usage/daily", self.usage, "read"),
            rule("GET", "account-info/api-usage/daily/private-apps", self.usage, "read"),
            rule("GET", "integrations/me", self.me, "read"),
            rule("GET", "owners", self.owners, "read", "crm.objects.owners.read"),
            rule("GET", "owners/{}", self.owner, "read", "crm.objects.owners.read"),
            rule("GET", "calling/dispositions", self.dispositions, "read"),
            rule("GET", "twilio/dispositions", self.dispositions, "read"),
            rule("POST", "oauth/token", self.token, "login"),
            rule("GET", "oauth/access-tokens/{}", self.token_info, "login"),
            rule("GET", f"{prefer}/definitions", self.definitions, "read"),
            rule("GET", f"{prefer}/status/email/{{}}", self.status, "read"),
            rule("POST", f"{prefer}/unsubscribe", self.unsubscribe, "write"),
            rule("POST", f"{prefer}/subscribe", self.subscribe, "write"),
            rule("GET", f"{prefer}/statuses/{{}}", self.statuses, "read"),
            rule("POST", f"{prefer}/statuses/{{}}", self.set_status, "write"),
            rule("GET", f"{prefer}/statuses/{{}}/unsubscribe-all", self.all_status, "read"),
            rule("POST", f"{prefer}/statuses/{{}}/unsubscribe-all", self.unsubscribe_all, "write"),
        ]

    def details(self, _: Call) -> Answer:
        """The account behind the token."""
        value = {
            "portalId": PORTAL_ID,
            "accountType": "STANDARD",
            "timeZone": "UTC",
            "companyCurrency": "USD",
            "additionalCurrencies": [],
            "utcOffset": "+00:00",
            "utcOffsetMilliseconds": 0,
            "uiDomain": "app.hubspot.com",
            "dataHostingLocation": "na1",
        }
        return Answer(value=value)

    def usage(self, _: Call) -> Answer:
        """The day's calls."""
        limits = self._portal.limits
        row = {
            "name": "private-apps-api-calls-daily",
            "usageLimit": int(self._portal.settings["daily"]) or 1_000_000_000,
            "currentUsage": limits.used_today,
            "collectedAt": iso(self._portal.now_ms()),
            "fetchStatus": "SUCCESS",
            "resetsAt": iso(round(limits.resets_at().timestamp() * 1000)),
        }
        return Answer(value={"results": [row]})

    def me(self, _: Call) -> Answer:
        """Portal and app of the token (an old path that many clients still call)."""
        return Answer(
            value={
                "portalId": PORTAL_ID,
                "timeZone": "UTC",
                "accountType": "STANDARD",
                "currency": "USD",
                "appId": APP_ID,
            }
        )

    def owners(self, call: Call) -> Answer:
        """The sales team."""
        call.limit(100, 500)
        return Answer(value={"results": [_owner(place) for place in range(len(SALES_TEAM))]})

    def owner(self, call: Call) -> Answer:
        """One of the sales team."""
        if call.place.parts[0] not in HUBSPOT_OWNERS:
            raise not_found()
        return Answer(value=_owner(HUBSPOT_OWNERS.index(call.place.parts[0])))

    def dispositions(self, _: Call) -> Answer:
        """The portal's call outcomes: a bare array."""
        return Answer(value=[{"id": guid, "label": label, "deleted": False} for guid, label in HUBSPOT_LABELS])

    def token(self, call: Call) -> Answer:
        """An access token for a refresh token, form-encoded; it lives half an hour."""
        form = {name: values[-1] for name, values in parse_qs(call.body.decode()).items()}
        if form.get("grant_type") != "refresh_token":
            raise HubSpotError(400, envelope("missing or unsupported grant_type", "BAD_GRANT_TYPE"))
        if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
            raise HubSpotError(400, envelope("missing or invalid client id or secret", "BAD_CLIENT_ID"))
        if form.get("refresh_token") != REFRESH_TOKEN:
            raise HubSpotError(400, envelope("missing or unknown refresh token", "BAD_REFRESH_TOKEN"))
        token = f"sandbox-oauth-{secrets.token_hex(16)}"
        self._portal.store.set_setting(f"token:{token}", self._portal.now_ms() + _TOKEN_SECONDS * 1000)
        value = {
            "token_type": "bearer",
            "refresh_token": REFRESH_TOKEN,
            "access_token": token,
            "expires_in": _TOKEN_SECONDS,
        }
        return Answer(value=value)

    def token_info(self, call: Call) -> Answer:
        """What a token is good for."""
        expires = self._portal.store.setting(f"token:{call.place.parts[1]}")
        if expires is None:
            raise not_found()
        left = max(0, (int(expires) - self._portal.now_ms()) // 1000)
        return Answer(
            value={
                "token": call.place.parts[1],
                "hub_id": PORTAL_ID,
                "app_id": APP_ID,
                "expires_in": left,
                "token_type": "access",
            }
        )

    def definitions(self, _: Call) -> Answer:
        """The subscription types: e-mail only."""
        return Answer(value={"subscriptionDefinitions": [SUBSCRIPTION], "results": [SUBSCRIPTION]})

    def status(self, call: Call) -> Answer:
        """v3: the subscriptions of an address."""
        record = self._contact(call.place.parts[2])
        row = {**SUBSCRIPTION, "status": _word(record), "sourceOfStatus": "SUBSCRIPTION_STATUS", "legalBasis": None}
        return Answer(value={"recipient": call.place.parts[2], "subscriptionStatuses": [row]})

    def unsubscribe(self, call: Call) -> Answer:
        """v3: unsubscribe an address."""
        body = call.json()
        return self._set(str(body.get("emailAddress", "")), unsubscribed=True)

    def subscribe(self, call: Call) -> Answer:
        """v3: subscribe an address; one that has opted out cannot be subscribed by API."""
        body = call.json()
        address = str(body.get("emailAddress", ""))
        if _word(self._contact(address)) == "NOT_SUBSCRIBED":
            raise invalid(f"{address} has unsubscribed and cannot be subscribed by API.")
        return self._set(address, unsubscribed=False)

    def statuses(self, call: Call) -> Answer:
        """v4: the subscriptions of an address. The only channel is EMAIL."""
        _email_only(call)
        word = "UNSUBSCRIBED" if _word(self._contact(call.place.parts[1])) == "NOT_SUBSCRIBED" else "SUBSCRIBED"
        row = {
            "channel": "EMAIL",
            "subscriberIdString": call.place.parts[1],
            "subscriptionId": 1,
            "status": word,
            "source": "API",
        }
        return Answer(value={"status": "COMPLETE", "results": [row]})

    def set_status(self, call: Call) -> Answer:
        """v4: set a subscription of an address."""
        body = call.json()
        if body.get("channel") != "EMAIL":
            raise invalid("channel must be EMAIL.")
        return self._set(call.place.parts[1], unsubscribed=body.get("statusState") == "UNSUBSCRIBED")

    def all_status(self, call: Call) -> Answer:
        """v4: whether an address has unsubscribed from everything."""
        _email_only(call)
        word = "UNSUBSCRIBED" if _word(self._contact(call.place.parts[1])) == "NOT_SUBSCRIBED" else "SUBSCRIBED"
        return Answer(
            value={
                "status": "COMPLETE",
                "results": [
                    {
                        "channel": "EMAIL",
                        "subscriberIdString": call.place.parts[1],
                        "wideStatusType": "PORTAL_WIDE",
                        "status": word,
                    }
                ],
            }
        )

    def unsubscribe_all(self, call: Call) -> Answer:
        """v4: unsubscribe an address from everything."""
        _email_only(call)
        return self._set(call.place.parts[1], unsubscribed=True)

    def _set(self, address: str, *, unsubscribed: bool) -> Answer:
        record = self._contact(address)
        value = {"hs_email_optout": "true" if unsubscribed else None}
        self._portal.write("contacts", [(record, value)], f"integration:{APP_ID}")
        word = "NOT_SUBSCRIBED" if unsubscribed else "SUBSCRIBED"
        return Answer(value={**SUBSCRIPTION, "recipient": address, "status": word})

    def _contact(self, address: str) -> Record:
        record = self._portal.by_email(address)
        if record is None:
            raise not_found(f"No contact has the address {address}.")
        return record


def _email_only(call: Call) -> None:
    if call.text("channel") not in ("", "EMAIL"):
        raise invalid("channel must be EMAIL.")


def _word(record: Record) -> str:
    return "NOT_SUBSCRIBED" if record.fields.get("hs_email_optout") == "true" else "SUBSCRIBED"


def _owner(place: int) -> dict[str, Any]:
    first, last = SALES_TEAM[place]
    stamp = iso(0)
    return {
        "id": HUBSPOT_OWNERS[place],
        "email": f"{first.lower()}@sandbox.example",
        "firstName": first,
        "lastName": last,
        "userId": 61_000_001 + place,
        "type": "PERSON",
        "archived": False,
        "createdAt": stamp,
        "updatedAt": stamp,
    }
