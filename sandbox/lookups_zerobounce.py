"""ZeroBounce v2: errors as HTTP 200, `Credits: "-1"` for a wrong key, `success` as a word, `message` as a list, credit that ends in the middle of a batch."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any, ClassVar

import orjson
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response

from sandbox.lookups_vendor import Handler, Vendor, json_response

_KEY = "sandbox-key"
_NO_CREDIT = "Invalid API key or your account ran out of credits"
_SANDBOX = {
    "valid@example.com": ("valid", ""),
    "invalid@example.com": ("invalid", "mailbox_not_found"),
    "catch_all@example.com": ("catch-all", ""),
    "disposable@example.com": ("do_not_mail", "disposable"),
    "toxic@example.com": ("do_not_mail", "toxic"),
    "spamtrap@example.com": ("spamtrap", ""),
    "abuse@example.com": ("abuse", ""),
    "unknown@example.com": ("unknown", "mail_server_temporary_error"),
}
_SHARES = (
    (0.86, "valid"),
    (0.92, "invalid"),
    (0.96, "catch-all"),
    (0.97, "do_not_mail"),
    (0.98, "abuse"),
    (1.0, "unknown"),
)


class ZeroBounce(Vendor):
    """Key `sandbox-key`. `file_polls`: how often a file is still "Processing" when asked; `odd_errors`: the string and list forms of its errors."""

    name = "zerobounce"
    hosts = ("api.zerobounce.net", "api-us.zerobounce.net", "api-eu.zerobounce.net", "bulkapi.zerobounce.net")
    defaults: ClassVar[dict[str, Any]] = {"file_polls": 1, "odd_errors": True}

    def __init__(self, world: Any) -> None:
        super().__init__(world)
        self._files: dict[str, dict[str, Any]] = {}

    def handlers(self) -> list[tuple[str, str, str, Handler]]:
        """Single, batch, file, credits."""
        return [
            ("login", "GET", "/v2/getcredits", self._credits),
            ("query", "GET", "/v2/validate", self._validate),
            ("query", "POST", "/v2/validatebatch", self._batch),
            ("bulk", "POST", "/v2/sendfile", self._send_file),
            ("bulk", "GET", "/v2/filestatus", self._file_status),
            ("bulk", "GET", "/v2/getfile", self._get_file),
        ]

    def _row(self, email: str) -> dict[str, Any] | None:
        """What is known of an address; None when the credit is used up. The sandbox addresses and "unknown" cost nothing."""
        status, sub_status = _SANDBOX.get(email, ("", ""))
        if not status:
            chance = self.draw(email, "email")
            status = self.settings["say"].get(email) or next(word for share, word in _SHARES if chance < share)
            if status != "unknown" and not self.charge(email):
                return None
        account, _, domain = email.partition("@")
        return {
            "address": email,
            "status": status,
            "sub_status": sub_status,
            "free_email": False,
            "did_you_mean": None,
            "account": account,
            "domain": domain,
            "domain_age_days": "9692",
            "smtp_provider": "example",
            "mx_found": "true",
            "mx_record": f"mx.{domain}",
            "firstname": None,
            "lastname": None,
            "gender": None,
            "country": None,
            "region": None,
            "city": None,
            "zipcode": None,
            "processed_at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S.000"),
        }

    async def _credits(self, request: Request) -> Response:
        if request.query_params.get("api_key") != _KEY:
            return json_response({"Credits": "-1"})
        credit = self.settings["credit"]
        return json_response({"Credits": str(100_000 if credit is None else credit)})

    async def _validate(self, request: Request) -> Response:
        if request.query_params.get("api_key") != _KEY:
            return json_response({"error": _NO_CREDIT})
        row = self._row(request.query_params["email"])
        return json_response(row or {"error": _NO_CREDIT})

    async def _batch(self, request: Request) -> Response:
        wanted = orjson.loads(await request.body())
        everybody = {"error": _NO_CREDIT, "email_address": "all"}
        if wanted.get("api_key") != _KEY:
            return json_response({"email_batch": [], "errors": [everybody]})
        rows = [row for each in wanted["email_batch"] if (row := self._row(each["email_address"])) is not None]
        return json_response(
            {"email_batch": rows, "errors": [] if len(rows) == len(wanted["email_batch"]) else [everybody]}
        )

    async def _send_file(self, request: Request) -> Response:
        form = await request.form()
        if form.get("api_key") != _KEY:
            return json_response(
                {"success": "False", "message": [_NO_CREDIT]}
                if self.settings["odd_errors"]
                else {"success": False, "message": _NO_CREDIT}
            )
        upload = form["file"]
        text = (await upload.read()).decode() if isinstance(upload, UploadFile) else str(upload)
        lines = text.splitlines()[1 if form.get("has_header_row") == "true" else 0 :]
        file_id = str(uuid.uuid4())
        self._files[file_id] = {"emails": lines, "polls": 0}
        name = upload.filename if isinstance(upload, UploadFile) else "emails.csv"
        return json_response({"success": True, "message": "File Accepted", "file_name": name, "file_id": file_id})

    async def _file_status(self, request: Request) -> Response:
        known = self._files.get(request.query_params.get("file_id", ""))
        if known is None:
            return json_response({"success": False, "message": "File cannot be found."})
        known["polls"] += 1
        complete = known["polls"] > self.settings["file_polls"]
        return json_response(
            {
                "success": True,
                "file_id": request.query_params["file_id"],
                "file_status": "Complete" if complete else "Processing",
                "file_phase_2_status": "N/A",
                "complete_percentage": "100%" if complete else "50%",
                "return_url": None,
            }
        )

    async def _get_file(self, request: Request) -> Response:
        known = self._files.get(request.query_params.get("file_id", ""))
        if known is None:
            said: Any = ["File cannot be found."] if self.settings["odd_errors"] else "File cannot be found."
            return json_response({"success": "False", "message": said})
        lines = ['"email","ZB Status","ZB Sub Status"']
        for email in known["emails"]:
            row = self._row(email)
            if row is not None:
                lines.append(f'"{email}","{row["status"]}","{row["sub_status"]}"')
        return Response("\n".join(lines).encode(), media_type="application/octet-stream")
