"""Load on `/v1/check`: a fixed number of requests a second over HTTP on loopback, and how long each took from the moment it was due.

    python -m benchmarks.serve [--rate 500] [--seconds 60] [--numbers 20000] [--write]

The ledger holds `--numbers` decided numbers; one in five questions is about a number nobody carries. Requests are due at even intervals whether or not
earlier ones were answered, so that a stall counts against every request that was due during it.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import platform
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
import orjson

from ringtrue.ledger.database import insert_rows
from tests.serve.server import ENVIRON, FORM_KEY, Home, Process

CONNECTIONS = 64
REPORT = Path(__file__).with_suffix(".md")
_SCHEDULED = {
    os.SCHED_OTHER: "scheduled like everything else",
    os.SCHED_BATCH: "scheduled behind everything else",
    os.SCHED_RR: "service and generator scheduled before the other work, as on a machine of their own: `chrt -r 1`",
    os.SCHED_FIFO: "service and generator scheduled before the other work, as on a machine of their own: `chrt -f 1`",
}


class Result(NamedTuple):
    """Latency of every request in milliseconds, from when it was due, and how many ended how."""

    latencies: np.ndarray
    ends: Counter[str]
    seconds: float


def numbers(count: int) -> list[str]:
    """Valid-looking German mobile numbers, all different."""
    return [f"+4915{place:09}" for place in range(100_000_000, 100_000_000 + count)]


def fill(home: Home, count: int) -> None:
    """A ledger with decided numbers, every tenth of them opted out by the registry's table."""
    now = int(time.time() * 1000)
    known = numbers(count)
    with home.ledger() as ledger, ledger.write() as connection:
        insert_rows(
            connection,
            "decisions",
            ["number", "contact_id", "status", "line", "reach", "identity", "permission", "confidence", "reason", "evidence", "policy",
             "decided_at", "current"],
            [(number, 0, "active", "alive", "reached", "unknown", "ok", 0.98, "Active: spoke with the contact on 3 May", "[]", "p", now, True)
             for number in known],
        )  # fmt: skip
        insert_rows(
            connection,
            "registry_listings",
            ["number", "name", "kind", "registry_id", "since"],
            [(number, "uk_tps", "uk_tps", 1, now) for number in known[::10]],
        )


class Line:
    """One kept-alive connection, as thin as can be: the load generator shares the machine."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def ask(self, request: bytes) -> str:
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        body = await self._reader.readexactly(length)
        status = head[9:12].decode()
        if status != "200":
            return status
        return "unknown" if b'"status":"unknown"' in body else "200"

    def close(self) -> None:
        self._writer.close()


def request(number: str, host: str) -> bytes:
    body = orjson.dumps({"number": number, "region": "DE"})
    head = (
        f"POST /v1/check HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {FORM_KEY}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def load(url: str, rate: float, seconds: float, known: list[str]) -> Result:
    """Send requests when they are due, over as many connections as it takes."""
    host = url.removeprefix("http://")
    address, _, port = host.partition(":")
    idle: asyncio.LifoQueue[Line] = asyncio.LifoQueue()
    for _ in range(CONNECTIONS):
        idle.put_nowait(Line(*await asyncio.open_connection(address, int(port))))
    asked = [
        known[place % len(known)] if place % 5 else f"+4917{place % 10**9:09}" for place in range(int(rate * seconds))
    ]
    requests = [request(number, host) for number in asked]
    latencies = np.zeros(len(requests))
    ends: Counter[str] = Counter()
    begin = time.perf_counter()

    async def one(place: int) -> None:
        due = begin + place / rate
        line = await idle.get()
        try:
            ends[await line.ask(requests[place])] += 1
        except (OSError, EOFError, ValueError) as error:
            ends[type(error).__name__] += 1
        idle.put_nowait(line)
        latencies[place] = (time.perf_counter() - due) * 1000

    tasks: set[asyncio.Task[None]] = set()
    for place in range(len(requests)):
        wait = begin + place / rate - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        task = asyncio.create_task(one(place))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)
    took = time.perf_counter() - begin
    while not idle.empty():
        idle.get_nowait().close()
    return Result(latencies, ends, took)


def report(result: Result, rate: float, count: int, cpu: float) -> str:
    """The measurement as a page."""
    shares = {f"p{share}": float(np.percentile(result.latencies, share)) for share in (50, 90, 99, 99.9)}
    rows = "\n".join(f"| {name} | {value:.1f} ms |" for name, value in shares.items())
    others = {name: times for name, times in result.ends.items() if name != "200"}
    loads = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    return f"""# `/v1/check` under load

Measured by `python -m benchmarks.serve` on {datetime.now(UTC):%Y-%m-%d %H:%M} UTC: {platform.machine()}, {os.cpu_count()} cores shared by the service,
the load generator and whatever else ran (load average {loads}; {_SCHEDULED[os.sched_getscheduler(0)]}), Python {platform.python_version()}, SQLite ledger with {count:,} decided numbers.

{len(result.latencies):,} requests due at {rate:.0f} a second for {result.seconds:.1f} s, over {CONNECTIONS} kept-alive connections on loopback. Latency counts from the moment
a request was due, not from when it was sent.

| share of requests | latency |
|---|---:|
{rows}
| slowest | {float(result.latencies.max()):.1f} ms |

Answered with 200 and what the ledger knows: {result.ends["200"]:,}. Anything else: {others or "none"}. Processor time of the service: {cpu / result.seconds:.0%} of one core.
"""


def processor_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=500)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--numbers", type=int, default=20_000)
    parser.add_argument("--write", action="store_true", help="write benchmarks/serve.md")
    options = parser.parse_args()
    os.environ.update(ENVIRON)
    # The generator's own pauses are not the service's.
    gc.collect()
    gc.freeze()
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        key = {"variable": "KEY_FORM", "rate_per_second": 10 * options.rate, "burst": int(10 * options.rate)}
        home.write({"keys": {"form": key}, "check_ms": 40.0})
        fill(home, options.numbers)
        process = Process(home, ENVIRON, "--quiet")
        try:
            asyncio.run(load(process.url, options.rate, 2, numbers(options.numbers)))
            before = processor_seconds(process.process.pid)
            result = asyncio.run(load(process.url, options.rate, options.seconds, numbers(options.numbers)))
            cpu = processor_seconds(process.process.pid) - before
        finally:
            process.stop()
    text = report(result, options.rate, options.numbers, cpu)
    print(text)
    if options.write:
        REPORT.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
