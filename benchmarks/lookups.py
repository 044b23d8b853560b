"""How many lookups a second one process makes through the desk, and in how much memory: `python -m benchmarks.lookups`.

The stand-in (Twilio, one number a request) runs in another process and answers after 50 ms. Goal: 1,000 lookups a second, under 300 MiB.
Every intent is committed to a ledger on SQLite before its question leaves, every answer with its evidence when it comes; `--memory` keeps the book in memory.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import psutil
import uvloop

from connectors.lookups import open_services
from connectors.lookups.book import LedgerBook
from connectors.lookups.desk import Desk
from connectors.lookups.protocol import Question
from connectors.lookups.service import Surroundings
from connectors.lookups.spend import MemoryBook, SpendBook
from ringtrue.ledger import Ledger
from ringtrue.lookup_settings import LookupsSettings

GOAL_PER_SECOND = 1000
GOAL_MEBIBYTES = 300


def start_stand_in(home: Path) -> tuple[subprocess.Popen[bytes], str]:
    """The lookup services on a free port."""
    ports = home / "ports.json"
    command = [sys.executable, "-m", "sandbox.lookups", "--home", str(home), "--port", "0", "--ports-file", str(ports)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while not ports.exists():
        if process.poll() is not None:
            raise SystemExit("The stand-in did not start.")
        time.sleep(0.05)
    return process, f"http://127.0.0.1:{json.loads(ports.read_text())['lookups']}"


async def measure(
    base: str, book: SpendBook, lookups: int, concurrency: int, latency_seconds: float
) -> tuple[float, int]:
    """Seconds for so many lookups, and how many were answered."""
    settings = LookupsSettings.model_validate(
        {
            "twilio": {
                "enabled": True,
                "base_url": f"{base}/twilio",
                "products": ["line_type"],
                "rate_per_second": 5000,
                "concurrency": concurrency,
            }
        }
    )
    environ = {"TWILIO_ACCOUNT_SID": "ACsandbox", "TWILIO_AUTH_TOKEN": "sandbox-token"}
    services, _ = open_services(settings, Surroundings(environ=environ))
    httpx.post(f"{base}/twilio/__sandbox__/settings", json={"latency_seconds": latency_seconds}).raise_for_status()
    questions = [
        Question(f"+1415{200 + at // 10_000}{at % 10_000:04d}", "line_type", region="US") for at in range(lookups)
    ]
    desk = Desk(services, book, settings)
    started = time.perf_counter()
    report = await desk.run(questions, lambda _question, answers: not answers)
    seconds = time.perf_counter() - started
    await desk.close()
    return seconds, report.settled


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lookups", type=int, default=20_000)
    parser.add_argument("--concurrency", type=int, default=100)
    parser.add_argument("--latency-seconds", type=float, default=0.05)
    parser.add_argument("--memory", action="store_true", help="the book in memory instead of the ledger")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        process, base = start_stand_in(Path(home))
        ledger = None if options.memory else Ledger.open(f"sqlite:///{home}/ledger.db")
        book: SpendBook = MemoryBook() if ledger is None else LedgerBook(ledger, "bench")
        try:
            before = time.process_time()
            seconds, answered = uvloop.run(
                measure(base, book, options.lookups, options.concurrency, options.latency_seconds)
            )
            busy = time.process_time() - before
        finally:
            process.terminate()
            process.wait()
            if ledger is not None:
                ledger.close()
    load = psutil.getloadavg()[0]
    memory = psutil.Process().memory_info().rss / 2**20
    rate = answered / seconds
    print(f"{answered} lookups in {seconds:.1f} s: {rate:.0f} a second (goal {GOAL_PER_SECOND})")
    print(f"processor {busy / answered * 1000:.2f} ms a lookup, {busy / seconds:.0%} of one core")
    print(f"memory {memory:.0f} MiB (goal under {GOAL_MEBIBYTES}); load {load:.1f} on {psutil.cpu_count()} processors")


if __name__ == "__main__":
    main()
