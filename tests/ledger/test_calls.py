"""Call history in the ledger: stored once, corrected calls void what they said before."""

from __future__ import annotations

from datetime import timedelta

from ringtrue.ledger import Ledger, calls, dirty, review, trunks
from ringtrue.ledger.calls import CallCounts, Seen
from ringtrue.ledger.database import fetch
from ringtrue.ledger.trunks import Alarm
from ringtrue.records import PulledCall
from tests.ledger.build import MOBILE, NOW, START, pull, read_numbers, record


def logged(call_id: str = "c1", label: str = "No answer", minutes: int = 0) -> PulledCall:
    return PulledCall(
        call_id, ("a",), MOBILE, label, label, None, "outbound", 30.0, None, START, START + timedelta(minutes=minutes)
    )


def store(ledger: Ledger, *pulled: PulledCall) -> CallCounts:
    counted = CallCounts()
    with ledger.write() as book:
        calls.store_page(book, "salesforce", "salesforce", pulled, counted, key=ledger.key)
    return counted


def read(ledger: Ledger, outcome: str) -> int:
    """Read all waiting calls as if they all said `outcome`."""
    with ledger.write() as book:
        marks = dirty.next_calls(book, calls.STAGE, 100)
        batch = calls.waiting(book, marks)
        seen = [Seen(MOBILE, 1, "calls:salesforce", outcome, row.label, None, NOW, row.external_id) for row in batch]
        new = calls.observe(book, batch, seen, "run", NOW)
        dirty.clear(book, "call_id", calls.STAGE, marks)
    return new


def test_a_call_is_stored_once_and_waits_once(ledger: Ledger) -> None:
    first = store(ledger, logged(), logged("c2"))
    again = store(ledger, logged(), logged("c2", minutes=1))
    assert (first.new, again.new, again.unchanged) == (2, 0, 2)
    with ledger.read() as book:
        assert dirty.waiting(book, "call_id", calls.STAGE) == 2


def test_a_corrected_call_voids_what_it_said_before(ledger: Ledger) -> None:
    pull(ledger, record("a", Phone=MOBILE))
    read_numbers(ledger)
    store(ledger, logged())
    assert read(ledger, "no_answer") == 1
    counted = store(ledger, logged(label="Wrong number", minutes=1))
    assert counted.changed == 1
    assert read(ledger, "wrong_person") == 1
    with ledger.read() as book:
        rows = fetch(book, "SELECT outcome, void FROM observations ORDER BY observation_id")
    assert [(outcome, bool(void)) for outcome, void in rows] == [("no_answer", True), ("wrong_person", False)]


def test_reading_the_same_calls_again_adds_nothing(ledger: Ledger) -> None:
    store(ledger, logged())
    assert read(ledger, "no_answer") == 1
    with ledger.write() as book:
        dirty.mark_calls(book, calls.STAGE, [1])
    assert read(ledger, "no_answer") == 0


def test_callees_are_found_with_their_numbers(ledger: Ledger) -> None:
    pull(ledger, record("a", Phone=MOBILE))
    read_numbers(ledger)
    store(ledger, logged())
    with ledger.read() as book:
        batch = calls.waiting(book, dirty.next_calls(book, calls.STAGE, 10))
        found = calls.callees(book, batch)
    assert found[("salesforce", "a")].numbers == (MOBILE,)


def test_an_answer_wakes_the_calls_it_explains(ledger: Ledger) -> None:
    store(ledger, logged(label="Zorbled"), logged("c2"))
    with ledger.write() as book:
        dirty.clear(book, "call_id", calls.STAGE, dirty.next_calls(book, calls.STAGE, 10))
        review.add(book, "outcome", [("salesforce: Zorbled", None)] * 3, NOW)
        question = review.open_questions(book)[0]
        assert question.times == 3
        assert review.answer(book, question.review_id, "voicemail", "ann", NOW) is not None
        assert review.answer(book, question.review_id, "busy", "bob", NOW) is None, "answered once"
        assert review.outcome_answers(book) == {("salesforce", "zorbled"): "voicemail"}
        assert dirty.waiting(book, "call_id", calls.STAGE) == 1


def test_a_trunk_alarm_wakes_its_numbers_once(ledger: Ledger) -> None:
    with ledger.write() as book:
        book.exec_driver_sql(
            "INSERT INTO observations (number, kind, source, outcome, trunk, observed_at, recorded_at, external_id, run) "
            f"VALUES ('{MOBILE}', 'call:not_assigned', 'calls:x', 'not_assigned', 'sip:1', {NOW}, {NOW}, 'e1', 'r')"
        )
        found = Alarm("sip:1", NOW - 10, NOW + 10)
        assert trunks.unread(book) == (1, NOW)
        assert trunks.remember(book, [found], NOW, 1) == 1
        assert trunks.remember(book, [found], NOW, 1) == 0
        assert trunks.remember(book, [found._replace(ends=NOW + 20)], NOW, 1) == 1
        assert trunks.alarms(book) == [found._replace(ends=NOW + 20)]
        assert trunks.remember(book, [], NOW + 30, 1) == 0, "it stands"
        assert trunks.remember(book, [], NOW, 1) == 1
        assert trunks.alarms(book) == []
        assert trunks.unread(book) == (1, None)
        assert len(trunks.history(book, 0)) == 1
