"""The settings file that `ringtrue init` writes: commented, without a secret, and read back before it is left there."""

from __future__ import annotations

import itertools
import json
import os
import tempfile
import tomllib
from pathlib import Path

from app.setup.answers import SANDBOXES, Answers
from connectors.resources import variables
from ringtrue.errors import SettingsError
from ringtrue.settings import Settings

_HEAD = """# RingTrue's one settings file. docs/settings.md explains every setting. It holds no secrets: those stand in the environment.

[ledger]
url = "sqlite:///data/ledger.db"        # or postgresql://ringtrue@db/ringtrue with password_variable = "RINGTRUE_LEDGER_PASSWORD"
"""
_LOOKUPS = """
# Lookup services cost money and are off until you switch one on (docs/costs.md). Its secrets stand in the environment.
# [lookups.twilio]
# enabled = true
# products = ["line_status"]
# budget = { run = 20, day = 50, month = 300 }

# Registries such as the US national one: without a fresh one nobody of its country is on the dialling list (docs/do-not-call.md).
# [registries.us_national]
# kind = "us_national"
# folder = "registries/us"
"""


def render(answers: Answers) -> str:
    """The text of the file."""
    parts = [_HEAD]
    minute = 0
    for name in answers.crms:
        connection = answers.connection(name)
        secrets = ", ".join(variables(name, connection))
        lines = [f"\n[connections.{name}]", f'kind = "{name}"', f"# Credentials: {secrets} (docs/connect-{name}.md)."]
        if answers.sandbox:
            lines.append(
                f"sandbox_url = {_quoted(SANDBOXES[name])}   # used as long as those are not set: `ringtrue sandbox`"
            )
        lines.append(
            "enabled = false                         # the gate for writing: look at the preview first, then set it to true"
        )
        if name == "salesforce":
            lines += [f"auth = {_quoted(answers.auth)}", f"domain = {_quoted(answers.domain)}"]
        elif answers.do_not_call_property:
            lines.append(f"do_not_call_property = {_quoted(answers.do_not_call_property)}")
        lines += [
            'mode = "separate_field"                 # E.164 goes to fields of its own; "replace" rewrites phone fields',
            f"default_region = {_quoted(answers.region)}                   # country of numbers when neither number nor record says",
            f"schedule = {_quoted(f'{minute} * * * *')}",
            f"timezone = {_quoted(answers.timezone)}",
        ]
        parts.append("\n".join(lines) + "\n")
        minute += 20
    if answers.folder:
        parts.append(
            f'\n[connections.files]\nkind = "files"\nfolder = {_quoted(answers.folder)}                      # every .csv and .xlsx in it\n'
            f"default_region = {_quoted(answers.region)}\nschedule = {_quoted(f'{minute} * * * *')}\ntimezone = {_quoted(answers.timezone)}\n"
        )
    parts.append(f"\n[policy]\nlanguage = {_quoted(answers.language)}\n")
    parts.append(f'\n[report]\nschedule = "0 6 * * *"\ntimezone = {_quoted(answers.timezone)}\n')
    parts.append(_LOOKUPS)
    return "".join(parts)


def write(path: Path, text: str, *, force: bool) -> Path | None:
    """Write the file, whole or not at all; with `force` an older one is kept beside it, whose path is returned. Raises SettingsError."""
    Settings.model_validate(tomllib.loads(text))
    if path.exists() and not force:
        raise already_there(path)
    if not path.parent.is_dir():
        raise SettingsError(f"There is no folder {path.parent}: make it first.")
    kept = None
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    Path(name).chmod(0o644)
    if path.exists():
        names = itertools.chain(("before",), (f"before-{number}" for number in itertools.count(2)))
        kept = next(place for name in names if not (place := path.with_name(f"{path.name}.{name}")).exists())
        path.replace(kept)
    Path(name).replace(path)
    return kept


def already_there(path: Path) -> SettingsError:
    """What to say instead of writing over somebody's settings."""
    return SettingsError(
        f"{path} is there already and stays as it is. Edit it, or say --force: the old one is kept as {path.name}.before."
    )


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
