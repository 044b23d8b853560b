"""The sandbox as tests see it: one process for the session, spoken to over HTTP."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).resolve().parent.parent


class StandIn:
    """One service of the sandbox: its address and its back door."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._door = httpx.Client(base_url=f"{url}/__sandbox__", timeout=60, trust_env=False)

    def fault(self, op: str, kind: str, **options: Any) -> None:
        """Switch a fault on; `sandbox/faults.py` says which there are."""
        self._post("faults", {"op": op, "kind": kind, **options})

    def faults(self) -> list[dict[str, Any]]:
        """The faults that are on, with their hits."""
        return self._get("faults")

    def clear(self) -> None:
        """Switch all faults off and start counting anew."""
        self._door.delete("faults").raise_for_status()
        self._post("reset_stats", {})

    def settings(self, **changes: Any) -> dict[str, Any]:
        """The stand-in's switches, after changing some."""
        return self._post("settings", changes) if changes else self._get("settings")

    def stats(self) -> dict[str, Any]:
        """Requests counted since `clear`."""
        return self._get("stats")

    def edit(self, object_name: str, record_id: str, source: str = "user:ann", **fields: Any) -> dict[str, Any]:
        """Change a record as a person would."""
        return self._post("edit", {"object": object_name, "id": record_id, "fields": fields, "source": source})

    def create(self, object_name: str, **fields: Any) -> str:
        """Make a record as a person would and return its id."""
        return str(self._post("create", {"object": object_name, "fields": fields})["record_id"])

    def delete(self, object_name: str, record_id: str) -> None:
        """Delete a record as a person would."""
        self._post("delete", {"object": object_name, "id": record_id})

    def merge(self, object_name: str, survivor: str, loser: str) -> str:
        """Merge two records as a person would and return the id that is left."""
        return str(self._post("merge", {"object": object_name, "survivor": survivor, "loser": loser})["record_id"])

    def history(self, object_name: str, record_id: str, field: str) -> list[dict[str, Any]]:
        """The changes of a field, as the stand-in recorded them."""
        return self._get("history", object=object_name, id=record_id, field=field)

    def record(self, object_name: str, record_id: str) -> dict[str, Any]:
        """A record as it is stored."""
        return self.records(object_name, id=record_id)[0]

    def records(self, object_name: str, **query: Any) -> list[dict[str, Any]]:
        """Stored records in the order of their ids: `after`, `limit`, or `id`."""
        return self._get("records", object=object_name, **query)

    def count(self, object_name: str) -> dict[str, int]:
        """{"alive", "all"}: how many records there are."""
        return self._get("count", object=object_name)

    def _get(self, path: str, **query: Any) -> Any:
        return self._answer(self._door.get(path, params=query))

    def _post(self, path: str, body: Any) -> Any:
        return self._answer(self._door.post(path, json=body))

    def _answer(self, response: httpx.Response) -> Any:
        assert response.is_success, f"{response.request.url.path}: {response.text}"
        return response.json()

    def close(self) -> None:
        """Give the connection back."""
        self._door.close()


class Sandbox:
    """A running sandbox process. `ports` by service name; `home` holds its files."""

    def __init__(self, home: Path, *arguments: str, contacts: int = 600) -> None:
        self.home = home
        ports_file = home / "ports.json"
        ports_file.unlink(missing_ok=True)
        self._log = (home / "sandbox.log").open("wb")
        free = ["--sf-port=0", "--hs-port=0", "--pages-port=0", "--lookups-port=0"]
        command = [sys.executable, "-m", "sandbox", f"--home={home}", f"--contacts={contacts}", *free]
        self.process = subprocess.Popen(
            [*command, f"--ports-file={ports_file}", *arguments], cwd=ROOT, stdout=self._log, stderr=self._log
        )
        deadline = time.monotonic() + 120
        while not ports_file.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError("The sandbox did not start:\n" + (home / "sandbox.log").read_text()[-3000:])
            time.sleep(0.05)
        self.ports: dict[str, int] = json.loads(ports_file.read_text())
        self._services: dict[str, StandIn] = {}

    def service(self, name: str) -> StandIn:
        """A service by the name it has in the ports file."""
        if name not in self._services:
            self._services[name] = StandIn(f"http://127.0.0.1:{self.ports[name]}")
        return self._services[name]

    def stop(self) -> None:
        """End the process."""
        for service in getattr(self, "_services", {}).values():
            service.close()
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(timeout=30)
        self._log.close()


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """The sandbox that tests share. Leave no fault switched on, and make your own records where you change them."""
    running = Sandbox(tmp_path_factory.mktemp("sandbox"))
    yield running
    running.stop()


@pytest.fixture
def fresh_sandbox(tmp_path: Path) -> Iterator[Callable[..., Sandbox]]:
    """Start a sandbox of one's own: fresh_sandbox(contacts=50, "--seed=7")."""
    started: list[Sandbox] = []

    def start(*arguments: str, contacts: int = 50) -> Sandbox:
        home = tmp_path / f"sandbox{len(started)}"
        home.mkdir()
        started.append(Sandbox(home, *arguments, contacts=contacts))
        return started[-1]

    yield start
    for running in started:
        running.stop()
