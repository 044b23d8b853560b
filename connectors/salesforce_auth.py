"""The three ways to log in to Salesforce, and one login.

Client credentials are the default and JWT bearer the alternative. The SOAP login with user name, password and token is being retired: it ends with
API 64.0, is off in new orgs, and stops for everybody in summer 2027 (Salesforce help article 005132110).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from xml.parsers.expat import ExpatError

import orjson
import requests
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from simple_salesforce.exceptions import SalesforceAuthenticationFailed
from simple_salesforce.login import SalesforceLogin

from connectors.http import Timeouts, error_for_status, is_html, mount
from connectors.salesforce_ids import id18
from ringtrue.errors import CredentialRefused, SchemaChanged, ServiceUnavailable, SettingsError
from ringtrue.masking import mask_text

log = logging.getLogger(__name__)

LAST_SOAP_VERSION = 64.0
_SOAP_ID = re.compile(rb"<(?:\w+:)?(organizationId|userId)>(\w{15,18})</")


@dataclass(frozen=True)
class ClientCredentials:
    """OAuth client credentials of a connected app with a run-as user. `domain` is the My Domain, as in "acme.my"."""

    consumer_key: str = field(repr=False)
    consumer_secret: str = field(repr=False)
    domain: str


@dataclass(frozen=True)
class JwtCredentials:
    """OAuth JWT bearer: the connected app knows our certificate and we sign with its private key (PEM text)."""

    consumer_key: str = field(repr=False)
    username: str = field(repr=False)
    private_key: str = field(repr=False)
    domain: str = "login"


@dataclass(frozen=True)
class PasswordCredentials:
    """User name, password and security token by SOAP login: legacy, retired by Salesforce in summer 2027."""

    username: str = field(repr=False)
    password: str = field(repr=False)
    security_token: str = field(repr=False)
    domain: str = "login"


Credentials = ClientCredentials | JwtCredentials | PasswordCredentials


@dataclass(frozen=True)
class Login:
    """A session: its token, the host that serves it, and who it belongs to."""

    token: str = field(repr=False)
    host: str
    org_id: str
    user_id: str


def short_domain(domain: str) -> str:
    """The part that simple-salesforce wants of a domain: "https://acme.my.salesforce.com/" becomes "acme.my"."""
    text = domain.strip().lower()
    host = urlsplit(text).netloc if "://" in text else text.split("/")[0]
    return host.removesuffix(".salesforce.com")


def checked(credentials: Credentials, version: str) -> Credentials:
    """The credentials again, or SettingsError when they cannot work. Logs a warning for the SOAP login."""
    empty = [name for name, value in vars(credentials).items() if not value]
    if empty:
        raise SettingsError(
            f"The Salesforce credentials are incomplete: {', '.join(empty)} is empty. Set its environment variable."
        )
    if isinstance(credentials, ClientCredentials) and short_domain(credentials.domain) in ("login", "test"):
        raise SettingsError(
            'Client credentials need the My Domain of the org: set domain to something like "acme.my" (or "acme--uat.sandbox.my" for a sandbox).'
        )
    if isinstance(credentials, JwtCredentials):
        _check_key(credentials.private_key)
    if isinstance(credentials, PasswordCredentials):
        if float(version) > LAST_SOAP_VERSION:
            raise SettingsError(
                f"Logging in with a password works up to API version {LAST_SOAP_VERSION}, not {version}. Use client credentials or JWT instead."
            )
        log.warning(
            "Salesforce retires the login by user name, password and token in summer 2027. Create a connected app and use client credentials or JWT."
        )
    return credentials


def _check_key(pem: str) -> None:
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as exc:
        raise SettingsError(
            "The private key for the Salesforce login cannot be read: it must be a PEM text without a password."
        ) from exc
    if not isinstance(key, RSAPrivateKey):
        raise SettingsError("The private key for the Salesforce login must be an RSA key: Salesforce signs with RS256.")


def log_in(
    credentials: Credentials, *, version: str, base_url: str | None, timeouts: Timeouts, count: Callable[[], None]
) -> Login:
    """Log in once. `count` is called for the request.

    Raises CredentialRefused when Salesforce says no, and RetryLater errors when it says nothing usable.
    """
    answers: list[requests.Response] = []

    def look(response: requests.Response, *_: Any, **__: Any) -> None:
        count()
        answers.append(response)
        _refuse_what_is_no_answer(response)

    with mount(requests.Session(), timeouts=timeouts, base_url=base_url) as session:
        session.hooks["response"].append(look)
        try:
            token, host = SalesforceLogin(session=session, sf_version=version, **_arguments(credentials))
        except SalesforceAuthenticationFailed as exc:
            raise _refused(exc) from exc
        except (ValueError, ExpatError) as exc:
            raise SchemaChanged("Salesforce answered the login in a form we do not know.") from exc
    org_id, user_id = _who(answers[-1])
    return Login(token=token, host=host.strip("/"), org_id=org_id, user_id=user_id)


def _arguments(credentials: Credentials) -> dict[str, Any]:
    domain = short_domain(credentials.domain)
    if isinstance(credentials, ClientCredentials):
        return {
            "consumer_key": credentials.consumer_key,
            "consumer_secret": credentials.consumer_secret,
            "domain": domain,
        }
    if isinstance(credentials, JwtCredentials):
        return {
            "consumer_key": credentials.consumer_key,
            "username": credentials.username,
            "privatekey": credentials.private_key,
            "domain": domain,
        }
    return {
        "username": credentials.username,
        "password": credentials.password,
        "security_token": credentials.security_token,
        "domain": domain,
    }


def _refuse_what_is_no_answer(response: requests.Response) -> None:
    """Raise for what is neither a session nor a refusal: a passing fault, a page, a redirect."""
    status, body = response.status_code, response.text
    if status == 500 and "exceptionCode" in body:
        return
    error = error_for_status("The Salesforce login", status, response.headers, body)
    if error is not None:
        raise error
    is_soap = "/services/Soap/" in (response.request.url or "")
    if 300 <= status < 400 or (not is_soap and is_html(body)) or (is_soap and "Envelope" not in body):
        raise ServiceUnavailable(
            f"The Salesforce login answered with a page instead of data (HTTP {status}). Check that `domain` is the org's My Domain."
        )
    if is_soap:
        return
    try:
        answer = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        answer = None
    if status >= 400 and not isinstance(answer, dict):
        raise CredentialRefused(
            f"Salesforce refused the login (HTTP {status}) without a reason. Check the credentials and the domain."
        )
    if status == 200 and not (isinstance(answer, dict) and answer.get("access_token") and answer.get("instance_url")):
        raise SchemaChanged("Salesforce answered the login without a token and an instance address.")


def _refused(exc: SalesforceAuthenticationFailed) -> CredentialRefused:
    advice = {
        "invalid_client_id": "Check the consumer key.",
        "invalid_client": "Check the consumer key and the consumer secret.",
        "invalid_grant": "Check the user, its password or certificate, and that the connected app allows this flow and this user.",
        "inactive_user": "The integration user is inactive.",
        "unsupported_grant_type": "Allow this OAuth flow in the connected app.",
        "INVALID_LOGIN": "Check user name, password and security token; the user may be locked out.",
        "LOGIN_MUST_USE_SECURITY_TOKEN": "Set the security token.",
        "UNSUPPORTED_API_VERSION": "This API version has no SOAP login any more: use client credentials or JWT.",
        "SOAP_LOGIN_DISABLED": "This org has no SOAP login: use client credentials or JWT.",
    }
    code = str(exc.code)
    said = mask_text(exc.auth_message or "").strip()
    return CredentialRefused(
        f"Salesforce refused the login ({code}{': ' + said if said else ''}). {advice.get(code, 'Check the Salesforce credentials.')}"
    )


def _who(answer: requests.Response) -> tuple[str, str]:
    """Org id and user id, from the `id` address of an OAuth answer or the elements of a SOAP answer."""
    if "/services/Soap/" in (answer.request.url or ""):
        found = {name: value.decode() for name, value in _SOAP_ID.findall(answer.content)}
        pair = [found.get(b"organizationId", ""), found.get(b"userId", "")]
    else:
        pair = urlsplit(str(orjson.loads(answer.content).get("id") or "")).path.split("/")[-2:]
    if len(pair) != 2 or not all(pair):
        raise SchemaChanged("Salesforce did not say which org and user the login belongs to.")
    return id18(pair[0]), id18(pair[1])
