"""The circuit breaker of one service: after a row of failures nobody is sent for a while, then one goes ahead to try."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Breaker:
    """Opens after `failures` in a row for `cool_seconds`; a failed try opens it again, and after `openings` it is broken for this run."""

    failures: int = 5
    cool_seconds: float = 20.0
    openings: int = 3
    clock: Callable[[], float] = time.monotonic
    _in_row: int = 0
    _opened: int = 0
    _open_until: float = 0.0
    _trying: bool = False

    @property
    def broken(self) -> bool:
        """Whether the service is left out for the rest of the run."""
        return self._opened >= self.openings

    def wait_seconds(self) -> float:
        """How long nobody may go. 0: go."""
        return max(self._open_until - self.clock(), 0.0)

    def free(self, slots: int) -> int:
        """How many may go now: none while it is open, one to try after that, all when it is closed."""
        if self.broken or self.wait_seconds() > 0:
            return 0
        if self._opened == 0:
            return slots
        return 0 if self._trying else min(slots, 1)

    def sent(self) -> None:
        """Somebody went."""
        self._trying = self._opened > 0

    def succeeded(self) -> None:
        """The service answered."""
        self._in_row = self._opened = 0
        self._trying = False

    def failed(self, wait_seconds: float | None = None) -> None:
        """The service did not answer; `wait_seconds` when it said how long to stay away. Failures of calls sent before it opened count once."""
        tried, self._trying = self._trying, False
        if self.wait_seconds() > 0:
            self._open_until = max(self._open_until, self.clock() + (wait_seconds or 0.0))
            return
        self._in_row += 1
        if tried or self._in_row >= self.failures or wait_seconds:
            self._opened += 1
            self._in_row = 0
            self._open_until = self.clock() + (wait_seconds or self.cool_seconds)
