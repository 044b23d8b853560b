"""RealPhoneValidation over the wire."""

from __future__ import annotations

from decimal import Decimal

import pytest

from connectors.lookups.protocol import Question
from ringtrue.errors import CredentialRefused, ServiceUnavailable
from tests.lookups.conftest import StandIns


def line_status(number: str) -> Question:
    return Question(number, "line_status", region="US")


@pytest.mark.parametrize(
    ("word", "result", "state", "log_lr"),
    [
        ("connected", "answered", "alive", -3.5),
        ("connected-75", "answered", "alive", -1.1),
        ("disconnected", "answered", "dead", 3.5),
        ("disconnected-70", "answered", "dead", 0.85),
        ("busy", "answered", "alive", -2.5),
        ("unreachable", "answered", "unknown", 0.7),
        ("pending", "abstain", "unknown", None),
        ("restricted", "abstain", "unknown", None),
        ("invalid phone", "answered", "unknown", None),
    ],
)
def test_words(lookups: StandIns, word: str, result: str, state: str, log_lr: float | None) -> None:
    (number,) = lookups.numbers("alive", "US", None, 1)
    lookups.set("realphonevalidation", say={number: word})
    (answer,) = lookups.ask("realphonevalidation", line_status(number))
    assert (answer.result, answer.line_state, answer.log_lr) == (result, state, log_lr)


def test_empty_fields_come_as_objects(lookups: StandIns) -> None:
    (answer,) = lookups.ask("realphonevalidation", line_status("+15005550006"))
    assert answer.carrier is None
    assert answer.line_type == "unknown"


def test_unknown_word_goes_to_review(lookups: StandIns) -> None:
    (number,) = lookups.numbers("alive", "US", None, 1)
    lookups.set("realphonevalidation", say={number: "connected-50"})
    (answer,) = lookups.ask("realphonevalidation", line_status(number))
    assert answer.result == "abstain"
    assert [finding.word for finding in answer.review] == ["connected-50"]


def test_a_number_of_another_country_is_not_sent(lookups: StandIns) -> None:
    (answer,) = lookups.ask("realphonevalidation", line_status("+447700900123"))
    assert (answer.result, answer.cost) == ("error", Decimal(0))
    assert lookups.requests("realphonevalidation") == 0


def test_wrong_token_or_low_balance(lookups: StandIns) -> None:
    with pytest.raises(CredentialRefused, match="balance"):
        lookups.ask("realphonevalidation", line_status("+12125550101"), environ={"REALPHONEVALIDATION_TOKEN": "no"})
    lookups.set("realphonevalidation", credit=0)
    with pytest.raises(CredentialRefused, match="balance"):
        lookups.ask("realphonevalidation", line_status("+12125550101"))


def test_server_unavailable_in_the_body_is_repeated_and_given_up(lookups: StandIns) -> None:
    (number,) = lookups.numbers("alive", "US", None, 1)
    lookups.set("realphonevalidation", say={number: "server-unavailable"})
    with pytest.raises(ServiceUnavailable):
        lookups.ask("realphonevalidation", line_status(number))
    assert lookups.requests("realphonevalidation") == 4


def test_scrub_plus_tells_the_type(lookups: StandIns) -> None:
    (number,) = lookups.numbers("alive", "US", "landline", 1)
    asked = Question(number, "line_type", region="US")
    (answer,) = lookups.ask("realphonevalidation", asked, products=["scrub_plus"])
    assert answer.line_type == "landline"
