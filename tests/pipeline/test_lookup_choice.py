"""Whom the lookups ask: only numbers somebody may call, worth their price, and each thing only where it can be told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from assets.deciding import Deciding
from assets.learning import hazards
from assets.lookup_choice import Choice, Grounds, choose
from connectors.lookups import open_services
from connectors.lookups.service import Surroundings
from ringtrue.ledger import Ledger
from ringtrue.ledger.database import insert_rows
from ringtrue.ledger.suppressions import number_key
from ringtrue.lookup_settings import LookupsSettings
from ringtrue.policy import Policy
from tests.ledger.build import pull, record
from tests.ledger.build import read_numbers as read_as_typed

KEY = b"0123456789abcdef0123456789abcdef"
DAY = 86_400_000
NOW = int(datetime(2026, 11, 24, tzinfo=UTC).timestamp() * 1000)
NUMBER = "+14155552671"
ENVIRON = {"TWILIO_ACCOUNT_SID": "x", "TWILIO_AUTH_TOKEN": "y"}
NONE = pd.DataFrame({"trunk": [], "begins": pd.to_datetime([], utc=True), "ends": pd.to_datetime([], utc=True)})

Tell = Callable[..., None]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """One contact with one number, made long ago, on no list and never called."""
    opened = Ledger.open(f"sqlite:///{tmp_path}/ledger.db", key=KEY)
    pull(opened, record("003A", Phone=NUMBER))
    read_as_typed(opened)
    with opened.write() as book:
        book.exec_driver_sql("UPDATE phones SET region = 'US'")
        book.exec_driver_sql(f"UPDATE contacts SET created_at = {NOW - 900 * DAY}")
    yield opened
    opened.close()


@pytest.fixture
def tell(ledger: Ledger) -> Tell:
    """Adds an observation of so many days ago."""

    def add(outcome: str, days: float, number: str = NUMBER, contact: int = 0) -> None:
        with ledger.write() as book:
            insert_rows(
                book,
                "observations",
                [
                    "number",
                    "contact_id",
                    "kind",
                    "source",
                    "outcome",
                    "observed_at",
                    "recorded_at",
                    "external_id",
                    "run",
                ],
                [
                    (
                        number,
                        contact,
                        "call",
                        "calls:salesforce",
                        outcome,
                        NOW - int(days * DAY),
                        NOW,
                        f"{outcome}{days}",
                        "run",
                    )
                ],
            )

    return add


def choice_of(ledger: Ledger, products: tuple[str, ...] = ("line_status",), **common: Any) -> Choice:
    settings = LookupsSettings.model_validate({"twilio": {"enabled": True, "products": products}, **common})
    services, left_out = open_services(settings, Surroundings(environ=ENVIRON))
    assert not left_out
    way = Deciding(ledger, Policy(), Policy().version, NONE, NOW)
    return choose(Grounds(way, services, settings), everything=True)


def kinds(choice: Choice) -> list[str]:
    return [question.kind for question in choice.questions]


def test_a_number_nothing_is_known_of_is_asked(ledger: Ledger) -> None:
    (question,) = choice_of(ledger).questions
    assert (question.subject, question.kind, question.region, question.line_type) == (
        NUMBER,
        "line_status",
        "US",
        "mobile",
    )
    assert question.value == pytest.approx(0.3 * 0.10 * 2.9 * 0.25, rel=0.05)


def test_a_conversation_resets_the_clock_for_nothing(ledger: Ledger, tell: Tell) -> None:
    tell("reached", 20)
    assert kinds(choice_of(ledger)) == []


def test_it_is_asked_again_when_it_has_grown_stale_sooner_where_calls_are_planned(ledger: Ledger, tell: Tell) -> None:
    tell("reached", 60)
    assert kinds(choice_of(ledger)) == []
    with ledger.write() as book:
        insert_rows(
            book, "list_members", ["connection", "list", "record_id", "status", "seen_at"],
            [("salesforce", "701", "003A", "Sent", NOW)],
        )  # fmt: skip
    assert kinds(choice_of(ledger)) == ["line_status"]
    assert kinds(choice_of(ledger, cadence={"chance_listed": 0.0})) == []


def test_a_failed_call_makes_it_worth_asking_at_once(ledger: Ledger, tell: Tell) -> None:
    tell("reached", 20)
    tell("not_assigned", 1)
    (question,) = choice_of(ledger).questions
    assert question.value > 0.02


def test_persistent_silence_is_worth_one_question(ledger: Ledger, tell: Tell) -> None:
    for day in range(1, 22, 3):
        tell("no_answer", day + 0.1 * (day % 5))
    assert kinds(choice_of(ledger)) == ["line_status"]
    tell("lookup_alive", 0)
    assert kinds(choice_of(ledger)) == []


@pytest.mark.parametrize("outcome", ["wrong_person", "left_company"])
def test_nobody_calls_a_number_that_leads_to_somebody_else(ledger: Ledger, tell: Tell, outcome: str) -> None:
    tell(outcome, 200, contact=1)
    choice = choice_of(ledger)
    assert choice.questions == []
    assert choice.closed == 1


def test_whether_it_changed_hands_is_asked_only_since_a_known_day(ledger: Ledger, tell: Tell) -> None:
    assert kinds(choice_of(ledger, ("reassigned",))) == []
    tell("right_person", 400)
    (question,) = choice_of(ledger, ("reassigned",)).questions
    assert question.kind == "reassigned"
    assert question.since == (datetime.fromtimestamp(NOW / 1000, UTC) - timedelta(days=400)).date()


def test_a_consent_counts_from_its_day_and_not_before_the_database_begins(ledger: Ledger) -> None:
    def consent(day: str) -> None:
        at = int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1000)
        with ledger.write() as book:
            insert_rows(
                book, "consents",
                ["kind", "channel", "number", "number_key", "source", "evidence", "actor", "at", "recorded_at"],
                [("given", "call", NUMBER, number_key(KEY, NUMBER), "form", "{}", "ann", at, at)],
            )  # fmt: skip

    consent("2019-05-01")
    assert kinds(choice_of(ledger, ("reassigned",))) == []
    consent("2024-05-01")
    (question,) = choice_of(ledger, ("reassigned",)).questions
    assert question.since == date(2024, 5, 1)


def test_line_types_are_bought_only_where_wanted_and_not_known(ledger: Ledger) -> None:
    with ledger.write() as book:
        book.exec_driver_sql("UPDATE phones SET type = 'FIXED_LINE_OR_MOBILE'")
    assert kinds(choice_of(ledger, ("line_type",))) == []
    assert kinds(choice_of(ledger, ("line_type",), line_types=True)) == ["line_type"]
    with ledger.write() as book:
        insert_rows(
            book, "lines", ["number", "line_type", "service", "observed_at"], [(NUMBER, "landline", "twilio", NOW)]
        )
    assert kinds(choice_of(ledger, ("line_type",), line_types=True)) == []


def test_a_landline_has_no_service_that_could_tell_its_state(ledger: Ledger) -> None:
    with ledger.write() as book:
        book.exec_driver_sql("UPDATE phones SET type = 'FIXED_LINE'")
    choice = choice_of(ledger)
    assert choice.questions == []
    assert choice.no_route == 1


def test_fixed_intervals_instead(ledger: Ledger, tell: Tell) -> None:
    fixed = {"mode": "fixed", "fixed_days": {"mobile": 30}}
    tell("reached", 29)
    assert kinds(choice_of(ledger, cadence=fixed)) == []
    assert kinds(choice_of(ledger, cadence={**fixed, "fixed_days": {"mobile": 28}})) == ["line_status"]


def test_hazards_are_learned_from_decisions_and_kept_for_a_day(ledger: Ledger, tell: Tell) -> None:
    tell("reached", 300)
    tell("reached", 100)
    with ledger.write() as book:
        insert_rows(
            book, "decisions",
            ["number", "status", "line", "reach", "identity", "permission", "confidence", "reason", "evidence", "policy",
             "decided_at", "current"],
            [(NUMBER, "disconnected", "disconnected", "unknown", "unknown", "ok", 1.0, "", "[]", "p", NOW - 40 * DAY, True)],
        )  # fmt: skip

    def rate(now: int) -> float:
        return float(hazards(ledger, now)["rate"].to_dict()["mobile"])

    learned = rate(NOW)
    months = 200 / 30.4375 + 60 / 30.4375 / 2
    assert learned == pytest.approx((0.008 * 500 + 1) / (500 + months))
    tell("reached", 90)
    assert rate(NOW + DAY // 2) == learned
    assert rate(NOW + 2 * DAY) != learned
