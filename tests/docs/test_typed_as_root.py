"""What docs/production.md and docs/existing-dagster.md have an administrator type is run, line by line, in a folder of the test's.

A program that changes the machine itself is played by a stand-in, which takes whatever it is given; `STAND_INS` says why for each.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.docs.test_instructions import blocks
from tests.stand_ins import ROOT

STAND_INS = {
    "adduser": "It would make a user on this machine.",
    "sudoedit": "It opens an editor.",
    "systemctl": "It would start services on this machine; the unit files are verified and their commands parsed.",
    "journalctl": "It follows a log for ever.",
    "systemd-run": "It needs a running systemd; the command it would run is run.",
    "createuser": "It asks a PostgreSQL server of the machine for a password.",
    "createdb": "It needs that server.",
    "make": "Installing takes minutes: `make -n` shows that the target is there.",
    "ringtrue": "tests/pipeline/test_commands.py runs every command of the command line.",
}
PAGES = ("docs/production.md", "docs/existing-dagster.md")
SUDO = 'while [ $# -gt 0 ]; do case "$1" in -u) shift 2;; *) break;; esac; done; exec "$@"'


def lines(page: str) -> list[str]:
    """What is typed into a shell on a page, without remarks."""
    typed = [
        line.partition(" # ")[0].strip() for found, text in blocks("sh") if found == page for line in text.splitlines()
    ]
    return [line for line in typed if line and not line.startswith("#")]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder in the place of the machine: a repository to clone, and stand-ins that note how they were called."""
    repository = tmp_path / "repository"
    shutil.copytree(ROOT / "docs", repository / "docs")
    for name in ("Makefile", "requirements.lock", "pyproject.toml", "setup.py"):
        shutil.copy(ROOT / name, repository)
    for words in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-qm", "x"],
    ):
        subprocess.run(["git", *words], cwd=repository, check=True)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in STAND_INS:
        told = 'exec "$REAL_MAKE" -n "$@"' if name == "make" else "true"
        _script(programs / name, f'echo "{name} $*" >> "{tmp_path}/calls"\n{told}')
    _script(programs / "sudo", SUDO)
    return tmp_path


def _script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)


@pytest.mark.parametrize("page", PAGES)
def test_every_line_to_type_runs(page: str, place: Path) -> None:
    here = {"/opt/": f"{place}/opt/", "/etc/": f"{place}/etc/", "REPOSITORY": str(place / "repository")}
    environment = {**os.environ, "PATH": f"{place}/bin:{os.environ['PATH']}", "REAL_MAKE": str(shutil.which("make"))}
    (place / "opt").mkdir()
    typed = lines(page)
    assert typed
    script = "set -e\n"
    for line in typed:
        for there, found in here.items():
            line = line.replace(there, found)
        program = shlex.split(line.replace("$(", "").removeprefix("sudo "))[0]
        script += f"{line}\n"
        assert shutil.which(program, path=environment["PATH"]) or program in ("cd", "-u"), f"{page}: {line}"
    done = subprocess.run(
        ["/bin/sh", "-e"], input=script, cwd=place, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{page}: {done.stderr}"
    assert (place / "opt/ringtrue/Makefile").is_file()
    if page == "docs/production.md":
        secrets = place / "etc/ringtrue/environment"
        assert secrets.stat().st_mode & 0o777 == 0o600
        calls = (place / "calls").read_text(encoding="utf-8")
        for service in ("ringtrue-daemon", "ringtrue-webserver", "ringtrue-door"):
            assert any(service in call for call in calls.splitlines() if call.startswith("systemctl enable --now"))


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
@pytest.mark.parametrize("page", PAGES)
def test_unit_files_are_what_systemd_takes(page: str, tmp_path: Path) -> None:
    """The pages' units with the program's folder in the place of /opt/ringtrue. Units that say "the same with these lines" get the first one's."""
    units = [text for found, text in blocks("ini") if found == page and "[Service]" in text]
    assert units
    first: list[str] = []
    for text in units:
        name = Path(text.splitlines()[0].removeprefix("# ")).name
        body = text.splitlines()[1:]
        if not first:
            first = [
                line
                for line in body
                if "=" in line and not line.startswith(("ExecStart=", "Description=", "WantedBy="))
            ]
        elif "User=" not in text:
            body += [line for line in first if not line.startswith(("Wants=", "After="))]
        whole = "\n".join(body).replace("/opt/ringtrue", str(ROOT)).replace("User=ringtrue", "User=daemon")
        (tmp_path / name).write_text(
            whole.replace("/etc/ringtrue/environment", f"-{tmp_path}/environment"), encoding="utf-8"
        )
        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", str(tmp_path / name)], capture_output=True, text=True, check=False,
            env={**os.environ, "SYSTEMD_UNIT_PATH": f"{tmp_path}:"},
        )  # fmt: skip
        assert str(tmp_path / name) not in done.stderr, done.stderr
        assert name not in done.stderr, done.stderr
