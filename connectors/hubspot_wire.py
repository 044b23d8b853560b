"""Every HubSpot call goes through here: the vendor client's own transport, raw bytes, one pool, buckets, retries and the daily allowance."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

import hubspot
import orjson
import urllib3

from connectors.crm import Usage
from connectors.http import RetryPolicy, Timeouts, never_arrived, retrying
from connectors.hubspot_errors import refusal
from connectors.hubspot_paths import Paths
from connectors.hubspot_records import without_nul
from connectors.shared_bucket import SharedBucket
from ringtrue.errors import (
    AllowanceSpent,
    ConnectionLost,
    RateLimited,
    RingTrueError,
    RowLocked,
    ServiceUnavailable,
    SettingsError,
)

PUBLIC_BASE = "https://api.hubapi.com"
POLICY = RetryPolicy(attempts=8, first_wait_seconds=0.5, max_wait_seconds=10.0, total_seconds=300.0)
TIMEOUTS = Timeouts(connect_seconds=5.0, read_seconds=60.0)

STARTING_RATE = 9.0
STARTING_BURST = 8.0
"""The smallest plan's 100 calls in ten seconds, until an answer says what this portal has."""

NEARLY_EMPTY = 0.05


def utc_now() -> datetime:
    return datetime.now(UTC)


class Answer(NamedTuple):
    """A status we accept, and the JSON behind it (None where the body is empty)."""

    status: int
    data: Any


