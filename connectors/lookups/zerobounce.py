"""ZeroBounce v2: is an e-mail address good enough to suggest e-mail as the next channel. It has no phone product.

Single, batch of 100, or file. Errors come as HTTP 200; one sentence stands for a wrong key and for used-up credit, so the credits are asked for.
"""

from __future__ import annotations

import asyncio
import csv
import io
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import httpx
import orjson

from connectors.lookups.client import LookupClient, Sleep
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
from ringtrue.errors import (
    AllowanceSpent,
    CredentialRefused,
    RecordRefused,
    RingTrueError,
    SchemaChanged,
    ServiceUnavailable,
)
from ringtrue.lookup_settings import ServiceSettings, read_secrets

NAME = "zerobounce"
SECRETS = {"api_key": "ZEROBOUNCE_API_KEY"}
STAND_IN = {"api_key": "sandbox-key"}
HOSTS = {
    "default": "https://api.zerobounce.net",
    "us": "https://api-us.zerobounce.net",
    "eu": "https://api-eu.zerobounce.net",
}
BULK_URL = "https://bulkapi.zerobounce.net"

PRODUCTS = (
    Product("validate", ("email",), lifetime_days=90),
    Product("file", ("email",), lifetime_days=90, batch_size=10_000, job=True),
)
_BATCH_SIZE = 100
_BATCHES_PER_SECOND = 20 / 60


class ZeroBounceOptions(Options):
    """`mode` batch sends 100 addresses a request, at most 20 requests a minute. `host` chooses where addresses are processed."""

    mode: Literal["single", "batch"] = "single"
    host: Literal["default", "us", "eu"] = "default"
    bulk_url: str | None = None
    poll_seconds: float = 10.0


