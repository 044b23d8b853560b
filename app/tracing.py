"""The way of a number, a record or a source through RingTrue, ready to be printed, served as a page or given out as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from ringtrue.errors import SettingsError
from ringtrue.ledger import Ledger, source_states, trace
from ringtrue.ledger.phones import subject_of
from ringtrue.ledger.trace import Row, Traced
from ringtrue.masking import mask_number, mask_text
from ringtrue.phone import normalize_arrow
from ringtrue.settings import Settings
from ringtrue.source_labels import comparable, display
from ringtrue.source_names import SourceMap, parse_raw
from ringtrue.values import moment_of

LIMIT = 20
"""Contacts shown of a source, or of a number that many carry."""


class Step(NamedTuple):
    """One station on the way: when, what kind of thing, and the sentence."""

    at: str
    kind: str
    text: str


class Way(NamedTuple):
    """One contact's way, and that of each of its numbers."""

    record: str
    source: str
    slug: str
    origin: str
    state: str
    steps: list[Step]


class Trace(NamedTuple):
    """What was asked for and what was found."""

    subject: str
    kind: str
    summary: list[str]
    ways: list[Way]
    more: int
    """Contacts that are not shown."""


def trace_subject(ledger: Ledger, settings: Settings, subject: str, *, full: bool = False, limit: int = LIMIT) -> Trace:
    """Find a number, CONNECTION:RECORD or source and follow it. Numbers are masked unless `full`. Raises SettingsError when it is none of them."""
    sources = SourceMap(settings.sources)
    name, colon, record = subject.partition(":")
    if colon and name in settings.connections:
        return _trace_record(ledger, sources, name, record.strip(), full)
    slug = _slug(sources, subject)
    if slug is not None:
        return _trace_source(ledger, sources, slug, full, limit)
    numbers = _numbers(settings, subject)
    if not numbers:
        names = ", ".join(sources.slugs)
        raise SettingsError(
            f"{display(subject)!r} is neither a number, nor CONNECTION:RECORD, nor a source. Sources: {names}. Connections: "
            f"{', '.join(settings.connections) or 'none'}."
        )
    with ledger.read() as book:
        ids = trace.contacts_with(book, numbers, limit + 1)
        found = trace.trace_contacts(book, ledger.key, ids[:limit])
    shown = [_only(one, set(numbers)) for one in found]
    ways = [_way(one, sources, full) for one in shown]
    summary = [f"{_sources_of(ways)}."] if ways else ["No record carries this number."]
    return Trace(subject if full else mask_number(numbers[0]), "number", summary, ways, max(len(ids) - limit, 0))


def _trace_record(ledger: Ledger, sources: SourceMap, name: str, record: str, full: bool) -> Trace:
    with ledger.read() as book:
        ids = trace.contact_of(book, name, record)
        found = trace.trace_contacts(book, ledger.key, ids)
    if not found:
        raise SettingsError(
            f"The ledger holds no record {display(record)!r} of {name}. Run `ringtrue sync {name}` first."
        )
    return Trace(f"{name}:{record}", "record", [], [_way(one, sources, full) for one in found], 0)


def _trace_source(ledger: Ledger, sources: SourceMap, slug: str, full: bool, limit: int) -> Trace:
    with ledger.read() as book:
        origins = [(where, raw, count) for where, raw, count in trace.origins(book) if sources.slug(where, raw) == slug]
        ids = trace.contacts_from(book, [(where, raw) for where, raw, _ in origins], limit)
        found = trace.trace_contacts(book, ledger.key, ids)
        stored = source_states.latest(book, slug)
        state = source_states.states(book).get(slug)
    total = sum(count for *_, count in origins)
    summary = [f"{total} contacts."]
    if stored:
        figures = stored[0].figures
        summary.append(
            f"Bad on arrival: {figures['bad_share']:.1%} (90 %: {figures['bad_low']:.1%} to {figures['bad_high']:.1%}), "
            f"grade {stored[0].grade or 'not given: not enough data'}, measured {_time(stored[0].measured_at)}."
        )
    if state is not None and state.alarm.ringing:
        summary.append(f"Its alarm rings since {state.alarm.since}.")
    return Trace(
        f"{sources.label(slug)} ({slug})",
        "source",
        summary,
        [_way(one, sources, full) for one in found],
        total - len(found),
    )


def _slug(sources: SourceMap, subject: str) -> str | None:
    if subject in sources.slugs:
        return subject
    return next((slug for slug in sources.slugs if comparable(sources.label(slug)) == comparable(subject)), None)


def _numbers(settings: Settings, subject: str) -> list[str]:
    """The E.164 numbers a text may mean: read in each connection's own region."""
    if subject.startswith("?"):
        return [subject]
    regions = dict.fromkeys([*(connection.default_region for connection in settings.connections.values()), "US"])
    found: list[str] = []
    for region in regions:
        rows = normalize_arrow([subject], region).to_pylist()
        found += [row["e164"] for row in rows if row["e164"]]
        if sum(character.isdigit() for character in subject) >= 3:
            found.append(subject_of(subject, region))
    return list(dict.fromkeys(found))


