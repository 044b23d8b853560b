"""Vonage: Number Insight (ends 2027-02-04) or its successor Identity Insights, by setting.

Number Insight answers HTTP 200 for everything; its `status` says what happened. Roaming is never read: keeping it is unlawful in several places.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

import httpx
import orjson

from connectors.lookups.client import LookupClient
from connectors.lookups.protocol import Answer, LookupService, Offer, Question, ServiceFacts
from connectors.lookups.service import (
    Callbacks,
    HttpService,
    Options,
    Product,
    Surroundings,
    make_limits,
    make_offers,
    read_options,
)
from connectors.lookups.vonage_identity import SECRETS as IDENTITY_SECRETS
from connectors.lookups.vonage_identity import open_identity_insights
from ringtrue.errors import RingTrueError, ServiceUnavailable, SettingsError
from ringtrue.lookup_settings import ServiceSettings, read_secrets

NAME = "vonage"
SECRETS = {"api_key": "VONAGE_API_KEY", "api_secret": "VONAGE_API_SECRET"}
STAND_IN = {"api_key": "sandbox-key", "api_secret": "sandbox-secret"}
BASE_URL = "https://api.nexmo.com"
SUNSET = date(2027, 2, 4)

_OUTSIDE_US_MOBILE = frozenset({"mobile"})
PRODUCTS = (
    Product("basic", ("validity",), lifetime_days=180),
    Product("standard", ("line_type", "validity"), lifetime_days=180),
    Product("advanced", ("line_status", "line_type", "validity"), line_types=_OUTSIDE_US_MOBILE, lifetime_days=14),
    Product(
        "advanced_async",
        ("line_status", "line_type", "validity"),
        line_types=_OUTSIDE_US_MOBILE,
        lifetime_days=14,
        job=True,
    ),
)


class VonageOptions(Options):
    """`api` chooses the product family; the other settings belong to Identity Insights."""

    api: Literal["identity_insights", "number_insight"] = "identity_insights"
    purpose: str = "FraudPreventionAndDetection"


class NumberInsight(HttpService):
    """Asks `/ni/<level>/json`; the asynchronous level is a job whose answer comes to the entry service."""

    def __init__(self, facts: ServiceFacts, client: LookupClient, callbacks: Callbacks | None = None) -> None:
        super().__init__(facts, client)
        self._callbacks = callbacks

    async def ask(self, offer: Offer, questions: Sequence[Question]) -> AsyncIterator[Answer]:
        """One answer per question; see `LookupService.ask`."""
        for question in questions:
            started = time.monotonic()
            response = await self.client.send(
                "GET",
                f"/ni/{offer.product}/json",
                params={"number": question.subject.lstrip("+")},
                inspect=self._inspect,
            )
            latency = round((time.monotonic() - started) * 1000)
            yield self._read(offer, question, self.client.json(response), response.content, latency)

    async def submit(self, questions: Sequence[Question]) -> str:
        """Order one asynchronous insight; the job is Vonage's request id."""
        (question,) = questions
        if self._callbacks is None:
            raise SettingsError("vonage's advanced_async needs the entry service, which receives Vonage's answers.")
        response = await self.client.send(
            "GET",
            "/ni/advanced/async/json",
            params={"number": question.subject.lstrip("+"), "callback": self._callbacks.address},
            inspect=self._inspect,
        )
        acknowledged = self.client.json(response)
        status = acknowledged.get("status")
        meaning = self.table.meaning("status", status)
        if meaning is None or "request_id" not in acknowledged:
            raise self.client.schema_changed(f"status {status} without a request id")
        self.unless_refused(meaning, f"status {status}")
        return str(acknowledged["request_id"])

    async def collect(self, offer: Offer, job_id: str, questions: Sequence[Question]) -> AsyncIterator[Answer]:
        """Wait for the callback. Raises ServiceUnavailable when it has not come: Vonage repeats it for 24 hours, so the job stays open."""
        (question,) = questions
        started = time.monotonic()
        body = None
        if self._callbacks is not None:
            body = await self._callbacks.wait(job_id, self.facts.limits.timeout_seconds)
        if body is None:
            raise ServiceUnavailable("vonage has not called back yet; the answer is fetched by a later run.")
        try:
            insight = orjson.loads(body)
        except orjson.JSONDecodeError as exc:
            raise self.client.schema_changed("a callback that is not JSON") from exc
        yield self._read(offer, question, insight, body, round((time.monotonic() - started) * 1000))

    def _inspect(self, response: httpx.Response) -> RingTrueError | None:
        body = self.client.json(response)
        return self.passing("status", body.get("status")) if isinstance(body, dict) else None

    def _read(self, offer: Offer, question: Question, body: Any, raw: bytes, latency_ms: int) -> Answer:
        if not isinstance(body, dict) or "status" not in body:
            raise self.client.schema_changed("no field status")
        reading = self.reading()
        self.unless_refused(reading.take("status", _status_word(body)), f"status {body['status']}")
        carrier = body.get("current_carrier") or {}
        original = body.get("original_carrier") or {}
        reading.take("network_type", carrier.get("network_type") or original.get("network_type"))
        reading.take("ported", body.get("ported"))
        if offer.product.startswith("advanced"):
            reading.take("valid_number", body.get("valid_number"))
            reading.take("reachable", body.get("reachable"))
        return reading.answer(
            question,
            offer,
            body=raw,
            latency_ms=latency_ms,
            cost=_cost(body, offer.price),
            carrier=carrier.get("name") or original.get("name"),
            external_id=body.get("request_id"),
        )


