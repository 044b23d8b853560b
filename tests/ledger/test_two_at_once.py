"""A stage of the sync that read something before a delivery ahead of it handled the same: what it read is old, and changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

import orjson
import pytest
from sqlalchemy import Connection

from assets.ahead import AheadDelivery
from assets.do_not_call import _deliver_page as deliver_page
from assets.plan_limits import judge
from assets.planner import plan_changes
from assets.stage import now_ms
from connectors.crm import Crm
from ringtrue.ledger import Ledger, ahead, beside, contacts, dirty, journal, phones, suppressing
from ringtrue.ledger.database import fetch
from ringtrue.ledger.journal import Fields, Planned
from ringtrue.settings import Settings
from tests.ledger.build import FIELDS, MOBILE, NOW, OTHER, OWN, pull, read_numbers, record, waiting_numbers
from tests.ledger.conftest import KEY
from tests.ledger.test_planning import decide_all, suppress

FLAG_WAITS = dirty.do_not_call_stage("salesforce")
CHANGES = dirty.changes_stage("salesforce")


class Meanwhile(Ledger):
    """A ledger in which a delivery is at work between a planner's reading of its first contacts and its writing."""

    deliver: Callable[[Connection], None] | None = None
    readings = 0

    @contextmanager
    def read(self) -> Iterator[Connection]:
        with super().read() as book:
            yield book
        self.readings += 1
        if self.deliver is not None and self.readings == 2:
            with self.write() as book:
                self.deliver(book)


@pytest.fixture
def planner(address: str) -> Iterator[Meanwhile]:
    """Two contacts with an active number, marked to be planned."""
    ledger = Meanwhile.open(address, key=KEY)
    assert isinstance(ledger, Meanwhile)
    pull(ledger, record("a", MobilePhone=MOBILE), record("b", MobilePhone=MOBILE))
    with ledger.write() as book:
        contacts.remember_phone_fields(book, "salesforce", "Contact", FIELDS.phones)
    read_numbers(ledger)
    decide_all(ledger, {MOBILE: "active"})
    yield ledger
    ledger.close()


def plan_while(ledger: Meanwhile, deliver: Callable[[Connection], None]) -> list[tuple[int, str, Fields]]:
    """Plan all while something is delivered. Returns contact, state and fields of every change, in the order they were journalled."""
    ledger.deliver, ledger.readings = deliver, 0
    plan_changes(
        ledger, Settings.model_validate({"connections": {"salesforce": {"kind": "salesforce"}}}), "salesforce", "run"
    )
    ledger.deliver = None
    with ledger.read() as book:
        rows = fetch(book, "SELECT contact_id, state, fields FROM changes ORDER BY change_id")
    return [(row[0], row[1], orjson.loads(row[2])) for row in rows]


def plan_ahead(book: Connection, fields: Fields) -> journal.Change:
    """What a delivery ahead of the sync plans for the first contact."""
    plan_id = journal.new_plan_id()
    journal.add(book, plan_id, "salesforce", [Planned("Contact", "a", 1, fields, False, [])], "run", now_ms())
    journal.seal(book, plan_id, "salesforce", "ahead", "run", now_ms(), {})
    beside.note(book, "salesforce", now_ms(), busy=True)
    [change] = journal.planned(book, "salesforce", plan_id, "Contact", guarded=False, after=0, limit=5, marked_too=True)
    return change


def write_ahead(book: Connection, fields: Fields) -> None:
    """The same, written and answered."""
    change = plan_ahead(book, fields)
    ahead.claim(book, "salesforce", [change], frozenset([OWN.do_not_call]), now_ms())
    journal.start(book, [change], batch="b", job=None, run="run", root_run="run", now=now_ms())
    journal.finish(book, [("applied", None, change.change_id)], now_ms())
    journal.remember_written(book, "salesforce", [(1, change.after())], frozenset(OWN.phone_status), OWN.do_not_call)
    ahead.close(book, "salesforce", change.plan_id, now_ms())
    beside.note(book, "salesforce", now_ms(), busy=False)


def marked(ledger: Ledger) -> list[int]:
    with ledger.read() as book:
        return [key for key, _ in dirty.next_contacts(book, CHANGES, 10)]


