"""`call_evidence`: what our own calls say about numbers, in the words of the evidence vocabulary. It is never paid for."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import dagster as dg
import pandas as pd
from dagster import MetadataValue

from assets.deciding import policy_of
from assets.stage import BATCH, columns, counts, now_ms, plain_errors, root_run
from assets.trunk_watch import watch
from connectors.resources import LedgerResource
from ringtrue.countries import region_of
from ringtrue.free_text import fold
from ringtrue.ledger import Ledger, calls, dirty, rejects, review, suppressions
from ringtrue.ledger.calls import Callee, CallRow, Seen
from ringtrue.ledger.suppressions import Suppression
from ringtrue.masking import mask_text
from ringtrue.outcomes import classify_calls
from ringtrue.phone import normalize_arrow
from ringtrue.settings import Settings, load_settings

EARLIEST = 631_152_000_000
"""1990-01-01: a call before that is a wrong date."""
DAY_MS = 86_400_000
REVIEW_TEXT = 300


class Read(NamedTuple):
    """What a batch of calls says."""

    seen: list[Seen]
    opt_outs: list[Suppression]
    unknown: list[tuple[str, str | None]]
    unsure: list[tuple[str, str | None]]
    rejected: list[tuple[str, str]]
    without_number: int


def _called(call: CallRow, people: dict[tuple[str, str], Callee], settings: Settings) -> list[Callee]:
    """The people a call names. A dialler's file may name records of any CRM."""
    own = settings.connections.get(call.connection)
    names = (call.connection, "") if own is None or own.kind == "files" else (call.connection,)
    found = (
        next((people[(name, record)] for name in names if (name, record) in people), None) for record in call.records
    )
    return [person for person in found if person is not None]


def _dialled(batch: Sequence[CallRow], people: dict[tuple[str, str], Callee], settings: Settings) -> list[str | None]:
    """The number each call went to: the one logged, else the only number of the person called.

    A call to a person with several numbers that names none says nothing about any of them.
    """
    regions = [
        region_of(person.country) if person else None
        for person in (next(iter(_called(call, people, settings)), None) for call in batch)
    ]
    usual = {name: connection.default_region for name, connection in settings.connections.items()}
    typed = [call.number or "" for call in batch]
    defaults = [region or usual.get(call.connection, "US") for region, call in zip(regions, batch, strict=True)]
    table = normalize_arrow(typed, defaults)
    logged: dict[int, str] = {}
    read = (table.column(name).to_pylist() for name in ("row", "e164", "sure", "valid"))
    for row, e164, sure, valid in zip(*read, strict=True):
        if e164 and sure and valid:
            logged.setdefault(row, e164)
    numbers: list[str | None] = []
    for position, call in enumerate(batch):
        number = logged.get(position)
        if number is None and not call.number:
            held = {
                line for record in call.records if (p := people.get((call.connection, record))) for line in p.numbers
            }
            number = held.pop() if len(held) == 1 else None
        numbers.append(number)
    return numbers


def read_calls(
    batch: Sequence[CallRow],
    people: dict[tuple[str, str], Callee],
    decided: dict[tuple[str, str], str],
    settings: Settings,
    now: int,
) -> Read:
    """Turn calls into observations, opt-outs, questions for a person, and rejected rows."""
    frame = pd.DataFrame(
        {
            "namespace": [call.namespace for call in batch],
            "outcome": [call.outcome for call in batch],
            "label": [call.label for call in batch],
            "status": [call.status for call in batch],
            "cause": [call.cause for call in batch],
            "direction": [call.direction for call in batch],
            "duration_seconds": [call.duration_seconds for call in batch],
            "notes": [call.notes for call in batch],
        }
    )
    told = classify_calls(frame, decided)
    numbers = _dialled(batch, people, settings)
    result = Read([], [], [], [], [], 0)
    without = 0
    rows = zip(
        batch,
        numbers,
        told["outcome"].astype(object).where(told["outcome"].notna(), None),
        told["sure"],
        told["opt_out"].astype(object).where(told["opt_out"].notna(), None),
        strict=True,
    )
    for call, number, outcome, sure, stop in rows:
        place = f"{call.connection}:{call.external_id}"
        if call.deleted:
            continue
        if call.started_at is None or not EARLIEST <= call.started_at <= now + DAY_MS:
            when = "has no date" if call.started_at is None else "is dated in the future or before 1990"
            result.rejected.append((place, f"The call {when}; correct it in {call.connection}."))
            continue
        word = call.label or call.outcome or call.status
        callees = _called(call, people, settings)
        if stop == "sure" or (outcome == "opted_out" and sure):
            result.opt_outs.extend(_opt_out(call, callees, number))
        elif stop == "unsure":
            result.unsure.append((mask_text((call.notes or word or "")[:REVIEW_TEXT]), place))
        if outcome is None or not sure:
            if word:
                result.unknown.append((f"{call.namespace}: {word[:REVIEW_TEXT]}", outcome))
            continue
        if number is None:
            without += 1
            continue
        source = f"calls:{call.connection}"
        for contact_id in [callee.contact_id for callee in callees] or [0]:
            result.seen.append(
                Seen(number, contact_id, source, outcome, word, call.trunk, call.started_at, call.external_id)
            )
    return result._replace(without_number=without)


