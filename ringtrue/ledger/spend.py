"""What lookups asked and cost: an intent is committed before its question leaves, the answer when it arrives.

Money is in millionths of the service's currency. A question is the same question when service, product and subject are the same.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, text

from ringtrue.ledger.database import batch_of, fetch, insert_rows, take_turns, update_rows
from ringtrue.ledger.suppressions import erased_numbers

DAY_MS = 86_400_000
MILLIONTHS = 1_000_000
ALL = ""
"""Stands for all services together in `spend`, where two of them are concerned."""

Why = Literal["forgotten", "fresh", "open", "budget_run", "budget_day", "budget_month"]
_COUNTED = ("asked", "answered", "abstained", "refused", "lost", "disagreed", "cost")


class Product(NamedTuple):
    """What is bought: the price and how long an answer stands."""

    service: str
    name: str
    price: int
    currency: str
    lifetime_days: float


class Asking(NamedTuple):
    """A question about to be sent; `question` is its JSON."""

    subject: str
    kind: str
    question: str


class Limits(NamedTuple):
    """Most that a service may cost in a run, a day and a month; None: no limit."""

    run: int | None
    day: int | None
    month: int | None


class Refused(NamedTuple):
    """A question that may not be asked now, with the answer that still stands, as JSON."""

    why: Why
    answer: str | None = None


class Open(NamedTuple):
    """An intent without an answer."""

    intent_id: int
    run: str
    service: str
    product: str
    subject: str
    kind: str
    question: str
    cost: int
    currency: str
    lifetime_days: float
    job: str | None
    created_at: int


class Settled(NamedTuple):
    """An answer to an intent: result is answered, abstain or error; `answer` its JSON."""

    intent_id: int
    result: str
    cost: int
    answer: str


def _periods(root_run: str, moment: int) -> tuple[str, str, str]:
    at = datetime.fromtimestamp(moment / 1000, UTC)
    return root_run, f"{at:%Y-%m-%d}", f"{at:%Y-%m}"


def _book(connection: Connection, changes: Iterable[tuple[str, str, str, int, dict[str, int]]]) -> None:
    """Add to the totals: (service, currency, root run, created_at, {column: amount})."""
    totals: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    currencies: dict[str, str] = {}
    for service, currency, root_run, moment, amounts in changes:
        currencies[service] = currency
        for period in _periods(root_run, moment):
            totals[service, period].update(amounts)
    insert_rows(
        connection,
        "spend",
        ["service", "period", "currency", *_COUNTED],
        [
            (service, period, currencies[service], *(counted[name] for name in _COUNTED))
            for (service, period), counted in sorted(totals.items())
        ],
        on_conflict="(service, period) DO UPDATE SET "
        + ", ".join(f"{name} = spend.{name} + excluded.{name}" for name in _COUNTED),
    )


def _spent(connection: Connection, service: str, period: str) -> int:
    rows = fetch(
        connection,
        "SELECT cost FROM spend WHERE service = :service AND period = :period",
        {"service": service, "period": period},
    )
    return int(rows[0][0]) if rows else 0


def reserve(
    connection: Connection,
    product: Product,
    asking: Sequence[Asking],
    limits: Limits,
    *,
    key: bytes,
    run: str,
    root_run: str,
    now: int,
) -> list[Open | Refused]:
    """Write an intent for each question that may be asked, in order. Two runs never get the same one.

    Budgets hold for the run a person started (`root_run`): a retry of it has no money of its own. A number that was erased on its owner's
    request since it was chosen is not asked about.
    """
    take_turns(connection, "questions")
    erased = erased_numbers(connection, key, {each.subject for each in asking if each.subject.startswith("+")})
    if connection.dialect.name == "postgresql":
        # One run at a time counts a service's money; SQLite lets only one write anyway.
        connection.execute(
            text("SELECT pg_advisory_xact_lock(727275, hashtext(:service))"), {"service": product.service}
        )
    with batch_of(connection, [each.subject for each in asking]) as batch:
        known = {
            row[0]: row[1:]
            for row in fetch(
                connection,
                f"SELECT i.subject, i.intent_id, i.state, i.closed_at, i.lifetime_days, i.answer FROM {batch} AS b "
                "JOIN intents AS i ON i.subject = b.key WHERE i.current AND i.service = :service AND i.product = :product",
                {"service": product.service, "product": product.name},
            )
        }
        periods = _periods(root_run, now)
        spent = [_spent(connection, product.service, period) for period in periods]
        decided: list[Refused | None] = []
        taken: set[str] = set()
        replaced: list[tuple[Any, ...]] = []
        rows: list[tuple[Any, ...]] = []
        for each in asking:
            before = known.get(each.subject)
            refused = (
                Refused("forgotten")
                if each.subject in erased
                else _refusal(before, each.subject in taken, spent, product.price, limits, now)
            )
            decided.append(refused)
            if refused is not None:
                continue
            spent = [amount + product.price for amount in spent]
            taken.add(each.subject)
            if before is not None:
                replaced.append((False, before[0]))
            rows.append((
                product.service, product.name, each.subject, each.kind, each.question, run, root_run, "open", True,
                product.price, product.currency, product.lifetime_days, now,
            ))  # fmt: skip
        update_rows(connection, "intents", ["current"], ["intent_id"], replaced)
        insert_rows(
            connection,
            "intents",
            ["service", "product", "subject", "kind", "question", "run", "root_run", "state", "current", "cost",
             "currency", "lifetime_days", "created_at"],
            rows,
        )  # fmt: skip
        written = {
            row[4]: Open(*row)
            for row in fetch(
                connection,
                f"SELECT {_OPEN} FROM {batch} AS b JOIN intents AS i ON i.subject = b.key "
                "WHERE i.current AND i.service = :service AND i.product = :product AND i.state = 'open' AND i.run = :run",
                {"service": product.service, "product": product.name, "run": run},
            )
        }
    amounts = {"asked": len(rows), "cost": len(rows) * product.price}
    if rows:
        _book(connection, [(product.service, product.currency, root_run, now, amounts)])
    return [
        written[each.subject] if refused is None else refused for each, refused in zip(asking, decided, strict=True)
    ]


_OPEN = ", ".join(f"i.{name}" for name in Open._fields)


def _refusal(
    known: tuple[Any, ...] | None, taken: bool, spent: Sequence[int], price: int, limits: Limits, now: int
) -> Refused | None:
    if taken or (known is not None and known[1] == "open"):
        return Refused("open")
    if known is not None and (known[2] or now) + known[3] * DAY_MS > now:
        return Refused("fresh", known[4])
    reasons: tuple[Why, ...] = ("budget_run", "budget_day", "budget_month")
    for why, amount, limit in zip(reasons, spent, limits, strict=True):
        if limit is not None and amount + price > limit:
            return Refused(why)
    return None


def note_job(connection: Connection, intent_ids: Sequence[int], job: str) -> None:
    """Keep the service's job id: with it an answer can be fetched after a crash."""
    update_rows(connection, "intents", ["job"], ["intent_id"], [(job, intent_id) for intent_id in intent_ids])


