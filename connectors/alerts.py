"""Ways to tell people: a Slack-style incoming webhook, and e-mail by SMTP."""

from __future__ import annotations

import os
import smtplib
import ssl
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

import httpx

from connectors.http import RetryPolicy, error_for_status, retrying
from ringtrue.alert_settings import LOOPBACK, AlertsSettings, EmailSettings
from ringtrue.errors import (
    CredentialRefused,
    HostUnreachable,
    RecordRefused,
    RingTrueError,
    ServiceUnavailable,
    SettingsError,
    StopRun,
)
from ringtrue.masking import mask_text

Way = Callable[[str, str], None]
"""Tells a title and a text. Raises RingTrueError when nobody took them, RecordRefused where the message itself was refused."""
PATIENCE_SECONDS = 10.0
LONGEST_POST = 3_000
"""Characters of a message to a webhook: Google Chat takes about 4,000, Mattermost 16,383, Slack 40,000."""
_CONTENT_REFUSED = frozenset({400, 413, 422})
_ONCE = RetryPolicy(attempts=1, unreachable_attempts=1)


def ways(settings: AlertsSettings, environment: Mapping[str, str] = os.environ) -> dict[str, Way]:
    """The ways that the settings name. What is wrong with one is told when it is used."""
    found: dict[str, Way] = {}
    variable = settings.webhook_variable
    if variable:
        found["webhook"] = _guarded("webhook", lambda title, text: post(_address(variable, environment), title, text))
    if settings.email.to:
        found["email"] = _guarded(
            "email", lambda title, text: mail(settings.email, _password(settings.email, environment), title, text)
        )
    return found


def unusable(settings: AlertsSettings, environment: Mapping[str, str] = os.environ) -> list[str]:
    """What is wrong with the secrets of the ways, one sentence each. Nothing is sent."""
    found: list[str] = []
    looks: list[Callable[[], object]] = []
    if variable := settings.webhook_variable:
        looks.append(lambda: _address(variable, environment))
    if settings.email.to:
        looks.append(lambda: _password(settings.email, environment))
    for look in looks:
        try:
            look()
        except SettingsError as error:
            found.append(str(error))
    return found


def _guarded(name: str, tell: Way) -> Way:
    """The way with every failure translated: one way's surprise may not keep the others from being told, nor what was told from being noted."""

    def told(title: str, text: str) -> None:
        try:
            tell(title, text)
        except RingTrueError:
            raise
        except Exception as error:
            # Of an error that nobody foresaw only the type is shown: it may hold the secret.
            raise StopRun(
                f"The alert by {name} could not be sent ({type(error).__name__}). Check the settings and secrets of [alerts]."
            ) from None

    return told


def _address(variable: str, environment: Mapping[str, str]) -> str:
    # A mounted secret often ends in a newline.
    address = environment.get(variable, "").strip()
    if not address:
        raise SettingsError(f"Set {variable} to the webhook's address, or take webhook_variable out of [alerts].")
    try:
        parts = httpx.URL(address)
    except httpx.InvalidURL:
        raise SettingsError(f"{variable} must hold an https address.") from None
    if not parts.host or (parts.scheme != "https" and not (parts.scheme == "http" and parts.host in LOOPBACK)):
        raise SettingsError(f"{variable} must hold an https address.")
    return address


def _password(settings: EmailSettings, environment: Mapping[str, str]) -> str | None:
    if settings.user is None:
        return None
    password = environment.get(settings.password_variable, "").rstrip("\r\n")
    if not password:
        raise SettingsError(
            f"Set {settings.password_variable} to the mail password of {settings.user}, or take user out of [alerts.email]."
        )
    if not password.isascii():
        raise SettingsError(
            f"{settings.password_variable} holds a character outside ASCII, which no mail login carries. Give {settings.user} another password."
        )
    return password