def _opt_out(call: CallRow, callees: Sequence[Callee], number: str | None) -> list[Suppression]:
    """The people who said stop. `opt_outs` then covers their numbers, unless one is a switchboard.

    A number dialled that is on none of their records, or was answered by nobody on record, is suppressed itself: else the stop would be lost.
    """
    people = [
        Suppression(
            kind="opt_out",
            scope="person",
            number=None,
            contact_id=callee.contact_id,
            cause=call.external_id,
            source=f"call:{call.connection}",
            evidence=f"call outcome {mask_text(call.label or call.outcome or 'note')}",
            actor="caller's log",
            at=call.started_at or 0,
        )
        for callee in callees
    ]
    if number is None or any(number in callee.numbers for callee in callees):
        return people
    line = Suppression(
        kind="opt_out",
        scope="number",
        number=number,
        contact_id=None,
        cause=call.external_id,
        source=f"call:{call.connection}",
        evidence=f"call outcome {mask_text(call.label or call.outcome or 'note')}",
        actor="caller's log",
        at=call.started_at or 0,
    )
    return [*people, line]


def run(ledger: Ledger, settings: Settings, run_id: str) -> tuple[dict[str, int], Counter[str], Counter[str]]:
    """Read all waiting calls. Returns counts, outcomes and unknown words."""
    totals = Counter[str]()
    outcomes = Counter[str]()
    unknown = Counter[str]()
    after = -1
    now = now_ms()
    while True:
        with ledger.read() as book:
            marks = dirty.next_calls(book, calls.STAGE, BATCH, after)
            batch = calls.waiting(book, marks) if marks else []
            people = calls.callees(book, batch) if marks else {}
            decided = review.outcome_answers(book) if marks else {}
        if not marks:
            break
        after = marks[-1][0]
        read = read_calls(batch, people, decided, settings, now)
        nameless = {item.number for item in read.seen if not item.contact_id}
        with ledger.write() as book:
            # A dialler knows numbers, not people: a number that one contact alone carries is that contact's.
            owners = calls.only_owners(book, nameless)
            seen = [item._replace(contact_id=item.contact_id or owners.get(item.number, 0)) for item in read.seen]
            totals["observations"] += calls.observe(book, batch, seen, run_id, now)
            added = suppressions.append(book, ledger.key, read.opt_outs, now)
            dirty.mark_contacts(book, "opt_outs", [event.contact_id for event in read.opt_outs if event.contact_id])
            review.add(book, "outcome", read.unknown, now)
            review.add(book, "opt_out", read.unsure, now)
            rejects.add(book, "call_evidence", "", read.rejected, run_id, now)
            dirty.clear(book, "call_id", calls.STAGE, marks)
        totals["calls"] += len(batch)
        totals["calls without a number"] += read.without_number
        totals["people who said stop"] += len(read.opt_outs)
        totals["opt-outs added"] += len(added)
        totals["unknown outcomes"] += len(read.unknown)
        totals["unsure opt-outs for review"] += len(read.unsure)
        totals["rejected"] += len(read.rejected)
        outcomes.update(item.outcome for item in read.seen)
        unknown.update(fold(text) for text, _ in read.unknown)
    if totals["calls"]:
        # The lookups choose by what calls say, before status decides.
        watch(ledger, policy_of(settings), now)
    return dict(totals), outcomes, unknown


def build_call_evidence(deps: Sequence[dg.AssetKey]) -> dg.AssetsDefinition:
    """The `call_evidence` asset below the call histories and the numbers."""

    @dg.asset(
        name="call_evidence",
        deps=list(deps),
        group_name="evidence",
        kinds={"python", "pandas"},
        owners=["team:data"],
        pool="ledger_evidence",
        metadata={
            "dagster/column_schema": columns(
                number="the number dialled",
                contact_id="the person called, 0 where nobody is known",
                outcome="what the call says, in the words of the evidence vocabulary",
                trunk="the line it went out on",
                observed_at="when",
            )
        },
    )
    def call_evidence(context: dg.AssetExecutionContext, ledger: LedgerResource) -> dg.MaterializeResult[None]:
        """Reads what calls say. A word no table knows goes to review with its count; it is never guessed."""
        with plain_errors(), ledger.open() as book:
            totals, outcomes, unknown = run(book, load_settings(), root_run(context))
        return dg.MaterializeResult(
            metadata={
                **counts(totals),
                "outcomes": MetadataValue.json(dict(outcomes.most_common())),
                "unknown words": MetadataValue.json(dict(unknown.most_common(50))),
            }
        )

    return call_evidence
