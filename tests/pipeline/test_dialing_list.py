"""A suspended number on the dialling list: left out, until its re-check is due and only a call can make it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from assets.dialing_list import run as write_list
from assets.stage import now_ms
from assets.status import StatusConfig
from assets.status import run as run_status
from ringtrue.ledger import Ledger, suppressing
from ringtrue.ledger.database import insert_rows
from ringtrue.settings import Settings
from tests.ledger.build import pull, read_numbers, record

KEY = b"0123456789abcdef0123456789abcdef"
NUMBER = "+8613812345678"
DAY = 86_400_000
ALWAYS = {day: [["00:00", "23:59:59"]] for day in ("weekday", "saturday", "sunday")}
ALIBABA = {"alibaba": {"enabled": True, "secrets": {"access_key_id": "A", "access_key_secret": "B"}}}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """One contact with one Chinese mobile."""
    opened = Ledger.open(f"sqlite:///{tmp_path}/ledger.db", key=KEY)
    pull(opened, record("003A", Phone=NUMBER))
    read_numbers(opened)
    with opened.write() as book:
        book.exec_driver_sql("UPDATE phones SET region = 'CN'")
    yield opened
    opened.close()


def suspended(ledger: Ledger, days: int) -> None:
    """The carrier's announcement was heard so many days ago."""
    names = ["number", "contact_id", "kind", "source", "outcome", "observed_at", "recorded_at", "external_id", "run"]
    heard = (NUMBER, 0, "call", "calls:salesforce", "suspended", now_ms() - days * DAY, now_ms(), f"call-{days}", "run")
    with ledger.write() as book:
        insert_rows(book, "observations", names, [heard])


def listed(ledger: Ledger, folder: Path, **parts: Any) -> tuple[int, dict[str, int]]:
    """How many may be called, and what keeps the others."""
    lands = {"CN": {**ALWAYS, "holidays": "as_weekday", "consent_from": date(2999, 1, 1)}}
    dialing = {"folder": str(folder), "registries_required": [], "countries": lands}
    settings = Settings.model_validate({"dialing_list": dialing, **parts})
    run_status(ledger, settings, StatusConfig(full=True))
    found = write_list(ledger, settings, now_ms())
    return found.may, dict(found.causes)


@pytest.mark.parametrize(("days", "may"), [(3, 0), (8, 1)])
def test_it_is_called_again_when_its_recheck_is_due(ledger: Ledger, tmp_path: Path, days: int, may: int) -> None:
    suspended(ledger, days)
    assert listed(ledger, tmp_path / "dialing") == (may, {} if may else {"suspended": 1})


def test_where_a_service_sees_suspensions_that_service_is_asked(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("A", "B"):
        monkeypatch.setenv(name, "secret")
    suspended(ledger, 8)
    assert listed(ledger, tmp_path / "dialing", lookups=ALIBABA) == (0, {"suspended": 1})


def test_a_recheck_lets_nobody_through_who_asked_not_to_be_called(ledger: Ledger, tmp_path: Path) -> None:
    suspended(ledger, 8)
    with ledger.write() as book:
        suppressing.add(
            book,
            ledger.key,
            [(NUMBER, "letter")],
            source="command",
            evidence="letter",
            actor="Ann",
            at=now_ms(),
            now=now_ms(),
        )
    may, causes = listed(ledger, tmp_path / "dialing")
    assert (may, list(causes)) == (0, ["do_not_call"])
