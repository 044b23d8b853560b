"""What a test can do to a stand-in of the sandbox: reach its address, and act behind the client's back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 120.0


class StandIn:
    """One system of the sandbox. `url` is its base address; the methods are its `/__sandbox__/` endpoints."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.Client(base_url=f"{url}/__sandbox__", timeout=30.0, trust_env=False)

    def close(self) -> None:
        self._http.close()

    def call(self, method: str, path: str, *, body: Any = None, **params: Any) -> Any:
        answer = self._http.request(method, path, json=body, params=params)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def fault(self, op: str, kind: str, **options: Any) -> None:
        """Switch a fault on; see sandbox/faults.py."""
        self.call("POST", "/faults", body={"op": op, "kind": kind, **options})

    def clear_faults(self) -> None:
        self.call("DELETE", "/faults")

    def settings(self, **changes: Any) -> dict[str, Any]:
        """Change switches of the stand-in and return all of them."""
        found: dict[str, Any] = self.call("POST" if changes else "GET", "/settings", body=changes or None)
        return found

    def stats(self) -> dict[str, Any]:
        found: dict[str, Any] = self.call("GET", "/stats")
        return found

    def reset_stats(self) -> None:
        self.call("POST", "/reset_stats")

    def edit(self, object_name: str, record_id: str, fields: Mapping[str, Any], source: str = "user:ann") -> None:
        self.call("POST", "/edit", body={"object": object_name, "id": record_id, "fields": fields, "source": source})

    def create(self, object_name: str, fields: Mapping[str, Any]) -> str:
        """Create a record as a sales person would; its id."""
        return str(self.call("POST", "/create", body={"object": object_name, "fields": fields})["record_id"])

    def merge(self, object_name: str, survivor: str, loser: str) -> str:
        """Merge two records; the survivor's id."""
        body = {"object": object_name, "survivor": survivor, "loser": loser}
        return str(self.call("POST", "/merge", body=body)["record_id"])

    def delete(self, object_name: str, record_id: str) -> None:
        self.call("POST", "/delete", body={"object": object_name, "id": record_id})

    def record(self, object_name: str, record_id: str) -> dict[str, Any]:
        """The truth about one record."""
        found: list[dict[str, Any]] = self.call("GET", "/records", object=object_name, id=record_id)
        assert found, f"no {object_name} {record_id}"
        return found[0]

    def records(self, object_name: str) -> Iterator[dict[str, Any]]:
        """The truth about all records, deleted ones included, in id order."""
        after = ""
        while page := self.call("GET", "/records", object=object_name, after=after, limit=1000):
            yield from page
            after = page[-1]["record_id"]

    def count(self, object_name: str) -> int:
        """How many records are alive."""
        return int(self.call("GET", "/count", object=object_name)["alive"])

    def history(self, object_name: str, record_id: str, field: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call("GET", "/history", object=object_name, id=record_id, field=field)
        return found


class Sandbox:
    """A running sandbox: `ports` by name, and its stand-ins. "lookups/twilio" is one lookup service."""

    def __init__(self, ports: Mapping[str, int]) -> None:
        self.ports = ports
        self._stand_ins: dict[str, StandIn] = {}

    def __getitem__(self, name: str) -> StandIn:
        if name not in self._stand_ins:
            system, _, service = name.partition("/")
            self._stand_ins[name] = StandIn(f"http://127.0.0.1:{self.ports[system]}/{service}".rstrip("/"))
        return self._stand_ins[name]

    def close(self) -> None:
        for stand_in in self._stand_ins.values():
            stand_in.close()


@contextmanager
def running_sandbox(home: Path, *arguments: str) -> Iterator[Sandbox]:
    """Start `python -m sandbox` on free ports in a process of its own and stop it at the end."""
    ports_file = home / "ports.json"
    ports_file.unlink(missing_ok=True)
    free = [part for name in ("sf", "hs", "pages", "lookups") for part in (f"--{name}-port", "0")]
    command = [sys.executable, "-m", "sandbox", "--home", str(home), "--ports-file", str(ports_file), *free, *arguments]
    log = home / "sandbox.log"
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, env=dict(os.environ))
    try:
        deadline = time.monotonic() + START_SECONDS
        while not ports_file.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"The sandbox did not start:\n{log.read_text()}")
            time.sleep(0.02)
        sandbox = Sandbox(json.loads(ports_file.read_text()))
        try:
            yield sandbox
        finally:
            sandbox.close()
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
