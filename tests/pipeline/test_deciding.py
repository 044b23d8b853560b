"""What the ledger has learned goes into every decision alike: of `status`, of the lookups' choice, and of a replay."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from app.replay import moves
from assets.deciding import deciding
from assets.stage import now_ms
from assets.status import StatusConfig
from assets.status import run as run_status
from ringtrue.expectations import Expectations, learned, report_step
from ringtrue.ledger import Ledger, decisions
from ringtrue.ledger.database import insert_rows
from ringtrue.policy import Policy
from ringtrue.settings import Settings
from ringtrue.staleness import default_hazards
from tests.ledger.build import pull, read_numbers, record

KEY = b"0123456789abcdef0123456789abcdef"
DAY = 86_400_000
LIST, WEB = "Purchased List", "Web"
SETTINGS = Settings.model_validate(
    {
        "sources": {
            "purchased": {"label": "Purchased list", "match": [{"field": "LeadSource", "value": LIST}]},
            "web": {"label": "Web form", "match": [{"field": "LeadSource", "value": WEB}]},
        }
    }
)


def number(place: int) -> str:
    return f"+4474001{place:05d}"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Sixty people of a purchased list, of whose numbers a service called half dead, and sixty who filled a form in, all alive. One of each is called dead by two services."""
    opened = Ledger.open(f"sqlite:///{tmp_path}/ledger.db", key=KEY)
    people = [(place, LIST if place < 60 else WEB) for place in range(120)]
    pull(opened, *(record(f"003{place:03d}", Phone=number(place), LeadSource=source) for place, source in people))
    read_numbers(opened)
    heard = [(number(place), "twilio", "dead" if place < 30 or place == 60 else "alive") for place, _ in people]
    heard += [(number(0), "melissa", "dead"), (number(60), "melissa", "dead")]
    with opened.write() as book:
        insert_rows(
            book,
            "observations",
            ["number", "kind", "source", "source_group", "outcome", "log_lr", "observed_at", "recorded_at", "external_id", "run"],
            [
                (told, "lookup", f"lookup:{service}", service, f"lookup_{word}",
                 {"dead": {"twilio": 3.0, "melissa": 3.5}[service], "alive": -3.0}[word], now_ms() - DAY, now_ms(),
                 f"{service}{told}", "run")
                for told, service, word in heard
            ],
        )  # fmt: skip
    yield opened
    opened.close()


def status_of(ledger: Ledger, place: int) -> str:
    with ledger.read() as book:
        return decisions.current_statuses(book, [number(place)])[number(place)]


def test_two_services_suffice_for_a_list_that_has_proved_bad_and_not_for_others(ledger: Ledger) -> None:
    run_status(ledger, SETTINGS, StatusConfig())
    assert status_of(ledger, 0) == "disconnected"
    assert status_of(ledger, 60) == "unverified", "98.7 % is not 99.4 %: one more sign is needed"
    assert status_of(ledger, 1) == "unverified", "one service alone never suffices"


def test_a_replay_of_the_same_policy_moves_nothing(ledger: Ledger) -> None:
    run_status(ledger, SETTINGS, StatusConfig())
    again = moves(deciding(ledger, SETTINGS, now_ms(), learn=False))
    assert all(before == after for before, after in again)
    assert again.total() == 120


def test_what_is_learned_decides_everything_anew_once_and_not_again_for_a_month(ledger: Ledger) -> None:
    run_status(ledger, SETTINGS, StatusConfig())
    learned_at = now_ms()
    with ledger.write() as book:
        book.exec_driver_sql("UPDATE observations SET outcome = 'lookup_dead' WHERE source = 'lookup:twilio'")
    totals, _ = run_status(ledger, SETTINGS, StatusConfig())
    assert totals.get("numbers", 0) == 0
    before = deciding(ledger, SETTINGS, learned_at + 29 * DAY).version
    assert deciding(ledger, SETTINGS, learned_at).version == before
    assert deciding(ledger, SETTINGS, learned_at + 31 * DAY).version != before


