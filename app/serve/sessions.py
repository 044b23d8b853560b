"""Who is signed in: a signed cookie that names a person and nothing else, and the tokens that keep forms from being sent for them."""

from __future__ import annotations

import hmac
import secrets
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import jwt
from starlette.requests import Request
from starlette.responses import Response

from app.serve.door import Door

_ALGORITHM = "HS256"
FLOW_SECONDS = 600
"""How long somebody may take to sign in."""


class Person(NamedTuple):
    """Somebody who signed in. `check`: what has to be true still, for a personal code a part of its hash."""

    subject: str
    name: str
    way: str
    check: str
    session: str


class Sessions:
    """Makes and reads cookies. The key is derived from the ledger's own, so that nothing more has to be kept secret."""

    def __init__(self, door: Door) -> None:
        self._door = door
        public = urlsplit(door.serve.public_url or "")
        self.secure = public.scheme == "https"
        prefix = "__Host-" if self.secure else ""
        self._cookie, self._flow = f"{prefix}ringtrue", f"{prefix}ringtrue-sign-in"

    def key(self, purpose: str) -> bytes:
        """A key for one purpose."""
        return hmac.digest(self._door.ledger().key, f"ringtrue-serve-{purpose}".encode(), "sha256")

    def begin(self, response: Response, subject: str, name: str, way: str, check: str = "") -> None:
        """Sign somebody in."""
        seconds = int(self._door.serve.sign_in.session_hours * 3600)
        self._set(
            response,
            self._cookie,
            {"sub": subject, "name": name, "way": way, "check": check, "sid": secrets.token_hex(16)},
            seconds,
            "session",
        )

    def person(self, request: Request) -> Person | None:
        """Who is signed in, None when nobody is or the time is over."""
        claims = self._get(request, self._cookie, "session")
        if claims is None:
            return None
        return Person(*(str(claims.get(name, "")) for name in ("sub", "name", "way", "check", "sid")))

    def end(self, response: Response) -> None:
        """Sign out."""
        self._delete(response, self._cookie)

    def remember_flow(self, response: Response, values: dict[str, str]) -> None:
        """Keep what belongs to a sign-in that is under way in the browser that began it."""
        self._set(response, self._flow, dict(values), FLOW_SECONDS, "flow")

    def flow(self, request: Request) -> dict[str, Any] | None:
        """What `remember_flow` kept."""
        return self._get(request, self._flow, "flow")

    def end_flow(self, response: Response) -> None:
        """Forget a sign-in that is over."""
        self._delete(response, self._flow)

    def form_token(self, person: Person, why_id: str, answer_id: str) -> str:
        """What a form must bring along: only a page made for this session and record holds it."""
        return hmac.digest(self.key("form"), f"{person.session}\0{why_id}\0{answer_id}".encode(), "sha256").hex()

    def fits(self, token: str, person: Person, why_id: str, answer_id: str) -> bool:
        """Whether a form's token is the one of its page."""
        return hmac.compare_digest(
            token.encode("utf-8", "replace"), self.form_token(person, why_id, answer_id).encode()
        )

    def _set(self, response: Response, name: str, claims: dict[str, Any], seconds: int, purpose: str) -> None:
        expires = int(self._door.clock()) + seconds
        token = jwt.encode({**claims, "exp": expires}, self.key(purpose), _ALGORITHM)
        response.set_cookie(name, token, max_age=seconds, path="/", secure=self.secure, httponly=True, samesite="lax")

    def _get(self, request: Request, name: str, purpose: str) -> dict[str, Any] | None:
        try:
            return jwt.decode(
                request.cookies.get(name, ""), self.key(purpose), [_ALGORITHM], options={"require": ["exp"]}
            )
        except jwt.InvalidTokenError:
            return None

    def _delete(self, response: Response, name: str) -> None:
        response.delete_cookie(name, path="/", secure=self.secure, httponly=True, samesite="lax")
