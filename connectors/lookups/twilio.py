"""Twilio Lookup v2: format, line type and carrier, line status (mobiles), reassigned number (United States).

Every package has its own error_code inside HTTP 200. `valid` means "in an assignable range", not "in service".
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import quote

import httpx
import orjson

from connectors.http import retry_after_seconds
from connectors.lookups.client import LookupClient
from connectors.lookups.protocol import Answer, Offer, Question, ServiceFacts
from connectors.lookups.reading import Reading
from connectors.lookups.service import (
    HttpService,
    Options,
    Product,
    Surroundings,
    make_limits,
    make_offers,
    read_options,
)
from ringtrue.errors import CredentialRefused, RateLimited, RecordRefused, RingTrueError
from ringtrue.lookup_settings import ServiceSettings, read_secrets

NAME = "twilio"
SECRETS = {"account_sid": "TWILIO_ACCOUNT_SID", "auth_token": "TWILIO_AUTH_TOKEN"}
STAND_IN = {"account_sid": "ACsandbox", "auth_token": "sandbox-token"}
BASE_URL = "https://lookups.twilio.com"

PRODUCTS = (
    Product("validity", ("validity",), lifetime_days=180),
    Product("line_type", ("line_type", "validity"), lifetime_days=180),
    Product("line_status", ("line_status", "validity"), line_types=frozenset({"mobile"}), lifetime_days=14),
    Product("reassigned", ("reassigned",), regions=frozenset({"US"}), lifetime_days=30),
)
_FIELDS = {
    "validity": "validation",
    "line_type": "line_type_intelligence",
    "line_status": "line_status",
    "reassigned": "reassigned_number",
}
_BULK_SIZE = 50
_DEFAULT_SINCE_DAYS = 365


class TwilioOptions(Options):
    """`bulk`: use the batch endpoint, a pilot of Twilio's that an account must be let into."""

    bulk: bool = False