def post(address: str, title: str, text: str) -> None:
    """Post `{"text": …}`, which Slack, Mattermost, Rocket.Chat and Google Chat take. No error shows the address: it is a secret.

    `&`, `<` and `>` are escaped as Slack wants it, so that no text can call the whole channel. Redirects are not followed.
    """
    plain = f"*{title}*\n{_fitting(text)}"
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        plain = plain.replace(character, entity)

    def send() -> None:
        with httpx.Client(timeout=PATIENCE_SECONDS, follow_redirects=False) as client:
            answer = client.post(address, json={"text": plain})
        if answer.is_success:
            return
        error = error_for_status("The alert webhook", answer.status_code, answer.headers, answer.text)
        if error is not None:
            raise error
        if answer.status_code in _CONTENT_REFUSED:
            raise RecordRefused(f"The alert webhook did not take this message (HTTP {answer.status_code}).")
        raise StopRun(f"The alert webhook refused the message (HTTP {answer.status_code}). Check its address.")

    retrying(send, policy=_ONCE)


def _fitting(text: str) -> str:
    """The text with its lines cut so that the whole fits; the last one, which says where to look, stays."""
    *lines, last = text.split("\n")
    if not lines or len(text) <= LONGEST_POST:
        return text[:LONGEST_POST]
    most = (LONGEST_POST - len(last)) // len(lines) - len(" …\n")
    return "\n".join([*(line if len(line) <= most else f"{line[:most]} …" for line in lines), last])


def mail(settings: EmailSettings, password: str | None, title: str, text: str) -> None:
    """Send one plain-text message to all recipients, encrypted as the settings say, with the server's certificate checked."""
    message = EmailMessage()
    message["Subject"] = " ".join(title.split())
    message["From"] = settings.sender
    message["To"] = ", ".join(settings.to)
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain=settings.sender.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    where = f"The mail server {settings.host}:{settings.port}"
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
        with _connect(settings, context) as server:
            if settings.encryption == "starttls":
                server.starttls(context=context)
            if settings.user is not None and password is not None:
                server.login(settings.user, password)
            server.send_message(message)
    except smtplib.SMTPAuthenticationError as error:
        raise CredentialRefused(
            f"{where} refused the login of {settings.user}. Check {settings.password_variable}."
        ) from error
    except smtplib.SMTPNotSupportedError as error:
        raise StopRun(
            f"{where} does not offer what [alerts.email] asks for: {error}. Check encryption and port."
        ) from error
    except smtplib.SMTPRecipientsRefused as error:
        raise StopRun(f"{where} takes no mail for the recipients in [alerts.email]. Check `to`.") from error
    except smtplib.SMTPResponseException as error:
        told = mask_text(
            str(error.smtp_error, "utf-8", "replace") if isinstance(error.smtp_error, bytes) else error.smtp_error
        )
        # 5xx after the content, or 552 for its announced size: sending it again changes nothing.
        permanent = isinstance(error, smtplib.SMTPDataError) and error.smtp_code >= 500
        if permanent or error.smtp_code == 552:
            raise RecordRefused(f"{where} does not take this message: {error.smtp_code} {told}") from error
        raise ServiceUnavailable(f"{where} did not take the message: {error.smtp_code} {told}") from error
    except ssl.SSLError as error:
        raise StopRun(
            f"{where} has no certificate that can be trusted ({error.reason}). Check host and ca_file."
        ) from error
    except (smtplib.SMTPException, TimeoutError) as error:
        raise ServiceUnavailable(f"{where} broke off ({type(error).__name__}).") from error
    except OSError as error:
        raise HostUnreachable(f"{where} cannot be reached: {error.strerror or error}. Check host and port.") from error


def _connect(settings: EmailSettings, context: ssl.SSLContext) -> smtplib.SMTP:
    if settings.encryption == "tls":
        return smtplib.SMTP_SSL(settings.host, settings.port, timeout=PATIENCE_SECONDS, context=context)
    return smtplib.SMTP(settings.host, settings.port, timeout=PATIENCE_SECONDS)
