"""Word tables, prices and settings: what they may say, and that they agree with the evidence vocabulary."""

from __future__ import annotations

import asyncio
import logging
import tomllib
from importlib.resources import files

import pytest

from connectors.lookups import available, open_services
from connectors.lookups.client import LookupClient
from connectors.lookups.protocol import Limits
from connectors.lookups.service import Surroundings
from ringtrue import errors
from ringtrue.errors import SettingsError
from ringtrue.lookup_settings import LookupsSettings
from ringtrue.lookup_words import comparable, list_price, word_table


@pytest.mark.parametrize("service", available())
def test_every_word_is_known_to_the_vocabulary(service: str) -> None:
    text = files("ringtrue").joinpath("data", "outcomes", "vocabulary.toml").read_text(encoding="utf-8")
    vocabulary = set(tomllib.loads(text)["outcome"])
    for words in word_table(service).words.values():
        for word, meaning in words.items():
            assert meaning.outcome is None or meaning.outcome in vocabulary, word
            assert meaning.error is None or issubclass(getattr(errors, meaning.error), errors.RingTrueError)


@pytest.mark.parametrize("service", available())
def test_what_is_dead_weighs_for_death_and_what_lives_against_it(service: str) -> None:
    for words in word_table(service).words.values():
        for word, meaning in words.items():
            if meaning.log_lr is not None and meaning.line_state is not None:
                assert (meaning.log_lr > 0) == (meaning.line_state == "dead"), word
            assert not (meaning.result == "abstain" and (meaning.log_lr or meaning.outcome)), word


def test_words_are_read_without_regard_to_case() -> None:
    table = word_table("vonage")
    assert table.meaning("insight_status", "not_found") == table.meaning("insight_status", "NOT_FOUND")
    assert table.meaning("insight_status", "no such word") is None


def test_prices_and_currencies() -> None:
    assert str(list_price("twilio", "line_status").amount) == "0.007"
    assert comparable(list_price("alibaba", "status").amount, "CNY") == pytest.approx(0.014)
    with pytest.raises(SettingsError, match="no price"):
        list_price("twilio", "horoscope")


def test_a_secret_in_the_settings_is_refused() -> None:
    with pytest.raises(ValueError, match="environment variable"):
        LookupsSettings.model_validate({"twilio": {"secrets": {"auth_token": "3f9a0c-not-a-name"}}})


def test_missing_variables_are_named_and_the_others_go_on() -> None:
    settings = LookupsSettings.model_validate({"twilio": {"enabled": True}, "melissa": {"enabled": True}})
    services, left_out = open_services(settings, Surroundings(environ={"MELISSA_LICENSE": "x"}))
    assert [service.facts.name for service in services] == ["melissa"]
    assert "TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN" in left_out[0]


@pytest.mark.parametrize("service", ["twilio", "vonage", "melissa", "zerobounce", "realphonevalidation", "alibaba"])
def test_the_sandbox_is_used_as_long_as_no_secret_is_set(service: str) -> None:
    table = {"enabled": True, "sandbox_url": f"http://127.0.0.1:8400/{service}"}
    services, left_out = open_services(LookupsSettings.model_validate({service: table}), Surroundings(environ={}))
    assert [each.facts.name for each in services] == [service]
    assert not left_out


def test_half_of_the_secrets_is_a_mistake_and_not_the_sandbox() -> None:
    table = {"enabled": True, "sandbox_url": "http://127.0.0.1:8400/twilio"}
    around = Surroundings(environ={"TWILIO_ACCOUNT_SID": "AC123"})
    services, left_out = open_services(LookupsSettings.model_validate({"twilio": table}), around)
    assert not services
    assert "TWILIO_AUTH_TOKEN" in left_out[0]


def test_a_service_that_does_not_exist() -> None:
    with pytest.raises(SettingsError, match="choose from alibaba"):
        open_services(LookupsSettings.model_validate({"twillio": {"enabled": True}}))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"products": ["horoscope"]}, "there is no 'horoscope'"),
        ({"bulc": True}, "lookups.twilio.bulc"),
    ],
)
def test_a_wrong_option_is_named(table: dict[str, object], said: str) -> None:
    settings = LookupsSettings.model_validate({"twilio": {"enabled": True, **table}})
    environ = {"TWILIO_ACCOUNT_SID": "x", "TWILIO_AUTH_TOKEN": "y"}
    _, left_out = open_services(settings, Surroundings(environ=environ))
    assert said in left_out[0]


def test_other_variable_names_and_prices() -> None:
    settings = LookupsSettings.model_validate(
        {"twilio": {"enabled": True, "secrets": {"auth_token": "MY_TOKEN"}, "prices": {"line_status": "0.004"}}}
    )
    services, _ = open_services(settings, Surroundings(environ={"TWILIO_ACCOUNT_SID": "x", "MY_TOKEN": "y"}))
    assert {offer.product: str(offer.price) for offer in services[0].facts.offers}["line_status"] == "0.004"


def test_no_address_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """Addresses of lookups hold numbers and keys."""
    with caplog.at_level(logging.DEBUG):
        asyncio.run(_one_lookup())
    assert caplog.text
    for secret in ("hush", "4155550123", "ann@", "c2lkOnRva2Vu"):
        assert secret not in caplog.text


async def _one_lookup() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = LookupClient("twilio", f"http://127.0.0.1:{port}", Limits(10, 1), auth=("sid", "token"))
    found = await client.send(
        "GET", "/v2/PhoneNumbers/%2B14155550123", params={"api_key": "hush", "email": "ann@example.com"}
    )
    assert client.json(found) == {}
    await client.close()
    server.close()
    await server.wait_closed()
