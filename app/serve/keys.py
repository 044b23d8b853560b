"""Who asks: API keys, compared in constant time, each with its rights and its limit."""

from __future__ import annotations

import hmac
import math
from collections.abc import Mapping
from hashlib import sha256
from typing import NamedTuple

from starlette.requests import Request

from app.serve.limits import Limiter
from app.serve.refusals import Refused
from ringtrue.errors import SettingsError
from ringtrue.serve_settings import KeySettings, Scope, ServeSettings

SHORTEST = 24
"""Characters of the shortest key that cannot be guessed: `openssl rand -hex 24` makes one of 48."""


class Caller(NamedTuple):
    """Somebody with a key."""

    name: str
    settings: KeySettings


class Keys:
    """The keys in force. A key whose variable is not set is switched off and named in `missing`."""

    def __init__(self, settings: ServeSettings, environ: Mapping[str, str]) -> None:
        self._keys: list[tuple[bytes, Caller]] = []
        self.missing: list[str] = []
        self._limiters: dict[str, Limiter] = {}
        self._visitors = Limiter(settings.visitor_per_second, settings.visitor_burst)
        for name, key in settings.keys.items():
            value = environ.get(key.variable, "")
            if not value:
                self.missing.append(key.variable)
                continue
            if len(value) < SHORTEST:
                raise SettingsError(
                    f"The key in {key.variable} is too short to be safe: use at least {SHORTEST} characters, such as those of "
                    "`openssl rand -hex 24`."
                )
            self._keys.append((sha256(value.encode()).digest(), Caller(name, key)))
            self._limiters[name] = Limiter(key.rate_per_second, key.burst)

    def caller(self, request: Request, scope: Scope) -> Caller:
        """Who sent the request. Raises Refused: 401 without a known key, 403 without the right, 429 past the limit."""
        found = self._found(_presented(request))
        if found is None:
            raise Refused(
                401,
                "Send a key that this service knows in the header Authorization: Bearer KEY.",
                {"WWW-Authenticate": "Bearer"},
            )
        if scope not in found.settings.may:
            raise Refused(
                403, f"The key {found.name} may not do this: add {scope!r} to may under [serve.keys.{found.name}]."
            )
        wait = self._limiters[found.name].wait_seconds("")
        if not wait and found.settings.public:
            wait = self._visitors.wait_seconds(request.client.host if request.client else "")
        if wait:
            raise Refused(
                429,
                f"The key {found.name} asks too often: wait as long as Retry-After says.",
                {"Retry-After": str(math.ceil(wait))},
            )
        return found

    def _found(self, presented: str) -> Caller | None:
        digest = sha256(presented.encode()).digest()
        found = None
        for known, caller in self._keys:
            # Every key is compared, so that the time tells nothing.
            if hmac.compare_digest(known, digest):
                found = caller
        return found


def _presented(request: Request) -> str:
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if kind.casefold() == "bearer" else request.headers.get("x-api-key", "")
