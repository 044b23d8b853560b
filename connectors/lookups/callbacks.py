"""A receiver for services that answer by calling back: what arrives is kept by its request id, once."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Mapping

import orjson

from ringtrue.ledger import Ledger, inbox
from ringtrue.settings import Settings

VONAGE = "vonage"
"""Source of Vonage's answers in the inbox."""
_LOOK_AGAIN_SECONDS = 0.5


class LedgerCallbacks:
    """Waits for callbacks that the entry service has put into the ledger's inbox, by whichever process it runs in."""

    def __init__(self, ledger: Ledger, address: str) -> None:
        self._ledger, self.address = ledger, address

    async def wait(self, request_id: str, timeout_seconds: float) -> bytes | None:
        """The body of a request's callback, None when it does not come in time. It stays in the inbox until it is pruned."""
        until = time.monotonic() + timeout_seconds
        while (body := await asyncio.to_thread(self._body, request_id)) is None:
            if time.monotonic() >= until:
                return None
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        return body.encode()

    def _body(self, request_id: str) -> str | None:
        with self._ledger.read() as connection:
            return inbox.body_of(connection, VONAGE, request_id)


def vonage_callbacks(settings: Settings, ledger: Ledger, environ: Mapping[str, str]) -> LedgerCallbacks | None:
    """Where Vonage is to call back: the entry service's public address. None while that, or its secret part, is not set."""
    hook = settings.serve.vonage
    part = environ.get(hook.path_variable, "") if hook else ""
    if hook is None or not part or settings.serve.public_url is None:
        return None
    return LedgerCallbacks(ledger, f"{settings.serve.public_url.rstrip('/')}/callbacks/vonage/{part}")


class CallbackBox:
    """Keeps callbacks in memory and lets any event loop wait for them. The entry service hands each body to `receive`.

    `address` is what the service is told to call; it must hold a part nobody can guess, because the caller is not known otherwise.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._bodies: dict[str, bytes] = {}
        self._changed = threading.Condition()
        self._waiters: dict[str, list[tuple[asyncio.AbstractEventLoop, asyncio.Event]]] = {}

    def receive(self, body: bytes) -> bool:
        """Keep a callback; the first of a request counts. False when it is not one: the entry service then answers 400."""
        try:
            request_id = orjson.loads(body)["request_id"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return False
        with self._changed:
            self._bodies.setdefault(str(request_id), body)
            self._changed.notify_all()
            waiting = self._waiters.pop(str(request_id), [])
        for loop, event in waiting:
            loop.call_soon_threadsafe(event.set)
        return True

    async def wait(self, request_id: str, timeout_seconds: float) -> bytes | None:
        """The body of a request's callback, None when it does not come in time."""
        event = asyncio.Event()
        with self._changed:
            if request_id in self._bodies:
                return self._bodies[request_id]
            self._waiters.setdefault(request_id, []).append((asyncio.get_running_loop(), event))
        try:
            async with asyncio.timeout(timeout_seconds):
                await event.wait()
        except TimeoutError:
            with self._changed:
                self._waiters.pop(request_id, None)
        return self._bodies.get(request_id)

    def wait_for_any(self, timeout_seconds: float) -> bool:
        """Block until something has arrived; False when nothing did in time."""
        with self._changed:
            return self._changed.wait_for(lambda: bool(self._bodies), timeout_seconds)
