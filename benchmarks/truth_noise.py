"""Random numbers that depend on what they are about and on nothing else, so that every policy meets the same world."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_STEP = np.uint64(0x9E3779B97F4A7C15)


def noise(*keys: npt.ArrayLike) -> Floats:
    """A uniform number in [0, 1) for each combination of integer keys (SplitMix64: Steele, Lea and Flood 2014)."""
    state = np.zeros(1, np.uint64)
    for key in keys:
        state = _mixed(state ^ np.asarray(key).astype(np.int64).view(np.uint64))
    return (state >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mixed(state: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    state = state + _STEP
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))
