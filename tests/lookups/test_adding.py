"""docs/adding-a-lookup.md does what it says: its table, its prices and its file, put where it says, make a service that works."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import orjson
import pytest

from tests.stand_ins import ROOT

DEAD, ALIVE, UNKNOWN = "+14155550101", "+14155550102", "+14155550103"
WORDS = {DEAD: "dead", ALIVE: "Working", UNKNOWN: "half asleep"}
ASK = f"""
import asyncio, json
from connectors.lookups import available, open_services
from connectors.lookups.desk import Desk
from connectors.lookups.protocol import Question
from connectors.lookups.service import Surroundings
from connectors.lookups.spend import MemoryBook
from ringtrue.lookup_settings import LookupsSettings
import sys

async def ask(key):
    settings = LookupsSettings.model_validate({{"numbercheck": {{"enabled": True, "base_url": sys.argv[1]}}}})
    services, left_out = open_services(settings, Surroundings(environ={{"NUMBERCHECK_KEY": key}}))
    book = MemoryBook()
    desk = Desk(services, book, settings)
    try:
        report = await desk.run([Question(n, "line_status", region="US") for n in {list(WORDS)!r}], lambda _, told: not told)
    finally:
        await desk.close()
    told = {{entry.intent.question.subject: entry.answer.as_record() for entry in book.entries.values() if entry.answer}}
    return {{"left_out": left_out + [each.left_out for each in report.services.values() if each.left_out], "told": told}}

assert "numbercheck" in available()
print(json.dumps([asyncio.run(ask("right")), asyncio.run(ask("wrong"))]))
"""


class Vendor(BaseHTTPRequestHandler):
    """NumberCheck as the page describes it."""

    def do_POST(self) -> None:
        asked = orjson.loads(self.rfile.read(int(self.headers["content-length"])))
        right = self.path == "/v1/check" and self.headers["x-api-key"] == "right"
        body = orjson.dumps({"status": WORDS[asked["number"]]} if right else {"error": "bad_key"})
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the base class names it so
        """Quiet."""


@pytest.fixture
def vendor() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Vendor)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_page_makes_a_service(tmp_path: Path, vendor: str) -> None:
    page = (ROOT / "docs" / "adding-a-lookup.md").read_text(encoding="utf-8")
    tables = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    for package in ("ringtrue", "connectors"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    data = tmp_path / "ringtrue" / "data" / "lookups"
    (data / "numbercheck.toml").write_text(tables[0], encoding="utf-8")
    with (data / "prices.toml").open("a", encoding="utf-8") as prices:
        prices.write("\n" + tables[1])
    (tmp_path / "connectors" / "lookups" / "numbercheck.py").write_text(code, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", ASK, vendor],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    right, wrong = orjson.loads(done.stdout)
    assert right["left_out"] == []
    assert right["told"][DEAD]["line_state"] == "dead"
    assert right["told"][DEAD]["cost"] == {"amount": "0.005", "currency": "USD"}
    assert right["told"][ALIVE]["line_state"] == "alive"
    assert right["told"][UNKNOWN]["outcome"] == "abstain"
    assert right["told"][UNKNOWN]["review"] == [{"field": "status", "word": "half asleep"}]
    assert wrong["told"] == {}
    assert "Check the secrets of [lookups.numbercheck]" in wrong["left_out"][0]
