"""Stand-ins for one test each, over stores that are loaded once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

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
