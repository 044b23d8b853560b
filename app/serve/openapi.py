"""The service described: for programs as OpenAPI 3.1, for people as a page of the same."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import orjson
from starlette.requests import Request
from starlette.responses import Response

from app.serve.pages import Pages
from app.serve.refusals import json_answer


class Call(NamedTuple):
    """One operation as the page shows it."""

    method: str
    path: str
    summary: str
    description: str
    key: bool
    example: str
    answers: str


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document."""
    found: dict[str, Any] = orjson.loads(files("app").joinpath("templates/door_openapi.json").read_bytes())
    return found


class Docs:
    """The two addresses."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    async def described(self, _request: Request) -> Response:
        """The document, readable from any origin."""
        return json_answer(document(), headers={"Access-Control-Allow-Origin": "*"})

    async def page(self, _request: Request) -> Response:
        """The same for people."""
        return self._pages.page("docs", calls=list(_calls()))


@cache
def _calls() -> tuple[Call, ...]:
    found = []
    for path, methods in document()["paths"].items():
        for method, about in methods.items():
            body = about.get("requestBody", {}).get("content", {}).get("application/json", {})
            example = orjson.dumps(body["example"], option=orjson.OPT_INDENT_2).decode() if "example" in body else ""
            answers = ", ".join(
                f"{code} {_summary(answer)}" for code, answer in about["responses"].items() if code[0] == "2"
            )
            refused = ", ".join(code for code in about["responses"] if code[0] != "2")
            said = f"{answers}; {refused}" if refused else answers
            found.append(
                Call(method.upper(), path, about["summary"], about["description"], "security" in about, example, said)
            )
    return tuple(found)


def _summary(answer: dict[str, Any]) -> str:
    return str(answer.get("description", ""))
