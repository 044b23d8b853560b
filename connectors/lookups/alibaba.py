"""Alibaba Cloud number status for mainland China: the one source that tells 空号, 停机 and 关机 apart.

Off unless switched on: the question crosses a border. The number itself need not: by default only its SHA-256 is sent.
Signed by ACS3-HMAC-SHA256 (Alibaba Cloud, "V3 request body and signature mechanism"), so that no key stands in an address.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import quote, urlsplit

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
from ringtrue.errors import RecordRefused, RingTrueError
from ringtrue.lookup_settings import ServiceSettings, read_secrets

NAME = "alibaba"
SECRETS = {
    "access_key_id": "ALIBABA_ACCESS_KEY_ID",
    "access_key_secret": "ALIBABA_ACCESS_KEY_SECRET",
    "auth_code": "ALIBABA_AUTH_CODE",
}
STAND_IN = {"access_key_id": "sandbox-key", "access_key_secret": "sandbox-secret", "auth_code": "sandbox-code"}
BASE_URL = "https://dytnsapi.aliyuncs.com"
VERSION = "2020-02-17"

PRODUCTS = (Product("status", ("line_status",), regions=frozenset({"CN"}), lifetime_days=7),)
_CARRIER_UNKNOWN = "isp.UNKNOWN"
_TRIES = 3


class AlibabaOptions(Options):
    """`flavour` is the action your contract names; `mask` how the number is hidden."""

    flavour: Literal["Public", "Real", "Voice", "Sms", "Account", "Virtual"] = "Public"
    mask: Literal["NORMAL", "MD5", "SHA256"] = "SHA256"


class Alibaba(HttpService):
    """Asks `PhoneNumberStatusFor<flavour>`, one number at a time."""

    def __init__(
        self,
        facts: ServiceFacts,
        client: LookupClient,
        host: str,
        secrets: Mapping[str, str],
        options: AlibabaOptions,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        super().__init__(facts, client)
        self._host, self._secrets, self._options, self._sleep = host, secrets, options, sleep

    async def ask(self, offer: Offer, questions: Sequence[Question]) -> AsyncIterator[Answer]:
        """One answer per question; see `LookupService.ask`. A carrier that does not answer (isp.UNKNOWN) is asked three times at most."""
        for question in questions:
            for attempt in range(1, _TRIES + 1):
                started = time.monotonic()
                try:
                    response = await self._send(question)
                except RecordRefused as exc:
                    yield self.refused(offer, question, exc)
                    break
                body = self.client.json(response)
                if isinstance(body, dict) and body.get("Code") == _CARRIER_UNKNOWN and attempt < _TRIES:
                    await self._sleep(0.5 * attempt)
                    continue
                latency = round((time.monotonic() - started) * 1000)
                yield self._read(offer, question, body, response.content, latency)
                break

    async def _send(self, question: Question) -> httpx.Response:
        action = f"PhoneNumberStatusFor{self._options.flavour}"
        query = {
            "AuthCode": self._secrets["auth_code"],
            "InputNumber": hide(question.subject, self._options.mask),
            "Mask": self._options.mask,
        }
        canonical = _canonical_query(query)
        headers = sign(
            action, canonical, self._host, self._secrets["access_key_id"], self._secrets["access_key_secret"]
        )
        return await self.client.send("POST", f"/?{canonical}", headers=headers, judge=self._judge)

    def _judge(self, response: httpx.Response) -> RingTrueError | None:
        """Refusals of the gateway come with an HTTP error and a code in the body."""
        try:
            code = orjson.loads(response.content).get("Code")
        except (orjson.JSONDecodeError, AttributeError):
            return None
        meaning = self.table.meaning("code", code)
        if meaning is not None and meaning.result == "abstain":
            return RecordRefused(f"alibaba refuses this number for now ({code}).")
        if self.passing("code", code) is not None:
            return None
        try:
            self.unless_refused(meaning, str(code))
        except RingTrueError as error:
            return error
        return None

    def _read(self, offer: Offer, question: Question, body: Any, raw: bytes, latency_ms: int) -> Answer:
        if not isinstance(body, dict) or "Code" not in body:
            raise self.client.schema_changed("no field Code")
        reading = self.reading()
        meaning = reading.take("code", body["Code"])
        if body["Code"] != _CARRIER_UNKNOWN:
            self.unless_refused(meaning, str(body["Code"]))
        else:
            reading.charged = False
        data = body.get("Data") or {}
        reading.take("status", data.get("Status"))
        return reading.answer(
            question,
            offer,
            body=raw,
            latency_ms=latency_ms,
            carrier=data.get("Carrier"),
            external_id=body.get("RequestId"),
        )


def hide(number: str, mask: str) -> str:
    """The eleven-digit number, or its lower-case hash."""
    national = number.removeprefix("+86").encode()
    if mask == "SHA256":
        return hashlib.sha256(national).hexdigest()
    if mask == "MD5":
        return hashlib.md5(national, usedforsecurity=False).hexdigest()
    return national.decode()


def _canonical_query(query: Mapping[str, str]) -> str:
    return "&".join(f"{quote(key, safe='')}={quote(query[key], safe='')}" for key in sorted(query))


def sign(action: str, canonical_query: str, host: str, key_id: str, key_secret: str) -> dict[str, str]:
    """The signed headers of one call with an empty body."""
    empty = hashlib.sha256(b"").hexdigest()
    headers = {
        "host": host,
        "x-acs-action": action,
        "x-acs-content-sha256": empty,
        "x-acs-date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "x-acs-signature-nonce": uuid.uuid4().hex,
        "x-acs-version": VERSION,
    }
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    request = f"POST\n/\n{canonical_query}\n{lines}\n{names}\n{empty}"
    to_sign = "ACS3-HMAC-SHA256\n" + hashlib.sha256(request.encode()).hexdigest()
    signature = hmac.new(key_secret.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    headers["Authorization"] = f"ACS3-HMAC-SHA256 Credential={key_id},SignedHeaders={names},Signature={signature}"
    return headers


def open_service(settings: ServiceSettings, around: Surroundings) -> Alibaba:
    """Alibaba Cloud as the settings want it."""
    options = read_options(NAME, settings, AlibabaOptions)
    secrets, settings = read_secrets(NAME, settings, SECRETS, around.environ, STAND_IN)
    base_url = settings.base_url or BASE_URL
    facts = ServiceFacts(
        name=NAME,
        offers=make_offers(NAME, settings, PRODUCTS, ("status",)),
        limits=make_limits(settings, 50, 30),
        located_in="CN",
        warnings=(
            "alibaba is switched on: questions about +86 numbers are sent to China"
            + (" in clear." if options.mask == "NORMAL" else f", as {options.mask} of the number."),
        ),
    )
    client = LookupClient(NAME, base_url, facts.limits)
    return Alibaba(facts, client, urlsplit(base_url).netloc, secrets, options)
