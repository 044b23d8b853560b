"""Twilio's callbacks: how a call ended, and messages people send back, such as STOP.

Signature: base64 of HMAC-SHA1 over the address and the sorted form fields, https://www.twilio.com/docs/usage/webhooks/webhooks-security
"""

from __future__ import annotations

import base64
import hmac
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import parse_qsl

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from app.serve.addresses import called_url, secret_of
from app.serve.call_taking import take
from app.serve.door import Door
from app.serve.refusals import Refused, json_answer
from ringtrue.free_text import opt_out
from ringtrue.ledger import calls, review, stops
from ringtrue.ledger.stops import Stop
from ringtrue.masking import mask_text
from ringtrue.phone import normalize_arrow
from ringtrue.records import PulledCall
from ringtrue.serve_settings import TwilioHook

SOURCE = "twilio"
_OVER = frozenset({"completed", "busy", "no-answer", "failed", "canceled"})
_EMPTY = "<?xml version='1.0' encoding='UTF-8'?><Response/>"


def signature(token: str, url: str, fields: list[tuple[str, str]]) -> str:
    """The signature of a form."""
    message = url + "".join(name + value for name, value in sorted(set(fields)))
    return base64.b64encode(hmac.digest(token.encode(), message.encode(), "sha1")).decode()


class TwilioCallbacks:
    """The two endpoints."""

    def __init__(self, door: Door, hook: TwilioHook) -> None:
        self._door, self._hook = door, hook

    async def call(self, request: Request) -> Response:
        """A call's status. Only the last one counts; the others are acknowledged."""
        fields = await self._form(request)
        status = fields.get("CallStatus", "")
        if not fields.get("CallSid") or not status:
            raise Refused(400, "The form has no CallSid and CallStatus.")
        if status not in _OVER:
            return json_answer({"taken": 0, "new": 0})
        inbound = fields.get("Direction") == "inbound"
        now = self._door.now()
        call = PulledCall(
            call_id=fields["CallSid"][:100],
            contact_ids=(),
            number=_number(fields.get("From" if inbound else "To")),
            outcome=fields.get("AnsweredBy") if status == "completed" and fields.get("AnsweredBy") else status,
            label=None,
            status=None,
            direction="inbound" if inbound else "outbound",
            duration_seconds=_seconds(fields.get("CallDuration")),
            notes=None,
            started_at=_moment(fields.get("Timestamp")) or datetime.fromtimestamp(now / 1000, UTC),
            modified_at=datetime.fromtimestamp(now / 1000, UTC),
            cause=fields.get("SipResponseCode"),
        )
        people = self._door.settings.policy.switchboard_people
        done = await self._door.commit(
            lambda connection, key: take(connection, key, SOURCE, "twilio", [call], people, now)
        )
        return json_answer({"taken": 1, "new": done.new})

    async def message(self, request: Request) -> Response:
        """A message somebody sent us. One that says stop is a suppression at once; one that may is for a person to read."""
        fields = await self._form(request)
        sid, number = fields.get("MessageSid"), _number(fields.get("From"))
        if not sid:
            raise Refused(400, "The form has no MessageSid.")
        text = fields.get("Body", "")
        said = "sure" if fields.get("OptOutType") == "STOP" or text.strip().casefold() == "stop" else opt_out(text)
        now = self._door.now()
        if said is None or number is None:
            return Response(_EMPTY, media_type="text/xml")
        people = self._door.settings.policy.switchboard_people

        def keep(connection: Connection, key: bytes) -> None:
            if said == "unsure":
                review.add(connection, "opt_out", [(mask_text(text[:300]), f"{SOURCE}:{sid}")], now)
                return
            owner = calls.only_owners(connection, [number]).get(number)
            meant = () if owner is None else (owner,)
            stop = Stop(meant, number, sid, "opt_out:sms", "text message saying stop", "the holder of the number", now)
            stops.commit(connection, key, [stop], people, now)

        await self._door.commit(keep)
        return Response(_EMPTY, media_type="text/xml")

    async def _form(self, request: Request) -> dict[str, str]:
        token = secret_of(self._door.environ, self._hook.token_variable)
        given = request.headers.get("x-twilio-signature", "")
        try:
            fields = parse_qsl((await request.body()).decode(), keep_blank_values=True, max_num_fields=500)
        except ValueError:
            raise Refused(400, "The body is not a form; Twilio sends application/x-www-form-urlencoded.") from None
        expected = signature(token, called_url(request, self._door.serve), fields)
        if not hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace")):
            raise Refused(
                401,
                f"The signature does not fit. Check the auth token in {self._hook.token_variable} and that [serve] public_url is the "
                "address Twilio calls.",
            )
        return dict(fields)


def _number(text: str | None) -> str | None:
    """Twilio writes E.164; clients and SIP addresses are no numbers."""
    if not text or not text.startswith("+"):
        return None
    row = normalize_arrow([text], None).to_pylist()[0]
    return row["e164"] if row["sure"] else None


def _seconds(text: str | None) -> float | None:
    return float(text) if text and text.isascii() and text.isdigit() and len(text) < 8 else None


def _moment(text: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(text) if text else None
    except ValueError:
        return None
