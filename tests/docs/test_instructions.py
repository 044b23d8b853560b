"""What pages tell their readers to type is what programs take: whole commands are parsed, targets are played through, settings are read.

tests/pipeline/test_commands.py runs each command of the command line, by its example in docs/commands.md.
"""

from __future__ import annotations

import configparser
import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import orjson
import pytest
import typer
from dagster._daemon.cli import cli as daemon
from dagster_webserver.cli import dagster_webserver
from typer.testing import CliRunner

from app.cli import cli
from ringtrue.lookup_settings import LookupsSettings
from ringtrue.settings import Settings
from tests.stand_ins import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "benchmarks").glob("*.md")])
BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
NOT_OURS = {
    "docs/adding-a-lookup.md": "tests/lookups/test_adding.py",
    "docs/adding-a-registry.md": "tests/ledger/registries/test_adding.py",
    "docs/adding-a-crm.md": "tests/connectors/test_adding_a_crm.py",
}
"""Pages whose tables and settings belong to a program that is changed first: the test that does so."""
FAMILIES = {"benchmarks", "app", "sandbox", "ringtrue"}


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(kind: str) -> list[tuple[str, str]]:
    """(page, text) of every block of a kind."""
    return [
        (name_of(page), text)
        for page in PAGES
        for found, text in BLOCK.findall(page.read_text(encoding="utf-8"))
        if found == kind
    ]


def typed(*kinds: str) -> list[tuple[str, str]]:
    """(page, command) of every line to type: without prompt, comment, sudo and the folder of the program."""
    found = []
    for kind in kinds:
        for page, text in blocks(kind):
            for line in text.replace("\\\n", " ").splitlines():
                command = re.sub(r"\s+#\s.*$", "", line.strip().removeprefix("$ "))
                command = re.sub(r"^sudo (?:-u \w+ )?", "", command).removeprefix(".venv/bin/")
                found.append((page, command))
    return found


def starting(word: str, *kinds: str) -> list[tuple[str, str]]:
    return sorted({(page, line) for page, line in typed(*kinds) if re.match(rf"{re.escape(word)}(?: |$)", line)})


def parse(command: Any, words: list[str]) -> list[str]:
    """Parse as the program would, and say which command it is. Raises click.UsageError."""
    path: list[str] = []
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words[0]]
        path.append(words.pop(0))
    command.make_context(" ".join(path), words)
    return path


@pytest.mark.parametrize(("page", "line"), starting("ringtrue", "sh", ""))
def test_the_command_line_takes_it(page: str, line: str) -> None:
    try:
        path = parse(typer.main.get_command(cli), shlex.split(line)[1:])
    except click.UsageError as error:
        pytest.fail(f"{page}: `{line}`: {error.format_message()}")
    examples = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
    assert f"| `{' '.join(path)}` |" in examples, (
        f"{page}: docs/commands.md has no example of `{line}`, so no test runs it"
    )


def test_what_needs_no_crm_does_what_its_page_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RINGTRUE_SETTINGS", str(tmp_path / "ringtrue.toml"))
    shutil.copy(ROOT / "ringtrue.toml", tmp_path)
    for page, text in blocks("toml"):
        if page == "docs/policies.md":
            Path("stricter.toml").write_text(text, encoding="utf-8")
    Path("contacts.csv").write_text("name,phone\nAnn,(506) 234-5678\nBo,12\n", encoding="utf-8")

    def run(start: str) -> str:
        (line,) = {line for _, line in typed("sh") if line.startswith(start)}
        done = CliRunner().invoke(cli, shlex.split(line)[1:])
        assert done.exit_code == 0, f"`{line}`: {done.output}"
        return done.output

    told = run("ringtrue check ")
    assert "+447400123456" in told
    assert "+15062345678" in told
    run("ringtrue clean contacts.csv")
    assert "+15062345678" in Path("contacts.cleaned.csv").read_text(encoding="utf-8")
    assert "holds no numbers yet" in run("ringtrue replay --policy stricter.toml")


