"""Dialling lists in HubSpot, and who has opted out of its e-mail."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from connectors.hubspot_errors import Refused
from connectors.hubspot_pull import advances
from connectors.hubspot_wire import Wire
from ringtrue.errors import LoopDetected, SettingsError
from ringtrue.records import RowResult

MEMBERS_SIZE = 250
REMOVE_SIZE = 500
WHOLE_PORTAL = "PORTAL_WIDE"
"""A portal with several brands also keeps opt-outs of one brand."""


def read_members(wire: Wire, list_ids: Sequence[str]) -> Iterator[list[tuple[str, str]]]:
    """Yield pages of (list id, record id)."""
    for list_id in list_ids:
        after = ""
        while True:
            query = [("limit", str(MEMBERS_SIZE)), *([("after", after)] if after else [])]
            path = wire.paths.list_members(list_id)
            answer = wire.send("lists", "GET", path, query=query, what=f"read list {list_id}", allow=(404,))
            if answer.status == 404:
                raise _no_list(list_id)
            data = answer.data
            yield [(list_id, str(row["recordId"])) for row in data["results"]]
            following = str(((data.get("paging") or {}).get("next") or {}).get("after") or "")
            if not following:
                break
            if not advances(after, following):
                raise LoopDetected(f"HubSpot's members of list {list_id} go round in circles. Run again later.")
            after = following


def remove_members(wire: Wire, list_id: str, record_ids: Sequence[str]) -> list[RowResult]:
    """Take records out of a static list; one result for each, in order. `applied` also where the record was not on it."""
    results: dict[str, RowResult] = {}
    ids = list(dict.fromkeys(record_ids))
    for start in range(0, len(ids), REMOVE_SIZE):
        batch = ids[start : start + REMOVE_SIZE]
        try:
            answer = wire.send(
                "lists",
                "PUT",
                wire.paths.list_members(list_id, "/remove"),
                body=batch,
                what=f"take records out of list {list_id}",
                writing=True,
                allow=(404,),
            )
        except Refused as exc:
            reason = (
                f"HubSpot does not let us change list {list_id} ({exc}). Only manual and snapshot lists can be changed."
            )
            results.update((record_id, RowResult(record_id, "failed", reason)) for record_id in batch)
            continue
        if answer.status == 404:
            raise _no_list(list_id)
        data = answer.data
        removed = {str(item) for item in data.get("recordIdsRemoved") or data.get("recordsIdsRemoved") or ()}
        missing = {str(item) for item in data.get("recordIdsMissing") or data.get("recordsIdsMissing") or ()}
        for record_id in batch:
            if record_id in missing:
                results[record_id] = RowResult(record_id, "gone", "HubSpot knows no such record.")
            else:
                note = None if record_id in removed else "The record was not on the list."
                results[record_id] = RowResult(record_id, "applied", note)
    return [results[record_id] for record_id in record_ids]


def _no_list(list_id: str) -> SettingsError:
    return SettingsError(f"HubSpot has no list {list_id}: correct `lists` in ringtrue.toml.")


def email_opt_outs(wire: Wire, emails: Iterable[str]) -> dict[str, bool]:
    """By address: whether it has opted out of all of the portal's e-mail. Addresses HubSpot does not know are False.

    HubSpot keeps preferences for e-mail only; a wish not to be called is a contact property.
    """
    found: dict[str, bool] = {}
    for email in dict.fromkeys(emails):
        answer = wire.send(
            "preferences",
            "GET",
            wire.paths.email_opt_out(email),
            query=[("channel", "EMAIL")],
            what="read e-mail preferences",
            allow=(404,),
        )
        rows = (answer.data or {}).get("results") or [] if answer.status == 200 else []
        found[email] = any(
            row.get("status") == "UNSUBSCRIBED" and row.get("wideStatusType", WHOLE_PORTAL) == WHOLE_PORTAL
            for row in rows
        )
    return found
