"""RealPhoneValidation: is a United States number connected. The token travels in the form, never in an address."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import httpx

from connectors.lookups.client import LookupClient
from connectors.lookups.protocol import Answer, Offer, Question, ServiceFacts
from connectors.lookups.service import (
    HttpService,
    Options,
    Product,
    Surroundings,
    make_limits,
    make_offers,
    read_options,
)
from ringtrue.errors import RecordRefused, RingTrueError
from ringtrue.lookup_settings import ServiceSettings, read_secrets

NAME = "realphonevalidation"
SECRETS = {"token": "REALPHONEVALIDATION_TOKEN"}
STAND_IN = {"token": "sandbox-token"}
BASE_URL = "https://api.realvalidation.com"

_UNITED_STATES = frozenset({"US"})
PRODUCTS = (
    Product("scrub", ("line_status", "line_type"), regions=_UNITED_STATES, lifetime_days=30),
    Product("scrub_plus", ("line_status", "line_type"), regions=_UNITED_STATES, lifetime_days=30),
)
_PAGES = {
    "scrub": "/rpvWebService/RealPhoneValidationScrub.php",
    "scrub_plus": "/rpvWebService/ScrubPlus.php",
}


class RealPhoneValidation(HttpService):
    """Asks Scrub or ScrubPlus, one number at a time."""

    def __init__(self, facts: ServiceFacts, client: LookupClient, token: str) -> None:
        super().__init__(facts, client)
        self._token = token

    async def ask(self, offer: Offer, questions: Sequence[Question]) -> AsyncIterator[Answer]:
        """One answer per question; see `LookupService.ask`."""
        for question in questions:
            digits = question.subject.removeprefix("+1")
            if len(digits) != 10 or not digits.isdigit():
                yield self.refused(offer, question, RecordRefused("only ten-digit United States numbers can be asked"))
                continue
            started = time.monotonic()
            response = await self.client.send(
                "POST",
                _PAGES[offer.product],
                data={"output": "json", "phone": digits, "token": self._token},
                inspect=self._inspect,
            )
            latency = round((time.monotonic() - started) * 1000)
            yield self._read(offer, question, self.client.json(response), response.content, latency)

    def _inspect(self, response: httpx.Response) -> RingTrueError | None:
        body = self.client.json(response)
        return self.passing("status", body.get("status")) if isinstance(body, dict) else None

    def _read(self, offer: Offer, question: Question, body: Any, raw: bytes, latency_ms: int) -> Answer:
        if not isinstance(body, dict) or "status" not in body:
            raise self.client.schema_changed("no field status")
        reading = self.reading()
        said = body.get("error_text")
        if isinstance(said, str) and said.strip():
            self.unless_refused(reading.take("error_text", said), said.strip())
        if str(body["status"]).upper() != "ERROR":
            self.unless_refused(reading.take("status", body["status"]), str(body["status"]))
        reading.take("iscell", _text(body.get("iscell")))
        reading.take("phone_type", _text(body.get("phone_type")))
        carrier = _text(body.get("carrier"))
        return reading.answer(
            question,
            offer,
            body=raw,
            latency_ms=latency_ms,
            carrier=carrier.partition(":")[0] if carrier else None,
        )


def _text(value: Mapping[str, Any] | str | None) -> str | None:
    """An empty field comes as {}."""
    return value if isinstance(value, str) else None


def open_service(settings: ServiceSettings, around: Surroundings) -> RealPhoneValidation:
    """RealPhoneValidation as the settings want it."""
    read_options(NAME, settings, Options)
    secrets, settings = read_secrets(NAME, settings, SECRETS, around.environ, STAND_IN)
    facts = ServiceFacts(
        name=NAME,
        offers=make_offers(NAME, settings, PRODUCTS, ("scrub",)),
        limits=make_limits(settings, 20, 20),
        located_in="US",
    )
    client = LookupClient(NAME, settings.base_url or BASE_URL, facts.limits)
    return RealPhoneValidation(facts, client, secrets["token"])
