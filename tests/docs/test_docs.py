"""The documents say what is there: links resolve, commands and targets exist, settings are all named. Whole commands: test_instructions.py."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import phonenumbers
import pytest
import typer

from app.cli import cli
from docs.settings_page import PAGE, render, settings, words_of
from tests.stand_ins import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "benchmarks").glob("*.md")])
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
LEAST_SENTENCE = 8


def commands(text: str, program: str) -> set[str]:
    """What a page tells people to type, from its code blocks and spans."""
    blocks = FENCE.findall(text)
    lines = [line.strip() for block in blocks for line in block.splitlines()[1:-1]]
    lines += [line.strip() for line in text.splitlines() if line.startswith("    ")]
    lines += CODE.findall(FENCE.sub("", text))
    found = (re.match(rf"(?:\$ )?(?:\.venv/bin/)?{program} ([^#]*)", line) for line in lines)
    return {match[1].strip() for match in found if match and match[1].strip()}


def all_of(program: str) -> list[tuple[str, str]]:
    return sorted(
        (page.relative_to(ROOT).as_posix(), line)
        for page in PAGES
        for line in commands(page.read_text(encoding="utf-8"), program)
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_resolve(page: Path) -> None:
    missing = []
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", target) or target.startswith("#"):
            continue
        if not (page.parent / unquote(target.split("#")[0])).exists():
            missing.append(target)
    assert missing == []


@pytest.mark.parametrize(("page", "line"), all_of("ringtrue"))
def test_every_command_exists(page: str, line: str) -> None:
    command: Any = typer.main.get_command(cli)
    words = shlex.split(line.replace("…", ""))
    while words and hasattr(command, "commands") and not words[0].startswith("-"):
        assert words[0] in command.commands, f"{page}: there is no command `ringtrue {line}`"
        command = command.commands[words.pop(0)]
    assert command.help, f"{page}: `ringtrue {line}` has no help"
    if command.context_settings.get("ignore_unknown_options"):
        return
    known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)} | {"--help", "--"}
    options = [word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)]
    assert [option for option in options if option not in known] == [], f"{page}: ringtrue {line}"


@pytest.mark.parametrize(("page", "line"), all_of("make"))
def test_every_target_exists(page: str, line: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    word = next((word for word in line.split() if "=" not in word), "help")
    assert word in targets, f"{page}: there is no target `make {word}`"


def test_every_command_and_option_has_help() -> None:
    silent: list[str] = []

    def visit(command: Any, path: str) -> None:
        silent.extend([path] if len(command.help or "") < LEAST_SENTENCE else [])
        options = [option for option in command.params if option.param_type_name == "option"]
        silent.extend(f"{path} {option.opts[0]}" for option in options if not option.help)
        for name, child in getattr(command, "commands", {}).items():
            visit(child, f"{path} {name}")

    visit(typer.main.get_command(cli), "ringtrue")
    assert silent == []


def test_the_settings_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "docs/settings.md is old: run make docs"


def test_the_settings_page_explains_every_setting() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for table, model in settings():
        assert f"[{table}]" in text or not any(f"`{name}` |" in text for name in model.model_fields), table
    bare = re.findall(r"^\| `(\w+)` \| [^|]+ \|\s*\|$", text, re.MULTILINE)
    assert bare == [], "say in a sentence below the setting, or in docs/settings_page.py, what these mean"
    assert words_of(settings().__next__()[1], "url")


def test_the_delivered_settings_are_explained() -> None:
    text = PAGE.read_text(encoding="utf-8")
    names = set(re.findall(r"^([a-z_]+) = ", (ROOT / "ringtrue.toml").read_text(encoding="utf-8"), re.MULTILINE))
    options = {"products"}
    assert {name for name in names - options if f"`{name}`" not in text} == set()


WELL_KNOWN = {"dev", "etc", "mnt", "opt", "usr", "var"}
"""Where things are on any Linux. A path into another folder of the root is one machine's."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_no_page_names_a_place_on_one_machine(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    here = {path.name for path in Path("/").iterdir() if path.is_dir()} - WELL_KNOWN
    named = set(re.findall(r"(?<![\w.:/~…{}*`\]-])/([A-Za-z][\w.-]*)/", text)) | set(
        re.findall(r"`/([A-Za-z][\w.-]*)/", text)
    )
    assert named & here == set()
    assert "site-packages" not in text


EXAMPLES = {
    phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    for region in phonenumbers.SUPPORTED_REGIONS
    for kind in (*range(11), 27, 28)
    if (number := phonenumbers.example_number_for_type(region, kind)) is not None
}
FICTION = re.compile(r"\+(?:1\d{3}55501\d\d|44(?:1632960\d{3}|7700900\d{3}|2079460\d{3}|1214960\d{3}))")


# docs/numbers.md is about damaged numbers: its cases are not numbers anybody can have.
@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name != "numbers.md"], ids=lambda page: page.relative_to(ROOT).as_posix()
)
def test_numbers_in_pages_are_nobodys(page: Path) -> None:
    numbers = set(re.findall(r"\+\d{8,15}\b", page.read_text(encoding="utf-8")))
    assert {number for number in numbers if number not in EXAMPLES and not FICTION.fullmatch(number)} == set()
