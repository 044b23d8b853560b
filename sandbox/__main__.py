"""`python -m sandbox --home DIR`: start every stand-in over one seeded world.

The first start on a directory makes the world and fills the CRMs; a later one continues where the last stopped. `--data FILE.csv` fills them from a real list instead.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from starlette.types import ASGIApp
from uvicorn.loops.auto import auto_loop_factory

from sandbox.faults import Faults
from sandbox.fill import LOADERS, Filling, fill
from sandbox.hubspot_app import hubspot_app
from sandbox.lookups import lookups_app
from sandbox.pages import pages_app
from sandbox.registries import write_registries
from sandbox.salesforce_app import salesforce_app
from sandbox.server import listen, serve
from sandbox.store import RecordStore
from sandbox.world import World


def main(arguments: list[str] | None = None) -> None:
    """Make the world on the first start, then serve it until interrupted."""
    options = _options(arguments)
    options.home.mkdir(parents=True, exist_ok=True)
    world = World(
        options.home / "world.db", options.seed, options.contacts, options.epoch, real_data=options.data is not None
    )
    started = time.monotonic()
    try:
        fresh = fill(Filling(options.home, not options.no_calls, options.data, options.data_country))
        sockets = {name: listen(getattr(options, f"{name}_port")) for name in ("sf", "hs", "pages", "lookups")}
    except (RuntimeError, OSError) as exc:
        sys.exit(str(exc))
    if options.registries is not None:
        write_registries(world, options.registries)
    if fresh:
        print(f"The CRMs were filled in {time.monotonic() - started:.1f} s.", flush=True)
    stores = {name: RecordStore(options.home / f"{name}.db") for name in LOADERS}
    limits = {"burst": options.hs_burst, "search_per_second": options.hs_search, "daily": options.hs_daily}
    lifted = {name: value for name, value in limits.items() if value is not None}
    apps: dict[str, tuple[ASGIApp, Any]] = {
        "salesforce": (salesforce_app(stores["salesforce"], world, Faults()), sockets["sf"]),
        "hubspot": (hubspot_app(stores["hubspot"], world.now_ms, settings=lifted), sockets["hs"]),
        "pages": (pages_app(stores, world), sockets["pages"]),
        "lookups": (lookups_app(world), sockets["lookups"]),
    }
    with asyncio.Runner(loop_factory=auto_loop_factory(use_subprocess=False)) as runner:
        runner.run(serve(apps, options.ports_file))


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m sandbox", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--home", type=Path, required=True, help="directory of the world and the record stores")
    parser.add_argument(
        "--seed", type=int, default=1, help="the same seed and epoch make the same world (first start only)"
    )
    parser.add_argument("--contacts", type=int, default=2000, help="contacts in each CRM (first start only)")
    parser.add_argument(
        "--epoch",
        type=datetime.fromisoformat,
        help="the world's today, an ISO date-time with offset; default: now (first start only)",
    )
    parser.add_argument("--no-calls", action="store_true", help="load no call history (first start only)")
    parser.add_argument(
        "--data", type=Path, help="fill both CRMs from this CSV instead of the seeded world (first start only)"
    )
    parser.add_argument("--data-country", help="ISO code of the list's country, if it has no country column")
    parser.add_argument("--sf-port", type=int, default=8100, help="Salesforce; 0 takes any free port")
    parser.add_argument("--hs-port", type=int, default=8200, help="HubSpot")
    parser.add_argument("--pages-port", type=int, default=8300, help="the pages a sales team sees")
    parser.add_argument("--lookups-port", type=int, default=8400, help="lookup services")
    parser.add_argument(
        "--ports-file", type=Path, help="write the ports taken to this file, as JSON, once all are open"
    )
    parser.add_argument(
        "--registries", type=Path, help="write the world's do-not-call registries into this directory, as their files"
    )
    parser.add_argument("--hs-burst", type=int, help="HubSpot requests per ten seconds, 0: no limit; default 190")
    parser.add_argument("--hs-search", type=int, help="HubSpot searches per second, 0: no limit; default 5")
    parser.add_argument("--hs-daily", type=int, help="HubSpot requests per day, 0: no limit; default 650000")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
