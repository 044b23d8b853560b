"""What a pull stores, what it tells apart, and what it marks for the next stages."""

from __future__ import annotations

from ringtrue.ledger import Ledger, contacts, dirty
from ringtrue.ledger.database import fetch
from tests.ledger.build import MOBILE, NOW, OTHER, OWN, pull, record


def waiting(ledger: Ledger, stage: str) -> int:
    with ledger.read() as book:
        return dirty.waiting(book, "contact_id", stage)


def test_every_record_read_is_new_changed_or_unchanged(ledger: Ledger) -> None:
    first = pull(ledger, record("a", Phone=MOBILE), record("b"))
    again = pull(ledger, record("a", Phone=MOBILE), record("b", Phone=OTHER), record("c"))
    assert (first.new, first.changed, first.unchanged) == (2, 0, 0)
    assert (again.new, again.changed, again.unchanged, again.read) == (1, 1, 1, 3)


def test_an_unchanged_record_wakes_no_stage_even_when_its_modified_moment_moved(ledger: Ledger) -> None:
    pull(ledger, record("a", Phone=MOBILE))
    with ledger.write() as book:
        dirty.clear(book, "contact_id", "phones", dirty.next_contacts(book, "phones", 10))
    counted = pull(ledger, record("a", Phone=MOBILE, minutes=5))
    assert counted.unchanged == 1
    assert waiting(ledger, "phones") == 0
    assert waiting(ledger, dirty.changes_stage("salesforce")) == 0


def test_the_echo_of_our_own_write_is_no_news_but_a_persons_edit_of_our_field_is(ledger: Ledger) -> None:
    from ringtrue.ledger import journal

    pull(ledger, record("a", Phone=MOBILE))
    with ledger.write() as book:
        journal.remember_written(book, [(1, {OWN.status: "active"})], frozenset(OWN.phone_status), OWN.do_not_call)
    echo = pull(ledger, record("a", Phone=MOBILE, minutes=1, **{OWN.status: "active"}))
    assert (echo.unchanged, echo.drifted) == (1, 0)
    edited = pull(ledger, record("a", Phone=MOBILE, minutes=2, **{OWN.status: "invalid"}))
    assert (edited.changed, edited.drifted) == (1, 1)
    assert waiting(ledger, dirty.changes_stage("salesforce")) == 1


def test_a_new_flag_wakes_the_opt_outs_but_one_we_set_does_not(ledger: Ledger) -> None:
    from ringtrue.ledger import journal

    pull(ledger, record("a", DoNotCall="true"), record("b", DoNotCall="false"))
    assert waiting(ledger, "opt_outs") == 1
    with ledger.write() as book:
        contact_b = fetch(book, "SELECT contact_id FROM contacts WHERE record_id = 'b'")[0][0]
        journal.remember_written(book, [(contact_b, {"DoNotCall": "true"})], frozenset(), OWN.do_not_call)
    pull(ledger, record("b", DoNotCall="true", minutes=1))
    assert waiting(ledger, "opt_outs") == 1


def test_deleted_and_merged_records_are_noticed(ledger: Ledger) -> None:
    pull(ledger, record("a"), record("b"), record("c"))
    counted = pull(ledger, record("a", deleted=True), record("b", deleted=True, merged_into="c"))
    assert (counted.deleted, counted.merged) == (2, 1)
    with ledger.read() as book:
        alive = fetch(book, "SELECT record_id FROM contacts WHERE deleted_at IS NULL")
    assert alive == [("c",)]


def test_comparing_ids_finds_what_vanished_and_what_an_index_hid(ledger: Ledger) -> None:
    pull(ledger, record("a"), record("b"))
    with ledger.read() as book:
        gone, unknown = contacts.compare_ids(book, "salesforce", "Contact", iter([["b"], ["x"]]))
    with ledger.write() as book:
        contacts.store_cursor(book, "salesforce", "Contact", "cursor", NOW, full=True)
        contacts.mark_deleted(book, "salesforce", "Contact", gone, NOW)
    assert unknown == ["x"]
    with ledger.read() as book:
        assert fetch(book, "SELECT record_id FROM contacts WHERE deleted_at IS NOT NULL") == [("a",)]
        assert contacts.sync_state(book, "salesforce", "Contact") == ("cursor", NOW)


def test_a_contact_keeps_its_first_source_and_every_later_one(ledger: Ledger) -> None:
    pull(ledger, record("a", LeadSource="Web"))
    pull(ledger, record("a", LeadSource="Spring fair", minutes=1))
    with ledger.read() as book:
        first, current = fetch(book, "SELECT first_source, source FROM contacts")[0]
        later = fetch(book, "SELECT source FROM contact_sources")
    assert "Web" in first
    assert "Spring fair" in current
    assert later == [(current,)]


def test_a_ledger_does_not_mix_two_orgs(ledger: Ledger) -> None:
    with ledger.write() as book:
        assert contacts.remember_identity(book, "salesforce", "00D1") is None
        assert contacts.remember_identity(book, "salesforce", "00D1") is None
        assert contacts.remember_identity(book, "salesforce", "00D2") == "00D1"


def test_the_opaque_id_is_stable_and_tells_nothing(ledger: Ledger) -> None:
    one = contacts.why_id(ledger.key, "salesforce", "Contact", "003")
    assert one == contacts.why_id(ledger.key, "salesforce", "Contact", "003")
    assert one != contacts.why_id(b"another key", "salesforce", "Contact", "003")
    assert "003" not in one
