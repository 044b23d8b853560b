"""Evidence in, decisions out: what `ringtrue.status.decide` reads and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection, text

from ringtrue.ledger import dirty
from ringtrue.ledger.database import batch_of, fetch, insert_rows, take_turns, update_rows
from ringtrue.ledger.registries import listings
from ringtrue.ledger.suppressions import kind_of, live_numbers
from ringtrue.segments import segment_of_number

STAGE = "status"
_CONTENT = ("status", "line", "reach", "identity", "permission", "reason")
EVIDENCE_COLUMNS = (
    "number", "contact", "source", "group", "outcome", "observed_at", "trunk", "log_lr", "id", "detail",
)  # fmt: skip
PriorOf = Callable[[str, str | None], float]
"""(connection, raw origin of a contact) -> P(no subscriber) of what its source brings."""


_FORMAT_IDS: dict[str | None, str] = {}
"""Ids of the numbering rules' observations, by reason: there are few, and each number has one."""


def mark_due(connection: Connection, now: int, policy_version: str) -> int:
    """Mark numbers whose decision has expired or was made by another policy."""
    expired = (
        "SELECT DISTINCT 'status' AS stage, d.number AS key FROM decisions AS d "
        "WHERE d.current AND d.recheck_at IS NOT NULL AND d.recheck_at <= :now"
    )
    count = dirty.mark_by_query(connection, "number", expired, {"now": now})
    key = "policy"
    known = fetch(connection, "SELECT value FROM meta WHERE name = :name", {"name": key})
    if not known or known[0][0] != policy_version:
        other = "SELECT DISTINCT 'status' AS stage, d.number AS key FROM decisions AS d WHERE d.current AND d.policy <> :policy"
        count += dirty.mark_by_query(connection, "number", other, {"policy": policy_version})
        connection.execute(
            text(
                "INSERT INTO meta (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
            ),
            {"name": key, "value": policy_version},
        )
    return count


def mark_all(connection: Connection) -> int:
    """Mark every number that somebody carries."""
    return dirty.mark_by_query(
        connection, "number", "SELECT DISTINCT 'status' AS stage, p.number AS key FROM phones AS p", {}
    )


