"""dlt's REST source into DuckDB from the same HubSpot stand-in, in a virtual environment of its own under .bench/."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

BENCH = Path(__file__).parents[1] / ".bench"
PEER = Path(__file__).with_name("peers") / "dlt_rest.py"
PACKAGE = "dlt[duckdb]"


class Loaded(NamedTuple):
    """What dlt did: contacts, seconds, CPU seconds of its process, version."""

    contacts: int
    seconds: float
    cpu_seconds: float
    version: str


def loaded(url: str, folder: Path, properties: Sequence[str]) -> Loaded | str:
    """Load the stand-in's contacts; the reason as a sentence where dlt cannot be had."""
    python = BENCH / "dlt" / "bin" / "python"
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if uv is None:
        return "not measured: there is no uv to install dlt with"
    if not python.exists():
        made = _run([uv, "venv", "--quiet", str(BENCH / "dlt")])
        made = made or _run([uv, "pip", "install", "--quiet", "--python", str(python), PACKAGE])
        if made:
            shutil.rmtree(BENCH / "dlt", ignore_errors=True)
            return f"not measured: {made}"
    environment = {**os.environ, "RUNTIME__DLTHUB_TELEMETRY": "false", "DLT_DATA_DIR": str(folder / "dlt")}
    done = subprocess.run(
        [str(python), str(PEER), url, str(folder), *properties],
        capture_output=True, text=True, check=False, cwd=folder, env=environment,
    )  # fmt: skip
    if done.returncode:
        return f"not measured: {done.stderr.strip().splitlines()[-1] if done.stderr.strip() else 'dlt stopped'}"
    contacts, seconds, cpu_seconds, version = done.stdout.split()[-4:]
    return Loaded(int(contacts), float(seconds), float(cpu_seconds), version)


def _run(command: list[str]) -> str | None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else f"{Path(command[0]).name} failed"