def _only(found: Traced, numbers: set[str]) -> Traced:
    """The part of a contact's way that concerns these numbers; the changes of its record stay, they rest on all of them."""

    def mine(rows: Sequence[Row]) -> list[Row]:
        return [row for row in rows if row["number"] in numbers]

    return found._replace(
        phones=mine(found.phones),
        arrivals=mine(found.arrivals),
        evidence=mine(found.evidence),
        suppressions=[row for row in found.suppressions if row["number"] is None or row["number"] in numbers],
        decisions=mine(found.decisions),
    )


def _way(found: Traced, sources: SourceMap, full: bool) -> Way:
    contact = found.contact
    slug = sources.slug(contact["connection"], contact["first_source"])
    said = "; ".join(f"{name} = {display(value)}" for name, value in parse_raw(contact["first_source"]).items())
    stations = sorted(_stations(found, sources, full), key=lambda station: station[0])
    state = "merged away" if contact["merged_into"] else "deleted" if contact["deleted_at"] else "alive"
    return Way(
        f"{contact['connection']}:{contact['record_id']} ({contact['object']})",
        sources.label(slug),
        slug,
        said or "(no source)",
        state,
        [Step(_time(at), kind, text) for at, _, kind, text in stations],
    )


Station = tuple[int, int, str, str]
"""Moment, order among equals, kind, sentence."""


def _stations(found: Traced, sources: SourceMap, full: bool) -> Iterator[Station]:
    """Everything that happened to one contact."""
    contact = found.contact
    first = contact["first_seen_at"]
    if contact["created_at"]:
        yield contact["created_at"], 0, "source", "the contact was created in the CRM"
    yield first, 1, "contact", "first seen by RingTrue"
    for row in found.later_sources:
        slug = sources.slug(contact["connection"], row["source"])
        yield row["seen_at"], 1, "source", f"came again by {sources.label(slug)}"
    for row in found.phones:
        reading = f"read as {_number(row, full)}" if row["valid"] else f"not a number: {row['reason'] or 'unreadable'}"
        kept = repr(row["raw"]) if full else mask_text(display(row["raw"]))
        yield first, 2, "field", f"{row['field']} holds {kept}, {reading}"
    for row in found.evidence:
        void = ", withdrawn by its source" if row["void"] else ""
        said = f"{row['outcome'].replace('_', ' ')} ({row['source']}, {row['kind']}, observation {row['id']}{void})"
        yield row["observed_at"], 3, "evidence", f"{_number(row, full)}: {said}"
    for row in found.suppressions:
        scope = "the person" if row["number"] is None else _number(row, full)
        lifted = ", lifted since" if row["lifted"] else ""
        said = f"{row['kind'].replace('_', ' ')} ({row['source']}, event {row['id']}{lifted})"
        yield row["at"], 3, "permission", f"{scope}: {said}"
    for row in found.decisions:
        shown, more = row["evidence"][:6], len(row["evidence"]) - 6
        rests = ", ".join(shown) + (f" and {more} more" if more > 0 else "") or "nothing"
        status = row["status"].replace("_", " ") + ("" if row["current"] else " (no longer)")
        why = f"{row['confidence']:.0%} sure: {_value(row['reason'], full)} [decision {row['id']} on {rests}]"
        yield row["decided_at"], 4, "decision", f"{_number(row, full)}: {status}, {why}"
    for row in found.arrivals:
        status = row["status"].replace("_", " ")
        said = f"first verified as {status}, which counts for its source"
        yield row["verified_at"], 5, "arrival", f"{_number(row, full)}: {said}"
    for row in found.changes:
        values = f"{_value(row['before'], full)} -> {_value(row['after'], full)}"
        journal = f"change {row['id']}, run {(row['run'] or 'none yet')[:8]}"
        yield row["at"], 6, "change", f"{row['field']}: {values}, {row['state']} [{journal}]"


def _number(row: Row, full: bool) -> str:
    number = str(row["number"])
    return "text without a number" if number.startswith("?") else number if full else mask_number(number)


def _value(value: str | None, full: bool) -> str:
    """A field's value as it may be shown. A short number, which looks like any other figure, is masked as well."""
    if not value:
        return "(empty)"
    if full or moment_of(value) is not None:
        return value
    return mask_number(value) if value.lstrip("+").isdigit() else mask_text(value)


def _sources_of(ways: Sequence[Way]) -> str:
    counted: dict[str, int] = {}
    for way in ways:
        counted[way.source] = counted.get(way.source, 0) + 1
    return "Brought by " + ", ".join(f"{source} ({count})" for source, count in counted.items())


def _time(moment: int) -> str:
    return f"{datetime.fromtimestamp(moment / 1000, UTC):%Y-%m-%d %H:%M:%S}"


def as_json(found: Trace) -> dict[str, Any]:
    """The trace as plain values."""
    return {
        "subject": found.subject,
        "kind": found.kind,
        "summary": found.summary,
        "ways": [{**way._asdict(), "steps": [step._asdict() for step in way.steps]} for way in found.ways],
        "contacts_not_shown": found.more,
    }
