"""Vonage over the wire: Number Insight sync and by callback, Identity Insights, Verify."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from connectors.lookups import open_services
from connectors.lookups.callbacks import CallbackBox
from connectors.lookups.desk import Desk
from connectors.lookups.protocol import Question
from connectors.lookups.service import Surroundings
from connectors.lookups.spend import MemoryBook
from connectors.lookups.vonage import sunset_warning
from connectors.lookups.vonage_verify import ProofOfPossession
from ringtrue.errors import AllowanceSpent, CredentialRefused, RecordRefused, SchemaChanged
from tests.lookups.callback_server import CallbackServer
from tests.lookups.conftest import StandIns

INSIGHT: dict[str, Any] = {"api": "number_insight", "products": ["advanced"]}
IDENTITY: dict[str, Any] = {"api": "identity_insights"}


def line_status(number: str) -> Question:
    return Question(number, "line_status", region="GB", line_type="mobile", value=1)


@pytest.fixture(scope="session")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def private_key(lookups: StandIns, key: rsa.RSAPrivateKey) -> str:
    """The application's key, whose other half the stand-in knows."""
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    lookups.set("vonage", public_key=public.decode())
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


@pytest.mark.parametrize(
    ("word", "state", "log_lr"),
    [
        ("reachable", "alive", -4.0),
        ("absent", "off", -1.0),
        ("bad_number", "dead", 2.5),
        ("undeliverable", "unknown", 0.8),
    ],
)
def test_reachable_words(lookups: StandIns, word: str, state: str, log_lr: float) -> None:
    (number,) = lookups.numbers("alive", "GB", "mobile", 1)
    lookups.set("vonage", say={number: word})
    (answer,) = lookups.ask("vonage", line_status(number), **INSIGHT)
    assert (answer.result, answer.line_state, answer.log_lr) == ("answered", state, log_lr)
    assert answer.cost == Decimal("0.04")
    assert answer.currency == "EUR"


def test_partial_answer_abstains_and_is_partly_refunded(lookups: StandIns) -> None:
    (number,) = lookups.numbers("disconnected", "GB", "mobile", 1)
    lookups.set("vonage", partial=1)
    (answer,) = lookups.ask("vonage", line_status(number), **INSIGHT)
    assert (answer.result, answer.line_state, answer.validity) == ("abstain", "unknown", "valid")
    assert answer.cost == Decimal("0.01")


def test_unknown_reachable_word_goes_to_review(lookups: StandIns) -> None:
    (number,) = lookups.numbers("alive", "GB", "mobile", 1)
    lookups.set("vonage", say={number: "half_there"})
    (answer,) = lookups.ask("vonage", line_status(number), **INSIGHT)
    assert answer.result == "abstain"
    assert [finding.word for finding in answer.review] == ["half_there"]


def test_roaming_is_not_kept(lookups: StandIns) -> None:
    (number,) = lookups.numbers("alive", "GB", "mobile", 1)
    lookups.set("vonage", partial=0)
    (answer,) = lookups.ask("vonage", line_status(number), **INSIGHT)
    assert "roaming" not in str(answer.as_record())


def test_basic_and_standard(lookups: StandIns) -> None:
    (number,) = lookups.numbers("alive", "GB", "mobile", 1)
    asked = Question(number, "validity", region="GB")
    (basic,) = lookups.ask("vonage", asked, api="number_insight", products=["basic"])
    assert (basic.validity, basic.cost) == ("valid", Decimal(0))
    asked = Question(number, "line_type", region="GB")
    (standard,) = lookups.ask("vonage", asked, api="number_insight", products=["standard"])
    line = lookups.world.line(number)
    assert line is not None
    assert (standard.line_type, standard.carrier, standard.ported) == ("mobile", line.network, line.ported)


def test_invalid_format_is_charged_nothing(lookups: StandIns) -> None:
    (answer,) = lookups.ask("vonage", Question("+9991234", "validity"), api="number_insight", products=["basic"])
    assert (answer.validity, answer.cost) == ("invalid", Decimal(0))


