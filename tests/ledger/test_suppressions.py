"""Permission: sticky, chained, erasable without forgetting."""

from __future__ import annotations

from sqlalchemy import text

from ringtrue.ledger import Ledger, dirty, opt_outs, suppressions
from ringtrue.ledger.database import fetch
from ringtrue.ledger.suppressions import Suppression
from tests.ledger.build import LANDLINE, MOBILE, NOW, pull, read_numbers, record


def stop(number: str | None, contact_id: int | None = None, cause: str = "call 1") -> Suppression:
    return Suppression(
        "opt_out", "number" if number else "person", number, contact_id, cause, "call", "said stop", "agent", NOW
    )


def live(ledger: Ledger, *numbers: str) -> list[str]:
    with ledger.read() as book:
        return [found.number for found in suppressions.live_numbers(book, ledger.key, numbers)]


def test_the_same_event_is_kept_once(ledger: Ledger) -> None:
    with ledger.write() as book:
        assert len(suppressions.append(book, ledger.key, [stop(MOBILE), stop(MOBILE)], NOW)) == 1
    with ledger.write() as book:
        assert suppressions.append(book, ledger.key, [stop(MOBILE)], NOW) == []
    assert live(ledger, MOBILE, LANDLINE) == [MOBILE]


def test_only_an_event_that_lifts_it_ends_a_suppression(ledger: Ledger) -> None:
    with ledger.write() as book:
        first, second = suppressions.append(book, ledger.key, [stop(MOBILE), stop(MOBILE, cause="call 2")], NOW)
        lift = stop(MOBILE, cause="retract")._replace(kind="retract", lifts=first, second_person="ann")
        suppressions.append(book, ledger.key, [lift], NOW)
    assert live(ledger, MOBILE) == [MOBILE], "the second suppression still holds"
    with ledger.write() as book:
        suppressions.append(
            book, ledger.key, [stop(MOBILE, cause="retract 2")._replace(kind="retract", lifts=second)], NOW
        )
    assert live(ledger, MOBILE) == []


def test_the_chain_shows_any_change_behind_our_back(ledger: Ledger) -> None:
    with ledger.write() as book:
        suppressions.append(book, ledger.key, [stop(MOBILE, cause=f"call {n}") for n in range(5)], NOW)
        assert suppressions.broken_link(book) is None
        book.execute(text("UPDATE suppressions SET evidence = 'none' WHERE event_id = 3"))
        assert suppressions.broken_link(book) == 3
        assert suppressions.broken_link(book, newest=3) == 3
        assert suppressions.broken_link(book, newest=2) is None
    with ledger.write() as book:
        book.execute(text("DELETE FROM suppressions WHERE event_id = 3"))
        assert suppressions.broken_link(book) == 4


def test_an_erased_number_stays_suppressed_and_the_chain_whole(ledger: Ledger) -> None:
    with ledger.write() as book:
        suppressions.append(book, ledger.key, [stop(MOBILE)], NOW)
        book.execute(text("UPDATE suppressions SET number = NULL"))
    assert live(ledger, MOBILE) == [MOBILE]
    with ledger.read() as book:
        assert suppressions.broken_link(book) is None


def collect(ledger: Ledger, *, switchboard_people: int = 5) -> opt_outs.OptOuts:
    with ledger.write() as book:
        marks = dirty.next_contacts(book, opt_outs.STAGE, 100)
        found = opt_outs.events_for(book, opt_outs.flagged(book, marks), switchboard_people)
        suppressions.append(book, ledger.key, found.events, NOW)
        dirty.clear(book, "contact_id", opt_outs.STAGE, marks)
    return found


def test_an_opt_out_covers_the_person_and_all_their_numbers(ledger: Ledger) -> None:
    pull(ledger, record("a", Phone=MOBILE, MobilePhone=LANDLINE, DoNotCall="true"))
    read_numbers(ledger)
    collect(ledger)
    assert sorted(live(ledger, MOBILE, LANDLINE)) == sorted([MOBILE, LANDLINE])
    with ledger.read() as book:
        assert list(suppressions.live_persons(book, [1])) == [1]


def test_a_person_who_opted_out_is_covered_with_a_new_number(ledger: Ledger) -> None:
    pull(ledger, record("a", Phone=MOBILE, DoNotCall="true"))
    read_numbers(ledger)
    collect(ledger)
    pull(ledger, record("a", Phone=LANDLINE, DoNotCall="true", minutes=1))
    read_numbers(ledger)
    collect(ledger)
    assert live(ledger, LANDLINE) == [LANDLINE]


def test_a_switchboard_is_not_silenced_by_one_person(ledger: Ledger) -> None:
    people = [record(name, Phone=MOBILE) for name in "bcdefg"]
    pull(ledger, record("a", Phone=MOBILE, DoNotCall="true"), *people)
    read_numbers(ledger)
    found = collect(ledger)
    assert live(ledger, MOBILE) == []
    assert found.switchboards == [(MOBILE, 7)]
    with ledger.read() as book:
        assert len(suppressions.live_persons(book, [1, 2, 3])) == 1


