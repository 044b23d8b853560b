"""Twilio Lookup v2: packages with an error_code of their own inside HTTP 200, `validation_errors` as null or [], line status for mobiles only."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any, ClassVar

import orjson
import phonenumbers
from phonenumbers import NumberParseException, ValidationResult
from starlette.requests import Request
from starlette.responses import Response

from sandbox.lookups_vendor import Handler, Vendor, json_response

_PACKAGES = (
    "caller_name",
    "sim_swap",
    "call_forwarding",
    "line_status",
    "line_type_intelligence",
    "identity_match",
    "reassigned_number",
    "sms_pumping_risk",
    "phone_number_quality_score",
    "pre_fill",
)
_TYPES = {"mobile": "mobile", "landline": "landline", "voip": "nonFixedVoip"}
_STATUS = {
    "alive": "active",
    "off": "unreachable",
    "suspended": "unreachable",
    "dead": "inactive",
    "nonexistent": "inactive",
}
_MAGIC = {"+15005550001": "INVALID_BUT_POSSIBLE", "+15005550006": None}


class Twilio(Vendor):
    """Account `ACsandbox`, token `sandbox-token`. `gated`: packages this account was not let into (60606)."""

    name = "twilio"
    hosts = ("lookups.twilio.com",)
    defaults: ClassVar[dict[str, Any]] = {"coverage": 0.9, "gated": [], "unknown_package_error": None}

    def handlers(self) -> list[tuple[str, str, str, Handler]]:
        """One number, or a batch."""
        return [
            ("query", "GET", "/v2/PhoneNumbers/{number}", self._one),
            ("bulk", "POST", "/v2/batch/query", self._batch),
        ]

    def envelope(self, status: int) -> Any:
        """Twilio's error body."""
        code = {401: 20003, 404: 20404, 429: 20429}.get(status, 20500)
        said = {401: "Authenticate", 429: "Too Many Requests"}.get(status, "An internal server error has occurred")
        return {
            "code": code,
            "message": said,
            "more_info": f"https://www.twilio.com/docs/errors/{code}",
            "status": status,
        }

    def _let_in(self, request: Request) -> bool:
        wanted = base64.b64encode(b"ACsandbox:sandbox-token").decode()
        return request.headers.get("authorization") == f"Basic {wanted}"

    async def _one(self, request: Request) -> Response:
        if not self._let_in(request):
            return json_response(self.envelope(401), 401)
        number = request.path_params["number"]
        fields = [field for field in request.query_params.get("Fields", "").split(",") if field]
        since = request.query_params.get("LastVerifiedDate", "")
        answer = self.lookup(number, fields, since, request.query_params.get("CountryCode"))
        answer["url"] = f"https://lookups.twilio.com/v2/PhoneNumbers/{number}"
        return json_response(answer)

    async def _batch(self, request: Request) -> Response:
        if not self._let_in(request):
            return json_response(self.envelope(401), 401)
        seen: set[str] = set()
        rows = []
        for wanted in orjson.loads(await request.body())["phone_numbers"]:
            number = wanted["phone_number"]
            since = (wanted.get("reassigned_number") or {}).get("last_verified_date", "")
            row = self.lookup(number, wanted.get("fields", []), since, wanted.get("country_code"))
            row["correlation_id"] = wanted.get("correlation_id")
            if number in seen:
                row["twilio_error_code"] = 60626
            seen.add(number)
            rows.append(row)
        return json_response({"phone_numbers": rows})

    def lookup(self, number: str, fields: list[str], since: str, country: str | None) -> dict[str, Any]:
        """The answer for one number; every package key is there, null unless asked for."""
        error, parsed = _validate(number, country or "US")
        answer: dict[str, Any] = dict.fromkeys(_PACKAGES)
        valid = error is None
        none = self.draw(number, "null") < 0.5
        answer |= {
            "calling_country_code": str(parsed.country_code) if valid and parsed else None,
            "country_code": phonenumbers.region_code_for_number(parsed) if valid and parsed else None,
            "phone_number": number,
            "national_format": _national(parsed) if valid and parsed else None,
            "valid": valid,
            "validation_errors": [error] if error else None if none else [],
        }
        for field in fields if valid else ():
            if field in _PACKAGES:
                answer[field] = self._package(field, number, since, str(answer["country_code"]))
        return answer

    def _package(self, field: str, number: str, since: str, country: str) -> dict[str, Any]:
        empty = _EMPTY[field]
        if field in self.settings["gated"]:
            return {**empty, "error_code": 60606}
        if self.settings["unknown_package_error"]:
            return {**empty, "error_code": self.settings["unknown_package_error"]}
        if not self.charge(number):
            return {**empty, "error_code": 60611}
        line = self.line(number)
        if field == "line_type_intelligence":
            if country == "CA":
                return {**empty, "error_code": 60601}
            kind = self.settings["say"].get(number) or (_TYPES[line.line_type] if line else "unknown")
            return {
                "error_code": None,
                "mobile_country_code": line.mcc or None if line else None,
                "mobile_network_code": line.mnc or None if line else None,
                "carrier_name": line.network if line else None,
                "type": kind,
            }
        if field == "line_status":
            if number in self.settings["say"]:
                return {"status": self.settings["say"][number], "error_code": None}
            if line is None or line.line_type != "mobile" or self.draw(number, "cover") > self.settings["coverage"]:
                self.billed[number] -= 1
                return {"status": None, "error_code": 60610}
            seen = self.see(number)
            status = _STATUS.get(seen, "unknown")
            if seen == "alive" and self.draw(number, "reach") < 0.6:
                status = "reachable"
            return {"status": status, "error_code": None}
        if field == "reassigned_number":
            return {
                "last_verified_date": f"{since[:4]}-{since[4:6]}-{since[6:]}",
                "is_number_reassigned": self.settings["say"].get(number) or self._reassigned(number, since),
                "error_code": None,
            }
        return {**empty, "error_code": 60600}

    def _reassigned(self, number: str, since: str) -> str:
        line = self.line(number)
        if line is None or self.world is None or self.draw(number, "rnd") < 0.1:
            return "no_data_available"
        changed = [state for state in line.timeline if state.state in ("disconnected", "reassigned")]
        day = "".join(since.split("-"))
        late = [state for state in changed if state.since <= self.world.now_ms() and _day(state.since) > day]
        return "yes" if late else "no"


