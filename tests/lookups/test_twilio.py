"""Twilio over the wire: words, package errors, refusals."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from connectors.lookups.protocol import Question
from ringtrue.errors import AllowanceSpent, ConnectionLost, CredentialRefused, RateLimited
from tests.lookups.conftest import StandIns

MOBILE = "+447700900123"


def question(number: str, kind: str = "line_status", **known: object) -> Question:
    return Question(number, kind, **known)  # type: ignore[arg-type]  # kinds are literals in the code under test


@pytest.mark.parametrize(
    ("word", "state", "outcome", "log_lr"),
    [
        ("active", "alive", "lookup_alive", -3.0),
        ("reachable", "alive", "lookup_alive", -4.5),
        ("unreachable", "off", "lookup_off", -2.0),
        ("inactive", "dead", "lookup_dead", 3.0),
    ],
)
def test_line_status_words(lookups: StandIns, word: str, state: str, outcome: str, log_lr: float) -> None:
    (number,) = lookups.numbers("alive", "GB", "mobile", 1)
    lookups.set("twilio", say={number: word})
    (answer,) = lookups.ask("twilio", question(number), products=["line_status"])
    assert (answer.result, answer.line_state) == ("answered", state)
    assert [finding.outcome for finding in answer.findings] == [outcome]
    assert answer.log_lr == log_lr
    assert str(answer.cost) == "0.007"


def test_unknown_word_goes_to_review_and_says_nothing(lookups: StandIns) -> None:
    (number,) = lookups.numbers("alive", "GB", "mobile", 1)
    lookups.set("twilio", say={number: "hibernating"})
    (answer,) = lookups.ask("twilio", question(number), products=["line_status"])
    assert answer.result == "abstain"
    assert answer.line_state == "unknown"
    assert answer.log_lr is None
    assert [(finding.field, finding.word) for finding in answer.review] == [("line_status", "hibernating")]


def test_landline_is_outside_coverage_and_that_is_no_death(lookups: StandIns) -> None:
    (number,) = lookups.numbers("disconnected", "GB", None, 1)
    lookups.set("twilio", coverage=0)
    (answer,) = lookups.ask("twilio", question(number), products=["line_status"])
    assert answer.result == "abstain"
    assert answer.log_lr is None
    assert answer.cost == 0


@pytest.mark.parametrize(
    ("number", "word", "validity", "log_lr"),
    [
        ("+1415555012345", "TOO_LONG", "invalid", None),
        ("+1415", "TOO_SHORT", "invalid", None),
        ("+999123456789", "INVALID_COUNTRY_CODE", "invalid", None),
        ("+15005550001", "INVALID_BUT_POSSIBLE", "unknown", 4.0),
    ],
)
def test_invalid_numbers(lookups: StandIns, number: str, word: str, validity: str, log_lr: float | None) -> None:
    (answer,) = lookups.ask("twilio", question(number, "validity"), products=["validity"])
    assert answer.result == "answered"
    assert answer.validity == validity
    assert answer.log_lr == log_lr
    assert word in [finding.word for finding in answer.findings]


def test_line_type_and_carrier(lookups: StandIns) -> None:
    (number,) = lookups.numbers("alive", "US", "mobile", 1)
    (answer,) = lookups.ask("twilio", question(number, "line_type"), products=["line_type"])
    line = lookups.world.line(number)
    assert line is not None
    assert (answer.line_type, answer.carrier) == ("mobile", line.network)


def test_reassigned_number(lookups: StandIns) -> None:
    (number,) = lookups.numbers("alive", "US", None, 1)
    lookups.set("twilio", say={number: "yes"})
    asked = question(number, "reassigned", since=date(2025, 3, 1))
    (answer,) = lookups.ask("twilio", asked, products=["reassigned"])
    assert (answer.reassigned, answer.reassigned_since) == ("yes", date(2025, 3, 1))
    lookups.set("twilio", say={number: "no_data_available"})
    (answer,) = lookups.ask("twilio", asked, products=["reassigned"])
    assert (answer.result, answer.reassigned) == ("abstain", "no_data")


def test_wrong_token(lookups: StandIns) -> None:
    with pytest.raises(CredentialRefused, match=r"lookups\.twilio"):
        lookups.ask("twilio", question(MOBILE), environ={"TWILIO_AUTH_TOKEN": "wrong"})


def test_package_not_enabled(lookups: StandIns) -> None:
    (number,) = lookups.numbers("alive", "GB", "mobile", 1)
    lookups.set("twilio", gated=["line_status"])
    with pytest.raises(CredentialRefused, match="not enabled"):
        lookups.ask("twilio", question(number), products=["line_status"])


def test_quota_of_the_package(lookups: StandIns) -> None:
    (number,) = lookups.numbers("alive", "GB", "mobile", 1)
    lookups.set("twilio", credit=0)
    with pytest.raises(AllowanceSpent):
        lookups.ask("twilio", question(number), products=["line_status"])


def test_unknown_package_error_abstains(lookups: StandIns) -> None:
    (number,) = lookups.numbers("alive", "GB", "mobile", 1)
    lookups.set("twilio", unknown_package_error=60999)
    (answer,) = lookups.ask("twilio", question(number), products=["line_status"])
    assert answer.result == "abstain"
    assert [finding.word for finding in answer.review] == ["60999"]


def test_too_many_requests_are_repeated(lookups: StandIns) -> None:
    (number,) = lookups.numbers("alive", "GB", "mobile", 1)
    lookups.set("twilio", say={number: "active"})
    lookups.fault("twilio", "status_429", times=2, retry_after=0)
    (answer,) = lookups.ask("twilio", question(number), products=["line_status"])
    assert answer.result == "answered"
    assert lookups.billed("twilio") == {number: 1}


def test_a_long_retry_after_is_not_slept_through(lookups: StandIns) -> None:
    lookups.fault("twilio", "status_429", times=0, retry_after=3600)
    with pytest.raises(RateLimited) as caught:
        lookups.ask("twilio", question(MOBILE), products=["line_status"])
    assert caught.value.retry_after_seconds == 3600


def test_half_an_answer_is_not_asked_for_again(lookups: StandIns) -> None:
    (number,) = lookups.numbers("alive", "GB", "mobile", 1)
    lookups.fault("twilio", "drop_mid_body")
    with pytest.raises(ConnectionLost):
        lookups.ask("twilio", question(number), products=["line_status"])
    assert lookups.billed("twilio") == {number: 1}
    assert lookups.requests("twilio") == 1


def test_bulk_is_a_pilot(lookups: StandIns) -> None:
    elsewhere = f"{lookups.base}/nobody"
    with pytest.raises(CredentialRefused, match="bulk = false"):
        lookups.ask("twilio", question(MOBILE), base_url=elsewhere, products=["validity"], bulk=True)


def test_a_number_twilio_cannot_read_is_refused_alone(lookups: StandIns) -> None:
    elsewhere = f"{lookups.base}/nobody"
    (answer,) = lookups.ask("twilio", question(MOBILE), base_url=elsewhere, products=["validity"])
    assert (answer.result, answer.error_class, answer.cost) == ("error", "RecordRefused", Decimal(0))


def test_batches(lookups: StandIns) -> None:
    alive = lookups.numbers("alive", "GB", "mobile", 3)
    lookups.set("twilio", coverage=1, say=dict.fromkeys(alive, "active"))
    answers = lookups.ask("twilio", *(question(number) for number in alive), products=["line_status"], bulk=True)
    assert [answer.question.subject for answer in answers] == alive
    assert {answer.line_state for answer in answers} == {"alive"}
    assert lookups.requests("twilio") == 1
