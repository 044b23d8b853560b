"""Sorts more numbers than memory holds: runs of a few million are sorted and put aside, then merged range by range."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from typing import IO

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.int64]
RUN = 4_000_000
STEP = 500_000
_WIDTH = 8


class SortedKeys:
    """Collects 64-bit keys in any order and gives them back sorted. `keep` thins sorted keys (duplicates, say) and is applied to runs and result."""

    def __init__(self, keep: Callable[[Keys], Keys], *, run: int = RUN) -> None:
        self._keep = keep
        self._run = run
        self._held: list[Keys] = []
        self._waiting = 0
        self._runs: list[Keys] = []
        self._files: list[IO[bytes]] = []

    def add(self, keys: Keys) -> None:
        """Take more keys."""
        if not len(keys):
            return
        self._held.append(keys)
        self._waiting += len(keys)
        if self._waiting >= self._run:
            self._put_aside()

    def _sorted(self) -> Keys:
        keys = np.sort(np.concatenate(self._held)) if self._held else np.zeros(0, np.int64)
        self._held, self._waiting = [], 0
        return self._keep(keys)

    def _put_aside(self) -> None:
        keys = self._sorted()
        file = tempfile.TemporaryFile()  # noqa: SIM115 closed with the object
        keys.tofile(file)
        file.flush()
        self._files.append(file)
        self._runs.append(np.memmap(file, np.int64, "r", shape=(len(keys),)))

    def portions(self, unit: int) -> Iterator[Keys]:
        """All keys sorted, in portions of bounded size; keys with the same `key // unit` come in one portion.

        A run must not hold more than half a million keys of one unit.
        """
        if self._held or not self._runs:
            self._runs.append(self._sorted())
        places = [0] * len(self._runs)
        while True:
            cuts = [
                int(run[place + STEP]) // unit * unit
                for run, place in zip(self._runs, places, strict=True)
                if place + STEP < len(run)
            ]
            ends = (
                [int(np.searchsorted(run, min(cuts))) for run in self._runs]
                if cuts
                else [len(run) for run in self._runs]
            )
            parts = [
                np.asarray(run[place:end])
                for run, place, end in zip(self._runs, places, ends, strict=True)
                if end > place
            ]
            if parts:
                yield self._keep(np.sort(np.concatenate(parts)) if len(parts) > 1 else parts[0])
            places = ends
            if not cuts:
                return

    def close(self) -> None:
        """Give the temporary files back."""
        self._runs.clear()
        for file in self._files:
            file.close()
        self._files.clear()


def distinct(keys: Keys) -> Keys:
    """Sorted keys, each once."""
    return keys[np.append(True, keys[1:] != keys[:-1])] if len(keys) else keys
