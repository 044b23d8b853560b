"""`ringtrue sync`: run a connection's Dagster job once, in this process, and say what happened."""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import dagster as dg
import typer
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.storage.dagster_run import FINISHED_STATUSES
from sqlalchemy.exc import OperationalError

from app import complete
from app.console import out, print_json, steady_console
from assets.definitions import build
from assets.run_owner import PROCESS_TAG
from ringtrue.errors import RingTrueError, SettingsError
from ringtrue.settings import load_settings

POLL_SECONDS = 0.2
QUIET: dict[str, Any] = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
"""Run config that keeps Dagster's log lines out of the terminal."""


class SyncFailed(RingTrueError):
    """A run failed; the message is the sentence of the stage that failed first."""


class Ran(NamedTuple):
    """One run: its id, whether it succeeded, metadata by asset, failed checks and failure sentences."""

    run_id: str
    success: bool
    metadata: dict[str, dict[str, Any]]
    failures: list[str]
    checks: list[str]
    seconds: float


def dagster_home() -> None:
    """Point DAGSTER_HOME at ./dagster_home unless it is set. Dagster wants it absolute."""
    if not os.environ.get("DAGSTER_HOME"):
        os.environ["DAGSTER_HOME"] = str(Path("dagster_home").resolve())


def run_config_of(name: str, kind: str, *, full: bool, since: str | None, limit: int | None) -> dict[str, Any]:
    """Run config of a connection's job."""
    if kind == "files":
        return {"ops": {f"{name}__contacts": {"config": {"full": full}}}}
    pull: dict[str, Any] = {"full": full}
    if since:
        pull["since"] = since
    ops: dict[str, Any] = {f"{name}__contacts": {"config": pull}}
    if limit is not None:
        ops[f"{name}__writeback"] = {"config": {"limit": limit}}
    return {"ops": ops}


