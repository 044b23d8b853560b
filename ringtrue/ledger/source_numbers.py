"""Every number with the lead source that brought it, a batch of numbers at a time, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import pandas as pd
from sqlalchemy import Connection

from ringtrue.evidence import OUTCOMES, vocabulary
from ringtrue.ledger.database import batch_of, fetch, insert_rows
from ringtrue.ledger.decisions import EVIDENCE_COLUMNS
from ringtrue.source_frame import CHANGING_REASONS, TIMELESS

BATCH_NUMBERS = 50_000
_PEOPLE = ("number", "contact", "reason", "connection", "raw_source", "created", "seen", "kept_status", "kept_at")
_DECISIONS = (
    "number",
    "contact",
    "decision",
    "status",
    "line",
    "reach",
    "permission",
    "decided",
    "current",
    "evidence",
)


class NumberBatch(NamedTuple):
    """Frames of one range of numbers, in the columns of `ringtrue.source_frame`; `people` has `connection` and `raw_source` instead of `source`."""

    people: pd.DataFrame
    decisions: pd.DataFrame
    evidence: pd.DataFrame


def number_batches(connection: Connection, size: int = BATCH_NUMBERS) -> Iterator[NumberBatch]:
    """All numbers that contacts carry, or carried when they were first verified, in number order. All rows of a number are in one batch."""
    after = ""
    while True:
        upto = fetch(
            connection,
            "SELECT p.number FROM phones AS p WHERE p.number > :after ORDER BY p.number LIMIT 1 OFFSET :size",
            {"after": after, "size": size - 1},
        )
        last = upto[0][0] if upto else None
        batch = _batch(connection, after, last)
        if len(batch.people):
            yield batch
        if last is None:
            return
        after = last


def _batch(connection: Connection, after: str, last: str | None) -> NumberBatch:
    bounds: dict[str, Any] = {"after": after} if last is None else {"after": after, "last": last}

    def within(column: str) -> str:
        return f"{column} > :after" + ("" if last is None else f" AND {column} <= :last")

    contact = "c.connection, c.first_source, coalesce(c.created_at, c.first_seen_at), c.first_seen_at"
    people = fetch(
        connection,
        f"SELECT p.number, p.contact_id, min(p.reason), {contact}, a.status, a.verified_at "
        "FROM phones AS p JOIN contacts AS c ON c.contact_id = p.contact_id "
        "LEFT JOIN source_arrivals AS a ON a.contact_id = p.contact_id AND a.number = p.number "
        f"WHERE {within('p.number')} GROUP BY p.number, p.contact_id, {contact}, a.status, a.verified_at "
        f"UNION ALL SELECT a.number, a.contact_id, a.reason, {contact}, a.status, a.verified_at "
        "FROM source_arrivals AS a JOIN contacts AS c ON c.contact_id = a.contact_id "
        f"WHERE {within('a.number')} AND NOT EXISTS "
        "(SELECT 1 FROM phones AS p WHERE p.contact_id = a.contact_id AND p.number = a.number)",
        bounds,
    )
    decisions = fetch(
        connection,
        "SELECT d.number, d.contact_id, d.decision_id, d.status, d.line, d.reach, d.permission, d.decided_at, d.current, "
        f"d.evidence FROM decisions AS d WHERE {within('d.number')}",
        bounds,
    )
    attempts = ", ".join(f"'{outcome}'" for outcome in OUTCOMES if vocabulary().effects[outcome].attempt)
    evidence = fetch(
        connection,
        f"SELECT o.number, sum(CASE WHEN o.outcome IN ({attempts}) THEN 1 ELSE 0 END), sum(o.cost), min(o.observed_at), max(o.observed_at) "
        f"FROM observations AS o WHERE {within('o.number')} AND NOT o.void GROUP BY o.number",
        bounds,
    )
    told = _frame(decisions, _DECISIONS)
    met = _frame(people, _PEOPLE)
    text_alone = told["status"].eq("invalid") & ~told["evidence"].astype("str").str.contains(
        "observation:", regex=False
    )
    changing = told["number"].isin(met["number"][met["reason"].isin(list(CHANGING_REASONS))])
    told["at"] = told["decided"].where(~text_alone | changing, TIMELESS)
    told["current"] = told["current"].astype(bool)
    tried = _frame(evidence, ("number", "attempts", "cost", "earliest", "latest"))
    return NumberBatch(
        met.astype(
            {"contact": "int64", "created": "int64", "seen": "int64", "kept_at": "float64", "kept_status": "object"}
        ),
        told.drop(columns="evidence").astype(
            {"contact": "int64", "decision": "int64", "decided": "int64", "at": "int64"}
        ),
        tried.astype({"attempts": "int64", "cost": "float64", "earliest": "int64", "latest": "int64"}),
    )


def early_evidence(connection: Connection, limits: pd.DataFrame) -> pd.DataFrame:
    """Observations of numbers up to the latest of their limits, in the columns `decide` takes."""
    with batch_of(connection, limits["number"].tolist()) as batch:
        rows = fetch(
            connection,
            "SELECT o.number, nullif(o.contact_id, 0), o.source, coalesce(o.source_group, o.source), o.outcome, o.observed_at, "
            f"o.trunk, o.log_lr, o.observation_id, o.detail FROM {batch} AS b JOIN observations AS o ON o.number = b.key "
            "WHERE o.observed_at <= :latest AND NOT o.void",
            {"latest": int(limits["limit"].max())},
        )
    found = _frame(rows, EVIDENCE_COLUMNS)
    found["observed_at"] = pd.to_datetime(found["observed_at"], unit="ms", utc=True)
    return found.astype({"contact": "Int64", "log_lr": "float64"})


def _frame(rows: Sequence[tuple[Any, ...]], names: Sequence[str]) -> pd.DataFrame:
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    return pd.DataFrame({name: list(column) for name, column in zip(names, columns, strict=True)})


def keep_arrivals(connection: Connection, fresh: pd.DataFrame) -> int:
    """Keep first verifications on arrival (`number`, `contact`, `status`, `at`, `decision`), with the field as it was delivered. Returns how many."""
    if fresh.empty:
        return 0
    with batch_of(connection, fresh["contact"].astype("int64").tolist()) as batch:
        fields = {
            (row[0], row[1]): row[2:]
            for row in fetch(
                connection,
                "SELECT p.contact_id, p.number, p.reason, p.raw, p.e164 "
                f"FROM {batch} AS b JOIN phones AS p ON p.contact_id = b.key ORDER BY p.field DESC, p.position DESC",
            )
        }
    rows = []
    for number, contact, status, at, decision in fresh[["number", "contact", "status", "at", "decision"]].itertuples(
        index=False
    ):
        reason, raw, e164 = fields.get((int(contact), number), (None, None, None))
        bad = status in ("invalid", "disconnected", "wrong_person")
        # What was delivered is only ever asked for when it was bad.
        delivered = (raw, e164) if bad else (None, None)
        rows.append(
            (
                int(contact),
                number,
                status,
                reason,
                *delivered,
                int(at),
                None if pd.isna(decision) else int(decision),
                False,
            )
        )
    insert_rows(
        connection,
        "source_arrivals",
        ["contact_id", "number", "status", "reason", "raw", "e164", "verified_at", "decision_id", "charted"],
        rows,
        on_conflict="(contact_id, number) DO NOTHING",
    )
    return len(rows)
