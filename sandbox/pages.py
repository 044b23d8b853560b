"""The sandbox as the sales team sees it: a list of records and a page for each, over the record stores of both CRMs."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from jinja2 import Environment, FileSystemLoader, select_autoescape
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from sandbox.calls import HUBSPOT_LABELS
from sandbox.load import hubspot_id, person_of, salesforce_id
from sandbox.page_cards import OBJECTS, SEARCHED, STATUS_FIELD, Card, calls_of, card_of, story
from sandbox.store import RecordStore, json_value
from sandbox.world import Person, World
from sandbox.world_admin import world_routes

_TEMPLATES = Path(__file__).with_name("templates")
_PAGE = 40
_COUNT_UP_TO = 100_000
_COUNTS_LIVE_SECONDS = 5.0

STATUSES: dict[str, tuple[str, str]] = {
    "active": ("Active", "✓"),
    "unverified": ("Unverified", "?"),
    "no_answer": ("No answer", "◔"),
    "suspended": ("Suspended", "‖"),
    "wrong_person": ("Wrong person", "⇄"),
    "disconnected": ("Disconnected", "✕"),
    "invalid": ("Invalid", "∅"),
    "do_not_call": ("Do not call", "⊘"),
}
"""RingTrue's statuses: label and sign (never colour alone)."""
CHANNELS = {
    "phone": "Call",
    "email": "E-mail",
    "sms": "Text message",
    "linkedin": "LinkedIn",
    "other_number": "Try the other number",
    "none": "No channel left",
}


