"""Fill the CRMs of a new sandbox directory, both at the same time, in processes of their own."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from sandbox.load import load_hubspot, load_salesforce
from sandbox.real_data import load_list
from sandbox.store import RecordStore
from sandbox.world import World

LOADERS: dict[str, Callable[[RecordStore, World, bool], int]] = {"salesforce": load_salesforce, "hubspot": load_hubspot}


class Filling(NamedTuple):
    """What to fill a directory with: the world's people, with or without their call history, or a real list."""

    home: Path
    calls: bool = True
    data: Path | None = None
    data_country: str | None = None


def fill(filling: Filling) -> bool:
    """Fill each CRM that is not full yet; True if there was anything to do. Raises RuntimeError when a filling fails."""
    waiting = [name for name in LOADERS if not _is_full(filling.home / f"{name}.db")]
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_fill_one, args=(name, filling)) for name in waiting]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if any(worker.exitcode for worker in workers):
        raise RuntimeError(
            "The CRMs could not be filled; the reason is printed above. Remove the directory and start again."
        )
    return bool(waiting)


def _is_full(path: Path) -> bool:
    if not path.exists():
        return False
    store = RecordStore(path)
    try:
        return store.setting("loaded") is not None
    finally:
        store.close()


def _fill_one(name: str, filling: Filling) -> None:
    """Start from nothing: a filling that was interrupted leaves no trace."""
    for leftover in filling.home.glob(f"{name}.db*"):
        leftover.unlink()
    store, world = RecordStore(filling.home / f"{name}.db"), World(filling.home / "world.db")
    if filling.data:
        loaded = load_list(store, world, filling.data, name, filling.data_country)
    else:
        loaded = LOADERS[name](store, world, filling.calls)
    store.set_setting("loaded", loaded)
    store.close()
