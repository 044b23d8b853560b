"""The HTTP face of the portal: both path families brought to one form, tokens, scopes, rate limits, error envelopes, gzip.

`/crm/v3/objects/contacts/5` and `/crm/objects/2026-09/contacts/5` both become area "objects", parts ("contacts", "5"). Trailing slashes do not count.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote

import orjson
from starlette.types import Receive, Scope, Send

from sandbox.faults import Fault, Refusal, due
from sandbox.hubspot_errors import (
    HubSpotError,
    envelope,
    invalid,
    locked,
    missing_scope,
    not_found,
    rate_limited,
    unauthenticated,
)
from sandbox.hubspot_portal import Portal

TOKEN = "sandbox-token"  # noqa: S105 (the stand-in's published token)
_VERSION = re.compile(r"v\d+|20\d\d-\d\d")
_LONGEST_URL = 8192
_GZIP_FROM = 1024


class Answer(NamedTuple):
    """What a handler gives back: a status and a value for JSON, or ready bytes."""

    status: int = 200
    value: Any = None
    raw: bytes | None = None
    media_type: str = "application/json;charset=utf-8"
    headers: dict[str, str] | None = None


class Place(NamedTuple):
    """Where a path leads: area ("objects", "properties", "lists" ...), version ("v3", "2026-09") and what follows."""

    area: str
    version: str
    parts: tuple[str, ...]

    @property
    def dated(self) -> bool:
        """Whether this is the date-versioned path family."""
        return self.version.startswith("20")


class Call:
    """A request on its way to a handler."""

    def __init__(self, scope: Scope, place: Place, body: bytes) -> None:
        self.scope = scope
        self.place = place
        self.body = body
        self.method = str(scope["method"])
        self.query: dict[str, list[str]] = parse_qs(scope["query_string"].decode(), keep_blank_values=True)

    def header(self, name: bytes) -> str:
        """A request header, empty if absent."""
        headers: list[tuple[bytes, bytes]] = self.scope["headers"]
        return next((str(value, "latin-1") for key, value in headers if key == name), "")

    def json(self) -> Any:
        """The body as JSON; an empty body is an empty object."""
        try:
            return orjson.loads(self.body) if self.body else {}
        except orjson.JSONDecodeError as exc:
            raise invalid(f"Invalid input JSON on line 1, column {exc.colno}: {exc.msg}") from exc

    def names(self, key: str) -> list[str]:
        """A list parameter: repeated, comma-separated or both."""
        return [name.strip() for value in self.query.get(key, []) for name in value.split(",") if name.strip()]

    def text(self, key: str, default: str = "") -> str:
        """A parameter's last value."""
        return self.query.get(key, [default])[-1]

    def flag(self, key: str) -> bool:
        """A boolean parameter."""
        return self.text(key).lower() == "true"

    def limit(self, default: int, most: int) -> int:
        """The `limit` parameter. Raises 400 outside 1..most."""
        text = self.text("limit", str(default))
        if not text.isdigit() or not 1 <= int(text) <= most:
            raise invalid(f"Invalid limit {text!r}: it must be between 1 and {most}.")
        return int(text)

    def address(self) -> str:
        """scheme://host of this server as the client called it."""
        return f"{self.scope['scheme']!s}://{self.header(b'host')}"


Handler = Callable[[Call], Answer | Awaitable[Answer]]


class Rule(NamedTuple):
    """A route: method, area, parts ("{}" matches one part), the handler, the op faults know it by, the scope it needs."""

    method: str
    area: str
    pattern: tuple[str, ...]
    handler: Handler
    op: str
    scope: str = ""


def rule(method: str, path: str, handler: Handler, op: str, scope: str = "") -> Rule:
    """A rule from a path such as "objects/{}/batch/read"."""
    area, *parts = path.split("/")
    return Rule(method, area, tuple(parts), handler, op, scope)


def place_of(path: str) -> Place:
    """Bring a path of either family to one form."""
    parts = [unquote(part) for part in path.split("/") if part]
    version = ""
    if parts and parts[0] == "crm":
        parts = parts[1:]
    for index, part in enumerate(parts[:2]):
        if _VERSION.fullmatch(part):
            version = part
            del parts[index]
            break
    if not parts:
        return Place("", version, ())
    return Place(parts[0], version, tuple(parts[1:]))


