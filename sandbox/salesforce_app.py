"""The Salesforce stand-in as one ASGI app."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount

from sandbox import (
    salesforce_automation,
    salesforce_bulk_ingest,
    salesforce_bulk_query,
    salesforce_describe,
    salesforce_limits,
    salesforce_login,
)
from sandbox.admin import admin_routes
from sandbox.faults import FaultMiddleware, Faults, Stats
from sandbox.salesforce_campaigns import load_campaigns
from sandbox.salesforce_collections import Collections
from sandbox.salesforce_hands import convert_route, hands
from sandbox.salesforce_http import Surface
from sandbox.salesforce_metadata import MetadataApi
from sandbox.salesforce_org import Org
from sandbox.salesforce_query import Queries
from sandbox.salesforce_rows import Rows
from sandbox.salesforce_sobjects import SObjects
from sandbox.store import RecordStore


def salesforce_app(
    store: RecordStore,
    world: Any,
    faults: Faults,
    *,
    stats: Stats | None = None,
    now_ms: Callable[[], int] | None = None,
) -> Starlette:
    """The org over `store`. Its clock is `now_ms`, else the world's, else the real one; `/__sandbox__/` paths are the test's back door."""
    clock = getattr(world, "now_ms", None)
    org = Org(store, faults, now_ms or clock)
    load_campaigns(store, org.now_ms())
    salesforce_automation.load_automation(store, org.now_ms())
    rows = Rows(org)
    metadata = MetadataApi(org)
    rules = [
        *salesforce_login.rules(),
        *Collections(rows).rules(),
        *Queries().rules(),
        *salesforce_bulk_query.BulkQueries(org).rules(),
        *salesforce_bulk_ingest.BulkIngest(org, rows).rules(),
        *salesforce_limits.rules(),
        *metadata.rules(),
        *salesforce_automation.rules(),
        *salesforce_describe.rules(),
        *SObjects(rows).rules(),
    ]
    surface = Surface(org, rules)
    counters = stats or Stats()
    return Starlette(
        routes=[
            *admin_routes(store, faults, counters, hands(org, rows)),
            convert_route(org, rows),
            Mount("/", surface),
        ],
        middleware=[
            Middleware(FaultMiddleware, faults=faults, stats=counters, classify=surface.classify, refuse=surface.refuse)
        ],
    )