def test_numbers_read_from_an_older_record_are_dropped_where_somebody_read_them_meanwhile(ledger: Ledger) -> None:
    with ledger.write() as book:
        suppressing.add(
            book, ledger.key, [(OTHER, "c")], source="import:i1", evidence="list", actor="Ann", at=NOW, now=NOW
        )
    pull(ledger, record("a", MobilePhone=MOBILE), record("b", MobilePhone=MOBILE))
    marks, old = waiting_numbers(ledger)
    # Somebody types a number that must not be called, and a fresh delivery reads it.
    pull(ledger, record("a", minutes=1, MobilePhone=OTHER))
    fresh, rows = waiting_numbers(ledger)
    with ledger.write() as book:
        phones.store(book, [mark for mark in fresh if mark[0] == 1], [row for row in rows if row.contact_id == 1])
    with ledger.write() as book:
        phones.store(book, marks, old)
        assert fetch(book, "SELECT contact_id, raw FROM phones ORDER BY contact_id") == [(1, OTHER), (2, MOBILE)]
        assert dirty.marks_of(book, "contact_id", FLAG_WAITS, [1])
        assert [found.contact_id for found in ahead.stopped(book, ledger.key, [1])] == [1]
        assert dirty.waiting(book, "contact_id", phones.STAGE) == 0


def test_a_contact_marked_again_while_its_numbers_are_read_waits_for_the_next_turn(ledger: Ledger) -> None:
    pull(ledger, record("a", MobilePhone=MOBILE))
    marks, old = waiting_numbers(ledger)
    pull(ledger, record("a", minutes=1, MobilePhone=OTHER))
    with ledger.write() as book:
        phones.store(book, marks, old)
        assert fetch(book, "SELECT raw FROM phones") == []
    read_numbers(ledger)
    with ledger.read() as book:
        assert fetch(book, "SELECT raw FROM phones") == [(OTHER,)]


def test_a_flag_written_after_the_planner_looked_is_not_planned_again(planner: Meanwhile) -> None:
    flag: Fields = {OWN.do_not_call: [None, "true"], OWN.status: [None, "do_not_call"]}
    found = plan_while(planner, lambda book: write_ahead(book, flag))
    assert [(contact, state) for contact, state, _ in found] == [(1, "applied"), (2, "planned")]
    assert marked(planner) == [1], "the rest of the record is for the next plan"
    [_, (_, _, fields)] = plan_while(planner, lambda book: None)[1:]
    assert OWN.status in fields


def test_a_flag_that_stood_when_the_planner_looked_keeps_nothing_from_being_planned(planner: Meanwhile) -> None:
    with planner.write() as book:
        write_ahead(book, {OWN.status: [None, "no_answer"]})
    found = plan_while(planner, lambda book: None)
    assert [(contact, state) for contact, state, _ in found] == [(1, "applied"), (1, "planned"), (2, "planned")]
    assert found[1][2][OWN.status] == ["no_answer", "active"]


def test_a_record_that_a_delivery_handled_after_the_planner_looked_is_left_alone(planner: Meanwhile) -> None:
    def deliver(book: Connection) -> None:
        # A fresh delivery knows more of the number: it writes the status and takes the mark.
        dirty.forget_contacts(book, CHANGES, [1])
        write_ahead(book, {OWN.status: [None, "disconnected"]})

    found = plan_while(planner, deliver)
    assert [(contact, state) for contact, state, _ in found] == [(1, "applied"), (2, "planned")]
    assert marked(planner) == []


def test_what_a_delivery_is_about_to_write_is_not_dropped_by_a_plan(planner: Meanwhile) -> None:
    found = plan_while(planner, lambda book: plan_ahead(book, {OWN.do_not_call: [None, "true"]}) and None)
    assert [(contact, state) for contact, state, _ in found] == [(1, "planned"), (2, "planned")]
    assert marked(planner) == [1]
    with planner.write() as book:
        journal.supersede(book, "salesforce", [1, 2], NOW)
        assert fetch(book, "SELECT contact_id FROM changes WHERE state = 'planned'") == [(1,)]


def retraction(book: Connection) -> journal.Change:
    """The sync's plan to take the flag away."""
    plan_id = journal.new_plan_id()
    fields: Fields = {OWN.do_not_call: ["true", "false"], OWN.status: ["do_not_call", "active"]}
    journal.add(book, plan_id, "salesforce", [Planned("Contact", "a", 1, fields, False, [])], "run", NOW)
    [change] = journal.planned(book, "salesforce", plan_id, "Contact", guarded=False, after=0, limit=5)
    return change