class Pages:
    """The pages. They read through connections of their own, in worker threads, so that a long search holds up no CRM call."""

    def __init__(self, stores: Mapping[str, RecordStore], world: World) -> None:
        self._stores = {name: RecordStore(store.path) for name, store in stores.items()}
        self._world = world
        self._lock = threading.Lock()
        self._labels = dict(HUBSPOT_LABELS)
        self._counts: tuple[float, dict[str, int]] = (0.0, {})
        self._stores["salesforce"].select_all(
            "CREATE INDEX IF NOT EXISTS tasks_by_who ON records (json_extract(fields, '$.\"WhoId\"')) WHERE object = 'Task'"
        )
        self._templates = Environment(
            loader=FileSystemLoader(_TEMPLATES),
            autoescape=select_autoescape(["html"]),
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals.update(statuses=STATUSES, channels=CHANNELS)

    def home(self, request: Request) -> Response:
        """The list: search, filter by CRM and status."""
        query = request.query_params
        crm, status, text, after = (
            query.get("crm", ""),
            query.get("status", ""),
            query.get("q", "").strip(),
            query.get("after", ""),
        )
        with self._lock:
            cards, following = self._list(crm, status, text, after)
            counts = self._status_counts()
        chosen = {"crm": crm, "status": status, "q": text}
        kept = {name: value for name, value in chosen.items() if value}
        more = f"/?{urlencode({**kept, 'after': following})}" if following else ""
        links = {
            key: f"/?{urlencode({**{n: v for n, v in kept.items() if n != 'status'}, 'status': key})}"
            for key in ("none", *STATUSES)
        }
        return self._page("list.html", cards=cards, chosen=chosen, counts=counts, more=more, status_links=links)

    def contact(self, request: Request) -> Response:
        """One record."""
        crm, object_name, record_id = (request.path_params[key] for key in ("crm", "object", "record_id"))
        with self._lock:
            store = self._stores.get(crm)
            record = store.get(object_name, record_id) if store and object_name in OBJECTS[crm] else None
            if store is None or record is None:
                return self._page("missing.html", status_code=404)
            card = card_of(crm, object_name, record, store)
            steps = story(store.history_of(object_name, record_id))
            calls = calls_of(card, store, self._labels)
        person = person_of(self._world, card.crm, card.record_id)
        return self._page(
            "contact.html",
            card=card,
            steps=steps,
            calls=calls,
            twin=self._twin(card, person),
            truth=self._truth(card, person),
        )

    def style(self, _: Request) -> Response:
        """The style sheet."""
        return Response((_TEMPLATES / "style.css").read_bytes(), media_type="text/css")

    def _list(self, crm: str, status: str, text: str, after: str) -> tuple[list[Card], str]:
        """A page of cards, and where the next one starts ("crm object id"); an empty string at the end."""
        kinds = [(name, kind) for name in OBJECTS if crm in ("", name) for kind in OBJECTS[name]]
        from_crm, from_kind, from_id = [*after.split(" "), "", "", ""][:3]
        if (from_crm, from_kind) in kinds:
            kinds = kinds[kinds.index((from_crm, from_kind)) :]
        cards: list[Card] = []
        for name, kind in kinds:
            clauses, parameters = ["deleted_at IS NULL"], []
            if (name, kind) == (from_crm, from_kind):
                clauses.append("record_id > ?")
                parameters.append(from_id)
            if status == "none":
                clauses.append(f"{json_value(STATUS_FIELD[name])} IS NULL")
            elif status:
                clauses.append(f"{json_value(STATUS_FIELD[name])} = ?")
                parameters.append(status)
            for word in text.split():
                clauses.append("(" + " OR ".join(f"{json_value(field)} LIKE ?" for field in SEARCHED[name]) + ")")
                parameters += [f"%{word}%"] * len(SEARCHED[name])
            wanted = _PAGE + 1 - len(cards)
            found = list(self._stores[name].query(kind, " AND ".join(clauses), parameters, "record_id", wanted))
            cards += [card_of(name, kind, record, self._stores[name]) for record in found]
            if len(cards) > _PAGE:
                last = cards[_PAGE - 1]
                return cards[:_PAGE], f"{last.crm} {last.object} {last.record_id}"
        return cards, ""

    def _status_counts(self) -> dict[str, int]:
        """Records by status over both CRMs ("none": not checked yet); empty where there are too many to count at every look."""
        taken, counts = self._counts
        if time.monotonic() - taken < _COUNTS_LIVE_SECONDS:
            return counts
        total: Counter[str] = Counter()
        if sum(self._stores[name].count(kind) for name in OBJECTS for kind in OBJECTS[name]) <= _COUNT_UP_TO:
            for name, kinds in OBJECTS.items():
                for kind in kinds:
                    rows = self._stores[name].select(
                        f"SELECT coalesce({json_value(STATUS_FIELD[name])}, 'none'), count(*) FROM records WHERE object = ? AND deleted_at IS NULL GROUP BY 1",
                        (kind,),
                    )
                    total.update(dict(rows))
        self._counts = (time.monotonic(), dict(total))
        return self._counts[1]

    def _twin(self, card: Card, person: Person | None) -> str:
        """The address of the same person's record in the other CRM, if there is one."""
        if person is None or person.crms != "both":
            return ""
        if card.crm == "salesforce":
            return f"/hubspot/contacts/{hubspot_id(person)}"
        return "/salesforce/{}/{}".format(*salesforce_id(person))

    def _truth(self, card: Card, person: Person | None) -> list[dict[str, Any]]:
        """What is true of the record's numbers as they were loaded; the sales team cannot see this."""
        if person is None:
            return []
        rows = []
        for written in self._world.written(person, "salesforce" if card.crm == "salesforce" else "hubspot"):
            truth = self._world.truth(person, written.e164)
            owner = truth.line.owner if truth.line else None
            rows.append(
                {
                    "raw": written.raw,
                    "way": written.way.replace("_", " "),
                    "e164": written.e164 or "",
                    "state": truth.line.state.replace("_", " ") if truth.line else "no number",
                    "owner": self._world.owner_name(owner) if owner else "nobody",
                    "status": truth.status,
                }
            )
        return rows

    def _page(self, template: str, status_code: int = 200, **values: Any) -> Response:
        return HTMLResponse(self._templates.get_template(template).render(**values), status_code)


def pages_app(stores: Mapping[str, RecordStore], world: World) -> Starlette:
    """The pages over the two CRMs' stores ("salesforce", "hubspot")."""
    pages = Pages(stores, world)
    return Starlette(
        routes=[
            Route("/", pages.home),
            Route("/style.css", pages.style),
            *world_routes(world),
            Route("/{crm}/{object}/{record_id}", pages.contact),
        ]
    )
