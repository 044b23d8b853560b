"""A token bucket that all processes of a machine share: its state is sixteen bytes in a file, changed under a file lock.

HubSpot counts per app and per account, not per process. Two Dagster runs that each keep to the limit would break it together.
"""

from __future__ import annotations

import fcntl
import os
import struct
import tempfile
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from ringtrue.errors import SettingsError

_STATE = struct.Struct("<dd")


def default_folder() -> Path:
    """Where buckets live unless a setting says otherwise: a folder of our user's own among the machine's temporary files."""
    return Path(tempfile.gettempdir()) / f"ringtrue-buckets-{os.getuid()}"


class SharedBucket:
    """At most `rate` tokens a second on average and `burst` at once, over all processes that use the same `key`.

    `clock` must mean the same in all processes and stand still for none (the machine's monotonic clock does); `sleep` is for tests.
    """

    def __init__(
        self,
        key: str,
        rate: float,
        burst: float,
        *,
        folder: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.rate = rate
        self.burst = burst
        self._clock = clock
        self._sleep = sleep
        home = folder or default_folder()
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        if home.stat().st_uid != os.getuid():
            raise SettingsError(
                f"The folder {home} belongs to somebody else: remove it, or set TMPDIR to a folder of yours."
            )
        self._path = home / sha256(key.encode()).hexdigest()[:32]

    def take(self) -> float:
        """Wait until a token is there and take it. Returns the seconds waited."""
        wait = self._change(take=1.0, pause=0.0)
        if wait > 0:
            self._sleep(wait)
        return wait

    def pause(self, seconds: float) -> None:
        """Let nobody through for the next seconds, then start from an empty bucket."""
        self._change(take=0.0, pause=seconds)

    def _change(self, *, take: float, pause: float) -> float:
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            stored = os.pread(descriptor, _STATE.size, 0)
            now = self._clock()
            tokens: float
            filled_at: float
            tokens, filled_at = _STATE.unpack(stored) if len(stored) == _STATE.size else (self.burst, now)
            # After a reboot the machine's clock begins again: a time far ahead is of the life before.
            if filled_at > now + 60.0:
                tokens, filled_at = self.burst, now
            if now > filled_at:
                tokens, filled_at = min(self.burst, tokens + (now - filled_at) * self.rate), now
            if pause > 0:
                tokens, filled_at = min(tokens, 0.0), max(filled_at, now + pause)
            tokens -= take
            os.pwrite(descriptor, _STATE.pack(tokens, filled_at), 0)
        finally:
            os.close(descriptor)
        return max(0.0, -tokens / self.rate) + max(0.0, filled_at - now)
