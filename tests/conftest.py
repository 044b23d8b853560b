"""Fixtures that several parts of the tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.stand_ins import Sandbox, running_sandbox


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """One sandbox for the whole session: a few hundred contacts in each CRM, always the same ones.

    Tests that change records make their own; faults and settings are put back by the fixtures of each connector.
    """
    with running_sandbox(tmp_path_factory.mktemp("sandbox"), "--seed", "7", "--contacts", "600") as running:
        yield running
