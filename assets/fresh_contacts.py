"""`<connection>/fresh_contacts`: reads the records that a CRM has just told us about, checks their numbers by rules and known evidence, and writes the result.

Nothing is paid for, and nothing else that waits is touched: the sync does that. A record that only echoes what we wrote has no news, so nothing
is planned from it and nothing goes round in circles.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

import dagster as dg
import orjson
from dagster import MetadataValue
from sqlalchemy import Connection as Book

from assets.ahead import AheadDelivery, settle_ahead, the_only_one, waits_for_approval
from assets.contacts import check_identity, origin_of
from assets.deciding import deciding
from assets.dialling_lists import removals
from assets.do_not_call import DAY_MS, take_opt_outs
from assets.phones import read_contacts
from assets.planner import fields_by_object, rules_of
from assets.stage import columns, counts, now_ms, plain_errors, root_run, usage_metadata
from connectors.crm import Crm
from connectors.lookups.active import emails_are_checked
from connectors.resources import CrmResource, LedgerResource, target_of
from ringtrue.changes import ContactState, PlanRules, plan_record
from ringtrue.fields import OwnFields
from ringtrue.guard import compare, tally
from ringtrue.ledger import (
    Ledger,
    ahead,
    contacts,
    decisions,
    dirty,
    inbox,
    journal,
    phones,
    planning,
    registries,
    review,
)
from ringtrue.ledger import undo as holds
from ringtrue.ledger.contacts import PullCounts
from ringtrue.ledger.inbox import Event, Record
from ringtrue.ledger.journal import Planned
from ringtrue.settings import Connection, Settings, load_settings

EVENTS = 2_000
MOST_TIMES = 3
"""How often a day a record gets the same value again: whatever takes it back would go round in circles with us."""


class Read(NamedTuple):
    """What a delivery did."""

    totals: Counter[str]
    errors: Counter[str]
    objections: list[str]
    """Why a person has to look at what these records would change. It is left to the sync, whose guard asks."""


def echoes(event: Event, own: OwnFields | None) -> bool:
    """Whether an event tells of a field of ours alone. A do-not-call flag that somebody ticks is news, ours or not."""
    if own is None or event.kind != "changed" or not event.body:
        return False
    name = orjson.loads(event.body).get("propertyName")
    return name in {*own.names()} - {own.do_not_call}


def check_fresh(ledger: Ledger, crm: Crm, settings: Settings, name: str, run: str, root: str) -> Read:
    """Go through the records that wait in the inbox of one CRM until none does."""
    result = Read(Counter(), Counter(), [])
    totals = result.totals
    with the_only_one(ledger, f"reading fresh records of {name}", 0) as alone:
        if not alone:
            totals["other runs under way"] = 1
            return result
        check_identity(ledger, crm, name)
        settled, dropped = settle_ahead(ledger, crm, settings, name, run, root)
        totals["settled after a crash"] += settled
        if dropped:
            _write(ledger, crm, settings, name, dropped, (run, root), result)
        own = fields_by_object(ledger, name, settings.connections[name])
        while True:
            with ledger.read() as book:
                events = inbox.changed_records(book, name, limit=EVENTS)
            if not events:
                return result
            touched = _read(ledger, crm, settings, name, own, events, totals)
            totals["events"] += len(events)
            if touched:
                totals["suppressions added"] += take_opt_outs(ledger, settings)
                _decide(ledger, settings, touched, root, totals)
                _write(ledger, crm, settings, name, touched, (run, root), result)


def _read(
    ledger: Ledger,
    crm: Crm,
    settings: Settings,
    name: str,
    own: dict[str, OwnFields],
    events: Sequence[Event],
    totals: Counter[str],
) -> list[int]:
    """Read the records from the CRM and store them. Returns the contacts that something is to be done for."""
    # Before the first sync nothing is known of the CRM's fields, and that sync reads everything.
    known = frozenset(crm.objects) & own.keys()
    news = [
        event for event in events if event.object_name in known and not echoes(event, own.get(event.object_name or ""))
    ]
    records = sorted(inbox.records_to_read(news))
    ids: list[int] = []
    now = now_ms()
    for object_name, found in groupby(records, key=lambda record: record.object_name):
        origin, asked = origin_of(crm, name, settings.connections[name], object_name)
        wanted = list(found)
        for start in range(0, len(wanted), crm.read_size):
            part = wanted[start : start + crm.read_size]
            present = crm.read(object_name, [record.record_id for record in part], asked)
            counted = PullCounts()
            with ledger.write() as book:
                contacts.store_page(book, origin, list(present.values()), ledger.key, now, counted, beside_sync=True)
                missing = [Record(*record) for record in part if record.record_id not in present]
                totals["gone"] += inbox.gone(book, missing, now) + counted.deleted
                ids += ahead.contacts_of(book, name, object_name, [record.record_id for record in part])
            totals["records read"] += len(part)
            totals["new"] += counted.new
            totals["changed"] += counted.changed
            totals["unchanged"] += counted.unchanged
    with ledger.write() as book:
        touched = {
            key
            for stage in (phones.STAGE, "opt_outs", dirty.changes_stage(name))
            for key, _ in dirty.marks_of(book, "contact_id", stage, ids)
        }
        _read_numbers(book, ledger.key, settings, ids)
        inbox.handled(book, [event.inbox_id for event in events], now)
    return sorted(int(key) for key in touched)


def _read_numbers(book: Book, key: bytes, settings: Settings, ids: Sequence[int]) -> None:
    marks = [(int(key), token) for key, token in dirty.marks_of(book, "contact_id", phones.STAGE, ids)]
    if not marks:
        return
    regions = {name: connection.default_region for name, connection in settings.connections.items()}
    rows, suggestions = read_contacts(phones.waiting(book, marks), regions)
    phones.store(book, marks, rows)
    phones.mark_erased_stops(book, key, [contact_id for contact_id, _ in marks])
    review.add(book, "number", suggestions, now_ms())


def _decide(ledger: Ledger, settings: Settings, touched: Sequence[int], root: str, totals: Counter[str]) -> None:
    """Decide the numbers of these contacts that have something new, from what is known of them already."""
    now = now_ms()
    with ledger.write() as book:
        numbers = phones.numbers_of(book, touched)
        registries.scrub(book, root, now, numbers)
    with ledger.read() as book:
        marks = [(str(key), token) for key, token in dirty.marks_of(book, "number", decisions.STAGE, numbers)]
    if not marks:
        return
    way = deciding(ledger, settings, now, learn=False)
    with ledger.read() as book:
        known = way.evidence(book, [number for number, _ in marks])
    decided = way.decided(known)
    with ledger.write() as book:
        decisions.store(book, decided, marks, way.version, now)
    totals["numbers decided"] += len(marks)


def _write(
    ledger: Ledger, crm: Crm, settings: Settings, name: str, touched: Sequence[int], runs: tuple[str, str], result: Read
) -> None:
    totals = result.totals
    if waits_for_approval(ledger, settings, name):
        totals["left to the sync"] += len(touched)
        return
    with the_only_one(ledger, f"writing ahead to {name}") as alone:
        if not alone:
            totals["left to the sync"] += len(touched)
            return
        delivery = AheadDelivery.of(ledger, crm, settings, name, *runs, flags_only=False)
        totals["settled after a crash"] += delivery.settle()
        _plan_and_deliver(delivery, settings, touched, result)
        totals.update({state: delivery.totals[state] for state in ("applied", "failed", "skipped", "conflict")})
        result.errors.update(delivery.errors)


def _plan_and_deliver(delivery: AheadDelivery, settings: Settings, touched: Sequence[int], result: Read) -> None:
    name, ledger, own = delivery.name, delivery.ledger, delivery.own
    connection = settings.connections[name]
    rules = {object_name: rules_of(settings, connection, fields) for object_name, fields in own.items()}
    stage = dirty.changes_stage(name)
    with ledger.read() as book:
        marks = [(int(key), token) for key, token in dirty.marks_of(book, "contact_id", stage, touched)]
        states = planning.contact_states(
            book,
            ledger.key,
            marks,
            email_good_only=emails_are_checked(settings),
            language=settings.policy.language,
        ) if marks else []  # fmt: skip
    rows, released = _planned(states, rules)
    taken_back = _taken_back(ledger, name, rows)
    rows = [row for row in rows if row.contact_id not in taken_back]
    if taken_back:
        names = ", ".join(sorted({field for fields in taken_back.values() for field in fields}))
        result.objections.append(
            f"{len(taken_back)} records were given the same values {MOST_TIMES} times in 24 hours ({names}); something takes them "
            "back. Look for a workflow or another tool that writes these fields."
        )
        result.totals["left to the sync"] += len(taken_back)
    counted = tally((row.fields, own[row.object_name]) for row in rows)
    with ledger.read() as book:
        before = ahead.counted_since(book, name, now_ms() - DAY_MS).get(ahead.TALLY, Counter())
        living = journal.living_records(book, name)
        first = not journal.has_written(book, name)
    compared = compare(counted + before, living, settings.guard, [])
    objections = [] if first else [one.objection for one in compared if one.objection is not None]
    if objections:
        result.objections.extend(objections)
        result.totals["left to the sync"] += len(rows)
        return
    # Who has to leave a dialling list is for the sync.
    leaving = removals(ledger, states, rules) if connection.remove_from_lists else []
    for_the_sync = {row.contact_id for row in leaving} | taken_back.keys()
    done = [mark for mark in marks if mark[0] not in for_the_sync]

    def also(book: Book) -> None:
        ahead.supersede(book, name, [contact_id for contact_id, _ in marks], now_ms())
        holds.lift(book, released)
        dirty.clear(book, "contact_id", stage, done)

    if not marks:
        return
    plan_id = delivery.plan(rows, {ahead.TALLY: dict(counted)}, also)
    delivery.deliver(plan_id)
    delivery.finish(plan_id, [row.contact_id for row in rows])


def _taken_back(ledger: Ledger, name: str, rows: Sequence[Planned]) -> dict[int, list[str]]:
    """Fields that were given the value at hand too often already, by contact. Such a record is the sync's as a whole: its fields travel together."""
    with ledger.read() as book:
        before = ahead.written_since(book, name, [row.contact_id for row in rows], now_ms() - DAY_MS)
    found = {
        row.contact_id: [
            field for field, (_, after) in row.fields.items() if before[row.contact_id][field, after] >= MOST_TIMES
        ]
        for row in rows
        if row.contact_id in before
    }
    return {contact_id: fields for contact_id, fields in found.items() if fields}


