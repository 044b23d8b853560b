"""How the service says no: a status and one sentence that tells the caller what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response


class Refused(Exception):
    """A request that is answered with 4xx, or with 503 where it may be sent again. The sentence holds no number, address or secret."""

    def __init__(self, status: int, sentence: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.headers = status, sentence, dict(headers or {})


def busy() -> Refused:
    """The ledger cannot be written now; nothing was kept."""
    return Refused(
        503, "RingTrue cannot keep this message now; nothing was taken. Send it again.", {"Retry-After": "5"}
    )


def json_answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON response that no cache keeps."""
    return Response(
        orjson.dumps(value), status, {"Cache-Control": "no-store", **(headers or {})}, media_type="application/json"
    )


async def refuse(_request: Request, refused: Exception) -> Response:
    """The exception handler of the JSON part."""
    assert isinstance(refused, Refused)  # noqa: S101 registered for this class alone
    return json_answer({"error": refused.sentence}, refused.status, refused.headers)


async def json_body(request: Request) -> Any:
    """The body as JSON. Raises Refused where it is none."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().casefold()
    if kind != "application/json":
        raise Refused(415, "Send JSON with the header Content-Type: application/json.")
    try:
        return orjson.loads(await request.body())
    except orjson.JSONDecodeError as error:
        raise Refused(
            400,
            f"The body is not valid JSON (line {error.lineno}, column {error.colno}). Correct it and send it again.",
        ) from None