class Twilio(HttpService):
    """Asks `/v2/PhoneNumbers/{number}`, or `/v2/batch/query` where the account has it."""

    def __init__(self, facts: ServiceFacts, client: LookupClient, *, bulk: bool = False) -> None:
        super().__init__(facts, client)
        self._bulk = bulk

    async def ask(self, offer: Offer, questions: Sequence[Question]) -> AsyncIterator[Answer]:
        """One answer per question; see `LookupService.ask`."""
        if self._bulk:
            for answer in await self._ask_bulk(offer, questions):
                yield answer
            return
        for question in questions:
            yield await self._ask_one(offer, question)

    async def _ask_one(self, offer: Offer, question: Question) -> Answer:
        params = {"Fields": _FIELDS[offer.product]}
        if offer.product == "reassigned":
            params["LastVerifiedDate"] = _since(question).strftime("%Y%m%d")
        started = time.monotonic()
        try:
            response = await self.client.send(
                "GET", f"/v2/PhoneNumbers/{quote(question.subject, safe='')}", params=params, judge=self._judge
            )
        except RecordRefused as exc:
            return self.refused(offer, question, exc)
        latency = round((time.monotonic() - started) * 1000)
        return self._read(offer, question, self.client.json(response), response.content, latency)

    async def _ask_bulk(self, offer: Offer, questions: Sequence[Question]) -> list[Answer]:
        wanted: list[dict[str, Any]] = []
        for position, question in enumerate(questions):
            entry: dict[str, Any] = {
                "correlation_id": str(position),
                "phone_number": question.subject,
                "fields": [_FIELDS[offer.product]],
            }
            if offer.product == "reassigned":
                entry["reassigned_number"] = {"last_verified_date": _since(question).strftime("%Y%m%d")}
            wanted.append(entry)
        started = time.monotonic()
        response = await self.client.send(
            "POST", "/v2/batch/query", json={"phone_numbers": wanted}, judge=self._judge_bulk
        )
        latency = round((time.monotonic() - started) * 1000)
        rows = {row.get("correlation_id"): row for row in self.client.json(response).get("phone_numbers", [])}
        answers = []
        for position, question in enumerate(questions):
            row = rows.get(str(position))
            if row is None:
                answers.append(self.refused(offer, question, RecordRefused("the batch's answer lacks this number")))
                continue
            code = row.get("twilio_error_code")
            self.unless_refused(self.table.meaning("error_code", code), f"error {code}")
            answers.append(self._read(offer, question, row, orjson.dumps(row), latency))
        return answers

    def _judge_bulk(self, response: httpx.Response) -> RingTrueError | None:
        if response.status_code == 404:
            return CredentialRefused(
                "twilio's batch endpoint is a pilot that this account was not let into. Set bulk = false under [lookups.twilio]."
            )
        return self._judge(response)

    def _judge(self, response: httpx.Response) -> RingTrueError | None:
        """A refusal's own code says more than its HTTP status."""
        if response.status_code == 404:
            return RecordRefused("twilio cannot read the number (HTTP 404).")
        try:
            code = orjson.loads(response.content).get("code")
        except (orjson.JSONDecodeError, AttributeError):
            return None
        meaning = self.table.meaning("error_code", code)
        if meaning is None:
            return None
        if meaning.result == "abstain":
            return RecordRefused(f"twilio refuses this number for now (error {code}).")
        if meaning.error == "RateLimited":
            return RateLimited(
                f"twilio asks us to slow down (error {code}).",
                retry_after_seconds=retry_after_seconds(response.headers),
            )
        try:
            self.unless_refused(meaning, f"error {code}")
        except RingTrueError as error:
            return error
        return None

    def _read(self, offer: Offer, question: Question, body: Any, raw: bytes, latency_ms: int) -> Answer:
        if not isinstance(body, dict) or "valid" not in body:
            raise self.client.schema_changed("no field valid")
        reading = self.reading()
        valid = body["valid"]
        if valid is not None:
            reading.take("valid", str(valid).lower())
        for word in body.get("validation_errors") or ():
            reading.take("validation_errors", word)
        carrier, since = None, None
        package = body.get(_FIELDS[offer.product]) if offer.product != "validity" else {}
        if package is None:
            if valid:
                raise self.client.schema_changed(f"the package {_FIELDS[offer.product]} is missing")
            package = {}
        if package.get("error_code") not in (None, ""):
            code = package["error_code"]
            self.unless_refused(reading.take("error_code", code), f"error {code}")
        elif offer.product == "line_status":
            reading.take("line_status", package.get("status"))
        elif offer.product == "line_type":
            reading.take("line_type", package.get("type"))
            carrier = package.get("carrier_name")
        elif offer.product == "reassigned":
            since = _reassigned(reading, package)
        return reading.answer(question, offer, body=raw, latency_ms=latency_ms, carrier=carrier, reassigned_since=since)


def _reassigned(reading: Reading, package: Mapping[str, Any]) -> date | None:
    """Twilio says only that the number changed hands after the day asked about."""
    meaning = reading.take("reassigned", package.get("is_number_reassigned"))
    said = package.get("last_verified_date")
    return date.fromisoformat(said) if said and meaning and meaning.reassigned == "yes" else None


def _since(question: Question) -> date:
    return question.since or datetime.now(UTC).date() - timedelta(days=_DEFAULT_SINCE_DAYS)


def open_service(settings: ServiceSettings, around: Surroundings) -> Twilio:
    """Twilio as the settings want it."""
    options = read_options(NAME, settings, TwilioOptions)
    secrets, settings = read_secrets(NAME, settings, SECRETS, around.environ, STAND_IN)
    products = [replace(product, batch_size=_BULK_SIZE if options.bulk else 1) for product in PRODUCTS]
    facts = ServiceFacts(
        name=NAME,
        offers=make_offers(NAME, settings, products, ("line_status", "line_type")),
        limits=make_limits(settings, 20, 20),
        located_in="US",
    )
    client = LookupClient(
        NAME, settings.base_url or BASE_URL, facts.limits, auth=(secrets["account_sid"], secrets["auth_token"])
    )
    return Twilio(facts, client, bulk=options.bulk)
