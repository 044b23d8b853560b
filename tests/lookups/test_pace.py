"""The token bucket, the breaker and the borders, with a clock of the test's own."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal

import orjson
import pytest

from connectors.lookups.borders import may_send, region_of
from connectors.lookups.breaker import Breaker
from connectors.lookups.client import Pace
from connectors.lookups.protocol import Answer, Finding, Limits, Offer, Question, ServiceFacts
from ringtrue.lookup_settings import CadenceSettings, LookupsSettings, ServiceSettings
from ringtrue.staleness import cadence_of


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_the_rate_is_kept() -> None:
    clock = Clock()
    pace = Pace(10, clock=clock, sleep=clock.sleep)

    async def work() -> None:
        for _ in range(21):
            await pace.take()

    asyncio.run(work())
    assert clock.now == pytest.approx(102.0)


def test_a_refusal_halves_the_pace_waits_and_success_wins_it_back() -> None:
    clock = Clock()
    pace = Pace(10, clock=clock, sleep=clock.sleep)
    pace.slow_down(5.0)
    assert pace.rate == 5
    asyncio.run(pace.take())
    assert clock.now == pytest.approx(105.0)
    for _ in range(50):
        pace.served()
    assert pace.rate == pytest.approx(10)
    for _ in range(20):
        pace.slow_down(None)
    assert pace.rate == 10 / 64


def test_the_breaker_opens_tries_and_breaks() -> None:
    clock = Clock()
    breaker = Breaker(failures=3, cool_seconds=10, openings=2, clock=clock)
    for _ in range(8):
        breaker.sent()
        breaker.failed()
    assert (breaker.free(5), breaker.broken) == (0, False)
    clock.now += 10
    assert breaker.free(5) == 1
    breaker.sent()
    assert breaker.free(5) == 0
    breaker.failed()
    assert breaker.broken


def test_the_breaker_closes_when_the_try_succeeds() -> None:
    clock = Clock()
    breaker = Breaker(failures=1, cool_seconds=10, clock=clock)
    breaker.failed()
    clock.now += 10
    breaker.sent()
    breaker.succeeded()
    assert (breaker.free(5), breaker.broken) == (5, False)


def test_a_calling_code_of_one_country_decides() -> None:
    assert region_of(Question("+8613800138000", "line_status", region="US")) == "CN"
    assert region_of(Question("+14155550123", "line_status", region="CA")) == "CA"
    assert region_of(Question("ann@example.com", "email", region="DE")) == "DE"


def test_a_service_in_the_country_may_be_asked() -> None:
    settings = LookupsSettings(keep_in_country=("CN",))
    question = Question("+8613800138000", "line_status")
    offer = Offer("status", ("line_status",), Decimal(0), "USD")
    for country, allowed in (("CN", True), ("US", False)):
        facts = ServiceFacts("any", (offer,), Limits(1, 1), located_in=country)
        assert may_send(question, facts, ServiceSettings(), settings) is allowed
    assert not may_send(question, facts, ServiceSettings(regions=("US",)), LookupsSettings())


def test_an_answer_is_plain_values() -> None:
    answer = Answer(
        Question("+14155550123", "line_status"),
        "melissa",
        "premium",
        datetime(2026, 10, 1, tzinfo=UTC),
        "answered",
        Decimal("0.010"),
        "USD",
        "melissa.globalphone.v4@2026-02",
        findings=(
            Finding("result", "PS01", "lookup_alive_weak", -0.5),
            Finding("result", "PS22", "lookup_alive", -2.5),
        ),
    )
    record = orjson.loads(orjson.dumps(answer.as_record()))
    assert record["log_lr"] == -3.0
    assert record["cost"] == {"amount": "0.010", "currency": "USD"}


def test_the_cadence_comes_from_the_settings() -> None:
    settings = LookupsSettings.model_validate({"cadence": {"cost_per_attempt": 1.0}, "twilio": {"enabled": True}})
    assert cadence_of(settings.cadence).waste == pytest.approx(2.9)
    assert list(settings.services) == ["twilio"]
    assert CadenceSettings().mode == "worth"
