"""`ringtrue sandbox`: the stand-ins, as a process of their own."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated

import typer


def sandbox(
    context: typer.Context, home: Annotated[str, typer.Option(help="Folder of the world.")] = ".demo/sandbox"
) -> None:
    """Start the stand-ins of all remote systems. Further options go to `python -m sandbox`."""
    arguments = [sys.executable, "-m", "sandbox", "--home", home, *context.args]
    raise typer.Exit(subprocess.run(arguments, check=False).returncode)
