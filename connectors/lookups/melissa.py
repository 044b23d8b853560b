"""Melissa Global Phone v4: validity everywhere; line type and the live check (PS22, PE11) in the United States and Canada. Batches of 100.

Licence and credit problems come as HTTP 200 with `TransmissionResults`.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import orjson

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
from ringtrue.errors import RecordRefused
from ringtrue.lookup_settings import ServiceSettings, read_secrets

NAME = "melissa"
SECRETS = {"license": "MELISSA_LICENSE"}
STAND_IN = {"license": "sandbox-license"}
BASE_URL = "https://globalphone.melissadata.net"

PRODUCTS = (
    Product("express", ("validity",), lifetime_days=180, batch_size=100),
    Product(
        "premium",
        ("line_status", "line_type", "validity"),
        regions=frozenset({"US", "CA"}),
        lifetime_days=30,
        batch_size=100,
    ),
)
_PENDING = "PS30"


class MelissaOptions(Options):
    """Seconds Melissa may take for a live check, and for the second try of a number that was still pending. Melissa allows 1 to 30."""

    time_to_wait: int = 5
    time_to_wait_pending: int = 20


class Melissa(HttpService):
    """Posts batches to `doGlobalPhone`. A number that is still pending (PS30) is asked a second time with more patience; Melissa charges it once."""

    def __init__(self, facts: ServiceFacts, client: LookupClient, license_key: str, options: MelissaOptions) -> None:
        super().__init__(facts, client)
        self._license, self._options = license_key, options

    async def ask(self, offer: Offer, questions: Sequence[Question]) -> AsyncIterator[Answer]:
        """One answer per question; see `LookupService.ask`."""
        pending: list[Question] = []
        async for question, record, latency in self._batch(offer, questions, self._options.time_to_wait):
            if record is not None and _PENDING in _codes(record):
                pending.append(question)
            else:
                yield self._read(offer, question, record, latency)
        if pending:
            async for question, record, latency in self._batch(offer, pending, self._options.time_to_wait_pending):
                yield self._read(offer, question, record, latency)

    async def _batch(
        self, offer: Offer, questions: Sequence[Question], time_to_wait: int
    ) -> AsyncIterator[tuple[Question, Mapping[str, Any] | None, int]]:
        wanted = {
            "TransmissionReference": "",
            "CustomerID": self._license,
            "Options": f"VerifyPhone:{offer.product.capitalize()},TimeToWait:{time_to_wait}",
            "Records": [
                {"RecordID": str(at), "PhoneNumber": question.subject, "Country": question.region or ""}
                for at, question in enumerate(questions, start=1)
            ],
        }
        started = time.monotonic()
        response = await self.client.send(
            "POST", "/v4/WEB/GlobalPhone/doGlobalPhone", json=wanted, headers={"Accept": "application/json"}
        )
        latency = round((time.monotonic() - started) * 1000)
        body = self.client.json(response)
        if not isinstance(body, dict) or not isinstance(body.get("Records"), list):
            raise self.client.schema_changed("no Records")
        for code in _split(body.get("TransmissionResults")):
            meaning = self.table.meaning("transmission", code)
            if meaning is None:
                raise self.client.schema_changed(f"the service code {code}")
            self.unless_refused(meaning, code)
        records = {str(record.get("RecordID")): record for record in body["Records"]}
        for at, question in enumerate(questions, start=1):
            yield question, records.get(str(at)), latency

    def _read(self, offer: Offer, question: Question, record: Mapping[str, Any] | None, latency_ms: int) -> Answer:
        if record is None:
            return self.refused(offer, question, RecordRefused("the batch's answer lacks this number"))
        reading = self.reading()
        for code in _codes(record):
            reading.take("result", code)
        return reading.answer(
            question, offer, body=orjson.dumps(record), latency_ms=latency_ms, carrier=record.get("Carrier")
        )


def _codes(record: Mapping[str, Any]) -> list[str]:
    return _split(record.get("Results"))


def _split(codes: object) -> list[str]:
    return [code for code in (part.strip() for part in str(codes or "").split(",")) if code]


def open_service(settings: ServiceSettings, around: Surroundings) -> Melissa:
    """Melissa as the settings want it."""
    options = read_options(NAME, settings, MelissaOptions)
    secrets, settings = read_secrets(NAME, settings, SECRETS, around.environ, STAND_IN)
    patient = settings.model_copy(
        update={"timeout_seconds": max(settings.timeout_seconds, options.time_to_wait_pending + 10.0)}
    )
    facts = ServiceFacts(
        name=NAME,
        offers=make_offers(NAME, settings, PRODUCTS, ("premium",)),
        limits=make_limits(patient, 5, 4),
        located_in="US",
    )
    client = LookupClient(NAME, settings.base_url or BASE_URL, facts.limits)
    return Melissa(facts, client, secrets["license"], options)
