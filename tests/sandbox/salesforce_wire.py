"""A Salesforce stand-in for one test, served on loopback, and the ways to reach it: plain HTTP and simple-salesforce."""

from __future__ import annotations

import csv
import io
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
import requests
import uvicorn
from requests.adapters import HTTPAdapter
from simple_salesforce.api import Salesforce

from sandbox.faults import Faults
from sandbox.load import load_salesforce
from sandbox.salesforce_app import salesforce_app
from sandbox.server import SandboxProtocol, listen
from sandbox.store import RecordStore
from sandbox.world import World
from tests.stand_ins import StandIn

DATA = "/services/data/v59.0"
CREDENTIALS = {"grant_type": "client_credentials", "client_id": "sandbox-key", "client_secret": "sandbox-secret"}
WAIT_SECONDS = 20.0


class ToLoopback(HTTPAdapter):
    """Sends what is meant for a Salesforce host to the stand-in."""

    def __init__(self, base: str) -> None:
        self.base = urlsplit(base)
        super().__init__()

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        parts = urlsplit(str(request.url))
        request.url = urlunsplit((self.base.scheme, self.base.netloc, parts.path, parts.query, ""))
        request.headers["Host"] = parts.netloc
        return super().send(request, *args, **kwargs)


class Wire:
    """The stand-in over plain HTTP, logged in. Paths begin behind `/services/data/v59.0`, or with `/services` for others."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.hands = StandIn(url)
        self.http = httpx.Client(base_url=url, timeout=30.0, trust_env=False)
        self.log_in()

    def log_in(self) -> str:
        token = str(self.http.post("/services/oauth2/token", data=CREDENTIALS).json()["access_token"])
        self.http.headers["Authorization"] = f"Bearer {token}"
        return token

    def close(self) -> None:
        self.http.close()
        self.hands.close()

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self.http.request(method, path if path.startswith("/services") else DATA + path, **options)

    def json(self, method: str, path: str, **options: Any) -> Any:
        answer = self.call(method, path, **options)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    def refused(self, method: str, path: str, **options: Any) -> tuple[int, dict[str, Any]]:
        """(status, first error) of a call that has to fail."""
        answer = self.call(method, path, **options)
        assert not answer.is_success, f"{method} {path} was accepted: {answer.text}"
        errors = answer.json()
        assert isinstance(errors, list)
        return answer.status_code, errors[0]

    def query(self, soql: str, resource: str = "query") -> Any:
        return self.json("GET", f"/{resource}", params={"q": soql})

    def ids(self, sobject: str, count: int) -> list[str]:
        return [row["Id"] for row in self.query(f"SELECT Id FROM {sobject} ORDER BY Id LIMIT {count}")["records"]]

    def wait(self, path: str) -> Any:
        """The job at `path` once it is over."""
        deadline = time.monotonic() + WAIT_SECONDS
        while (job := self.json("GET", path))["state"] not in {"JobComplete", "Failed", "Aborted"}:
            assert time.monotonic() < deadline, job
            time.sleep(0.01)
        return job

    def bulk_query(self, soql: str, operation: str = "query") -> Any:
        """A finished query job."""
        job = self.json("POST", "/jobs/query", json={"operation": operation, "query": soql})
        return self.wait(f"/jobs/query/{job['id']}")

    def open_ingest(self, operation: str = "update", **options: Any) -> str:
        body = {"object": "Contact", "operation": operation, "contentType": "CSV", "lineEnding": "LF", **options}
        job = self.json("POST", "/jobs/ingest", json=body)
        assert job["state"] == "Open"
        return str(job["id"])

    def ingest(self, content: str | bytes, operation: str = "update", **options: Any) -> Any:
        """A finished ingest job over a CSV."""
        job = self.open_ingest(operation, **options)
        answer = self.call("PUT", f"/jobs/ingest/{job}/batches", content=content, headers={"Content-Type": "text/csv"})
        assert answer.status_code == 201, answer.text
        self.json("PATCH", f"/jobs/ingest/{job}", json={"state": "UploadComplete"})
        return self.wait(f"/jobs/ingest/{job}")

    def rows(self, path: str, **params: Any) -> list[dict[str, str]]:
        """A CSV answer as rows."""
        return list(csv.DictReader(io.StringIO(self.call("GET", path, params=params).text, newline="")))

    def grant(self, *fields: str, edit: bool = True) -> None:
        """Give the integration user access to "Contact.X__c" fields by a permission set."""
        name = f"Set_{len(self.hands.call('GET', '/records', object='PermissionSet'))}"
        permission_set = self.json("POST", "/sobjects/PermissionSet", json={"Name": name, "Label": name})["id"]
        for field in fields:
            body = {"ParentId": permission_set, "SobjectType": field.split(".")[0], "Field": field}
            self.json(
                "POST", "/sobjects/FieldPermissions", json={**body, "PermissionsRead": True, "PermissionsEdit": edit}
            )
        user = self.query("SELECT Id FROM User WHERE Username = 'ringtrue@sandbox.example'")["records"][0]["Id"]
        assignment = {"PermissionSetId": permission_set, "AssigneeId": user}
        self.json("POST", "/sobjects/PermissionSetAssignment", json=assignment)

    def add_field(self, full_name: str, **metadata: Any) -> str:
        body = {"FullName": full_name, "Metadata": {"label": full_name.split(".")[1], **metadata}}
        return str(self.json("POST", "/tooling/sobjects/CustomField", json=body)["id"])

    def simple_salesforce(self, **login: Any) -> Salesforce:
        """A client of simple-salesforce, by client credentials unless told otherwise."""
        session = requests.Session()
        session.trust_env = False
        session.mount("https://", ToLoopback(self.url))
        wanted = login or {"consumer_key": "sandbox-key", "consumer_secret": "sandbox-secret", "domain": "acme.my"}
        return Salesforce(**wanted, session=session)


def make_home(home: Path, contacts: int = 300) -> Path:
    """A loaded record store to copy from."""
    world = World(home / "world.db", seed=7, contacts=contacts)
    store = RecordStore(home / "salesforce.db")
    load_salesforce(store, world)
    store.close()
    world.close()
    return home


@contextmanager
def serving(template: Path | None, home: Path) -> Iterator[Wire]:
    """Serve a copy of a loaded store, or an empty org, until the end of the block."""
    if template is not None:
        shutil.copytree(template, home, dirs_exist_ok=True)
    store = RecordStore(home / "salesforce.db")
    listener = listen(0)
    config = uvicorn.Config(
        salesforce_app(store, None, Faults()),
        http=SandboxProtocol,
        loop="asyncio",
        lifespan="off",
        ws="none",
        log_level="warning",
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    wire = Wire(f"http://127.0.0.1:{_port(listener)}")
    try:
        yield wire
    finally:
        wire.close()
        server.should_exit = True
        thread.join(10)
        store.close()


def _port(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])
