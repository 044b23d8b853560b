"""What `make demo` runs on: a sandbox of its own, settings that point at it, a Dagster home, and the pages to look at."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import tomli_w

from app.wanted import wanted_fields
from connectors.lookups.active import secrets_of
from connectors.resources import connect, variables
from ringtrue.errors import HostUnreachable, SettingsError
from ringtrue.settings import SETTINGS_VARIABLE, Settings, load_settings, settings_path

START_SECONDS = 300.0
STOP_SECONDS = 30.0
USUAL_PORTS = {"salesforce": 8100, "hubspot": 8200, "pages": 8300, "lookups": 8400, "dagster": 3000}
_OPTIONS = {"salesforce": "--sf-port", "hubspot": "--hs-port", "pages": "--pages-port", "lookups": "--lookups-port"}
CODE_QUERY = (
    "{workspaceOrError{... on Workspace{locationEntries{loadStatus locationOrLoadError{... on PythonError{message}}}}}}"
)
REGISTRIES = "registries"
REGISTRY_KINDS = ("us_national", "uk_tps", "uk_ctps", "canada")
"""Do-not-call registries whose files the sandbox writes, each into the folder of its name."""
DAGSTER_YAML = Path("dagster_home/dagster.yaml")


def home_of(base: Path, data: Path | None) -> Path:
    """The folder of one demo: one for the seeded world, one for each list, by its content."""
    if data is None:
        return base / "world"
    with data.open("rb") as file:
        return base / f"{data.stem}-{hashlib.file_digest(file, 'sha256').hexdigest()[:8]}"


@contextmanager
def alone(base: Path, home: Path) -> Iterator[int]:
    """Keep a second demo out of the same folder. Yields a descriptor that holds the lock for as long as any process has it open."""
    base.mkdir(parents=True, exist_ok=True)
    with (base / f"{home.name}.lock").open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            raise SettingsError(
                f"A demo runs on {home} already (process {lock.read().strip() or 'unknown'}). Stop it with Ctrl-C there, then try again."
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield lock.fileno()


@contextmanager
def stopped_like_ctrl_c() -> Iterator[None]:
    """A closed terminal and a plain kill end the demo as Ctrl-C does: nothing is left running.

    SIGINT is among them because a shell's background job starts with it ignored, and Dagster gives SIGTERM the handler of SIGINT.
    """
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, signal.default_int_handler) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def running_sandbox(
    home: Path, lock: int, *, contacts: int, data: Path | None, country: str | None, usual_ports: bool = True
) -> Iterator[dict[str, int]]:
    """Start the stand-ins as a process of their own and yield their ports once they answer."""
    ports_file = home / "ports.json"
    ports_file.unlink(missing_ok=True)
    arguments = [sys.executable, "-m", "sandbox", "--home", str(home / "sandbox"), "--contacts", str(contacts)]
    arguments += ["--ports-file", str(ports_file), "--registries", str(home / REGISTRIES)]
    for name, option in _OPTIONS.items():
        arguments += [option, str(_free_port(USUAL_PORTS[name])) if usual_ports else "0"]
    if data is not None:
        arguments += ["--data", str(data)]
    if country is not None:
        arguments += ["--data-country", country]
    log = home / "sandbox.log"
    with log.open("wb") as stream:
        # Ctrl-C goes to this process alone, which stops the sandbox last: until then runs may need it.
        process = subprocess.Popen(arguments, stdout=stream, stderr=stream, start_new_session=True, pass_fds=(lock,))
    try:
        yield _wait_for_ports(process, ports_file, log)
    finally:
        _stop(process)


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


def _wait_for_ports(process: subprocess.Popen[bytes], ports_file: Path, log: Path) -> dict[str, int]:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            last = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-1:]
            raise HostUnreachable(f"The sandbox stopped while starting: {''.join(last)} ({log})")
        if ports_file.exists():
            ports: dict[str, int] = json.loads(ports_file.read_text(encoding="utf-8"))
            return ports
        time.sleep(0.1)
    raise HostUnreachable(f"The sandbox did not start within {START_SECONDS:.0f} seconds; {log} may say why.")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a process and all it started; it is the leader of a session of its own."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def settle_in(home: Path, ports: Mapping[str, int], *, real_people: bool = False) -> Settings:
    """Write the demo's settings: the project's own, pointed at this sandbox, with a ledger and a Dagster home in the demo's folder.

    Credentials of real services are taken out of this process's environment: a demo touches nothing but the sandbox.
    `real_people`: the CRMs hold somebody's own list, about which the stand-ins of lookups and registries could only make answers up: they are off.
    """
    if not DAGSTER_YAML.is_file():
        raise SettingsError(f"There is no {DAGSTER_YAML} here. Run the demo in the project's own folder.")
    values: dict[str, Any] = tomllib.loads(settings_path().read_text(encoding="utf-8"))
    values = _pointed(
        values, {f"http://127.0.0.1:{USUAL_PORTS[name]}": f"http://127.0.0.1:{port}" for name, port in ports.items()}
    )
    values["ledger"] = {"url": f"sqlite:///{home.resolve()}/ledger.db"}
    for name, connection in values.get("connections", {}).items():
        if connection["kind"] in ports:
            connection["sandbox_url"] = f"http://127.0.0.1:{ports[connection['kind']]}"
        if connection["kind"] == "files":
            connection["folder"] = str(home.resolve() / name)
    if real_people:
        values.pop("lookups", None)
    else:
        values["registries"] = {
            kind: {"kind": kind, "folder": str(home.resolve() / REGISTRIES / kind)} for kind in REGISTRY_KINDS
        }
    values.setdefault("dialing_list", {})["folder"] = str(home.resolve() / "dialing")
    values.setdefault("report", {})["folder"] = str(home.resolve() / "reports")
    path = home / "ringtrue.toml"
    path.write_text(tomli_w.dumps(values), encoding="utf-8")
    os.environ[SETTINGS_VARIABLE] = str(path.resolve())
    dagster_home = home / "dagster_home"
    dagster_home.mkdir(exist_ok=True)
    shutil.copy(DAGSTER_YAML, dagster_home)
    os.environ["DAGSTER_HOME"] = str(dagster_home.resolve())
    settings = load_settings()
    _forget_credentials(settings)
    return settings


def _pointed(value: Any, moved: Mapping[str, str]) -> Any:
    """Settings in which the sandbox's usual addresses are replaced by those it has now."""
    if isinstance(value, dict):
        return {name: _pointed(one, moved) for name, one in value.items()}
    if isinstance(value, list):
        return [_pointed(one, moved) for one in value]
    if isinstance(value, str):
        for usual, now in moved.items():
            if value == usual or value.startswith(f"{usual}/"):
                return now + value.removeprefix(usual)
    return value


