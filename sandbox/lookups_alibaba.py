"""Alibaba Cloud number status: signed requests, hashed input, RequestFrequencyLimit for a number asked too often."""

from __future__ import annotations

import hashlib
import hmac
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response

from sandbox.lookups_vendor import Handler, Vendor, json_response

_SECRETS = {"sandbox-key": "sandbox-secret"}
_AUTH_CODE = "sandbox-code"
_STATUS = {
    "alive": "NORMAL",
    "off": "POWER_OFF",
    "suspended": "SHUTDOWN",
    "dead": "NOT_EXIST",
    "nonexistent": "NOT_EXIST",
    "unknown": "UNKNOWN",
}


class Alibaba(Vendor):
    """Key `sandbox-key`, secret `sandbox-secret`, authorisation code `sandbox-code`.

    A hashed number is found among those told by `numbers` (a hash cannot be turned back) and among the world's people in China.
    `per_number`: times one number may be asked; `carrier_silent`: answers isp.UNKNOWN before it decides.
    """

    name = "alibaba"
    hosts = ("dytnsapi.aliyuncs.com",)
    defaults: ClassVar[dict[str, Any]] = {"numbers": [], "per_number": 5, "carrier_silent": 0, "misses": 0.01}

    def __init__(self, world: Any) -> None:
        self._asked: Counter[str] = Counter()
        self._silent: Counter[str] = Counter()
        super().__init__(world)
        self._hashes: dict[str, str] = {}

    def reset(self) -> None:
        """Settings and counters as at the start."""
        super().reset()
        self._asked.clear()
        self._silent.clear()

    def handlers(self) -> list[tuple[str, str, str, Handler]]:
        """Every action is a query on the root."""
        return [("query", "POST", "/", self._act)]

    def envelope(self, status: int) -> Any:
        """The gateway's error."""
        code = "Throttling.User" if status == 429 else "ServiceUnavailable"
        return {"RequestId": str(uuid.uuid4()), "Code": code, "Message": code}

    def _fail(self, code: str, status: int) -> Response:
        return json_response({"RequestId": str(uuid.uuid4()), "Code": code, "Message": code}, status)

    async def _act(self, request: Request) -> Response:
        headers = request.headers
        sent = datetime.strptime(headers.get("x-acs-date", "2000-01-01T00:00:00Z"), "%Y-%m-%dT%H:%M:%SZ").replace(
            tzinfo=UTC
        )
        now = datetime.now(UTC) + timedelta(seconds=self.settings["clock_offset_seconds"])
        if abs((now - sent).total_seconds()) > 900:
            return self._fail("InvalidTimeStamp.Expired", 400)
        authorization = headers.get("authorization", "")
        parts = dict(
            part.split("=", 1) for part in authorization.removeprefix("ACS3-HMAC-SHA256 ").split(",") if "=" in part
        )
        secret = _SECRETS.get(parts.get("Credential", ""))
        if secret is None:
            return self._fail("InvalidAccessKeyId.NotFound", 404)
        if parts.get("Signature") != _signature(request, parts.get("SignedHeaders", ""), secret):
            return self._fail("SignatureDoesNotMatch", 400)
        query = request.query_params
        if not headers["x-acs-action"].startswith("PhoneNumberStatusFor") or query.get("AuthCode") != _AUTH_CODE:
            return self._fail("Forbidden", 403)
        return json_response(self._status(query["InputNumber"], query.get("Mask", "NORMAL")))

    def _status(self, given: str, mask: str) -> dict[str, Any]:
        answer: dict[str, Any] = {"RequestId": str(uuid.uuid4()), "Code": "OK", "Message": "OK"}
        self._asked[given] += 1
        if self._asked[given] > self.settings["per_number"]:
            return answer | {"Code": "RequestFrequencyLimit", "Message": "RequestFrequencyLimit"}
        if self._silent[given] < self.settings["carrier_silent"]:
            self._silent[given] += 1
            return answer | {"Code": "isp.UNKNOWN", "Message": "isp.UNKNOWN"}
        number = self._unmask(given, mask)
        if number is None:
            return answer | {"Data": {"Status": "UNKNOWN", "Carrier": "UNKNOWN"}}
        status = self.settings["say"].get(number) or _STATUS[self.see(number)]
        if status != "UNKNOWN" and not self.charge(number):
            return answer | {"Code": "isv.OUT_OF_SERVICE", "Message": "isv.OUT_OF_SERVICE"}
        return answer | {"Data": {"Status": status, "Carrier": "CMCC"}}

    def _unmask(self, given: str, mask: str) -> str | None:
        if mask == "NORMAL":
            return f"+86{given}"
        if not self._hashes and self.world is not None:
            for person in self.world.people():
                if person.country == "CN":
                    self._learn(digits.e164 for digits in person.numbers.values())
        self._learn(self.settings["numbers"])
        return self._hashes.get(given)

    def _learn(self, numbers: Any) -> None:
        for number in numbers:
            national = number.removeprefix("+86").encode()
            for digest in (hashlib.sha256(national), hashlib.md5(national, usedforsecurity=False)):
                self._hashes[digest.hexdigest()] = number


def _signature(request: Request, signed: str, secret: str) -> str:
    """The signature as the gateway works it out."""
    pairs = sorted(request.query_params.multi_items())
    query = "&".join(f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in pairs)
    lines = "".join(f"{name}:{request.headers.get(name, '')}\n" for name in signed.split(";"))
    digest = request.headers.get("x-acs-content-sha256", "")
    canonical = f"{request.method}\n/\n{query}\n{lines}\n{signed}\n{digest}"
    text = "ACS3-HMAC-SHA256\n" + hashlib.sha256(canonical.encode()).hexdigest()
    return hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
