"""All lookup stand-ins on one port: told apart by the first part of the path (`/twilio/...`) or by the Host header (`lookups.twilio.com`)."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.loops.auto import auto_loop_factory

from sandbox.lookups_alibaba import Alibaba
from sandbox.lookups_melissa import Melissa
from sandbox.lookups_realphonevalidation import RealPhoneValidation
from sandbox.lookups_twilio import Twilio
from sandbox.lookups_vendor import Vendor, json_response
from sandbox.lookups_vonage import Vonage
from sandbox.lookups_zerobounce import ZeroBounce
from sandbox.server import listen, serve
from sandbox.world import World

VENDORS: tuple[type[Vendor], ...] = (Twilio, Vonage, Melissa, ZeroBounce, RealPhoneValidation, Alibaba)


class Lookups:
    """The switch in front of the stand-ins. Each has its own faults, counters and settings under `/<vendor>/__sandbox__/`."""

    def __init__(self, world: World | None) -> None:
        self.vendors = {kind.name: kind(world) for kind in VENDORS}
        self._apps: dict[str, ASGIApp] = {name: vendor.app() for name, vendor in self.vendors.items()}
        self._hosts = {host: name for name, vendor in self.vendors.items() for host in vendor.hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        first, _, rest = scope["path"].lstrip("/").partition("/")
        if first in self._apps:
            head = len(f"/{first}")
            inner = {**scope, "path": f"/{rest}", "raw_path": scope["raw_path"][head:] or b"/"}
            await self._apps[first](inner, receive, send)
            return
        host = dict(scope["headers"]).get(b"host", b"").decode().partition(":")[0]
        if host in self._hosts:
            await self._apps[self._hosts[host]](scope, receive, send)
            return
        known = ", ".join(self._apps)
        answer = json_response({"error": f"No such lookup service here. The path begins with one of: {known}."}, 404)
        await answer(scope, receive, send)


def lookups_app(world: World | None) -> Lookups:
    """The stand-ins of every lookup service over one world."""
    return Lookups(world)


def main(arguments: list[str] | None = None) -> None:
    """`python -m sandbox.lookups`: the lookup services alone."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.lookups", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="directory of the world")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--contacts", type=int, default=2000)
    parser.add_argument("--port", type=int, default=8400)
    parser.add_argument("--ports-file", type=Path)
    options = parser.parse_args(arguments)
    options.home.mkdir(parents=True, exist_ok=True)
    app = lookups_app(World(options.home / "world.db", options.seed, options.contacts))
    with asyncio.Runner(loop_factory=auto_loop_factory(use_subprocess=False)) as runner:
        runner.run(serve({"lookups": (app, listen(options.port))}, options.ports_file))


if __name__ == "__main__":
    main()