def test_no_flag_is_taken_from_somebody_who_opted_out_since(ledger: Ledger) -> None:
    pull(ledger, record("a", MobilePhone=MOBILE, ours={OWN.do_not_call: "true"}))
    read_numbers(ledger)
    with ledger.write() as book:
        dirty.forget_contacts(book, CHANGES, [1])
        dirty.forget_contacts(book, FLAG_WAITS, [1])
        change = retraction(book)
        assert ahead.still_to_send(book, "salesforce", [change], NOW) == [change]
        assert beside.taken_away(book, "salesforce", [1], NOW) == {1: True}, "it can be planned anew"
        suppressing.add(
            book, ledger.key, [(MOBILE, "c")], source="import:i1", evidence="list", actor="Ann", at=NOW, now=NOW
        )
        assert ahead.still_to_send(book, "salesforce", [change], NOW) == []
        dirty.forget_contacts(book, FLAG_WAITS, [1])
        dirty.mark_contacts(book, CHANGES, [1])
        assert ahead.still_to_send(book, "salesforce", [change], NOW) == []


def test_a_flag_that_is_being_taken_away_does_not_stand(ledger: Ledger) -> None:
    pull(ledger, record("a", MobilePhone=MOBILE, ours={OWN.do_not_call: "true"}))
    with ledger.write() as book:
        change = retraction(book)
        journal.start(book, [change], batch="b", job=None, run="run", root_run="run", now=NOW)
        assert beside.taken_away(book, "salesforce", [1], NOW) == {1: False}
        journal.finish(book, [("applied", None, change.change_id)], NOW)
        assert beside.taken_away(book, "salesforce", [1], NOW) == {1: False}, "it was, since the ledger was read"
        assert beside.taken_away(book, "salesforce", [1], NOW + 60_000) == {}


class NoCrm:
    """Nothing is sent in these tests."""

    objects: tuple[str, ...] = ()


@pytest.mark.parametrize("sent", [False, True])
def test_the_mark_of_a_flag_stays_as_long_as_it_is_being_taken_away(planner: Meanwhile, sent: bool) -> None:
    pull(planner, record("a", minutes=1, MobilePhone=MOBILE, ours={OWN.do_not_call: "true"}))
    suppress(planner, None, 1, "call:x")
    with planner.write() as book:
        for stage in (CHANGES, FLAG_WAITS):
            dirty.forget_contacts(book, stage, [1, 2])
        change = retraction(book)
        if sent:
            journal.start(book, [change], batch="b", job=None, run="run", root_run="run", now=NOW)
        dirty.mark_contacts(book, FLAG_WAITS, [1])
        marks = dirty.next_contacts(book, FLAG_WAITS, 10)
    settings = Settings.model_validate({"connections": {"salesforce": {"kind": "salesforce"}}})
    delivery = AheadDelivery.of(planner, cast(Crm, NoCrm()), settings, "salesforce", "run", "run", flags_only=True)
    deliver_page(delivery, marks, {}, Counter())
    with planner.read() as book:
        waits = [key for key, _ in dirty.next_contacts(book, FLAG_WAITS, 10)]
    assert (waits, marked(planner)) == (([1], []) if sent else ([], [1]))


def test_what_was_written_ahead_is_not_the_first_plan(planner: Meanwhile) -> None:
    with planner.write() as book:
        write_ahead(book, {OWN.do_not_call: [None, "true"]})
        assert journal.has_written(book, "salesforce")
        assert not journal.has_synced(book, "salesforce")
    settings = Settings.model_validate(
        {"connections": {"salesforce": {"kind": "salesforce", "sandbox_url": "http://x"}}}
    )
    planned = plan_changes(planner, settings, "salesforce", "run").plan
    assert judge(planner, settings, "salesforce", planned).first
    with planner.write() as book:
        [change, *_] = journal.planned(book, "salesforce", planned.plan_id, "Contact", guarded=False, after=0, limit=5)
        journal.finish(book, [("applied", None, change.change_id)], NOW)
        assert journal.has_synced(book, "salesforce")


def test_flags_written_ahead_count_for_the_next_plan(planner: Meanwhile) -> None:
    with planner.write() as book:
        change = plan_ahead(book, {OWN.do_not_call: [None, "true"]})
        ahead.note_tally(book, change.plan_id, {"newly do-not-call": 1})
        ahead.close(book, "salesforce", change.plan_id, NOW)
        journal.finish(book, [("applied", None, change.change_id)], NOW)
    suppress(planner, MOBILE, None, "call:x")
    limits = {"small_plan": 1, "newly_do_not_call_share": 0.6}
    connection = {"kind": "salesforce", "sandbox_url": "http://x", "approve_first": False}
    settings = Settings.model_validate({"connections": {"salesforce": connection}, "guard": limits})
    planned = plan_changes(planner, settings, "salesforce", "run").plan
    [flags] = [
        one for one in judge(planner, settings, "salesforce", planned).compared if one.name == "newly do-not-call"
    ]
    assert (flags.found, flags.share) == (2, 1.5)
    assert flags.objection is not None
