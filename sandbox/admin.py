"""What a test may do to a stand-in behind the client's back: faults, counters, settings, and a sales person's hands on the records.

`admin_routes` belongs in front of the routes of each CRM surface; every path starts with `/__sandbox__/` and needs no token.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.faults import Faults, Stats
from sandbox.store import Record, RecordStore

Fields = dict[str, Any]


@dataclass
class Hands:
    """How this CRM lets a person edit, create, merge and delete. Each may be async. Unknown ids raise KeyError, refused values ValueError.

    edit(object, id, fields, source); create(object, fields, source) -> id; merge(object, survivor, loser, source) -> id of the survivor;
    delete(object, id, source). `settings` is the live dict of the stand-in's switches; `apply` is called with each change after it is checked.
    """

    edit: Callable[[str, str, Fields, str], Any]
    create: Callable[[str, Fields, str], Any]
    merge: Callable[[str, str, str, str], Any]
    delete: Callable[[str, str, str], Any]
    settings: dict[str, Any] = field(default_factory=dict)
    apply: Callable[[Mapping[str, Any]], Any] | None = None


def json_response(value: Any, status: int = 200) -> Response:
    """An answer in JSON."""
    return Response(orjson.dumps(value), status, media_type="application/json")


def record_json(record: Record) -> dict[str, Any]:
    """A record as the admin endpoints show it."""
    return record._asdict()


def admin_routes(store: RecordStore, faults: Faults, stats: Stats, hands: Hands) -> list[Route]:
    """The `/__sandbox__/` routes of one CRM."""

    async def fault_board(request: Request) -> Response:
        if request.method == "POST":
            wanted = orjson.loads(await request.body())
            return json_response([faults.add(fault).as_json() for fault in _as_list(wanted)], 201)
        if request.method == "DELETE":
            faults.clear()
        return json_response([fault.as_json() for fault in faults.all()])

    async def show_stats(_: Request) -> Response:
        return json_response(stats.as_json())

    async def reset_stats(_: Request) -> Response:
        stats.reset()
        return json_response(stats.as_json())

    async def settings(request: Request) -> Response:
        if request.method == "POST":
            wanted = orjson.loads(await request.body())
            unknown = sorted(set(wanted) - set(hands.settings))
            if unknown:
                raise ValueError(f"Unknown setting {unknown[0]!r}. Settings: {', '.join(sorted(hands.settings))}.")
            hands.settings.update(wanted)
            if hands.apply is not None:
                await _await(hands.apply(wanted))
        return json_response(hands.settings)

    async def edit(request: Request) -> Response:
        body = orjson.loads(await request.body())
        await _await(hands.edit(body["object"], body["id"], body["fields"], body.get("source", "user:ann")))
        return _shown(store, body["object"], body["id"])

    async def create(request: Request) -> Response:
        body = orjson.loads(await request.body())
        record_id = await _await(hands.create(body["object"], body["fields"], body.get("source", "user:ann")))
        return _shown(store, body["object"], record_id, 201)

    async def merge(request: Request) -> Response:
        body = orjson.loads(await request.body())
        survivor = await _await(
            hands.merge(body["object"], body["survivor"], body["loser"], body.get("source", "user:ann"))
        )
        return _shown(store, body["object"], survivor)

    async def delete(request: Request) -> Response:
        body = orjson.loads(await request.body())
        await _await(hands.delete(body["object"], body["id"], body.get("source", "user:ann")))
        return _shown(store, body["object"], body["id"])

    async def history(request: Request) -> Response:
        query = request.query_params
        fields = query.getlist("field") or None
        return json_response([edit._asdict() for edit in store.history_of(query["object"], query["id"], fields)])

    async def records(request: Request) -> Response:
        query = request.query_params
        if "id" in query:
            found = store.get_many(query["object"], query.getlist("id"))
            return json_response([record_json(record) for record in found.values()])
        page = store.page_by_id(query["object"], query.get("after", ""), int(query.get("limit", "100")), deleted=None)
        return json_response([record_json(record) for record in page])

    async def count(request: Request) -> Response:
        name = request.query_params["object"]
        return json_response({"alive": store.count(name), "all": store.count(name, include_deleted=True)})

    routes: list[tuple[str, Callable[[Request], Any], list[str]]] = [
        ("faults", fault_board, ["GET", "POST", "DELETE"]),
        ("stats", show_stats, ["GET"]),
        ("reset_stats", reset_stats, ["POST"]),
        ("settings", settings, ["GET", "POST"]),
        ("edit", edit, ["POST"]),
        ("create", create, ["POST"]),
        ("merge", merge, ["POST"]),
        ("delete", delete, ["POST"]),
        ("history", history, ["GET"]),
        ("records", records, ["GET"]),
        ("count", count, ["GET"]),
    ]
    return [Route(f"/__sandbox__/{name}", plainly(handler), methods=methods) for name, handler, methods in routes]


def plainly(handler: Callable[[Request], Any]) -> Callable[[Request], Any]:
    """Turn a wrong request (KeyError, ValueError) into an answer that says what is wrong with it."""

    async def answer(request: Request) -> Response:
        try:
            response: Response = await handler(request)
        except KeyError as exc:
            return json_response(
                {"error": f"There is no {exc.args[0]!r}: a missing key of the request or an unknown id."}, 404
            )
        except ValueError as exc:
            return json_response({"error": str(exc)}, 400)
        return response

    return answer


def _shown(store: RecordStore, object_name: str, record_id: str, status: int = 200) -> Response:
    record = store.get(object_name, record_id)
    if record is None:
        raise KeyError(record_id)
    return json_response(record_json(record), status)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


async def _await(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value
