"""Vonage: Number Insight (HTTP 200 with a status inside, callbacks doubled and out of order), Identity Insights (JWT), Verify v2."""

from __future__ import annotations

import asyncio
import base64
import uuid
from typing import Any, ClassVar

import httpx
import jwt
import orjson
import phonenumbers
from starlette.requests import Request
from starlette.responses import Response

from sandbox.lookups_vendor import Handler, Vendor, json_response, parse

_PRICES = {"standard": "0.00500000", "advanced": "0.04000000"}
_TYPES = {"mobile": "mobile", "landline": "landline", "voip": "virtual"}
_OPERATOR_OK = {"990123400", "990123411", *(f"9901234{number}" for number in range(22, 89))}
_OPERATOR_GONE = "990123499"
_APPLICATION = "sandbox-application"


class Vonage(Vendor):
    """Key `sandbox-key`, secret `sandbox-secret`; application `sandbox-application`, whose signature is checked where `public_key` is set.

    `callback_copies`, `callback_delay_seconds` and `hold_callbacks` (keep them until it is False) shape the asynchronous level; `approved`
    lists the insights an operator allowed; `roaming_as_object` shows the other form of that field.
    """

    name = "vonage"
    hosts = ("api.nexmo.com", "api-eu.vonage.com", "api-us.vonage.com")
    defaults: ClassVar[dict[str, Any]] = {
        "callback_copies": 2,
        "callback_delay_seconds": 0.0,
        "hold_callbacks": False,
        "approved": [],
        "public_key": None,
        "partial": 0.05,
        "omit": [],
    }

    def __init__(self, world: Any) -> None:
        super().__init__(world)
        self._balance = 100.0
        self._checks: dict[str, dict[str, Any]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def handlers(self) -> list[tuple[str, str, str, Handler]]:
        """All three products."""
        return [
            ("query", "GET", "/ni/basic/json", self._basic),
            ("query", "GET", "/ni/standard/json", self._standard),
            ("query", "GET", "/ni/advanced/json", self._advanced),
            ("bulk", "GET", "/ni/advanced/async/json", self._async),
            ("query", "POST", "/identity-insights/v1/requests", self._insights),
            ("write", "POST", "/v2/verify", self._verify_start),
            ("write", "POST", "/v2/verify/{request_id}", self._verify_check),
        ]

    def envelope(self, status: int) -> Any:
        """Vonage's newer products use RFC 7807."""
        return {
            "title": "Unauthorized" if status == 401 else "Error",
            "type": f"https://developer.vonage.com/api-errors#{status}",
            "detail": "You did not provide correct credentials." if status == 401 else "The request was not handled.",
            "instance": str(uuid.uuid4()),
        }

    def too_fast(self) -> Response:
        """Number Insight says it inside HTTP 200."""
        return json_response({"status": 1, "status_message": "Back off and retry"})

    def _let_in(self, request: Request) -> bool:
        wanted = base64.b64encode(b"sandbox-key:sandbox-secret").decode()
        return request.headers.get("authorization") == f"Basic {wanted}"

    def _refused(self, request: Request) -> dict[str, Any] | None:
        if not self._let_in(request):
            return {"status": 4, "status_message": "Invalid credentials"}
        number = request.query_params.get("number", "")
        if parse(f"+{number}") is None:
            return {"status": 3, "status_message": f"Invalid request :: Not valid number format detected [ {number} ]"}
        if self.settings["credit"] is not None and self.settings["credit"] <= 0:
            return {"status": 9, "status_message": "Partner quota exceeded"}
        return None

    def _basics(self, number: str) -> dict[str, Any]:
        parsed = phonenumbers.parse(f"+{number}", None)
        region = phonenumbers.region_code_for_number(parsed) or "US"
        form = phonenumbers.PhoneNumberFormat.NATIONAL
        return {
            "status": 0,
            "status_message": "Success",
            "request_id": str(uuid.uuid4()),
            "international_format_number": number,
            "national_format_number": phonenumbers.format_number(parsed, form),
            "country_code": region,
            "country_code_iso3": _ISO3.get(region, region + "X"),
            "country_name": region,
            "country_prefix": str(parsed.country_code),
        }

    def _carrier(self, number: str, original: bool) -> dict[str, Any]:
        line = self.line(f"+{number}")
        if line is None:
            return {"network_code": None, "name": None, "country": None, "network_type": "unknown"}
        name = line.original_network if original else line.network
        code = f"{line.mcc}{line.mnc}" if line.mcc else None
        if code and original and line.ported:
            code = f"{line.mcc}99"
        kind = self.settings["say"].get(f"type:+{number}") or _TYPES[line.line_type]
        return {"network_code": code, "name": name, "country": line.country, "network_type": kind}

    async def _basic(self, request: Request) -> Response:
        return json_response(self._refused(request) or self._basics(request.query_params["number"]))

    async def _standard(self, request: Request) -> Response:
        refused = self._refused(request)
        if refused:
            return json_response(refused)
        return json_response(self._level("standard", request.query_params["number"]))

    async def _advanced(self, request: Request) -> Response:
        refused = self._refused(request)
        if refused:
            return json_response(refused)
        return json_response(self._level("advanced", request.query_params["number"]))

    def _level(self, level: str, number: str) -> dict[str, Any]:
        self.charge(f"+{number}")
        self._balance -= float(_PRICES[level])
        line = self.line(f"+{number}")
        answer = self._basics(number) | {
            "request_price": _PRICES[level],
            "refund_price": "0.00000000",
            "remaining_balance": f"{self._balance:.8f}",
            "current_carrier": self._carrier(number, original=False),
            "original_carrier": self._carrier(number, original=True),
            "ported": "unknown" if line is None else "ported" if line.ported else "not_ported",
        }
        if level == "standard":
            return answer
        seen = self.see(f"+{number}")
        said = self.settings["say"].get(f"+{number}")
        if said is None and self.draw(number, "partial") < self.settings["partial"]:
            answer |= {
                "status": 44,
                "status_message": "Lookup Handler unable to handle request",
                "lookup_outcome": 1,
                "lookup_outcome_message": "Partial success - some fields populated",
                "valid_number": "valid",
                "reachable": "unknown",
                "roaming": "unknown",
                "refund_price": "0.03000000",
            }
            return answer
        reach = {"alive": "reachable", "off": "absent", "suspended": "undeliverable", "dead": "bad_number"}
        mobile = line is not None and line.line_type == "mobile" and line.country != "US"
        valid = {"dead": "not_valid", "nonexistent": "not_valid", "unknown": "unknown"}.get(seen, "valid")
        return answer | {
            "lookup_outcome": 0,
            "lookup_outcome_message": "Success",
            "valid_number": valid if mobile else "unknown",
            "reachable": said or (reach.get(seen, "unknown") if mobile else "unknown"),
            "roaming": {"status": "not_roaming"} if mobile else "unknown",
        }

    async def _async(self, request: Request) -> Response:
        number = request.query_params.get("number", "")
        refused = self._refused(request)
        if refused:
            return json_response({"status": refused["status"], "error_text": refused["status_message"]})
        answer = self._level("advanced", number)
        task = asyncio.create_task(self._call_back(request.query_params["callback"], answer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return json_response(
            {
                "request_id": answer["request_id"],
                "number": number,
                "remaining_balance": answer["remaining_balance"],
                "request_price": answer["request_price"],
                "status": 0,
            }
        )

    async def _call_back(self, address: str, answer: dict[str, Any]) -> None:
        """Post the answer, several times, the later request sometimes first; repeat until it is taken."""
        while self.settings["hold_callbacks"]:
            await asyncio.sleep(0.02)
        await asyncio.sleep(self.settings["callback_delay_seconds"] * self.draw(answer["request_id"], "order"))
        async with httpx.AsyncClient(trust_env=False) as client:
            for _ in range(self.settings["callback_copies"]):
                for wait in (0.05, 0.1, 0.2, 0.4):
                    try:
                        response = await client.post(
                            address, content=orjson.dumps(answer), headers={"content-type": "application/json"}
                        )
                    except httpx.TransportError:
                        response = None
                    if response is not None and response.status_code == 200:
                        break
                    await asyncio.sleep(wait)

    async def _insights(self, request: Request) -> Response:
        if not self._token_good(request.headers.get("authorization", "")):
            return json_response(self.envelope(401), 401)
        try:
            wanted = orjson.loads(await request.body())
        except orjson.JSONDecodeError:
            problem = {
                "title": "Malformed JSON",
                "type": "https://developer.vonage.com/api-errors#invalid-json",
                "detail": "Malformed JSON payload",
                "instance": str(uuid.uuid4()),
            }
            return json_response(problem, 400)
        number = str(wanted["phone_number"]).lstrip("+")
        given = {
            name: self._insight(name, number, wanted)
            for name in wanted["insights"]
            if name not in self.settings["omit"]
        }
        self.charge(f"+{number}")
        return json_response({"request_id": str(uuid.uuid4()), "insights": given})

    def _token_good(self, header: str) -> bool:
        token = header.removeprefix("Bearer ")
        key = self.settings["public_key"]
        try:
            claims = jwt.decode(
                token,
                key or "",
                algorithms=["RS256"],
                options={"verify_signature": key is not None, "require": ["application_id", "iat", "exp", "jti"]},
            )
            return bool(jwt.get_unverified_header(token)["alg"] == "RS256" and claims["application_id"] == _APPLICATION)
        except jwt.exceptions.PyJWTError:
            return False

    def _insight(self, name: str, number: str, wanted: dict[str, Any]) -> dict[str, Any]:
        code = self.settings["say"].get(f"{name}:+{number}")
        if code:
            return {"status": {"code": code, "message": code}}
        if number.startswith("990"):
            code = (
                "OK" if number in _OPERATOR_OK else "NOT_FOUND" if number == _OPERATOR_GONE else "INVALID_NUMBER_FORMAT"
            )
            return {"status": {"code": code, "message": "Unknown phone number." if code == "NOT_FOUND" else "Success"}}
        parsed = parse(f"+{number}")
        if parsed is None:
            return {"status": {"code": "INVALID_NUMBER_FORMAT", "message": "Not a number."}}
        fine = {"status": {"code": "OK", "message": "Success"}}
        if name == "format":
            return {
                "country_code": phonenumbers.region_code_for_number(parsed),
                "country_prefix": str(parsed.country_code),
                "number_international": f"+{number}",
                "is_format_valid": phonenumbers.is_valid_number(parsed),
                **fine,
            }
        line = self.line(f"+{number}")
        if name in ("current_carrier", "original_carrier"):
            if line is None or self.see(f"+{number}") in ("dead", "nonexistent"):
                return {"status": {"code": "NOT_FOUND", "message": "Unknown phone number."}}
            carrier = self._carrier(number, original=name == "original_carrier")
            kind = str(carrier.pop("network_type")).upper()
            return {
                "name": carrier["name"],
                "network_type": kind,
                "country_code": carrier["country"],
                "network_code": carrier["network_code"],
                **fine,
            }
        if name not in self.settings["approved"]:
            return {"status": {"code": "unauthorized", "message": "No approval."}}
        if wanted.get("purpose") != "FraudPreventionAndDetection":
            return {"status": {"code": "INVALID_PURPOSE", "message": "Purpose is not allowed."}}
        reachable = self.see(f"+{number}") == "alive"
        return {"is_reachable": reachable, "connectivity": ["DATA"] if reachable else [], **fine}

    async def _verify_start(self, request: Request) -> Response:
        if not self._let_in(request):
            return json_response(self.envelope(401), 401)
        number = orjson.loads(await request.body())["workflow"][0]["to"]
        if any(check["to"] == number and check["open"] for check in self._checks.values()):
            return json_response(
                {"title": "Conflict", "detail": "Concurrent verifications to the same number are not allowed"}, 409
            )
        request_id = str(uuid.uuid4())
        self._checks[request_id] = {"to": number, "open": True, "wrong": 0}
        return json_response({"request_id": request_id}, 202)

    async def _verify_check(self, request: Request) -> Response:
        """The code of every check is 1234."""
        check = self._checks.get(request.path_params["request_id"])
        if check is None or not check["open"]:
            return json_response({"title": "Not Found", "detail": "No such request."}, 404)
        if orjson.loads(await request.body())["code"] == "1234":
            check["open"] = False
            return json_response({"request_id": request.path_params["request_id"], "status": "completed"})
        check["wrong"] += 1
        if check["wrong"] >= 3:
            check["open"] = False
            return json_response(
                {"title": "Invalid Code", "detail": "An incorrect code was entered too many times."}, 410
            )
        return json_response({"title": "Invalid Code", "detail": "The code does not match."}, 400)


_ISO3 = {
    "US": "USA",
    "GB": "GBR",
    "DE": "DEU",
    "FR": "FRA",
    "CN": "CHN",
    "BD": "BGD",
    "BR": "BRA",
    "MX": "MEX",
    "IN": "IND",
    "AU": "AUS",
    "IT": "ITA",
    "JP": "JPN",
}
