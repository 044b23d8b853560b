"""HubSpot's rate limits: a rolling burst per ten seconds, five searches a second, a day's allowance.

https://developers.hubspot.com/docs/developer-tooling/platform/usage-guidelines (Professional: 190 per 10 s and 650,000 a day)
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.hubspot_errors import rate_limited


class RateLimits:
    """Counts requests against `settings` (burst, search_per_second, daily; 0 lifts a limit).

    `monotonic` times the rolling windows in seconds; `now` decides when the day, in UTC, turns.
    """

    def __init__(self, settings: dict[str, Any], monotonic: Callable[[], float], now: Callable[[], datetime]) -> None:
        self._settings = settings
        self._monotonic = monotonic
        self._now = now
        self._burst: deque[float] = deque()
        self._searches: deque[float] = deque()
        self._day = ""
        self.used_today = 0

    def count_search(self) -> None:
        """Count a search. Raises the 429 of SECONDLY or DAILY; search answers carry no rate-limit headers."""
        self._count_day({})
        limit = int(self._settings["search_per_second"])
        if limit and not _fits(self._searches, limit, 1.0, self._monotonic()):
            raise rate_limited("SECONDLY")

    def count(self) -> dict[str, str]:
        """Count any other request and return the headers of its answer. Raises the 429 of TEN_SECONDLY_ROLLING or DAILY."""
        limit = int(self._settings["burst"])
        fits = True
        if limit:
            fits = _fits(self._burst, limit, 10.0, self._monotonic())
        headers = self._headers(limit)
        if not fits:
            raise rate_limited("TEN_SECONDLY_ROLLING", headers)
        self._count_day(headers)
        return headers

    def resets_at(self) -> datetime:
        """When the day's allowance is whole again."""
        return self._now().astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)

    def _count_day(self, headers: dict[str, str]) -> None:
        day = self._now().date().isoformat()
        if day != self._day:
            self._day, self.used_today = day, 0
        limit = int(self._settings["daily"])
        if limit and self.used_today >= limit:
            raise rate_limited("DAILY", headers)
        self.used_today += 1
        if limit and headers:
            headers["X-HubSpot-RateLimit-Daily"] = str(limit)
            headers["X-HubSpot-RateLimit-Daily-Remaining"] = str(limit - self.used_today)

    def _headers(self, limit: int) -> dict[str, str]:
        if not limit:
            return {"X-HubSpot-RateLimit-Interval-Milliseconds": "10000"}
        left = str(max(0, limit - len(self._burst)))
        return {
            "X-HubSpot-RateLimit-Max": str(limit),
            "X-HubSpot-RateLimit-Remaining": left,
            "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
            "X-HubSpot-RateLimit-Secondly": str(limit // 10),
            "X-HubSpot-RateLimit-Secondly-Remaining": left,
        }


def _fits(window: deque[float], limit: int, seconds: float, now: float) -> bool:
    while window and window[0] <= now - seconds:
        window.popleft()
    if len(window) >= limit:
        return False
    window.append(now)
    return True