def test_wrong_secret_and_no_credit(lookups: StandIns) -> None:
    (number,) = lookups.numbers("alive", "GB", "mobile", 1)
    with pytest.raises(CredentialRefused):
        lookups.ask("vonage", line_status(number), environ={"VONAGE_API_SECRET": "wrong"}, **INSIGHT)
    lookups.set("vonage", credit=0)
    with pytest.raises(AllowanceSpent):
        lookups.ask("vonage", line_status(number), **INSIGHT)


def test_too_fast_inside_http_200_is_repeated(lookups: StandIns) -> None:
    (number,) = lookups.numbers("alive", "GB", "mobile", 1)
    lookups.set("vonage", per_second=1, partial=0)
    answers = lookups.ask("vonage", line_status(number), line_status(number), **INSIGHT)
    assert [answer.result for answer in answers] == ["answered", "answered"]
    assert lookups.requests("vonage") > 2


def test_sunset_is_announced(lookups: StandIns) -> None:
    (service,) = lookups.open(lookups.settings(vonage=INSIGHT))
    assert "2027-02-04" in service.facts.warnings[0]
    assert "in 1 days" in sunset_warning(date(2027, 2, 3))
    assert "ended on 2027-02-04" in sunset_warning(date(2027, 2, 4))
    asyncio.run(service.close())


@pytest.fixture
def callbacks() -> Iterator[CallbackServer]:
    with CallbackServer(CallbackBox("")) as server:
        yield server


def test_callbacks_twice_and_out_of_order(lookups: StandIns, callbacks: CallbackServer) -> None:
    numbers = lookups.numbers("disconnected", "GB", "mobile", 4)
    lookups.set("vonage", partial=0, callback_copies=3, callback_delay_seconds=0.3)
    settings = lookups.settings(vonage={"api": "number_insight", "products": ["advanced_async"]})
    services = lookups.open(settings, callbacks=callbacks.box)
    book = MemoryBook()

    async def run() -> None:
        desk = Desk(services, book, settings)
        report = await desk.run([line_status(number) for number in numbers], lambda _, answers: not answers)
        await desk.close()
        assert report.services["vonage"].answered == 4

    asyncio.run(run())
    assert {entry.answer.line_state for entry in book.entries.values() if entry.answer} == {"dead"}
    assert lookups.billed("vonage") == dict.fromkeys(numbers, 1)


def test_a_callback_after_the_run_is_fetched_by_the_next(lookups: StandIns, callbacks: CallbackServer) -> None:
    (number,) = lookups.numbers("disconnected", "GB", "mobile", 1)
    lookups.set("vonage", partial=0, hold_callbacks=True)
    options = {"api": "number_insight", "products": ["advanced_async"], "timeout_seconds": 0.3}
    settings = lookups.settings(vonage=options)
    book = MemoryBook(run="first")

    async def run(this: MemoryBook) -> tuple[int, int, int]:
        desk = Desk(lookups.open(settings, callbacks=callbacks.box), this, settings)
        report = await desk.run([line_status(number)], lambda _, answers: not answers)
        await desk.close()
        told = report.services["vonage"]
        return told.still_open, told.fetched, report.questions - report.settled

    assert asyncio.run(run(book)) == (1, 0, 1)
    lookups.set("vonage", hold_callbacks=False)
    assert callbacks.box.wait_for_any(5)
    still_open, fetched, _ = asyncio.run(run(book.for_run("second")))
    assert (still_open, fetched) == (0, 1)
    assert lookups.billed("vonage") == {number: 1}


def test_identity_insights(lookups: StandIns, private_key: str) -> None:
    (number,) = lookups.numbers("alive", "GB", "mobile", 1)
    asked = Question(number, "line_type", region="GB")
    environ = {"VONAGE_PRIVATE_KEY": private_key.replace("\n", "\\n")}
    (answer,) = lookups.ask("vonage", asked, environ=environ, **IDENTITY, products=["carriers"])
    line = lookups.world.line(number)
    assert line is not None
    assert (answer.line_type, answer.carrier) == ("mobile", line.network)
    assert answer.ported is line.ported


