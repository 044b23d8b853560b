"""`python -m sandbox --home DIR`: start every stand-in over one seeded world."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp
from uvicorn.loops.auto import auto_loop_factory

from sandbox.faults import Faults
from sandbox.server import listen, serve
from sandbox.store import RecordStore

SURFACES = {"salesforce": "sandbox.salesforce_app:salesforce_app"}


def main(arguments: list[str] | None = None) -> None:
    """Make the world on the first start, then serve it until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="directory of the world and the record stores")
    parser.add_argument("--sf-port", type=int, default=8100)
    parser.add_argument("--ports-file", type=Path)
    options = parser.parse_args(arguments)
    options.home.mkdir(parents=True, exist_ok=True)
    apps: dict[str, tuple[ASGIApp, Any]] = {}
    for name, target in SURFACES.items():
        module, factory = target.split(":")
        if importlib.util.find_spec(module) is None:
            continue
        make: Callable[..., ASGIApp] = getattr(importlib.import_module(module), factory)
        store = RecordStore(options.home / f"{name}.db")
        apps[name] = (make(store, None, Faults()), listen(options.sf_port))
    with asyncio.Runner(loop_factory=auto_loop_factory(use_subprocess=False)) as runner:
        runner.run(serve(apps, options.ports_file))


if __name__ == "__main__":
    main()
