"""The long search for a difference between the kernel and phonenumbers, and for a fault that the tests would miss: `make fuzz`.

1. The million random texts of the tests, all parts, and as many more as asked for, against phonenumbers.
2. Faults put into single transitions of the tables: how many of them the edge corpus of the tests notices.
3. The same texts and broken UTF-8 through a kernel built with AddressSanitizer and UndefinedBehaviorSanitizer.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import random
import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final
from unittest.mock import patch

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ringtrue.numbering import native, plans_of, read, reader
from ringtrue.numbering.automata import TERMINAL
from ringtrue.numbering.reader import Plans
from ringtrue.repair import repair
from ringtrue.repair_digits import mended
from tests.numbers.compare import mismatches
from tests.numbers.corpus import Case, neighbours, noise, table_edges
from tests.numbers.test_kernel import PARTS, ROWS

ROOT: Final = Path(__file__).parents[1]
BENCH: Final = ROOT / ".bench"
BATCH: Final = 50_000
KILLED: Final = 0.97
"""Share of faults in the tables that the edge corpus has to notice; the rest lead into states that nothing leads out of."""
MENDED: Final = 10_000
"""Texts of a batch that are also repaired: Python has to understand each of these, which takes time under the sanitizers."""
NUMBERS_SECTION, PREFIXES_SECTION = 10, 12
"""Places of the two automata over digits in the head of the tables."""


def differences(more: int, seed: int) -> int:
    """Compare with phonenumbers; the number of texts read differently, each printed."""
    wrong = 0
    for part in range(PARTS):
        wrong += _compare(f"part {part} of {PARTS}", noise(part, ROWS))
    if more:
        wrong += _compare(f"seed {seed}", noise(seed, more))
    return wrong


def _compare(name: str, cases: Iterator[Case]) -> int:
    started, rows, wrong = time.perf_counter(), 0, 0
    while batch := list(islice(cases, BATCH)):
        for sentence in mismatches(batch):
            wrong += 1
            sys.stdout.write(f"{sentence}\n")
        rows += len(batch)
    sys.stdout.write(f"{name}: {rows:,} texts, {wrong} read differently, {time.perf_counter() - started:.0f} s\n")
    return wrong


def faults(count: int, seed: int) -> float:
    """The share of single wrong transitions that the edge corpus notices."""
    texts, plans = _columns([*table_edges(), *neighbours()])
    tables, right = reader.kernel_tables(), read(texts, plans)
    places = np.frombuffer(tables, np.uint32, 16)
    sizes = {
        section: int(places[section + 1] - places[section]) // 2 for section in (NUMBERS_SECTION, PREFIXES_SECTION)
    }
    chance, killed = random.Random(seed), 0
    for _ in range(count):
        section = chance.choices(list(sizes), list(sizes.values()))[0]
        cells = np.frombuffer(tables, np.uint16, sizes[section], int(places[section])).copy()
        targets = np.flatnonzero(cells < TERMINAL)
        at = chance.choice(targets.tolist())
        cells[at] = chance.choice([state for state in set(cells[targets].tolist()) if state != cells[at]])
        faulty = tables[: places[section]] + cells.tobytes() + tables[places[section + 1] :]
        with patch.object(reader, "kernel_tables", lambda faulty=faulty: faulty):
            found = any(not ours.equals(other) for ours, other in zip(read(texts, plans), right, strict=True))
        killed += found
        if not found:
            sys.stdout.write(f"not noticed: entry {at} of section {section}\n")
    return killed / count


def _columns(cases: list[Case]) -> tuple[pa.Array, Plans]:
    texts, regions = zip(*cases, strict=True)
    return pa.array(texts, pa.large_string()), plans_of(pa.array(regions, pa.string()), len(cases))


def sanitized(rows: int, seed: int) -> bool:
    """Run the texts through a kernel built with the sanitizers, in a process of its own."""
    compiler = shutil.which("gcc")
    if compiler is None:
        sys.stdout.write("sanitizers: no gcc here, not run\n")
        return True
    BENCH.mkdir(exist_ok=True)
    library = BENCH / "_kernel.sanitized.so"
    flags = [
        "-O1",
        "-g",
        "-shared",
        "-fPIC",
        "-fsanitize=address,undefined",
        "-fno-sanitize-recover=all",
        "-fno-omit-frame-pointer",
    ]
    sources = sorted((ROOT / "ringtrue/numbering").glob("*.c"))
    subprocess.run([compiler, *flags, f"-I{sysconfig.get_paths()['include']}", *sources, "-o", library], check=True)
    runtime = subprocess.run(
        [compiler, "-print-file-name=libasan.so"], capture_output=True, text=True, check=True
    ).stdout.strip()
    environment = {
        **os.environ,
        "LD_PRELOAD": str(Path(runtime).resolve()),
        "ASAN_OPTIONS": "detect_leaks=0",
        "UBSAN_OPTIONS": "print_stacktrace=1",
        "PYTHONMALLOC": "malloc",
        "ARROW_DEFAULT_MEMORY_POOL": "system",
    }
    command = [
        sys.executable,
        "-m",
        "benchmarks.fuzz_numbers",
        "--inside",
        str(library),
        "--rows",
        str(rows),
        "--seed",
        str(seed),
    ]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    sys.stdout.write(done.stdout + done.stderr[-4000:])
    return done.returncode == 0


def _inside(library: str, rows: int, seed: int) -> None:
    """In the process with the sanitizers: read everything, whole and with bytes broken."""
    spec = importlib.util.spec_from_file_location("ringtrue.numbering._kernel", library)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(library)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    chance = random.Random(seed)
    with patch.object(native, "kernel", module):
        for _ in range(0, rows, BATCH):
            texts, plans = _columns(list(noise(chance.randrange(1 << 30), BATCH)))
            read(texts, plans)
            mend(texts, plans)
            _, offsets, data = texts.buffers()
            broken = bytearray(data.to_pybytes())
            for _ in range(len(broken) // 20):
                broken[chance.randrange(len(broken))] = chance.randrange(256)
            texts = pa.Array.from_buffers(pa.large_string(), len(texts), [None, offsets, pa.py_buffer(bytes(broken))])
            read(texts, plans)
            mend(texts, plans)
    sys.stdout.write(f"sanitizers: {2 * rows:,} texts, half of them with broken bytes, nothing found\n")


def mend(texts: pa.Array, plans: Plans) -> None:
    """Repair what was read, and the digits of the texts as they stand."""
    for batch in read(texts.slice(0, MENDED), plans[:MENDED], dialable=True):
        repair(batch, texts.slice(0, MENDED), plans[:MENDED])
    digits = pc.replace_substring_regex(texts.cast(pa.large_binary()), rb"[^0-9]+", b"").cast(pa.string())
    mended(digits, plans, np.arange(len(digits)) % 9)


def main() -> None:
    """Run all three; the exit code says whether anything was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--rows", type=int, default=200_000, help="texts through the sanitizers, and beyond the tests' million"
    )
    parser.add_argument("--faults", type=int, default=250)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        _inside(options.inside, options.rows, options.seed)
        return
    sys.stdout.write(f"seed {options.seed}\n")
    wrong = differences(options.rows, options.seed)
    noticed = faults(options.faults, options.seed)
    sys.stdout.write(
        f"faults: {noticed:.1%} of {options.faults} wrong transitions noticed; {KILLED:.0%} are asked for\n"
    )
    clean = sanitized(options.rows, options.seed)
    sys.exit(bool(wrong) or noticed < KILLED or not clean)


if __name__ == "__main__":
    main()
