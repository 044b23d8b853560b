"""The demo's jobs, in a process of their own: Ctrl-C ends it at once, as a crash would, and the next start goes on."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection as Pipe
from pathlib import Path
from typing import NamedTuple

import dagster as dg

from app.demo_summary import count
from app.sync import Ran, SyncFailed, cancel_left_over_runs, run_job
from assets.definitions import build
from ringtrue.settings import load_settings

MOST_ROUNDS = 2


class Step(NamedTuple):
    """A stage began: in which round, in which connection's job, its name."""

    turn: int
    connection: str
    name: str


class RoundEnd(NamedTuple):
    """A round is over."""

    turn: int
    changes: int


class Plan(NamedTuple):
    """How many stages a round has."""

    steps: int


Told = Plan | Step | RoundEnd


def run_rounds(log: Path, tell: Callable[[Told], None]) -> dict[str, list[Ran]]:
    """Run every connection's job until none has changes to plan, at most `MOST_ROUNDS` times. What the process prints goes to `log`.

    Raises SyncFailed when the process ends without an answer.
    """
    context = get_context("spawn")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(log, there), name="rounds")
    process.start()
    there.close()
    try:
        while True:
            try:
                said: Told | dict[str, list[Ran]] = here.recv()
            except EOFError:
                raise SyncFailed(f"The jobs ended without an answer; {log} says why.") from None
            if isinstance(said, dict):
                process.join()
                return said
            tell(said)
    finally:
        process.kill()
        process.join()


def _work(log: Path, pipe: Pipe) -> None:
    # Ctrl-C reaches every process of the terminal; this one waits for its parent to decide.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with log.open("wb") as stream:
        os.dup2(stream.fileno(), 1)
        os.dup2(stream.fileno(), 2)
    settings = load_settings()
    definitions = build(settings, retries=False)
    runs: dict[str, list[Ran]] = {name: [] for name in settings.connections}
    pipe.send(Plan(sum(len(definitions.resolve_job_def(f"sync_{name}").nodes) for name in runs)))
    with dg.DagsterInstance.get() as instance:
        cancel_left_over_runs(instance)
        for turn in range(1, MOST_ROUNDS + 1):
            planned = 0
            for name in runs:

                def on_step(step: str, turn: int = turn, name: str = name) -> None:
                    pipe.send(Step(turn, name, step))

                ran = run_job(definitions, instance, f"sync_{name}", on_step=on_step)
                runs[name].append(ran)
                planned += count(ran, f"{name}/changes", "changes")
            pipe.send(RoundEnd(turn, planned))
            if not planned or any(not ran.success for rans in runs.values() for ran in rans):
                break
    pipe.send(runs)
