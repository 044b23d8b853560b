"""How long a large registry takes to load, what a check costs, and how much memory both need.

    python -m benchmarks.registries [--numbers 5000000] [--postgres URL]

Prints one line each: load from the flat file to numbers in force, checks of random numbers in batches as `dialing_list` makes them, one scrub of
many of our numbers, peak memory, size on disk.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from assets.registries import run
from connectors.registries import us_national
from ringtrue.ledger import Ledger, registries, registry_blocks
from ringtrue.registry_settings import RegistrySettings
from ringtrue.settings import Settings

BATCH = 20_000
CHECKS = 50
_COUNTRY, _AREA = 10_000_000_000, 10_000_000


def write_list(path: Path, count: int, seed: int) -> None:
    """A flat full list over all US area codes, in the registry's layout, a portion at a time."""
    random = np.random.default_rng(seed)
    areas = np.array(sorted(us_national.areas()))
    with path.open("w") as file:
        for start in range(0, count, 500_000):
            some = min(500_000, count - start)
            codes, lines = random.choice(areas, some), random.integers(2_000_000, 10_000_000, some)
            file.writelines(f"{code},{line:07}\n" for code, line in zip(codes.tolist(), lines.tolist(), strict=True))


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--numbers", type=int, default=5_000_000)
    parser.add_argument("--postgres", help="address of an empty database; SQLite without it")
    chosen = parser.parse_args()
    now = int(datetime.now(UTC).timestamp() * 1000)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "full.txt"
        write_list(path, chosen.numbers, seed=1)
        settings = Settings(registries={"national": RegistrySettings(kind="us_national", file=str(path))})
        ledger = Ledger.open(chosen.postgres or f"sqlite:///{folder}/ledger.db", key=b"benchmark" * 4)
        begun = _memory()
        start = time.perf_counter()
        state = run(ledger, settings, "benchmark", now)["national"]
        seconds = time.perf_counter() - start
        print(
            f"load      {state.numbers:,} numbers of {chosen.numbers:,} lines in {seconds:.1f} s, peak memory {_memory():,} MB (before: {begun:,} MB)"
        )
        random = np.random.default_rng(2)
        areas = np.array(sorted(us_national.areas()))
        spent, hits = 0.0, 0
        with ledger.read() as book:
            for _ in range(CHECKS):
                numbers = _COUNTRY + random.choice(areas, BATCH) * _AREA + random.integers(2_000_000, 10_000_000, BATCH)
                start = time.perf_counter()
                hits += int(registry_blocks.contains(book, "national", numbers).sum())
                spent += time.perf_counter() - start
            print(
                f"check     {spent / CHECKS / BATCH * 1e6:.2f} microseconds a number in batches of {BATCH:,} ({hits:,} hits)"
            )
            one = time.perf_counter()
            for number in numbers[:200].tolist():
                registries.check(book, [f"+{number}"])
            print(f"check     {(time.perf_counter() - one) / 200 * 1e6:.0f} microseconds for one number alone")
        size = sum(file.stat().st_size for file in Path(folder).glob("ledger.db*"))
        print(f"storage   {size / max(state.numbers, 1):.1f} bytes a number")
        print(f"memory    peak {_memory():,} MB in all")
        ledger.close()


def _memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