def _status_word(body: Mapping[str, Any]) -> str:
    """Status 3 stands for a wrong number and for a wrong request; the message tells them apart."""
    said = str(body.get("status_message") or body.get("error_text") or "").casefold()
    status = str(body["status"])
    return f"{status} number format" if status == "3" and "not valid number format" in said else status


def _cost(body: Mapping[str, Any], listed: Decimal) -> Decimal:
    """What this answer really cost: Vonage states the price and what it gives back."""
    try:
        return Decimal(body["request_price"]) - Decimal(body.get("refund_price") or 0)
    except (KeyError, TypeError, InvalidOperation):
        return listed


def sunset_warning(today: date) -> str:
    """What the run's page says as long as Number Insight is chosen."""
    left = (SUNSET - today).days
    end = f"ends on {SUNSET}, in {left} days" if left > 0 else f"ended on {SUNSET}"
    return (
        f'Vonage Number Insight {end}. Set api = "identity_insights" under [lookups.vonage]; '
        "it has no valid_number, and reachability only with an operator's approval."
    )


def secrets_for(settings: ServiceSettings) -> Mapping[str, str]:
    """The secrets that the chosen product family needs, and the environment variable of each."""
    return SECRETS if settings.options.get("api") == "number_insight" else IDENTITY_SECRETS


def open_service(settings: ServiceSettings, around: Surroundings) -> LookupService:
    """Identity Insights, or Number Insight with a warning."""
    options = read_options(NAME, settings, VonageOptions)
    if options.api == "identity_insights":
        return open_identity_insights(settings, around, purpose=options.purpose)
    secrets, settings = read_secrets(NAME, settings, SECRETS, around.environ, STAND_IN)
    facts = ServiceFacts(
        name=NAME,
        offers=make_offers(NAME, settings, PRODUCTS, ("advanced",)),
        limits=make_limits(settings, 25, 25),
        located_in="GB",
        warnings=(sunset_warning(datetime.now(UTC).date()),),
    )
    client = LookupClient(
        NAME, settings.base_url or BASE_URL, facts.limits, auth=(secrets["api_key"], secrets["api_secret"])
    )
    return NumberInsight(facts, client, around.callbacks)
