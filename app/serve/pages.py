"""HTML pages: rendered from templates with every text escaped, in the language of the policy, with headers that let in nothing else."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import Response

from ringtrue.serve_settings import ServeSettings

_POLICY = (
    "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    # Not no-referrer: browsers then send `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "X-Robots-Tag": "noindex",
}


@cache
def words(language: str) -> dict[str, str]:
    """The words of the pages."""
    table = tomllib.loads(files("app").joinpath("templates/door_words.toml").read_text(encoding="utf-8"))
    found: dict[str, str] = table[language]
    return found


@cache
def style() -> bytes:
    """The style sheet."""
    return files("app").joinpath("templates/door.css").read_bytes()


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("app"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )


class Pages:
    """Renders pages."""

    def __init__(self, language: str, settings: ServeSettings) -> None:
        self.words = words(language)
        secure = urlsplit(settings.public_url or "").scheme == "https"
        self._headers = {**HEADERS, **({"Strict-Transport-Security": "max-age=31536000"} if secure else {})}

    def page(self, template: str, *, status: int = 200, **values: Any) -> Response:
        """One page."""
        known = {"person": None, **values}
        html = _environment().get_template(f"door_{template}.html.j2").render(words=self.words, **known)
        return Response(html, status, self._headers, media_type="text/html")

    def message(self, heading: str, text: str, status: int, **values: Any) -> Response:
        """A page that says one thing; `heading` and `text` name words."""
        return self.page("message", status=status, heading=self.words[heading], text=self.words[text], **values)

    def goto(self, path: str) -> Response:
        """Send the browser to another page."""
        return Response(status_code=303, headers={**self._headers, "Location": path})

    async def css(self, _request: Request) -> Response:
        """The style sheet."""
        return Response(
            style(),
            headers={"Cache-Control": "public, max-age=3600", "X-Content-Type-Options": "nosniff"},
            media_type="text/css",
        )


def own_form(request: Request, settings: ServeSettings) -> bool:
    """Whether a form comes from a page of ours, as far as the browser tells."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return False
    origin = request.headers.get("origin")
    own = (settings.public_url or f"{request.url.scheme}://{request.url.netloc}").rstrip("/")
    return origin is None or origin == own
