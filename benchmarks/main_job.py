"""The main job, measured: `python -m benchmarks.main_job [--contacts N]` (`make bench`).

Starts the sandbox as a process of its own with its rate limits lifted, fills it, prepares both CRMs and runs each stage in a process of its own. Prints per
stage contacts per second and per CPU second of our process, API calls, and the peak memory of every process; the calls of an idle sync; the
calls against the published formula (docs/calls.md); and dlt's REST source into DuckDB beside our pull. Exits with 1 when the calls deviate from the formula.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson
import tomli_w
from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks import beside_dlt, calls
from benchmarks.stage import SHARED, Measured, peak_bytes, run_stage
from ringtrue.settings import load_settings

ROOT = Path(__file__).parents[1]
CRMS = ("salesforce", "hubspot")
LIFTED = ("--hs-burst", "1000000", "--hs-daily", "0")
DLT_CONTACTS = 20_000
START_SECONDS = 3_600.0
MIB = 2**20
OWN_GOAL, PULL_GOAL, ALL_GOAL, MEMORY_GOAL = 50_000, 25_000, 6_000, 1024 * MIB

progress = Console(stderr=True, style="dim")
out = Console(width=None if sys.stdout.isatty() else 170)


@dataclass
class Bench:
    """A project in a folder of its own and the sandbox it speaks to."""

    home: Path
    ports: dict[str, int]
    sandbox: subprocess.Popen[bytes]
    apart: bool = True
    """Each stage in a process of its own; else all in this one."""
    deviations: list[str] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        # Compiled modules are kept for the next process, whatever the shell says about them: starting is not what is measured.
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        return {
            **inherited,
            "PYTHONPYCACHEPREFIX": str(beside_dlt.BENCH / "pycache"),
            "RINGTRUE_SETTINGS": str(self.home / "ringtrue.toml"),
            "DAGSTER_HOME": str(self.home / "dagster_home"),
        }

    def write_settings(self, **changes: Any) -> dict[str, Any]:
        """ringtrue.toml as delivered, pointed here; `changes` go into every CRM connection."""
        values: dict[str, Any] = tomllib.loads((ROOT / "ringtrue.toml").read_text(encoding="utf-8"))
        values["ledger"] = {"url": f"sqlite:///{self.home}/ledger.db"}
        values["lookups"] = {}
        for name, connection in values["connections"].items():
            if name in CRMS:
                connection.update({"sandbox_url": f"http://127.0.0.1:{self.ports[name]}", **changes})
            else:
                connection["folder"] = str(self.home)
        (self.home / "ringtrue.toml").write_text(tomli_w.dumps(values), encoding="utf-8")
        return values

    def run(self, stage: str) -> Measured:
        """Run one stage."""
        if not self.apart:
            return run_stage(stage, load_settings(self.home / "ringtrue.toml"))
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.stage", stage], cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"{stage} failed:\n{done.stderr[-2_000:]}")
        measured = Measured(**orjson.loads(done.stdout))
        progress.print(
            f"{stage}: {measured.seconds:.0f} s, {measured.cpu_seconds:.1f} CPU s, {measured.peak_bytes / MIB:,.0f} MiB"
        )
        return measured

    def dagster_peak(self, name: str) -> int:
        """Peak memory of a real Dagster run over everything: one connection's job with a full pull."""
        with (self.home / "dagster.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "app.cli", "sync", name, "--full"], cwd=ROOT, env=self.environment, stdout=log, stderr=log
            )  # fmt: skip
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"The Dagster run failed:\n{(self.home / 'dagster.log').read_text()[-2_000:]}")
        return usage.ru_maxrss * 1024

    def set_daily_limits(self) -> None:
        """A million records are more calls than a usual org has in a day."""
        url = f"http://127.0.0.1:{self.ports['salesforce']}/__sandbox__/settings"
        httpx.post(url, json={"daily_api_limit": 100_000_000, "daily_bulk_batches": 1_000_000}).raise_for_status()