@contextmanager
def _steps_told(instance: dg.DagsterInstance, run_id: str, on_step: Callable[[str], None] | None) -> Iterator[None]:
    """Watch a run from a thread beside it and tell the name of each stage as it starts."""
    if on_step is None:
        yield
        return
    ended = threading.Event()

    def watch() -> None:
        told: set[str] = set()
        while not ended.wait(POLL_SECONDS):
            if not instance.has_run(run_id):
                continue
            for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_START):
                step = entry.step_key or ""
                if step not in told:
                    told.add(step)
                    on_step(step.replace("__", "/"))

    watcher = threading.Thread(target=watch, name=f"steps of {run_id}", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def run_job(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    job_name: str,
    *,
    run_config: dict[str, Any] | None = None,
    on_step: Callable[[str], None] | None = None,
) -> Ran:
    """Run a job in this process and thread. `on_step` is called with the name of each stage as it starts.

    The run's log is kept by Dagster; nothing of it is printed. Ctrl-C ends the run, and raises KeyboardInterrupt as usual.
    """
    job = definitions.resolve_job_def(job_name)
    run_id = str(uuid.uuid4())
    started = time.monotonic()
    try:
        with _steps_told(instance, run_id, on_step):
            result = job.execute_in_process(
                run_config={**QUIET, **(run_config or {})},
                instance=instance,
                raise_on_error=False,
                run_id=run_id,
                tags={PROCESS_TAG: _mark_of(os.getpid())},
            )
    except BaseException as error:
        if not _is_interrupt(error):
            raise
        # The interrupt may have left Dagster's own storage in the middle of a write; then nobody can note the end here.
        with suppress(OperationalError):
            _cancel(instance, run_id)
        raise KeyboardInterrupt from error
    if any(_interrupted(event) for event in result.get_step_failure_events()):
        raise KeyboardInterrupt
    metadata: dict[str, dict[str, Any]] = {}
    for event in result.get_asset_materialization_events():
        materialization = event.step_materialization_data.materialization
        metadata[materialization.asset_key.to_user_string()] = {
            name: getattr(entry, "value", None) for name, entry in materialization.metadata.items()
        }
    failures = [_sentence(event) for event in result.get_step_failure_events()]
    checks = [
        f"{check.asset_key.to_user_string()}: {check.check_name}: {check.description or ''}"
        for check in result.get_asset_check_evaluations()
        if not check.passed
    ]
    return Ran(run_id, result.success, metadata, failures, checks, time.monotonic() - started)


def _is_interrupt(error: BaseException | None) -> bool:
    """Whether Ctrl-C is what stopped a run, or what went wrong while it was stopping."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt | DagsterExecutionInterruptedError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _cancel(instance: dg.DagsterInstance, run_id: str) -> None:
    run = instance.get_run_by_id(run_id)
    if run is not None and not run.is_finished:
        instance.report_run_canceled(run)


def _unfinished(instance: dg.DagsterInstance) -> Sequence[dg.DagsterRun]:
    statuses = [
        status for status in dg.DagsterRunStatus if status not in (*FINISHED_STATUSES, dg.DagsterRunStatus.QUEUED)
    ]
    return instance.get_runs(dg.RunsFilter(statuses=statuses))


def _end(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    instance.report_run_canceled(run)
    instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def cancel_left_over_runs(instance: dg.DagsterInstance) -> None:
    """End runs that a process which was stopped left behind, and free the pools they held. Only where nobody else can be running on this instance."""
    for run in _unfinished(instance):
        _end(instance, run)


def cancel_dead_runs(instance: dg.DagsterInstance) -> None:
    """End runs of `run_job` whose process on this machine is gone, and free the pools they held: else the next run would wait for ever."""
    host = socket.gethostname()
    for run in _unfinished(instance):
        where, _, pid = run.tags.get(PROCESS_TAG, "").partition(" ")[0].rpartition(":")
        if where == host and _mark_of(int(pid)) != run.tags[PROCESS_TAG]:
            _end(instance, run)


def _mark_of(pid: int) -> str:
    """Host, id and start of a process: ids come again, starts do not. Empty where there is no such process."""
    try:
        # The 22nd word of the line is the start; the second one, in brackets, may hold blanks.
        start = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[19]
    except OSError:
        return ""
    return f"{socket.gethostname()}:{pid} {start}"


def _interrupted(event: dg.DagsterEvent) -> bool:
    error = event.step_failure_data.error
    return error is not None and error.cls_name == DagsterExecutionInterruptedError.__name__


def _sentence(event: dg.DagsterEvent) -> str:
    data = event.step_failure_data
    if data.user_failure_data is not None and data.user_failure_data.description:
        return data.user_failure_data.description
    return data.error.message.strip() if data.error else "a stage failed without a reason"


def sync(
    connections: Annotated[
        list[str] | None,
        typer.Argument(help="Connections to sync; all by default.", autocompletion=complete.connections),
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Pull every record again.")] = False,
    since: Annotated[str | None, typer.Option(help="Pull what changed since this moment (ISO 8601).")] = None,
    limit: Annotated[int | None, typer.Option(help="Write at most this many records: a canary.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run the sync of one or all connections now, in this process, recorded like any other run."""
    settings = load_settings()
    for name in connections or []:
        if name not in settings.connections:
            raise SettingsError(
                f"There is no connection {name!r} in the settings; there is {', '.join(settings.connections) or 'none'}."
            )
    dagster_home()
    definitions = build(settings, retries=False)
    report: dict[str, Any] = {}
    failed: list[str] = []
    with dg.DagsterInstance.get() as instance, steady_console() as steps:
        cancel_dead_runs(instance)
        for name in connections or list(settings.connections):
            kind = settings.connections[name].kind
            ran = run_job(
                definitions,
                instance,
                f"sync_{name}",
                run_config=run_config_of(name, kind, full=full, since=since, limit=limit),
                on_step=None if as_json else (lambda step: steps.print(f"  {step}")),
            )
            failed += [f"{name}: {failure}" for failure in dict.fromkeys(ran.failures)]
            report[name] = {
                "run": ran.run_id, "success": ran.success, "seconds": round(ran.seconds, 1), "checks": ran.checks,
                "stages": {
                    stage: {key: value for key, value in metadata.items() if isinstance(value, int | float | str)}
                    for stage, metadata in ran.metadata.items()
                },
            }  # fmt: skip
            if not as_json:
                changes = ran.metadata.get(f"{name}/changes", {}).get("changes", 0)
                out.print(
                    f"{name}: {'done' if ran.success else 'failed'} in {ran.seconds:.1f} s, changes: {changes}, run {ran.run_id}"
                )
                for check in ran.checks:
                    out.print(f"  [yellow]check[/] {check}")
    if as_json:
        print_json(report)
    if failed:
        raise SyncFailed(" ".join(failed))
