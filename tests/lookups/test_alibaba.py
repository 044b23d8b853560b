"""Alibaba Cloud over the wire: signature, hashed input, the three Chinese words."""

from __future__ import annotations

from decimal import Decimal

import pytest

from connectors.lookups.alibaba import hide
from connectors.lookups.protocol import Question
from ringtrue.errors import CredentialRefused, RateLimited
from ringtrue.lookup_settings import LookupsSettings
from tests.lookups.conftest import StandIns


@pytest.fixture
def number(lookups: StandIns) -> str:
    (found,) = lookups.numbers("alive", "CN", "mobile", 1)
    lookups.set("alibaba", numbers=[found])
    return found


def line_status(number: str) -> Question:
    return Question(number, "line_status", region="CN")


@pytest.mark.parametrize(
    ("word", "state", "outcome"),
    [
        ("NOT_EXIST", "dead", "lookup_dead"),
        ("SHUTDOWN", "suspended", "lookup_suspended"),
        ("POWER_OFF", "off", "lookup_off"),
        ("NORMAL", "alive", "lookup_alive"),
        ("BUSY", "alive", "lookup_alive"),
    ],
)
@pytest.mark.parametrize("mask", ["SHA256", "NORMAL"])
def test_words(lookups: StandIns, number: str, mask: str, word: str, state: str, outcome: str) -> None:
    lookups.set("alibaba", say={number: word}, per_number=1000)
    (answer,) = lookups.ask("alibaba", line_status(number), mask=mask)
    assert (answer.result, answer.line_state) == ("answered", state)
    assert answer.findings[-1].outcome == outcome
    assert (answer.cost, answer.currency) == (Decimal("0.1"), "CNY")


def test_only_the_hash_is_sent() -> None:
    number = "+8613800138000"
    assert "13800138000" not in hide(number, "SHA256")
    assert hide(number, "NORMAL") == "13800138000"


def test_unknown_is_not_charged_and_new_words_go_to_review(lookups: StandIns, number: str) -> None:
    lookups.set("alibaba", say={number: "UNKNOWN"})
    (answer,) = lookups.ask("alibaba", line_status(number))
    assert (answer.result, answer.cost) == ("abstain", Decimal(0))
    lookups.set("alibaba", say={number: "SLEEPING"})
    (answer,) = lookups.ask("alibaba", line_status(number))
    assert [finding.word for finding in answer.review] == ["SLEEPING"]


def test_a_number_asked_too_often_abstains(lookups: StandIns, number: str) -> None:
    lookups.set("alibaba", per_number=0)
    (answer,) = lookups.ask("alibaba", line_status(number))
    assert (answer.result, answer.cost) == ("abstain", Decimal(0))


@pytest.mark.parametrize(("silent", "result"), [(2, "answered"), (3, "abstain")])
def test_a_silent_carrier_is_asked_three_times(lookups: StandIns, number: str, silent: int, result: str) -> None:
    lookups.set("alibaba", carrier_silent=silent, say={number: "NORMAL"})
    (answer,) = lookups.ask("alibaba", line_status(number))
    assert answer.result == result
    assert lookups.requests("alibaba") == 3


@pytest.mark.parametrize(
    ("variable", "match"),
    [
        ("ALIBABA_ACCESS_KEY_ID", "InvalidAccessKeyId"),
        ("ALIBABA_ACCESS_KEY_SECRET", "SignatureDoesNotMatch"),
        ("ALIBABA_AUTH_CODE", "Forbidden"),
    ],
)
def test_wrong_secrets(lookups: StandIns, number: str, variable: str, match: str) -> None:
    with pytest.raises(CredentialRefused, match=match):
        lookups.ask("alibaba", line_status(number), environ={variable: "wrong"})


def test_a_wrong_clock_says_so(lookups: StandIns, number: str) -> None:
    lookups.set("alibaba", clock_offset_seconds=7200)
    with pytest.raises(CredentialRefused, match="clock is wrong"):
        lookups.ask("alibaba", line_status(number))


def test_throttling(lookups: StandIns, number: str) -> None:
    lookups.fault("alibaba", "status_429", times=0, retry_after=600)
    with pytest.raises(RateLimited) as caught:
        lookups.ask("alibaba", line_status(number))
    assert caught.value.retry_after_seconds == 600
    assert lookups.requests("alibaba") == 1


def test_off_unless_switched_on() -> None:
    assert not LookupsSettings.model_validate({"alibaba": {}}).enabled
