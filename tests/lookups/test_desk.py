"""The desk: waterfall, budgets, never the same twice, crashes, borders, services that fail."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

import pytest

from connectors.lookups.breaker import Breaker
from connectors.lookups.desk import Desk, StillOpen
from connectors.lookups.protocol import Answer, Question
from connectors.lookups.report import DeskReport
from connectors.lookups.spend import MemoryBook
from ringtrue.lookup_settings import Budget, LookupsSettings
from tests.lookups.conftest import StandIns

TWILIO: dict[str, Any] = {"products": ["line_status"]}


def until_answered(_: Question, answers: Sequence[Answer]) -> bool:
    return all(answer.result != "answered" for answer in answers)


def until_two_agree(_: Question, answers: Sequence[Answer]) -> bool:
    return sum(answer.line_state == "dead" for answer in answers) < 2


def line_status(number: str, region: str = "US", value: float = 1.0) -> Question:
    return Question(number, "line_status", region=region, line_type="mobile", value=value)


def run(
    lookups: StandIns,
    settings: LookupsSettings,
    questions: Iterable[Question],
    still_open: StillOpen = until_answered,
    book: MemoryBook | None = None,
    environ: dict[str, str] | None = None,
    breaker: Callable[[], Breaker] = Breaker,
) -> DeskReport:
    async def work() -> DeskReport:
        desk = Desk(lookups.open(settings, environ), book or MemoryBook(), settings, breaker=breaker)
        try:
            async with asyncio.timeout(30):
                return await desk.run(questions, still_open)
        finally:
            await desk.close()

    return asyncio.run(work())


def test_the_cheapest_is_asked_and_the_next_only_when_it_abstains(lookups: StandIns) -> None:
    first, second = lookups.numbers("disconnected", "US", "mobile", 2)
    lookups.set("twilio", coverage=1, say={first: "inactive", second: "unknown"})
    settings = lookups.settings(twilio=TWILIO, realphonevalidation={}, melissa={})
    report = run(lookups, settings, [line_status(first), line_status(second)])
    assert report.settled == 2
    assert lookups.billed("twilio") == {first: 1, second: 1}
    assert lookups.billed("realphonevalidation") == {second: 1}
    assert lookups.billed("melissa") == {}


def test_it_goes_on_until_the_decision_stands_and_counts_disagreements(lookups: StandIns) -> None:
    (number,) = lookups.numbers("disconnected", "US", "mobile", 1)
    lookups.set("twilio", coverage=1, say={number: "active"})
    settings = lookups.settings(twilio=TWILIO, realphonevalidation={}, melissa={})
    lookups.set("melissa", pending=0)
    report = run(lookups, settings, [line_status(number)], until_two_agree)
    assert report.settled == 1
    assert report.disagreements == 2
    assert {name: told.answered for name, told in report.services.items()} == {
        "twilio": 1,
        "realphonevalidation": 1,
        "melissa": 1,
    }


def test_nothing_is_asked_when_nothing_is_open(lookups: StandIns) -> None:
    (number,) = lookups.numbers("alive", "US", "mobile", 1)
    report = run(lookups, lookups.settings(twilio=TWILIO), [line_status(number)], lambda _, __: False)
    assert (report.settled, lookups.requests("twilio")) == (1, 0)


def test_when_the_money_ends_the_most_valuable_were_asked(lookups: StandIns) -> None:
    numbers = lookups.numbers("alive", "US", "mobile", 10)
    lookups.set("twilio", coverage=1)
    settings = lookups.settings(twilio={**TWILIO, "budget": {"run": "0.021"}, "concurrency": 1})
    report = run(lookups, settings, [line_status(number, value=at) for at, number in enumerate(numbers)])
    assert lookups.billed("twilio") == dict.fromkeys(numbers[-3:], 1)
    assert report.services["twilio"].cost == Decimal("0.021")
    assert report.services["twilio"].declined["budget_run"] > 0
    assert (report.settled, report.unsettled) == (3, 7)


@pytest.mark.parametrize("period", ["day", "month"])
def test_the_budget_of_a_day_and_a_month_holds_over_runs(lookups: StandIns, period: str) -> None:
    numbers = lookups.numbers("alive", "US", "mobile", 4)
    settings = lookups.settings(twilio={**TWILIO, "budget": {period: "0.014"}})
    lookups.set("twilio", coverage=1)
    book = MemoryBook(run="first")
    run(lookups, settings, [line_status(numbers[0])], book=book)
    report = run(lookups, settings, map(line_status, numbers[1:]), book=book.for_run("second"))
    assert report.services["twilio"].answered == 1
    assert sum(lookups.billed("twilio").values()) == 2


def test_an_answer_stands_for_its_lifetime(lookups: StandIns) -> None:
    (number,) = lookups.numbers("alive", "US", "mobile", 1)
    lookups.set("twilio", coverage=1)
    settings = lookups.settings(twilio=TWILIO)
    book = MemoryBook(run="first")
    run(lookups, settings, [line_status(number)], book=book)
    report = run(lookups, settings, [line_status(number)], book=book.for_run("second"))
    assert report.services["twilio"].declined["fresh"] == 1
    assert report.settled == 1
    assert lookups.billed("twilio") == {number: 1}


def test_two_runs_at_once_never_ask_the_same(lookups: StandIns) -> None:
    numbers = lookups.numbers("alive", "US", "mobile", 30)
    lookups.set("twilio", coverage=1, latency_seconds=0.02)
    settings = lookups.settings(twilio={**TWILIO, "rate_per_second": 1000})
    book = MemoryBook(run="first")

    async def both() -> list[DeskReport]:
        desks = [Desk(lookups.open(settings), view, settings) for view in (book, book.for_run("second"))]
        reports = await asyncio.gather(*(desk.run(map(line_status, numbers), until_answered) for desk in desks))
        for desk in desks:
            await desk.close()
        return reports

    first, second = asyncio.run(both())
    assert lookups.billed("twilio") == dict.fromkeys(numbers, 1)
    assert first.services["twilio"].asked + second.services["twilio"].asked == len(numbers)


def test_a_run_that_ends_in_mid_flight_loses_at_most_the_calls_in_flight(lookups: StandIns) -> None:
    numbers = lookups.numbers("alive", "US", "mobile", 12)
    lookups.set("twilio", coverage=1, latency_seconds=0.2)
    settings = lookups.settings(twilio={**TWILIO, "rate_per_second": 1000, "concurrency": 4})
    book = MemoryBook(run="first")

    async def cut_short() -> None:
        desk = Desk(lookups.open(settings), book, settings)
        task = asyncio.create_task(desk.run(map(line_status, numbers), until_answered))
        while (states := Counter(entry.state for entry in book.entries.values()))["answered"] < 4 or not states["open"]:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await desk.close()

    asyncio.run(cut_short())
    answered = [entry for entry in book.entries.values() if entry.state == "answered"]
    in_flight = [entry for entry in book.entries.values() if entry.state == "open"]
    assert len(answered) >= 4
    assert len(in_flight) <= 4
    report = run(lookups, settings, map(line_status, numbers), book=book.for_run("second"))
    told = report.services["twilio"]
    assert told.lost == len(in_flight)
    assert set(lookups.billed("twilio").values()) == {1}
    assert any("count as spent" in warning for warning in told.warnings)


def test_a_run_that_was_killed_is_taken_up_after_its_lease(lookups: StandIns) -> None:
    (number,) = lookups.numbers("alive", "US", "mobile", 1)
    lookups.set("twilio", coverage=1)
    settings = lookups.settings(twilio=TWILIO)
    book = MemoryBook(run="killed")
    (service,) = lookups.open(settings)
    book.reserve("twilio", service.facts.offers[0], [line_status(number)], Budget())
    asyncio.run(service.close())
    report = run(lookups, settings, [line_status(number)], book=book.for_run("at once"))
    assert (report.elsewhere, report.services["twilio"].lost) == (1, 0)
    later = book.for_run("later")
    later.lease *= 0
    report = run(lookups, settings, [line_status(number)], book=later)
    assert (report.unsettled, report.services["twilio"].lost) == (1, 1)
    assert lookups.requests("twilio") == 0
    assert later.spent("twilio", "killed") == Decimal("0.007")


def test_a_service_that_wants_to_be_left_alone_for_long_is_left_out(lookups: StandIns) -> None:
    (number,) = lookups.numbers("disconnected", "US", "mobile", 1)
    lookups.fault("twilio", "status_429", times=0, retry_after=1800)
    report = run(lookups, lookups.settings(twilio=TWILIO, realphonevalidation={}), [line_status(number)])
    assert "30 minutes" in str(report.services["twilio"].left_out)
    assert report.settled == 1


def test_a_lost_answer_is_spent_and_goes_to_the_next_service(lookups: StandIns) -> None:
    (number,) = lookups.numbers("disconnected", "US", "mobile", 1)
    lookups.set("twilio", coverage=1)
    lookups.fault("twilio", "drop_after")
    settings = lookups.settings(twilio=TWILIO, realphonevalidation={})
    book = MemoryBook()
    report = run(lookups, settings, [line_status(number)], book=book)
    assert report.services["twilio"].lost == 1
    assert report.services["twilio"].cost == Decimal("0.007")
    assert report.services["realphonevalidation"].answered == 1
    assert lookups.billed("twilio") == {number: 1}


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [({"TWILIO_AUTH_TOKEN": "wrong"}, "refuses our key"), ({}, "credit|quota|Top the credit up")],
)
def test_a_service_that_stops_is_left_out_and_the_others_go_on(
    lookups: StandIns, environ: dict[str, str], sentence: str
) -> None:
    numbers = lookups.numbers("disconnected", "US", "mobile", 5)
    lookups.set("twilio", coverage=1, credit=0)
    settings = lookups.settings(twilio=TWILIO, realphonevalidation={})
    report = run(lookups, settings, map(line_status, numbers), environ=environ)
    assert report.settled == 5
    told = report.services["twilio"]
    assert told.left_out is not None
    assert told.cost == 0
    assert len([each for each in report.sentences() if each.startswith("twilio was left out")]) == 1


def test_a_service_that_is_down_is_left_out_after_a_few_tries(lookups: StandIns) -> None:
    numbers = lookups.numbers("disconnected", "US", "mobile", 20)
    lookups.fault("realphonevalidation", "status_503", times=0, retry_after=0)
    settings = lookups.settings(realphonevalidation={"rate_per_second": 1000}, melissa={"rate_per_second": 1000})
    lookups.set("melissa", pending=0)
    quick = lambda: Breaker(failures=3, cool_seconds=0.05, openings=2)  # noqa: E731  a factory of one line
    report = run(lookups, settings, map(line_status, numbers), breaker=quick)
    assert report.services["realphonevalidation"].left_out is not None
    assert report.services["melissa"].answered == 20
    assert report.services["realphonevalidation"].cost == 0


def test_a_service_that_comes_back_goes_on(lookups: StandIns) -> None:
    numbers = lookups.numbers("disconnected", "US", "mobile", 10)
    lookups.fault("realphonevalidation", "status_503", times=12, retry_after=0)
    settings = lookups.settings(realphonevalidation={"rate_per_second": 1000, "concurrency": 3})
    report = run(
        lookups, settings, map(line_status, numbers), breaker=lambda: Breaker(failures=3, cool_seconds=0.05, openings=3)
    )
    assert report.services["realphonevalidation"].left_out is None
    assert report.services["realphonevalidation"].answered == 10


def test_a_changed_schema_is_named_and_counts_as_spent(lookups: StandIns) -> None:
    numbers = lookups.numbers("disconnected", "US", "mobile", 3)
    lookups.set("melissa", transmission="GE99")
    report = run(
        lookups,
        lookups.settings(realphonevalidation={}, melissa={"prices": {"premium": "0.001"}}),
        map(line_status, numbers),
    )
    told = report.services["melissa"]
    assert "a form we do not know" in str(told.left_out)
    assert (told.lost, told.cost) == (3, Decimal("0.003"))
    assert report.services["realphonevalidation"].answered == 3


def test_numbers_that_may_not_leave_their_country_are_never_sent(lookups: StandIns) -> None:
    german, other = lookups.numbers("alive", "DE", "mobile", 2)
    (american,) = lookups.numbers("alive", "US", "mobile", 1)
    lookups.set("twilio", coverage=1)
    settings = LookupsSettings.model_validate(
        {**lookups.settings(twilio=TWILIO).model_dump(), "keep_in_country": ["DE"]}
    )
    asked = [line_status(german, "DE"), line_status(other, "US"), line_status(american)]
    asked.append(Question("+14155550123", "line_status", region=None))
    report = run(lookups, settings, asked)
    assert set(lookups.billed("twilio")) == {american}
    assert report.never_sent == 3


def test_never_regions_of_one_service(lookups: StandIns) -> None:
    (number,) = lookups.numbers("alive", "GB", "mobile", 1)
    settings = lookups.settings(twilio={**TWILIO, "never_regions": ["GB"]})
    report = run(lookups, settings, [line_status(number, "GB")])
    assert (report.never_sent, lookups.requests("twilio")) == (1, 0)


def test_unknown_words_stand_in_the_report(lookups: StandIns) -> None:
    (number,) = lookups.numbers("alive", "US", "mobile", 1)
    lookups.set("twilio", coverage=1, say={number: "hibernating"})
    report = run(lookups, lookups.settings(twilio=TWILIO), [line_status(number)])
    assert report.services["twilio"].unknown_words == {("line_status", "hibernating"): 1}
    assert any("hibernating" in sentence for sentence in report.sentences())


def test_questions_add_up(lookups: StandIns) -> None:
    numbers = [number for state in ("alive", "disconnected") for number in lookups.numbers(state, "US", None, 15)]
    british = lookups.numbers("alive", "GB", "landline", 3)
    lookups.set("twilio", abstains=0.3)
    settings = lookups.settings(twilio=TWILIO, realphonevalidation={}, zerobounce={})
    asked = [*map(line_status, numbers), *(Question(number, "line_status", "GB", "landline") for number in british)]
    report = run(lookups, settings, asked)
    assert report.questions == 33
    assert report.settled + report.unsettled + report.never_sent + report.elsewhere == 33
    for told in report.services.values():
        assert told.asked == told.answered + told.abstained + told.refused + told.lost + told.still_open


def test_a_book_that_fails_stops_the_run(lookups: StandIns) -> None:
    class Broken(MemoryBook):
        def settle(self, answers: object) -> None:
            raise OSError("disk full")

    (number,) = lookups.numbers("alive", "US", "mobile", 1)
    lookups.set("twilio", coverage=1)
    with pytest.raises(OSError, match="disk full"):
        run(lookups, lookups.settings(twilio=TWILIO), [line_status(number)], book=Broken())


def test_a_budget_reaches_as_far_as_what_is_really_charged(lookups: StandIns) -> None:
    """Answers that cost nothing give their money back to the run, however many are on their way at once."""
    numbers = lookups.numbers("alive", "US", "mobile", 12)
    lookups.set("twilio", coverage=0)
    settings = lookups.settings(twilio={**TWILIO, "budget": {"run": 0.021}, "concurrency": 8})
    report = run(lookups, settings, [line_status(number) for number in numbers])
    assert report.services["twilio"].asked == len(numbers)
    assert report.services["twilio"].cost == 0
    assert not report.services["twilio"].declined
