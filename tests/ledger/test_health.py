"""A ledger is looked at without being made, migrated or changed."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, text

from ringtrue.errors import LedgerError
from ringtrue.ledger import Ledger, health
from tests.ledger.conftest import KEY


def test_looking_makes_nothing(empty_address: str, tmp_path: Path) -> None:
    before = health.look(empty_address)
    assert not before.exists
    assert list(tmp_path.iterdir()) == []
    if empty_address.startswith("postgresql"):
        engine = create_engine(empty_address)
        assert inspect(engine).get_table_names() == []
        engine.dispose()
    Ledger.open(empty_address, key=KEY).close()
    after = health.look(empty_address)
    assert (after.exists, after.behind) == (True, False)
    assert after.server.startswith(("SQLite 3", "PostgreSQL "))
    engine = create_engine(empty_address)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'ffff'"))
    engine.dispose()
    with pytest.raises(LedgerError, match="newer RingTrue"):
        health.look(empty_address)


def test_one_that_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"no database at all, but long enough to be looked at" * 100)
    for address in ("nonsense", f"sqlite:///{tmp_path}/ledger.db", "postgresql://ann@127.0.0.1:9/ringtrue"):
        with pytest.raises(LedgerError, match=r"Check the address|Write sqlite"):
            health.look(address)