class Wire:
    """Sends one request and returns its JSON, or raises an error of ours.

    Reads and searches are repeated after any passing fault. Writes are repeated only when they provably were not carried out; after a lost
    answer ConnectionLost is raised, so that the journal settles them by reading.
    """

    def __init__(
        self,
        token: str,
        paths: Paths,
        usage: Usage,
        *,
        base_url: str | None = None,
        daily_share: float = 0.8,
        searches_per_second: float = 4.0,
        bucket_folder: Path | None = None,
        policy: RetryPolicy = POLICY,
        timeouts: Timeouts = TIMEOUTS,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.paths = paths
        self.usage = usage
        self.sleep = sleep
        self.host = (base_url or PUBLIC_BASE).rstrip("/")
        _check_host(self.host)
        if not token:
            raise SettingsError(
                "The HubSpot token is empty: put a service key or private-app token into the environment."
            )
        if not 0 < daily_share <= 1:
            raise SettingsError("The share of HubSpot's daily calls must lie above 0 and not above 1.")
        # One API object for everything: each access to a property of the vendor's client would build a new pool.
        client = hubspot.HubSpot(access_token=token, host=self.host, retry=False)
        self._api = client.crm.contacts.basic_api.api_client
        self.token = token
        self._pool = self._api.rest_client.pool_manager.connection_from_url(self.host)
        self._prefix = urlsplit(self.host).path
        self._headers = {
            **self._api.default_headers,
            "Accept": "application/json",
            "Content-Type": "application/json",
            "Authorization": f"Bearer {token}",
        }
        self._timeout = urllib3.Timeout(connect=timeouts.connect_seconds, read=timeouts.read_seconds)
        self._policy = policy
        self._daily_share = daily_share
        self._clock = clock
        self._clock_offset = timedelta(0)
        self._general_max = 0
        key = f"{self.host} {token}"
        self._general = SharedBucket(f"{key} general", STARTING_RATE, STARTING_BURST, folder=bucket_folder, sleep=sleep)
        # A burst of one: four a second on average and never more than five in any one second.
        self._search = SharedBucket(f"{key} search", searches_per_second, 1.0, folder=bucket_folder, sleep=sleep)

    def server_now(self) -> datetime:
        """The time on HubSpot's clock, as near as its answers' Date header tells."""
        return self._clock() + self._clock_offset

    @property
    def clock_skew(self) -> float:
        """Seconds that HubSpot's clock is ahead of ours; 0 within five."""
        return self._clock_offset.total_seconds()

    def close(self) -> None:
        """Give connections back."""
        self._api.rest_client.pool_manager.clear()
        self._api.close()

    def send(
        self,
        kind: str,
        method: str,
        path: str,
        *,
        what: str,
        query: Sequence[tuple[str, str]] = (),
        body: Any = None,
        writing: bool = False,
        allow: Collection[int] = (),
    ) -> Answer:
        """Send a request. `kind` is what it counts as in `usage`; `what` completes "we could not ..."; statuses in `allow` are returned."""
        bucket = self._search if kind == "search" else self._general

        def once() -> Answer:
            self._guard_allowance()
            bucket.take()
            self.usage.count(kind)
            status, headers, raw = self._exchange(method, path, query, body)
            self._learn(headers, counted=kind != "search")
            if 200 <= status < 300 or status in allow:
                return Answer(status, self._json(raw, what, writing))
            error = refusal(status, raw, headers, what=what, kind=kind, writing=writing)
            if isinstance(error, RateLimited) and error.retry_after_seconds:
                bucket.pause(error.retry_after_seconds)
            raise error

        def on_retry(_error: RingTrueError, _seconds: float) -> None:
            self.usage.retries += 1

        def may_repeat(error: RingTrueError) -> bool:
            # A locked batch is the writer's business: it knows which rows to leave out.
            return not writing or (never_arrived(error) and not isinstance(error, RowLocked))

        return retrying(once, policy=self._policy, retry_if=may_repeat, on_retry=on_retry, sleep=self.sleep)

    def _exchange(
        self, method: str, path: str, query: Sequence[tuple[str, str]], sent: Any
    ) -> tuple[int, Mapping[str, str], bytes]:
        # The client's pool without its models, which walk through every body in Python and decode errors as UTF-8 whatever they are.
        response = self._pool.urlopen(
            method,
            f"{self._prefix}{path}?{urlencode(query)}" if query else f"{self._prefix}{path}",
            body=None if sent is None else orjson.dumps(sent),
            headers=self._headers,
            timeout=self._timeout,
        )
        return response.status, response.headers, response.data

    def _json(self, raw: bytes, what: str, writing: bool) -> Any:
        if not raw:
            return None
        try:
            return orjson.loads(without_nul(raw))
        except orjson.JSONDecodeError as exc:
            message = f"HubSpot answered something that is not JSON when we wanted to {what}: a proxy or a maintenance page stands in between."
            raise (ConnectionLost(message) if writing else ServiceUnavailable(message)) from exc

    def _guard_allowance(self) -> None:
        used, allowed = self.usage.used_today, self.usage.allowed_today
        if used is not None and allowed and used >= allowed * self._daily_share:
            raise AllowanceSpent(
                f"{used} of HubSpot's {allowed} calls of the day are used, our share ends at {self._daily_share:.0%}. "
                "Run again tomorrow, or raise the share in ringtrue.toml."
            )

    def _learn(self, headers: Mapping[str, str], *, counted: bool) -> None:
        if date := headers.get("Date"):
            offset = parsedate_to_datetime(date) - self._clock()
            # The header is cut to whole seconds: a smaller difference is no news.
            self._clock_offset = offset if abs(offset) > timedelta(seconds=5) else timedelta(0)
        allowed, left = (
            _number(headers, "X-HubSpot-RateLimit-Daily"),
            _number(headers, "X-HubSpot-RateLimit-Daily-Remaining"),
        )
        if allowed is not None and left is not None:
            self.usage.allowed_today, self.usage.used_today = allowed, allowed - left
        elif self.usage.used_today is not None:
            self.usage.used_today += 1
        if not counted:
            return
        most, remaining = _number(headers, "X-HubSpot-RateLimit-Max"), _number(headers, "X-HubSpot-RateLimit-Remaining")
        if not most:
            return
        seconds = (_number(headers, "X-HubSpot-RateLimit-Interval-Milliseconds") or 10_000) / 1000
        if most != self._general_max:
            self._general_max = most
            self._general.rate, self._general.burst = pace(most, seconds)
        if remaining is not None and remaining < most * NEARLY_EMPTY:
            self._general.pause(seconds / 10)


def pace(most: int, seconds: float) -> tuple[float, float]:
    """(rate, burst) of a bucket that lets no more than `most` calls through in any `seconds`: burst and refill together stay below it."""
    return most * 0.9 / seconds, max(1.0, most * 0.08)


def _number(headers: Mapping[str, str], name: str) -> int | None:
    text = headers.get(name)
    return int(text) if text is not None and text.isdigit() else None


def _check_host(host: str) -> None:
    parts = urlsplit(host)
    local = parts.hostname in {"localhost", "127.0.0.1", "::1"}
    if parts.scheme != "https" and not (parts.scheme == "http" and local):
        raise SettingsError(f"HubSpot's address {host!r} must begin with https:// (http:// only on this machine).")
