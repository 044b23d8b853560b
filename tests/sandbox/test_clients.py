"""Clients that others wrote, run against both stand-ins: what they accept is a check of the wire that we did not write ourselves."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.stand_ins import Sandbox, running_sandbox

CLIENTS = Path(__file__).parent / "clients"
NODE, NPM = shutil.which("node"), shutil.which("npm")
pytestmark = pytest.mark.skipif(NODE is None or NPM is None, reason="node and npm are not installed")


@pytest.fixture(scope="module")
def own_sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A sandbox of this module's own, because the journeys leave their marks in it."""
    with running_sandbox(tmp_path_factory.mktemp("clients"), "--seed", "7", "--contacts", "300") as running:
        yield running


@pytest.fixture(scope="module")
def modules() -> None:
    """Install the pinned clients where they are not there yet."""
    if not (CLIENTS / "node_modules" / ".package-lock.json").exists():
        command = [str(NPM), "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        subprocess.run(command, cwd=CLIENTS, check=True, capture_output=True, timeout=240)


def _journey(script: str, url: str) -> dict[str, Any]:
    done = subprocess.run(
        [str(NODE), "--no-deprecation", script, url],
        cwd=CLIENTS,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


@pytest.mark.usefixtures("modules")
def test_jsforce(own_sandbox: Sandbox) -> None:
    salesforce = own_sandbox["salesforce"]
    salesforce.settings(query_page=100)
    found = _journey("jsforce_journey.mjs", salesforce.url)
    assert found["userId"].startswith("005")
    assert "INVALID_LOGIN" in found["refused"]
    assert found["identity"] == "ringtrue@sandbox.example"
    assert found["phoneType"] == "phone"
    assert found["rows"] == found["total"] == found["exported"] == salesforce.count("Contact")
    assert found["pages"] > 1
    assert found["account"]
    assert found["updated"] == ["ok", "ok", "ok", "STRING_TOO_LONG"]
    assert found["department"] == "by jsforce"
    assert (found["loaded"], found["unprocessed"]) == (6, 0)
    assert found["failed"] == ["MALFORMED_ID:bad id nonsense:Id--"]
    assert found["field"]
    assert found["custom"] == 1
    assert found["limits"] == found["usage"] == 100_000


@pytest.mark.usefixtures("modules")
def test_hubspot_api_client(own_sandbox: Sandbox) -> None:
    hubspot = own_sandbox["hubspot"]
    found = _journey("hubspot_journey.mjs", hubspot.url)
    assert found["listed"] == found["distinct"] == found["searchTotal"] == hubspot.count("contacts")
    assert found["pages"] > 1
    assert found["hits"] == 20
    assert found["updated"] == 3
    assert found["titles"] == ["by the client"] * 3
    assert found["unknown"] == 404
    assert found["properties"]
