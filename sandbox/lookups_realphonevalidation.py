"""RealPhoneValidation: United States liveness; `error_text` is {} where there is no error, `unauthorized` stands for a wrong token and for an empty balance."""

from __future__ import annotations

from typing import Any, ClassVar

from starlette.requests import Request
from starlette.responses import Response

from sandbox.lookups_vendor import Handler, Vendor, json_response

_ACCOUNT = "sandbox-token"
_CELL = {"mobile": "Y", "landline": "N", "voip": "V"}
_PLUS = {"mobile": "Mobile", "landline": "Landline", "voip": "VoIP"}


class RealPhoneValidation(Vendor):
    """Token `sandbox-token`."""

    name = "realphonevalidation"
    hosts = ("api.realvalidation.com",)
    defaults: ClassVar[dict[str, Any]] = {"unsure": 0.1}

    def handlers(self) -> list[tuple[str, str, str, Handler]]:
        """Scrub and ScrubPlus, by form or query."""
        pages = (
            ("/rpvWebService/RealPhoneValidationScrub.php", self._scrub),
            ("/rpvWebService/ScrubPlus.php", self._plus),
        )
        return [("query", method, path, handler) for path, handler in pages for method in ("GET", "POST")]

    async def _scrub(self, request: Request) -> Response:
        answer, number = await self._answer(request)
        line = self.line(number)
        if "iscell" not in answer and answer["status"] not in ("unauthorized", "ERROR"):
            answer["iscell"] = _CELL[line.line_type] if line else {}
            answer["carrier"] = f"{line.network}:6006 - SVR/2" if line else {}
        return json_response(answer)

    async def _plus(self, request: Request) -> Response:
        answer, number = await self._answer(request)
        line = self.line(number)
        if line is not None and answer["status"] not in ("unauthorized", "ERROR"):
            answer["phone_type"] = _PLUS[line.line_type]
        return json_response(answer)

    async def _answer(self, request: Request) -> tuple[dict[str, Any], str]:
        form = {**request.query_params, **(dict(await request.form()) if request.method == "POST" else {})}
        digits = str(form.get("phone", ""))
        number = f"+1{digits}"
        if not form.get("token"):
            return {"status": "ERROR", "error_text": "missing token"}, number
        if form["token"] != _ACCOUNT:
            return {"status": "unauthorized", "error_text": {}}, number
        if len(digits) != 10 or not digits.isdigit():
            return {"status": "ERROR", "error_text": "bad phone number"}, number
        if not self.charge(number):
            return {"status": "unauthorized", "error_text": {}}, number
        return {"status": self.settings["say"].get(number) or self._status(number), "error_text": {}}, number

    def _status(self, number: str) -> str:
        seen = self.see(number)
        unsure = self.draw(number, "unsure") < self.settings["unsure"]
        if seen == "alive":
            return "connected-75" if unsure else "connected"
        if seen == "dead":
            return "disconnected-70" if unsure else "disconnected"
        return {"off": "unreachable", "suspended": "unreachable", "nonexistent": "invalid phone"}.get(seen, "unknown")