def _planned(
    states: Sequence[ContactState], rules: dict[str, PlanRules]
) -> tuple[list[Planned], list[tuple[int, str]]]:
    rows: list[Planned] = []
    released: list[tuple[int, str]] = []
    for state in states:
        made = plan_record(state, rules[state.object_name])
        if made is None:
            continue
        released += [(state.contact_id, field) for field in made.released]
        if made.fields:
            rows.append(
                Planned(state.object_name, state.record_id, state.contact_id, made.fields, made.guarded, made.decisions)
            )
    return rows, released


def build_fresh_contacts(name: str, connection: Connection) -> dg.AssetsDefinition:
    """The check of one connection's new and changed records."""

    @dg.asset(
        key=[name, "fresh_contacts"],
        group_name=name,
        kinds={"python", connection.kind},
        owners=["team:data"],
        required_resource_keys={name, "ledger"},
        metadata={
            "dagster/column_schema": columns(
                record_id="the record that the CRM told us about",
                fields="what was written to it: before and after",
                state="applied, failed, conflict, skipped",
            )
        },
    )
    def fresh_contacts_asset(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        """Reads the records that a webhook or an outbound message named, checks their numbers and writes their status. Started by the sensor `fresh_contacts`."""
        settings = load_settings()
        resource: CrmResource = getattr(context.resources, name)
        book: LedgerResource = context.resources.ledger
        with plain_errors():
            if not target_of(name, connection).writes(settings.connections[name]):
                return dg.MaterializeResult(metadata={"gate": MetadataValue.text("closed: the next sync reads them")})
            with book.open() as ledger, resource.open() as crm:
                done = check_fresh(ledger, crm, settings, name, context.run.run_id, root_run(context))
                usage = crm.usage
        for objection in done.objections:
            context.log.warning("Left to the sync: %s", objection)
        return dg.MaterializeResult(
            metadata={
                **counts(dict(done.totals)),
                "left to the sync because": MetadataValue.text(" ".join(done.objections) or "nothing was"),
                "reasons": MetadataValue.json(dict(done.errors.most_common(50))),
                **usage_metadata(usage),
            }
        )

    return fresh_contacts_asset