def test_dagster_takes_its_commands() -> None:
    shown = starting("dagster-webserver", "sh") + starting("dagster-daemon", "sh")
    units = configparser.ConfigParser(strict=False)
    for _, text in blocks("ini"):
        if "[Service]" in text:
            units.read_string(text)
            program, *words = shlex.split(units["Service"]["ExecStart"])
            assert (Path(sys.executable).parent / Path(program).name).exists(), program
            shown.append(("docs/production.md", shlex.join([Path(program).name, *words])))
    assert len(shown) >= 5
    for page, line in shown:
        program, *words = shlex.split(line)
        command = {"dagster-webserver": dagster_webserver, "dagster-daemon": daemon}.get(program)
        try:
            parse(command or typer.main.get_command(cli), words)
        except click.UsageError as error:
            pytest.fail(f"{page}: `{line}`: {error.format_message()}")


def test_make_knows_what_to_do() -> None:
    lines = starting("make", "sh", "")
    assert lines
    for page, line in lines:
        words = shlex.split(line.replace(" -C /opt/ringtrue", ""))
        done = subprocess.run(["make", "-n", *words[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{page}: `{line}`: {done.stderr}"


def test_modules_that_are_started_are_there() -> None:
    named = {
        (name_of(page), module)
        for page in PAGES
        for module in re.findall(r"python -m ([a-z_.]+\w)", page.read_text(encoding="utf-8"))
        if module.split(".")[0] in FAMILIES
    }
    assert [one for one in sorted(named) if importlib.util.find_spec(one[1]) is None] == []


def test_addresses_of_the_entry_service_are_there() -> None:
    served = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "app/serve").glob("*.py"))
    known = {path.partition("{")[0].rstrip("/") for path in re.findall(r'"(/[a-z0-9/{_-]+)', served)}
    for page in PAGES:
        for path in re.findall(r"https://ringtrue\.example\.com(/[a-z0-9/-]+)", page.read_text(encoding="utf-8")):
            assert any(path.rstrip("/").startswith(one) for one in known), f"{name_of(page)}: {path}"


def test_what_curl_sends_is_what_the_entry_service_takes() -> None:
    described = orjson.loads((ROOT / "app/templates/door_openapi.json").read_bytes())
    shown = starting("curl", "sh", "")
    assert shown
    for page, line in shown:
        words = shlex.split(line)
        path = urlsplit(words[1]).path
        body = described["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
        if "$ref" in body:
            body = reduce(getitem, body["$ref"].removeprefix("#/").split("/"), described)
        sent = orjson.loads(words[words.index("-d") + 1])
        assert set(body.get("required", ())) <= set(sent) <= set(body["properties"]), f"{page}: `{line}`"


@pytest.mark.parametrize(("page", "text"), [found for found in blocks("toml") if found[0] not in NOT_OURS])
def test_settings_are_read(page: str, text: str) -> None:
    """On top of the delivered connections, since most pages show a part."""
    values = tomllib.loads(text.replace("…", ""))
    if text.startswith("# /etc/"):
        return
    delivered = tomllib.loads((ROOT / "ringtrue.toml").read_text(encoding="utf-8"))["connections"]
    shown = values.get("connections", {})
    connections = {name: {**delivered.get(name, {}), **shown.get(name, {})} for name in {*delivered, *shown}}
    Settings.model_validate({**values, "connections": connections})
    LookupsSettings.model_validate(values.get("lookups", {}))


@pytest.mark.parametrize("page", NOT_OURS)
def test_pages_that_change_the_program_are_tested(page: str) -> None:
    assert page in (ROOT / NOT_OURS[page]).read_text(encoding="utf-8")


def test_both_readmes_say_the_same_commands_in_the_same_order() -> None:
    def commands(name: str) -> list[str]:
        text = (ROOT / name).read_text(encoding="utf-8")
        text = re.sub(r"<!-- summary -->.*?<!-- end of summary -->", "", text, flags=re.DOTALL)
        lines = [line for _, block in BLOCK.findall(text) for line in block.splitlines()]
        spans = re.findall(r"`((?:make|ringtrue|\.venv/bin/ringtrue) [^`]*|[A-Z_]+=\w+)`", BLOCK.sub("", text))
        return [re.sub(r"\s+#\s.*$", "", line) for line in lines] + spans

    assert commands("README.zh.md") == commands("README.md")


def test_both_readmes_lead_to_the_same_pages() -> None:
    def pages(name: str) -> list[str]:
        found = re.findall(r"\]\(((?:docs|benchmarks)/[^)#]+|[A-Z]+\.md)\)", (ROOT / name).read_text(encoding="utf-8"))
        return [page for page in found if not page.startswith("README")]

    assert pages("README.zh.md") == pages("README.md")
