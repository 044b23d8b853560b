"""What can go wrong on the wire, switched on by tests: the switchboard of one stand-in and the ASGI middleware that plays the faults.

A fault is JSON: `{"op": "write", "kind": "status_429", "nth": 1, "times": 1, ...}`. `op` is write, read, query, search, login, bulk or any; `nth` counts
requests of that op since the fault was set (1 is the next one); `times` is how many requests from then on meet it, 0 for all of them. Further keys by kind:

* played here, before or around the surface: `status_429` (retry_after: seconds, or absent), `status_500`, `status_503`, `html_502`, `status` (status: any number, such as
  477 or 521; retry_after), `expired_session` (401),
  `expired_for_ever` (401 until cleared), `drop_before`, `drop_after`, `drop_mid_body`, `slow` (seconds), `strip_header` (name),
  `kill` (pid, at: SIGKILL to the process `pid` "before" the request is handled, which then never is, when it is "received" and handled but not answered, or
  when it is "answered" completely)
* played by the surface, for the request they fall on (`due`): `row_locked` (rows: "one" or "all"), `partial_failure` (n), `job_failed`, `status_423`
* in force until cleared (`standing`): `hidden_field` (field), `read_only_field` (field), `index_lag` (ms), `hold_rows` (ids), `slow_job` (seconds)
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from starlette.types import ASGIApp, Message, Receive, Scope, Send

OPS = frozenset({"write", "read", "query", "search", "login", "bulk", "any"})
STANDING_KINDS = frozenset({"hidden_field", "read_only_field", "index_lag", "hold_rows", "slow_job"})
SURFACE_KINDS = frozenset({"row_locked", "partial_failure", "job_failed", "status_423"})
REFUSAL_KINDS = frozenset(
    {"status", "status_429", "status_500", "status_503", "html_502", "expired_session", "expired_for_ever"}
)
WIRE_KINDS = REFUSAL_KINDS | {"drop_before", "drop_after", "drop_mid_body", "slow", "strip_header", "kill"}
KINDS = STANDING_KINDS | SURFACE_KINDS | WIRE_KINDS


@dataclass
class Fault:
    """One fault: `seen` requests of its op since it was set, `hits` of them met it."""

    number: int
    op: str
    kind: str
    nth: int = 1
    times: int = 1
    options: dict[str, Any] = field(default_factory=dict)
    seen: int = 0
    hits: int = 0

    def as_json(self) -> dict[str, Any]:
        """The fault with its counters, as the admin endpoint lists it."""
        return {
            **self.options,
            "id": self.number,
            "op": self.op,
            "kind": self.kind,
            "nth": self.nth,
            "times": self.times,
            "seen": self.seen,
            "hits": self.hits,
        }


class Faults:
    """The faults that are switched on for one stand-in."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._number = 0

    def add(self, wanted: Mapping[str, Any]) -> Fault:
        """Switch a fault on. Raises ValueError, saying what is wrong, if op or kind is unknown."""
        options = dict(wanted)
        op, kind = str(options.pop("op", "any")), str(options.pop("kind", ""))
        if op not in OPS:
            raise ValueError(f"Unknown op {op!r}. Use one of: {', '.join(sorted(OPS))}.")
        if kind not in KINDS:
            raise ValueError(f"Unknown kind {kind!r}. Use one of: {', '.join(sorted(KINDS))}.")
        times = int(options.pop("times", 0 if kind == "expired_for_ever" else 1))
        self._number += 1
        fault = Fault(self._number, op, kind, int(options.pop("nth", 1)), times, options)
        self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Switch everything off."""
        self._faults.clear()

    def all(self) -> list[Fault]:
        """All faults, spent ones included, in the order they were set."""
        return list(self._faults)

    def begin(self, op: str) -> list[Fault]:
        """Count a request of `op` and return the faults that fall on it."""
        due = []
        for fault in self._faults:
            if fault.kind in STANDING_KINDS or fault.op not in (op, "any"):
                continue
            fault.seen += 1
            if fault.seen >= fault.nth and (fault.times == 0 or fault.seen < fault.nth + fault.times):
                fault.hits += 1
                due.append(fault)
        return due

    def standing(self, kind: str) -> list[Fault]:
        """The faults of a kind that are in force until cleared."""
        return [fault for fault in self._faults if fault.kind == kind]

    def hidden_fields(self) -> set[str]:
        """Fields the integration user cannot see."""
        return {str(fault.options.get("field")) for fault in self.standing("hidden_field")}

    def read_only_fields(self) -> set[str]:
        """Fields the integration user cannot write."""
        return {str(fault.options.get("field")) for fault in self.standing("read_only_field")}

    def held_rows(self) -> set[str]:
        """Ids of records whose every write fails."""
        return {str(record_id) for fault in self.standing("hold_rows") for record_id in fault.options.get("ids", [])}


def due(scope: Scope, kind: str) -> Fault | None:
    """The fault of a kind that falls on this request, for the surface to play; None if there is none."""
    faults: list[Fault] = scope.get("sandbox.faults", [])
    return next((fault for fault in faults if fault.kind == kind), None)


class Refusal(NamedTuple):
    """An answer in the vendor's own envelope."""

    status: int
    headers: dict[str, str]
    body: bytes


class Stats:
    """Requests counted by op and path template, bytes, statuses."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Start from nought."""
        self.requests = 0
        self.by_op: dict[str, int] = {}
        self.by_path: dict[str, int] = {}
        self.by_status: dict[str, int] = {}
        self.bytes_in = 0
        self.bytes_out = 0

    def as_json(self) -> dict[str, Any]:
        """The counters, as the admin endpoint shows them."""
        return {
            "requests": self.requests,
            "by_op": self.by_op,
            "by_path": self.by_path,
            "by_status": self.by_status,
            "status_429": self.by_status.get("429", 0),
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
        }


