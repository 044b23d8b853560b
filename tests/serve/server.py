"""The entry service in a thread of the test, or in a process of its own, over a ledger with a few people in it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import tomli_w
import uvicorn

from app.serve.application import build
from assets import phones, status
from connectors.resources import open_ledger
from ringtrue.fields import FieldMap, own_fields
from ringtrue.ledger import Ledger, calls, contacts
from ringtrue.ledger.calls import Seen
from ringtrue.ledger.contacts import Origin, PullCounts
from ringtrue.ledger.database import fetch
from ringtrue.records import PulledRecord
from ringtrue.settings import SETTINGS_VARIABLE, Settings, load_settings
from tests.stand_ins import ROOT

# libphonenumber's own example numbers
MOBILE, LANDLINE, OTHER, FREE = "+447400123456", "+441212345678", "+4915123456789", "+33612345678"
KEY = "0123456789abcdef0123456789abcdef"
FORM_KEY, PAGE_KEY, DIALLER_KEY = (word.ljust(32, "x") for word in ("form", "page", "dialler"))
HUBSPOT_SECRET, TWILIO_TOKEN, VONAGE_PART = "hubspot-client-secret", "twilio-auth-token", "vonage-secret-part"
ORGANIZATION = "00D5g00000ABCDEEA2"
ENVIRON = {
    "RINGTRUE_LEDGER_KEY": KEY,
    "KEY_FORM": FORM_KEY,
    "KEY_PAGE": PAGE_KEY,
    "KEY_DIALLER": DIALLER_KEY,
    "HUBSPOT_CLIENT_SECRET": HUBSPOT_SECRET,
    "TWILIO_AUTH_TOKEN": TWILIO_TOKEN,
    "VONAGE_CALLBACK_PATH": VONAGE_PART,
}
FIELDS = FieldMap(
    phones=("Phone", "MobilePhone"), full_name="Name", email="Email", country=("Country",), do_not_call=("DoNotCall",)
)
START_SECONDS = 120.0


class Home:
    """A project folder: settings and ledger."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = folder / "ringtrue.toml"

    def write(self, serve: Mapping[str, Any] | None = None, **parts: Any) -> Settings:
        """Write the settings; `serve` changes the usual ones of the entry service."""
        usual: dict[str, Any] = {
            # A busy machine must not turn an answer into `unknown` where the test is about something else.
            "check_ms": 5_000.0,
            "commit_seconds": 30.0,
            "keys": {
                "form": {"variable": "KEY_FORM", "rate_per_second": 1_000.0, "burst": 1_000},
                "page": {"variable": "KEY_PAGE", "public": True},
                "dialler": {"variable": "KEY_DIALLER", "may": ["calls", "suppressed"], "rate_per_second": 1_000.0},
            },
            "hubspot": {},
            "salesforce": {"organizations": {"salesforce": ORGANIZATION}},
            "twilio": {},
            "vonage": {},
            "sign_in": {"codes_file": str(self.folder / "codes.json")},
        }
        values = {
            "ledger": {"url": f"sqlite:///{self.folder}/ledger.db"},
            "connections": {
                "salesforce": {"kind": "salesforce", "default_region": "GB"},
                "hubspot": {"kind": "hubspot", "default_region": "GB"},
            },
            "serve": {**usual, **(serve or {})},
            **parts,
        }
        self.path.write_text(tomli_w.dumps(values), encoding="utf-8")
        return load_settings(self.path)

    @contextmanager
    def ledger(self) -> Iterator[Ledger]:
        opened = open_ledger(load_settings(self.path))
        try:
            yield opened
        finally:
            opened.close()

    def rows(self, sql: str, **parameters: Any) -> list[tuple[Any, ...]]:
        with self.ledger() as ledger, ledger.read() as connection:
            return fetch(connection, sql, parameters)

    def pull(
        self, *people: tuple[str, dict[str, str]], connection: str = "salesforce", object_name: str = "Contact"
    ) -> None:
        """Store records as a pull does, read their numbers, decide."""
        now = time.time()
        moment = contacts.moment(int(now * 1000))
        records = [PulledRecord(key, dict(values), moment, moment, False) for key, values in people]
        own = own_fields("salesforce", FIELDS.phones)
        with self.ledger() as ledger:
            with ledger.write() as book:
                place = Origin(connection, object_name, FIELDS, own)
                contacts.store_page(book, place, records, ledger.key, int(now * 1000), PullCounts())
            self.decide(ledger)

    def decide(self, ledger: Ledger) -> None:
        """Read numbers and decide, as the pipeline does."""
        settings = load_settings(self.path)
        phones.run(ledger, settings, phones.PhonesConfig())
        status.run(ledger, settings, status.StatusConfig())

    def observe(self, number: str, outcome: str, *, contact_id: int = 0, days_ago: float = 1, ident: str = "1") -> None:
        """Evidence from a call, decided upon."""
        now = int(time.time() * 1000)
        seen = Seen(
            number, contact_id, "calls:salesforce", outcome, outcome, None, now - int(days_ago * 86_400_000), ident
        )
        with self.ledger() as ledger:
            with ledger.write() as book:
                calls.observe(book, [], [seen], "test", now)
            self.decide(ledger)

    def why_id(self, record_id: str) -> str:
        return str(self.rows("SELECT why_id FROM contacts WHERE record_id = :record", record=record_id)[0][0])


@contextmanager
def serving(settings: Settings, environ: Mapping[str, str] = ENVIRON) -> Iterator[str]:
    """The service in a thread; yields its address."""
    app, _ = build(settings, environ)
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    config = uvicorn.Config(app, log_config=None, access_log=False, ws="none", timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    deadline = time.monotonic() + START_SECONDS
    while not server.started:
        assert thread.is_alive(), "The service did not start."
        assert time.monotonic() < deadline, "The service did not start in time."
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)
        listener.close()


class Process:
    """`ringtrue serve` in a process of its own."""

    def __init__(self, home: Home, environ: Mapping[str, str] = ENVIRON, *options: str) -> None:
        command = [sys.executable, "-m", "app.cli", "serve", "--port", "0", *options]
        self.log = home.folder / f"serve-{time.monotonic_ns()}.log"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, **environ, SETTINGS_VARIABLE: str(home.path), "PYTHONUNBUFFERED": "1"},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.url = self._address()

    def _address(self) -> str:
        deadline = time.monotonic() + START_SECONDS
        while True:
            text = self.log.read_text()
            if "listens at http" in text and text.partition("listens at ")[2].count("\n"):
                url = text.partition("listens at ")[2].split()[0]
                if self._answers(url):
                    return url
            assert self.process.poll() is None, text
            assert time.monotonic() < deadline, text
            time.sleep(0.05)

    def _answers(self, url: str) -> bool:
        try:
            return httpx.get(f"{url}/health", trust_env=False, timeout=5).is_success
        except httpx.HTTPError:
            return False

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(30)

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.kill()


def client(url: str, **options: Any) -> httpx.Client:
    return httpx.Client(base_url=url, trust_env=False, timeout=60.0, **options)
