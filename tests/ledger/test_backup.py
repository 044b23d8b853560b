"""Backups: whole, the same from either database, restored into either, and never in place of something unless all of it is verified."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from ringtrue.errors import FileUnreadable, LedgerError
from ringtrue.ledger import Ledger, backup, restoring, suppressions
from ringtrue.ledger.backup import back_up
from ringtrue.ledger.database import fetch, insert_rows
from tests.ledger.build import LANDLINE, MOBILE, NOW, pull, read_numbers, record
from tests.ledger.conftest import KEY
from tests.ledger.test_privacy import fill
from tests.stand_ins import ROOT


def target(kind: str, folder: Path, new_database: Callable[[], str]) -> str:
    return f"sqlite:///{folder}/restored.db" if kind == "sqlite" else new_database()


def file_of(url: str) -> Path:
    return Path(str(make_url(url).database))


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RINGTRUE_LEDGER_KEY", KEY.decode())


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_ledger_moves_between_databases_without_losing_a_row(
    ledger: Ledger, kind: str, tmp_path: Path, new_database: Callable[[], str]
) -> None:
    fill(ledger)
    with ledger.write() as book:
        blocks = [("tps", 1, bytes(range(256)))]
        insert_rows(book, "registry_blocks", ["name", "block", "members"], blocks)
    made = back_up(ledger, tmp_path / "a.backup", NOW)
    assert stat.S_IMODE((tmp_path / "a.backup").stat().st_mode) == 0o600
    assert restoring.verify(tmp_path / "a.backup").chain[0] == 1

    url = target(kind, tmp_path, new_database)
    restoring.restore(url, tmp_path / "a.backup", NOW + 1)
    moved = Ledger.open(url)
    again = back_up(moved, tmp_path / "b.backup", NOW)
    changed = {name for name in made.tables if made.tables[name] != again.tables[name]}
    # What restoring itself does: dropped plans, all records to be compared, flags of ours, a note of it.
    assert changed <= {"meta", "changes", "plans", "contacts", "syncs", "dirty_contacts", "intents"}
    assert {name: facts.rows for name, facts in made.tables.items() if name not in ("meta", "dirty_contacts")} == {
        name: facts.rows for name, facts in again.tables.items() if name not in ("meta", "dirty_contacts")
    }
    with moved.read() as book:
        assert suppressions.broken_link(book) is None
        assert bytes(fetch(book, "SELECT members FROM registry_blocks")[0][0]) == bytes(range(256))
    pull(moved, record("new", Phone=LANDLINE))
    with moved.read() as book:
        assert fetch(book, "SELECT contact_id FROM contacts WHERE record_id = 'new'") == [(3,)], "ids go on"
    moved.close()


def test_it_shows_one_moment_while_others_write(ledger: Ledger, tmp_path: Path) -> None:
    pull(ledger, *(record(f"r{place}", Phone=MOBILE) for place in range(50)))
    writer = Ledger.open(ledger.engine.url.render_as_string(hide_password=False), key=KEY)
    with ledger.read() as book:
        # The snapshot stands from its first read on.
        fetch(book, "SELECT count(*) FROM contacts")
        pull(writer, record("later", Phone=LANDLINE))
        assert fetch(book, "SELECT count(*) FROM contacts") == [(50,)]
    made = back_up(writer, tmp_path / "a.backup", NOW)
    assert made.tables["contacts"].rows == 51
    writer.close()


def test_a_sealed_backup_opens_with_its_passphrase_only(ledger: Ledger, tmp_path: Path) -> None:
    pull(ledger, *(record(f"r{place}", Name=os.urandom(500).hex(), Phone=MOBILE) for place in range(3_000)))
    path = tmp_path / "a.backup"
    made = back_up(ledger, path, NOW, passphrase="correct horse")
    content = path.read_bytes()
    assert len(content) > 1 << 20, "several pieces"
    assert MOBILE.encode() not in content
    assert KEY not in content
    assert restoring.verify(path, "correct horse") == made
    for wrong in (None, "", "battery staple"):
        with pytest.raises(FileUnreadable, match="RINGTRUE_BACKUP_PASSPHRASE"):
            restoring.verify(path, wrong)
    for damaged in (content[:-1], content[:100_000] + b"x" + content[100_001:], content[: 1 << 19]):
        path.write_bytes(damaged)
        with pytest.raises(FileUnreadable):
            restoring.verify(path, "correct horse")


def test_a_damaged_backup_replaces_nothing(ledger: Ledger, address: str, tmp_path: Path) -> None:
    pull(ledger, record("a", Phone=MOBILE))
    read_numbers(ledger)
    path = tmp_path / "a.backup"
    back_up(ledger, path, NOW)
    broken = tmp_path / "broken.backup"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(broken, "w") as out:
        for name in source.namelist():
            content = source.read(name)
            out.writestr(name, content.replace(MOBILE.encode(), LANDLINE.encode()) if "phones" in name else content)
    with ledger.write() as book:
        book.execute(text("UPDATE contacts SET name = 'Newer'"))
    ledger.close()
    for file, sentence in ((broken, "not as it was written"), (path, "already")):
        with pytest.raises((FileUnreadable, LedgerError), match=sentence):
            restoring.restore(address, file, NOW, force=file is broken)
    (tmp_path / "cut.backup").write_bytes(path.read_bytes()[:-200])
    with pytest.raises(FileUnreadable, match="no whole backup"):
        restoring.restore(address, tmp_path / "cut.backup", NOW, force=True)
    again = Ledger.open(address)
    with again.read() as book:
        assert fetch(book, "SELECT name FROM contacts") == [("Newer",)]
    again.close()


def test_force_puts_the_ledger_before_aside(ledger: Ledger, address: str, tmp_path: Path) -> None:
    pull(ledger, record("a", Phone=MOBILE))
    back_up(ledger, tmp_path / "a.backup", NOW)
    pull(ledger, record("b", Phone=LANDLINE))
    ledger.close()
    done = restoring.restore(address, tmp_path / "a.backup", NOW + 1, force=True, passphrase="correct horse")
    restored = Ledger.open(address)
    with restored.read() as book:
        assert fetch(book, "SELECT record_id FROM contacts") == [("a",)]
    restored.close()
    assert done.aside is not None
    if address.startswith("sqlite"):
        before = Ledger.open(f"sqlite:///{done.aside}")
        with before.read() as book:
            assert fetch(book, "SELECT count(*) FROM contacts") == [(2,)]
        before.close()
    else:
        with pytest.raises(FileUnreadable, match="is sealed"):
            restoring.verify(done.aside)
        assert restoring.verify(done.aside, "correct horse").tables["contacts"].rows == 2


@pytest.mark.parametrize("address", ["postgresql"], indirect=True)
def test_a_server_where_somebody_writes_is_not_replaced(
    ledger: Ledger, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restoring, "_LOCK_SECONDS", 1)
    pull(ledger, record("a", Phone=MOBILE))
    back_up(ledger, tmp_path / "a.backup", NOW)
    with ledger.write() as book:
        book.execute(text("UPDATE contacts SET name = 'Newer'"))
        with pytest.raises(LedgerError, match="is in use"):
            restoring.restore(address, tmp_path / "a.backup", NOW + 1, force=True)
    with ledger.read() as book:
        assert fetch(book, "SELECT name FROM contacts") == [("Newer",)]
    assert list(tmp_path.glob("before-*")) == []


def test_a_backup_whose_bytes_changed_is_one_sentence(tmp_path: Path) -> None:
    ledger = Ledger.open(f"sqlite:///{tmp_path}/ledger.db")
    pull(ledger, record("a", Phone=MOBILE))
    path = tmp_path / "a.backup"
    back_up(ledger, path, NOW)
    ledger.close()
    with zipfile.ZipFile(path) as archive:
        places = {
            name: archive.getinfo(name).header_offset for name in ("tables/contacts.jsonl", "key", "manifest.json")
        }
    whole = path.read_bytes()
    for place in places.values():
        # A block of a type that there is not.
        begins = place + 30 + sum(int.from_bytes(whole[place + at : place + at + 2], "little") for at in (26, 28))
        path.write_bytes(whole[:begins] + b"\xff" + whole[begins + 1 :])
        with pytest.raises(FileUnreadable, match="Take another"):
            restoring.verify(path)


def test_a_ledger_in_use_is_not_replaced(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.db"
    ledger = Ledger.open(url)
    pull(ledger, record("a", Phone=MOBILE))
    back_up(ledger, tmp_path / "a.backup", NOW)
    with ledger.read() as book:
        fetch(book, "SELECT 1 FROM contacts")
        with pytest.raises(LedgerError, match="in use"):
            restoring.restore(url, tmp_path / "a.backup", NOW, force=True)
        assert fetch(book, "SELECT count(*) FROM contacts") == [(1,)]
    ledger.close()


def test_the_key_comes_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RINGTRUE_LEDGER_KEY")
    url = f"sqlite:///{tmp_path}/one/ledger.db"
    ledger = Ledger.open(url)
    key = ledger.key
    back_up(ledger, tmp_path / "a.backup", NOW)
    ledger.close()
    other = f"sqlite:///{tmp_path}/two/ledger.db"
    Ledger.open(other).close()
    restoring.restore(other, tmp_path / "a.backup", NOW)
    file = tmp_path / "two" / "ledger.key"
    assert file.read_bytes() == key == restoring.key_of(tmp_path / "a.backup")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    # Killed between the ledger and its key: the next one to open it ends what was begun.
    file.rename(file.with_suffix(".key.new"))
    file.write_bytes(b"of the ledger before")
    opened = Ledger.open(other)
    assert opened.key == key == file.read_bytes()
    opened.close()
    monkeypatch.setenv("RINGTRUE_LEDGER_KEY", "another")
    with pytest.raises(LedgerError, match="not the key of this backup"):
        restoring.restore(f"sqlite:///{tmp_path}/three.db", tmp_path / "a.backup", NOW)


def test_old_backups_are_deleted_and_unfinished_ones_too(tmp_path: Path) -> None:
    for day in range(1, 6):
        (tmp_path / f"ringtrue-2026110{day}-010000-000.backup").touch()
    left, fresh, theirs = (tmp_path / f"ringtrue-2026110{n}.backup.part" for n in (1, 2, 3))
    for path in (left, fresh):
        path.touch()
    theirs = tmp_path / "ledger.backup"
    theirs.touch()
    os.utime(left, (0, 0))
    deleted = backup.prune(tmp_path, 2)
    assert [path.name[9:17] for path in deleted] == ["20261101", "20261102", "20261103"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "ledger.backup", "ringtrue-20261102.backup.part", "ringtrue-20261104-010000-000.backup", "ringtrue-20261105-010000-000.backup",
    ]  # fmt: skip


WORK = """
import sys
from pathlib import Path
from ringtrue.ledger import Ledger, restoring
from ringtrue.ledger.backup import back_up
what, url, path = sys.argv[1:]
if what == "backup":
    ledger = Ledger.open(url)
    back_up(ledger, Path(path), 1)
