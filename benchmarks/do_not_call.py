"""From an opt-out to the flag in both CRMs, with the real daemon and its real ticks, while both CRMs are synced every minute.

    python -m benchmarks.do_not_call [--opt-outs 120] [--seconds 240] [--contacts 500] [--write]

Opt-outs arrive at random moments, half of them as the calls of a dialler (what `POST /v1/calls` commits), half as `ringtrue suppress add` commits them.
Each number is on a record in Salesforce and on one in HubSpot. A delay ends when the stand-in shows the flag to whoever looks, to the second.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import dagster as dg
import numpy as np
from dagster._core.test_utils import environ

from assets.sensors import DO_NOT_CALL_SECONDS
from tests.pipeline.at_once import opt_out, stop_call
from tests.pipeline.people import contact, national, number, person
from tests.pipeline.project import Project, make_home, open_project
from tests.pipeline.stages import deliver, plan
from tests.stand_ins import ROOT, running_sandbox

REPORT = Path(__file__).with_name("do-not-call.md")
CRMS = ("salesforce", "hubspot")
LAST_SECONDS = 300
SEED = 7


class Delays(NamedTuple):
    """Seconds from commit to flag by CRM, how many runs the daemon started by job, and how long all took."""

    by_crm: dict[str, list[float]]
    runs: dict[str, int]
    seconds: float


@contextmanager
def daemon(project: Project) -> Iterator[subprocess.Popen[bytes]]:
    """Dagster's daemon over a project."""
    with (project.home / "daemon.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "dagster._daemon", "run", "-w", "workspace.yaml"],
            cwd=ROOT,
            env={**os.environ, **project.environment},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def shows(project: Project, name: str, record: str) -> bool:
    """Whether a CRM shows the flag."""
    object_name, field, value = (
        ("Contact", "DoNotCall", True) if name == "salesforce" else ("contacts", "ringtrue_do_not_call", "true")
    )
    return bool(project.sandbox[name].record(object_name, record)["fields"].get(field) == value)


def measure(project: Project, opt_outs: int, seconds: float) -> Delays:
    """Let opt-outs arrive while the daemon runs, and time each of them."""
    phones = [number() for _ in range(opt_outs)]
    records = {
        phone: {"salesforce": contact(project, phone), "hubspot": person(project, national(phone))} for phone in phones
    }
    for name in CRMS:
        plan(project.settings(), name)
        deliver(project.settings(), name)
    chance = random.Random(SEED)
    committed: dict[str, float] = {}
    found: dict[str, list[float]] = {name: [] for name in CRMS}
    waiting: set[tuple[str, str]] = set()
    with daemon(project) as process, environ(project.environment), dg.DagsterInstance.get() as instance:
        # The daemon has loaded the project once its first tick is over.
        while not instance.get_runs(limit=1):
            time.sleep(1)
        begun = time.monotonic()
        due = sorted((begun + chance.uniform(0, seconds), phone) for phone in phones)
        while due or waiting:
            if process.poll() is not None:
                raise SystemExit(f"The daemon ended: {(project.home / 'daemon.log').read_text()[-2_000:]}")
            if time.monotonic() > begun + seconds + LAST_SECONDS:
                raise SystemExit(f"{len(waiting)} flags are not set after {LAST_SECONDS} seconds.")
            while due and due[0][0] <= time.monotonic():
                phone = due.pop(0)[1]
                (opt_out if len(due) % 2 else stop_call)(project, phone)
                committed[phone] = time.monotonic()
                waiting.update((name, phone) for name in CRMS)
            for name, phone in sorted(waiting):
                if shows(project, name, records[phone][name]):
                    found[name].append(time.monotonic() - committed[phone])
                    waiting.discard((name, phone))
            time.sleep(0.5)
        runs: dict[str, int] = {}
        for run in instance.get_runs():
            runs[run.job_name] = runs.get(run.job_name, 0) + 1
        return Delays(found, runs, time.monotonic() - begun)


def report(delays: Delays, contacts: int) -> str:
    """What was measured, as a page."""
    machine = f"{platform.machine()}, {os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f} at the end, Python {platform.python_version()}"
    lines = [
        "# From an opt-out to the flag in the CRM",
        "",
        "Written by `python -m benchmarks.do_not_call --write`; what it does is at the top of that file.",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}. {machine}, SQLite, `dagster_home/dagster.yaml` as it comes.",
        f"{contacts} contacts in each CRM beside those that opt out; both are synced every minute meanwhile. The sensor looks every {DO_NOT_CALL_SECONDS} seconds.",
        "",
        "| CRM | opt-outs | median (s) | p95 (s) | p99 (s) | slowest (s) | bound (s) |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, seconds in delays.by_crm.items():
        p50, p95, p99 = np.percentile(seconds, [50, 95, 99])
        lines.append(f"| {name} | {len(seconds)} | {p50:.1f} | {p95:.1f} | {p99:.1f} | {max(seconds):.1f} | 300 |")
    runs = ", ".join(f"{job} {count}" for job, count in sorted(delays.runs.items()))
    lines += ["", f"Runs in {delays.seconds:.0f} seconds: {runs}.", ""]
    return "\n".join(lines)


def main() -> None:
    """Measure, print, and write the page with --write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--opt-outs", type=int, default=120)
    parser.add_argument("--seconds", type=float, default=240)
    parser.add_argument("--contacts", type=int, default=500)
    parser.add_argument("--write", action="store_true")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        world = home / "sandbox"
        world.mkdir()
        with running_sandbox(world, "--seed", "11", "--contacts", str(chosen.contacts)) as sandbox:
            project = open_project(make_home(home), sandbox)
            often, never = {"schedule": "* * * * *"}, {"schedule": "0 0 1 1 *"}
            project.write_settings(salesforce=often, hubspot=often, files=never)
            os.environ.update(project.environment)
            project.prepare()
            page = report(measure(project, chosen.opt_outs, chosen.seconds), chosen.contacts)
    sys.stdout.write(page)
    if chosen.write:
        REPORT.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
