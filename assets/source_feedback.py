"""`<connection>/source_feedback`: tells a CRM what its lead sources are worth, where `[source_quality] feedback` names it."""

from collections import Counter
from collections.abc import Iterator

import dagster as dg
from dagster import MetadataValue

from assets.stage import counts, now_ms, plain_errors, root_run, usage_metadata
from connectors.crm import Crm
from connectors.resources import CrmResource, LedgerResource, target_of
from connectors.salesforce import SalesforceCrm
from ringtrue.errors import FieldMissing
from ringtrue.ledger import Ledger, feedback, source_states
from ringtrue.ledger.feedback import Values
from ringtrue.records import RecordWrite
from ringtrue.settings import Connection, Settings, load_settings
from ringtrue.source_feedback import feedback_fields, feedback_object
from ringtrue.source_labels import OTHER
from ringtrue.source_names import SourceMap, raw_source
from ringtrue.values import same

PORTION = 5_000


def wanted_by_source(ledger: Ledger, settings: Settings, grade_field: str, alarm_field: str) -> dict[str, Values]:
    """What records of each source should say: the grade, and since when its alarm rings. Nothing of sources without a grade or alarm."""
    with ledger.read() as book:
        stored = source_states.latest(book)
        states = source_states.states(book)
    slugs = set(SourceMap(settings.sources).slugs) - {OTHER}
    wanted: dict[str, Values] = {}
    for row in stored:
        state = states.get(row.source)
        since = state.alarm.since if state is not None and state.alarm.ringing else None
        if row.source in slugs:
            wanted[row.source] = {grade_field: row.grade or None, alarm_field: since[:10] if since else None}
    return wanted


def targets(ledger: Ledger, crm: Crm, settings: Settings, name: str) -> Iterator[list[tuple[str, str]]]:
    """(record, source) of what can be told, in portions: campaigns that are a source at Salesforce, contacts by first source at HubSpot."""
    sources = SourceMap(settings.sources)
    if isinstance(crm, SalesforceCrm):
        named = crm.campaign_names().items()
        yield [(record, sources.slug(name, raw_source({"campaign": campaign}))) for record, campaign in named]
        return
    with ledger.read() as book:
        for portion in feedback.living(book, name, feedback_object("hubspot"), PORTION):
            yield [(record, sources.slug(name, raw)) for record, raw in portion]


def settle(ledger: Ledger, crm: Crm, name: str) -> int:
    """Find out by reading what became of rows that were sent and not answered. Returns how many there were."""
    with ledger.read() as book:
        left = feedback.sending(book, name)
    for start in range(0, len(left), crm.read_size):
        some = left[start : start + crm.read_size]
        fields = sorted({field for told in some for field in told.after})
        found = crm.read(some[0].object_name, [told.record_id for told in some], fields)
        outcomes = [
            (told.feedback_id, "applied", None)
            if (record := found.get(told.record_id)) is not None
            and all(same(record.values.get(field), after) for field, after in told.after.items())
            else (told.feedback_id, "failed", "it did not arrive")
            for told in some
        ]
        with ledger.write() as book:
            feedback.end(book, outcomes, now_ms())
    return len(left)


def tell(ledger: Ledger, crm: Crm, settings: Settings, name: str, run: str) -> Counter[str]:
    """Write grade and alarm where they differ from what was last told. Returns counts. Raises FieldMissing when the fields are not there yet."""
    kind = settings.connections[name].kind
    assert kind != "files"  # noqa: S101 settings let no folder of files through
    object_name = feedback_object(kind)
    grade_field, alarm_field = (field.name for field in feedback_fields(kind))
    if not {grade_field, alarm_field} <= set(crm.describe(object_name)):
        raise FieldMissing(f"{object_name} of {name} has no field {grade_field} yet: run `ringtrue prepare {name}`.")
    totals = Counter[str](settled=settle(ledger, crm, name))
    wanted = wanted_by_source(ledger, settings, grade_field, alarm_field)
    for portion in targets(ledger, crm, settings, name):
        mine = [(record, wanted[slug]) for record, slug in portion if slug in wanted]
        with ledger.read() as book:
            told = feedback.last_told(book, name, object_name, [record for record, _ in mine])
        changes = {
            record: {field: [told.get(record, {}).get(field), value] for field, value in values.items()}
            for record, values in mine
            if any(told.get(record, {}).get(field) != value for field, value in values.items())
        }
        totals["records looked at"] += len(mine)
        records = list(changes)
        for start in range(0, len(records), crm.collection_size):
            some = records[start : start + crm.collection_size]
            with ledger.write() as book:
                feedback.begin(book, name, object_name, {record: changes[record] for record in some}, run, now_ms())
            rows = [
                RecordWrite(record, {field: after for field, (_, after) in changes[record].items()}) for record in some
            ]
            results = {result.record_id: result for result in crm.write(object_name, rows)}
            with ledger.write() as book:
                outcomes = []
                for sent in feedback.sending(book, name):
                    result = results[sent.record_id]
                    state = "applied" if result.outcome == "applied" else "failed"
                    totals[state] += 1
                    outcomes.append((sent.feedback_id, state, result.reason))
                feedback.end(book, outcomes, now_ms())
    return totals


def build_source_feedback(name: str, connection: Connection) -> dg.AssetsDefinition:
    """The feedback of one connection, below lead_source_quality."""

    @dg.asset(
        key=[name, "source_feedback"],
        deps=[dg.AssetKey("lead_source_quality")],
        group_name=name,
        kinds={"python", connection.kind},
        owners=["team:marketing"],
        pool=f"crm_{name}",
        required_resource_keys={name, "ledger"},
    )
    def source_feedback(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        """Writes each source's grade and alarm into the CRM, journal first, only where they changed."""
        settings = load_settings()
        resource: CrmResource = getattr(context.resources, name)
        book: LedgerResource = context.resources.ledger
        if not target_of(name, connection).writes(settings.connections[name]):
            return dg.MaterializeResult(
                metadata={"applied": MetadataValue.int(0), "gate": MetadataValue.text("closed: nothing is written")}
            )
        with plain_errors(), book.open() as ledger, resource.open() as crm:
            totals = tell(ledger, crm, settings, name, root_run(context))
            usage = crm.usage
        shown = {key: totals[key] for key in ("records looked at", "applied", "failed", "settled")}
        return dg.MaterializeResult(metadata={**counts(shown), **usage_metadata(usage)})

    return source_feedback
