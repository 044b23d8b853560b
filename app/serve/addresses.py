"""Addresses and secrets of the messages others send us."""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from starlette.requests import Request

from app.serve.refusals import Refused
from ringtrue.serve_settings import ServeSettings


def called_url(request: Request, settings: ServeSettings) -> str:
    """The address as the sender called it: the public one of the settings, with the path and query as they came, escapes untouched."""
    raw: bytes = request.scope.get("raw_path") or request.url.path.encode()
    query: bytes = request.scope.get("query_string", b"")
    path = raw.decode("ascii", "replace") + (f"?{query.decode('ascii', 'replace')}" if query else "")
    base = settings.public_url or f"{request.url.scheme}://{request.url.netloc}"
    return base.rstrip("/") + path


def secret_of(environ: Mapping[str, str], variable: str) -> str:
    """The secret in a variable. Raises Refused (503) while it is not set, so that the sender tries again later."""
    value = environ.get(variable, "")
    if not value:
        raise Refused(503, f"This address is not set up yet: set {variable} in the environment of `ringtrue serve`.")
    return value


def check_path(environ: Mapping[str, str], variable: str, given: str) -> None:
    """Compare the secret part of an address. A wrong one looks like an address that does not exist."""
    if not hmac.compare_digest(secret_of(environ, variable).encode(), given.encode("utf-8", "replace")):
        raise Refused(404, "There is nothing at this address.")
