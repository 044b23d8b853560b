"""`make demo` as somebody runs it: twice, and stopped in the middle."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from assets.dialing_list import run as write_dialing_list
from assets.stage import now_ms
from connectors.resources import open_ledger
from ringtrue.records import STATUSES
from ringtrue.sentences import labels
from ringtrue.settings import load_settings
from tests.stand_ins import ROOT, running_sandbox

PATIENCE_SECONDS = 600


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project's folder: its settings and its dagster.yaml."""
    shutil.copy(ROOT / "ringtrue.toml", tmp_path)
    (tmp_path / "dagster_home").mkdir()
    shutil.copy(ROOT / "dagster_home" / "dagster.yaml", tmp_path / "dagster_home")
    return tmp_path


def start(folder: Path, *options: str, contacts: str = "40") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "app", "demo", "--once", "--contacts", contacts, "--no-usual-ports", *options],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "SALESFORCE_CONSUMER_KEY": "real",
            "SALESFORCE_CONSUMER_SECRET": "x",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def still_there(folder: Path) -> list[str]:
    """Command lines of processes that work in the folder."""
    return [
        " ".join(process.info["cmdline"] or ())
        for process in psutil.process_iter(["cwd", "cmdline"])
        if process.info["cwd"] == str(folder)
    ]


def test_twice_and_the_second_time_there_is_nothing_to_do(folder: Path) -> None:
    said, _ = (process := start(folder, contacts="3000")).communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, said
    assert re.search(r"^changes: [1-9]\d*$", said, re.MULTILINE), said
    for line in ("contacts pulled", "numbers found", "fields changed", "flagged do-not-call", "API calls", "seconds"):
        assert re.search(rf"^{line} ", said, re.MULTILINE), said
    assert "INFO" not in said
    assert "DEBUG" not in said
    for status in labels("en").values():
        shown = re.search(rf"^{status} +\S+ +(.+)$", said, re.MULTILINE)
        assert shown is not None, said
        assert "0" not in shown[1].split(), f"{status} is missing somewhere: {shown[0]}"
    said, _ = (process := start(folder, "--json", contacts="3000")).communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 0, said
    summary = json.loads(said)
    assert summary["changes"] == 0
    assert {status for shown in summary["records"].values() for status in shown} == set(STATUSES)
    assert still_there(folder) == []
    with running_sandbox(folder / ".demo" / "world" / "sandbox") as sandbox:
        for name, objects, field in (
            ("salesforce", ("Contact", "Lead"), "RingTrue_Status__c"),
            ("hubspot", ("contacts",), "ringtrue_status"),
        ):
            records = [record for each in objects for record in sandbox[name].records(each)]
            assert {record["fields"].get(field) for record in records} - {None} == set(STATUSES), name
    # The stand-in registries are loaded and fresh, so that American, British and Canadian numbers may be called in their hours.
    settings = load_settings(folder / ".demo" / "world" / "ringtrue.toml")
    with closing(open_ledger(settings)) as ledger:
        listed = write_dialing_list(ledger, settings, now_ms())
    assert listed.may + listed.causes.total() > 0
    assert listed.causes["registry"] == 0


def test_stopped_in_the_middle_it_leaves_nothing_running_and_loses_nothing(folder: Path) -> None:
    process = start(folder)
    wait_for_ledger(folder, process)
    said, _ = (second := start(folder)).communicate(timeout=PATIENCE_SECONDS)
    assert second.returncode == 2
    assert "A demo runs on" in said
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130, said
    assert "Stopped. Nothing is lost" in said
    assert "Traceback" not in said
    assert still_there(folder) == []
    said, _ = (again := start(folder)).communicate(timeout=PATIENCE_SECONDS)
    assert again.returncode == 0, said


def test_a_plain_kill_ends_it_as_ctrl_c_does(folder: Path) -> None:
    process = start(folder)
    wait_for_ledger(folder, process)
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode == 130, said
    assert still_there(folder) == []


def wait_for_ledger(folder: Path, process: subprocess.Popen[str]) -> None:
    """The first job has begun once there is a ledger."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (folder / ".demo" / "world" / "ledger.db").exists() and process.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
