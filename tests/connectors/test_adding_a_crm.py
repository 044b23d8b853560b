"""docs/adding-a-crm.md does what it says: its class and its changes make a CRM that is prepared, synced, written to, and then left alone."""

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
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import orjson
import pytest

from tests.docs.changes import apply_changes
from tests.stand_ins import ROOT

BEGIN = "2026-11-01T08:00:00+00:00"
LATER = "2026-11-02T08:00:00+00:00"
RUN = """
import dagster as dg
from pathlib import Path
from app.sync import run_job
from app.wanted import wanted_fields
from assets.definitions import build
from connectors.resources import connect
from ringtrue.settings import load_settings

settings = load_settings()
connection = settings.connections["fieldbook"]
crm = connect("fieldbook", connection)
print(sorted({step.result for step in crm.prepare(wanted_fields(crm, connection, "en"), dry_run=False)}))
crm.close()
definitions = build(settings, retries=False)
with dg.instance_for_test(temp_dir=str(Path.cwd())) as instance:
    for _ in range(2):
        print(run_job(definitions, instance, "sync_fieldbook").failures)
"""


class Fieldbook(BaseHTTPRequestHandler):
    """Fieldbook as the page describes it, a page of two people at a time. One of them refuses every change."""

    names: ClassVar[dict[str, dict[str, Any]]] = {}
    people: ClassVar[dict[str, dict[str, Any]]] = {}
    writes: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        ask = {name: values[0] for name, values in parse_qs(address.query).items()}
        if self.headers["authorization"] != "Bearer sandbox-token":
            return self._answer({}, 401)
        if address.path == "/v1/account":
            return self._answer({"id": "fb-1"})
        if address.path == "/v1/people/fields":
            return self._answer({"fields": list(self.names.values())})
        rows = sorted(self.people.values(), key=lambda row: (row["changed_at"], row["id"]))
        if "ids" in ask:
            return self._answer({"people": [self.people[one] for one in ask["ids"].split(",")], "next": None})
        rows = [row for row in rows if row["changed_at"] >= ask.get("changed_since", "")]
        start = int(ask.get("after", 0))
        more = str(start + 2) if start + 2 < len(rows) else None
        return self._answer({"people": rows[start : start + 2], "next": more})

    def do_POST(self) -> None:
        new = self._body()
        self.names[new["name"]] = {**new, "writable": True}
        self._answer({})

    def do_PATCH(self) -> None:
        results = []
        for row in self._body()["people"]:
            refused = "closed by its owner" if row["id"] == "p3" else None
            if refused is None:
                self.writes.append(row["id"])
                self.people[row["id"]]["values"] |= row["values"]
                self.people[row["id"]]["changed_at"] = LATER
            results.append({"id": row["id"], "error": refused})
        self._answer({"results": results})

    def _body(self) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(self.rfile.read(int(self.headers["content-length"])))
        return found

    def _answer(self, body: dict[str, Any], status: int = 200) -> None:
        text = orjson.dumps(body)
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the base class names it so
        """Quiet."""


def person(number: str, *, stop: str = "false") -> dict[str, str]:
    return {"name": "Ann Example", "phone": number, "country": "CA", "source": "Fair", "no_calls": stop}


@pytest.fixture
def fieldbook() -> Iterator[str]:
    standard = ("name", "phone", "mobile", "email", "country", "source", "no_calls")
    Fieldbook.names = {one: {"name": one, "label": one.title(), "type": "text", "writable": True} for one in standard}
    numbers = {"p1": "(506) 234-5678", "p2": "not a number", "p3": "+447400123456"}
    Fieldbook.people = {
        one: {"id": one, "created_at": BEGIN, "changed_at": BEGIN, "deleted": False, "values": person(number)}
        for one, number in numbers.items()
    }
    stopped = {"id": "p4", "created_at": BEGIN, "changed_at": BEGIN, "deleted": False}
    Fieldbook.people["p4"] = {**stopped, "values": person("506-234-5678", stop="true")}
    Fieldbook.writes = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Fieldbook)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_page_makes_a_crm(tmp_path: Path, fieldbook: str) -> None:
    page = (ROOT / "docs/adding-a-crm.md").read_text(encoding="utf-8")
    for package in ("ringtrue", "connectors", "assets", "app"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "connectors/fieldbook.py").write_text(code, encoding="utf-8")
    apply_changes(page, tmp_path)
    (settings,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "ringtrue.toml").write_text(settings.replace("http://127.0.0.1:8500", fieldbook), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", RUN],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "RINGTRUE_SETTINGS": str(tmp_path / "ringtrue.toml")},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    made, *failures = done.stdout.splitlines()
    assert made == "['created']"
    assert ["1 x closed by its owner. The others were written" in line for line in failures] == [True, True]
    values = {one: row["values"] for one, row in Fieldbook.people.items()}
    assert values["p1"]["ringtrue_phone_e164"] == "+15062345678"
    assert (values["p1"]["ringtrue_status"], values["p1"]["ringtrue_do_not_call"]) == ("do_not_call", "true")
    assert values["p2"]["ringtrue_status"] == "invalid"
    assert "ringtrue_status" not in values["p3"], "its neighbours were written although it was refused"
    assert sorted(Fieldbook.writes) == ["p1", "p2", "p4"], "the second sync had nothing to write"