def _still_open(connection: Connection, intent_ids: Sequence[int]) -> dict[int, tuple[Any, ...]]:
    lock = " FOR UPDATE OF i" if connection.dialect.name == "postgresql" else ""
    with batch_of(connection, intent_ids, empty=int) as batch:
        rows = fetch(
            connection,
            "SELECT i.intent_id, i.service, i.currency, i.root_run, i.created_at, i.cost "
            f"FROM {batch} AS b JOIN intents AS i ON i.intent_id = b.key WHERE i.state = 'open' ORDER BY i.intent_id{lock}",
        )
    return {row[0]: row[1:] for row in rows}


_RESULT_COLUMN = {"answered": "answered", "abstain": "abstained", "error": "refused"}


def settle(connection: Connection, answers: Sequence[Settled], now: int) -> set[int]:
    """Close intents with their answers and what they really cost. Returns those that were open: the others were settled before."""
    known = _still_open(connection, [each.intent_id for each in answers])
    closing = [each for each in answers if each.intent_id in known]
    update_rows(
        connection,
        "intents",
        ["state", "result", "cost", "answer", "closed_at"],
        ["intent_id"],
        [("answered", each.result, each.cost, each.answer, now, each.intent_id) for each in closing],
    )
    _book(
        connection,
        [
            (*known[each.intent_id][:4], {_RESULT_COLUMN[each.result]: 1, "cost": each.cost - known[each.intent_id][4]})
            for each in closing
        ],
    )
    return {each.intent_id for each in closing}


def lose(connection: Connection, intent_ids: Sequence[int], reason: str, now: int) -> None:
    """Close intents whose answer was lost: spent, and not asked again within the lifetime."""
    known = _still_open(connection, intent_ids)
    update_rows(
        connection,
        "intents",
        ["state", "reason", "closed_at"],
        ["intent_id"],
        [("unknown", reason, now, intent_id) for intent_id in known],
    )
    _book(connection, [(*row[:4], {"lost": 1}) for row in known.values()])


