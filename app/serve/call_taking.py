"""A dialler's calls go into the call history, and who said stop is suppressed in the same transaction."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from ringtrue.ledger import calls, review, stops
from ringtrue.ledger.calls import CallCounts
from ringtrue.ledger.stops import Stop
from ringtrue.masking import mask_text
from ringtrue.outcomes import classify
from ringtrue.records import PulledCall


class Taken(NamedTuple):
    """What became of the calls. `opt_outs`: events added to the suppressions."""

    new: int
    changed: int
    opt_outs: int


def take(
    connection: Connection,
    key: bytes,
    source: str,
    namespace: str,
    taken: Sequence[PulledCall],
    switchboard_people: int,
    now: int,
) -> Taken:
    """Store calls of `source`, whose numbers are E.164, and mark them for `call_evidence`; commit the opt-outs in them at once."""
    counts = CallCounts()
    calls.store_page(connection, source, namespace, taken, counts, key=key)
    decided = review.outcome_answers(connection)
    said: list[tuple[PulledCall, str]] = []
    for call in taken:
        told = classify(
            namespace,
            call.outcome,
            label=call.label,
            status=call.status,
            cause=call.cause,
            direction=call.direction,
            duration_seconds=call.duration_seconds,
            notes=call.notes,
            decided=decided,
        )
        if not call.deleted and (told.opt_out == "sure" or (told.outcome == "opted_out" and told.sure)):
            said.append((call, mask_text(call.label or call.outcome or "note")))
    if not said:
        return Taken(counts.new, counts.changed, 0)
    people = stops.contacts_of(connection, source, [record for call, _ in said for record in call.contact_ids])
    nameless = {call.number for call, _ in said if call.number and not call.contact_ids}
    owners = calls.only_owners(connection, nameless)
    found = []
    for call, word in said:
        meant = {people[record] for record in call.contact_ids if record in people}
        if not call.contact_ids and call.number in owners:
            meant = {owners[call.number]}
        started = int(call.started_at.timestamp() * 1000) if call.started_at else now
        found.append(
            Stop(
                tuple(sorted(meant)),
                call.number,
                call.call_id,
                f"call:{source}",
                f"call outcome {word}",
                "caller's log",
                started,
            )
        )
    return Taken(counts.new, counts.changed, len(stops.commit(connection, key, found, switchboard_people, now)))
