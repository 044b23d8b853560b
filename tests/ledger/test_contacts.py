"""What a pull stores, what it tells apart, and what it marks for the next stages."""

from __future__ import annotations

from dataclasses import replace

from ringtrue.ledger import Ledger, contacts, dirty, journal
from ringtrue.ledger.contacts import PullCounts
from ringtrue.ledger.database import fetch
from ringtrue.records import PulledRecord
from tests.ledger.build import FIELDS, MOBILE, NOW, OTHER, OWN, origin, pull, record


def keys(ledger: Ledger, stage: str) -> list[int]:
    with ledger.read() as book:
        return [key for key, _ in dirty.next_contacts(book, stage, 100)]


def settle(ledger: Ledger) -> None:
    """Let every stage have done its work."""
    with ledger.write() as book:
        book.exec_driver_sql("DELETE FROM dirty_contacts")


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
    pull(ledger, record("a", Phone=MOBILE))
    with ledger.write() as book:
        journal.remember_written(
            book, "salesforce", [(1, {OWN.status: "active"})], frozenset(OWN.phone_status), OWN.do_not_call
        )
    echo = pull(ledger, record("a", Phone=MOBILE, minutes=1, ours={OWN.status: "active"}))
    assert (echo.unchanged, echo.drifted) == (1, 0)
    edited = pull(ledger, record("a", Phone=MOBILE, minutes=2, ours={OWN.status: "invalid"}))
    assert (edited.changed, edited.drifted) == (1, 1)
    assert waiting(ledger, dirty.changes_stage("salesforce")) == 1


def test_a_new_flag_wakes_the_opt_outs_but_one_we_set_does_not(ledger: Ledger) -> None:
    pull(ledger, record("a", DoNotCall="true"), record("b", DoNotCall="false"))
    assert waiting(ledger, "opt_outs") == 1
    with ledger.write() as book:
        contact_b = fetch(book, "SELECT contact_id FROM contacts WHERE record_id = 'b'")[0][0]
        journal.remember_written(book, "salesforce", [(contact_b, {"DoNotCall": "true"})], frozenset(), OWN.do_not_call)
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


def wrote(ledger: Ledger, contact_id: int, values: dict[str, str | None]) -> None:
    with ledger.write() as book:
        journal.remember_written(
            book, "salesforce", [(contact_id, values)], frozenset(OWN.phone_status), OWN.do_not_call
        )


def test_a_version_older_than_our_write_is_no_drift_and_no_opt_out(ledger: Ledger) -> None:
    """HubSpot's search hands out old versions while its index lags behind our own write."""
    before = record("a", Phone=MOBILE, minutes=1, DoNotCall="false")
    pull(ledger, before)
    settle(ledger)
    wrote(ledger, 1, {OWN.status: "do_not_call", OWN.do_not_call: "true"})
    lagging = pull(ledger, before, record("a", Phone=OTHER, minutes=0))
    assert (lagging.unchanged, lagging.drifted, lagging.unticked) == (2, 0, 0)
    echo = record("a", Phone=MOBILE, minutes=2, DoNotCall="true", ours={OWN.status: "do_not_call"})
    assert pull(ledger, echo).unticked == 0
    assert keys(ledger, "opt_outs") == []
    assert keys(ledger, "phones") == []


def test_an_edit_in_the_second_of_our_own_write_is_heard_where_reads_are_exact(ledger: Ledger) -> None:
    """Salesforce tells the moment of a change in whole seconds."""
    exact = origin()._replace(index_lags=False)
    pull(ledger, record("a", DoNotCall="false"))
    wrote(ledger, 1, {OWN.do_not_call: "true", OWN.status: "do_not_call"})
    ours = {OWN.status: "do_not_call"}
    counted = PullCounts()
    with ledger.write() as book:
        for flag in ("true", "false"):
            page = [record("a", DoNotCall=flag, minutes=1, ours=ours)]
            contacts.store_page(book, exact, page, ledger.key, NOW, counted)
    assert counted.unticked == 1
    assert waiting(ledger, dirty.changes_stage("salesforce")) == 1