@contextmanager
def bench(home: Path, contacts: int, *, apart: bool = True) -> Iterator[Bench]:
    """A filled sandbox and an empty project in `home`."""
    ports_file = home / "ports.json"
    free = [part for name in ("sf", "hs", "pages", "lookups") for part in (f"--{name}-port", "0")]
    command = [
        sys.executable,
        "-m",
        "sandbox",
        "--home",
        str(home / "sandbox"),
        "--seed",
        "5",
        "--contacts",
        str(contacts),
        "--no-calls",
    ]
    with (home / "sandbox.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, *LIFTED, *free, "--ports-file", str(ports_file)], cwd=ROOT, stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not ports_file.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"The sandbox did not start:\n{(home / 'sandbox.log').read_text()[-2_000:]}")
            time.sleep(0.05)
        (home / "dagster_home").mkdir()
        made = Bench(home, json.loads(ports_file.read_text(encoding="utf-8")), process, apart)
        made.write_settings()
        made.set_daily_limits()
        yield made
    finally:
        process.terminate()
        process.wait(30)


def first_sync(made: Bench, contacts: int) -> list[tuple[Measured, int]]:
    """Every stage once, each with the number of contacts that pass through it."""
    done = [(made.run(f"{name}/contacts"), contacts) for name in CRMS]
    done += [(made.run(stage), 2 * contacts) for stage in SHARED]
    for stage in ("changes", "writeback"):
        done += [(made.run(f"{name}/{stage}"), contacts) for name in CRMS]
    return done


def again(made: Bench) -> tuple[dict[str, Measured], float]:
    """One more sync of both CRMs, by stage."""
    started = time.perf_counter()
    stages = [f"{name}/contacts" for name in CRMS] + [*SHARED]
    stages += [f"{name}/{stage}" for stage in ("changes", "writeback") for name in CRMS]
    measured = {stage: made.run(stage) for stage in stages}
    return measured, time.perf_counter() - started


def expected_calls(stages: dict[str, Measured], *, first: bool, bulk_from: int) -> dict[str, tuple[int, int]]:
    """Calls that the formula gives and calls made, by stage. Repeats are taken off the calls made."""
    pairs: dict[str, tuple[int, int]] = {}
    for name in CRMS:
        pulled, planned = stages[f"{name}/contacts"], stages[f"{name}/changes"].counts
        read = {key.removeprefix("read "): count for key, count in pulled.counts.items() if key.startswith("read ")}
        guarded, free = (
            {key.removeprefix(f"{kind} "): count for key, count in planned.items() if key.startswith(f"{kind} ")}
            for kind in ("guarded", "free")
        )
        if name == "salesforce":
            pull = calls.salesforce_pull(read, first=first, bulk_from=bulk_from)
            write = calls.salesforce_writeback(guarded, free, bulk_from=bulk_from)
        else:
            apart = pulled.calls.get("read", 0) > 0
            pull = calls.hubspot_pull(sum(read.values()), first=first, read_apart=apart)
            write = calls.hubspot_writeback(sum(guarded.values()), sum(free.values()))
        for stage, wanted in ((f"{name}/contacts", pull), (f"{name}/writeback", write)):
            pairs[stage] = (wanted, calls.counted(stages[stage].calls) - stages[stage].retries)
    return pairs


def show_calls(title: str, made: Bench, pairs: dict[str, tuple[int, int]]) -> None:
    """Print calls against the formula and note what deviates."""
    shown = _table(title, "stage", "calls by the formula", "calls made")
    for stage, (wanted, seen) in pairs.items():
        shown.add_row(stage, f"{wanted:,}", f"{seen:,}")
        if wanted != seen:
            made.deviations.append(f"{title}: {stage} made {seen:,} calls, the formula says {wanted:,}")
    out.print(shown)


def show_stages(done: Sequence[tuple[Measured, int]]) -> None:
    """Print what each stage cost."""
    shown = _table(
        "Stages", "stage", "contacts", "seconds", "CPU s", "contacts/s", "contacts/CPU s", "goal", "API calls", "polls", "peak MiB"
    )  # fmt: skip
    for one, contacts in done:
        goal = PULL_GOAL if one.stage.endswith("/contacts") else OWN_GOAL
        shown.add_row(
            one.stage, f"{contacts:,}", f"{one.seconds:.1f}", f"{one.cpu_seconds:.2f}", f"{contacts / one.seconds:,.0f}",
            f"{contacts / one.cpu_seconds:,.0f}", f"{goal:,}", f"{calls.counted(one.calls):,}",
            f"{one.calls.get('poll', 0):,}", f"{one.peak_bytes / MIB:,.0f}",
        )  # fmt: skip
    seconds, cpu = sum(one.seconds for one, _ in done), sum(one.cpu_seconds for one, _ in done)
    contacts = sum(count for one, count in done if one.stage.endswith("/contacts"))
    shown.add_row(
        "all", f"{contacts:,}", f"{seconds:.1f}", f"{cpu:.2f}", f"{contacts / seconds:,.0f}", f"{contacts / cpu:,.0f}",
        f"{ALL_GOAL:,}", f"{sum(calls.counted(one.calls) for one, _ in done):,}", "", f"{max(one.peak_bytes for one, _ in done) / MIB:,.0f}",
    )  # fmt: skip
    out.print(shown)


def show_beside(made: Bench, contacts: int, pulled: Measured) -> None:
    """Print dlt beside our pull, on a stand-in of its own size where this one is too large."""
    properties = json.loads(
        subprocess.run(
            [sys.executable, "-c", _PROPERTIES], cwd=ROOT, env=made.environment, capture_output=True, text=True, check=True
        ).stdout
    )  # fmt: skip
    shown = _table(
        "HubSpot contacts into a local database", "what", "contacts", "seconds", "contacts/s", "contacts/CPU s"
    )
    shown.add_row(
        "RingTrue into the ledger (SQLite)", f"{contacts:,}", f"{pulled.seconds:.1f}", f"{contacts / pulled.seconds:,.0f}",
        f"{contacts / pulled.cpu_seconds:,.0f}",
    )  # fmt: skip
    beside = beside_dlt.loaded(f"http://127.0.0.1:{made.ports['hubspot']}/", made.home, properties)
    if isinstance(beside, str):
        shown.add_row("dlt's REST source into DuckDB", beside, "", "", "")
    else:
        shown.add_row(
            f"dlt {beside.version}, REST source into DuckDB", f"{beside.contacts:,}", f"{beside.seconds:.1f}",
            f"{beside.contacts / beside.seconds:,.0f}", f"{beside.contacts / beside.cpu_seconds:,.0f}",
        )  # fmt: skip
    out.print(shown)


_PROPERTIES = "import json; from connectors.hubspot_fields import default_map; print(json.dumps(default_map('contacts').all_fields()))"


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=box.MARKDOWN)
    for position, column in enumerate(columns):
        table.add_column(column, justify="right" if position else "left", no_wrap=True)
    return table


