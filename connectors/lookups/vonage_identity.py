"""Vonage Identity Insights: format and carrier; reachability only where an operator approved the account.

Signed in by a short-lived JWT (RS256) of the application. Every insight has its own status inside HTTP 200.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from connectors.lookups.client import LookupClient
from connectors.lookups.protocol import Answer, Offer, Question, ServiceFacts
from connectors.lookups.reading import Reading
from connectors.lookups.service import HttpService, Product, Surroundings, make_limits, make_offers
from ringtrue.errors import SettingsError
from ringtrue.lookup_settings import ServiceSettings, read_secrets

NAME = "vonage"
SECRETS = {"application_id": "VONAGE_APPLICATION_ID", "private_key": "VONAGE_PRIVATE_KEY"}
BASE_URL = "https://api-eu.vonage.com"

PRODUCTS = (
    Product("format", ("validity",), lifetime_days=180),
    Product("current_carrier", ("line_type", "validity"), lifetime_days=180),
    Product("carriers", ("line_type", "validity"), lifetime_days=180),
    Product("reachability", ("line_status",), line_types=frozenset({"mobile"}), lifetime_days=14),
)
_INSIGHTS = {
    "format": ("format",),
    "current_carrier": ("format", "current_carrier"),
    "carriers": ("format", "current_carrier", "original_carrier"),
    "reachability": ("format", "reachability"),
}
_NEEDS_PURPOSE = frozenset({"reachability"})
_TOKEN_SECONDS = 900


class ApplicationToken:
    """A Vonage application's JWT, made anew a minute before it ends."""

    def __init__(self, application_id: str, private_key: str) -> None:
        self._application_id = application_id
        self._private_key = private_key.replace("\\n", "\n")
        self._token, self._ends_at = "", 0.0

    def header(self) -> dict[str, str]:
        """The Authorization header. Raises SettingsError when the key cannot sign."""
        now = time.time()
        if now > self._ends_at - 60:
            claims = {
                "application_id": self._application_id,
                "iat": int(now),
                "exp": int(now) + _TOKEN_SECONDS,
                "jti": str(uuid.uuid4()),
            }
            try:
                self._token = jwt.encode(claims, self._private_key, algorithm="RS256")
            except (ValueError, TypeError, jwt.exceptions.PyJWTError) as exc:
                raise SettingsError(
                    "The private key of the Vonage application cannot be read. It must be the PEM text that Vonage gave you, with its line breaks."
                ) from exc
            self._ends_at = now + _TOKEN_SECONDS
        return {"Authorization": f"Bearer {self._token}"}


class IdentityInsights(HttpService):
    """Asks `/identity-insights/v1/requests` for the insights of one product."""

    def __init__(self, facts: ServiceFacts, client: LookupClient, token: ApplicationToken, purpose: str) -> None:
        super().__init__(facts, client)
        self._token, self._purpose = token, purpose

    async def ask(self, offer: Offer, questions: Sequence[Question]) -> AsyncIterator[Answer]:
        """One answer per question; see `LookupService.ask`."""
        insights = _INSIGHTS[offer.product]
        for question in questions:
            wanted: dict[str, Any] = {
                "phone_number": question.subject.lstrip("+"),
                "insights": {name: {} for name in insights},
            }
            if _NEEDS_PURPOSE & set(insights):
                wanted["purpose"] = self._purpose
            started = time.monotonic()
            response = await self.client.send(
                "POST", "/identity-insights/v1/requests", json=wanted, headers=self._token.header()
            )
            latency = round((time.monotonic() - started) * 1000)
            body = self.client.json(response)
            given = body.get("insights") if isinstance(body, dict) else None
            if not isinstance(given, dict):
                raise self.client.schema_changed("no insights")
            yield self._read(offer, question, given, response.content, latency, body.get("request_id"))

    def _read(
        self,
        offer: Offer,
        question: Question,
        given: Mapping[str, Any],
        raw: bytes,
        latency_ms: int,
        request_id: str | None,
    ) -> Answer:
        reading = self.reading()
        good: dict[str, Mapping[str, Any]] = {}
        for name in _INSIGHTS[offer.product]:
            insight = given.get(name)
            if not isinstance(insight, dict):
                raise self.client.schema_changed(f"the insight {name} is missing")
            code = (insight.get("status") or {}).get("code")
            reading.take("insight_status", code)
            if str(code).casefold() in ("ok", "partial_success"):
                good[name] = insight
        if "is_format_valid" in good.get("format", {}):
            reading.take("is_format_valid", str(good["format"]["is_format_valid"]).lower())
        carrier = good.get("current_carrier", {})
        reading.take("network_type", carrier.get("network_type"))
        _note_ported(reading, carrier, good.get("original_carrier", {}))
        if "is_reachable" in good.get("reachability", {}):
            reading.take("is_reachable", str(good["reachability"]["is_reachable"]).lower())
        return reading.answer(
            question, offer, body=raw, latency_ms=latency_ms, carrier=carrier.get("name"), external_id=request_id
        )


def _note_ported(reading: Reading, current: Mapping[str, Any], original: Mapping[str, Any]) -> None:
    """Identity Insights does not say ported; another network now than at first does."""
    if current.get("network_code") and original.get("network_code"):
        same = current["network_code"] == original["network_code"]
        reading.take("ported", "not_ported" if same else "ported")


def _any_key() -> str:
    """The stand-in takes any key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def open_identity_insights(settings: ServiceSettings, around: Surroundings, *, purpose: str) -> IdentityInsights:
    """Identity Insights as the settings want it."""
    stand_in = {"application_id": "sandbox-application", "private_key": ""}
    secrets, settings = read_secrets(NAME, settings, SECRETS, around.environ, stand_in)
    facts = ServiceFacts(
        name=NAME,
        offers=make_offers(NAME, settings, PRODUCTS, ("current_carrier",)),
        limits=make_limits(settings, 25, 25),
        located_in="DE",
    )
    client = LookupClient(NAME, settings.base_url or BASE_URL, facts.limits)
    token = ApplicationToken(secrets["application_id"], secrets["private_key"] or _any_key())
    token.header()
    return IdentityInsights(facts, client, token, purpose)
