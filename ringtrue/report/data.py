"""What a report is made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import pandas as pd


@dataclass(frozen=True)
class ReportData:
    """Everything one report shows. Frames come as the core makes them; nothing in them is a full number or an address.

    `quality`: `quality_table`. `weeks`: `weekly_shares(counter.weeks())`. `reasons`: `counter.reasons()`.
    `statuses`: `week` (datetime, UTC or without a zone), `status` (text), `numbers` (integer): how many numbers stood in each status at the end of each week.
    """

    quality: pd.DataFrame
    weeks: pd.DataFrame
    reasons: pd.DataFrame
    statuses: pd.DataFrame
    generated_at: datetime
    title: str = "Where the bad numbers come from"
    currency: str = "USD"
    tolerated_share: float = 0.15
    arrival_days: float = 7.0
    advice: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Sentences of `source_advice.sentence` by source."""
    ringing: Mapping[str, str] = field(default_factory=dict)
    """Since when a source's alarm rings (ISO 8601), by source."""
    grades_before: Mapping[str, str] = field(default_factory=dict)
    """Each source's grade in the report before this one."""