def run(
    contacts: int, folder: Path, *, rounds: int = 3, dlt: bool = True, dagster: bool = True, apart: bool = True
) -> list[str]:
    """Measure everything and print it. Returns sentences about what deviates from the formula.

    `rounds`: 1 the first sync only, 2 also the one that reads our own writes back, 3 also an idle one. `apart`: each stage in a process of its own.
    """
    with bench(folder, contacts, apart=apart) as made:
        bulk_from = int(made.write_settings()["connections"]["salesforce"].get("bulk_from", 5_000))
        for name in CRMS:
            made.run(f"{name}/prepare")
        done = first_sync(made, contacts)
        show_stages(done)
        by_stage = {one.stage: one for one, _ in done}
        show_calls("Calls of the first sync", made, expected_calls(by_stage, first=True, bulk_from=bulk_from))
        peaks = {"our stages, the largest": max(one.peak_bytes for one, _ in done)}
        if rounds > 1:
            echo, _ = again(made)
            show_calls(
                "Calls of the sync behind it, which reads our own writes back",
                made,
                expected_calls(echo, first=False, bulk_from=bulk_from),
            )
            _show_quiet(made, echo, "the sync behind it")
        if rounds > 2:
            made.write_settings(overlap_minutes=0.0)
            idle, seconds = again(made)
            show_calls("Calls of an idle sync", made, expected_calls(idle, first=False, bulk_from=bulk_from))
            _show_quiet(made, idle, "an idle sync")
            own = sum(one.seconds for one in idle.values())
            out.print(f"An idle sync of both CRMs took {own:.1f} s ({seconds:.1f} s with starting its nine processes).")
        if dagster:
            peaks["a Dagster run, full pull of Salesforce"] = made.dagster_peak("salesforce")
        peaks["the sandbox"] = peak_bytes(made.sandbox.pid)
        shown = _table("Peak memory", "process", "MiB", "goal MiB")
        for name, size in peaks.items():
            shown.add_row(name, f"{size / MIB:,.0f}", "" if name == "the sandbox" else f"{MEMORY_GOAL / MIB:,.0f}")
        out.print(shown)
        deviations = made.deviations
        if dlt and contacts <= DLT_CONTACTS:
            show_beside(made, contacts, by_stage["hubspot/contacts"])
    if dlt and contacts > DLT_CONTACTS:
        small = folder / "beside"
        small.mkdir()
        with bench(small, DLT_CONTACTS) as made:
            made.run("hubspot/prepare")
            show_beside(made, DLT_CONTACTS, made.run("hubspot/contacts"))
    return deviations


def _show_quiet(made: Bench, stages: dict[str, Measured], what: str) -> None:
    planned = sum(stages[f"{name}/changes"].counts.get("records in the plan", 0) for name in CRMS)
    out.print(f"Changes planned by {what}: {planned}")
    if planned:
        made.deviations.append(f"{what} planned {planned} changes")


def main() -> None:
    """Measure and print; exit with 1 when something deviates."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contacts", type=int, default=100_000, help="contacts in each CRM")
    parser.add_argument(
        "--rounds",
        type=int,
        choices=(1, 2, 3),
        default=3,
        help="1: the first sync only; 2: and the one behind it; 3: and an idle one",
    )
    parser.add_argument("--no-dlt", action="store_true", help="leave out dlt")
    parser.add_argument("--no-dagster", action="store_true", help="leave out the Dagster run")
    parser.add_argument("--home", type=Path, help="folder to work in, which must be empty; default: a temporary one")
    options = parser.parse_args()
    home = options.home or Path(tempfile.mkdtemp(prefix="ringtrue-bench-"))
    home.mkdir(parents=True, exist_ok=True)
    try:
        deviations = run(
            options.contacts,
            home.resolve(),
            rounds=options.rounds,
            dlt=not options.no_dlt,
            dagster=not options.no_dagster,
        )
    finally:
        if options.home is None:
            shutil.rmtree(home)
    for sentence in deviations:
        out.print(f"[red]{sentence}[/]")
    sys.exit(1 if deviations else 0)


if __name__ == "__main__":
    main()
