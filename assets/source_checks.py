"""A check on each lead source's node: it fails when the source's alarm rings or its grade fell, and says what to change at entry."""

from collections.abc import Iterator

import dagster as dg
import pandas as pd

from assets.lead_sources import source_key
from assets.stage import plain_errors
from connectors.resources import LedgerResource
from ringtrue.ledger import source_states
from ringtrue.ledger.source_states import SourceState, Stored
from ringtrue.settings import Settings, load_settings
from ringtrue.source_advice import complaint
from ringtrue.source_grades import grade_fell
from ringtrue.source_names import SourceMap

CHECK = "as_good_as_usual"


def check_keys(settings: Settings) -> list[dg.AssetCheckKey]:
    """The checks of all sources."""
    return [dg.AssetCheckKey(source_key(slug), CHECK) for slug in SourceMap(settings.sources).slugs]


def judge(settings: Settings, slug: str, stored: Stored | None, state: SourceState) -> dg.AssetCheckResult:
    """The result of one source's check."""
    severity = (
        dg.AssetCheckSeverity.ERROR if settings.source_quality.severity == "error" else dg.AssetCheckSeverity.WARN
    )
    label = SourceMap(settings.sources).label(slug)
    grade = stored.grade if stored else ""
    fell = grade_fell(state.grade, grade)
    passed = not (state.alarm.ringing or fell)
    if passed:
        text = f"Grade {grade}." if grade else "Not enough data for a grade."
    else:
        quality = pd.Series({**(stored.figures if stored else {}), "label": label, "grade": grade})
        text = complaint(
            quality,
            stored.faults if stored else [],
            ringing_since=state.alarm.since,
            grade_before=state.grade if fell else "",
            language=settings.policy.language,
        )
    return dg.AssetCheckResult(
        passed=passed,
        asset_key=source_key(slug),
        check_name=CHECK,
        severity=severity,
        description=text,
        metadata={
            "alarm": state.alarm.total,
            "alarm limit": state.alarm.limit or 0.0,
            "grade": grade or "not enough data",
            "held to": state.grade or "not enough data",
            "to accept the new level": f"ringtrue sources accept {slug}",
        },
    )


def build_source_checks(settings: Settings) -> dg.AssetChecksDefinition:
    """One step below lead_source_quality with a check for each source."""
    slugs = SourceMap(settings.sources).slugs

    @dg.multi_asset_check(
        name="lead_source_checks",
        specs=[
            dg.AssetCheckSpec(
                CHECK,
                asset=source_key(slug),
                additional_deps=[dg.AssetKey("lead_source_quality")],
                description="The source's numbers are not worse than usual: its alarm is quiet and its grade did not fall.",
            )
            for slug in slugs
        ],
        can_subset=True,
    )
    def lead_source_checks(
        context: dg.AssetCheckExecutionContext, ledger: LedgerResource
    ) -> Iterator[dg.AssetCheckResult]:
        """Compares every source with what it is held to."""
        present = load_settings()
        with plain_errors(), ledger.open() as book, book.read() as connection:
            states = source_states.states(connection)
            stored = {row.source: row for row in source_states.latest(connection)}
        for key in sorted(context.selected_asset_check_keys, key=lambda key: key.asset_key.path):
            slug = key.asset_key.path[-1]
            yield judge(present, slug, stored.get(slug), states.get(slug, SourceState()))

    return lead_source_checks
