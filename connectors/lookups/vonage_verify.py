"""Vonage Verify v2: proof that the person in front of a web form holds the number. It rings or texts people, so it is no lookup service and cannot be asked in bulk."""

from __future__ import annotations

from typing import Literal
from urllib.parse import quote

import httpx

from connectors.lookups.client import LookupClient
from connectors.lookups.protocol import Limits
from ringtrue.errors import CredentialRefused, RecordRefused, RingTrueError

BASE_URL = "https://api.nexmo.com"
Channel = Literal["sms", "whatsapp", "voice"]
Proof = Literal["proved", "wrong_code", "over"]


class ProofOfPossession:
    """Sends one code to one number that its holder has just typed in, and checks what comes back."""

    def __init__(
        self, brand: str, api_key: str, api_secret: str, *, base_url: str = BASE_URL, timeout_seconds: float = 10.0
    ) -> None:
        self._brand = brand
        limits = Limits(rate_per_second=5, concurrency=5, timeout_seconds=timeout_seconds)
        self._client = LookupClient("vonage verify", base_url, limits, auth=(api_key, api_secret))

    async def start(self, number: str, channel: Channel = "sms") -> str:
        """Send a code and return the request's id. Never sent twice: a person would be rung twice.

        Raises RecordRefused while another check of the same number runs, or when the number cannot be reached by this channel.
        """
        response = await self._client.send(
            "POST",
            "/v2/verify",
            json={"brand": self._brand, "workflow": [{"channel": channel, "to": number.lstrip("+")}]},
            judge=_judge_start,
            repeat=False,
        )
        request_id = self._client.json(response).get("request_id")
        if not request_id:
            raise self._client.schema_changed("no request_id")
        return str(request_id)

    async def check(self, request_id: str, code: str) -> Proof:
        """Whether the code is the one that was sent; "over" after too many wrong ones or when the time has run out."""
        try:
            response = await self._client.send(
                "POST", f"/v2/verify/{quote(request_id, safe='')}", json={"code": code}, judge=_judge_code, repeat=False
            )
        except _WrongCodeError:
            return "wrong_code"
        except _OverError:
            return "over"
        if self._client.json(response).get("status") != "completed":
            raise self._client.schema_changed("a checked code without status completed")
        return "proved"

    async def close(self) -> None:
        """Give back the connections."""
        await self._client.close()


class _WrongCodeError(RecordRefused):
    """The code is not the one that was sent."""


class _OverError(RecordRefused):
    """The request is finished, expired or used up."""


def _judge_start(response: httpx.Response) -> RingTrueError | None:
    if response.status_code == 409:
        return RecordRefused("A check of this number is running already. Wait for it to end.")
    if response.status_code == 422:
        return RecordRefused("Vonage cannot send a code to this number by this channel.")
    return None


def _judge_code(response: httpx.Response) -> RingTrueError | None:
    if response.status_code == 400:
        return _WrongCodeError("The code is not the one that was sent.")
    if response.status_code in (404, 410):
        return _OverError("The check is over; start a new one.")
    if response.status_code == 401:
        return CredentialRefused("vonage verify refuses our key. Check VONAGE_API_KEY and VONAGE_API_SECRET.")
    return None
