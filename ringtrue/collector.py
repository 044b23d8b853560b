"""Python's cycle collector, held back while batches of rows go by."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

YOUNG = 200_000
"""Containers made before the young ones are looked at; Python's own 700 suits programs that make few."""


@contextmanager
def rare_collections() -> Iterator[None]:
    """Collect less often, and leave out what was loaded before. Usable as a decorator.

    A batch makes hundreds of thousands of tuples and dicts without cycles, which die by themselves. Each of Python's full collections would
    walk through them and through every module of Dagster and pandas meanwhile: a third of a stage's time. Cycles are still found, later.
    """
    before = gc.get_threshold()
    if before[0] >= YOUNG:
        yield
        return
    gc.freeze()
    gc.set_threshold(YOUNG, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
