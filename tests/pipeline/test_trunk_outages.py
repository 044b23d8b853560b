"""What a trunk in trouble reported stays set aside for ever: an outage is not forgotten when it is long past."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from assets import call_evidence
from assets.deciding import deciding, policy_of
from assets.stage import now_ms
from assets.status import StatusConfig
from assets.status import run as run_status
from assets.trunk_watch import watch
from ringtrue.ledger import Ledger, calls, decisions
from ringtrue.ledger.calls import CallCounts
from ringtrue.ledger.database import insert_rows
from ringtrue.records import PulledCall
from ringtrue.settings import Settings
from tests.ledger.build import pull, read_numbers, record

KEY = b"0123456789abcdef0123456789abcdef"
DAY, MINUTE = 86_400_000, 60_000
VICTIM = "+447400123456"
SETTINGS = Settings()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """One contact, whose number was called in two outages of trunk t1, 95 and 94 days ago; the other calls of these days went to strangers."""
    opened = Ledger.open(f"sqlite:///{tmp_path}/ledger.db", key=KEY)
    pull(opened, record("003001", Phone=VICTIM))
    read_numbers(opened)
    yield opened
    opened.close()


def called(ledger: Ledger, day: int, *, failing: int = 60, answering: int = 0) -> None:
    """Calls over t1, two a minute, failing ones evenly among the others: the victim's is one of them."""
    count = failing + answering
    fails = [(place + 1) * failing // count > place * failing // count for place in range(count)]
    victim = fails.index(True, count // 2) if failing else -1
    with ledger.write() as book:
        insert_rows(
            book,
            "observations",
            ["number", "kind", "source", "outcome", "trunk", "observed_at", "recorded_at", "external_id", "run"],
            [
                (VICTIM if place == victim else f"+44740020{place:04d}", "call", "calls:dialler",
                 "not_assigned" if failed else "no_answer", "t1", day + place * MINUTE // 2, day, f"{day}-{place}", "run")
                for place, failed in enumerate(fails)
            ],
        )  # fmt: skip


def status_of(ledger: Ledger) -> str:
    with ledger.read() as book:
        return decisions.current_statuses(book, [VICTIM])[VICTIM]


def test_an_outage_of_three_months_ago_still_counts_for_nothing(ledger: Ledger) -> None:
    today = now_ms() // DAY * DAY
    called(ledger, today - 95 * DAY)
    called(ledger, today - 94 * DAY)
    run_status(ledger, SETTINGS, StatusConfig())
    assert status_of(ledger) == "unverified"


def test_an_alarm_stands_when_its_calls_are_long_past(ledger: Ledger) -> None:
    """Found when it rang, looked at again months later: by `status`, by those who only ask, and by another policy."""
    outage = now_ms() // DAY * DAY - 400 * DAY
    called(ledger, outage)
    called(ledger, outage + DAY)
    assert watch(ledger, policy_of(SETTINGS), outage + 2 * DAY) == (2, 60)
    found = deciding(ledger, SETTINGS, outage + 2 * DAY, learn=False).alarms
    for later in range(80, 100):
        assert watch(ledger, policy_of(SETTINGS), outage + later * DAY)[1] == 0, "found alike from every window"
    for policy in (None, replace(policy_of(SETTINGS), trunk_alarm=7.0)):
        way = deciding(ledger, SETTINGS, outage + 100 * DAY, policy=policy, learn=False)
        pd.testing.assert_frame_equal(way.alarms, found)
        with ledger.read() as book:
            assert way.decided(way.evidence(book, [VICTIM]))["status"].tolist() == ["unverified"]


def test_an_alarm_is_told_from_its_whole_baseline(ledger: Ledger) -> None:
    """A trunk that always fails with nearly half its calls is in trouble while nobody knows that, and never again: not on the oldest days that are watched either."""
    today = now_ms() // DAY * DAY
    for day in range(100, 85, -1):
        called(ledger, today - day * DAY, failing=50, answering=60)
    for at in (today - 84 * DAY, today):
        watch(ledger, policy_of(SETTINGS), at)
        begins = deciding(ledger, SETTINGS, at, learn=False).alarms["begins"]
        assert begins.dt.floor("D").nunique() == 5, "so many days tell what is usual"


def test_an_alarm_follows_corrected_calls_for_ninety_days(ledger: Ledger) -> None:
    outage = now_ms() // DAY * DAY - 400 * DAY
    called(ledger, outage)
    policy = policy_of(SETTINGS)
    watch(ledger, policy, outage + DAY)

    def corrected(to: str) -> None:
        with ledger.write() as book:
            book.exec_driver_sql(f"UPDATE observations SET outcome = '{to}'")

    corrected("no_answer")
    assert len(deciding(ledger, SETTINGS, outage + 80 * DAY, learn=False).alarms) == 1, "who only asks reads no calls"
    assert watch(ledger, policy, outage + 80 * DAY) == (0, 60), "its numbers are decided again"
    assert deciding(ledger, SETTINGS, outage + 80 * DAY, learn=False).alarms.empty
    corrected("not_assigned")
    assert watch(ledger, policy, outage + 85 * DAY) == (1, 60)
    corrected("no_answer")
    assert watch(ledger, policy, outage + 95 * DAY) == (0, 0)
    assert len(deciding(ledger, SETTINGS, outage + 95 * DAY, learn=False).alarms) == 1


def test_an_outage_is_known_as_soon_as_the_calls_are_read(ledger: Ledger) -> None:
    """The lookups choose before `status` runs."""
    start = datetime.now(UTC) - timedelta(hours=5)
    logged = [
        PulledCall(f"c{place}", (), VICTIM, "1", None, None, "outbound", None, None,
                   start + timedelta(minutes=place), start, trunk="t1")
        for place in range(40)
    ]  # fmt: skip
    with ledger.write() as book:
        calls.store_page(book, "dialler", "q850", logged, CallCounts(), key=ledger.key)
    call_evidence.run(ledger, SETTINGS, "run")
    assert deciding(ledger, SETTINGS, now_ms(), learn=False).alarms["trunk"].tolist() == ["t1"]


def test_an_outage_in_calls_that_come_late_is_found(ledger: Ledger) -> None:
    today = now_ms() // DAY * DAY
    called(ledger, today - DAY, failing=0, answering=60)
    assert watch(ledger, policy_of(SETTINGS), today) == (0, 0)
    called(ledger, today - 300 * DAY)
    assert watch(ledger, policy_of(SETTINGS), today) == (0, 60)
    assert watch(ledger, policy_of(SETTINGS), today) == (0, 0)
