"""One place for time-outs, retries, rate limits, loop guards and masking, used by every connector.

Nothing here knows a vendor. Works for requests, urllib3 and httpx: the transport errors of all three are translated.
"""

from __future__ import annotations

import random
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit, urlunsplit

import httpx
import requests
import tenacity
import urllib3.exceptions
from requests.adapters import HTTPAdapter

from ringtrue.errors import (
    ConnectionLost,
    HostUnreachable,
    LoopDetected,
    RateLimited,
    RetryLater,
    RingTrueError,
    RowLocked,
    ServiceUnavailable,
)
from ringtrue.masking import mask_text

T = TypeVar("T")

_SHOWN_QUERY_KEYS = frozenset({"limit", "maxrecords", "archived", "after", "allornone"})
_HTML = re.compile(r"^\s*(<!doctype html|<html|<\?xml|<head|<body)", re.IGNORECASE)


class TurnedAway(ServiceUnavailable):
    """The service answered that it did not handle the request at all (HTTP 503): a write may be sent again."""


@dataclass(frozen=True)
class Timeouts:
    """Seconds to wait for a connection, and between two bytes of an answer."""

    connect_seconds: float = 10.0
    read_seconds: float = 120.0

    def pair(self) -> tuple[float, float]:
        """The form that requests and urllib3 take."""
        return (self.connect_seconds, self.read_seconds)


@dataclass(frozen=True)
class RetryPolicy:
    """How often and how long to wait. The wait before repeat n is random between half and all of first * 2**(n-1), capped.

    A `retry_after_seconds` that the service named is kept to, unless it is longer than `total_seconds`: then the error is raised at once.
    """

    attempts: int = 6
    first_wait_seconds: float = 1.0
    max_wait_seconds: float = 60.0
    total_seconds: float = 600.0
    unreachable_attempts: int = 3
    """Tries when nobody listens or the name does not resolve: a restart is short, a wrong name is for ever."""


