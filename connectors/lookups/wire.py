"""HTTP/1.1 for many small requests: kept connections, each read by httptools' parser in C.

httpx's own transport spends half a millisecond on a request, most of a lookup's cost. This one takes httpx's place below `httpx.Request` and `httpx.Response` and raises
httpx's errors, so nobody above it sees a difference. Proxies are left to httpx.
"""

from __future__ import annotations

import asyncio
import ssl
import time

import httptools
import httpx


class WireTransport(httpx.AsyncBaseTransport):
    """Connections to one service. At most `most` requests are under way at a time; an idle connection is kept for `idle_seconds`."""

    def __init__(self, *, most: int, idle_seconds: float, trust: ssl.SSLContext | None) -> None:
        self._slots = asyncio.Semaphore(most)
        self._idle: list[tuple[float, _Connection]] = []
        self._idle_seconds, self._trust = idle_seconds, trust

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request and read its whole answer.

        Raises httpx.ConnectError or ConnectTimeout when it was not sent; ReadTimeout, ReadError or RemoteProtocolError when no whole answer came.
        """
        limits: dict[str, float] = request.extensions["timeout"]
        async with self._slots:
            connection = self._kept() or await self._connected(request.url, limits["connect"])
            try:
                answer = await connection.ask(_as_bytes(request), limits["read"])
            except BaseException:
                connection.close()
                raise
            if connection.usable:
                self._idle.append((time.monotonic(), connection))
            return answer

    async def aclose(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop()[1].close()

    def _kept(self) -> _Connection | None:
        oldest = time.monotonic() - self._idle_seconds
        while self._idle:
            since, connection = self._idle.pop()
            if connection.usable and since > oldest:
                return connection
            connection.close()
        return None

    async def _connected(self, url: httpx.URL, seconds: float) -> _Connection:
        secure = url.scheme == "https"
        port = url.port or (443 if secure else 80)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(seconds):
                _, connection = await loop.create_connection(
                    _Connection, url.host, port, ssl=self._trust if secure else None
                )
        except TimeoutError as exc:
            raise httpx.ConnectTimeout(f"No connection within {seconds:g} seconds.") from exc
        except OSError as exc:
            raise httpx.ConnectError(str(exc)) from exc
        return connection


def _as_bytes(request: httpx.Request) -> bytes:
    body = request.read()
    lines = [f"{request.method} ".encode() + request.url.raw_path + b" HTTP/1.1"]
    lines += [name + b": " + value for name, value in request.headers.raw]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


class _Connection(asyncio.Protocol):
    """One connection, one request at a time. The methods on_... are called by the parser."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._waiter: asyncio.Future[httpx.Response] | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._seconds = 0.0
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []
        self._reads_to_the_end = False
        self.usable = False

    async def ask(self, request: bytes, seconds: float) -> httpx.Response:
        """Send a request; its answer, which must not pause for longer than `seconds`."""
        if self._transport is None or self._transport.is_closing():
            raise httpx.WriteError("The connection was closed.")
        loop = asyncio.get_running_loop()
        self._waiter, self._seconds = loop.create_future(), seconds
        self.usable = False
        self._heard()
        self._transport.write(request)
        try:
            return await self._waiter
        finally:
            self._waiter = None
            if self._watch is not None:
                self._watch.cancel()

    def close(self) -> None:
        """Break the connection."""
        self.usable = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # create_connection makes a Transport
        self.usable = True

    def data_received(self, data: bytes) -> None:
        if self._waiter is None:
            self.close()
            return
        self._heard()
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as exc:
            self._fail(httpx.RemoteProtocolError(f"The answer is no HTTP: {exc}"))

    def connection_lost(self, exc: Exception | None) -> None:
        self.usable = False
        if self._reads_to_the_end and exc is None:
            self._finish()
        elif exc is not None:
            self._fail(httpx.ReadError(str(exc)))
        else:
            self._fail(httpx.RemoteProtocolError("The connection was closed before the whole answer had come."))

    def on_message_begin(self) -> None:
        self._headers, self._body, self._reads_to_the_end = [], [], False

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        named = {name.lower() for name, _ in self._headers}
        self._reads_to_the_end = not named & {b"content-length", b"transfer-encoding"}

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() >= 200:
            self.usable = self._parser.should_keep_alive()
            self._finish()

    def _heard(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
        self._watch = asyncio.get_running_loop().call_later(self._seconds, self._overdue)

    def _overdue(self) -> None:
        self._fail(httpx.ReadTimeout(f"Nothing came for {self._seconds:g} seconds."))

    def _finish(self) -> None:
        self._reads_to_the_end = False
        if self._waiter is not None and not self._waiter.done():
            try:
                status = self._parser.get_status_code()
                answer = httpx.Response(status, headers=self._headers, content=b"".join(self._body))
            except httpx.DecodingError as exc:
                self._fail(exc)
            else:
                self._waiter.set_result(answer)

    def _fail(self, error: httpx.RequestError) -> None:
        self.usable = False
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)
