"""Stand-ins for one test each, over stores that are loaded once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.sandbox import hubspot_wire
from tests.sandbox.hubspot_wire import HubSpotWire
from tests.sandbox.salesforce_wire import Wire, make_home, serving


@pytest.fixture(scope="session")
def salesforce_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Salesforce store with 300 contacts and leads, to copy from."""
    return make_home(tmp_path_factory.mktemp("salesforce"))


@pytest.fixture
def salesforce(salesforce_home: Path, tmp_path: Path) -> Iterator[Wire]:
    """A loaded Salesforce org of the test's own."""
    with serving(salesforce_home, tmp_path) as wire:
        yield wire


@pytest.fixture
def empty_salesforce(tmp_path: Path) -> Iterator[Wire]:
    """A Salesforce org without contacts."""
    with serving(None, tmp_path) as wire:
        yield wire


@pytest.fixture(scope="session")
def hubspot_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A HubSpot store with 250 contacts and their calls, to copy from."""
    return hubspot_wire.make_home(tmp_path_factory.mktemp("hubspot"))


@pytest.fixture
def portal(tmp_path: Path) -> Iterator[HubSpotWire]:
    """A HubSpot portal without contacts."""
    with hubspot_wire.serving(None, tmp_path) as wire:
        yield wire


@pytest.fixture
def full_portal(hubspot_home: Path, tmp_path: Path) -> Iterator[HubSpotWire]:
    """A loaded HubSpot portal of the test's own."""
    with hubspot_wire.serving(hubspot_home, tmp_path) as wire:
        yield wire