class ZeroBounce(HttpService):
    """Asks `/v2/validate`, `/v2/validatebatch`, or sends a file and fetches its result."""

    def __init__(
        self,
        facts: ServiceFacts,
        client: LookupClient,
        bulk: LookupClient,
        api_key: str,
        *,
        poll_seconds: float = 10.0,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        super().__init__(facts, client)
        self._bulk, self._api_key, self._poll_seconds, self._sleep = bulk, api_key, poll_seconds, sleep

    async def close(self) -> None:
        """Give back the connections of both hosts."""
        await self.client.close()
        await self._bulk.close()

    async def credits_left(self) -> int:
        """How many addresses may still be asked. Raises CredentialRefused for a wrong key (ZeroBounce says -1)."""
        response = await self.client.send("GET", "/v2/getcredits", params={"api_key": self._api_key})
        left = int(self.client.json(response)["Credits"])
        if left < 0:
            raise CredentialRefused("zerobounce refuses our key. Check the environment variable ZEROBOUNCE_API_KEY.")
        return left

    async def ask(self, offer: Offer, questions: Sequence[Question]) -> AsyncIterator[Answer]:
        """One answer per question; see `LookupService.ask`."""
        if offer.batch_size == 1:
            for question in questions:
                started = time.monotonic()
                params = {"api_key": self._api_key, "email": question.subject, "ip_address": ""}
                response = await self.client.send("GET", "/v2/validate", params=params)
                body = self.client.json(response)
                if isinstance(body, dict) and "error" in body:
                    raise await self._refusal(str(body["error"]))
                yield self._read(offer, question, body, response.content, round((time.monotonic() - started) * 1000))
            return
        async for answer in self._ask_batch(offer, questions):
            yield answer

    async def _ask_batch(self, offer: Offer, questions: Sequence[Question]) -> AsyncIterator[Answer]:
        started = time.monotonic()
        wanted = [{"email_address": question.subject, "ip_address": None} for question in questions]
        response = await self.client.send(
            "POST", "/v2/validatebatch", json={"api_key": self._api_key, "email_batch": wanted}
        )
        latency = round((time.monotonic() - started) * 1000)
        body = self.client.json(response)
        if not isinstance(body, dict) or not isinstance(body.get("email_batch"), list):
            raise self.client.schema_changed("no email_batch")
        rows = {str(row.get("address", "")).casefold(): row for row in body["email_batch"]}
        errors = {
            str(row.get("email_address", "all")).casefold(): str(row.get("error")) for row in body.get("errors", [])
        }
        for question in questions:
            row = rows.get(question.subject.casefold())
            if row is not None:
                yield self._read(offer, question, row, orjson.dumps(row), latency)
            elif "all" not in errors:
                said = errors.get(question.subject.casefold(), "the batch's answer lacks this address")
                yield self.refused(offer, question, RecordRefused(said))
        if "all" in errors:
            raise await self._refusal(errors["all"])

    async def submit(self, questions: Sequence[Question]) -> str:
        """Send a file of addresses; the job is ZeroBounce's file id."""
        text = "email\n" + "".join(f"{question.subject}\n" for question in questions)
        response = await self._bulk.send(
            "POST",
            "/v2/sendfile",
            data={"api_key": self._api_key, "email_address_column": "1", "has_header_row": "true"},
            files={"file": ("emails.csv", text.encode(), "text/csv")},
            repeat=False,
        )
        body = self._bulk.json(response)
        if not _succeeded(body) or "file_id" not in body:
            raise await self._refusal(_message(body))
        return str(body["file_id"])

    async def collect(self, offer: Offer, job_id: str, questions: Sequence[Question]) -> AsyncIterator[Answer]:
        """Wait for the file and read it. Raises ServiceUnavailable when it is not complete within the time-out; the job stays open."""
        started = time.monotonic()
        deadline = started + self.facts.limits.timeout_seconds
        params = {"api_key": self._api_key, "file_id": job_id}
        while True:
            status = self._bulk.json(await self._bulk.send("GET", "/v2/filestatus", params=params))
            if not _succeeded(status):
                raise self._bulk.schema_changed(_message(status))
            if str(status.get("file_status", "")).casefold() == "complete":
                break
            if time.monotonic() + self._poll_seconds > deadline:
                raise ServiceUnavailable(
                    f"zerobounce is still working on the file ({status.get('complete_percentage', 'unknown share')} done); a later run fetches it."
                )
            await self._sleep(self._poll_seconds)
        rows = self._rows(await self._bulk.send("GET", "/v2/getfile", params=params))
        latency = round((time.monotonic() - started) * 1000)
        for question in questions:
            row = rows.get(question.subject.casefold())
            if row is None:
                yield self.refused(offer, question, RecordRefused("the file's answer lacks this address"))
            else:
                yield self._read(offer, question, row, orjson.dumps(row), latency)

    def _rows(self, response: httpx.Response) -> dict[str, dict[str, str]]:
        """The result file by address. An error comes as JSON with HTTP 200."""
        if response.content.lstrip()[:1] == b"{":
            raise self._bulk.schema_changed(_message(self._bulk.json(response)))
        reader = csv.DictReader(io.StringIO(response.content.decode("utf-8-sig")))
        columns = {str(name).strip().casefold(): name for name in reader.fieldnames or ()}
        address, status = columns.get("email") or columns.get("email address"), columns.get("zb status")
        if address is None or status is None:
            raise self._bulk.schema_changed("the result file has no e-mail or no ZB Status column")
        return {row[address].strip().casefold(): {"address": row[address], "status": row[status]} for row in reader}

    def _read(self, offer: Offer, question: Question, body: Any, raw: bytes, latency_ms: int) -> Answer:
        if not isinstance(body, dict) or "status" not in body:
            raise self.client.schema_changed("no field status")
        reading = self.reading()
        reading.take("status", body["status"])
        return reading.answer(question, offer, body=raw, latency_ms=latency_ms)

    async def _refusal(self, said: str) -> RingTrueError:
        """Wrong key or no credit: the sentence is the same for both, the number of credits is not."""
        try:
            left = await self.credits_left()
        except CredentialRefused as exc:
            return exc
        if left == 0:
            return AllowanceSpent("The credit at zerobounce is used up. Top it up, or lower the budget.")
        return SchemaChanged(f"zerobounce refuses with a sentence we do not know: {said[:120]!r}. It is left out.")


def _succeeded(body: Any) -> bool:
    """`success` comes as a boolean or as a word."""
    return isinstance(body, dict) and str(body.get("success")).casefold() == "true"


def _message(body: Any) -> str:
    """`message` comes as a sentence or as a list of them."""
    said: object = body.get("message", body.get("error_message", "")) if isinstance(body, Mapping) else body
    return "; ".join(str(each) for each in said) if isinstance(said, list) else str(said)


def open_service(settings: ServiceSettings, around: Surroundings) -> ZeroBounce:
    """ZeroBounce as the settings want it."""
    options = read_options(NAME, settings, ZeroBounceOptions)
    secrets, settings = read_secrets(NAME, settings, SECRETS, around.environ, STAND_IN)
    batch = options.mode == "batch"
    products = [
        replace(product, batch_size=_BATCH_SIZE) if batch and not product.job else product for product in PRODUCTS
    ]
    facts = ServiceFacts(
        name=NAME,
        offers=make_offers(NAME, settings, products, ("validate",)),
        limits=make_limits(settings, _BATCHES_PER_SECOND if batch else 100, 2 if batch else 20),
        located_in="DE" if options.host == "eu" else "US",
    )
    base_url = settings.base_url or HOSTS[options.host]
    return ZeroBounce(
        facts,
        LookupClient(NAME, base_url, facts.limits),
        LookupClient(NAME, options.bulk_url or settings.base_url or BULK_URL, replace(facts.limits, rate_per_second=4)),
        secrets["api_key"],
        poll_seconds=options.poll_seconds,
    )
