"""ZeroBounce over the wire: single, batch, file; errors inside HTTP 200; credit that ends half-way."""

from __future__ import annotations

import asyncio

import pytest

from connectors.lookups.desk import Desk
from connectors.lookups.protocol import Question
from connectors.lookups.spend import MemoryBook
from ringtrue.errors import AllowanceSpent, CredentialRefused
from tests.lookups.conftest import StandIns


def email(address: str) -> Question:
    return Question(address, "email", region="US")


@pytest.mark.parametrize(
    ("address", "result", "state"),
    [
        ("valid@example.com", "answered", "good"),
        ("catch_all@example.com", "answered", "risky"),
        ("invalid@example.com", "answered", "bad"),
        ("spamtrap@example.com", "answered", "bad"),
        ("abuse@example.com", "answered", "bad"),
        ("disposable@example.com", "answered", "bad"),
        ("unknown@example.com", "abstain", None),
    ],
)
@pytest.mark.parametrize("mode", ["single", "batch"])
def test_statuses(lookups: StandIns, mode: str, address: str, result: str, state: str | None) -> None:
    (answer,) = lookups.ask("zerobounce", email(address), mode=mode, rate_per_second=1000)
    assert (answer.result, answer.email_state) == (result, state)
    assert answer.log_lr is None


def test_unknown_is_not_charged(lookups: StandIns) -> None:
    (answer,) = lookups.ask("zerobounce", email("unknown@example.com"))
    assert answer.cost == 0


def test_new_status_goes_to_review(lookups: StandIns) -> None:
    lookups.set("zerobounce", say={"new@example.com": "gold"})
    (answer,) = lookups.ask("zerobounce", email("new@example.com"))
    assert (answer.result, answer.email_state) == ("abstain", None)
    assert [finding.word for finding in answer.review] == ["gold"]


@pytest.mark.parametrize("mode", ["single", "batch"])
def test_a_wrong_key_and_no_credit_are_told_apart(lookups: StandIns, mode: str) -> None:
    wrong = {"ZEROBOUNCE_API_KEY": "wrong"}
    with pytest.raises(CredentialRefused):
        lookups.ask("zerobounce", email("a@example.com"), environ=wrong, mode=mode, rate_per_second=1000)
    lookups.set("zerobounce", credit=0, say={"a@example.com": "valid"})
    with pytest.raises(AllowanceSpent):
        lookups.ask("zerobounce", email("a@example.com"), mode=mode, rate_per_second=1000)


def test_credit_that_ends_in_the_middle_of_a_batch_loses_nothing(lookups: StandIns) -> None:
    addresses = [f"person{at}@example.com" for at in range(6)]
    lookups.set("zerobounce", credit=4, say=dict.fromkeys(addresses, "valid"))
    settings = lookups.settings(zerobounce={"mode": "batch", "rate_per_second": 1000})
    book = MemoryBook()

    async def run() -> None:
        desk = Desk(lookups.open(settings), book, settings)
        report = await desk.run(map(email, addresses), lambda _, answers: not answers)
        await desk.close()
        told = report.services["zerobounce"]
        assert (told.answered, told.given_back, report.unsettled) == (4, 2, 2)
        assert told.left_out is not None
        assert "credit" in told.left_out

    asyncio.run(run())
    assert len(book.entries) == 4


def test_file_is_one_job(lookups: StandIns) -> None:
    addresses = [f"person{at}@example.com" for at in range(20)]
    lookups.set("zerobounce", say=dict.fromkeys(addresses, "valid"), file_polls=2)
    options = {"products": ["file"], "poll_seconds": 0.05, "bulk_url": f"{lookups.base}/zerobounce"}
    settings = lookups.settings(zerobounce=options)

    async def run() -> None:
        desk = Desk(lookups.open(settings), MemoryBook(), settings)
        report = await desk.run(map(email, addresses), lambda _, answers: not answers)
        await desk.close()
        assert report.settled == 20

    asyncio.run(run())
    assert lookups.requests("zerobounce") == 1 + 3 + 1


def test_a_file_that_takes_longer_is_fetched_by_the_next_run(lookups: StandIns) -> None:
    lookups.set("zerobounce", say={"a@example.com": "valid"}, file_polls=1000)
    options = {
        "products": ["file"],
        "poll_seconds": 0.05,
        "timeout_seconds": 0.12,
        "bulk_url": f"{lookups.base}/zerobounce",
    }
    settings = lookups.settings(zerobounce=options)
    book = MemoryBook(run="first")

    async def run(this: MemoryBook) -> tuple[int, int]:
        desk = Desk(lookups.open(settings), this, settings)
        report = await desk.run([email("a@example.com")], lambda _, answers: not answers)
        await desk.close()
        told = report.services["zerobounce"]
        return told.still_open, told.fetched

    assert asyncio.run(run(book)) == (1, 0)
    lookups.set("zerobounce", file_polls=0)
    assert asyncio.run(run(book.for_run("second"))) == (0, 1)
    assert lookups.billed("zerobounce") == {"a@example.com": 1}


def test_a_refused_file_is_a_refused_key(lookups: StandIns) -> None:
    options = {"products": ["file"], "bulk_url": f"{lookups.base}/zerobounce"}
    settings = lookups.settings(zerobounce=options)

    async def run() -> None:
        desk = Desk(lookups.open(settings, {"ZEROBOUNCE_API_KEY": "wrong"}), MemoryBook(), settings)
        report = await desk.run([email("a@example.com")], lambda _, answers: not answers)
        await desk.close()
        assert "refuses our key" in str(report.services["zerobounce"].left_out)

    asyncio.run(run())
