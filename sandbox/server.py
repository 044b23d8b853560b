"""The server shell: several ASGI apps in one process and one event loop, each on a port of its own on 127.0.0.1."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class SandboxProtocol(HttpToolsProtocol):
    """Hands the connection's transport to the app (scope["sandbox.transport"]), so that a fault can cut the line."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["sandbox.transport"] = self.transport  # type: ignore[typeddict-unknown-key]  # an extension of ours


class _Server(uvicorn.Server):
    """A server that leaves signals to `serve`, which stops all of them."""

    def capture_signals(self) -> Any:
        return _Nothing()


class _Nothing:
    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


def listen(port: int) -> socket.socket:
    """A listening socket on 127.0.0.1; port 0 takes any free one. Raises OSError, saying what to do, if the port is taken."""
    # The protocol is named because asyncio switches Nagle's algorithm off only then, which else costs 40 ms an answer.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError as exc:
        listener.close()
        raise OSError(
            f"Port {port} is taken. Stop what listens there, or choose another port (0 takes any free one)."
        ) from exc
    listener.listen(1024)
    listener.setblocking(False)
    return listener


async def serve(apps: Mapping[str, tuple[ASGIApp, socket.socket]], ports_file: Path | None = None) -> None:
    """Serve each app on its socket until SIGINT or SIGTERM; write and print the ports once all of them accept connections."""
    servers = []
    for app, _ in apps.values():
        config = uvicorn.Config(
            app,
            http=SandboxProtocol,
            loop="none",
            lifespan="off",
            ws="none",
            access_log=False,
            log_level="warning",
            timeout_keep_alive=75,
            server_header=False,
            date_header=False,
            timeout_graceful_shutdown=2,
        )
        servers.append(_Server(config))
    loop = asyncio.get_running_loop()

    def stop() -> None:
        for server in servers:
            server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    tasks = [
        asyncio.create_task(server.serve(sockets=[listener]))
        for server, (_, listener) in zip(servers, apps.values(), strict=True)
    ]
    while not all(server.started for server in servers) and not any(task.done() for task in tasks):
        await asyncio.sleep(0.01)
    ports = {name: listener.getsockname()[1] for name, (_, listener) in apps.items()}
    if ports_file is not None:
        partial = ports_file.with_name(ports_file.name + ".part")
        partial.write_text(json.dumps(ports))
        partial.replace(ports_file)
    print(json.dumps(ports), flush=True)
    await asyncio.gather(*tasks)
