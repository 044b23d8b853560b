"""The service as one ASGI application: which address leads where."""

from __future__ import annotations

import gc
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp

from app.serve.calls import Calls
from app.serve.check import Check
from app.serve.door import Door, LedgerAway
from app.serve.guard import Guard
from app.serve.hubspot import HubspotWebhook
from app.serve.keys import Keys
from app.serve.lookup import LookupDesk
from app.serve.openapi import Docs
from app.serve.pages import Pages
from app.serve.refusals import Refused, json_answer, refuse
from app.serve.salesforce import SalesforceWebhook
from app.serve.sessions import Sessions
from app.serve.sign_in import SignIn
from app.serve.suppressed import Suppressed
from app.serve.twilio import TwilioCallbacks
from app.serve.vonage import VonageCallback
from app.serve.why import WhyPage
from ringtrue.countries import region_of
from ringtrue.ledger.entry import known
from ringtrue.outcomes import classify
from ringtrue.phone import normalize_arrow
from ringtrue.settings import Settings

log = logging.getLogger("ringtrue.serve")


def build(settings: Settings, environ: Mapping[str, str]) -> tuple[ASGIApp, Keys]:
    """The application, and its keys, which tell which variables are missing. Raises SettingsError."""
    door = Door(settings, environ)
    keys = Keys(settings.serve, environ)
    desk = LookupDesk(door)
    pages = Pages(settings.policy.language, settings.serve)
    sessions = Sessions(door)
    sign_in = SignIn(door, pages, sessions)
    why = WhyPage(door, pages, sessions, sign_in)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        _warm(door)
        # A full collection over all that is loaded would hold every request up for some 60 ms, again and again.
        gc.collect()
        gc.freeze()
        yield
        await desk.close()
        door.close()

    docs = Docs(pages)
    app = Starlette(
        routes=[
            Mount("/v1", routes=_api(door, keys, desk), middleware=_cors(settings)),
            *_messages(door),
            Route("/why/{why_id:str}", why.show, methods=["GET"]),
            Route("/why/{why_id:str}", why.answer, methods=["POST"]),
            Route("/sign-in", sign_in.form, methods=["GET"]),
            Route("/sign-in", sign_in.by_code, methods=["POST"]),
            Route("/sign-in/oidc", sign_in.start, methods=["GET"]),
            Route("/sign-in/done", sign_in.finish, methods=["GET"]),
            Route("/sign-out", sign_in.leave, methods=["POST"]),
            Route("/static/door.css", pages.css, methods=["GET"]),
            Route("/openapi.json", docs.described, methods=["GET"]),
            Route("/docs", docs.page, methods=["GET"]),
            Route("/health", _health(door), methods=["GET"]),
            Route("/", docs.page, methods=["GET"]),
        ],
        exception_handlers={Refused: refuse, HTTPException: _no_such, LedgerAway: why.away},
        lifespan=lifespan,
    )
    return Guard(app, settings.serve.body_bytes), keys


def _api(door: Door, keys: Keys, desk: LookupDesk) -> list[BaseRoute]:
    return [
        Route("/check", Check(door, keys, desk).__call__, methods=["POST"]),
        Route("/calls", Calls(door, keys).__call__, methods=["POST"]),
        Route("/suppressed", Suppressed(door, keys).__call__, methods=["GET"]),
    ]


def _messages(door: Door) -> list[BaseRoute]:
    """Addresses of other systems' messages: only those that the settings name."""
    serve = door.serve
    routes: list[BaseRoute] = []
    if serve.hubspot:
        routes.append(Route("/webhooks/hubspot", HubspotWebhook(door, serve.hubspot).__call__, methods=["POST"]))
    if serve.salesforce:
        path = "/webhooks/salesforce" + ("/{part:str}" if serve.salesforce.path_variable else "")
        routes.append(Route(path, SalesforceWebhook(door, serve.salesforce).__call__, methods=["POST"]))
    if serve.twilio:
        twilio = TwilioCallbacks(door, serve.twilio)
        routes.append(Route("/callbacks/twilio/calls", twilio.call, methods=["POST"]))
        routes.append(Route("/callbacks/twilio/messages", twilio.message, methods=["POST"]))
    if serve.vonage:
        routes.append(
            Route("/callbacks/vonage/{part:str}", VonageCallback(door, serve.vonage).__call__, methods=["POST"])
        )
    return routes


def _cors(settings: Settings) -> list[Middleware]:
    if not settings.serve.cors_origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=list(settings.serve.cors_origins),
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "X-API-Key"],
            expose_headers=["Retry-After"],
            max_age=3600,
        )
    ]


def _warm(door: Door) -> None:
    """Load the tables and open the ledger before the first form waits for them."""
    region_of("United States")
    rows = normalize_arrow(["+14155550123", "555 0123", "no number"], "US", place=["Kaitaia"] * 3).to_pylist()
    classify("generic", "busy", notes="call back later")
    try:
        ledger = door.ledger()
        with ledger.read() as connection:
            known(connection, ledger.key, str(rows[0]["e164"]))
    except (LedgerAway, SQLAlchemyError):
        log.warning(
            "The ledger is away: checks are answered from the rules alone, messages are refused until it is back."
        )


def _health(door: Door) -> ASGIApp:
    async def health(_request: Request) -> Response:
        """Whether the ledger can be read: 200 or 503."""
        try:
            await door.read(lambda connection, _: connection.exec_driver_sql("SELECT 1").scalar(), 2.0)
        except LedgerAway:
            return json_answer({"ledger": "away"}, 503)
        return json_answer({"ledger": "ok"})

    return health  # type: ignore[return-value]  # Route takes endpoint functions too


async def _no_such(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    sentence = {
        404: "There is nothing at this address; /docs lists what there is.",
        405: "This address takes another method; /docs lists them.",
    }.get(status, "The request cannot be read.")
    return json_answer({"error": sentence}, status)
