"""The HubSpot stand-in: every handler put together as one ASGI app.

Switches (POST /__sandbox__/settings, kept over restarts): `burst` per 10 s, `search_per_second`, `daily` (0 lifts a limit); `retry_after_on_429` (seconds, null:
no header); `missing_id_status` of batch/update (207 or 400); `invalid_value_status` (400: one bad row fails the batch, 207: it fails alone); `merge_keeps_id`;
`enforce_admin_rules` on date-versioned paths with `required_properties`; `missing_scopes` (403); `index_lag_ms` of search; `export_seconds`;
`webhook_url`, `webhook_secret`, `webhook_retry_seconds`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Mount

from sandbox.admin import Hands, admin_routes
from sandbox.faults import FaultMiddleware, Faults, Stats
from sandbox.hubspot_account import Account
from sandbox.hubspot_associations import Associations
from sandbox.hubspot_batch import Batches
from sandbox.hubspot_errors import HubSpotError
from sandbox.hubspot_exports import Exports
from sandbox.hubspot_flows import Flows
from sandbox.hubspot_http import Surface, refuse
from sandbox.hubspot_lists import Lists
from sandbox.hubspot_objects import Objects, merge_records
from sandbox.hubspot_portal import EmailTaken, Portal
from sandbox.hubspot_properties import PropertiesApi
from sandbox.hubspot_search import Search
from sandbox.hubspot_webhooks import Webhooks
from sandbox.store import RecordStore


def hubspot_app(
    store: RecordStore,
    now_ms: Callable[[], int] | None = None,
    faults: Faults | None = None,
    *,
    stats: Stats | None = None,
    monotonic: Callable[[], float] = time.monotonic,
    settings: dict[str, Any] | None = None,
) -> Starlette:
    """The portal over `store`. `now_ms` is its clock, `monotonic` times the rate windows; `settings` override the switches for this start."""
    board, counters = faults or Faults(), stats or Stats()
    portal = Portal(store, board, now_ms, monotonic)
    portal.settings.update(settings or {})
    webhooks = Webhooks(portal)
    objects = Objects(portal)
    parts = (objects, Batches(portal, objects), Search(portal), PropertiesApi(portal), Lists(portal), Associations(portal), Exports(portal), Account(portal), Flows(portal), webhooks)  # fmt: skip
    surface = Surface(portal, [one for part in parts for one in part.rules()])
    return Starlette(
        routes=[*admin_routes(store, board, counters, _hands(portal)), Mount("/", surface)],
        middleware=[
            Middleware(FaultMiddleware, faults=board, stats=counters, classify=surface.classify, refuse=refuse)
        ],
    )


def _hands(portal: Portal) -> Hands:
    def edit(object_name: str, record_id: str, fields: dict[str, Any], source: str) -> None:
        _plainly(lambda: portal.edit(object_name, record_id, fields, source))

    def create(object_name: str, fields: dict[str, Any], source: str) -> str:
        def work() -> str:
            values, refused = portal.check(object_name, fields, by_person=True)
            if refused:
                raise ValueError(refused[0].message)
            return portal.create(object_name, values, source).record_id

        return str(_plainly(work))

    def merge(object_name: str, survivor: str, loser: str, source: str) -> str:
        return str(_plainly(lambda: merge_records(portal, object_name, survivor, loser, source).record_id))

    def delete(object_name: str, record_id: str, source: str) -> None:
        portal.store.require(object_name, record_id)
        if portal.store.delete(object_name, record_id, source, portal.now_ms()):
            portal.tell("deletion", record_id, source=source)

    return Hands(edit, create, merge, delete, portal.settings, portal.keep_settings)


def _plainly(work: Callable[[], Any]) -> Any:
    """Turn the portal's refusals into the errors the admin routes know."""
    try:
        return work()
    except (HubSpotError, EmailTaken) as exc:
        raise ValueError(str(exc)) from exc
