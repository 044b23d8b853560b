"""Plans one connection's changes from the ledger alone, batch by batch, and seals them."""

from collections import Counter
from itertools import chain
from typing import Any, NamedTuple

from assets.dialling_lists import removals
from assets.stage import now_ms
from connectors.lookups.active import emails_are_checked
from ringtrue.changes import PlanRules, RecordPlan, plan_record
from ringtrue.collector import rare_collections
from ringtrue.errors import SettingsError
from ringtrue.fields import OwnFields, own_fields
from ringtrue.guard import tally
from ringtrue.ledger import Ledger, contacts, dirty, emails, journal, planning, undo
from ringtrue.ledger.journal import Plan, Planned
from ringtrue.ledger.plan_content import Content
from ringtrue.list_objects import FieldsByObject
from ringtrue.settings import Connection, Settings

PLAN_BATCH = 5_000
SAMPLE = 10


class Planning(NamedTuple):
    """A sealed plan, its counts, statuses of the records looked at, and the first changes."""

    plan: Plan
    totals: dict[str, int]
    by_field: dict[str, int]
    first: list[dict[str, Any]]


def fields_by_object(ledger: Ledger, name: str, connection: Connection) -> dict[str, OwnFields]:
    """Our fields on each object of a connection, for the phone fields its pull reads."""
    if connection.kind == "files":
        raise SettingsError(f"Connection {name!r} is a folder of files; nothing is written back to it.")
    with ledger.read() as book:
        phones = contacts.phone_fields(book, name)
    kind = connection.kind
    return FieldsByObject(
        (object_name, own_fields(kind, fields, connection.do_not_call_property))
        for object_name, fields in phones.items()
    )


def rules_of(settings: Settings, connection: Connection, own: OwnFields) -> PlanRules:
    """What the settings say about writing to one object."""
    return PlanRules(
        own=own,
        mode=connection.mode,
        refresh_days=settings.policy.refresh_days,
        registry_flags=settings.policy.registry_flags,
        why_url=settings.why.url,
    )


@rare_collections()
def plan_changes(ledger: Ledger, settings: Settings, name: str, run: str, *, full: bool = False) -> Planning:
    """Compare every marked record with what we know, journal the differences and seal them as the open plan."""
    connection = settings.connections[name]
    own = fields_by_object(ledger, name, connection)
    rules = {object_name: rules_of(settings, connection, fields) for object_name, fields in own.items()}
    stage = dirty.changes_stage(name)
    plan_id = journal.new_plan_id()
    totals = Counter[str]()
    tallied = Counter[str]()
    by_field = Counter[str]()
    content = Content()
    first: list[dict[str, Any]] = []
    good_only = emails_are_checked(settings)
    with ledger.write() as book:
        if emails.rule_changed(book, name, good_only) or full:
            planning.mark_all(book, name)
    after = -1
    while True:
        read_at = now_ms()
        with ledger.read() as book:
            marks = dirty.next_contacts(book, stage, PLAN_BATCH, after)
            states = (
                planning.contact_states(
                    book, ledger.key, marks, email_good_only=good_only, language=settings.policy.language
                )
                if marks
                else []
            )
        if not marks:
            break
        after = marks[-1][0]
        planned: list[Planned] = []
        released: list[tuple[int, str]] = []
        for state in states:
            made: RecordPlan | None = plan_record(state, rules[state.object_name])
            if made is None:
                continue
            released += [(state.contact_id, name) for name in made.released]
            if not made.fields:
                continue
            planned.append(
                Planned(state.object_name, state.record_id, state.contact_id, made.fields, made.guarded, made.decisions)
            )
        leaving = removals(ledger, states, rules) if connection.remove_from_lists else []
        now = now_ms()
        with ledger.write() as book:
            kept = planning.still_to_plan(book, name, marks, states, read_at)
            if len(kept) < len(marks):
                ids = {key for key, _ in kept}
                totals["records left to the next sync"] += len(marks) - len(kept)
                states = [state for state in states if state.contact_id in ids]
                planned = [row for row in planned if row.contact_id in ids]
                leaving = [row for row in leaving if row.contact_id in ids]
                released = [hold for hold in released if hold[0] in ids]
            journal.supersede(book, name, [key for key, _ in kept], now)
            content.merge(journal.add(book, plan_id, name, [*planned, *leaving], run, now))
            undo.lift(book, released)
            dirty.clear(book, "contact_id", stage, kept)
        by_field.update(chain.from_iterable(row.fields for row in planned))
        tallied.update(tally((row.fields, own[row.object_name]) for row in [*planned, *leaving]))
        totals["records compared"] += len(states)
        totals["records gone"] += len(kept) - len(states)
        totals["records already true"] += len(states) - len(planned)
        totals["records to change"] += len(planned)
        totals["people to take off lists"] += len(leaving)
        first.extend(_sample(row) for row in planned[: SAMPLE - len(first)])
    with ledger.write() as book:
        summary = {"tally": dict(tallied), "by field": dict(by_field.most_common())}
        plan = journal.seal(book, plan_id, name, "sync", run, now_ms(), summary, content)
    totals["records in the plan"] = plan.records
    totals["fields in the plan"] = plan.fields
    return Planning(plan, dict(totals), dict(by_field.most_common()), first)


def _sample(row: Planned) -> dict[str, Any]:
    changed = "; ".join(
        f"{name}: {before or '(empty)'} -> {after or '(empty)'}" for name, (before, after) in row.fields.items()
    )
    return {"object": row.object_name, "record": row.record_id, "changes": changed}
