"""How every lookup service is reached: token bucket, retry of what cost nothing, and vendor errors in our own words.

A request that was surely not served (429, 5xx, no connection) is repeated; one whose answer was lost is not, because it may have been charged.
"""

from __future__ import annotations

import asyncio
import base64
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx
import orjson
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt
from tenacity.wait import wait_exponential_jitter

from connectors.http import error_for_status, is_html, mask_body, translate_transport_error
from connectors.lookups.protocol import Limits
from connectors.lookups.wire import WireTransport
from ringtrue.errors import (
    AllowanceSpent,
    ConnectionLost,
    CredentialRefused,
    HostUnreachable,
    RateLimited,
    RetryLater,
    RingTrueError,
    SchemaChanged,
    ServiceUnavailable,
)

Sleep = Callable[[float], Awaitable[None]]
Clock = Callable[[], float]
Judge = Callable[[httpx.Response], RingTrueError | None]

_LONGEST_WAIT_SECONDS = 60.0
_LANE_WIDTH = 2
_IDLE_SECONDS = 4.0


_HEADERS = {"Accept": "*/*", "Accept-Encoding": "gzip, deflate", "Connection": "keep-alive", "User-Agent": "RingTrue"}


def _proxy_for(base_url: str) -> str | None:
    """The proxy that the environment names for this address; this machine's own is reached directly."""
    address = urlsplit(base_url)
    host = address.hostname or ""
    if host in ("127.0.0.1", "localhost") or proxy_bypass(host):
        return None
    named = getproxies()
    proxy = named.get(address.scheme) or named.get("all")
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy


class AnswerNotUnderstood(SchemaChanged):
    """An answer came, was probably charged, and cannot be read."""


class Pace:
    """A token bucket that gives way: each 429 halves the rate and waits as long as the service says, each success wins a little back."""

    def __init__(
        self, rate_per_second: float, *, clock: Clock = time.monotonic, sleep: Sleep = asyncio.sleep, burst: float = 1.0
    ) -> None:
        self.ceiling = self.rate = rate_per_second
        self._burst = max(burst, 1.0)
        self._tokens = self._burst
        self._clock, self._sleep = clock, sleep
        self._at = clock()
        self._closed_until = 0.0

    async def take(self) -> None:
        """Wait for one token. Tokens are handed out in the order they were asked for, as debts against the future."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self.rate)
        self._at = now
        self._tokens -= 1
        wait = max(-self._tokens / self.rate, self._closed_until - now)
        if wait > 0:
            await self._sleep(wait)

    def slow_down(self, retry_after_seconds: float | None) -> None:
        """The service refused for haste."""
        self.rate = max(self.rate / 2, self.ceiling / 64)
        if retry_after_seconds:
            self._closed_until = max(self._closed_until, self._clock() + retry_after_seconds)

    def served(self) -> None:
        """The service answered: win back a hundredth of the ceiling."""
        if self.rate < self.ceiling:
            self.rate = min(self.ceiling, self.rate + self.ceiling / 100)


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    said = error.retry_after_seconds if isinstance(error, RetryLater) else None
    return said if said is not None else _backoff(state)


_backoff = wait_exponential_jitter(multiplier=0.2, max=8.0)


def _worth_repeating(error: BaseException) -> bool:
    """Nothing was charged, and the wait is short enough to sleep through; longer ones are left to the desk, which leaves the service out."""
    if isinstance(error, HostUnreachable):
        return True
    if not isinstance(error, RateLimited | ServiceUnavailable):
        return False
    return (error.retry_after_seconds or 0) <= _LONGEST_WAIT_SECONDS


@dataclass
class _Lane:
    """A few connections behind a proxy, or all that go straight. httpx's pool looks through all its connections for each request, so one with a hundred is slow."""

    connections: httpx.AsyncBaseTransport
    busy: int = 0