def evidence(
    connection: Connection, key: bytes, numbers: Sequence[str], now: int, prior_of: PriorOf | None = None
) -> pd.DataFrame:
    """All that is known about the numbers, in the columns `decide` takes: format rules, observations, live suppressions, kind of line, prior.

    Of several sources of a number the best one vouches for it. `prior_of` None: the policy's prior counts for all.
    """
    with batch_of(connection, numbers) as batch:
        formats = fetch(
            connection,
            "SELECT p.number, max(CASE WHEN p.valid THEN 1 ELSE 0 END), min(p.reason), min(l.line_type), min(p.type), min(p.field) "
            f"FROM {batch} AS b JOIN phones AS p ON p.number = b.key LEFT JOIN lines AS l ON l.number = p.number GROUP BY p.number",
        )
        origins = (
            fetch(
                connection,
                f"SELECT DISTINCT p.number, c.connection, c.first_source FROM {batch} AS b JOIN phones AS p ON p.number = b.key "
                "JOIN contacts AS c ON c.contact_id = p.contact_id",
            )
            if prior_of
            else []
        )
        seen = fetch(
            connection,
            # What is known of a merged contact is known of its survivor.
            "SELECT o.number, nullif(coalesce(survivor.contact_id, o.contact_id), 0), o.source, o.source_group, o.outcome, o.observed_at, "
            f"o.trunk, o.log_lr, o.observation_id, o.detail FROM {batch} AS b JOIN observations AS o ON o.number = b.key "
            "LEFT JOIN contacts AS loser ON loser.contact_id = o.contact_id AND loser.merged_into IS NOT NULL "
            "LEFT JOIN contacts AS survivor ON survivor.connection = loser.connection AND survivor.object = loser.object "
            "AND survivor.record_id = loser.merged_into WHERE NOT o.void",
        )
        suppressed = live_numbers(connection, key, numbers)
        listed_now = listings(connection, numbers)
    valid, count = [row[1] for row in formats], len(formats)
    columns: list[list[Any]] = [
        [row[0] for row in formats],
        [None] * count,
        ["rules"] * count,
        ["rules"] * count,
        ["format_valid" if fine else "format_invalid" for fine in valid],
        [now] * count,
        [None] * count,
        [None] * count,
        [_FORMAT_IDS.setdefault(row[2], f"format:{row[2] or 'valid'}") for row in formats],
        [None if row[1] else row[2] for row in formats],
    ]
    # Permission comes from the suppressions alone: a call in which somebody said stop shows here only that the line is alive.
    rows: list[tuple[Any, ...]] = [
        (*row[:4], "reached" if row[4] == "opted_out" else row[4], *row[5:8], f"observation:{row[8]}", row[9])
        for row in seen
    ]
    rows += [
        (live.number, None, f"suppression:{kind_of(live.source)}", "suppression", "do_not_call", live.at, None, None,
         f"suppression:{live.event_id}", None)
        for live in suppressed
    ]  # fmt: skip
    rows += [
        (listed.number, None, f"suppression:{listed.kind}", "registry", "do_not_call", listed.since, None, None,
         f"registry:{listed.registry_id}", None)
        for listed in listed_now
    ]  # fmt: skip
    for column, more in zip(columns, zip(*rows, strict=True), strict=False):
        column += more
    frame = pd.DataFrame(dict(zip(EVIDENCE_COLUMNS, columns, strict=True)))
    frame["observed_at"] = pd.to_datetime(frame["observed_at"], unit="ms", utc=True)
    frame["contact"] = frame["contact"].astype("Int64")
    frame["log_lr"] = frame["log_lr"].astype("float64")
    kinds = {row[0]: segment_of_number(row[3], row[4], row[5]) for row in formats}
    frame["line_type"] = frame["number"].map(kinds).astype("category")
    if prior_of:
        frame["prior"] = frame["number"].map(_lowest(origins, prior_of)).astype("float64")
    return frame


def _lowest(origins: Sequence[tuple[Any, ...]], prior_of: PriorOf) -> dict[str, float]:
    """By number, the lowest prior of its sources."""
    lowest: dict[str, float] = {}
    for number, name, raw in origins:
        prior = prior_of(name, raw)
        lowest[number] = min(prior, lowest.get(number, prior))
    return lowest


def store(
    connection: Connection,
    decided: pd.DataFrame,
    marks: Sequence[tuple[str, int]],
    policy_version: str,
    now: int,
) -> dict[str, int]:
    """Store decisions that say something new and mark the contacts they concern. Returns counts.

    A decision with the content of the current one only moves its re-check date. A number whose mark does not stand any more is left out:
    a delivery ahead of the sync decided it meanwhile, or it was marked again.
    """
    take_turns(connection, "decisions")
    with batch_of(connection, [key for key, _ in marks]):
        standing = dirty.standing(connection, "number", STAGE, marks)
        if len(standing) < len(marks):
            decided = decided[decided["number"].isin([key for key, _ in standing])]
        return _store(connection, decided, standing, policy_version, now)