@pytest.mark.parametrize(
    ("code", "validity", "log_lr"),
    [
        ("not_found", "valid", 0.8),
        ("NO_COVERAGE", "valid", None),
        ("SUPPLIER_ERROR", "valid", None),
        ("UNSUPPORTED_NETWORK_TYPE", "valid", None),
    ],
)
def test_identity_insight_codes(
    lookups: StandIns, private_key: str, code: str, validity: str, log_lr: float | None
) -> None:
    (number,) = lookups.numbers("alive", "GB", "mobile", 1)
    lookups.set("vonage", say={f"current_carrier:{number}": code})
    asked = Question(number, "line_type", region="GB")
    (answer,) = lookups.ask("vonage", asked, environ={"VONAGE_PRIVATE_KEY": private_key}, **IDENTITY)
    assert (answer.result, answer.validity, answer.log_lr) == ("abstain", validity, log_lr)


def test_reachability_needs_an_approval(lookups: StandIns, private_key: str) -> None:
    (number,) = lookups.numbers("alive", "GB", "mobile", 1)
    environ = {"VONAGE_PRIVATE_KEY": private_key}
    (answer,) = lookups.ask("vonage", line_status(number), environ=environ, **IDENTITY, products=["reachability"])
    assert (answer.result, answer.cost) == ("abstain", Decimal(0))
    lookups.set("vonage", approved=["reachability"])
    (answer,) = lookups.ask("vonage", line_status(number), environ=environ, **IDENTITY, products=["reachability"])
    assert (answer.result, answer.line_state) == ("answered", "alive")


def test_another_key_is_refused(lookups: StandIns, private_key: str) -> None:
    assert private_key
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    environ = {"VONAGE_PRIVATE_KEY": other.decode()}
    with pytest.raises(CredentialRefused):
        lookups.ask("vonage", Question("+447700900123", "line_type"), environ=environ, **IDENTITY)


def test_a_key_that_is_no_key_names_itself(lookups: StandIns) -> None:
    settings = lookups.settings(vonage=IDENTITY)
    around = Surroundings(environ={"VONAGE_APPLICATION_ID": "sandbox-application", "VONAGE_PRIVATE_KEY": "no key"})
    services, left_out = open_services(settings, around)
    assert not services
    assert "PEM text" in left_out[0]


def test_a_missing_insight_is_a_changed_schema(lookups: StandIns, private_key: str) -> None:
    lookups.set("vonage", omit=["current_carrier"])
    asked = Question("+447700900123", "line_type")
    with pytest.raises(SchemaChanged, match="current_carrier is missing"):
        lookups.ask("vonage", asked, environ={"VONAGE_PRIVATE_KEY": private_key}, **IDENTITY)


def test_proof_of_possession(lookups: StandIns) -> None:
    async def run() -> None:
        verify = ProofOfPossession("Example", "sandbox-key", "sandbox-secret", base_url=f"{lookups.base}/vonage")
        request_id = await verify.start("+447700900999")
        with pytest.raises(RecordRefused, match="running already"):
            await verify.start("+447700900999")
        assert await verify.check(request_id, "0000") == "wrong_code"
        assert await verify.check(request_id, "1234") == "proved"
        assert await verify.check(request_id, "1234") == "over"
        request_id = await verify.start("+447700900999")
        assert [await verify.check(request_id, "0000") for _ in range(3)] == ["wrong_code", "wrong_code", "over"]
        await verify.close()

    asyncio.run(run())


def test_verify_is_no_lookup_service() -> None:
    assert not hasattr(ProofOfPossession, "ask")


def test_a_callback_without_a_request_id_is_refused() -> None:
    box = CallbackBox("https://example.com/callbacks/abc")
    assert not box.receive(orjson.dumps({"status": 0}))
    assert not box.receive(b"<html>")
