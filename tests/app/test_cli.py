"""The command line as a whole: it starts fast, lists what there is, and shows every word of its help."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import pytest
import typer
from rich.markup import render
from typer.testing import CliRunner

from app.cli import COMMANDS, cli, main
from tests.stand_ins import ROOT

HEAVY = ("scipy", "matplotlib", "dagster", "sqlalchemy", "simple_salesforce", "hubspot")


def plain(text: str) -> str:
    """Words alone: no lines, no frames, no markup."""
    return "".join(re.findall(r"[\w\[\]<>]+", text))


def every(command: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    children = dict(getattr(command, "commands", {}))
    return [(path, command), *(one for name, child in children.items() for one in every(child, (*path, name)))]


def test_neither_the_list_nor_check_waits_for_what_it_does_not_use() -> None:
    code = f"""if True:
        import sys
        from app.cli import cli
        for arguments in (["--help"], ["check", "+447400123456"]):
            cli(arguments, standalone_mode=False)
            assert not set(sys.modules) & set({HEAVY!r}), arguments
            assert arguments != ["--help"] or "pyarrow" not in sys.modules
    """
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Show how numbers are read" in done.stdout


def test_the_list_says_of_each_command_what_the_command_says() -> None:
    commands: Any = typer.main.get_command(cli)
    shown = {name: entry.help for name, entry in COMMANDS.items()}
    assert shown == {name: str(render(commands.commands[name].help.partition("\n\n")[0])) for name in COMMANDS}


def test_no_word_of_the_help_is_lost() -> None:
    """Typer reads help as Rich markup, where [report] would be a style and vanish."""
    group = typer.main.get_command(cli)
    for path, command in every(group):
        page = plain(CliRunner().invoke(cli, [*path, "--help"], env={"COLUMNS": "400", "NO_COLOR": "1"}).output)
        texts = [command.help or "", *(getattr(one, "help", None) or "" for one in command.params)]
        lost = [text for text in texts if plain(text.replace("\\[", "[")) not in page]
        assert lost == [], " ".join(path)


@pytest.mark.parametrize("arguments", [["chek"], ["check", "--nonsense", "1"], ["check"], ["serve", "code", "ad"]])
def test_a_slip_of_the_keyboard_is_no_defect(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["ringtrue", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "Usage:" in said
    assert "Traceback" not in said