class TokenBucket:
    """At most `rate` tokens a second on average and `burst` at once; safe to share between threads.

    `clock` and `sleep` are for tests. `pause` empties the bucket for everybody: call it after a 429.
    """

    def __init__(
        self,
        rate: float,
        burst: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if rate <= 0 or burst < 1:
            raise ValueError("A token bucket needs a rate above 0 and a burst of at least 1.")
        self.rate = rate
        self.burst = burst
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._tokens = float(burst)
        self._filled_at = clock()

    def take(self, tokens: float = 1.0) -> float:
        """Wait until the tokens are there and take them. Returns the seconds waited."""
        with self._lock:
            now = self._clock()
            if now > self._filled_at:
                self._tokens = min(self.burst, self._tokens + (now - self._filled_at) * self.rate)
                self._filled_at = now
            self._tokens -= tokens
            wait = max(0.0, -self._tokens / self.rate) + max(0.0, self._filled_at - now)
        if wait > 0:
            self._sleep(wait)
        return wait

    def pause(self, seconds: float) -> None:
        """Let nobody through for the next seconds, then start from an empty bucket."""
        with self._lock:
            self._tokens = min(self._tokens, 0.0)
            self._filled_at = max(self._filled_at, self._clock() + seconds)


class LoopGuard:
    """Refuses a page mark, cursor or token that was seen before."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._seen: set[int] = set()

    def see(self, mark: Hashable) -> None:
        """Note a mark. Raises LoopDetected when it is not new."""
        key = hash(mark)
        if key in self._seen:
            raise LoopDetected(
                f"{self._what} came back to a place it had been before. Stopped, so as not to read for ever."
            )
        self._seen.add(key)


def retrying(
    call: Callable[[], T],
    *,
    policy: RetryPolicy | None = None,
    retry_if: Callable[[RingTrueError], bool] | None = None,
    on_retry: Callable[[RingTrueError, float], None] | None = None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> T:
    """Run `call` until it succeeds, raises something that does not pass, or the policy's attempts or seconds are used up.

    Transport errors of requests, urllib3 and httpx raised by `call` are translated first. By default RetryLater and HostUnreachable are
    retried; give `retry_if` to retry less (a write: see `never_arrived`). `on_retry` gets the error and the seconds about to be waited.
    """
    policy = policy or RetryPolicy()
    started = clock()

    def translated() -> T:
        try:
            return call()
        except RingTrueError:
            raise
        except Exception as exc:
            error = translate_transport_error(exc)
            if error is None:
                raise
            raise error from exc

    def passing(exc: BaseException) -> bool:
        if not isinstance(exc, (RetryLater, HostUnreachable)):
            return False
        return retry_if is None or retry_if(exc)

    def wait(state: tenacity.RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome else None
        told = error.retry_after_seconds if isinstance(error, RetryLater) else None
        step = min(policy.first_wait_seconds * 2.0 ** (state.attempt_number - 1), policy.max_wait_seconds)
        jittered = step * random.uniform(0.5, 1.0)  # noqa: S311  spreads callers, hides nothing
        return max(told, jittered) if told is not None else jittered

    def stop(state: tenacity.RetryCallState) -> bool:
        error = state.outcome.exception() if state.outcome else None
        attempts = policy.unreachable_attempts if isinstance(error, HostUnreachable) else policy.attempts
        waiting = state.upcoming_sleep
        return state.attempt_number >= attempts or clock() - started + waiting > policy.total_seconds

    def note(state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if on_retry is not None and isinstance(error, RingTrueError):
            on_retry(error, state.upcoming_sleep)

    retryer = tenacity.Retrying(
        retry=tenacity.retry_if_exception(passing),
        wait=wait,
        stop=stop,
        before_sleep=note,
        sleep=sleep,
        reraise=True,
    )
    return retryer(translated)


def never_arrived(error: RingTrueError) -> bool:
    """Whether the request certainly did nothing, so that a write may be sent again: not connected, or turned away by a limit or a closed door.

    A connector that can tell from the body that a write was turned away raises TurnedAway (or RowLocked for a lock on the whole call).
    """
    return isinstance(error, (HostUnreachable, RateLimited, RowLocked, TurnedAway))


def translate_transport_error(exc: BaseException) -> RingTrueError | None:
    """Our error for a transport failure of requests, urllib3 or httpx; None for anything else.

    HostUnreachable: no connection was made, the request did not arrive. ConnectionLost: it may have arrived.
    """
    host = _host_of(exc)
    at = f" at {host}" if host else ""
    chain = _chain(exc)
    if any(isinstance(link, _NOT_RESOLVED) for link in chain):
        return HostUnreachable(
            f"The name{' ' + host if host else ''} does not resolve. Check the address in ringtrue.toml and the network."
        )
    if any(_no_tls(link) for link in chain):
        return HostUnreachable(
            f"The secure connection{at} could not be made. Check the certificate, the proxy and the address."
        )
    if any(isinstance(link, _NOT_CONNECTED) for link in chain):
        return HostUnreachable(
            f"Nobody answers{at}. Check the address in ringtrue.toml, the network and whether the service is up."
        )
    if any(isinstance(link, _TIMED_OUT) for link in chain):
        return ConnectionLost(f"No answer{at} in time. It is not known whether the request was carried out.")
    if any(isinstance(link, _LOST) for link in chain):
        return ConnectionLost(f"The connection{at} broke before the whole answer had arrived.")
    return None


_NOT_RESOLVED: tuple[type[BaseException], ...] = (urllib3.exceptions.NameResolutionError, socket.gaierror)
_NOT_CONNECTED: tuple[type[BaseException], ...] = (
    requests.exceptions.ConnectTimeout,
    requests.exceptions.ProxyError,
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.ProxyError,
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    ConnectionRefusedError,
)
_TIMED_OUT: tuple[type[BaseException], ...] = (
    requests.exceptions.Timeout,
    urllib3.exceptions.TimeoutError,
    httpx.TimeoutException,
    TimeoutError,
)
_LOST: tuple[type[BaseException], ...] = (
    requests.exceptions.ConnectionError,
    ssl.SSLError,
    urllib3.exceptions.SSLError,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
    urllib3.exceptions.ProtocolError,
    urllib3.exceptions.DecodeError,
    urllib3.exceptions.MaxRetryError,
    httpx.TransportError,
    httpx.DecodingError,
    ConnectionError,
)


def _no_tls(exc: BaseException) -> bool:
    """Whether the handshake failed. A later TLS error may come after the request went out, so it counts as a broken connection."""
    if isinstance(exc, ssl.SSLCertVerificationError):
        return True
    return isinstance(exc, ssl.SSLError) and exc.reason in ("WRONG_VERSION_NUMBER", "SSLV3_ALERT_HANDSHAKE_FAILURE")


def _chain(exc: BaseException) -> list[BaseException]:
    """The exception, what it was raised from, and what libraries carry in `reason` or the arguments."""
    found: list[BaseException] = []
    todo: list[BaseException] = [exc]
    while todo and len(found) < 20:
        link = todo.pop(0)
        if link in found:
            continue
        found.append(link)
        inner = [link.__cause__, link.__context__, getattr(link, "reason", None), *link.args]
        todo.extend(part for part in inner if isinstance(part, BaseException))
    return found


def _host_of(exc: BaseException) -> str:
    request = getattr(exc, "__dict__", {}).get("request") or getattr(exc, "_request", None)
    url = getattr(request, "url", None)
    if url is not None:
        return urlsplit(str(url)).netloc.rpartition("@")[2]
    for link in _chain(exc):
        # `conn` before `pool`: asking a NameResolutionError for its pool warns.
        place = getattr(link, "conn", None) or getattr(link, "pool", None)
        if place is not None and getattr(place, "host", None):
            return f"{place.host}:{place.port}"
    return ""


def error_for_status(service: str, status: int, headers: Mapping[str, str], body: str = "") -> RetryLater | None:
    """An error for a status that passes by itself; None for other statuses.

    RateLimited for 429 and an edge's 420; TurnedAway for 503 and 425, which services send instead of handling a request; ServiceUnavailable for
    an edge's 406, 408 and other 5xx, where it is not known what became of the request.
    """
    after = retry_after_seconds(headers)
    if status in (420, 429):
        return RateLimited(f"{service} asks us to slow down (HTTP {status}).", retry_after_seconds=after)
    if status not in (406, 408, 425) and status < 500:
        return None
    shown = "an HTML page" if is_html(body) else mask_body(body)
    message = f"{service} cannot answer now (HTTP {status}{': ' + shown if shown else ''})."
    kind = TurnedAway if status in (425, 503) else ServiceUnavailable
    return kind(message, retry_after_seconds=after)


def retry_after_seconds(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """The seconds of a Retry-After header (a number or an HTTP date), None where there is none that can be read."""
    value = next((text for name, text in headers.items() if name.lower() == "retry-after"), None)
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())


def is_html(body: str) -> bool:
    """Whether a body is a page for people where data was due."""
    return bool(_HTML.match(body))


def mask_url(url: str) -> str:
    """A URL fit for a log: no user info, no fragment, of the query only harmless values, numbers in the path masked."""
    parts = urlsplit(url)
    query = "&".join(
        f"{name}={value if name.lower() in _SHOWN_QUERY_KEYS else '***'}" for name, value in parse_qsl(parts.query)
    )
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], mask_text(parts.path), query, ""))


def mask_body(body: str, limit: int = 300) -> str:
    """The beginning of a body with numbers, e-mail addresses and secrets masked, on one line."""
    text = " ".join(mask_text(body[: limit * 4]).split())
    return text if len(text) <= limit else text[:limit] + "..."


class RoutedAdapter(HTTPAdapter):
    """A transport for requests that always has a time-out, and that sends everything to `base_url` where one is given.

    The Host header keeps the original host, so that a stand-in can tell the login host from the data host.
    """

    def __init__(self, *, timeouts: Timeouts, base_url: str | None = None, pool_size: int = 8) -> None:
        self._timeouts = timeouts
        self._base = urlsplit(base_url) if base_url else None
        super().__init__(pool_connections=pool_size, pool_maxsize=pool_size)

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Send with the default time-out where the caller set none."""
        if kwargs.get("timeout") is None:
            kwargs["timeout"] = self._timeouts.pair()
        if self._base is not None and request.url:
            asked = urlsplit(request.url)
            request.headers["Host"] = asked.netloc
            request.url = urlunsplit((self._base.scheme, self._base.netloc, asked.path, asked.query, ""))
        return super().send(request, *args, **kwargs)


def mount(
    session: requests.Session, *, timeouts: Timeouts | None = None, base_url: str | None = None
) -> requests.Session:
    """Give a requests session time-outs and, with `base_url`, route it there without proxies or CA settings of the environment."""
    adapter = RoutedAdapter(timeouts=timeouts or Timeouts(), base_url=base_url)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    if base_url is not None:
        session.trust_env = False
    return session
