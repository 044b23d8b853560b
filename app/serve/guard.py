"""What stands in front of every endpoint: a limit of size and time for what is sent, a log line without what was sent, and no traceback outside."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.serve.refusals import Refused, json_answer

log = logging.getLogger("ringtrue.serve")

BODY_SECONDS = 15.0


class Guard:
    """The outermost layer."""

    def __init__(self, app: ASGIApp, body_bytes: int) -> None:
        self.app, self._most = app, body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            body = await self._body(scope, receive)
        except Refused as refused:
            await json_answer({"error": refused.sentence}, refused.status, {"Connection": "close"})(
                scope, receive, noting
            )
        else:
            replayed = False

            async def given() -> Message:
                nonlocal replayed
                if not replayed:
                    replayed = True
                    return {"type": "http.request", "body": body, "more_body": False}
                return await receive()

            try:
                await self.app(scope, given, noting)
            except Exception as error:
                # The error's text may hold a number or a name: only its kind and place are written down.
                last = traceback.extract_tb(error.__traceback__)[-1]
                log.error("%s in %s line %s", type(error).__name__, last.filename.rpartition("/")[2], last.lineno)
                if not status:
                    answer = json_answer(
                        {"error": "RingTrue failed here; the log of `ringtrue serve` says where."}, 500
                    )
                    await answer(scope, receive, noting)
        took = (time.perf_counter() - started) * 1000
        # The path as the routes know it: what stands in a real path may be a secret part or an opaque id.
        path = getattr(scope.get("route"), "path", None)
        shown = "(no route)" if path is None else f"{scope.get('root_path', '')}{path}"
        log.info("%s %s %d %.1f ms", scope["method"], shown, status, took)

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        too_large = Refused(413, f"The body is larger than {self._most} bytes; send it in parts.")
        for name, value in scope["headers"]:
            if name == b"content-length" and value.isdigit() and int(value[:20]) > self._most:
                raise too_large
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(BODY_SECONDS):
                more = True
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        break
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
                    if size > self._most:
                        raise too_large
                    more = message.get("more_body", False)
        except TimeoutError:
            raise Refused(408, f"The body did not arrive within {BODY_SECONDS:.0f} seconds.") from None
        return b"".join(parts)
