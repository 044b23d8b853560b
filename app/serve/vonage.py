"""Vonage's asynchronous Number Insight: its answers wait in the inbox for the run that asked."""

from __future__ import annotations

import orjson
from starlette.requests import Request
from starlette.responses import Response

from app.serve.addresses import check_path
from app.serve.door import Door
from app.serve.refusals import Refused, json_answer
from connectors.lookups.callbacks import VONAGE
from ringtrue.ledger import inbox
from ringtrue.ledger.inbox import Told
from ringtrue.serve_settings import VonageHook

_NOT_KEPT = ("roaming",)
"""Keeping where a phone travels is unlawful in several places."""


class VonageCallback:
    """Takes one answer; Vonage repeats it for 24 hours until it is acknowledged."""

    def __init__(self, door: Door, hook: VonageHook) -> None:
        self._door, self._hook = door, hook

    async def __call__(self, request: Request) -> Response:
        check_path(self._door.environ, self._hook.path_variable, request.path_params["part"])
        try:
            insight = orjson.loads(await request.body())
        except orjson.JSONDecodeError:
            raise Refused(400, "The body is not valid JSON; Vonage sends a Number Insight answer.") from None
        request_id = insight.get("request_id") if isinstance(insight, dict) else None
        if not isinstance(request_id, str) or not 0 < len(request_id) <= 100:
            raise Refused(400, "The answer has no request_id.")
        body = orjson.dumps({name: value for name, value in insight.items() if name not in _NOT_KEPT}).decode()
        now = self._door.now()
        new = await self._door.commit(
            lambda connection, _: inbox.put(connection, [Told(VONAGE, request_id, "answer", body=body)], now)
        )
        return json_answer({"taken": 1, "new": new})
