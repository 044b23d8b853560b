"""A HubSpot stand-in for one test, served on loopback, with a clock the test moves."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from sandbox.hubspot_app import hubspot_app
from sandbox.load import load_hubspot
from sandbox.server import SandboxProtocol, listen
from sandbox.store import RecordStore
from sandbox.world import World
from tests.stand_ins import StandIn

CONTACTS = "/crm/v3/objects/contacts"
DATED = "/crm/objects/2026-09/contacts"


class Clock:
    """The portal's clock: stands still until a test moves it."""

    def __init__(self) -> None:
        self.ms = 1_795_000_000_000

    def now_ms(self) -> int:
        return self.ms

    def seconds(self) -> float:
        return self.ms / 1000

    def move(self, seconds: float) -> None:
        self.ms += round(seconds * 1000)


class HubSpotWire:
    """The stand-in over plain HTTP, with its token."""

    def __init__(self, url: str, clock: Clock) -> None:
        self.url = url
        self.clock = clock
        self.hands = StandIn(url)
        self.http = httpx.Client(
            base_url=url, timeout=30.0, trust_env=False, headers={"Authorization": "Bearer sandbox-token"}
        )

    def close(self) -> None:
        self.http.close()
        self.hands.close()

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> httpx.Response:
        return (
            self.http.request(method, path, json=body, **options)
            if body is not None
            else self.http.request(method, path, **options)
        )

    def json(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        answer = self.call(method, path, body, **options)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def refused(self, method: str, path: str, body: Any = None, **options: Any) -> tuple[int, dict[str, Any]]:
        """(status, body) of a call that has to fail."""
        answer = self.call(method, path, body, **options)
        assert answer.status_code >= 400, f"{method} {path} was accepted: {answer.text}"
        found: dict[str, Any] = answer.json()
        return answer.status_code, found

    def create(self, **properties: str) -> str:
        return str(self.json("POST", CONTACTS, {"properties": properties})["id"])

    def get(self, record_id: str, *properties: str) -> dict[str, str | None]:
        found: dict[str, str | None] = self.json(
            "GET", f"{CONTACTS}/{record_id}", params={"properties": list(properties)}
        )["properties"]
        return found

    def update(self, *rows: tuple[str, dict[str, Any]], path: str = CONTACTS) -> httpx.Response:
        inputs = [{"id": record_id, "properties": properties} for record_id, properties in rows]
        return self.call("POST", f"{path}/batch/update", {"inputs": inputs})

    def search(self, *filters: dict[str, Any], **more: Any) -> Any:
        return self.json("POST", f"{CONTACTS}/search", {"filterGroups": [{"filters": list(filters)}], **more})

    def ids(self) -> list[str]:
        """Every living contact, by paging through the list."""
        found: list[str] = []
        path: str = f"{CONTACTS}?limit=100"
        while path:
            page = self.json("GET", path)
            found += [record["id"] for record in page["results"]]
            path = page.get("paging", {}).get("next", {}).get("link", "")
        return found


def make_home(home: Path, contacts: int = 250) -> Path:
    """A loaded record store to copy from."""
    world = World(home / "world.db", seed=7, contacts=contacts)
    store = RecordStore(home / "hubspot.db")
    load_hubspot(store, world)
    store.close()
    world.close()
    return home


@contextmanager
def serving(template: Path | None, home: Path, **settings: Any) -> Iterator[HubSpotWire]:
    """Serve a copy of a loaded store, or an empty portal, until the end of the block. No rate limits unless `settings` name some."""
    if template is not None:
        shutil.copytree(template, home, dirs_exist_ok=True)
    store, clock = RecordStore(home / "hubspot.db"), Clock()
    listener = listen(0)
    app = hubspot_app(
        store,
        clock.now_ms,
        monotonic=clock.seconds,
        settings={"burst": 0, "search_per_second": 0, "daily": 0, **settings},
    )
    config = uvicorn.Config(app, http=SandboxProtocol, loop="asyncio", lifespan="off", ws="none", log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    wire = HubSpotWire(f"http://127.0.0.1:{listener.getsockname()[1]}", clock)
    try:
        yield wire
    finally:
        wire.close()
        server.should_exit = True
        thread.join(10)
        store.close()
