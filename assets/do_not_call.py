"""`<connection>/do_not_call`: sets the do-not-call flag of who opted out, and the status that shows it, ahead of the sync and without its stages.

It rests on the suppressions alone. What waits is marked in the transaction that holds the opt-out, and the mark goes when the flag stands.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import dagster as dg
from dagster import MetadataValue

from assets.ahead import AheadDelivery, the_only_one, waits_for_approval
from assets.contacts import check_identity
from assets.opt_outs import OptOutsConfig
from assets.opt_outs import run as run_opt_outs
from assets.stage import columns, counts, now_ms, plain_errors, root_run, usage_metadata
from connectors.crm import Crm
from connectors.resources import CrmResource, LedgerResource, target_of
from ringtrue.errors import PlanRefused
from ringtrue.guard import tally
from ringtrue.ledger import Ledger, ahead, beside, dirty, journal, waiting
from ringtrue.ledger.ahead import Stopped
from ringtrue.ledger.journal import Fields, Planned
from ringtrue.settings import Connection, Settings, load_settings

PAGE = 2_000
MOST_TURNS = 20
DAY_MS = 86_400_000
BY_SOURCE = "do-not-call by source"


class Delivered(NamedTuple):
    """What a delivery did."""

    totals: Counter[str]
    errors: Counter[str]
    floods: list[str]
    """One sentence for each source that said stop for more records than [guard] lets pass unseen."""


class _Page(NamedTuple):
    planned: list[Planned]
    sources: Counter[str]
    done: list[tuple[int, int]]
    """Marks with nothing to do: the flag stands, or nothing holds the record any more."""
    left: list[tuple[int, int]]
    """Marks of a flood."""


def take_opt_outs(ledger: Ledger, settings: Settings) -> int:
    """Turn flags that people set in a CRM into suppressions, unless numbers wait to be read. Returns how many events were added."""
    with ledger.read() as book:
        if not waiting.opt_outs(book):
            return 0
    return run_opt_outs(ledger, settings, OptOutsConfig()).get("suppressions added", 0)


def deliver_flags(ledger: Ledger, crm: Crm, settings: Settings, name: str, run: str, root: str) -> Delivered:
    """Set the flags that wait for one CRM. What cannot be set now stays waiting."""
    totals = Counter({"suppressions added": take_opt_outs(ledger, settings)})
    if waits_for_approval(ledger, settings, name):
        return Delivered(totals + Counter({"left to the sync": _leave_all(ledger, name)}), Counter(), [])
    with the_only_one(ledger, f"writing ahead to {name}") as alone:
        if not alone:
            totals["other deliveries under way"] = 1
            return Delivered(totals, Counter(), [])
        check_identity(ledger, crm, name)
        delivery = AheadDelivery.of(ledger, crm, settings, name, run, root, flags_only=True)
        totals["settled after a crash"] = delivery.settle()
        seen: set[tuple[int, int]] = set()
        floods: dict[str, str] = {}
        for _ in range(MOST_TURNS):
            if not _turn(delivery, settings, seen, floods, totals):
                break
        totals.update({state: delivery.totals[state] for state in ("applied", "failed", "skipped", "conflict")})
        return Delivered(totals, delivery.errors, list(floods.values()))


def _turn(
    delivery: AheadDelivery,
    settings: Settings,
    seen: set[tuple[int, int]],
    floods: dict[str, str],
    totals: Counter[str],
) -> bool:
    """Go through all marks once. Returns whether there was one that this run had not seen."""
    floods.update(_floods(delivery, settings))
    new = False
    after = -1
    while marks := _marks(delivery, after):
        after = marks[-1][0]
        fresh = [mark for mark in marks if mark not in seen]
        seen.update(fresh)
        if fresh:
            new = True
            _deliver_page(delivery, fresh, floods, totals)
    return new


def _marks(delivery: AheadDelivery, after: int) -> list[tuple[int, int]]:
    with delivery.ledger.read() as book:
        return dirty.next_contacts(book, dirty.do_not_call_stage(delivery.name), PAGE, after)


def _floods(delivery: AheadDelivery, settings: Settings) -> dict[str, str]:
    """Sources that said stop for more records in a day than the guard lets pass: a wrong import, a flag ticked on a whole list."""
    limits = settings.guard
    waits = Counter[str]()
    after = -1
    while marks := _marks(delivery, after):
        after = marks[-1][0]
        with delivery.ledger.read() as book:
            held = ahead.stopped(book, delivery.ledger.key, [contact_id for contact_id, _ in marks])
        for record in held:
            if record.ours.get(delivery.own[record.object_name].do_not_call) != "true":
                waits.update(record.sources)
    with delivery.ledger.read() as book:
        before = ahead.counted_since(book, delivery.name, now_ms() - DAY_MS).get(BY_SOURCE, Counter())
        large = {
            name: count + before[name] for name, count in waits.items() if count + before[name] > limits.small_plan
        }
        living = journal.living_records(book, delivery.name) if large else 0
    return {
        name: f"{count} records would be newly do-not-call by {name}, {count / living:.0%} of {living}; the limit is "
        f"{limits.newly_do_not_call_share:.0%}."
        for name, count in large.items()
        if living and count / living > limits.newly_do_not_call_share
    }


def _page(delivery: AheadDelivery, marks: Sequence[tuple[int, int]], floods: dict[str, str]) -> _Page:
    with delivery.ledger.read() as book:
        held = {
            record.contact_id: record
            for record in ahead.stopped(book, delivery.ledger.key, [contact_id for contact_id, _ in marks])
        }
    page = _Page([], Counter(), [], [])
    for mark in marks:
        record = held.get(mark[0])
        fields = _fields(delivery, record) if record else None
        if record is None or fields is None:
            page.done.append(mark)
        elif record.sources <= floods.keys():
            page.left.append(mark)
        else:
            guarded = not delivery.own[record.object_name].do_not_call_is_ours
            page.planned.append(Planned(record.object_name, record.record_id, record.contact_id, fields, guarded, []))
            page.sources.update(record.sources)
    return page


def _fields(delivery: AheadDelivery, record: Stopped) -> Fields | None:
    own = delivery.own[record.object_name]
    flagged, status = record.ours.get(own.do_not_call), record.ours.get(own.status)
    if flagged == "true":
        return None
    fields: Fields = {own.do_not_call: [flagged, "true"]}
    if status != "do_not_call" and record.held.get(own.status) != "do_not_call":
        fields[own.status] = [status, "do_not_call"]
    return fields


def _deliver_page(
    delivery: AheadDelivery, marks: Sequence[tuple[int, int]], floods: dict[str, str], totals: Counter[str]
) -> None:
    looked_at = now_ms()
    page = _page(delivery, marks, floods)
    stage = dirty.do_not_call_stage(delivery.name)
    with delivery.ledger.write() as book:
        leaving = beside.taken_away(book, delivery.name, [contact_id for contact_id, _ in page.done], looked_at)
        # What was not sent yet is planned anew and falls away. Once it is sent, the flag has to be set again.
        dirty.mark_contacts(
            book, dirty.changes_stage(delivery.name), [key for key, unsent in leaving.items() if unsent]
        )
        done = [mark for mark in page.done if leaving.get(mark[0], True)]
        # A flood is the sync's: its plan holds these records too, and its guard asks a person.
        dirty.clear(book, "contact_id", stage, [*done, *page.left])
    totals["records that waited"] += len(marks)
    totals["flags that stood"] += len(done)
    totals["flags being taken away"] += len(page.done) - len(done)
    totals["left to the sync"] += len(page.left)
    if not page.planned:
        return
    plan_id = delivery.plan(page.planned, {BY_SOURCE: dict(page.sources)})
    delivery.deliver(plan_id)
    settled = delivery.finish(plan_id, [row.contact_id for row in page.planned])
    written = tally((row.fields, delivery.own[row.object_name]) for row in page.planned if row.contact_id in settled)
    with delivery.ledger.write() as book:
        ahead.note_tally(book, plan_id, written)
        dirty.clear(book, "contact_id", stage, [mark for mark in marks if mark[0] in settled])


def _leave_all(ledger: Ledger, name: str) -> int:
    stage = dirty.do_not_call_stage(name)
    count = 0
    with ledger.write() as book:
        while marks := dirty.next_contacts(book, stage, PAGE):
            dirty.clear(book, "contact_id", stage, marks)
            count += len(marks)
    return count


def build_do_not_call(name: str, connection: Connection) -> dg.AssetsDefinition:
    """The delivery of do-not-call flags to one connection."""

    @dg.asset(
        key=[name, "do_not_call"],
        deps=[dg.AssetKey("suppressions")],
        group_name=name,
        kinds={"python", connection.kind},
        owners=["team:compliance"],
        required_resource_keys={name, "ledger"},
        metadata={
            "dagster/column_schema": columns(
                record_id="the record in the CRM",
                fields="the flag and the record's status: before and after",
                state="applied, failed, conflict, skipped",
            )
        },
    )
    def do_not_call_asset(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        """Sets the flag of everybody who opted out since, and nothing else. Started by the sensor `do_not_call` within seconds of an opt-out."""
        settings = load_settings()
        resource: CrmResource = getattr(context.resources, name)
        book: LedgerResource = context.resources.ledger
        with plain_errors():
            if not target_of(name, connection).writes(settings.connections[name]):
                return dg.MaterializeResult(metadata={"gate": MetadataValue.text("closed: the flags stay waiting")})
            with book.open() as ledger, resource.open() as crm:
                done = deliver_flags(ledger, crm, settings, name, context.run.run_id, root_run(context))
                usage = crm.usage
            reasons = "; ".join(f"{count} x {reason.rstrip('.')}" for reason, count in done.errors.most_common(5))
            if done.totals["failed"]:
                context.log.error("%s records were refused: %s", done.totals["failed"], reasons)
            if done.floods:
                raise PlanRefused(
                    f"{' '.join(done.floods)} They were not flagged at once. If they are right, run the job sync_{name}, look at "
                    f"{name}/changes and approve its plan; if not, run `ringtrue suppress retract`."
                )
        if done.totals["failed"]:
            raise dg.Failure(
                f"{done.totals['failed']} do-not-call flags were refused: {reasons}. The next sync tries them again.",
                allow_retries=False,
            )
        return dg.MaterializeResult(
            metadata={
                **counts(dict(done.totals)),
                "reasons": MetadataValue.json(dict(done.errors.most_common(50))),
                **usage_metadata(usage),
            }
        )

    return do_not_call_asset
