"""Lead sources: where contacts came from, how good their numbers are, when one turned bad, and what to change.

The parts: `source_settings` (what ringtrue.toml may say), `source_names` (raw origin -> source), `source_labels` (names that may be shown), `source_counts` (counting in batches),
`source_grades` (how sure one can be), `source_quality` (the table), `cusum` (the alarm), `source_advice` (sentences).
"""

from __future__ import annotations

from ringtrue.cusum import AlarmState, advance
from ringtrue.source_advice import Fault, complaint, faults, sentence
from ringtrue.source_counts import BAD_STATUSES, NUMBER_COLUMNS, SourceCounter
from ringtrue.source_grades import Grade, Prior, grade_fell, wilson
from ringtrue.source_labels import OTHER, display, markdown, slugify
from ringtrue.source_names import SourceMap, Suggestion, fields_wanted, parse_raw, raw_source, suggest
from ringtrue.source_quality import QUALITY_COLUMNS, bad_on_arrival, fitted_prior, quality_table, weekly_shares
from ringtrue.source_settings import (
    SourceCondition,
    SourceMatch,
    SourceQualitySettings,
    SourceRule,
    SourceSlug,
    check_sources,
)

__all__ = [
    "BAD_STATUSES",
    "NUMBER_COLUMNS",
    "OTHER",
    "QUALITY_COLUMNS",
    "AlarmState",
    "Fault",
    "Grade",
    "Prior",
    "SourceCondition",
    "SourceCounter",
    "SourceMap",
    "SourceMatch",
    "SourceQualitySettings",
    "SourceRule",
    "SourceSlug",
    "Suggestion",
    "advance",
    "bad_on_arrival",
    "check_sources",
    "complaint",
    "display",
    "faults",
    "fields_wanted",
    "fitted_prior",
    "grade_fell",
    "markdown",
    "parse_raw",
    "quality_table",
    "raw_source",
    "sentence",
    "slugify",
    "suggest",
    "weekly_shares",
    "wilson",
]
