"""The machine: Python, libraries, the numbering kernel, free disk."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from app.doctor.finding import Finding
from ringtrue.numbering import kernel_status

_PART = "machine"
_SHOWN = ("dagster", "phonenumbers", "pandas", "sqlalchemy", "simple-salesforce", "hubspot-api-client")
OLDEST_SQLITE = (3, 35)
LEAST_FREE = 500 << 20
FREE_SHARE = 2.0
"""Free disk as a multiple of the ledger's size: a migration or a backup copies it."""


def facts() -> Iterator[Finding]:
    """Versions, and how numbers are read."""
    yield Finding(_PART, "Python", "ok", f"{sys.version.split()[0]} in {sys.prefix}")
    yield Finding(_PART, "libraries", "ok", ", ".join(f"{name} {version(name)}" for name in _SHOWN))
    old = sqlite3.sqlite_version_info < OLDEST_SQLITE
    yield Finding(
        _PART, "SQLite", "wrong" if old else "ok", sqlite3.sqlite_version, "Install a Python with SQLite 3.35 or newer, or keep the ledger on PostgreSQL." if old else "",
    )  # fmt: skip
    sentence, fast = kernel_status()
    said, _, todo = sentence.partition(" Install ")
    yield Finding(_PART, "numbering kernel", "ok" if fast else "warning", said, f"Install {todo}" if todo else "")


def disk(folder: Path, ledger_bytes: int) -> Finding:
    """Free disk beside the ledger."""
    there = next((place for place in (folder, *folder.parents) if place.is_dir()), Path())
    free = shutil.disk_usage(there).free
    said = f"{free / (1 << 30):.1f} GB free in {there.resolve()}"
    if free < LEAST_FREE:
        return Finding(_PART, "disk", "wrong", said, "Make room: a full disk stops every run.")
    if free < ledger_bytes * FREE_SHARE:
        return Finding(
            _PART, "disk", "warning", said, "Make room: a migration or a backup needs as much as the ledger again."
        )
    return Finding(_PART, "disk", "ok", said)


def dagster_home() -> Iterator[Finding]:
    """Where Dagster keeps its runs."""
    what = "DAGSTER_HOME"
    named = os.environ.get(what)
    home = Path(named or "dagster_home")
    if named and not home.is_absolute():
        yield Finding(
            "dagster",
            what,
            "wrong",
            f"{named} is not absolute.",
            "Set it to an absolute path: Dagster refuses any other.",
        )
        return
    if not home.is_dir():
        todo = f"Make the folder and copy dagster_home/dagster.yaml into it{'' if named else ', or set DAGSTER_HOME'}."
        yield Finding("dagster", what, "wrong" if named else "warning", f"There is no folder {home.resolve()}.", todo)
        return
    if not (home / "dagster.yaml").is_file():
        yield Finding(
            "dagster",
            what,
            "warning",
            f"{home.resolve()} has no dagster.yaml.",
            "Copy dagster_home/dagster.yaml there: without it two runs may meet.",
        )
        return
    said = f"{home.resolve()}" + ("" if named else " (not set; `make dev` and `ringtrue sync` take this one)")
    yield Finding("dagster", what, "ok", said)
    yield from _instance(home.resolve())


def _instance(home: Path) -> Iterator[Finding]:
    """Daemon, schedules and sensors, where this Dagster has run before."""
    if not any(home.rglob("schedules.db")) and "postgres" not in (home / "dagster.yaml").read_text(encoding="utf-8"):
        yield Finding(
            "dagster",
            "schedules",
            "warning",
            "Dagster has not run here yet, so nothing runs by itself.",
            "Start `make dev`, or the daemon of your deployment.",
        )
        return
    import time

    import dagster as dg
    from dagster._core.scheduler.instigation import InstigatorStatus

    with dg.DagsterInstance.from_config(str(home)) as instance:
        beats = [beat.timestamp for beat in instance.get_daemon_heartbeats().values()]
        stopped = [
            state.instigator_name
            for state in instance.all_instigator_state()
            if state.status == InstigatorStatus.STOPPED
        ]
    silent = time.time() - max(beats, default=0.0)
    if silent > 120:
        said = "Dagster's daemon does not run" + (
            f"; it was last seen {silent / 3600:.1f} hours ago." if beats else "."
        )
        yield Finding(
            "dagster",
            "daemon",
            "warning",
            said,
            "Start `make dev`, or the daemon of your deployment: without it nothing runs by itself.",
        )
    else:
        yield Finding("dagster", "daemon", "ok", "running")
    if stopped:
        yield Finding(
            "dagster",
            "schedules",
            "warning",
            f"Switched off: {', '.join(sorted(stopped))}.",
            "Switch them on under Automation in the Dagster UI, if that was not meant.",
        )
    else:
        yield Finding("dagster", "schedules", "ok", "none was switched off")