def test_another_rule_for_a_source_decides_everything_anew_and_another_label_does_not(ledger: Ledger) -> None:
    """What was learned of a source belongs to its name: the list under another name vouches for nothing yet."""
    run_status(ledger, SETTINGS, StatusConfig())
    rules = SETTINGS.sources
    relabelled = {**rules, "web": rules["web"].model_copy(update={"label": "Forms", "cost_per_lead": 2.0})}
    totals, _ = run_status(ledger, SETTINGS.model_copy(update={"sources": relabelled}), StatusConfig())
    assert totals.get("numbers", 0) == 0
    renamed = SETTINGS.model_copy(update={"sources": {"bought": rules["purchased"], "web": rules["web"]}})
    run_status(ledger, renamed, StatusConfig())
    assert status_of(ledger, 0) == "unverified"
    assert all(before == after for before, after in moves(deciding(ledger, renamed, now_ms(), learn=False)))


def test_a_policy_that_does_not_learn_takes_its_own_numbers(ledger: Ledger) -> None:
    plain = SETTINGS.model_copy(update={"policy": SETTINGS.policy.model_copy(update={"learn": False})})
    way = deciding(ledger, plain, now_ms())
    assert way.version == way.policy.version
    with ledger.read() as book:
        assert "prior" not in way.evidence(book, [number(0)])


def test_rates_move_in_steps_and_a_rate_set_by_hand_stands() -> None:
    rates = default_hazards()
    counts = pd.DataFrame({"source": ["good", "bad", "small"], "dead": [2, 200, 3], "alive": [398, 200, 4]})
    calls = pd.DataFrame({"lines": [], "calls": [], "reported": []})
    nearly = learned(counts, rates.assign(rate=rates["rate"] * 1.05), calls, 0)
    assert nearly.hazards == {}
    assert nearly.priors["good"] == 0.02
    assert nearly.priors["bad"] == 0.40
    assert "small" not in nearly.priors, "seven numbers tell nothing"
    twice = learned(counts, rates.assign(rate=rates["rate"] * 2), calls, 0)
    assert twice.applied(Policy()).hazard_mobile == pytest.approx(0.010), "a quarter more, and no further"
    halved = learned(counts, rates.assign(rate=rates["rate"] / 2), calls, 0)
    assert halved.applied(Policy()).hazard_mobile == pytest.approx(0.004, rel=0.12)
    assert twice.applied(Policy(hazard_mobile=0.001)).hazard_mobile == 0.001
    assert Expectations.from_json(twice.as_json()) == twice


def test_where_many_lines_are_barred_the_ledger_learns_to_believe_one_announcement(ledger: Ledger) -> None:
    """British mobiles are seldom barred by the table; here one in six was, so a lone report is no longer most likely a false one."""
    with ledger.write() as book:
        insert_rows(
            book,
            "observations",
            ["number", "kind", "source", "outcome", "observed_at", "recorded_at", "external_id", "run"],
            [
                (number(place), "call", "call:dialler", "suspended" if place >= 100 else "no_answer",
                 now_ms() - DAY // 2, now_ms(), f"call-{place}", "run")
                for place in range(120)
            ],
        )  # fmt: skip
    unlearned = SETTINGS.model_copy(update={"policy": SETTINGS.policy.model_copy(update={"learn": False})})
    run_status(ledger, unlearned, StatusConfig())
    assert status_of(ledger, 110) != "suspended"
    run_status(ledger, SETTINGS, StatusConfig())
    assert status_of(ledger, 110) == "suspended"
    assert status_of(ledger, 90) != "suspended"
    assert all(before == after for before, after in moves(deciding(ledger, SETTINGS, now_ms(), learn=False)))


def test_no_report_vouches_for_itself() -> None:
    usual = report_step("1 mobile", 0, 0)
    assert report_step("1 mobile", 200, 1) == usual, "one report in two hundred calls tells nothing of the country"
    assert report_step("1 mobile", 20_000, 200) > 4 * usual
    assert report_step("86 mobile", 100_000, 0) < report_step("86 mobile", 0, 0) / 4
