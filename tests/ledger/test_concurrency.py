"""Several writers at once: nothing is lost, the chain stays whole, and one CRM has one writer at a time."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from ringtrue.errors import LedgerError
from ringtrue.ledger import Ledger, dirty, journal, suppressions
from ringtrue.ledger.contacts import PullCounts, store_page
from ringtrue.ledger.database import fetch
from ringtrue.ledger.suppressions import Suppression
from tests.ledger.build import MOBILE, NOW, OTHER, OWN, origin, pull, record
from tests.ledger.conftest import KEY
from tests.stand_ins import ROOT

WRITERS = 4
APPENDER = """
import sys
from ringtrue.ledger import Ledger, suppressions
from ringtrue.ledger.suppressions import Suppression

ledger = Ledger.open(sys.argv[1], key={key!r})
for number in range(10):
    event = Suppression("opt_out", "number", "+4474001234" + str(number), None, sys.argv[2] + str(number), "call", "said stop", "agent", 1)
    with ledger.write() as book:
        suppressions.append(book, ledger.key, [event], 1)
ledger.close()
"""


def at_once(ledger: Ledger, work: Callable[[Ledger, int], None]) -> None:
    """Do a piece of work in several threads, each with connections of its own."""
    ready = Barrier(WRITERS)

    def one(number: int) -> None:
        ready.wait(30)
        work(ledger, number)

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(one, range(WRITERS)))


def test_the_chain_stays_whole_when_several_append(ledger: Ledger) -> None:
    def append(book_of: Ledger, writer: int) -> None:
        for number in range(10):
            event = Suppression(
                "opt_out", "number", MOBILE, None, f"call {writer} {number}", "call", "said stop", "agent", NOW
            )
            with book_of.write() as book:
                suppressions.append(book, book_of.key, [event], NOW)

    at_once(ledger, append)
    with ledger.read() as book:
        assert suppressions.broken_link(book) is None
        assert suppressions.totals(book).events == WRITERS * 10


def test_the_chain_stays_whole_when_several_processes_append(ledger: Ledger, address: str) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", APPENDER.format(key=KEY), address, f"{writer}/"], cwd=ROOT)
        for writer in range(3)
    ]
    assert [process.wait(120) for process in processes] == [0, 0, 0]
    with ledger.read() as book:
        assert suppressions.broken_link(book) is None
        assert suppressions.totals(book).events == 30


def test_no_mark_is_lost_between_one_who_marks_and_one_who_clears(ledger: Ledger) -> None:
    """A number marked while another stage clears it stays marked."""
    rounds = 40
    seen: list[str] = []

    def work(book_of: Ledger, writer: int) -> None:
        for turn in range(rounds):
            if writer == 0:
                with book_of.write() as book:
                    marks = dirty.next_numbers(book, "status", 1_000)
                    seen.extend(number for number, _ in marks)
                    dirty.clear(book, "number", "status", marks)
            else:
                with book_of.write() as book:
                    dirty.mark_numbers(book, "status", [f"+{writer}{turn:04}"])

    at_once(ledger, work)
    with ledger.read() as book:
        left = [number for number, _ in dirty.next_numbers(book, "status", 1_000)]
    assert {*seen, *left} == {f"+{writer}{turn:04}" for writer in range(1, WRITERS) for turn in range(rounds)}


def test_a_mark_renewed_by_another_transaction_survives_the_clearing(ledger: Ledger) -> None:
    with ledger.write() as book:
        dirty.mark_numbers(book, "status", ["+1"])
    with ledger.read() as book:
        handled = dirty.next_numbers(book, "status", 10)
    with ledger.write() as book:
        dirty.mark_numbers(book, "status", ["+1"])
    with ledger.write() as book:
        dirty.clear(book, "number", "status", handled)
        assert dirty.waiting(book, "number", "status") == 1


def test_pulls_of_two_connections_at_once_store_all_records(ledger: Ledger) -> None:
    def store(book_of: Ledger, writer: int) -> None:
        for page in range(5):
            pull(book_of, *(record(f"{page}-{n}", Phone=MOBILE) for n in range(20)), connection=f"crm{writer}")

    at_once(ledger, store)
    with ledger.read() as book:
        assert fetch(book, "SELECT count(*) FROM contacts") == [(WRITERS * 100,)]
        assert dirty.waiting(book, "contact_id", "phones") == WRITERS * 100


def test_an_answer_that_comes_while_a_pull_stores_the_record_keeps_what_was_pulled(ledger: Ledger) -> None:
    pull(ledger, record("a", Phone=MOBILE))

    def answer() -> None:
        with ledger.write() as book:
            written: list[tuple[int, dict[str, str | None]]] = [(1, {OWN.status: "active"})]
            journal.remember_written(book, "salesforce", written, frozenset(OWN.phone_status), OWN.do_not_call)

    with ThreadPoolExecutor(1) as pool:
        with ledger.write() as book:
            page = [record("a", minutes=1, Phone=OTHER)]
            store_page(book, origin(), page, ledger.key, NOW, PullCounts())
            answered = pool.submit(answer)
            with pytest.raises(TimeoutError):
                answered.result(0.3)
        answered.result(30)
    with ledger.read() as book:
        [(phones, ours)] = fetch(book, "SELECT phones, ours FROM contacts")
    assert OTHER in phones
    assert "active" in ours


def test_readers_see_one_moment_while_others_write(ledger: Ledger) -> None:
    pull(ledger, record("a"))
    with ledger.read() as book:
        before = fetch(book, "SELECT count(*) FROM contacts")
        pull(ledger, record("b"))
        assert fetch(book, "SELECT count(*) FROM contacts") == before
    with ledger.read() as book:
        assert fetch(book, "SELECT count(*) FROM contacts") == [(2,)]


def test_one_crm_has_one_writer_and_a_killed_one_leaves_no_lock(ledger: Ledger, address: str) -> None:
    holder = (
        "import sys; from ringtrue.ledger import Ledger\n"
        f"ledger = Ledger.open(sys.argv[1], key={KEY!r})\n"
        "with ledger.alone('writing to hubspot'):\n    print('in', flush=True); sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", holder, address], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "in\n"
    with (
        pytest.raises(LedgerError, match="Another run is at writing to hubspot now"),
        ledger.alone("writing to hubspot"),
    ):
        pass
    with ledger.alone("writing to salesforce"):
        pass
    process.kill()
    process.communicate()
    for _ in range(100):
        try:
            with ledger.alone("writing to hubspot"):
                return
        except LedgerError:
            # PostgreSQL takes a moment to notice that the other end is gone.
            ledger.engine.dispose()
    pytest.fail("The lock outlived its holder.")
