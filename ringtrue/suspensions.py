"""Which announcements of a suspension are believed: one where lines are often barred, a second one where they seldom are.

One call in tens of thousands reports a barred line that is none. Where one line in a hundred is barred at any moment, that hardly matters; where one in a
thousand is, every tenth report would be wrong. Of all reports the false ones are a share of (false reports per call) / (reports per call), so what must be
known is how many calls to such lines report a suspension: the ledger tells, and a table where it does not yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np
import phonenumbers
import pyarrow as pa
import pyarrow.compute as pc

from ringtrue.evidence import vocabulary
from ringtrue.policy import Policy
from ringtrue.status_rows import DAY, Coded, Ints, Mask, Rows

_MOBILE = ("mobile", "unknown", "")
_LONGEST_CODE = 3


@cache
def lines_named(digits: str, line_type: str | None) -> str:
    """The lines that a number belongs to, like "86 mobile" or "1 other", from its digits (the first three suffice) and its kind of line."""
    codes = (digits[:length] for length in range(1, _LONGEST_CODE + 1))
    code = next((one for one in codes if one in _calling_codes()), "")
    return f"{code} {'mobile' if (line_type or '') in _MOBILE else 'other'}"


def usual_reports(lines: str) -> float:
    """The share of calls to these lines that report a suspension, as the table has it."""
    told = vocabulary().suspension
    code, _, kind = lines.partition(" ")
    share = told.share.get(code, told.usual) * (1.0 if kind == "mobile" else told.other_lines)
    return share * told.heard + told.false_reports


def believed(
    rows: Rows,
    heard: Mask,
    resumed: Mask,
    numbers: pa.Array,
    line_types: Coded,
    policy: Policy,
    reports: Mapping[str, float],
) -> Mask:
    """By row: whether this announcement (`heard`) counts. A service that sees suspensions is believed at once.

    A second announcement confirms the first when it comes on another day, before the first has lapsed, and with no sign of life (`resumed`) between.
    `reports`: by lines (`lines_named`), the share of calls that report a suspension, where it has been learned.
    """
    position = np.flatnonzero(heard)
    if not len(position):
        return heard
    number = rows.number[position]
    first = np.append(True, number[1:] != number[:-1])
    alone = _enough_alone(number[first], rows, numbers, line_types, policy, reports)[np.cumsum(first) - 1]
    if alone.all():
        return heard
    time, life = rows.time[position], np.cumsum(resumed)[position]
    begins = first.copy()
    begins[1:] |= (life[1:] != life[:-1]) | (time[1:] - time[:-1] >= policy.suspended_lapse_days * DAY)
    start = np.flatnonzero(begins)[np.cumsum(begins) - 1]
    by_service = (rows.group[position] >= 0).astype(np.int64)
    told = np.cumsum(by_service)
    seen = told - told[start] + by_service[start] > 0
    counts = heard.copy()
    counts[position] = alone | seen | (time - time[start] >= policy.same_day_hours * 3_600)
    return counts


def _enough_alone(
    chosen: Ints, rows: Rows, numbers: pa.Array, line_types: Coded, policy: Policy, reports: Mapping[str, float]
) -> Mask:
    """By chosen number: whether one announcement makes a suspension sure enough in its country and for its kind of line."""
    kinds = [*line_types.texts(), ""]
    digits = pc.utf8_slice_codeunits(numbers.take(pa.array(chosen)), 1, 1 + _LONGEST_CODE).to_pylist()
    lines = [lines_named(text, kinds[kind]) for text, kind in zip(digits, rows.line_type[chosen].tolist(), strict=True)]
    false = vocabulary().suspension.false_reports
    sure = {one: 1 - false / reports.get(one, usual_reports(one)) >= policy.suspended_from for one in set(lines)}
    return np.array([sure[one] for one in lines], np.bool_)


@cache
def _calling_codes() -> frozenset[str]:
    return frozenset(str(code) for code in phonenumbers.COUNTRY_CODE_TO_REGION_CODE)