def test_a_flag_set_again_by_a_person_after_ours_was_taken_away_is_heard(ledger: Ledger) -> None:
    pull(ledger, record("a", DoNotCall="false"))
    wrote(ledger, 1, {OWN.do_not_call: "true"})
    taken = pull(ledger, record("a", DoNotCall="false", minutes=1))
    assert taken.unticked == 1
    settle(ledger)
    pull(ledger, record("a", DoNotCall="true", minutes=2))
    assert keys(ledger, "opt_outs") == [1]


def test_another_flag_is_heard_although_ours_stands(ledger: Ledger) -> None:
    fields = replace(FIELDS, do_not_call=("Their_Flag__c", "DoNotCall"))
    counted = PullCounts()

    def store(*records: PulledRecord) -> None:
        with ledger.write() as book:
            contacts.store_page(book, origin()._replace(fields=fields), records, ledger.key, NOW, counted)

    store(record("a", DoNotCall="false"))
    wrote(ledger, 1, {OWN.do_not_call: "true"})
    store(record("a", DoNotCall="true", minutes=1))
    assert keys(ledger, "opt_outs") == []
    store(record("a", DoNotCall="true", Their_Flag__c="true", minutes=2))
    assert keys(ledger, "opt_outs") == [1]


def test_a_deleted_record_keeps_what_it_said_last(ledger: Ledger) -> None:
    pull(ledger, record("a", Phone=MOBILE, Email="a@example.com", DoNotCall="true"))
    counted = pull(
        ledger, PulledRecord("a", {"Phone": None, "DoNotCall": None}, None, record("a", minutes=1).modified_at, True)
    )
    assert (counted.deleted, counted.unticked, counted.drifted) == (1, 0, 0)
    with ledger.read() as book:
        assert fetch(book, "SELECT email, flagged_at IS NOT NULL FROM contacts") == [("a@example.com", True)]
    back = pull(ledger, record("a", Phone=MOBILE, Email="a@example.com", DoNotCall="true", minutes=2))
    assert back.changed == 1
    with ledger.read() as book:
        assert fetch(book, "SELECT deleted_at FROM contacts") == [(None,)]


def test_a_survivor_names_the_records_merged_into_it(ledger: Ledger) -> None:
    """HubSpot shows the losers of a merge nowhere but on the survivor."""
    pull(ledger, record("a"), record("b"), record("c"))
    settle(ledger)
    counted = pull(ledger, record("c", minutes=1, merged_from=("a", "b", "never seen")))
    assert (counted.deleted, counted.merged) == (2, 2)
    with ledger.read() as book:
        merged = fetch(book, "SELECT record_id, merged_into, deleted_at IS NOT NULL FROM contacts ORDER BY record_id")
    assert [(row[0], row[1], bool(row[2])) for row in merged] == [
        ("a", "c", True),
        ("b", "c", True),
        ("c", None, False),
    ]
    assert keys(ledger, "phones") == [1, 2]
    assert keys(ledger, "opt_outs") == keys(ledger, dirty.changes_stage("salesforce")) == [3]
    settle(ledger)
    assert pull(ledger, record("c", minutes=2, merged_from=("a", "b"))).merged == 0


def test_the_newest_version_in_a_page_counts(ledger: Ledger) -> None:
    counted = pull(ledger, record("a", Phone=OTHER, minutes=2), record("a", Phone=MOBILE, minutes=1))
    assert (counted.read, counted.new, counted.unchanged) == (2, 1, 1)
    with ledger.read() as book:
        assert OTHER in fetch(book, "SELECT phones FROM contacts")[0][0]


def test_every_record_read_is_accounted_for(ledger: Ledger) -> None:
    counted = PullCounts()
    pages = [
        [record("a", Phone=MOBILE), record("b"), record("b"), record("x", deleted=True)],
        [
            record("a", Phone=OTHER, minutes=1),
            record("b", deleted=True, minutes=1),
            record("c", merged_into="a", deleted=True),
        ],
        [record("a", Phone=OTHER, minutes=2)],
    ]
    for page in pages:
        with ledger.write() as book:
            contacts.store_page(book, origin(), page, ledger.key, NOW, counted)
    assert counted.read == 8 == counted.new + counted.changed + counted.unchanged
