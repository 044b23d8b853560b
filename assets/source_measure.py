"""Measures every lead source from what the ledger holds: figures, weeks, reasons, alarms, grades held to."""

from typing import Any, NamedTuple

import pandas as pd

from assets.deciding import policy_of
from ringtrue.cusum import advance
from ringtrue.ledger import Ledger, source_numbers, source_states
from ringtrue.ledger.source_states import SourceState
from ringtrue.settings import Settings
from ringtrue.source_frame import StatusHistory, arrivals, past_limits
from ringtrue.source_names import SourceMap, import_of
from ringtrue.source_replay import judge_past
from ringtrue.sources import (
    BAD_STATUSES,
    Fault,
    SourceCounter,
    faults,
    markdown,
    quality_table,
    sentence,
    weekly_shares,
)

DAY_MS = 86_400_000
OVERVIEW = 50
"""Sources in the table of the asset's page; the report has them all."""


class Measured(NamedTuple):
    """Frames as the report takes them; faults and state by source."""

    quality: pd.DataFrame
    weeks: pd.DataFrame
    reasons: pd.DataFrame
    statuses: pd.DataFrame
    faults: dict[str, list[Fault]]
    states: dict[str, SourceState]
    returned: dict[str, int]
    """Contacts that came again by a source which was not their first."""
    coverage: dict[str, float]
    """Share of each source's readable numbers that calls or lookups checked on arrival."""


def measure(ledger: Ledger, settings: Settings, *, keep: bool) -> Measured:
    """Go through all numbers once. `keep` stores the first verifications that are new; the report only looks."""
    sources = SourceMap(settings.sources)
    rules = settings.source_quality
    counter = SourceCounter(sources.slugs, arrival_days=rules.arrival_days)
    history = StatusHistory()
    policy = policy_of(settings)
    with ledger.read() as book:
        for batch in source_numbers.number_batches(book):
            people = batch.people
            people["source"] = sources.slugs_of(people["connection"], people["raw_source"])
            past = None
            if rules.history:
                limits = past_limits(people, batch.evidence, rules.arrival_days)
                early = source_numbers.early_evidence(book, limits) if len(limits) else limits
                past = judge_past(early, limits, policy)
            found = arrivals(people, batch.decisions, batch.evidence, arrival_days=rules.arrival_days, past=past)
            counter.add(found.frame)
            history.add(batch.decisions[batch.decisions["contact"] == 0])
            if keep:
                with ledger.write() as writing:
                    source_numbers.keep_arrivals(writing, found.fresh)
        leads = _by_source(sources, source_states.delivered(book))
        returned = _by_source(sources, source_states.returned(book))
        states = source_states.states(book)
    quality = quality_table(counter, settings.sources, rules, leads=leads)
    reasons = counter.reasons()
    found_faults = {
        str(row["source"]): faults(row, reasons, language=settings.policy.language) for _, row in quality.iterrows()
    }
    coverage = dict(zip(quality["source"], quality["coverage"].fillna(1.0), strict=True))
    return Measured(
        quality, weekly_shares(counter.weeks()), reasons, history.table(), found_faults, states, returned, coverage
    )


def remember(ledger: Ledger, settings: Settings, measured: Measured, run: str, now: int) -> dict[str, SourceState]:
    """Move the charts on, hold the grades against those before, and store the figures. Returns the new states."""
    sources = SourceMap(settings.sources)
    grades = dict(zip(measured.quality["source"], measured.quality["grade"], strict=True))
    with ledger.write() as book:
        points = chart_points(source_states.open_points(book), sources)
        before = source_states.states(book)
        alarms = advance({source: state.alarm for source, state in before.items()}, points, coverage=measured.coverage)
        states = {
            source: source_states.held_to(
                before.get(source, SourceState())._replace(alarm=alarms.get(source, SourceState().alarm)),
                str(grades.get(source, "")),
                now,
            )
            for source in {*alarms, *grades}
        }
        source_states.store_states(book, states)
        source_states.store_quality(book, figures(measured.quality), measured.faults, run, now)
        source_states.points_charted(book)
    return states


def chart_points(points: pd.DataFrame, sources: SourceMap) -> pd.DataFrame:
    """First verifications as the alarm takes them. An import is one point: the file and the day it came."""
    raw = points["raw_source"]
    names = pd.Series({value: import_of(value) for value in raw.cat.categories}, dtype="object")
    day = (points["created"] // DAY_MS).astype("str")
    name = raw.map(names).astype("object")
    batch = (points["connection"].astype("str") + "/" + name.astype("str") + "/" + day).where(name.notna(), None)
    bad = points["status"].isin(BAD_STATUSES)
    return pd.DataFrame(
        {
            "source": sources.slugs_of(points["connection"].astype("object"), raw.astype("object")),
            "batch": batch,
            "verified_at": pd.to_datetime(points["verified_at"], unit="ms", utc=True),
            "bad": bad,
            "invalid": points["status"].eq("invalid"),
        }
    )


def figures(quality: pd.DataFrame) -> list[dict[str, Any]]:
    """The table's rows as plain values; what is not known is None."""
    return [{str(name): _plain(value) for name, value in row.items()} for row in quality.to_dict("records")]


def advice(measured: Measured, settings: Settings) -> dict[str, list[str]]:
    """What to change at each source, in sentences."""
    labels = dict(zip(measured.quality["source"], measured.quality["label"], strict=True))
    language = settings.policy.language
    return {
        source: [sentence(str(labels[source]), fault, language=language) for fault in found]
        for source, found in measured.faults.items()
    }


def overview(measured: Measured) -> str:
    """The table of sources as Markdown, names escaped, the surely worst first."""
    lines = [
        "| source | grade | bad on arrival | 90 % interval | checked | leads | numbers |",
        "|---|---|---:|---|---:|---:|---:|",
    ]
    lines += [
        f"| {markdown(str(row['label']))} | {row['grade'] or 'not enough data'} | {row['bad_share']:.1%} | "
        f"{row['bad_low']:.1%} to {row['bad_high']:.1%} | {row['arrived_invalid'] + row['arrived_verified']} of {row['arrived']} | "
        f"{row['leads']} | {row['numbers']} |"
        for row in figures(measured.quality.head(OVERVIEW))
        if row["numbers"]
    ]
    return "\n".join(lines)


def _by_source(sources: SourceMap, counts: pd.DataFrame) -> dict[str, int]:
    if counts.empty:
        return {}
    slugs = sources.slugs_of(counts["connection"], counts["raw"])
    return {str(slug): int(count) for slug, count in counts["contacts"].groupby(slugs, observed=True).sum().items()}


def _plain(value: Any) -> Any:
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and value != value else value