def _forget_credentials(settings: Settings) -> None:
    names = {
        variable
        for name, connection in settings.connections.items()
        if connection.kind != "files"
        for variable in variables(name, connection)
    }
    for name, service in settings.lookups.services.items():
        names |= set(secrets_of(name, service))
    for variable in names:
        os.environ.pop(variable, None)


def prepare_crms(settings: Settings) -> None:
    """Create RingTrue's fields in both CRMs, as `ringtrue prepare` does."""
    for name, connection in settings.connections.items():
        if connection.kind == "files":
            continue
        crm = connect(name, connection)
        try:
            crm.prepare(wanted_fields(crm, connection, settings.policy.language), dry_run=False)
        finally:
            crm.close()


@contextmanager
def running_ui(home: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Start the Dagster UI and its daemon, and yield the address and the process once it answers."""
    port = _free_port(USUAL_PORTS["dagster"])
    log = home / "dagster.log"
    command = [sys.executable, "-m", "dagster", "dev", "-w", "workspace.yaml", "-h", "127.0.0.1", "-p", str(port)]
    with log.open("wb") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=stream, start_new_session=True)
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + START_SECONDS
        while (problem := _code_loaded(address)) is None:
            if process.poll() is not None or time.monotonic() > deadline:
                raise HostUnreachable(f"The Dagster UI did not start; {log} says why.")
            time.sleep(0.2)
        if problem:
            raise HostUnreachable(f"Dagster could not load the project: {problem} ({log})")
        yield address, process
    finally:
        _stop(process)


def _code_loaded(address: str) -> str | None:
    """Whether the UI shows the project: "" when it does, the reason when it never will, None while it is starting."""
    try:
        answer = httpx.post(f"{address}/graphql", json={"query": CODE_QUERY}, timeout=30, trust_env=False)
        entries = answer.raise_for_status().json()["data"]["workspaceOrError"]["locationEntries"]
    except httpx.HTTPError:
        return None
    if not entries or any(entry["loadStatus"] != "LOADED" for entry in entries):
        return None
    problems = [entry["locationOrLoadError"].get("message") for entry in entries]
    return " ".join(problem.strip() for problem in problems if problem)
