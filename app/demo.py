"""`make demo`: the main job, end to end, against the sandbox, with everything kept in `.demo/`."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import tomllib
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any

import dagster as dg
import httpx
import tomli_w
import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from app.console import out
from app.sync import Ran, SyncFailed, run_job
from app.wanted import wanted_fields
from assets.definitions import build
from connectors.resources import connect, open_ledger
from ringtrue.errors import FileUnreadable, HostUnreachable
from ringtrue.ledger import decisions
from ringtrue.records import STATUSES
from ringtrue.sentences import labels
from ringtrue.settings import SETTINGS_VARIABLE, Settings, load_settings, settings_path

HOME = Path(".demo")
CONTACTS = 3_000
START_SECONDS = 300.0
MOST_ROUNDS = 2
USUAL_PORTS = {"salesforce": 8100, "hubspot": 8200, "pages": 8300, "lookups": 8400, "dagster": 3000}


def demo(
    fresh: Annotated[bool, typer.Option(help="Start over with a new world.")] = False,
    once: Annotated[bool, typer.Option(help="Stop after the jobs instead of keeping the pages up.")] = False,
    data: Annotated[Path | None, typer.Option(help="Load the sandbox CRMs from this contact list.")] = None,
    contacts: Annotated[int, typer.Option(help="Contacts per CRM in a new world.")] = CONTACTS,
) -> None:
    """Run the main job once against the sandbox and show what happened."""
    if data is not None and not data.is_file():
        raise FileUnreadable(f"There is no file {data}. Give the path of a CSV list, as in: make demo DATA=list.csv")
    home = HOME / "world" if data is None else HOME / data.stem
    if fresh and home.exists():
        shutil.rmtree(home)
    home.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    runs: list[tuple[str, Ran]] = []
    with ExitStack() as stack:
        progress = stack.enter_context(
            Progress(
                SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), console=out, transient=True
            )
        )
        task = progress.add_task("starting the sandbox", total=None)
        ports = stack.enter_context(_sandbox(home, contacts, data))
        settings = _settle(home, ports)
        progress.update(task, description="creating RingTrue's fields in the CRMs")
        _prepare(settings)
        instance = stack.enter_context(dg.DagsterInstance.get())
        definitions = build(settings)
        for turn in range(1, MOST_ROUNDS + 1):
            planned = 0
            for name in settings.connections:
                shown = f"round {turn}: {name}"
                ran = run_job(
                    definitions,
                    instance,
                    f"sync_{name}",
                    on_step=lambda step, shown=shown: progress.update(task, description=f"{shown}: {step}"),  # type: ignore[misc]
                )
                runs.append((name, ran))
                planned += _count(ran, f"{name}/changes", "changes")
            if not planned or any(ran.failures for _, ran in runs):
                break
        progress.stop()
        _summary(settings, runs, time.monotonic() - started)
        failures = [failure for _, ran in runs for failure in ran.failures]
        if failures:
            raise SyncFailed(" ".join(failures))
        if not once:
            _keep_up(ports)


def _free_port(usual: int) -> int:
    for port in (usual, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise HostUnreachable("No free port could be found on 127.0.0.1. Close some programs and try again.")


@contextmanager
def _sandbox(home: Path, contacts: int, data: Path | None) -> Iterator[dict[str, int]]:
    """Start the stand-ins as a process of their own and yield their ports once they answer."""
    ports_file = home / "ports.json"
    ports_file.unlink(missing_ok=True)
    arguments = [sys.executable, "-m", "sandbox", "--home", str(home / "sandbox"), "--contacts", str(contacts)]
    for name, option in (("salesforce", "sf"), ("hubspot", "hs"), ("pages", "pages"), ("lookups", "lookups")):
        arguments += [f"--{option}-port", str(_free_port(USUAL_PORTS[name]))]
    if data is not None:
        arguments += ["--data", str(data)]
    log = home / "sandbox.log"
    with log.open("wb") as stream:
        process = subprocess.Popen([*arguments, "--ports-file", str(ports_file)], stdout=stream, stderr=stream)
    try:
        ports = _wait_for_ports(process, ports_file, log)
        yield ports
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait_for_ports(process: subprocess.Popen[bytes], ports_file: Path, log: Path) -> dict[str, int]:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise HostUnreachable(f"The sandbox stopped while starting; {log} says why.")
        if ports_file.exists():
            ports: dict[str, int] = json.loads(ports_file.read_text(encoding="utf-8"))
            return ports
        time.sleep(0.1)
    raise HostUnreachable(f"The sandbox did not start within {START_SECONDS:.0f} seconds; {log} may say why.")


def _settle(home: Path, ports: dict[str, int]) -> Settings:
    """Write the demo's settings: the project's own, pointed at this sandbox, with a ledger and a Dagster home in the demo's folder."""
    values: dict[str, Any] = tomllib.loads(settings_path().read_text(encoding="utf-8"))
    values["ledger"] = {"url": f"sqlite:///{home.resolve()}/ledger.db"}
    for name, connection in values["connections"].items():
        if connection["kind"] in ports:
            connection["sandbox_url"] = f"http://127.0.0.1:{ports[connection['kind']]}"
        if connection["kind"] == "files":
            connection["folder"] = str(home.resolve() / name)
    path = home / "ringtrue.toml"
    path.write_text(tomli_w.dumps(values), encoding="utf-8")
    os.environ[SETTINGS_VARIABLE] = str(path.resolve())
    dagster_home = home / "dagster_home"
    dagster_home.mkdir(exist_ok=True)
    shutil.copy("dagster_home/dagster.yaml", dagster_home / "dagster.yaml")
    os.environ["DAGSTER_HOME"] = str(dagster_home.resolve())
    return load_settings()