def test_a_merged_record_hands_its_suppression_to_the_survivor(ledger: Ledger) -> None:
    pull(ledger, record("loser", DoNotCall="true"), record("survivor"))
    collect(ledger)
    pull(ledger, record("loser", deleted=True, merged_into="survivor", DoNotCall="true", minutes=1))
    with ledger.read() as book:
        survivor = fetch(book, "SELECT contact_id FROM contacts WHERE record_id = 'survivor'")[0][0]
        assert survivor in suppressions.live_persons(book, [survivor])


def test_an_opt_out_goes_through_any_number_of_merges(ledger: Ledger) -> None:
    pull(ledger, record("a", Phone=MOBILE, DoNotCall="true"), record("b"), record("c", Phone=LANDLINE))
    read_numbers(ledger)
    collect(ledger)
    pull(ledger, record("a", deleted=True, merged_into="b", minutes=1))
    pull(ledger, record("b", deleted=True, merged_into="c", minutes=2))
    read_numbers(ledger)
    collect(ledger)
    with ledger.read() as book:
        [survivor] = [row[0] for row in fetch(book, "SELECT contact_id FROM contacts WHERE record_id = 'c'")]
        assert survivor in suppressions.live_persons(book, [survivor])
        assert survivor in [key for key, _ in dirty.next_contacts(book, dirty.changes_stage("salesforce"), 10)]
    assert live(ledger, LANDLINE) == [LANDLINE], "an opt-out covers all numbers of the person the survivor is"


def test_a_flag_set_and_merged_away_between_two_pulls_is_not_lost(ledger: Ledger) -> None:
    pull(ledger, record("a", Phone=MOBILE), record("c", Phone=LANDLINE))
    read_numbers(ledger)
    pull(ledger, record("a", Phone=MOBILE, DoNotCall="true", deleted=True, merged_into="c", minutes=1))
    read_numbers(ledger)
    collect(ledger)
    assert sorted(live(ledger, MOBILE, LANDLINE)) == sorted([MOBILE, LANDLINE])
    with ledger.read() as book:
        assert 2 in suppressions.live_persons(book, [1, 2])


def test_a_person_who_says_stop_again_after_a_retraction_is_heard(ledger: Ledger) -> None:
    pull(ledger, record("a", Phone=MOBILE, DoNotCall="true"))
    read_numbers(ledger)
    collect(ledger)
    with ledger.write() as book:
        events = [row[0] for row in fetch(book, "SELECT event_id FROM suppressions WHERE kind = 'opt_out'")]
        lifts = [
            Suppression(
                "retract", "person", None, 1, f"retract {event}", "cli", "entered in error", "ann", NOW, "bob", event
            )
            for event in events
        ]
        suppressions.append(book, ledger.key, lifts, NOW)
    assert live(ledger, MOBILE) == []
    with ledger.write() as book:
        opt_outs.mark_flagged(book)
    collect(ledger)
    assert live(ledger, MOBILE) == [], "the flag that was retracted is not news"
    pull(ledger, record("a", Phone=MOBILE, DoNotCall="false", minutes=1))
    pull(ledger, record("a", Phone=MOBILE, DoNotCall="true", minutes=2))
    collect(ledger)
    assert live(ledger, MOBILE) == [MOBILE]
    with ledger.read() as book:
        assert suppressions.broken_link(book) is None


def test_reading_the_numbers_again_adds_no_second_event(ledger: Ledger) -> None:
    pull(ledger, record("a", Phone=MOBILE, DoNotCall="true"))
    for _ in range(3):
        read_numbers(ledger)
        collect(ledger)
        with ledger.write() as book:
            dirty.mark_contacts(book, "phones", [1])
    with ledger.read() as book:
        assert fetch(book, "SELECT count(*) FROM suppressions") == [(2,)]


def test_nobody_to_opt_out_is_nothing_to_do(ledger: Ledger) -> None:
    pull(ledger, record("a", Phone=MOBILE))
    with ledger.write() as book:
        dirty.mark_contacts(book, opt_outs.STAGE, [1])
    found = collect(ledger)
    assert found == opt_outs.OptOuts([], [])
    with ledger.read() as book:
        assert suppressions.totals(book).events == 0
        assert suppressions.live_persons(book, []) == {}


def test_totals_count_what_is_live(ledger: Ledger) -> None:
    with ledger.write() as book:
        first, *_ = suppressions.append(book, ledger.key, [stop(MOBILE), stop(LANDLINE), stop(None, 7, "said so")], NOW)
        lift = stop(MOBILE, cause="retract")._replace(kind="retract", lifts=first)
        suppressions.append(book, ledger.key, [lift], NOW)
        counted = suppressions.totals(book)
    assert counted == suppressions.Totals(4, 2, 1, 1, {"call": 2})
