"""One stage of the main job in a process of its own, measured: `RINGTRUE_SETTINGS=... python -m benchmarks.stage salesforce/contacts`.

Prints one line of JSON. Seconds and CPU seconds are those of the stage alone, without starting Python and reading the settings; CPU seconds count
this process and all its threads. The peak memory is that of the whole process.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson

from app.wanted import wanted_fields
from assets.contacts import PullConfig, pull
from assets.opt_outs import OptOutsConfig
from assets.opt_outs import run as run_opt_outs
from assets.phones import PhonesConfig
from assets.phones import run as run_phones
from assets.planner import plan_changes
from assets.status import StatusConfig
from assets.status import run as run_status
from assets.writeback import WritebackConfig, write_back
from connectors.crm import Usage
from connectors.resources import connect, open_ledger
from ringtrue.ledger import Ledger, journal
from ringtrue.settings import Settings, load_settings

SHARED = ("phones", "opt_outs", "status")


@dataclass
class Measured:
    """What one stage did and cost. `calls` are API calls by kind."""

    stage: str
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    counts: dict[str, int]
    calls: dict[str, int] = field(default_factory=dict)
    retries: int = 0


def peak_bytes(pid: int | str = "self") -> int:
    """Most memory a process has held at once, its VmHWM."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def run_stage(stage: str, settings: Settings) -> Measured:
    """Run a stage by its asset's name, or `salesforce/prepare`."""
    usage = Usage()
    with closing(open_ledger(settings)) as ledger:
        started, cpu = time.perf_counter(), time.process_time()
        if stage in SHARED:
            counts = _SHARED[stage](ledger, settings)
        else:
            name, _, part = stage.partition("/")
            counts, usage = _of_connection(ledger, settings, name, part)
        seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - cpu
    return Measured(stage, seconds, cpu_seconds, peak_bytes(), counts, usage.calls, usage.retries)


_SHARED: dict[str, Callable[[Ledger, Settings], dict[str, int]]] = {
    "phones": lambda ledger, settings: run_phones(ledger, settings, PhonesConfig())[0],
    "opt_outs": lambda ledger, settings: run_opt_outs(ledger, settings, OptOutsConfig()),
    "status": lambda ledger, settings: run_status(ledger, settings, StatusConfig())[0],
}


def _of_connection(ledger: Ledger, settings: Settings, name: str, part: str) -> tuple[dict[str, int], Usage]:
    if part == "changes":
        planning = plan_changes(ledger, settings, name, "bench")
        with ledger.read() as book:
            waiting = journal.count_planned(book, name, planning.plan.plan_id)
        split = {f"{'guarded' if guarded else 'free'} {kind}": count for (kind, guarded), count in waiting.items()}
        return {**planning.totals, **split}, Usage()
    connection = settings.connections[name]
    with closing(connect(name, connection)) as crm:
        if part == "contacts":
            pulled, _ = pull(ledger, crm, settings, name, PullConfig())
            counts = {f"read {object_name}": counted.read for object_name, counted in pulled.items()}
            return {"read": sum(counts.values()), **counts}, crm.usage
        if part == "prepare":
            steps = crm.prepare(wanted_fields(crm, connection, "en"), dry_run=False)
            return {"steps": len(steps)}, crm.usage
        outcome = write_back(ledger, crm, settings, name, "bench", "bench", WritebackConfig())
        return {"planned": outcome.planned, **outcome.totals}, crm.usage


def main() -> None:
    """Run the stage named on the command line and print what it cost."""
    measured: dict[str, Any] = asdict(run_stage(sys.argv[1], load_settings()))
    sys.stdout.buffer.write(orjson.dumps(measured) + b"\n")


if __name__ == "__main__":
    main()