def _prepare(settings: Settings) -> None:
    for name, connection in settings.connections.items():
        if connection.kind == "files":
            continue
        crm = connect(name, connection)
        try:
            crm.prepare(wanted_fields(crm, connection, settings.policy.language), dry_run=False)
        finally:
            crm.close()


def _count(ran: Ran, stage: str, name: str) -> int:
    value = ran.metadata.get(stage, {}).get(name, 0)
    return value if isinstance(value, int) else 0


def _summary(settings: Settings, runs: list[tuple[str, Ran]], seconds: float) -> None:
    by_connection: dict[str, Counter[str]] = {name: Counter() for name in settings.connections}
    flag_fields = Counter[str]()
    numbers = 0
    for name, ran in runs:
        counted = by_connection[name]
        counted["read"] += _count(ran, f"{name}/contacts", "records read") + _count(
            ran, f"{name}/contacts", "rows read"
        )
        counted["changes"] += _count(ran, f"{name}/changes", "changes")
        counted["fields"] += _count(ran, f"{name}/changes", "fields in the plan")
        counted["applied"] += _count(ran, f"{name}/writeback", "applied")
        counted["conflict"] += _count(ran, f"{name}/writeback", "conflict")
        counted["failed"] += _count(ran, f"{name}/writeback", "failed")
        counted["calls"] += _count(ran, f"{name}/contacts", "api calls") + _count(ran, f"{name}/writeback", "api calls")
        fields = ran.metadata.get(f"{name}/changes", {}).get("fields") or {}
        flag_fields[name] += sum(fields.get(flag, 0) for flag in ("DoNotCall", "ringtrue_do_not_call"))
        numbers += _count(ran, "phones", "numbers")
    table = Table(title="RingTrue: what happened", title_justify="left")
    for column in (
        "connection",
        "records pulled",
        "changes",
        "fields changed",
        "do-not-call set",
        "written",
        "refused",
        "API calls",
    ):
        table.add_column(column, justify="left" if column == "connection" else "right")
    for name, counted in by_connection.items():
        table.add_row(
            name, *(f"{counted[key]:,}" for key in ("read", "changes", "fields")), f"{flag_fields[name]:,}",
            *(f"{counted[key]:,}" for key in ("applied", "failed", "calls")),
        )  # fmt: skip
    out.print(table)
    ledger = open_ledger(settings)
    with ledger.read() as book:
        statuses = decisions.status_counts(book)
    ledger.close()
    shown = Table(title="Numbers by status", title_justify="left")
    shown.add_column("status")
    shown.add_column("中文")
    shown.add_column("numbers", justify="right")
    english, chinese = labels("en"), labels("zh")
    for status in STATUSES:
        shown.add_row(english[status], chinese[status], f"{statuses.get(status, 0):,}")
    out.print(shown)
    out.print(f"numbers read: {numbers:,}")
    out.print(f"changes: {sum(counted['changes'] for counted in by_connection.values())}")
    out.print(f"seconds: {seconds:.1f}")


def _keep_up(ports: dict[str, int]) -> None:
    """Keep the Dagster UI and the sandbox's pages up until Ctrl-C."""
    port = _free_port(USUAL_PORTS["dagster"])
    log = Path(os.environ["DAGSTER_HOME"]).parent / "dagster.log"
    with log.open("wb") as stream:
        ui = subprocess.Popen(
            [sys.executable, "-m", "dagster", "dev", "-w", "workspace.yaml", "-h", "127.0.0.1", "-p", str(port)],
            stdout=stream,
            stderr=stream,
            start_new_session=True,
        )
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if ui.poll() is not None:
                raise HostUnreachable(f"The Dagster UI stopped while starting; {log} says why.")
            try:
                httpx.get(f"{address}/server_info", timeout=2).raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(0.2)
        out.print(f"Dagster UI:                    {address}/asset-groups")
        out.print(f"As the sales team sees it:     http://127.0.0.1:{ports['pages']}/")
        out.print("Ctrl-C stops both.")
        ui.wait()
    finally:
        if ui.poll() is None:
            os.killpg(ui.pid, 15)
            ui.wait(timeout=30)
