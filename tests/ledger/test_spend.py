"""The book of the lookups: what the desk is promised holds in memory, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from connectors.lookups.book import LedgerBook
from connectors.lookups.protocol import Answer, Finding, Offer, Question
from connectors.lookups.spend import Declined, Intent, MemoryBook, SpendBook
from ringtrue.ledger import Ledger, dirty, emails, spend
from ringtrue.ledger.database import fetch
from ringtrue.lookup_settings import Budget
from tests.ledger.build import LANDLINE, MOBILE, OTHER, pull, read_numbers, record

OFFER = Offer("status", ("line_status",), Decimal("0.007"), "USD", lifetime_days=14)
FREE = Budget()
START = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "ledger"])
def book_of(request: pytest.FixtureRequest, ledger: Ledger, clock: Clock) -> Callable[[str], SpendBook]:
    """The same book as different runs see it."""
    if request.param == "memory":
        shared = MemoryBook(clock=clock)
        return shared.for_run
    return lambda run: LedgerBook(ledger, run, clock=clock)


def about(*numbers: str) -> list[Question]:
    return [
        Question(number, "line_status", region="GB", line_type="mobile", since=date(2026, 1, 2), value=0.25)
        for number in numbers
    ]


def reserve(book: SpendBook, *numbers: str, budget: Budget = FREE, offer: Offer = OFFER) -> list[Intent | Declined]:
    return book.reserve("twilio", offer, about(*numbers), budget)


def intents(book: SpendBook, *numbers: str, budget: Budget = FREE) -> list[Intent]:
    found = [each for each in reserve(book, *numbers, budget=budget) if isinstance(each, Intent)]
    assert len(found) == len(numbers)
    return found


def why(decided: list[Intent | Declined]) -> list[str]:
    return ["asked" if isinstance(each, Intent) else each.reason for each in decided]


def answer(intent: Intent, clock: Clock, **facts: Any) -> Answer:
    plain = Answer(
        question=intent.question,
        service=intent.service,
        product=intent.product,
        observed_at=clock.now,
        result="answered",
        cost=intent.price,
        currency=intent.currency,
        contract="twilio.lookups.v2@2026-04",
        line_state="dead",
        findings=(Finding("line_status", "inactive", "lookup_dead", 3.0),),
    )
    return replace(plain, **facts)


def test_an_intent_knows_all_that_was_asked(book_of: Callable[[str], SpendBook]) -> None:
    (intent,) = intents(book_of("a"), MOBILE)
    assert intent.question == about(MOBILE)[0]
    assert (intent.price, intent.currency, intent.lifetime_days, intent.run) == (Decimal("0.007"), "USD", 14, "a")


def test_two_runs_never_ask_the_same_and_an_answer_stands_for_its_lifetime(
    book_of: Callable[[str], SpendBook], clock: Clock
) -> None:
    first, second = book_of("a"), book_of("b")
    (intent,) = intents(first, MOBILE)
    assert why(reserve(second, MOBILE, LANDLINE)) == ["open", "asked"]
    told = answer(intent, clock)
    first.settle([(intent, told)])
    clock.now += timedelta(days=13)
    (declined,) = reserve(second, MOBILE)
    assert isinstance(declined, Declined)
    assert declined.reason == "fresh"
    assert declined.answer == told
    clock.now += timedelta(days=1, seconds=1)
    assert why(reserve(second, MOBILE)) == ["asked"]


@pytest.mark.parametrize("limit", ["run", "day", "month"])
def test_a_budget_is_spent_to_its_last_whole_question(
    book_of: Callable[[str], SpendBook], clock: Clock, limit: str
) -> None:
    budget = Budget(**{limit: Decimal("0.020")})
    assert why(reserve(book_of("a"), MOBILE, LANDLINE, OTHER, budget=budget)) == ["asked", "asked", f"budget_{limit}"]
    later = book_of("b")
    assert why(reserve(later, OTHER, budget=budget)) == ["asked" if limit == "run" else f"budget_{limit}"]
    clock.now += timedelta(days=1)
    assert why(reserve(later, "+14155552671", budget=budget)) == [f"budget_{limit}" if limit == "month" else "asked"]
    clock.now += timedelta(days=31)
    assert why(reserve(book_of("c"), "+14155552672", budget=budget)) == ["asked"]


def test_what_an_answer_really_cost_counts_against_the_budget(
    book_of: Callable[[str], SpendBook], clock: Clock
) -> None:
    book, budget = book_of("a"), Budget(run=Decimal("0.010"))
    (intent,) = intents(book, MOBILE, budget=budget)
    assert why(reserve(book, LANDLINE, budget=budget)) == ["budget_run"]
    book.settle([(intent, answer(intent, clock, result="abstain", cost=Decimal(0), findings=()))])
    assert why(reserve(book, LANDLINE, budget=budget)) == ["asked"]


def test_released_questions_are_free_and_lost_ones_are_spent(book_of: Callable[[str], SpendBook]) -> None:
    book, budget = book_of("a"), Budget(run=Decimal("0.007"))
    book.release(intents(book, MOBILE, budget=budget))
    again = intents(book, MOBILE, budget=budget)
    book.unknown(again, "the connection broke")
    assert why(reserve(book, MOBILE, LANDLINE, budget=budget)) == ["fresh", "budget_run"]


def test_what_a_run_left_open_is_taken_up_when_it_is_over_or_its_lease_has_passed(
    book_of: Callable[[str], SpendBook], clock: Clock
) -> None:
    ended, killed, later = book_of("ended"), book_of("killed"), book_of("later")
    left = ended.note_job(intents(ended, MOBILE), "job-1")
    lost = intents(killed, LANDLINE)
    assert later.left_open("twilio") == []
    ended.end_run()
    assert later.left_open("twilio") == left
    assert later.left_open("twilio")[0].job_id == "job-1"
    clock.now += timedelta(minutes=31)
    assert later.left_open("twilio") == [*left, *lost]
    assert later.left_open("melissa") == []


# The ledger alone: what else an answer leaves there.


def rows(ledger: Ledger, sql: str) -> list[tuple[Any, ...]]:
    with ledger.read() as book:
        return fetch(book, sql)


def test_an_answer_is_evidence_marked_for_status_in_the_transaction_that_settles_it(
    ledger: Ledger, clock: Clock
) -> None:
    heard: list[str] = []
    book = LedgerBook(ledger, "run", groups={"twilio": "hlr"}, heard=heard.extend, clock=clock)
    dead, quiet, odd = intents(book, MOBILE, LANDLINE, OTHER)
    told = [
        (dead, answer(dead, clock, line_type="mobile", carrier="Example")),
        (quiet, answer(quiet, clock, result="abstain", line_state="unknown", findings=())),
        (odd, answer(odd, clock, result="error", findings=(), review=(Finding("line_status", "parked"),))),
    ]
    book.settle(told)
    at = int(START.timestamp() * 1000)
    assert rows(
        ledger,
        "SELECT number, kind, source, source_group, outcome, log_lr, cost, external_id, run, observed_at FROM observations ORDER BY number",
    ) == [
        (LANDLINE, "lookup", "twilio", "hlr", "lookup_abstained", None, 0.007, quiet.id, "run", at),
        (MOBILE, "lookup", "twilio", "hlr", "lookup_dead", 3.0, 0.007, dead.id, "run", at),
    ]
    with ledger.read() as connection:
        assert [number for number, _ in dirty.next_numbers(connection, "status", 10)] == [MOBILE]
    assert rows(ledger, "SELECT number, line_type, carrier FROM lines") == [(MOBILE, "mobile", "Example")]
    assert rows(ledger, "SELECT kind, text FROM review") == [("lookup_word", "twilio: line_status parked")]
    assert heard == [LANDLINE, MOBILE] or heard == [MOBILE, LANDLINE]
    book.settle(told)
    assert len(rows(ledger, "SELECT 1 FROM observations")) == 2, "settled once"
    assert rows(ledger, "SELECT asked, answered, abstained, refused, cost FROM spend WHERE period = 'run'") == [
        (3, 1, 1, 1, 21_000)
    ]


def test_totals_by_run_day_and_month(ledger: Ledger, clock: Clock) -> None:
    book = LedgerBook(ledger, "retry", root_run="root", clock=clock)
    (intent,) = intents(book, MOBILE)
    book.settle([(intent, answer(intent, clock))])
    with ledger.write() as connection:
        spend.note_disagreements(connection, "root", 2, int(START.timestamp() * 1000))
    with ledger.read() as connection:
        assert [(each.service, each.period, each.answered, each.disagreed) for each in spend.months(connection)] == [
            ("", "2026-11", 0, 2),
            ("twilio", "2026-11", 1, 0),
        ]
        assert [each.cost for each in spend.totals(connection, ["root"])] == [7_000]
        assert spend.totals(connection, ["retry"]) == []


def test_a_retry_has_no_money_of_its_own(ledger: Ledger) -> None:
    budget = Budget(run=Decimal("0.007"))
    intents(LedgerBook(ledger, "first", root_run="first"), MOBILE, budget=budget)
    assert why(reserve(LedgerBook(ledger, "retry", root_run="first"), LANDLINE, budget=budget)) == ["budget_run"]


def test_many_runs_at_once_ask_each_question_once_and_keep_within_the_budget(ledger: Ledger) -> None:
    numbers = [f"+1415555{at:04d}" for at in range(200)]
    budget = Budget(day=Decimal("0.7"))

    def ask(run: int) -> list[str]:
        book = LedgerBook(ledger, f"run-{run}")
        got: list[str] = []
        for start in range(0, len(numbers), 20):
            some = numbers[start : start + 20]
            got += [each.question.subject for each in reserve(book, *some, budget=budget) if isinstance(each, Intent)]
        return got

    with ThreadPoolExecutor(4) as pool:
        asked = [number for found in pool.map(ask, range(4)) for number in found]
    assert len(asked) == len(set(asked)) == 100


def test_a_changed_answer_about_an_address_marks_who_has_it(ledger: Ledger, clock: Clock) -> None:
    pull(ledger, record("003A", Email="Ann@Example.com", Phone=MOBILE), record("003B", Email="bob@example.com"))
    read_numbers(ledger)
    with ledger.write() as connection:
        waiting = dirty.next_contacts(connection, "changes:salesforce", 10)
        dirty.clear(connection, "contact_id", "changes:salesforce", waiting)
    book = LedgerBook(ledger, "run", clock=clock)
    offer = Offer("validate", ("email",), Decimal("0.008"), "USD", lifetime_days=90)

    def tell(state: Any, result: Any = "answered") -> int:
        (intent,) = book.reserve("zerobounce", offer, [Question("ann@example.com", "email")], FREE)
        assert isinstance(intent, Intent)
        book.settle(
            [(intent, answer(intent, clock, result=result, email_state=state, findings=(), line_state="unknown"))]
        )
        clock.now += timedelta(days=91)
        with ledger.write() as connection:
            marks = dirty.next_contacts(connection, "changes:salesforce", 10)
            dirty.clear(connection, "contact_id", "changes:salesforce", marks)
        return len(marks)

    assert tell("good") == 1
    assert tell("good") == 0, "the same answer again concerns nobody"
    assert tell("unknown", "abstain") == 0
    assert rows(ledger, "SELECT email, state FROM email_states") == [("ann@example.com", "good")]
    assert tell("bad") == 1
    assert rows(ledger, "SELECT count(*) FROM observations") == [(0,)], "an address is no number"


def test_an_address_is_due_while_it_is_wanted_and_its_contact_may_be_written_to(ledger: Ledger) -> None:
    day = 86_400_000
    now = int(START.timestamp() * 1000)
    pull(ledger, record("003A", Email="ann@example.com"), record("003B", Email="bob@example.com"))
    with ledger.write() as connection:
        emails.want(connection, ["ann@example.com", "bob@example.com", "nobody@example.com"], now)
        emails.look_again(connection, [("bob@example.com", now + 90 * day)])
    with ledger.read() as connection:
        assert emails.due(connection, now) == ["ann@example.com"]
        assert emails.due(connection, now + 40 * day) == [], "nobody's next channel any more"
    with ledger.write() as connection:
        emails.want(connection, ["bob@example.com"], now + 80 * day)
    with ledger.read() as connection:
        assert emails.due(connection, now + 91 * day) == ["bob@example.com"]
