"""The Salesforce stand-in as the connector meets it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.salesforce import SalesforceCrm
from tests.connectors.salesforce.kit import connect
from tests.stand_ins import Sandbox, StandIn


@pytest.fixture
def org(sandbox: Sandbox) -> Iterator[StandIn]:
    """The stand-in, its faults and switches put back afterwards."""
    stand_in = sandbox["salesforce"]
    before = stand_in.settings()
    stand_in.clear_faults()
    stand_in.reset_stats()
    yield stand_in
    stand_in.clear_faults()
    stand_in.settings(**before)


@pytest.fixture
def sf(org: StandIn) -> Iterator[SalesforceCrm]:
    """A connection to it that does not really wait."""
    connection = connect(org.url)
    yield connection
    connection.close()
