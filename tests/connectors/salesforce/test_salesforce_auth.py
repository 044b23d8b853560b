"""Logging in to Salesforce: three ways in, and every way to be turned away."""

from __future__ import annotations

import logging
import socket

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from connectors.http import RetryPolicy
from connectors.salesforce import (
    ClientCredentials,
    JwtCredentials,
    PasswordCredentials,
    SalesforceCrm,
    SalesforceSettings,
)
from connectors.salesforce_auth import Credentials, Login, short_domain
from connectors.salesforce_ids import id18
from connectors.salesforce_session import Wire
from ringtrue.errors import CredentialRefused, HostUnreachable, SchemaChanged, ServiceUnavailable, SettingsError
from tests.connectors.salesforce.kit import ORG
from tests.stand_ins import StandIn
from tests.wire import Reply, wire_server

USERNAME = "ringtrue@sandbox.example"


def connect(url: str, credentials: Credentials, version: str = "59.0") -> SalesforceCrm:
    wire = Wire(api_version=version, retry=RetryPolicy(attempts=2, unreachable_attempts=2))
    return SalesforceCrm.connect(
        credentials, base_url=url, settings=SalesforceSettings(wire=wire), sleep=lambda _: None
    )


def test_client_credentials_log_in_once_for_many_calls(org: StandIn) -> None:
    crm = connect(org.url, ClientCredentials("sandbox-key", "sandbox-secret", "https://sandbox.my.salesforce.com/"))
    assert crm.identity() == ORG
    assert crm.describe("Contact")["MobilePhone"].type == "phone"
    assert crm.usage.calls == {"login": 1, "describe": 1}
    crm.close()


def test_password_and_token_log_in_and_warn(org: StandIn, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        crm = connect(org.url, PasswordCredentials(USERNAME, "sandbox-password", "sandbox-token", "test"))
    assert "summer 2027" in caplog.text
    assert crm.identity() == ORG
    assert "Phone" in crm.describe("Lead")
    crm.close()


def test_jwt_logs_in_with_a_signed_assertion(org: StandIn) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    org.settings(jwt_public_key=public.decode())
    crm = connect(org.url, JwtCredentials("sandbox-key", USERNAME, private.decode(), "login"))
    assert crm.identity() == ORG
    crm.close()


@pytest.mark.parametrize(
    ("credentials", "said"),
    [
        (ClientCredentials("wrong", "sandbox-secret", "sandbox.my"), "Check the consumer key"),
        (ClientCredentials("sandbox-key", "hush-hush", "sandbox.my"), "consumer secret"),
        (PasswordCredentials(USERNAME, "hush-hush", "sandbox-token"), "may be locked out"),
    ],
    ids=["key", "secret", "password"],
)
def test_a_refused_login_is_asked_once_and_says_what_to_do(org: StandIn, credentials: Credentials, said: str) -> None:
    crm = connect(org.url, credentials)
    with pytest.raises(CredentialRefused, match=said) as caught:
        crm.identity()
    assert crm.usage.calls == {"login": 1}
    assert "hush-hush" not in str(caught.value)
    crm.close()


def test_a_login_that_cannot_answer_now_is_tried_again(org: StandIn) -> None:
    org.fault("login", "html_502", times=1)
    crm = connect(org.url, ClientCredentials("sandbox-key", "sandbox-secret", "sandbox.my"))
    assert crm.identity() == ORG
    assert crm.usage.calls == {"login": 2}
    assert crm.usage.retries == 1
    crm.close()


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (Reply("<html>We are setting things up</html>"), ServiceUnavailable),
        (Reply("", 302, {"Location": "https://elsewhere.example/"}), ServiceUnavailable),
        (Reply("<!DOCTYPE html><html>Not found</html>", 404), ServiceUnavailable),
        (Reply({"token_type": "Bearer"}), SchemaChanged),
        (Reply({"access_token": "t", "instance_url": "https://a.my.salesforce.com"}), SchemaChanged),
        (Reply({"error": "invalid_grant"}, 400), CredentialRefused),
        (Reply([{"errorCode": "INVALID_SESSION_ID"}], 401), CredentialRefused),
        (Reply(b"", 403), CredentialRefused),
    ],
    ids=["page", "redirect", "no such domain", "no token", "no identity", "no description", "list", "empty"],
)
def test_odd_answers_to_a_login(reply: Reply, error: type[Exception]) -> None:
    with wire_server(lambda _: reply) as server:
        crm = connect(server.url, ClientCredentials("key", "hush-hush", "acme.my"))
        with pytest.raises(error) as caught:
            crm.identity()
        assert "hush-hush" not in str(caught.value)
        assert len(server.seen) <= 2
        crm.close()


def test_nobody_at_the_address() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
    crm = connect(url, ClientCredentials("key", "secret", "acme.my"))
    with pytest.raises(HostUnreachable, match=r"ringtrue\.toml"):
        crm.identity()
    crm.close()


def test_credentials_that_cannot_work_are_refused_before_any_call() -> None:
    url = "http://127.0.0.1:9"
    with pytest.raises(SettingsError, match="consumer_secret is empty"):
        connect(url, ClientCredentials("key", "", "acme.my"))
    with pytest.raises(SettingsError, match="My Domain"):
        connect(url, ClientCredentials("key", "secret", "login"))
    with pytest.raises(SettingsError, match=r"up to API version 64\.0"):
        connect(url, PasswordCredentials("u@example.com", "p", "t"), "65.0")
    with pytest.raises(SettingsError, match="PEM"):
        connect(url, JwtCredentials("key", USERNAME, "no key at all"))
    with pytest.raises(SettingsError, match="not Account"):
        SalesforceCrm.connect(
            ClientCredentials("key", "secret", "acme.my"), settings=SalesforceSettings(objects=("Account",))
        )


def test_secrets_stay_out_of_sight() -> None:
    shown = repr(
        [
            ClientCredentials("hidden-key", "hidden-secret", "acme.my"),
            JwtCredentials("hidden-key", "hidden@example.com", "hidden-pem"),
            PasswordCredentials("hidden@example.com", "hidden-password", "hidden-token"),
            Login("hidden-token", "acme.my.salesforce.com", ORG, "005Sb0000000001MAA"),
        ]
    )
    assert "hidden" not in shown
    assert "acme.my" in shown


def test_domains_and_ids_in_every_form() -> None:
    for text in ("acme.my", "acme.my.salesforce.com", "https://Acme.my.salesforce.com/", "acme.my.salesforce.com/x"):
        assert short_domain(text) == "acme.my"
    assert id18("00DSb0000000001") == ORG
    assert id18(ORG) == ORG
