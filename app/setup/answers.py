"""What `ringtrue init` has to know, asked of a person or given as options."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from zoneinfo import available_timezones

import phonenumbers
import typer
from rich.console import Console
from rich.markup import escape

from connectors.crm import Crm
from connectors.resources import connect, variables
from ringtrue.errors import RingTrueError, SettingsError
from ringtrue.settings import Connection

CRMS: Final = ("salesforce", "hubspot")
AUTHS: Final = ("client_credentials", "jwt", "password")
SANDBOXES: Final = {"salesforce": "http://127.0.0.1:8100", "hubspot": "http://127.0.0.1:8200"}
"""Where `ringtrue sandbox` listens."""


@dataclass(frozen=True)
class Tried:
    """What became of trying one connection's credentials. `identity` is the org or portal that answered."""

    identity: str | None
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Answers:
    """Everything the settings file is made of. Secrets are none of it."""

    crms: tuple[str, ...] = ()
    domain: str = "login"
    auth: str = "client_credentials"
    do_not_call_property: str | None = None
    folder: str | None = None
    region: str = "US"
    timezone: str = "UTC"
    language: str = "en"
    sandbox: bool = False
    """Whether connections without credentials speak to the sandbox."""
    tried: dict[str, Tried] = field(default_factory=dict)

    def connection(self, name: str) -> Connection:
        """The connection as it will stand in the file."""
        values: dict[str, Any] = {"kind": name, "sandbox_url": SANDBOXES[name] if self.sandbox else None}
        if name == "salesforce":
            values |= {"domain": self.domain, "auth": self.auth}
        else:
            values |= {"do_not_call_property": self.do_not_call_property}
        return Connection.model_validate(values)


def check(answers: Answers) -> Answers:
    """The answers, or SettingsError for one that cannot be."""
    for name in answers.crms:
        if name not in CRMS:
            raise SettingsError(f"There is no CRM {name!r}: choose salesforce or hubspot.")
    if answers.auth not in AUTHS:
        raise SettingsError(f"There is no login {answers.auth!r}: choose one of {', '.join(AUTHS)}.")
    if answers.region not in phonenumbers.SUPPORTED_REGIONS:
        raise SettingsError(f"There is no country {answers.region!r}: write its two-letter code, such as US.")
    if answers.timezone not in available_timezones():
        raise SettingsError(f"There is no time zone {answers.timezone!r}: write one such as Europe/Berlin.")
    if answers.language not in ("en", "zh"):
        raise SettingsError(f"RingTrue does not speak {answers.language!r}: choose en or zh.")
    return answers


def missing_of(name: str, connection: Connection) -> tuple[str, ...]:
    """Environment variables of a connection that are not set."""
    return tuple(variable for variable in variables(name, connection) if not os.environ.get(variable))


def attempt(answers: Answers, name: str, address: str | None) -> Tried:
    """Log in and read what the questions were about. Raises an error of ours, in a sentence, when the service says no."""
    connection = answers.connection(name).model_copy(update={"sandbox_url": None})
    missing = missing_of(name, connection)
    if missing:
        return Tried(None, missing)
    crm = connect(name, connection, address=address, soon=True)
    try:
        identity = crm.identity()
        _look(crm, answers)
    finally:
        crm.close()
    return Tried(identity)


def _look(crm: Crm, answers: Answers) -> None:
    """Whether we see contacts at all, and the do-not-call property that was named."""
    crm.available_fields(crm.objects[0])
    wanted = answers.do_not_call_property
    if crm.kind == "hubspot" and wanted and wanted not in crm.describe("contacts"):
        raise SettingsError(
            f"HubSpot has no contact property {wanted!r}, or hides it from this token: correct the name, or leave it empty."
        )


def default_timezone() -> str:
    """This machine's zone, or UTC where it does not say."""
    named = os.environ.get("TZ", "").removeprefix(":")
    if named not in available_timezones():
        named = "/".join(Path("/etc/localtime").resolve().parts[-2:])
    return named if named in available_timezones() else "UTC"


class Interview:
    """Asks one question at a time; an answer that cannot be is asked for again. Speaks on `console`."""

    def __init__(self, console: Console, address_of: Callable[[str], str | None]) -> None:
        self._console = console
        self._address_of = address_of

    def ask(self, known: Answers) -> Answers:
        """All questions, the values known as defaults. Raises typer.Abort when the person gives up."""
        found = [name for name in CRMS if not missing_of(name, replace(known, crms=(name,)).connection(name))]
        usual = " ".join(known.crms or found or ("salesforce",))
        answers = self._again(
            lambda: check(replace(known, crms=_names(self._line("CRMs (salesforce, hubspot, both or none)", usual))))
        )
        for name in answers.crms:
            answers = self._connection(answers, name)
        folder = self._line("Folder with contact lists (CSV, Excel), or - for none", answers.folder or "imports")
        answers = replace(answers, folder=None if folder == "-" else folder)
        answers = self._again(
            lambda: check(replace(answers, region=self._line("Country of numbers without one", answers.region).upper()))
        )
        answers = self._again(
            lambda: check(replace(answers, timezone=self._line("Time zone of the schedules", answers.timezone)))
        )
        return self._again(
            lambda: check(
                replace(answers, language=self._line("Language of reasons and labels (en, zh)", answers.language))
            )
        )

    def _connection(self, answers: Answers, name: str) -> Answers:
        while True:
            if name == "salesforce":
                auth = self._line(f"How Salesforce is logged in to ({', '.join(AUTHS)})", answers.auth)
                domain = self._line("My Domain of the org, such as acme.my", answers.domain)
                asked = replace(answers, auth=auth, domain=domain)
            else:
                flag = self._line(
                    "HubSpot property that means do-not-call, or - for one of ours", answers.do_not_call_property or "-"
                )
                asked = replace(answers, do_not_call_property=None if flag == "-" else flag)
            try:
                check(asked)
                tried = attempt(asked, name, self._address_of(name))
            except RingTrueError as error:
                self._console.print(f"[red]{escape(str(error))}[/]", soft_wrap=True)
                if not typer.confirm("Ask again? Otherwise nothing is written", default=True, err=True):
                    raise typer.Abort() from error
                continue
            return self._told(asked, name, tried)

    def _told(self, answers: Answers, name: str, tried: Tried) -> Answers:
        answers = replace(answers, tried={**answers.tried, name: tried})
        if tried.identity:
            self._console.print(f"{name}: logged in; this is {escape(tried.identity)}.", soft_wrap=True)
            return answers
        self._console.print(
            f"{name}: {' and '.join(tried.missing)} are not in the environment, so nothing was tried.", soft_wrap=True
        )
        if not answers.sandbox and typer.confirm("Use the sandbox until they are?", default=True, err=True):
            answers = replace(answers, sandbox=True)
        return answers

    def _line(self, question: str, usual: str) -> str:
        return str(typer.prompt(question, default=usual, err=True)).strip()

    def _again(self, ask: Callable[[], Answers]) -> Answers:
        while True:
            try:
                return ask()
            except SettingsError as error:
                self._console.print(f"[red]{escape(str(error))}[/]", soft_wrap=True)


def _names(text: str) -> tuple[str, ...]:
    words = text.replace(",", " ").lower().split()
    if words == ["both"]:
        return CRMS
    return () if words == ["none"] else tuple(dict.fromkeys(words))
