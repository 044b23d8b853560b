"""A sales person at work in the org: edits, creates, merges and deletes past the integration user's security, under the org's rules."""

from __future__ import annotations

from typing import Any

from sandbox.admin import Hands
from sandbox.salesforce_errors import RowError
from sandbox.salesforce_ids import long_id
from sandbox.salesforce_objects import STANDARD_OBJECTS
from sandbox.salesforce_org import Org
from sandbox.salesforce_rows import Outcome, Rows, Terms
from sandbox.salesforce_schema import View


def hands(org: Org, rows: Rows) -> Hands:
    """The org's `Hands`. Unknown ids raise KeyError, refused values ValueError."""

    def everything(name: str) -> View:
        if name not in STANDARD_OBJECTS:
            raise KeyError(name)
        return View(STANDARD_OBJECTS[name], {field.name.lower(): field for field in org.schema.all_fields(name)})

    def terms(source: str) -> Terms:
        return Terms(source, allow_duplicates=True)

    def edit(name: str, identifier: str, fields: dict[str, Any], source: str) -> None:
        _done(rows.update(everything(name), [(identifier, fields)], terms(source))[0])

    def create(name: str, fields: dict[str, Any], source: str) -> str:
        return _done(rows.create(everything(name), [fields], terms(source))[0])

    def delete(name: str, identifier: str, source: str) -> None:
        _done(rows.delete(everything(name), [identifier], terms(source))[0])

    def merge(name: str, survivor: str, loser: str, source: str) -> str:
        winner, other = long_id(survivor) or survivor, long_id(loser) or loser
        if not org.store.merge(name, winner, other, source, rows.now()):
            raise KeyError(loser)
        return winner

    return Hands(edit, create, merge, delete, org.settings, org.apply)


def _done(outcome: Outcome) -> str:
    if not isinstance(outcome, RowError):
        return outcome
    if outcome.status == 404:
        raise KeyError(outcome.message)
    raise ValueError(f"{outcome.code}: {outcome.message}")
