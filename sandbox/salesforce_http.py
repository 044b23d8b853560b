"""The door of the Salesforce surface: routing, sessions, API versions, the call limit, error bodies, gzip.

A rule is (method, path pattern, handler, op). Patterns are matched in any case and with or without a trailing slash, because clients differ:
simple-salesforce asks for `/unprocessedRecords/`, jsforce for `/unprocessedrecords`.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson
from starlette.datastructures import Headers, QueryParams
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sandbox.faults import Fault, Refusal
from sandbox.salesforce_errors import RequestError, RowError, not_found
from sandbox.salesforce_org import NEWEST_VERSION, Org

JSON = "application/json;charset=UTF-8"
GZIP_FROM_BYTES = 1000
_DATA = r"/services/data/v(?P<version>\d+\.\d)"
_RETIRED = "The requested API version is retired. Use a newer version."


@dataclass
class Call:
    """One request, as handlers see it. `version` is the path's API version ("59.0"), "" where the path has none."""

    org: Org
    request: Request
    parts: dict[str, str]
    version: str

    @property
    def method(self) -> str:
        """GET, POST, ..."""
        return self.request.method

    @property
    def query(self) -> QueryParams:
        """The query string's parameters."""
        return self.request.query_params

    @property
    def headers(self) -> Headers:
        """The request's headers."""
        return self.request.headers

    @cached_property
    def data_path(self) -> str:
        """`/services/data/v59.0`, as URLs in answers begin."""
        return f"/services/data/v{self.version}"

    @cached_property
    def source(self) -> str:
        """Who writes, for the history: the client named by Sforce-Call-Options, or "api"."""
        named = re.search(r"client=([^,;\s]+)", self.headers.get("sforce-call-options", ""))
        return f"integration:{named.group(1) if named else 'api'}"

    async def body(self) -> bytes:
        """The whole body, unpacked where it came gzipped."""
        body = await self.request.body()
        return zlib.decompress(body, 31) if self.headers.get("content-encoding", "").lower() == "gzip" else body

    async def json(self) -> Any:
        """The body as JSON. Raises RequestError JSON_PARSER_ERROR where it is none."""
        try:
            return orjson.loads(await self.body())
        except orjson.JSONDecodeError as exc:
            raise RequestError(
                400, "JSON_PARSER_ERROR", f"Unexpected character or end of input in the JSON body: {exc.msg}"
            ) from exc

    async def json_object(self) -> dict[str, Any]:
        """The body as a JSON object. Raises RequestError JSON_PARSER_ERROR where it is something else."""
        value = await self.json()
        if not isinstance(value, dict):
            raise RequestError(400, "JSON_PARSER_ERROR", "The HTTP entity body is required to be a JSON object.")
        return value


Handler = Callable[[Call], Awaitable[Response]]


@dataclass(frozen=True)
class Rule:
    """A path of the surface. `{name}` in `path` takes one segment; `open` paths need no session."""

    method: str
    path: str
    handler: Handler
    op: str = "read"
    open: bool = False

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The path as a regular expression over the whole path."""
        text = self.path.replace("/data/", _DATA + "/", 1) if self.path.startswith("/data/") else self.path
        return re.compile(re.sub(r"(?<!\?P)\{(\w+)\}", r"(?P<\1>[^/]+)", text) + "/?", re.IGNORECASE)


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """An answer in JSON."""
    return Response(orjson.dumps(value), status, headers=headers, media_type=JSON)


def xml_response(text: str, status: int = 200) -> Response:
    """An answer in XML."""
    return Response(text, status, media_type="text/xml;charset=UTF-8")


def error_response(error: RequestError | RowError) -> Response:
    """A refusal of the whole request."""
    return json_response([error.rest()], error.status)


def _refusal(fault: Fault) -> Refusal:
    """Salesforce's own words for a fault of the wire; the fault's `status`, `code` and `message` come first (403 TXN_SECURITY_METERING_ERROR, 420...)."""
    usual = {
        "status_429": (429, "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded."),
        "status_500": (
            500,
            "UNKNOWN_EXCEPTION",
            "An unexpected error occurred. Please include this ErrorId if you contact support: 1-1 (1)",
        ),
        "status_503": (
            503,
            "SERVER_UNAVAILABLE",
            "Server is too busy or down for maintenance. Please try again later.",
        ),
    }
    status, code, message = usual.get(fault.kind, (401, "INVALID_SESSION_ID", "Session expired or invalid"))
    said = fault.options
    headers = {"content-type": JSON}
    if said.get("retry_after") is not None:
        headers["retry-after"] = str(said["retry_after"])
    error = {"message": said.get("message", message), "errorCode": said.get("code", code)}
    return Refusal(int(said.get("status", status)), headers, orjson.dumps([error]))


class Surface:
    """The ASGI app: finds the rule, checks session and version, counts the call, turns refusals into error bodies."""

    def __init__(self, org: Org, rules: Sequence[Rule]) -> None:
        self.org = org
        self.rules = rules

    def classify(self, method: str, path: str) -> tuple[str, str]:
        """(op, path template) of a request, for faults and counters."""
        rule, _ = self._find(method, path)
        return (rule.op, f"{rule.method} {rule.path}") if rule else ("read", f"{method} (unknown)")

    def refuse(self, fault: Fault) -> Refusal:
        """The answer to a request that meets a fault of the wire. A session that has expired stays so: retrying with its token is no use."""
        if fault.kind == "expired_session":
            self.org.sessions.expire_all()
        return _refusal(fault)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        rule, parts = self._find(request.method, request.url.path)
        try:
            response = await self._answer(rule, request, parts)
        except (RequestError, RowError) as error:
            response = error_response(error)
        response.headers["sforce-limit-info"] = self.org.limit_info
        if "accept-encoding" in request.headers and "gzip" in request.headers["accept-encoding"]:
            _pack(response)
        await response(scope, receive, send)

    async def _answer(self, rule: Rule | None, request: Request, parts: dict[str, str]) -> Response:
        if rule is None:
            raise not_found()
        version = parts.get("version", "")
        soap = rule.path.startswith("/services/Soap")
        if version and not soap and float(version) < self.org.settings["oldest_version"]:
            raise RequestError(410, "UNSUPPORTED_API_VERSION", _RETIRED)
        if version and not soap and float(version) > NEWEST_VERSION:
            raise not_found()
        if not rule.open:
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            if scheme.lower() not in {"bearer", "oauth"} or not self.org.sessions.valid(
                token, self.org.settings["session_seconds"]
            ):
                raise RequestError(401, "INVALID_SESSION_ID", "Session expired or invalid")
            if not self.org.count_call():
                raise RequestError(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        return await rule.handler(Call(self.org, request, parts, version))

    def _find(self, method: str, path: str) -> tuple[Rule | None, dict[str, str]]:
        wanted = "GET" if method == "HEAD" else method
        for rule in self.rules:
            if rule.method == wanted and (found := rule.pattern.fullmatch(path)):
                return rule, found.groupdict()
        return None, {}


def _pack(response: Response) -> None:
    body = getattr(response, "body", b"")
    if "content-encoding" in response.headers or len(body) < GZIP_FROM_BYTES:
        return
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    response.body = packer.compress(body) + packer.flush()
    response.headers["content-encoding"] = "gzip"
    response.headers["content-length"] = str(len(response.body))
