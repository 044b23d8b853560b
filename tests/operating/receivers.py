"""A webhook and a mail server on this machine that keep what they are told."""

from __future__ import annotations

import asyncio
import base64
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

PASSWORD = "mail-secret-5f1c"


@dataclass
class Webhook:
    """What an incoming webhook was told, and with what it answers next (200 when nothing is left)."""

    address: str = ""
    told: list[str] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)


@contextmanager
def webhook() -> Iterator[Webhook]:
    """A Slack-style webhook."""
    found = Webhook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status = found.answers.pop(0) if found.answers else 200
            if status == 200:
                found.told.append(body["text"])
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Keep the test output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    found.address = f"http://127.0.0.1:{server.server_address[1]}/services/T0/B0/hook-secret-9a7e"
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class MailServer:
    """A mail server with STARTTLS and a login, what it took, and who is not let in."""

    port: int = 0
    ca_file: str = ""
    taken: list[tuple[list[str], EmailMessage]] = field(default_factory=list)
    was_encrypted: list[bool] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    """What it answers to the next messages' content."""


def _certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, private = folder / "mail.pem", folder / "mail.key"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate, private


@contextmanager
def mail_server(folder: Path) -> Iterator[MailServer]:
    """An SMTP server on a port of its own, in a thread of its own."""
    certificate, private = _certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, private)
    found = MailServer(ca_file=str(certificate))
    login = base64.b64encode(f"\0ringtrue\0{PASSWORD}".encode()).decode()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        encrypted = False
        recipients: list[str] = []

        async def say(line: str) -> None:
            writer.write(f"{line}\r\n".encode())
            await writer.drain()

        await say("220 mail.example.com ESMTP")
        while line := (await reader.readline()).decode().strip():
            word = line.split()[0].upper()
            if word == "EHLO":
                await say("250-mail.example.com")
                await say("250 AUTH PLAIN" if encrypted else "250 STARTTLS")
            elif word == "STARTTLS":
                await say("220 go on")
                await writer.start_tls(context)
                encrypted = True
            elif word == "AUTH":
                await say("235 welcome" if line.endswith(login) else "535 no")
            elif word == "RCPT":
                recipients.append(line.partition("<")[2].partition(">")[0])
                await say("250 ok")
            elif word == "DATA":
                await say("354 go on")
                content = await reader.readuntil(b"\r\n.\r\n")
                if found.refusals:
                    await say(found.refusals.pop(0))
                    continue
                message = message_from_bytes(content[:-5], policy=policy.default)
                assert isinstance(message, EmailMessage)
                found.taken.append((recipients, message))
                found.was_encrypted.append(encrypted)
                await say("250 taken")
            elif word == "QUIT":
                await say("221 bye")
                break
            else:
                await say("250 ok")
        writer.close()

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(talk, "127.0.0.1", 0))
    found.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield found
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(asyncio.sleep(0))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
