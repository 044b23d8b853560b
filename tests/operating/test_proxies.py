"""The proxies of docs/access.md and docs/serve.md, started as they stand there: what the program behind them gets to see, and what stays outside."""

from __future__ import annotations

import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.docs.test_instructions import BLOCK
from tests.stand_ins import ROOT

PLACES = f"{ROOT}/.proxies/usr/sbin:{ROOT}/.proxies/usr/bin:/usr/sbin:{os.environ.get('PATH', '')}"
NGINX, CADDY = shutil.which("nginx", path=PLACES), shutil.which("caddy", path=PLACES)
WEBSOCKET = "GET /graphql HTTP/1.1\r\nHost: dagster.example.com\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


class Behind(BaseHTTPRequestHandler):
    """Notes what arrives; takes an upgrade to a websocket and sends one word over it."""

    protocol_version = "HTTP/1.1"
    seen: list[dict[str, str]]

    def do_GET(self) -> None:
        type(self).seen.append({name.lower(): value for name, value in self.headers.items()} | {"path": self.path})
        if self.headers.get("Upgrade"):
            self.send_response(101)
            self.send_header("Upgrade", "websocket")
            self.send_header("Connection", "Upgrade")
            self.end_headers()
            self.wfile.write(b"pushed")
            self.close_connection = True
            return
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def behind() -> Iterator[tuple[int, list[dict[str, str]]]]:
    """A program behind the proxy: its port, and the requests it got."""
    seen: list[dict[str, str]] = []
    handler = type("Noting", (Behind,), {"seen": seen})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server.server_port, seen
        server.shutdown()
        thread.join()


def free_port() -> int:
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def shown(page: str, beginning: str) -> str:
    """The block of a page that contains these words."""
    found: str
    (found,) = [text for _, text in BLOCK.findall((ROOT / page).read_text(encoding="utf-8")) if beginning in text]
    return found


@contextmanager
def running(*command: str, port: int) -> Iterator[None]:
    """A proxy in the foreground, from when it listens."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            deadline = time.monotonic() + 60
            while not _listens(port):
                assert process.poll() is None, process.stdout.read() if process.stdout else ""
                assert time.monotonic() < deadline, "it does not listen"
                time.sleep(0.05)
            yield
        finally:
            process.terminate()


def _listens(port: int) -> bool:
    with closing(socket.socket()) as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def answer(port: int, request: str, *, tls: bool, body: bytes = b"") -> str:
    """What comes back until the other side has said enough."""
    plain = socket.create_connection(("127.0.0.1", port), timeout=20)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with context.wrap_socket(plain, server_hostname="dagster.example.com") if tls else plain as link:
        link.sendall(request.encode() + body)
        told = b""
        while not told.endswith((b"pushed", b"\r\n\r\nok")) and (part := link.recv(65_536)):
            told += part
    return told.decode()


def nginx(folder: Path, inside: str) -> list[str]:
    """Start nginx on these server blocks with everything it writes in one folder."""
    config = (
        f"daemon off; pid {folder}/pid; error_log stderr; events {{}}\n"
        f"http {{ access_log {folder}/access.log; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;\n{inside}\n}}\n"
    )
    (folder / "nginx.conf").write_text(config, encoding="utf-8")
    return [str(NGINX), "-e", "stderr", "-c", str(folder / "nginx.conf")]


needs_nginx = pytest.mark.skipif(NGINX is None, reason="nginx is not there (make proxies)")
needs_caddy = pytest.mark.skipif(CADDY is None, reason="Caddy is not there (make proxies)")


@needs_nginx
def test_nginx_ends_tls_and_lets_the_user_interface_push(
    tmp_path: Path, behind: tuple[int, list[dict[str, str]]]
) -> None:
    port, (upstream, seen) = free_port(), behind
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=dagster.example.com", "-days", "1",
         "-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "pem")],
        check=True, capture_output=True,
    )  # fmt: skip
    text = shown("docs/access.md", "$connection_upgrade")
    for there, here in (
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"), ("127.0.0.1:4180", f"127.0.0.1:{upstream}"),
        ("/etc/ssl/dagster.example.com.pem", f"{tmp_path}/pem"), ("/etc/ssl/private/dagster.example.com.key", f"{tmp_path}/key"),
    ):  # fmt: skip
        assert there in text
        text = text.replace(there, here)
    with running(*nginx(tmp_path, text), port=port):
        assert answer(port, WEBSOCKET, tls=True).endswith("pushed")
        forged = "GET /runs HTTP/1.1\r\nHost: dagster.example.com\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n"
        assert answer(port, forged, tls=True).endswith("ok")
    pushed, page = seen
    assert (pushed["upgrade"], pushed["connection"].lower()) == ("websocket", "upgrade")
    assert (page["host"], page["x-forwarded-proto"]) == ("dagster.example.com", "https")
    assert page["x-forwarded-for"] == "127.0.0.1", "what the caller claims is not handed on"


@needs_nginx
def test_nginx_before_the_entry_service_hands_on_what_it_needs_and_logs_nothing(
    tmp_path: Path, behind: tuple[int, list[dict[str, str]]]
) -> None:
    port, (upstream, seen) = free_port(), behind
    text = shown("docs/serve.md", "client_max_body_size").replace("127.0.0.1:8500", f"127.0.0.1:{upstream}")
    with running(*nginx(tmp_path, f"server {{ listen 127.0.0.1:{port}; {text} }}"), port=port):
        head = "POST /v1/hubspot/secret?page=1 HTTP/1.1\r\nHost: ringtrue.example.com\r\nContent-Length: {}\r\n\r\n"
        assert answer(port, head.format(5), tls=False, body=b"hello").endswith("ok")
        assert " 413 " in answer(port, head.format(600_000), tls=False).splitlines()[0]
    (request,) = seen
    assert request["path"] == "/v1/hubspot/secret?page=1", "a signature covers the address as it was called"
    assert (request["host"], request["x-forwarded-for"], request["x-forwarded-proto"]) == (
        "ringtrue.example.com", "127.0.0.1", "http",
    )  # fmt: skip
    assert (tmp_path / "access.log").read_text(encoding="utf-8") == ""


@needs_caddy
def test_caddy_lets_the_user_interface_push(tmp_path: Path, behind: tuple[int, list[dict[str, str]]]) -> None:
    """Over http and without an administrator's port here: it would fetch a certificate for the name otherwise."""
    port, (upstream, seen) = free_port(), behind
    text = shown("docs/access.md", "reverse_proxy 127")
    here = re.sub(r"^dagster\.example\.com", f"http://dagster.example.com:{port}", text).replace("4180", str(upstream))
    (tmp_path / "Caddyfile").write_text("{\n\tadmin off\n}\n" + here, encoding="utf-8")
    with running(str(CADDY), "run", "--adapter", "caddyfile", "--config", str(tmp_path / "Caddyfile"), port=port):
        assert answer(port, WEBSOCKET, tls=False).endswith("pushed")
        assert answer(port, "GET /runs HTTP/1.1\r\nHost: dagster.example.com\r\n\r\n", tls=False).endswith("ok")
    assert seen[0]["upgrade"] == "websocket"
    assert seen[1]["x-forwarded-for"] == "127.0.0.1"
