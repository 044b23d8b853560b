"""`ringtrue init`: asks, tries the credentials, writes ringtrue.toml and says what comes next."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from app.console import err, out, print_json
from app.setup.answers import CRMS, Answers, Interview, attempt, check, default_timezone
from app.setup.file import already_there, render, write
from ringtrue.errors import SettingsError
from ringtrue.settings import settings_path


def init(
    crm: Annotated[list[str] | None, typer.Option(help="salesforce or hubspot; may be given twice.")] = None,
    domain: Annotated[str, typer.Option(help="My Domain of the Salesforce org, such as acme.my.")] = "login",
    auth: Annotated[
        str, typer.Option(help="Salesforce login: client_credentials, jwt or password.")
    ] = "client_credentials",
    do_not_call_property: Annotated[
        str | None, typer.Option(help="HubSpot property that means do-not-call; one of ours by default.")
    ] = None,
    folder: Annotated[str | None, typer.Option(help="Folder with contact lists (CSV, Excel).")] = None,
    region: Annotated[str, typer.Option(help="Country of numbers that name none, such as US.")] = "US",
    timezone: Annotated[str | None, typer.Option(help="Time zone of the schedules; this machine's by default.")] = None,
    language: Annotated[str, typer.Option(help="Language of reasons and labels: en or zh.")] = "en",
    sandbox: Annotated[
        bool, typer.Option("--sandbox", help="Connections without credentials speak to the sandbox.")
    ] = False,
    at: Annotated[
        list[str] | None, typer.Option(help="Another address than the vendor's to try credentials at: CRM=URL.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing: take the options.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace an older file, which is kept beside the new one.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Ask what is needed, try the credentials, and write ringtrue.toml. No secret is written: the file names environment variables."""
    path = settings_path()
    if path.exists() and not force:
        raise already_there(path)
    addresses = _addresses(at or [])
    given = Answers(
        crms=tuple(dict.fromkeys(crm or ())), domain=domain, auth=auth, do_not_call_property=do_not_call_property, folder=folder,
        region=region.upper(), timezone=timezone or default_timezone(), language=language, sandbox=sandbox,
    )  # fmt: skip
    if yes:
        answers = check(given)
        if not answers.crms and not answers.folder:
            raise SettingsError("Nothing to connect was named: give --crm salesforce, --crm hubspot or --folder.")
        answers = replace(answers, tried={name: attempt(answers, name, addresses.get(name)) for name in answers.crms})
    else:
        answers = Interview(err, addresses.get).ask(given)
    kept = write(path, render(answers), force=force)
    if answers.folder:
        (path.parent / answers.folder).mkdir(parents=True, exist_ok=True)
    steps = next_steps(answers)
    if as_json:
        tried = {name: {"logged_in_to": one.identity, "missing": one.missing} for name, one in answers.tried.items()}
        print_json({"file": str(path), "kept": str(kept) if kept else None, "connections": tried, "next": steps})
        return
    out.print(
        f"Written: {escape(str(path))}" + (f"; the old one is {escape(kept.name)}" if kept else ""), soft_wrap=True
    )
    for number, step in enumerate(steps, start=1):
        out.print(f"  {number}. {escape(step)}", soft_wrap=True)


def _addresses(given: list[str]) -> dict[str, str]:
    pairs = dict(one.partition("=")[::2] for one in given)
    for name, url in pairs.items():
        if name not in CRMS or not url.startswith(("http://", "https://")):
            raise SettingsError("Write --at as salesforce=https://… or hubspot=https://….")
    return pairs


def next_steps(answers: Answers) -> list[str]:
    """What to do now, in order."""
    steps = [
        f"Set {' and '.join(tried.missing)} in the environment (docs/connect-{name}.md)."
        for name, tried in answers.tried.items()
        if tried.missing
    ]
    if "salesforce" in answers.crms and answers.auth == "client_credentials" and answers.domain in ("login", "test"):
        steps.append('Set domain under [connections.salesforce] to the My Domain of the org, such as "acme.my".')
    if answers.sandbox and steps:
        steps.append("Until then: start `ringtrue sandbox` in a window of its own.")
    if answers.folder:
        steps.append(f"Put contact lists into the folder {Path(answers.folder)}.")
    steps.append("`ringtrue doctor` looks whether everything is in place.")
    if answers.crms:
        steps.append("`ringtrue prepare` makes the fields RingTrue writes; `--dry-run` shows them first.")
    steps.append("`ringtrue sync` pulls, decides and previews. Nothing is written to a CRM while enabled = false.")
    if answers.crms:
        steps.append(
            "Look at the preview in the Dagster UI (`make dev`), then set enabled = true; the first run asks for `ringtrue approve`."
        )
    return steps
