"""A ledger is made, upgraded and recognised; one that does not fit this program is refused in a sentence."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, make_url, text
from sqlalchemy.exc import IntegrityError

from ringtrue.errors import LedgerError
from ringtrue.ledger import Ledger, database, new_migration
from ringtrue.ledger.database import alembic_config, fetch
from ringtrue.ledger.schema import metadata
from tests.ledger.build import MOBILE, pull, record
from tests.ledger.conftest import KEY

REVISIONS = [script.revision for script in ScriptDirectory.from_config(alembic_config()).walk_revisions()][::-1]


def upgrade(engine: Engine, revision: str) -> None:
    config = alembic_config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)


@pytest.mark.filterwarnings(
    "ignore:.*expression-based index:UserWarning", "ignore:.*expression-based index:sqlalchemy.exc.SAWarning"
)
def test_the_migrated_tables_are_those_of_the_schema(empty_address: str) -> None:
    """Whoever changes the tables of ringtrue/ledger writes a migration: `make migration M="what changes"`.

    As long as nothing is released, `make migration M=--first` writes the first one anew instead.

    On SQLite an index over an expression cannot be compared; PostgreSQL compares it.
    """
    ledger = Ledger.open(empty_address, key=KEY)
    with ledger.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
    ledger.close()


def test_a_ledger_of_any_older_version_is_upgraded_with_what_it_holds(empty_address: str) -> None:
    engine = create_engine(empty_address)
    upgrade(engine, REVISIONS[0])
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO meta (name, value) VALUES ('identity:hubspot', '42')"))
    engine.dispose()
    ledger = Ledger.open(empty_address, key=KEY)
    with ledger.read() as book:
        assert fetch(book, "SELECT value FROM meta WHERE name = 'identity:hubspot'") == [("42",)]
    with ledger.engine.connect() as connection:
        assert MigrationContext.configure(connection).get_current_revision() == REVISIONS[-1]
    ledger.close()


LATER = '''"""One more column."""

import sqlalchemy as sa
from alembic import op

revision = "9001"
down_revision = "{head}"


def upgrade() -> None:
    with op.batch_alter_table("contacts") as table:
        table.add_column(sa.Column("nickname", sa.Text()))
'''


def test_the_next_version_adds_to_a_ledger_in_use(
    empty_address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger.open(empty_address, key=KEY)
    pull(ledger, record("a", Phone=MOBILE))
    ledger.close()
    folder = tmp_path / "migrations"
    shutil.copytree(str(alembic_config().get_main_option("script_location")), folder)
    (folder / "versions" / "9001_later.py").write_text(LATER.format(head=REVISIONS[-1]), encoding="utf-8")
    later = alembic_config()
    later.set_main_option("script_location", str(folder))
    monkeypatch.setattr(database, "alembic_config", lambda: later)
    upgraded = Ledger.open(empty_address, key=KEY)
    with upgraded.read() as book:
        assert fetch(book, "SELECT record_id, nickname FROM contacts") == [("a", None)]
        assert fetch(book, "SELECT count(*) FROM dirty_contacts WHERE stage = 'phones'") == [(1,)]
    upgraded.close()
    monkeypatch.undo()
    with pytest.raises(LedgerError, match="written by a newer RingTrue"):
        Ledger.open(empty_address, key=KEY)


def test_changed_tables_are_noticed_and_written_as_the_next_migration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "migrations"
    shutil.copytree(str(alembic_config().get_main_option("script_location")), folder)
    (folder / "versions" / "9001_later.py").write_text(LATER.format(head=REVISIONS[-1]), encoding="utf-8")
    config = alembic_config()
    config.set_main_option("script_location", str(folder))
    monkeypatch.setattr(new_migration, "alembic_config", lambda: config)
    made = new_migration.write_next("Drop the nickname")
    assert made.name == "9002_drop_the_nickname.py"
    assert 'drop_column("nickname")' in made.read_text(encoding="utf-8").replace("'", '"')


def test_a_newer_ledger_is_refused_and_left_alone(empty_address: str) -> None:
    Ledger.open(empty_address, key=KEY).close()
    engine = create_engine(empty_address)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(LedgerError, match="written by a newer RingTrue"):
        Ledger.open(empty_address, key=KEY)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == "9999"
    engine.dispose()


def test_opening_again_changes_nothing(empty_address: str) -> None:
    ledger = Ledger.open(empty_address, key=KEY)
    pull(ledger, record("a"))
    ledger.close()
    again = Ledger.open(empty_address, key=KEY)
    with again.read() as book:
        assert fetch(book, "SELECT record_id FROM contacts") == [("a",)]
    again.close()


def test_another_key_is_refused(empty_address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Ledger.open(empty_address, key=KEY).close()
    with pytest.raises(LedgerError, match="is not the one this ledger was made with"):
        Ledger.open(empty_address, key=b"another key")
    monkeypatch.setenv("RINGTRUE_LEDGER_KEY", "yet another")
    with pytest.raises(LedgerError, match="RINGTRUE_LEDGER_KEY"):
        Ledger.open(empty_address)
    monkeypatch.setenv("RINGTRUE_LEDGER_KEY", KEY.decode())
    Ledger.open(empty_address).close()


def test_a_missing_key_is_told_before_anything_is_written(empty_address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Ledger.open(empty_address, key=KEY).close()
    monkeypatch.delenv("RINGTRUE_LEDGER_KEY", raising=False)
    with pytest.raises(LedgerError, match="key is missing"):
        Ledger.open(empty_address)


def test_a_key_is_made_once_beside_a_file_and_only_its_owner_reads_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RINGTRUE_LEDGER_KEY", raising=False)
    address = f"sqlite:///{tmp_path}/new/ledger.db"
    first = Ledger.open(address)
    first.close()
    second = Ledger.open(address)
    second.close()
    assert first.key == second.key == (tmp_path / "new/ledger.key").read_bytes()
    for name in ("ledger.db", "ledger.key"):
        assert stat.S_IMODE((tmp_path / "new" / name).stat().st_mode) == 0o600
    (tmp_path / "new/ledger.key").unlink()
    with pytest.raises(LedgerError, match=r"put the \.key file back"):
        Ledger.open(address)


def test_postgresql_needs_the_key_in_the_environment(shared_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RINGTRUE_LEDGER_KEY", raising=False)
    with pytest.raises(LedgerError, match="set RINGTRUE_LEDGER_KEY"):
        Ledger.open(shared_database)


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("nonsense", "is none: write sqlite"),
        ("mysql://host/ledger", "is none: write sqlite"),
        ("sqlite://", "needs a file"),
        ("sqlite:////proc/nowhere/ledger.db", "cannot be made: No such file or directory"),
        ("postgresql://ringtrue@127.0.0.1:1/ledger", "Connection refused"),
    ],
)
def test_an_address_that_cannot_be_used_is_told_in_one_sentence(address: str, said: str) -> None:
    with pytest.raises(LedgerError) as caught:
        Ledger.open(address, password="very-secret", key=KEY)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "very-secret" not in str(caught.value)


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_text("name,phone\n" * 500)
    with pytest.raises(LedgerError, match="file is not a database"):
        Ledger.open(f"sqlite:///{tmp_path}/ledger.db", key=KEY)


def test_an_error_of_the_database_shows_nobodys_data(ledger: Ledger) -> None:
    statement = text("INSERT INTO meta (name, value) VALUES ('key_fingerprint', :value)")
    with pytest.raises(IntegrityError) as caught, ledger.write() as book:
        book.execute(statement, {"value": "+447400123456"})
    assert "7400123456" not in str(caught.value)


def test_relative_addresses_and_bare_postgresql_are_understood(shared_database: str) -> None:
    bare = make_url(shared_database).set(drivername="postgresql").render_as_string(hide_password=False)
    Ledger.open(bare, key=KEY).close()
