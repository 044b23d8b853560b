"""A project with two people in it, and the entry service over it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.serve.server import ENVIRON, LANDLINE, MOBILE, Home, client, serving


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """Ann has a mobile and a landline number, Bob in HubSpot the same landline."""
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)
    made = Home(tmp_path)
    monkeypatch.setenv("RINGTRUE_SETTINGS", str(made.path))
    made.write()
    made.pull(
        ("003000000000001AAA", {"Name": "Ann Example", "Phone": LANDLINE, "MobilePhone": MOBILE, "Country": "GB"})
    )
    made.pull(
        ("501", {"Name": "Bob Example", "Phone": LANDLINE, "Country": "GB"}),
        connection="hubspot",
        object_name="contacts",
    )
    return made


@pytest.fixture
def service(home: Home) -> Iterator[httpx.Client]:
    """A client of the service in its usual settings."""
    with serving(home.write()) as url, client(url) as opened:
        yield opened
