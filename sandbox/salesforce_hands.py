"""A sales person at work in the org: edits, creates, merges and deletes past the integration user's security, under the org's rules."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sandbox.admin import Hands, json_response
from sandbox.salesforce_errors import RowError
from sandbox.salesforce_fields import ADDRESS_PARTS
from sandbox.salesforce_ids import long_id
from sandbox.salesforce_objects import STANDARD_OBJECTS
from sandbox.salesforce_org import Org
from sandbox.salesforce_rows import Outcome, Rows, Terms
from sandbox.salesforce_schema import View
from sandbox.store import json_value


def hands(org: Org, rows: Rows) -> Hands:
    """The org's `Hands`. Unknown ids raise KeyError, refused values ValueError."""

    def terms(source: str) -> Terms:
        return Terms(source, allow_duplicates=True)

    def edit(name: str, identifier: str, fields: dict[str, Any], source: str) -> None:
        _done(rows.update(full_view(org, name), [(identifier, fields)], terms(source))[0])

    def create(name: str, fields: dict[str, Any], source: str) -> str:
        return _done(rows.create(full_view(org, name), [fields], terms(source))[0])

    def delete(name: str, identifier: str, source: str) -> None:
        _done(rows.delete(full_view(org, name), [identifier], terms(source))[0])

    def merge(name: str, survivor: str, loser: str, source: str) -> str:
        winner, other = long_id(survivor) or survivor, long_id(loser) or loser
        with org.store.transaction():
            if not org.store.merge(name, winner, other, source, rows.now()):
                raise KeyError(loser)
            for _, child, reference in STANDARD_OBJECTS[name].children:
                orphans = list(org.store.query(child, f"deleted_at IS NULL AND {json_value(reference)} = ?", [other]))
                moved = [(record.record_id, {reference: winner}) for record in orphans]
                org.store.update_many(child, moved, source, rows.now())
        return winner

    return Hands(edit, create, merge, delete, org.settings, org.apply)


def convert_route(org: Org, rows: Rows) -> Route:
    """`POST /__sandbox__/convert {"id", "contact"?, "source"?}`: convert a lead into a contact, a new one unless one is named; answers both ids."""

    async def convert(request: Request) -> Response:
        body = orjson.loads(await request.body())
        lead = org.store.get("Lead", long_id(body["id"]) or "")
        if lead is None or lead.deleted_at is not None or lead.fields.get("IsConverted"):
            return json_response({"error": f"There is no open lead {body['id']!r}."}, 404)
        source = body.get("source", "user:ann")
        contact = body.get("contact") or _contact_of(rows, lead.fields, source)
        day = datetime.fromtimestamp(rows.now() / 1000, UTC).date().isoformat()
        changes = {
            "IsConverted": True,
            "ConvertedContactId": contact,
            "ConvertedDate": day,
            "Status": "Closed - Converted",
        }
        org.store.update("Lead", lead.record_id, changes, source, rows.now())
        return json_response({"lead": lead.record_id, "contact": contact})

    return Route("/__sandbox__/convert", convert, methods=["POST"])


def _contact_of(rows: Rows, lead: dict[str, Any], source: str) -> str:
    names = {field.name for field in STANDARD_OBJECTS["Contact"].fields if field.createable}
    values = {name: value for name, value in lead.items() if name in names}
    address = {f"Mailing{part}": lead[part] for part in ADDRESS_PARTS if lead.get(part) is not None}
    return _done(
        rows.create(full_view(rows.org, "Contact"), [values | address], Terms(source, allow_duplicates=True))[0]
    )


def full_view(org: Org, name: str) -> View:
    """An object with all its fields, whatever the integration user may see. Raises KeyError where there is none."""
    if name not in STANDARD_OBJECTS:
        raise KeyError(name)
    return View(STANDARD_OBJECTS[name], {field.name.lower(): field for field in org.schema.all_fields(name)})


def _done(outcome: Outcome) -> str:
    if not isinstance(outcome, RowError):
        return outcome
    if outcome.status == 404:
        raise KeyError(outcome.message)
    raise ValueError(f"{outcome.code}: {outcome.message}")