_EMPTY: dict[str, dict[str, Any]] = {
    "line_status": {"status": None},
    "line_type_intelligence": {
        "mobile_country_code": None,
        "mobile_network_code": None,
        "carrier_name": None,
        "type": None,
    },
    "reassigned_number": {"last_verified_date": None, "is_number_reassigned": None},
    **{name: {} for name in _PACKAGES if name not in ("line_status", "line_type_intelligence", "reassigned_number")},
}


def _day(epoch_ms: int) -> str:
    return datetime.fromtimestamp(epoch_ms / 1000, UTC).strftime("%Y%m%d")


def _national(parsed: phonenumbers.PhoneNumber) -> str:
    return str(phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL))


def _validate(number: str, country: str) -> tuple[str | None, phonenumbers.PhoneNumber | None]:
    """Twilio's validation errors are libphonenumber's outcomes; the +1500555 test numbers have theirs by convention."""
    try:
        parsed = phonenumbers.parse(number, country)
    except NumberParseException as error:
        kind = (
            "INVALID_COUNTRY_CODE" if error.error_type == NumberParseException.INVALID_COUNTRY_CODE else "NOT_A_NUMBER"
        )
        return kind, None
    if number in _MAGIC:
        return _MAGIC[number], parsed
    reason = phonenumbers.is_possible_number_with_reason(parsed)
    words = {
        ValidationResult.TOO_SHORT: "TOO_SHORT",
        ValidationResult.TOO_LONG: "TOO_LONG",
        ValidationResult.INVALID_LENGTH: "INVALID_LENGTH",
        ValidationResult.INVALID_COUNTRY_CODE: "INVALID_COUNTRY_CODE",
        ValidationResult.IS_POSSIBLE_LOCAL_ONLY: "TOO_SHORT",
    }
    if reason in words:
        return words[reason], parsed
    return (None if phonenumbers.is_valid_number(parsed) else "INVALID_BUT_POSSIBLE"), parsed
