"""A receiver for callbacks on 127.0.0.1, in a thread of its own."""

from __future__ import annotations

import http.server
import threading
from types import TracebackType

from connectors.lookups.callbacks import CallbackBox


class CallbackServer:
    """Hands every POST to a `CallbackBox`, whose address it sets."""

    def __init__(self, box: CallbackBox) -> None:
        self.box = box

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                self.send_response(200 if box.receive(body) else 400)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        box.address = f"http://127.0.0.1:{self._server.server_port}/callbacks/test"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> CallbackServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