Classify = Callable[[str, str], tuple[str, str]]
"""(method, path) -> (op, path template), e.g. ("PATCH", "/x/objects/contacts/12") -> ("write", "PATCH /x/objects/{object}/{id}")."""
Refuse = Callable[[Fault], Refusal]
"""The vendor's answer for a fault of REFUSAL_KINDS except html_502 and status."""


def _from_the_edge(fault: Fault) -> Refusal:
    """An answer of a gateway in front of the vendor: HTML, nothing in it to go by."""
    status = 502 if fault.kind == "html_502" else int(fault.options["status"])
    title = "502 Bad Gateway" if status == 502 else str(status)
    headers = {"content-type": "text/html"}
    if "retry_after" in fault.options:
        headers["retry-after"] = str(fault.options["retry_after"])
    page = f"<html><head><title>{title}</title></head><body><center><h1>{title}</h1></center></body></html>"
    return Refusal(status, headers, page.encode())


class FaultMiddleware:
    """Plays wire faults and counts requests. Admin paths (`/__sandbox__/`) pass untouched."""

    def __init__(self, app: ASGIApp, faults: Faults, stats: Stats, classify: Classify, refuse: Refuse) -> None:
        self.app = app
        self.faults = faults
        self.stats = stats
        self.classify = classify
        self.refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/__sandbox__/"):
            await self.app(scope, receive, send)
            return
        op, template = self.classify(scope["method"], scope["path"])
        stats = self.stats
        stats.requests += 1
        stats.by_op[op] = stats.by_op.get(op, 0) + 1
        stats.by_path[template] = stats.by_path.get(template, 0) + 1
        faults = scope["sandbox.faults"] = self.faults.begin(op)

        async def counted_receive() -> Message:
            message = await receive()
            stats.bytes_in += len(message.get("body", b""))
            return message

        async def counted_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                status = str(message["status"])
                stats.by_status[status] = stats.by_status.get(status, 0) + 1
            else:
                stats.bytes_out += len(message.get("body", b""))
            await send(message)

        if not faults:
            await self.app(scope, counted_receive, counted_send)
        else:
            await self._play({fault.kind: fault for fault in faults}, scope, counted_receive, counted_send)

    async def _play(self, faults: dict[str, Fault], scope: Scope, receive: Receive, send: Send) -> None:
        kill = faults.get("kill")
        if slow := faults.get("slow"):
            await asyncio.sleep(float(slow.options.get("seconds", 1)))
        if kill and kill.options.get("at", "before") == "before":
            _kill(kill)
        if "drop_before" in faults or (kill and kill.options.get("at", "before") == "before"):
            await _drain(receive)
            await _abort(scope, receive)
            return
        refused = next((fault for kind, fault in faults.items() if kind in REFUSAL_KINDS), None)
        if refused:
            await _drain(receive)
            answer = _from_the_edge(refused) if refused.kind in ("html_502", "status") else self.refuse(refused)
            await _send_refusal(answer, send)
            return
        if not faults.keys() & {"drop_after", "drop_mid_body", "strip_header", "kill"}:
            await self.app(scope, receive, send)
            return
        start, body = await _capture(self.app, scope, receive)
        if kill and kill.options.get("at") == "received":
            _kill(kill)
        if "drop_after" in faults:
            await _abort(scope, receive)
            return
        headers = list(start["headers"])
        if strip := faults.get("strip_header"):
            unwanted = str(strip.options.get("name", "")).lower().encode()
            headers = [(name, value) for name, value in headers if name.lower() != unwanted]
        await send({**start, "headers": headers})
        if "drop_mid_body" in faults:
            await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True})
            await _flushed(scope)
            await _abort(scope, receive)
            return
        await send({"type": "http.response.body", "body": body})
        if kill and kill.options.get("at") == "answered":
            await _flushed(scope)
            _kill(kill)


async def _capture(app: ASGIApp, scope: Scope, receive: Receive) -> tuple[Message, bytes]:
    """Let the surface handle the request and keep its whole answer back."""
    start: Message = {"type": "http.response.start", "status": 500, "headers": []}
    parts: list[bytes] = []

    async def keep(message: Message) -> None:
        if message["type"] == "http.response.start":
            start.update(message)
        else:
            parts.append(message.get("body", b""))

    await app(scope, receive, keep)
    return start, b"".join(parts)


async def _send_refusal(answer: Refusal, send: Send) -> None:
    headers = {"content-length": str(len(answer.body)), **answer.headers}
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    await send({"type": "http.response.body", "body": answer.body})


async def _drain(receive: Receive) -> None:
    while (message := await receive())["type"] == "http.request" and message.get("more_body"):
        pass


async def _abort(scope: Scope, receive: Receive) -> None:
    """Close the connection without a word and wait until the server has noticed."""
    transport = scope.get("sandbox.transport")
    if transport is None:
        raise RuntimeError("Connections can be dropped only behind sandbox.server, which hands over the transport.")
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass


async def _flushed(scope: Scope) -> None:
    """Wait until everything written has left this process for the client's socket."""
    transport = scope["sandbox.transport"]
    while not transport.is_closing() and transport.get_write_buffer_size():
        await asyncio.sleep(0.001)


def _kill(fault: Fault) -> None:
    os.kill(int(fault.options["pid"]), signal.SIGKILL)