class LookupClient:
    """httpx for one service, with its pace and its retries.

    Requests go to httpx's connections without its client, which would merge addresses, headers, cookies and redirects anew for each: a third of what a lookup costs.

    `attempts` counts the first try. `sleep` and `clock` are for tests in which waiting is part of the behaviour.
    """

    def __init__(
        self,
        service: str,
        base_url: str,
        limits: Limits,
        *,
        headers: Mapping[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        attempts: int = 4,
        sleep: Sleep = asyncio.sleep,
        clock: Clock = time.monotonic,
    ) -> None:
        self.service = service
        self._base_url = base_url.rstrip("/")
        self._headers = httpx.Headers({**_HEADERS, **(headers or {})})
        if auth is not None:
            self._headers["Authorization"] = f"Basic {base64.b64encode(':'.join(auth).encode()).decode()}"
        timeout = limits.timeout_seconds
        self._extensions = {"timeout": {"connect": 5.0, "read": timeout, "write": timeout, "pool": None}}
        self._attempts, self._sleep = attempts, sleep
        self.pace = Pace(limits.rate_per_second, clock=clock, sleep=sleep, burst=limits.rate_per_second / 10)
        trust = ssl.create_default_context() if base_url.startswith("https") else None
        proxy = _proxy_for(base_url)
        if proxy is None:
            wire = WireTransport(most=limits.concurrency, idle_seconds=_IDLE_SECONDS, trust=trust)
            self._lanes = [_Lane(wire)]
            return
        narrow = httpx.Limits(
            max_connections=_LANE_WIDTH, max_keepalive_connections=_LANE_WIDTH, keepalive_expiry=_IDLE_SECONDS
        )
        self._lanes = [
            _Lane(httpx.AsyncHTTPTransport(limits=narrow, verify=trust or False, trust_env=False, proxy=proxy))
            for _ in range(-(-limits.concurrency // _LANE_WIDTH))
        ]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Give back the connections."""
        for lane in self._lanes:
            await lane.connections.aclose()

    async def send(
        self,
        method: str,
        path: str,
        *,
        judge: Judge | None = None,
        inspect: Judge | None = None,
        repeat: bool = True,
        **request: Any,
    ) -> httpx.Response:
        """Send one request and return the answer.

        `judge` sees a refusal first and returns our error for it, or None where the usual meaning of its status holds. `inspect` sees a 2xx answer and returns
        an error for one that says "too fast" or "not now" in its body. `repeat` False: never sent twice.
        Raises RateLimited or ServiceUnavailable when the tries are used up, ConnectionLost when the answer did not arrive, HostUnreachable when there
        was no connection, CredentialRefused (401, 403), AllowanceSpent (402), SchemaChanged (any other status).
        """
        # An address is taken apart once, and the machinery of repeating is set up only where the first try fails: both cost more than reading an answer.
        params = request.pop("params", None)
        url = httpx.URL(self._base_url + path + (f"?{urlencode(params)}" if params else ""))
        try:
            return await self._once(method, url, judge, inspect, request)
        except RingTrueError as error:
            if not repeat or not _worth_repeating(error):
                raise
            failed: list[RingTrueError] = [error]

        async def again() -> httpx.Response:
            if failed:
                raise failed.pop()
            return await self._once(method, url, judge, inspect, request)

        retrying = AsyncRetrying(
            stop=stop_after_attempt(self._attempts),
            retry=retry_if_exception(_worth_repeating),
            wait=_wait,
            sleep=self._sleep,
            reraise=True,
        )
        response: httpx.Response = await retrying(again)
        return response

    async def _once(
        self, method: str, url: httpx.URL, judge: Judge | None, inspect: Judge | None, request: dict[str, Any]
    ) -> httpx.Response:
        await self.pace.take()
        lane = min(self._lanes, key=lambda each: each.busy)
        lane.busy += 1
        try:
            response = await self._answer(lane, method, url, request)
        except httpx.HTTPError as exc:
            error = translate_transport_error(exc)
            if error is None:
                raise
            raise error from exc
        finally:
            lane.busy -= 1
        if response.is_success:
            refusal = inspect(response) if inspect else None
            if refusal is None:
                self.pace.served()
                return response
        else:
            refusal = (judge(response) if judge else None) or self._refusal(response)
        if isinstance(refusal, RateLimited):
            self.pace.slow_down(refusal.retry_after_seconds)
        raise refusal

    async def _answer(self, lane: _Lane, method: str, url: httpx.URL, parts: Mapping[str, Any]) -> httpx.Response:
        """One request, and its whole answer. `parts`: headers, json, data, files as httpx takes them."""
        more = parts.get("headers")
        headers = self._headers if more is None else httpx.Headers({**self._headers, **more})
        body = {name: value for name, value in parts.items() if name != "headers"}
        request = httpx.Request(method, url, headers=headers, extensions=self._extensions, **body)
        try:
            response = await lane.connections.handle_async_request(request)
            response.request = request
            try:
                await response.aread()
            finally:
                await response.aclose()
        except httpx.RequestError as exc:
            exc.request = request
            raise
        return response

    def _refusal(self, response: httpx.Response) -> RingTrueError:
        status = response.status_code
        passing = error_for_status(self.service, status, response.headers, response.text)
        if passing is not None:
            return passing
        shown = mask_body(response.text) or "no text"
        if status in (401, 403):
            return CredentialRefused(
                f"{self.service} refuses our key (HTTP {status}: {shown}). Check the secrets of [lookups.{self.service}] and what the key may use."
            )
        if status == 402:
            return AllowanceSpent(
                f"The credit at {self.service} is used up (HTTP 402). Top it up, or lower the budget."
            )
        return SchemaChanged(
            f"{self.service} answered HTTP {status}, which its contract does not know ({shown}). Nothing was taken from it."
        )

    def json(self, response: httpx.Response) -> Any:
        """Read the body. Raises ServiceUnavailable for an HTML page, ConnectionLost for half a body."""
        try:
            return orjson.loads(response.content)
        except orjson.JSONDecodeError as exc:
            if is_html(response.text):
                raise ServiceUnavailable(f"{self.service} sent an HTML page where JSON was due.") from exc
            raise ConnectionLost(
                f"{self.service} sent {len(response.content)} bytes that are not complete JSON. The request may have been charged, so it is not repeated."
            ) from exc

    def schema_changed(self, what: str) -> AnswerNotUnderstood:
        """The error for an answer that lacks what its contract promises."""
        return AnswerNotUnderstood(
            f"{self.service} answers in a form we do not know ({what}). It is left out; look for a newer version of its contract."
        )
