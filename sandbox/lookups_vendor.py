"""What all lookup stand-ins share: the world's truth about a number, seen through one vendor's coverage, noise and abstentions; its credit, limits and bill.

Settings of each stand-in (POST `/__sandbox__/settings`, JSON, merged): `latency_seconds`; `per_second` (requests, else refused); `credit` (questions left, None
without end); `misses` (share of dead numbers called alive); `slanders` (share of live numbers called dead); `abstains`; `say` (subject -> the vendor's word, whatever the
truth); `clock_offset_seconds`. `GET /__sandbox__/billed` counts what was charged, by subject.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, ClassVar, Literal

import orjson
import phonenumbers
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.faults import Fault, FaultMiddleware, Faults, Refusal, Stats
from sandbox.lines import Line
from sandbox.world import World

Seen = Literal["alive", "off", "suspended", "dead", "nonexistent", "unknown"]
Handler = Callable[[Request], Awaitable[Response]]


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """An answer in JSON."""
    return Response(orjson.dumps(value), status, media_type="application/json", headers=headers)


class Vendor:
    """Base of one stand-in. Subclasses give `name`, `hosts`, `handlers` and the vendor's own words for refusals."""

    name = ""
    hosts: Sequence[str] = ()
    defaults: ClassVar[dict[str, Any]] = {}

    def __init__(self, world: World | None) -> None:
        self.world = world
        self.faults, self.stats = Faults(), Stats()
        self.settings: dict[str, Any] = {}
        self.billed: Counter[str] = Counter()
        self._second, self._in_second = 0, 0
        self.reset()

    def reset(self) -> None:
        """Settings as at the start."""
        common: dict[str, Any] = {
            "latency_seconds": 0.0,
            "per_second": None,
            "credit": None,
            "misses": 0.03,
            "slanders": 0.005,
            "abstains": 0.05,
            "say": {},
            "clock_offset_seconds": 0,
        }
        self.settings.clear()
        self.settings.update({**common, **self.defaults, "say": {}})
        self.billed.clear()

    def handlers(self) -> list[tuple[str, str, str, Handler]]:
        """(op, method, path, handler) of the surface."""
        raise NotImplementedError

    def refuse(self, fault: Fault) -> Refusal:
        """The vendor's envelope for a fault of HTTP level."""
        status = {"expired_session": 401, "expired_for_ever": 401}.get(fault.kind) or int(fault.kind.rpartition("_")[2])
        headers = {"content-type": "application/json"}
        if "retry_after" in fault.options:
            headers["retry-after"] = str(fault.options["retry_after"])
        return Refusal(status, headers, orjson.dumps(self.envelope(status)))

    def envelope(self, status: int) -> Any:
        """The vendor's JSON for an HTTP error."""
        return {"error": f"HTTP {status}"}

    def too_fast(self) -> Response:
        """The vendor's way to say "slow down"."""
        return json_response(self.envelope(429), 429)

    def draw(self, subject: str, purpose: str) -> float:
        """A number in [0, 1) that stays the same for a subject and a purpose."""
        text = f"{self.name}|{purpose}|{subject}|{self.world.seed if self.world else 0}"
        digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") / 2**64

    def line(self, e164: str) -> Line | None:
        """The world's line of a number."""
        return self.world.line(e164) if self.world else None

    def see(self, e164: str) -> Seen:
        """The line's state as this vendor sees it: truth, then noise, then abstention."""
        line = self.line(e164)
        if line is None or self.world is None:
            number = parse(e164)
            return "unknown" if number is not None and phonenumbers.is_valid_number(number) else "nonexistent"
        if self.draw(e164, "abstain") < self.settings["abstains"]:
            return "unknown"
        state = line.state_at(self.world.now_ms()).state
        if state in ("never_allocated", "disconnected"):
            if self.draw(e164, "miss") < self.settings["misses"]:
                return "alive"
            return "dead" if state == "disconnected" else "nonexistent"
        if self.draw(e164, "slander") < self.settings["slanders"]:
            return "dead"
        return "alive" if state in ("alive", "reassigned") else "off" if state == "off" else "suspended"

    def charge(self, subject: str, amount: int = 1) -> bool:
        """Take credit for a question; False when there is none left."""
        credit = self.settings["credit"]
        if credit is not None:
            if credit < amount:
                return False
            self.settings["credit"] = credit - amount
        self.billed[subject] += amount
        return True

    def app(self) -> Starlette:
        """The surface with its back door and its faults."""
        routes = [
            Route(f"/__sandbox__/{name}", handler, methods=methods)
            for name, handler, methods in (
                ("faults", self._fault_board, ["GET", "POST", "DELETE"]),
                ("stats", self._show_stats, ["GET"]),
                ("settings", self._change_settings, ["GET", "POST", "DELETE"]),
                ("billed", self._show_billed, ["GET"]),
            )
        ]
        ops: dict[tuple[str, str], str] = {}
        for op, method, path, handler in self.handlers():
            routes.append(Route(path, self._paced(handler), methods=[method]))
            ops[method, path.partition("{")[0]] = op

        def classify(method: str, path: str) -> tuple[str, str]:
            fitting = [prefix for known, prefix in ops if known == method and path.startswith(prefix)]
            best = max(fitting, key=len, default="")
            return ops.get((method, best), "read"), f"{method} {best or path}"

        middleware = Middleware(
            FaultMiddleware, faults=self.faults, stats=self.stats, classify=classify, refuse=self.refuse
        )
        return Starlette(routes=routes, middleware=[middleware])

    def _paced(self, handler: Handler) -> Handler:
        async def paced(request: Request) -> Response:
            limit = self.settings["per_second"]
            if limit is not None:
                second = int(time.monotonic())
                self._in_second = self._in_second + 1 if second == self._second else 1
                self._second = second
                if self._in_second > limit:
                    return self.too_fast()
            if self.settings["latency_seconds"]:
                await asyncio.sleep(self.settings["latency_seconds"])
            return await handler(request)

        return paced

    async def _fault_board(self, request: Request) -> Response:
        if request.method == "POST":
            wanted = orjson.loads(await request.body())
            faults = [self.faults.add(each) for each in (wanted if isinstance(wanted, list) else [wanted])]
            return json_response([fault.as_json() for fault in faults], 201)
        if request.method == "DELETE":
            self.faults.clear()
        return json_response([fault.as_json() for fault in self.faults.all()])

    async def _show_stats(self, _: Request) -> Response:
        return json_response(self.stats.as_json())

    async def _change_settings(self, request: Request) -> Response:
        if request.method == "DELETE":
            self.reset()
            self.faults.clear()
            self.stats.reset()
        elif request.method == "POST":
            self.settings.update(orjson.loads(await request.body()))
        return json_response(self.settings)

    async def _show_billed(self, _: Request) -> Response:
        return json_response({"total": sum(self.billed.values()), "by_subject": dict(self.billed)})


def parse(e164: str) -> phonenumbers.PhoneNumber | None:
    """A number in international form, None if it cannot be read."""
    try:
        return phonenumbers.parse(e164, None)
    except phonenumbers.NumberParseException:
        return None
