"""What a service may send back over a connection, whole or broken, and what becomes of it."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket

import pytest

from connectors.lookups.client import LookupClient
from connectors.lookups.protocol import Limits
from ringtrue.errors import ConnectionLost, HostUnreachable, RingTrueError

ZIPPED = gzip.compress(b'{"a":1}')
WHOLE = {
    "with its length": b'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{"a":1}',
    "in chunks": b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{"a\r\n4\r\n":1}\r\n0\r\n\r\n',
    "to the end of the connection": b'HTTP/1.1 200 OK\r\n\r\n{"a":1}',
    "after a hint": b'HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{"a":1}',
    "compressed": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(ZIPPED) + ZIPPED,
}
BROKEN = {
    "nothing": b"",
    "half a body": b'HTTP/1.1 200 OK\r\nContent-Length: 70\r\n\r\n{"a":1}',
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "no gzip": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd",
}


def asked(
    answers: list[bytes], times: int = 1, *, close: bool = True, seconds: float = 5.0
) -> tuple[list[object], int]:
    """Ask a server that sends these bytes, one after the other; what came, and over how many connections."""
    connections = 0
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        writers.append(writer)
        for answer in answers:
            try:
                await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            writer.write(answer)
            await writer.drain()
        if close:
            writer.close()

    async def run() -> list[object]:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        client = LookupClient("someone", f"http://127.0.0.1:{port}", Limits(1000, 2, seconds), attempts=1)
        found: list[object] = []
        for _ in range(times):
            try:
                found.append(client.json(await client.send("GET", "/numbers")))
            except RingTrueError as error:
                found.append(type(error))
        await client.close()
        server.close()
        for writer in writers:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()
        return found

    return asyncio.run(run()), connections


@pytest.mark.parametrize("how", WHOLE)
def test_a_whole_answer_is_read(how: str) -> None:
    assert asked([WHOLE[how]])[0] == [{"a": 1}]


@pytest.mark.parametrize("how", BROKEN)
def test_half_an_answer_is_lost_and_not_taken_for_one(how: str) -> None:
    assert asked([BROKEN[how]])[0] == [ConnectionLost]


def test_a_connection_is_used_again_until_its_service_closes_it() -> None:
    kept, closing = (
        WHOLE["with its length"],
        WHOLE["with its length"].replace(b"OK\r\n", b"OK\r\nConnection: close\r\n"),
    )
    assert asked([kept] * 5, times=5, close=False) == ([{"a": 1}] * 5, 1)
    assert asked([closing], times=3) == ([{"a": 1}] * 3, 3)


def test_silence_ends_with_the_time_limit() -> None:
    assert asked([b"HTTP/1.1 200 OK\r\n"], close=False, seconds=0.2)[0] == [ConnectionLost]


def test_nobody_there_is_no_lost_answer() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])

    async def run() -> None:
        client = LookupClient("someone", f"http://127.0.0.1:{port}", Limits(1000, 2), attempts=1)
        with pytest.raises(HostUnreachable, match="Nobody answers at 127"):
            await client.send("GET", "/numbers")

    asyncio.run(run())