def release(connection: Connection, intent_ids: Sequence[int]) -> None:
    """Take back intents that surely were not served: not spent, and free to be asked."""
    known = _still_open(connection, intent_ids)
    with batch_of(connection, list(known), empty=int) as batch:
        connection.exec_driver_sql(f"DELETE FROM intents WHERE intent_id IN (SELECT key FROM {batch})")
    _book(connection, [(*row[:4], {"asked": -1, "cost": -row[4]}) for row in known.values()])


def left_open(connection: Connection, service: str, run: str, before: int) -> list[Open]:
    """Intents of other runs without an answer whose run is over, or that are older than `before`."""
    rows = fetch(
        connection,
        f"SELECT {_OPEN} FROM intents AS i WHERE i.service = :service AND i.state = 'open' AND i.run <> :run "
        "AND (i.run_over OR i.created_at <= :before) ORDER BY i.intent_id",
        {"service": service, "run": run, "before": before},
    )
    return [Open(*row) for row in rows]


def open_jobs(connection: Connection, service: str) -> dict[str, list[Open]]:
    """A service's jobs that wait for their answers, by job id, oldest first."""
    rows = fetch(
        connection,
        f"SELECT {_OPEN} FROM intents AS i WHERE i.service = :service AND i.state = 'open' AND i.job IS NOT NULL "
        "ORDER BY i.intent_id",
        {"service": service},
    )
    jobs: dict[str, list[Open]] = {}
    for row in map(Open._make, rows):
        jobs.setdefault(str(row.job), []).append(row)
    return jobs


def open_runs(connection: Connection) -> set[str]:
    """Runs that left intents open and are not known to be over."""
    return {
        row[0] for row in fetch(connection, "SELECT DISTINCT run FROM intents WHERE state = 'open' AND NOT run_over")
    }


def end_run(connection: Connection, run: str) -> None:
    """A run is over: what it left open may be taken up by the next."""
    connection.execute(
        text("UPDATE intents SET run_over = :yes WHERE run = :run AND state = 'open'"), {"run": run, "yes": True}
    )


def note_disagreements(connection: Connection, root_run: str, count: int, now: int) -> None:
    """Count questions to which two services gave opposite answers."""
    if count:
        _book(connection, [(ALL, "", root_run, now, {"disagreed": count})])


class Standing(NamedTuple):
    """A question that was asked and is not free again before `until`; an open one has no end."""

    service: str
    product: str
    result: str | None
    until: int | None


def standing(connection: Connection, subjects: Sequence[str], now: int) -> dict[str, list[Standing]]:
    """What may not be asked again yet, by subject."""
    with batch_of(connection, subjects) as batch:
        rows = fetch(
            connection,
            "SELECT i.subject, i.service, i.product, i.result, i.closed_at, i.lifetime_days "
            f"FROM {batch} AS b JOIN intents AS i ON i.subject = b.key WHERE i.current",
        )
    found: dict[str, list[Standing]] = {}
    for subject, service, product, result, closed_at, lifetime_days in rows:
        until = None if closed_at is None else int(closed_at + lifetime_days * DAY_MS)
        if until is None or until > now:
            found.setdefault(subject, []).append(Standing(service, product, result, until))
    return found


class Period(NamedTuple):
    """A service's questions and money in a period."""

    service: str
    period: str
    currency: str
    asked: int
    answered: int
    abstained: int
    refused: int
    lost: int
    disagreed: int
    cost: int


def months(connection: Connection, count: int = 12) -> list[Period]:
    """The last months with questions, oldest first; service "" holds the disagreements between services."""
    rows = fetch(
        connection,
        f"SELECT service, period, currency, {', '.join(_COUNTED)} FROM spend WHERE period LIKE '____-__' "
        "ORDER BY period, service",
    )
    kept = sorted({row[1] for row in rows})[-count:]
    return [Period(*row[:3], *map(int, row[3:])) for row in rows if row[1] in kept]


def totals(connection: Connection, periods: Sequence[str]) -> list[Period]:
    """Questions and money of some periods (runs, days or months) together, by service."""
    with batch_of(connection, periods) as batch:
        rows = fetch(
            connection,
            f"SELECT s.service, '', max(s.currency), {', '.join(f'sum(s.{name})' for name in _COUNTED)} "
            f"FROM {batch} AS b JOIN spend AS s ON s.period = b.key WHERE s.service <> '' GROUP BY s.service ORDER BY s.service",
        )
    return [Period(*row[:3], *map(int, row[3:])) for row in rows]
