"""How fast numbers are read, beside others on the same strings: `python -m benchmarks.numbers [--parquet] [--report FILE]`.

Peers live in .bench/, which this program makes: a virtual environment (rphonenumbers), node_modules (libphonenumber-js) and a program against
Debian's libphonenumber where its headers are installed. Where Debian's source package is unpacked in .bench/libphonenumber, the program is
also built with RE2 in place of ICU (benchmarks/peers/re2.sh). What cannot be had is reported as not measured.

Everything in the report below the line NOTES is kept when it is written again.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import resource
import shutil
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Final

import phonenumbers
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.workload import rows
from ringtrue.numbering import kernel_status
from ringtrue.numbering.reader import COUNTS
from ringtrue.phone import normalize, normalize_arrow

ROOT: Final = Path(__file__).parents[1]
BENCH: Final = ROOT / ".bench"
PEERS: Final = Path(__file__).parent / "peers"
NOTES: Final = "## Notes"
GROUP: Final = 1 << 17
"""Rows in a row group of the Parquet files."""
FEW_VALUES: Final = ["error", "possible", "type", "region", "reason"]
"""Columns worth a dictionary; a dictionary of ten million numbers is given up half way, after it was made."""

Line = tuple[str, float | None, str]
"""What was measured, rows per second on one core (None: not measured), and a remark."""


def table(count: int, damaged: float) -> pa.Table:
    """A list to read, kept in .bench for the next run."""
    BENCH.mkdir(exist_ok=True)
    path = BENCH / f"workload-{count}-{damaged}.parquet"
    if not path.exists():
        texts, regions = zip(*rows(count, damaged=damaged), strict=True)
        columns = {"raw": pa.array(texts, pa.large_string()), "region": pa.array(regions, pa.string())}
        pq.write_table(pa.table(columns), path)
    return pq.read_table(path).combine_chunks()


def best(count: int, work: Callable[[], object], *, runs: int = 9) -> float:
    """Rows per second of processor time, all threads counted, in the best of some runs: what others do on the machine does not count."""
    times = []
    for _ in range(runs):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return count / min(times)


def ours(count: int) -> list[Line]:
    """This project: through Arrow and pandas, without and with repair."""
    clean, damaged = table(count, 0.0), table(count, 0.1)
    raw, region = clean["raw"].chunk(0), clean["region"].chunk(0)
    frame = clean.to_pandas()
    bad, bad_region = damaged["raw"].chunk(0), damaged["region"].chunk(0)
    before, slow = COUNTS.rows, COUNTS.slow
    lines: list[Line] = [
        ("ringtrue, Arrow, every output", best(count, lambda: normalize_arrow(raw, region, repair=False)), ""),
        (
            "ringtrue, pandas, every output",
            best(count, lambda: normalize(frame["raw"], frame["region"], repair=False)),
            "",
        ),
        ("ringtrue, Arrow, with repair, clean list", best(count, lambda: normalize_arrow(raw, region)), ""),
        (
            "ringtrue, Arrow, with repair, one field in ten damaged",
            best(count, lambda: normalize_arrow(bad, bad_region)),
            "",
        ),
    ]
    share = (COUNTS.slow - slow) / (COUNTS.rows - before)
    return [(name, rate, remark or f"{share:.4%} of rows left to phonenumbers") for name, rate, remark in lines]


def peers(count: int) -> Iterator[Line]:
    """The others, on the first rows of the clean list."""
    clean = table(1_000_000, 0.0).slice(0, count)
    path = BENCH / "workload.bin"
    pairs = zip(clean["raw"].to_pylist(), clean["region"].to_pylist(), strict=True)
    path.write_bytes("".join(f"{text}\0{region or ''}\0" for text, region in pairs).encode())
    yield _timed(
        f"phonenumbers {phonenumbers.__version__}, pattern cache on",
        [sys.executable, PEERS / "peer.py", "phonenumbers", path],
    )
    yield _timed("rphonenumbers (Rust)", _rphonenumbers(path))
    yield _timed("libphonenumber-js/max", _node(path))
    yield _timed("libphonenumber C++, Debian's build (ICU)", _cpp(path))
    yield _timed("libphonenumber C++, built with RE2", _cpp_with_re2(path))


def _timed(name: str, command: list[str | Path] | None) -> Line:
    if command is None:
        return name, None, "not installed"
    rates, valid = [], 0
    for _ in range(3):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return name, None, f"failed: {done.stderr.strip()[-80:]}"
        rates.append(float(done.stdout.split()[0]))
        valid = int(done.stdout.split()[1])
    return name, max(rates), f"{valid:,} valid"


def _rphonenumbers(path: Path) -> list[str | Path] | None:
    python = BENCH / "venv/bin/python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", BENCH / "venv"], check=True)
    pip = subprocess.run([python, "-m", "pip", "install", "-q", "rphonenumbers"], capture_output=True, check=False)
    return [python, PEERS / "peer.py", "rphonenumbers", path] if pip.returncode == 0 else None


def _node(path: Path) -> list[str | Path] | None:
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    folder = BENCH / "node"
    folder.mkdir(exist_ok=True)
    install = [npm, "install", "--silent", "--no-fund", "--no-audit", "libphonenumber-js"]
    done = subprocess.run(install, cwd=folder, capture_output=True, check=False)
    return [node, PEERS / "peer.mjs", path, folder] if done.returncode == 0 else None


def _cpp(path: Path) -> list[str | Path] | None:
    compiler, program = shutil.which("g++"), BENCH / "peer"
    if compiler is None:
        return None
    command: list[str | Path] = [compiler, "-O3", "-march=native", PEERS / "peer.cc", "-o", program, "-lphonenumber"]
    return [program, path] if subprocess.run(command, capture_output=True, check=False).returncode == 0 else None


def _cpp_with_re2(path: Path) -> list[str | Path] | None:
    source, program = BENCH / "libphonenumber", BENCH / "peer-re2"
    if not source.exists():
        return None
    if not program.exists():
        done = subprocess.run(["/bin/sh", PEERS / "re2.sh", source, program], capture_output=True, check=False)
        if done.returncode:
            return None
    return [program, path]


def parquet(count: int, threads: int) -> tuple[float, float, float]:
    """Seconds, seconds of processor time and peak megabytes for a Parquet file read, normalised and written on some threads, with a bounded queue."""
    source, target = BENCH / f"list-{count}.parquet", BENCH / "normalised.parquet"
    if not source.exists():
        clean = table(1_000_000, 0.0)
        with pq.ParquetWriter(source, clean.schema, compression="snappy") as writer:
            for _ in range(count // len(clean)):
                writer.write_table(clean, row_group_size=GROUP)
    command = [sys.executable, "-m", "benchmarks.numbers", "--parquet-worker", str(source), str(target), str(threads)]
    seconds, busy, peak = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    return float(seconds), float(busy), float(peak)


def _parquet_worker(source: str, target: str, threads: int) -> None:
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    started = time.perf_counter()
    metadata = pq.read_metadata(source)

    def normalised(group: int) -> pa.Table:
        """One row group; files mapped into memory would count as memory, and regions stay the dictionary they are."""
        with pq.ParquetFile(source, metadata=metadata, read_dictionary=["region"]) as file:
            part = file.read_row_group(group, use_threads=False)
        return normalize_arrow(part["raw"], part["region"], repair=False)

    waiting: deque[Future[pa.Table]] = deque()
    groups = iter(range(metadata.num_row_groups))
    writer: pq.ParquetWriter | None = None
    with ThreadPoolExecutor(threads) as pool:
        waiting.extend(pool.submit(normalised, group) for group in islice(groups, threads))
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(normalised, group) for group in islice(groups, 1))
            writer = writer or pq.ParquetWriter(
                target,
                result.schema,
                compression="snappy",
                write_statistics=False,
                use_dictionary=FEW_VALUES,
                column_encoding={"row": "DELTA_BINARY_PACKED"},
            )
            writer.write_table(result)
    if writer is not None:
        writer.close()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    sys.stdout.write(f"{time.perf_counter() - started:.2f} {time.process_time():.2f} {peak:.0f}\n")


def report(lines: list[Line], extra: list[str]) -> str:
    """The table, with each line's ratio to this project."""
    mine = next(rate for name, rate, _ in lines if name.startswith("ringtrue") and rate)
    processor = next(
        (
            line.split(":")[1].strip()
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    today = datetime.datetime.now(datetime.UTC)
    machine = (
        f"{today:%Y-%m-%d}, {os.cpu_count()} x {processor}, load {os.getloadavg()[1]:.1f}, Python {platform.python_version()}, "
        f"pyarrow {pa.__version__}. Rows per "
        "second of processor time in one process; each reads the same strings and answers E.164, possible, valid, type and region. Best of nine "
        f"runs of a million rows for ringtrue, best of three of the first rows for the others. {kernel_status()[0]}"
    )
    text = [
        "# Reading numbers: measured",
        "",
        machine,
        "",
        "| system | rows/s/core | ringtrue is | |",
        "|---|---:|---:|---|",
    ]
    for name, rate, remark in lines:
        text.append(
            f"| {name} | {f'{rate:,.0f}' if rate else 'not measured'} | {f'{mine / rate:,.1f} x' if rate else ''} | {remark} |"
        )
    return "\n".join([*text, "", *extra, ""])


def main() -> None:
    """Measure, print, and write the report if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--peer-rows", type=int, default=200_000)
    parser.add_argument(
        "--parquet", type=int, default=0, metavar="ROWS", help="also Parquet to Parquet, such as 100000000"
    )
    parser.add_argument("--report", type=Path, help="write the table to this file")
    parser.add_argument("--parquet-worker", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.parquet_worker:
        source, target, threads = options.parquet_worker
        _parquet_worker(source, target, int(threads))
        return
    lines = [*ours(options.rows), *peers(options.peer_rows)]
    extra = []
    if options.parquet:
        seconds, busy, peak = parquet(options.parquet, os.cpu_count() or 1)
        extra.append(
            f"{options.parquet:,} rows Parquet to Parquet on {os.cpu_count()} threads: {seconds:.1f} s ({busy:.1f} s of processor time), "
            f"{peak:.0f} MB at most."
        )
    text = report(lines, extra)
    sys.stdout.write(text)
    if options.report:
        before = options.report.read_text(encoding="utf-8") if options.report.exists() else ""
        notes = before[before.find(NOTES) :] if NOTES in before else f"{NOTES}\n"
        options.report.write_text(f"{text}\n{notes}", encoding="utf-8")


if __name__ == "__main__":
    main()
