"""The ways into the Salesforce stand-in, and how sessions end."""

from __future__ import annotations

import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from simple_salesforce.exceptions import SalesforceAuthenticationFailed, SalesforceExpiredSession

from tests.sandbox.salesforce_wire import CREDENTIALS, Wire

USER = {"username": "ringtrue@sandbox.example", "password": "sandbox-password", "security_token": "sandbox-token"}


@pytest.fixture(scope="module")
def keys() -> tuple[str, str]:
    """(private, public) key in PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


@pytest.mark.parametrize(
    "login",
    [
        {"consumer_key": "sandbox-key", "consumer_secret": "sandbox-secret", "domain": "acme.my"},
        USER,
        {
            "username": USER["username"],
            "password": USER["password"] + USER["security_token"],
            "consumer_key": "sandbox-key",
            "consumer_secret": "sandbox-secret",
        },
    ],
    ids=["client credentials", "SOAP", "OAuth password"],
)
def test_every_login_of_simple_salesforce_works(empty_salesforce: Wire, login: dict[str, str]) -> None:
    client = empty_salesforce.simple_salesforce(**login)
    assert client.query("SELECT Username FROM User WHERE LastName = 'Integration'")["totalSize"] == 1
    assert client.api_usage["api-usage"].used >= 1


@pytest.mark.parametrize(
    ("login", "code"),
    [
        ({**USER, "security_token": "wrong"}, "INVALID_LOGIN"),
        ({"consumer_key": "other", "consumer_secret": "sandbox-secret", "domain": "acme.my"}, "invalid_client_id"),
        ({"consumer_key": "sandbox-key", "consumer_secret": "other", "domain": "acme.my"}, "invalid_client"),
        ({**USER, "version": "65.0"}, "UNSUPPORTED_API_VERSION"),
        ({**USER, "version": "20.0"}, "UNSUPPORTED_API_VERSION"),
    ],
    ids=["token", "key", "secret", "SOAP has ended", "version is retired"],
)
def test_a_wrong_login_is_refused_with_its_code(empty_salesforce: Wire, login: dict[str, str], code: str) -> None:
    with pytest.raises(SalesforceAuthenticationFailed) as refused:
        empty_salesforce.simple_salesforce(**login)
    assert code in str(refused.value)


def test_soap_login_can_be_off_in_an_org(empty_salesforce: Wire) -> None:
    empty_salesforce.hands.settings(soap_login=False)
    with pytest.raises(SalesforceAuthenticationFailed, match="INVALID_OPERATION"):
        empty_salesforce.simple_salesforce(**USER)


def test_jwt_login_checks_the_signature(empty_salesforce: Wire, keys: tuple[str, str]) -> None:
    private, public = keys
    login = {"username": USER["username"], "consumer_key": "sandbox-key", "privatekey": private}
    with pytest.raises(SalesforceAuthenticationFailed, match="invalid_grant"):
        empty_salesforce.simple_salesforce(**login)
    empty_salesforce.hands.settings(jwt_public_key=public)
    assert empty_salesforce.simple_salesforce(**login).query("SELECT Id FROM Organization")["totalSize"] == 1
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    forged = jwt.encode(_claims(), other, algorithm="RS256")
    assert _grant(empty_salesforce, forged) == (400, "invalid_grant")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({}, None),
        ({"iss": "other"}, "invalid_client_id"),
        ({"sub": "somebody@else.example"}, "invalid_grant"),
        ({"aud": "https://elsewhere.example"}, "invalid_grant"),
        ({"exp": "1700000000"}, "invalid_grant"),
    ],
)
def test_jwt_claims_are_checked(
    empty_salesforce: Wire, keys: tuple[str, str], change: dict[str, Any], error: str | None
) -> None:
    empty_salesforce.hands.settings(jwt_public_key=keys[1])
    assertion = jwt.encode({**_claims(), **change}, keys[0], algorithm="RS256")
    assert _grant(empty_salesforce, assertion) == ((400, error) if error else (200, None))


def test_a_token_that_nobody_gave_is_refused(empty_salesforce: Wire) -> None:
    empty_salesforce.http.headers["Authorization"] = "Bearer 00D!made-up"
    assert empty_salesforce.refused("GET", "/limits") == (
        401,
        {"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"},
    )


def test_sessions_end_when_the_org_says_so(empty_salesforce: Wire) -> None:
    empty_salesforce.hands.settings(session_seconds=0)
    assert empty_salesforce.refused("GET", "/limits")[0] == 401
    empty_salesforce.hands.settings(session_seconds=7200)
    assert empty_salesforce.refused("GET", "/limits")[0] == 401, "an expired session does not come back"
    empty_salesforce.log_in()
    assert empty_salesforce.call("GET", "/limits").status_code == 200


def test_one_expired_session_costs_one_login_and_bulk_does_not_log_in_again(salesforce: Wire) -> None:
    client = salesforce.simple_salesforce()
    salesforce.hands.fault("query", "expired_session")
    salesforce.hands.reset_stats()
    assert client.query("SELECT Id FROM Contact LIMIT 1")["totalSize"] == 1
    assert salesforce.hands.stats()["by_op"]["login"] == 1
    salesforce.hands.fault("bulk", "expired_session")
    bulk: Any = client.bulk2
    with pytest.raises(SalesforceExpiredSession):
        list(bulk.Contact.query("SELECT Id FROM Contact"))


def test_a_session_that_stays_expired_answers_401_until_cleared(salesforce: Wire) -> None:
    salesforce.hands.fault("any", "expired_for_ever")
    assert [salesforce.call("GET", "/limits").status_code for _ in range(3)] == [401] * 3
    salesforce.hands.clear_faults()
    assert salesforce.call("GET", "/limits").status_code == 200


def test_the_token_answer_has_the_shape_jsforce_and_others_read(empty_salesforce: Wire) -> None:
    answer = empty_salesforce.http.post("/services/oauth2/token", data=CREDENTIALS).json()
    assert answer["issued_at"].isdigit()
    assert answer["instance_url"] == empty_salesforce.url
    organization, user = answer["id"].split("/")[-2:]
    assert (organization[:3], user[:3]) == ("00D", "005")
    assert "refresh_token" not in answer


def test_a_retired_version_is_gone(empty_salesforce: Wire) -> None:
    assert empty_salesforce.call("GET", "/services/data/v20.0/limits").status_code == 410
    assert empty_salesforce.call("GET", "/services/data/v99.0/limits").status_code == 404
    offered = empty_salesforce.json("GET", "/services/data")
    assert [offered[0]["version"], offered[-1]["label"]] == ["31.0", "Winter '27"]


def _claims() -> dict[str, Any]:
    return {
        "iss": "sandbox-key",
        "sub": USER["username"],
        "aud": "https://login.salesforce.com",
        "exp": str(int(time.time()) + 180),
    }


def _grant(wire: Wire, assertion: str) -> tuple[int, str | None]:
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}
    answer = wire.http.post("/services/oauth2/token", data=form)
    return answer.status_code, answer.json().get("error")
