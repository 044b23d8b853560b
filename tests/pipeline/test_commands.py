"""docs/commands.md: every command is there, and each of its examples does what it says."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from app.cli import cli
from ringtrue.ledger.database import fetch
from tests.pipeline.people import command, contact
from tests.pipeline.project import Project
from tests.pipeline.stages import deliver, plan
from tests.stand_ins import ROOT

ROW = re.compile(r"^\| `([a-z ]+)` \| [^|]+ \| `ringtrue (.+)` \|$", re.MULTILINE)
EXAMPLES = ROW.findall((ROOT / "docs/commands.md").read_text(encoding="utf-8"))
ELSEWHERE = {
    "init": "tests/app/test_init.py",
    "demo": "tests/app/test_demo.py",
    "sandbox": "tests/sandbox/test_start.py",
    "serve": "tests/serve/test_command.py",
    "lookups export": "tests/pipeline/test_lookups.py",
    "lookups import": "tests/pipeline/test_lookups.py",
}
"""Examples that run for long or need more around them: the test that runs the command."""
FOR_EYES = {"sandbox"}
"""It hands its options on; `--ports-file` is its JSON."""


def leaves(found: Any, path: str = "") -> dict[str, Any]:
    """Commands by their words; a group that does something itself counts too."""
    children = dict(getattr(found, "commands", {}))
    own = {path: found} if path and (not children or getattr(found, "invoke_without_command", False)) else {}
    for name, child in children.items():
        own |= leaves(child, f"{path} {name}".strip())
    return own


def test_every_command_is_there_with_an_example_and_prints_json() -> None:
    commands = leaves(typer.main.get_command(cli))
    assert {name for name, _ in EXAMPLES} == set(commands)
    assert [name for name, line in EXAMPLES if not line.startswith(name)] == []
    silent = {
        name for name, found in commands.items() if "--json" not in {word for one in found.params for word in one.opts}
    }
    assert silent == FOR_EYES
    for path in ELSEWHERE.values():
        assert (ROOT / path).exists(), path


@pytest.fixture
def desk(small_projects: Callable[[], Project], monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with one sync behind it, its folder as the working directory."""
    project = small_projects()
    for name, value in project.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(project.home)
    contact(project, "+447400123456", FirstName="Ann", LastName="Called", LeadSource="Web")
    text = project.path.read_text(encoding="utf-8")
    project.path.write_text(f'{text}\n[report]\nfolder = "{project.home}/reports"\n', encoding="utf-8")
    Path("list.csv").write_text("name,phone\nAnn,07400 123456\nBo,12\n", encoding="utf-8")
    Path("policy.toml").write_text("[policy]\nprior_dead = 0.2\n", encoding="utf-8")
    Path("stop.csv").write_text("phone\n+447400123457\n", encoding="utf-8")
    return project


def filled(project: Project, line: str) -> str:
    """An example with what its reader would put in."""
    with project.ledger() as ledger, ledger.write() as book:
        if "QUESTION" in line:
            from ringtrue.ledger import review

            review.add(book, "outcome", [("vicidial: Xyzzy", None)], 1)
            return line.replace("QUESTION", str(fetch(book, "SELECT max(review_id) FROM review")[0][0]))
        for word, sql in (
            ("PLAN", "SELECT plan_id FROM plans WHERE state = 'open' LIMIT 1"),
            ("RUN", "SELECT root_run FROM changes WHERE state = 'applied' LIMIT 1"),
            ("EVENT", "SELECT max(event_id) FROM suppressions WHERE source = 'manual'"),
            ("SOURCE", "SELECT source FROM source_states ORDER BY source LIMIT 1"),
        ):
            if word in line.split():
                found = fetch(book, sql)
                assert found, f"nothing to put in for {word}"
                line = line.replace(word, shlex.quote(str(found[0][0])))
    return line


def test_every_example_runs(desk: Project) -> None:
    plan(desk.settings(), "salesforce")
    deliver(desk.settings(), "salesforce")
    failed: dict[str, str] = {}
    for name, line in EXAMPLES:
        if name in ELSEWHERE:
            continue
        done = CliRunner().invoke(cli, shlex.split(filled(desk, line)))
        if done.exit_code not in ((0, 1) if name == "doctor" else (0,)):
            failed[line] = f"{done.exception!r} {done.output[-300:]}"
    assert failed == {}
    assert json.loads(Path("request.json").read_text(encoding="utf-8"))["number"] == "+447400123456"
    assert command("restore", "ledger.backup", "--check")["restored"] is False


def test_the_shell_offers_names_and_ids(desk: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def offered(line: str) -> list[str]:
        words = line.split(" ")
        monkeypatch.setenv("COMP_WORDS", line)
        monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
        monkeypatch.setenv("_RINGTRUE_COMPLETE", "complete_bash")
        return CliRunner().invoke(cli, [], prog_name="ringtrue").output.split()

    assert not (desk.home / "ledger.db").exists()
    assert offered("ringtrue approve ") == []
    assert not (desk.home / "ledger.db").exists(), "asking for words makes no ledger"
    assert {"suppress", "sync"} <= set(offered("ringtrue s"))
    assert offered("ringtrue sync hub") == ["hubspot"]
    assert set(offered("ringtrue prepare ")) == {"hubspot", "salesforce"}
    assert "--evidence" in offered("ringtrue suppress add --e")
    with desk.ledger() as ledger, ledger.write() as book:
        from ringtrue.ledger import journal

        journal.seal(book, "abcd1234", "hubspot", "sync", "run-1", 1, {})
    assert offered("ringtrue approve ") == ["abcd1234"]
    assert offered("ringtrue undo run") == ["run-1"]