class Surface:
    """The portal as an ASGI app."""

    def __init__(self, portal: Portal, rules: list[Rule]) -> None:
        self._portal = portal
        self._rules: dict[tuple[str, str, int], list[Rule]] = {}
        for one in rules:
            self._rules.setdefault((one.method, one.area, len(one.pattern)), []).append(one)

    def classify(self, method: str, path: str) -> tuple[str, str]:
        """(op, path template) for faults and counters."""
        place = place_of(path)
        found = self._find(method, place)
        if found is None:
            return "read", f"{method} (unknown)"
        return found.op, f"{method} /{'/'.join((found.area, *found.pattern))}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        parts = []
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            parts.append(message.get("body", b""))
            more = message.get("more_body", False)
        call = Call(scope, place_of(scope["path"]), b"".join(parts))
        headers: dict[str, str] = {}
        try:
            answer = await self._answer(call, headers)
        except HubSpotError as exc:
            headers |= exc.headers
            answer = Answer(exc.status, exc.body)
        await _send(answer, headers, call, send)

    async def _answer(self, call: Call, headers: dict[str, str]) -> Answer:
        if len(call.scope["raw_path"]) + len(call.scope["query_string"]) > _LONGEST_URL:
            return Answer(
                414, raw=b"<html><body><h1>414 Request-URI Too Large</h1></body></html>", media_type="text/html"
            )
        found = self._find(call.method, call.place)
        if found is None:
            raise not_found()
        if found.op not in ("login", "open"):
            self._authorise(call, found)
            if found.op == "search":
                self._portal.limits.count_search()
            else:
                headers |= self._count()
        if due(call.scope, "status_423") or due(call.scope, "row_locked"):
            raise locked()
        answer = found.handler(call)
        return answer if isinstance(answer, Answer) else await answer

    def _count(self) -> dict[str, str]:
        try:
            return self._portal.limits.count()
        except HubSpotError as exc:
            wait = self._portal.settings["retry_after_on_429"]
            if wait is not None:
                exc.headers["Retry-After"] = str(wait)
            raise

    def _authorise(self, call: Call, found: Rule) -> None:
        scheme, _, token = call.header(b"authorization").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise unauthenticated()
        if token != TOKEN:
            expires = self._portal.store.setting(f"token:{token}")
            if expires is None:
                raise unauthenticated()
            if int(expires) <= self._portal.now_ms():
                raise unauthenticated(expired=True)
        if found.scope and found.scope in self._portal.settings["missing_scopes"]:
            raise missing_scope(found.scope)

    def _find(self, method: str, place: Place) -> Rule | None:
        for one in self._rules.get((method, place.area, len(place.parts)), ()):
            if all(want in ("{}", have) for want, have in zip(one.pattern, place.parts, strict=True)):
                return one
        return None


async def _send(answer: Answer, headers: dict[str, str], call: Call, send: Send) -> None:
    body = answer.raw if answer.raw is not None else b"" if answer.status == 204 else orjson.dumps(answer.value)
    raw = [(b"content-type", answer.media_type.encode())] if answer.status != 204 else []
    if len(body) >= _GZIP_FROM and "gzip" in call.header(b"accept-encoding"):
        body = gzip.compress(body, compresslevel=1)
        raw.append((b"content-encoding", b"gzip"))
    if answer.status != 204:
        raw.append((b"content-length", str(len(body)).encode()))
    raw += [(name.lower().encode(), value.encode()) for name, value in {**headers, **(answer.headers or {})}.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})


def refuse(fault: Fault) -> Refusal:
    """HubSpot's own words for a wire fault."""
    headers = {"content-type": "application/json;charset=utf-8"}
    if fault.kind == "status_429":
        policy = str(fault.options.get("policy", "TEN_SECONDLY_ROLLING"))
        if "retry_after" in fault.options:
            headers["Retry-After"] = str(fault.options["retry_after"])
        return Refusal(429, headers, orjson.dumps(rate_limited(policy).body))
    if fault.kind in ("expired_session", "expired_for_ever"):
        return Refusal(401, headers, orjson.dumps(unauthenticated(expired=True).body))
    if fault.kind == "status_503":
        return Refusal(503, headers, orjson.dumps(envelope("Service temporarily unavailable")))
    return Refusal(500, headers, orjson.dumps(envelope("internal error")))
