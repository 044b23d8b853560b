"""Melissa Global Phone v4: batches, licence errors as HTTP 200, PS30 for a live check that had too little time."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

import orjson
import phonenumbers
from starlette.requests import Request
from starlette.responses import Response

from sandbox.lookups_vendor import Handler, Vendor, json_response, parse

_BLANK = (
    "AdministrativeArea",
    "CallerID",
    "DST",
    "Language",
    "Latitude",
    "Locality",
    "Longitude",
    "PhoneInternationalPrefix",
    "PhoneNationPrefix",
    "PhoneNationalDestinationCode",
    "PhoneSubscriberNumber",
    "UTC",
    "TimeZoneCode",
    "TimeZoneName",
    "PostalCode",
)
_MOST_RECORDS = 100
_PATIENT_SECONDS = 10
_TYPES = {"mobile": "PS07", "landline": "PS08", "voip": "PS09"}
_CODES = {
    "alive": "PS01,PS22",
    "off": "PS01,PS22",
    "suspended": "PS01,PS20",
    "dead": "PE11",
    "nonexistent": "PE05",
    "unknown": "PS01,PS20",
}


class Melissa(Vendor):
    """Licence `sandbox-license`. `pending`: share of live checks that need more than ten seconds; `transmission`: a service code to answer with; `drop_last`: the last record of every batch is missing."""

    name = "melissa"
    hosts = ("globalphone.melissadata.net",)
    defaults: ClassVar[dict[str, Any]] = {"pending": 0.05, "transmission": "", "drop_last": False}

    def handlers(self) -> list[tuple[str, str, str, Handler]]:
        """The batch call."""
        return [("query", "POST", "/v4/WEB/GlobalPhone/doGlobalPhone", self._batch)]

    def envelope(self, status: int) -> Any:
        """The problem document of a malformed request."""
        return {"type": "about:blank", "title": "Error", "status": status, "errors": {}, "traceId": str(uuid.uuid4())}

    async def _batch(self, request: Request) -> Response:
        try:
            wanted = orjson.loads(await request.body())
        except orjson.JSONDecodeError:
            return json_response(self.envelope(400), 400)
        records = wanted.get("Records", [])
        code = self.settings["transmission"]
        if wanted.get("CustomerID") != "sandbox-license":
            code = "GE05" if wanted.get("CustomerID") else "GE04"
        elif not records:
            code = "GE02"
        elif len(records) > _MOST_RECORDS:
            code = "GE03"
        elif self.settings["credit"] is not None and self.settings["credit"] < len(records):
            code = "GE14"
        options = dict(part.split(":") for part in wanted.get("Options", "").split(",") if ":" in part)
        answer = {
            "Version": "9.4.0.1273",
            "TransmissionReference": wanted.get("TransmissionReference", ""),
            "TransmissionResults": code,
            "Records": [] if code else [self._record(record, options) for record in records],
        }
        if self.settings["drop_last"]:
            answer["Records"] = answer["Records"][:-1]
        return json_response(answer)

    def _record(self, record: dict[str, Any], options: dict[str, str]) -> dict[str, Any]:
        number = record["PhoneNumber"]
        premium = options.get("VerifyPhone", "Express") == "Premium"
        line = self.line(number)
        parsed = parse(number)
        codes = self._codes(number, premium, int(options.get("TimeToWait", "2")))
        region = phonenumbers.region_code_for_number(parsed) if parsed else ""
        return {
            **dict.fromkeys(_BLANK, ""),
            "RecordID": record["RecordID"],
            "Results": codes,
            "PhoneNumber": str(parsed.national_number) if parsed else number,
            "CountryAbbreviation": region or "",
            "CountryName": region or "",
            "Carrier": line.network if line and region in ("US", "CA") else "",
            "InternationalPhoneNumber": number,
            "PhoneCountryDialingCode": str(parsed.country_code) if parsed else "",
            "Suggestions": None,
        }

    def _codes(self, number: str, premium: bool, time_to_wait: int) -> str:
        if number in self.settings["say"]:
            self.charge(number)
            return str(self.settings["say"][number])
        parsed = parse(number)
        if parsed is None or not phonenumbers.is_possible_number(parsed):
            return "PE03"
        if not phonenumbers.is_valid_number(parsed):
            return "PE05"
        if phonenumbers.region_code_for_number(parsed) not in ("US", "CA") or not premium:
            self.charge(number)
            return "PS01,PS20"
        if time_to_wait < _PATIENT_SECONDS and self.draw(number, "pending") < self.settings["pending"]:
            return "PS01,PS30"
        self.charge(number)
        line = self.line(number)
        codes = _CODES[self.see(number)]
        if line is not None and codes.startswith("PS"):
            codes += f",{_TYPES[line.line_type]}"
        if line is not None and line.registries:
            codes += ",PS18"
        return codes
