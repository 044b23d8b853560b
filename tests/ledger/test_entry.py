"""What the entry service reads and writes, on both databases."""

from __future__ import annotations

from ringtrue.ledger import Ledger, entry, inbox, stops, suppressions, why
from ringtrue.ledger.database import fetch, insert_rows
from ringtrue.ledger.inbox import Record, Told
from ringtrue.ledger.stops import Stop
from tests.ledger.build import LANDLINE, MOBILE, NOW, OTHER, pull, read_numbers, record


def decide(ledger: Ledger, number: str, status: str, contact_id: int = 0) -> None:
    """A current decision."""
    row = (
        number,
        contact_id,
        status,
        "alive",
        "reached",
        "unknown",
        "ok",
        0.9,
        f"{status}: told",
        "[]",
        "p",
        NOW,
        True,
    )
    with ledger.write() as book:
        insert_rows(
            book,
            "decisions",
            ["number", "contact_id", "status", "line", "reach", "identity", "permission", "confidence", "reason", "evidence", "policy",
             "decided_at", "current"],
            [row],
        )  # fmt: skip


def test_an_event_is_kept_once_and_waits_until_it_is_handled(ledger: Ledger) -> None:
    told = [
        Told("hubspot:hubspot", str(number), "changed", "hubspot", "contacts", str(number % 3)) for number in range(6)
    ]
    with ledger.write() as book:
        assert inbox.put(book, [*told, *told], NOW) == 6
        assert inbox.put(book, told, NOW) == 0
        assert inbox.put(book, [Told("vonage", "1", "answer", body="{}")], NOW) == 1
    with ledger.write() as book:
        events = inbox.changed_records(book, "hubspot")
        assert inbox.records_to_read(events) == [Record("hubspot", "contacts", key) for key in "012"]
        assert [event.event_id for event in inbox.waiting(book, "vonage")] == ["1"]
        assert len(inbox.waiting(book, kinds=("changed", "deleted"), limit=4)) == 4
        assert inbox.body_of(book, "vonage", "1") == "{}"
        assert inbox.body_of(book, "vonage", "2") is None
        inbox.handled(book, [event.inbox_id for event in events[:4]], NOW)
    with ledger.write() as book:
        assert inbox.depth(book) == {"hubspot:hubspot": (2, NOW), "vonage": (1, NOW)}
        assert inbox.prune(book, NOW + 15 * 86_400_000) == 5
        assert len(inbox.changed_records(book, "hubspot")) == 2


def test_what_is_known_of_a_number(ledger: Ledger) -> None:
    decide(ledger, MOBILE, "active")
    with ledger.write() as book:
        unknown = entry.known(book, ledger.key, OTHER)
        assert (unknown.status, unknown.do_not_call) == (None, False)
        stops.commit(book, ledger.key, [Stop((), MOBILE, "1", "call:dialler", "said", "log", NOW)], 5, NOW)
        held = entry.known(book, ledger.key, MOBILE)
        assert (held.status, held.confidence, held.opted_out, held.do_not_call) == ("active", 0.9, True, True)


def test_a_stop_covers_person_numbers_and_the_number_it_was_said_on(ledger: Ledger) -> None:
    pull(ledger, record("A", Phone=LANDLINE, MobilePhone=MOBILE))
    read_numbers(ledger)
    with ledger.write() as book:
        stop = Stop((1,), OTHER, "1", "call:dialler", "said", "log", NOW)
        assert len(stops.commit(book, ledger.key, [stop, stop], 5, NOW)) == 4
        assert stops.commit(book, ledger.key, [stop], 5, NOW) == []
        assert suppressions.broken_link(book) is None
        told = entry.feed(book, None, 10)
    assert told is not None
    assert {(step.scope, step.number, step.records) for step in told.steps} == {
        ("person", None, ("salesforce:A",)),
        ("number", LANDLINE, ()),
        ("number", MOBILE, ()),
        ("number", OTHER, ()),
    }
    with ledger.read() as book:
        assert entry.feed(book, told.cursor, 10) == entry.Feed([], told.cursor, False)
        assert entry.feed(book, "1.000000000000", 10) is None


def test_records_of_a_dialler_are_found_in_any_crm(ledger: Ledger) -> None:
    pull(ledger, record("A"), record("B"))
    pull(ledger, record("B"), record("C"), connection="other")
    with ledger.read() as book:
        assert stops.contacts_of(book, "dialler", ["A", "B", "C", "D"]) == {"A": 1, "C": 4}
        assert stops.contacts_of(book, "other", ["B"]) == {"B": 3}


def test_the_page_follows_merges_and_puts_permission_first(ledger: Ledger) -> None:
    pull(ledger, record("A", Phone=LANDLINE), record("B", Phone=LANDLINE, MobilePhone=MOBILE))
    read_numbers(ledger)
    pull(ledger, record("A", deleted=True, merged_into="B", minutes=1))
    decide(ledger, MOBILE, "active")
    decide(ledger, MOBILE, "wrong_person", 2)
    decide(ledger, LANDLINE, "do_not_call")
    decide(ledger, LANDLINE, "wrong_person", 2)
    with ledger.write() as book:
        old = fetch(book, "SELECT why_id FROM contacts WHERE record_id = 'A'")[0][0]
        assert why.say(book, ledger.key, 2, MOBILE, "wrong_person", "Sally", "id1", 5, NOW)
        assert not why.say(book, ledger.key, 2, MOBILE, "wrong_person", "Sally", "id1", 5, NOW)
        assert why.say(book, ledger.key, 2, MOBILE, "stop", "Sally", "id2", 5, NOW)
        found = why.find(book, ledger.key, old)
        assert why.find(book, ledger.key, "0" * 20) is None
    assert found is not None
    assert (found.person.record_id, found.person.deleted, found.person.suppressed_since) == ("B", False, NOW)
    assert {number.number: number.status for number in found.numbers} == {
        MOBILE: "wrong_person",
        LANDLINE: "do_not_call",
    }
    assert ("said", "wrong_person", "Sally") in {(event.what, event.outcome, event.who) for event in found.events}
    assert {event.number for event in found.events if event.what == "permission"} == {None, MOBILE, LANDLINE}
