"""What the planner is handed: values last seen, numbers in order, decisions, suppressions and holds."""

from __future__ import annotations

import pandas as pd
from sqlalchemy import text

from ringtrue.changes import ContactState
from ringtrue.ledger import Ledger, decisions, dirty, planning, suppressions
from ringtrue.ledger.suppressions import Suppression
from tests.ledger.build import LANDLINE, MOBILE, NOW, OWN, pull, read_numbers, record


def decide_all(ledger: Ledger, status: dict[str, str]) -> None:
    frame = pd.DataFrame(
        [
            {
                "number": number, "contact": None, "status": value, "line": "unknown", "reach": "unknown", "identity": "unknown",
                "permission": "ok", "confidence": 0.5, "reason": "why", "recheck_at": None, "evidence": ["x"],
            }
            for number, value in status.items()
        ]
    ).astype({"contact": "Int64"})  # fmt: skip
    frame["recheck_at"] = pd.to_datetime(frame["recheck_at"], utc=True)
    with ledger.write() as book:
        decisions.store(book, frame, dirty.next_numbers(book, decisions.STAGE, 100), "p1", NOW)


def state(ledger: Ledger, contact_id: int = 1) -> ContactState:
    with ledger.read() as book:
        [found] = planning.contact_states(book, ledger.key, [(contact_id, 0)], email_good_only=False)
    return found


def suppress(ledger: Ledger, number: str | None, contact_id: int | None, source: str) -> None:
    event = Suppression(
        "opt_out", "number" if number else "person", number, contact_id, "cause", source, "evidence", "actor", NOW
    )
    with ledger.write() as book:
        suppressions.append(book, ledger.key, [event], NOW)


def test_a_contact_comes_with_all_it_has(ledger: Ledger) -> None:
    pull(ledger, record("a", Phone=LANDLINE, MobilePhone=MOBILE, Email="a@example.com", ours={OWN.status: "active"}))
    read_numbers(ledger)
    decide_all(ledger, {LANDLINE: "disconnected", MOBILE: "active"})
    found = state(ledger)
    assert (found.object_name, found.record_id, found.ours) == ("Contact", "a", {OWN.status: "active"})
    assert found.raw_phones == {"Phone": LANDLINE, "MobilePhone": MOBILE}
    assert {number.field: (number.status, number.e164) for number in found.numbers} == {
        "Phone": ("disconnected", LANDLINE),
        "MobilePhone": ("active", MOBILE),
    }
    assert found.email_usable
    assert not found.opted_out
    assert found.holds == {}


def test_a_number_without_a_decision_waits_and_a_deleted_contact_is_left_out(ledger: Ledger) -> None:
    pull(ledger, record("a", Phone=LANDLINE), record("b", Phone=MOBILE))
    read_numbers(ledger)
    assert state(ledger).numbers == ()
    pull(ledger, record("b", deleted=True, minutes=1))
    with ledger.read() as book:
        found = planning.contact_states(book, ledger.key, [(1, 0), (2, 0)], email_good_only=False)
    assert [one.record_id for one in found] == ["a"]


def test_a_person_who_opted_out_is_told_from_a_number_that_a_registry_lists(ledger: Ledger) -> None:
    pull(ledger, record("a", Phone=LANDLINE, MobilePhone=MOBILE), record("b"))
    read_numbers(ledger)
    suppress(ledger, LANDLINE, None, "registry:us_national")
    suppress(ledger, MOBILE, None, "call:salesforce")
    suppress(ledger, None, 2, "crm_flag:salesforce")
    decide_all(ledger, {LANDLINE: "do_not_call", MOBILE: "do_not_call"})
    assert {number.field: number.personal_opt_out for number in state(ledger).numbers} == {
        "Phone": False,
        "MobilePhone": True,
    }
    assert state(ledger, 2).opted_out
    assert state(ledger, 2).opt_out_reason == planning.PERSON_REASON["en"]


def test_holds_and_an_email_opt_out_are_known(ledger: Ledger) -> None:
    pull(ledger, record("a", Email="a@example.com"))
    with ledger.write() as book:
        book.execute(text("INSERT INTO holds VALUES (1, 'Phone', '+1', 0, 'undo-1')"))
        book.execute(text("UPDATE contacts SET email_opt_out = true"))
    assert state(ledger).holds == {"Phone": "+1"}
    assert not state(ledger).email_usable


def test_every_living_record_of_a_connection_can_be_compared_again(ledger: Ledger) -> None:
    pull(ledger, record("a"), record("b"))
    pull(ledger, record("a"), connection="other")
    pull(ledger, record("b", deleted=True, minutes=1))
    with ledger.write() as book:
        book.exec_driver_sql("DELETE FROM dirty_contacts")
        assert planning.mark_all(book, "salesforce") == 1
