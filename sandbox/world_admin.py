"""The world over HTTP, on the pages' port: its truth, and the few things a simulation may change in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.admin import json_response, plainly
from sandbox.load import person_of
from sandbox.world import Truth, World


def world_routes(world: World) -> list[Route]:
    """GET /__sandbox__/world, /__sandbox__/truth?crm=&id=; GET and POST /__sandbox__/line; POST /__sandbox__/stop, /__sandbox__/listing, /__sandbox__/clock."""

    async def about(_: Request) -> Response:
        sources = [{**one._asdict(), "bad_rate": round(one.bad_rate(), 4)} for one in world.lead_sources()]
        value = {
            "seed": world.seed,
            "contacts": world.contacts,
            "people": 0 if world.real_data else world.crowd.size,
            "epoch": world.epoch.isoformat(),
            "now": world.clock().isoformat(),
            "real_data": world.real_data,
            "lead_sources": sources,
        }
        return json_response(value)

    async def truth(request: Request) -> Response:
        query = request.query_params
        crm, record_id = query["crm"], query["id"]
        if crm not in ("salesforce", "hubspot"):
            raise ValueError(f"Unknown CRM {crm!r}. Use salesforce or hubspot.")
        person = person_of(world, crm, record_id)
        if person is None:
            raise KeyError(record_id)
        moment = datetime.fromisoformat(query["at"]) if "at" in query else None
        fields = [
            {**field._asdict(), **_shown(world.truth(person, field.e164, moment))}
            for field in world.written(person, "salesforce" if crm == "salesforce" else "hubspot")
        ]
        value = {
            "pid": person.pid,
            "lead_source": person.source.slug,
            "crms": person.crms,
            "same_as": person.same_as,
            "fields": fields,
        }
        return json_response(value)

    async def line(request: Request) -> Response:
        if request.method == "POST":
            body = orjson.loads(await request.body())
            since = datetime.fromisoformat(body["since"]) if body.get("since") else None
            world.set_line(body["e164"], body["state"], body.get("owner"), since)
            number = body["e164"]
        else:
            number = request.query_params["e164"]
        found = world.line(number)
        if found is None:
            raise KeyError(number)
        shown = {
            **asdict(found),
            "pickup": found.pickup._asdict(),
            "timeline": [state._asdict() for state in found.timeline],
            "now": found.state_at(world.clock())._asdict(),
        }
        return json_response(shown)

    async def stop(request: Request) -> Response:
        body = orjson.loads(await request.body())
        person = world.person(body["pid"])
        world.say_stop(person.pid, datetime.fromisoformat(body["at"]) if body.get("at") else None)
        return json_response({"pid": person.pid, "opted_out_at": world.opted_out_at(person)})

    async def listing(request: Request) -> Response:
        body = orjson.loads(await request.body())
        world.list_number(body["e164"], body["registry"])
        return json_response(body)

    async def clock(request: Request) -> Response:
        if request.method == "POST":
            moment = datetime.fromisoformat(orjson.loads(await request.body())["now"])
            world.move_clock(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
        return json_response({"now": world.clock().isoformat()})

    routes: list[tuple[str, Callable[[Request], Any], list[str]]] = [
        ("world", about, ["GET"]),
        ("truth", truth, ["GET"]),
        ("line", line, ["GET", "POST"]),
        ("stop", stop, ["POST"]),
        ("listing", listing, ["POST"]),
        ("clock", clock, ["GET", "POST"]),
    ]
    return [Route(f"/__sandbox__/{name}", plainly(handler), methods=methods) for name, handler, methods in routes]


def _shown(truth: Truth) -> dict[str, Any]:
    state = truth.line._asdict() if truth.line else None
    return {**truth._asdict(), "line": state, "listed": list(truth.listed)}
