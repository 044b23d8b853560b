"""Melissa over the wire: result codes, batches, licence errors inside HTTP 200."""

from __future__ import annotations

from decimal import Decimal

import pytest

from connectors.lookups.protocol import Question
from ringtrue.errors import AllowanceSpent, CredentialRefused, SchemaChanged, ServiceUnavailable
from tests.lookups.conftest import StandIns


def line_status(number: str) -> Question:
    return Question(number, "line_status", region="US")


@pytest.mark.parametrize(
    ("codes", "result", "state", "validity", "log_lr"),
    [
        ("PS01,PS22,PS07", "answered", "alive", "valid", -3.0),
        ("PE11", "answered", "dead", "unknown", 3.5),
        ("PE05", "answered", "dead", "unknown", 4.0),
        ("PE01", "answered", "unknown", "invalid", None),
        ("PS02", "abstain", "unknown", "unknown", None),
        ("PS30", "abstain", "unknown", "unknown", None),
        ("PE11,PS22", "answered", "unknown", "valid", 1.0),
    ],
)
def test_result_codes(
    lookups: StandIns, codes: str, result: str, state: str, validity: str, log_lr: float | None
) -> None:
    (number,) = lookups.numbers("alive", "US", None, 1)
    lookups.set("melissa", say={number: codes})
    (answer,) = lookups.ask("melissa", line_status(number))
    assert (answer.result, answer.line_state, answer.validity) == (result, state, validity)
    assert answer.log_lr == log_lr


def test_do_not_call_listing_and_line_type_come_along(lookups: StandIns) -> None:
    (number,) = lookups.numbers("alive", "US", None, 1)
    lookups.set("melissa", say={number: "PS01,PS08,PS18"})
    (answer,) = lookups.ask("melissa", line_status(number))
    assert (answer.line_type, answer.dnc_listed) == ("landline", True)


def test_unknown_code_goes_to_review(lookups: StandIns) -> None:
    (number,) = lookups.numbers("alive", "US", None, 1)
    lookups.set("melissa", say={number: "PX77"})
    (answer,) = lookups.ask("melissa", line_status(number))
    assert answer.result == "abstain"
    assert [finding.word for finding in answer.review] == ["PX77"]


def test_a_batch_is_one_request_and_pending_ones_are_asked_with_more_patience(lookups: StandIns) -> None:
    numbers = lookups.numbers("disconnected", "US", None, 6)
    lookups.set("melissa", pending=1)
    answers = lookups.ask("melissa", *map(line_status, numbers))
    assert {answer.line_state for answer in answers} == {"dead"}
    assert lookups.requests("melissa") == 2
    assert lookups.billed("melissa") == dict.fromkeys(numbers, 1)


def test_a_record_that_is_missing_costs_the_others_nothing(lookups: StandIns) -> None:
    numbers = lookups.numbers("alive", "US", None, 3)
    lookups.set("melissa", drop_last=True, pending=0)
    answers = lookups.ask("melissa", *map(line_status, numbers))
    assert [answer.result for answer in answers] == ["answered", "answered", "error"]


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("GE05", CredentialRefused),
        ("GE08", CredentialRefused),
        ("GE14", AllowanceSpent),
        ("GE03", SchemaChanged),
        ("GE99", SchemaChanged),
        ("SE01", ServiceUnavailable),
    ],
)
def test_service_codes_inside_http_200(lookups: StandIns, code: str, error: type[Exception]) -> None:
    lookups.set("melissa", transmission=code)
    with pytest.raises(error, match=code):
        lookups.ask("melissa", line_status("+12125550101"))


def test_wrong_licence(lookups: StandIns) -> None:
    with pytest.raises(CredentialRefused, match="GE05"):
        lookups.ask("melissa", line_status("+12125550101"), environ={"MELISSA_LICENSE": "wrong"})


def test_outside_north_america_nothing_is_said_about_life(lookups: StandIns) -> None:
    (number,) = lookups.numbers("disconnected", "GB", None, 1)
    (answer,) = lookups.ask("melissa", Question(number, "validity", region="GB"), products=["express"])
    assert (answer.result, answer.line_state) == ("answered", "unknown")
    assert answer.cost == Decimal("0.003")


def test_an_html_page_is_no_answer(lookups: StandIns) -> None:
    lookups.fault("melissa", "html_502", times=0)
    with pytest.raises(ServiceUnavailable):
        lookups.ask("melissa", line_status("+12125550101"))
