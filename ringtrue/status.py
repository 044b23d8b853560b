"""Observations -> one defensible decision per number, that explains itself.

`decide` is a pure function: the same evidence, policy and moment give the same decisions, whatever the order of arrival. Nothing else in
RingTrue sets a status.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from ringtrue.evidence import OUTCOMES, vocabulary
from ringtrue.policy import Policy
from ringtrue.status_bayes import judge, weigh
from ringtrue.status_reasons import Facts, Reasons
from ringtrue.status_rows import Mask, Observations, Rows, acceptable, seconds
from ringtrue.status_rules import identity, no_answer, numbering, permission
from ringtrue.status_table import table
from ringtrue.trunks import Mute, trunk_alarms

__all__ = ["Policy", "decide", "trunk_alarms", "validate_observations"]


def validate_observations(
    observations: pd.DataFrame, now: pd.Timestamp, policy: Policy | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split observations into those that can be evidence and those that cannot, with a column `rejected` that says why.

    Rejected: no number, no date, a date before 1990, a date further in the future than `policy.future_tolerance_hours`.
    """
    policy = policy or Policy()
    times = seconds(observations["observed_at"])
    old, future = acceptable(times, policy, _utc(now))
    reason = np.full(len(observations), None, dtype=object)
    reason[future] = (
        f"It is dated more than {policy.future_tolerance_hours:g} hours in the future; correct the clock or the column."
    )
    reason[old] = "It is dated before 1990; correct the date."
    reason[observations["observed_at"].isna().to_numpy()] = "It has no date that can be read; give it one."
    reason[observations["number"].isna().to_numpy()] = "It names no number; give it one."
    bad = np.array([text is not None for text in reason], dtype=np.bool_)
    return observations[~bad], observations[bad].assign(rejected=reason[bad])


def decide(
    observations: pd.DataFrame,
    policy: Policy,
    now: pd.Timestamp,
    *,
    alarms: pd.DataFrame | None = None,
    reports: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """Decide every number that the observations name.

    In: number, contact or null, source, group or null, outcome, observed_at, trunk or null. `group` names the database behind a service
    (services that resell the same one share it) and is null for own calls. Optional: `id` (else row positions are the evidence), `log_lr` (the
    service's own strength), `detail` (why a number cannot exist), `prior` (P(no subscriber) from the lead source) and `line_type`.

    Out, ordered by number and contact: one row per number with contact null, and one per (contact, number) that has evidence of its own. number,
    contact, status, line, reach, identity, permission, confidence, reason, recheck_at (when the decision ends by itself), evidence (ids of
    the observations it rests on), p_dead, dnc_kind (person, registry or null), new_owner_since.

    Unknown outcomes, errors and observations with impossible dates are no evidence: they move nothing. `alarms` are the hours in which a trunk
    was in trouble, from `ringtrue.trunks.trunk_alarms`; left out, they are found from the observations at hand, so give them when these
    are only a part. `reports`: by lines, the share of calls that report a suspension, where the ledger has learned it (`ringtrue.suspensions`).
    """
    now = _utc(now)
    words = vocabulary()
    counts = np.array([_is_evidence(outcome) for outcome in OUTCOMES])
    data = Observations(observations, policy, now, strength=words.log_lr(), counts=counts)
    reasons = Reasons(policy, data.source, data.detail, now)
    mute = Mute(trunk_alarms(observations, policy) if alarms is None else alarms, data.trunk)
    living = words.flags("line", "alive")
    parts = []
    for numbers, rows in data.chunks():
        texts = data.number.values.take(pa.array(numbers))
        muted = mute.calls(rows.trunk, rows.time) & (rows.group < 0) & ~living[rows.outcome]
        facts = _facts(data, rows, muted, texts, policy, reports or {}, int(now.timestamp()))
        parts.append(table(facts, texts, data.contact.values, data.ids, reasons.write, policy, int(now.timestamp())))
    if not parts:
        nothing = pd.DataFrame({"number": ["+0"], "source": [""], "outcome": ["error"], "observed_at": [now]})
        return decide(nothing, policy, now).iloc[:0]
    return _frame(pa.concat_tables(parts))


def _frame(decisions: pa.Table) -> pd.DataFrame:
    """To pandas, column by column so that memory is given back; lists stay Arrow's."""
    columns: dict[str, Any] = {}
    for name in decisions.column_names:
        column = decisions.column(name)
        if pa.types.is_list(column.type):
            columns[name] = pd.Series(pd.arrays.ArrowExtensionArray(column))
        else:
            columns[name] = column.to_pandas()
    return pd.DataFrame(columns, copy=False)


def _utc(now: Any) -> pd.Timestamp:
    stamp = pd.Timestamp(now)
    return stamp.tz_localize("UTC") if stamp.tzinfo is None else stamp.tz_convert("UTC")


def _is_evidence(outcome: Any) -> bool:
    effect = vocabulary().effects[outcome]
    return (
        effect.log_lr != 0
        or effect.line != "unknown"
        or (effect.reach, effect.identity, effect.permission) != ("none", "none", "none")
        or outcome == "format_valid"
    )


def _facts(
    data: Observations,
    rows: Rows,
    muted: Mask,
    texts: pa.Array,
    policy: Policy,
    reports: Mapping[str, float],
    now: int,
) -> Facts:
    weights = weigh(rows, muted, policy)
    line = judge(rows, weights, policy, texts, data.line_type, reports, now)
    return Facts(
        rows=rows,
        weights=weights,
        line=line,
        permission=permission(rows, line.owner_since, data.source),
        numbering=numbering(rows, data.detail),
        no_answer=no_answer(rows, muted, line.owner_since, texts, policy, now),
        identity=identity(rows, line.owner_since),
    )