def _store(
    connection: Connection, decided: pd.DataFrame, marks: Sequence[tuple[str, int]], policy_version: str, now: int
) -> dict[str, int]:
    with batch_of(connection, [key for key, _ in marks]) as batch:
        current = {
            (row[0], row[1]): row[2:]
            for row in fetch(
                connection,
                f"SELECT d.number, d.contact_id, d.decision_id, d.policy, d.recheck_at, {', '.join('d.' + n for n in _CONTENT)} "
                f"FROM {batch} AS b JOIN decisions AS d ON d.number = b.key WHERE d.current",
            )
        }
    inserts: list[tuple[Any, ...]] = []
    retired: list[tuple[bool, int]] = []
    moved: list[tuple[int | None, str, int]] = []
    changed: set[str] = set()
    for number, contact, content, confidence, rests_on, recheck in _rows(decided):
        before = current.pop((number, contact), None)
        if before is not None and before[3:] == content:
            if before[1] != policy_version or before[2] != recheck:
                moved.append((recheck, policy_version, before[0]))
            continue
        if before is not None:
            retired.append((False, before[0]))
        changed.add(number)
        inserts.append((
            number, contact, *content, confidence, rests_on, policy_version, now, recheck, True,
        ))  # fmt: skip
    for (number, _), before in current.items():
        # A number that nobody carries any more, or a contact-level fact that no evidence supports now.
        retired.append((False, before[0]))
        changed.add(number)
    update_rows(connection, "decisions", ["current"], ["decision_id"], retired)
    insert_rows(
        connection,
        "decisions",
        ["number", "contact_id", *_CONTENT, "confidence", "evidence", "policy", "decided_at", "recheck_at", "current"],
        inserts,
    )
    update_rows(connection, "decisions", ["recheck_at", "policy"], ["decision_id"], moved)
    if changed:
        with batch_of(connection, sorted(changed)) as batch:
            dirty.mark_by_query(
                connection,
                "contact_id",
                "SELECT 'changes:' || c.connection AS stage, c.contact_id AS key FROM contacts AS c WHERE c.contact_id IN "
                f"(SELECT p.contact_id FROM {batch} AS b JOIN phones AS p ON p.number = b.key) AND c.deleted_at IS NULL",
                {},
            )
    dirty.clear(connection, "number", STAGE, marks)
    return {"decided": len(decided), "new": len(inserts), "kept": len(decided) - len(inserts), "retired": len(retired)}


def _rows(
    decided: pd.DataFrame,
) -> Iterator[tuple[str, int, tuple[str, ...], float, str, int | None]]:
    """Decisions row by row: number, contact (0: none), content, confidence, evidence as JSON, re-check moment."""
    recheck = decided["recheck_at"].astype("datetime64[ms, UTC]")
    moments = recheck.astype("int64").where(recheck.notna(), -1).tolist()
    return zip(
        decided["number"].tolist(),
        decided["contact"].fillna(0).astype("int64").tolist(),
        zip(*(decided[name].tolist() for name in _CONTENT), strict=True),
        decided["confidence"].tolist(),
        _json_lists(decided["evidence"]),
        (None if value < 0 else value for value in moments),
        strict=True,
    )


def _json_lists(lists: pd.Series) -> list[str]:
    """Lists of ids as JSON."""
    array = pa.array(lists, pa.list_(pa.string()))
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    joined = pc.binary_join(array, '","')
    if pc.any(pc.match_substring_regex(pc.list_flatten(array), r'["\\\x00-\x1f]')).as_py():
        return [orjson.dumps(ids).decode() for ids in array.to_pylist()]
    return [f'["{ids}"]' if ids else "[]" for ids in joined.to_pylist()]


def status_counts(connection: Connection) -> dict[str, int]:
    """Numbers by current status, contact-level decisions apart."""
    rows = fetch(
        connection,
        "SELECT status, count(*) FROM decisions WHERE current AND contact_id = 0 GROUP BY status",
    )
    return {status: int(count) for status, count in rows}


def wrong_persons(connection: Connection) -> int:
    """Contacts' numbers that belong to somebody else: a fact about contact and number, so no number's status by itself."""
    return int(
        fetch(
            connection, "SELECT count(*) FROM decisions WHERE current AND contact_id <> 0 AND status = 'wrong_person'"
        )[0][0]
    )


def numbers_after(connection: Connection, after: str, limit: int) -> list[str]:
    """The next numbers that have a decision, in order, behind `after`."""
    return [
        row[0]
        for row in fetch(
            connection,
            "SELECT number FROM decisions WHERE current AND contact_id = 0 AND number > :after ORDER BY number LIMIT :limit",
            {"after": after, "limit": limit},
        )
    ]


def current_statuses(connection: Connection, numbers: Sequence[str]) -> dict[str, str]:
    """The status of each number as decided last."""
    with batch_of(connection, numbers) as batch:
        rows = fetch(
            connection,
            f"SELECT d.number, d.status FROM {batch} AS b JOIN decisions AS d ON d.number = b.key "
            "WHERE d.current AND d.contact_id = 0",
        )
    return {row[0]: row[1] for row in rows}
