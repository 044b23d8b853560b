"""Fixtures of the connector tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from connectors.hubspot import HubspotCrm
from tests.connectors.hubspot_help import connect
from tests.stand_ins import Sandbox, StandIn

Connect = Callable[..., HubspotCrm]


@pytest.fixture
def hubspot(sandbox: Sandbox) -> Iterator[StandIn]:
    """The HubSpot stand-in with no limits in the way, no faults and fresh counters; put back afterwards."""
    stand_in = sandbox["hubspot"]
    before = stand_in.settings()
    stand_in.clear_faults()
    stand_in.settings(burst=1_000_000, search_per_second=0)
    stand_in.reset_stats()
    yield stand_in
    stand_in.clear_faults()
    stand_in.settings(**before)


@pytest.fixture
def to_hubspot(hubspot: StandIn, tmp_path: Path) -> Iterator[Connect]:
    """Connects to the stand-in; every connection is closed at the end."""
    made: list[HubspotCrm] = []

    def connecting(waits: list[float] | None = None, **options: Any) -> HubspotCrm:
        made.append(connect(hubspot.url, tmp_path / "buckets", waits, **options))
        return made[-1]

    yield connecting
    for crm in made:
        crm.close()


@pytest.fixture(params=["v3", "2026-09"])
def crm(request: pytest.FixtureRequest, to_hubspot: Connect) -> HubspotCrm:
    """A connection on each path family."""
    return to_hubspot(paths=request.param)