else:
    restoring.restore(url, Path(path), 1, force=True)
"""


def killed(what: str, url: str, path: Path, begun: Callable[[], bool]) -> None:
    """Start it in a process of its own and kill that in the middle."""
    arguments = [sys.executable, "-c", WORK, what, url, str(path)]
    with subprocess.Popen(arguments, cwd=ROOT, env=dict(os.environ)) as process:
        deadline = time.monotonic() + 60
        while not begun():
            assert process.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < deadline
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL


def test_a_kill_leaves_the_old_state(ledger: Ledger, address: str, tmp_path: Path) -> None:
    pull(ledger, *(record(f"r{place}", Name=os.urandom(100).hex(), Phone=MOBILE) for place in range(6_000)))
    path = tmp_path / "a.backup"
    part = tmp_path / "b.backup.part"
    back_up(ledger, path, NOW)
    killed("backup", address, tmp_path / "b.backup", lambda: part.exists() and part.stat().st_size > 0)
    assert not (tmp_path / "b.backup").exists()
    restoring.verify(path)
    with ledger.write() as book:
        book.execute(text("UPDATE contacts SET name = 'Newer' WHERE record_id = 'r7'"))

    if ledger.is_sqlite:
        ledger.close()
        coming = file_of(address).with_name("ledger.db.restoring")
        killed("restore", address, path, lambda: coming.exists() and coming.stat().st_size > 0)
        ledger = Ledger.open(address)
    else:
        busy = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'INSERT INTO contacts%' AND state <> 'idle'"

        def loading() -> bool:
            with ledger.read() as book:
                return bool(fetch(book, busy)[0][0])

        killed("restore", address, path, loading)
    with ledger.read() as book:
        assert fetch(book, "SELECT count(*), max(CASE WHEN record_id = 'r7' THEN name END) FROM contacts") == [
            (6_000, "Newer")
        ]
    ledger.close()
    restoring.restore(address, path, NOW, force=True)
    again = Ledger.open(address)
    with again.read() as book:
        assert fetch(book, "SELECT count(*) FROM contacts WHERE name = 'Newer'") == [(0,)]
    again.close()
