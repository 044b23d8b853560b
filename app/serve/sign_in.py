"""Signing in to the why page: with the company's account, or with a personal code."""

from __future__ import annotations

import hmac
import re

from starlette.requests import Request
from starlette.responses import Response

from app.serve.codes import Codes
from app.serve.door import Door
from app.serve.limits import Limiter
from app.serve.oidc import Oidc, SignInFailed
from app.serve.pages import Pages, own_form
from app.serve.sessions import Person, Sessions

_WHY_ID = re.compile(r"[0-9a-f]{20}")


class SignIn:
    """The endpoints, and who is signed in."""

    def __init__(self, door: Door, pages: Pages, sessions: Sessions) -> None:
        self._door, self._pages, self._sessions = door, pages, sessions
        settings = door.serve.sign_in
        self._oidc_settings = settings.oidc
        self._codes = Codes(settings, door.environ)
        self._oidc: Oidc | None = None
        self._tries = Limiter(door.serve.visitor_per_second / 10, door.serve.visitor_burst)

    def person(self, request: Request) -> Person | None:
        """Who is signed in. A session ends when its code is taken away."""
        person = self._sessions.person(request)
        if person is None or (person.way == "code" and not self._codes.still(person.subject, person.check)):
            return None
        if person.way == "oidc" and (self._oidc_settings is None or person.check != self._oidc_settings.issuer):
            return None
        return person

    async def form(self, request: Request) -> Response:
        """The page to sign in on."""
        return self._form(_goal(request.query_params.get("next")))

    def _form(self, goal: str, failure: str | None = None, status: int = 200) -> Response:
        oidc = self._oidc_settings
        return self._pages.page(
            "sign_in",
            status=status,
            goal=goal,
            failure=self._pages.words[failure] if failure else None,
            oidc=(oidc.label or True) if oidc else None,
            codes=bool(self._codes.hashes()),
        )

    async def by_code(self, request: Request) -> Response:
        """Sign in with a code."""
        fields = await request.form()
        goal = _goal(str(fields.get("next", "")))
        if not own_form(request, self._door.serve):
            return self._form(goal, "failed_form", 403)
        if self._tries.wait_seconds(request.client.host if request.client else ""):
            return self._form(goal, "failed_often", 429)
        holder = self._codes.holder(str(fields.get("code", ""))[:100])
        if holder is None:
            return self._form(goal, "failed_code", 401)
        response = self._pages.goto(_place(goal))
        self._sessions.begin(response, holder.name, holder.name, "code", holder.check)
        return response

    async def start(self, request: Request) -> Response:
        """Send the browser to the issuer."""
        goal = _goal(request.query_params.get("next"))
        oidc = self._issuer(request)
        if oidc is None:
            return self._form(goal, "no_way_in", 404)
        try:
            address, kept = await oidc.start()
        except SignInFailed as failed:
            return self._form(goal, str(failed), 502)
        response = self._pages.goto(address)
        self._sessions.remember_flow(response, {**kept, "next": goal})
        return response

    async def finish(self, request: Request) -> Response:
        """The browser comes back from the issuer."""
        oidc, kept = self._issuer(request), self._sessions.flow(request)
        state = request.query_params.get("state", "")
        if oidc is None or kept is None or not hmac.compare_digest(str(kept["state"]).encode(), state.encode()):
            return self._form("", "failed_flow", 400)
        goal = _goal(str(kept.get("next", "")))
        try:
            identity = await oidc.finish(str(request.url), kept)
        except SignInFailed as failed:
            return self._form(goal, str(failed), 403)
        response = self._pages.goto(_place(goal))
        issuer = self._oidc_settings.issuer if self._oidc_settings else ""
        self._sessions.begin(response, identity.subject, identity.name, "oidc", issuer)
        self._sessions.end_flow(response)
        return response

    async def leave(self, request: Request) -> Response:
        """Sign out."""
        response = self._pages.goto("/sign-in")
        if own_form(request, self._door.serve):
            self._sessions.end(response)
        return response

    def _issuer(self, request: Request) -> Oidc | None:
        if self._oidc_settings is None:
            return None
        if self._oidc is None:
            base = self._door.serve.public_url or f"{request.url.scheme}://{request.url.netloc}"
            self._oidc = Oidc(self._oidc_settings, self._door.environ, f"{base.rstrip('/')}/sign-in/done")
        return self._oidc


def _goal(text: str | None) -> str:
    """Where to go after signing in: an opaque id of ours and nothing else."""
    return text if text and _WHY_ID.fullmatch(text) else ""


def _place(goal: str) -> str:
    return f"/why/{goal}" if goal else "/"
