"""A fresh ledger on SQLite and on PostgreSQL for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from ringtrue.ledger import Ledger
from ringtrue.ledger.schema import metadata

KEY = b"0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="session")
def shared_database(new_database: Callable[[], str]) -> str:
    """One migrated PostgreSQL database, emptied before each test."""
    address = new_database()
    Ledger.open(address, key=KEY).close()
    return address


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of an empty ledger. Every test of the ledger runs on both databases."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    shared: str = request.getfixturevalue("shared_database")
    engine = create_engine(shared)
    with engine.begin() as connection:
        connection.execute(text(f"TRUNCATE {', '.join(metadata.tables)} RESTART IDENTITY"))
    engine.dispose()
    return shared


@pytest.fixture
def ledger(address: str) -> Iterator[Ledger]:
    """An empty ledger."""
    opened = Ledger.open(address, key=KEY)
    yield opened
    opened.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of a database without any table, for tests of migrations."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    make: Callable[[], str] = request.getfixturevalue("new_database")
    return make()
