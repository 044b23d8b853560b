"""Consent by channel: withdrawn, outlived by a stop, lost when the number changes hands."""

from __future__ import annotations

from ringtrue.ledger import Ledger, consents, suppressing, suppressions
from ringtrue.ledger.consents import Consent
from ringtrue.ledger.database import insert_rows
from ringtrue.ledger.suppressing import Signed
from tests.ledger.build import LANDLINE, MOBILE, NOW, pull, read_numbers, record

DAY = 86_400_000
BOTH = Signed("Ann", "Bo", "form of 3 May")


def give(ledger: Ledger, at: int, *, kind: str = "given", channel: str = "sms") -> None:
    with ledger.write() as book:
        consent = Consent(kind, channel, MOBILE, "manual", "form", "Ann", at)  # type: ignore[arg-type]  # the words of the test
        consents.add(book, ledger.key, [consent], NOW)


def may_text(ledger: Ledger) -> bool:
    with ledger.read() as book:
        return bool(consents.may_text(book, ledger.key, [MOBILE, LANDLINE]))


def test_a_consent_holds_until_it_is_withdrawn(ledger: Ledger) -> None:
    assert not may_text(ledger)
    give(ledger, NOW)
    assert may_text(ledger)
    give(ledger, NOW + 1, kind="withdrawn")
    assert not may_text(ledger)


def test_a_consent_to_calls_is_none_to_text_messages(ledger: Ledger) -> None:
    give(ledger, NOW, channel="call")
    assert not may_text(ledger)


def test_a_stop_counts_for_all_channels_until_a_newer_consent(ledger: Ledger) -> None:
    give(ledger, NOW)
    with ledger.write() as book:
        suppressing.add(
            book,
            ledger.key,
            [(MOBILE, "1")],
            source="manual",
            evidence="said stop",
            actor="Ann",
            at=NOW + DAY,
            now=NOW + DAY,
        )
    assert not may_text(ledger)
    give(ledger, NOW + 2 * DAY)
    assert may_text(ledger)


def test_a_number_that_died_has_a_new_owner_and_no_consent(ledger: Ledger) -> None:
    give(ledger, NOW)
    with ledger.write() as book:
        row = (
            MOBILE,
            "disconnected",
            "disconnected",
            "unknown",
            "unknown",
            "ok",
            0.99,
            "dead",
            "[]",
            "p",
            NOW + DAY,
            False,
        )
        insert_rows(
            book, "decisions",
            ["number", "status", "line", "reach", "identity", "permission", "confidence", "reason", "evidence", "policy", "decided_at", "current"],
            [row],
        )  # fmt: skip
    assert not may_text(ledger)
    give(ledger, NOW + 2 * DAY)
    assert may_text(ledger)


def test_reconsent_lifts_the_person_with_the_number_and_keeps_the_consent(ledger: Ledger) -> None:
    pull(ledger, record("a", Phone=MOBILE, MobilePhone=LANDLINE))
    read_numbers(ledger)
    with ledger.write() as book:
        person = suppressing.add_person(
            book, ledger.key, "salesforce", "a", cause="c", evidence="call", actor="Ann", at=NOW,
            switchboard_people=5, now=NOW,
        )  # fmt: skip
        suppressing.add(
            book, ledger.key, [(MOBILE, "c")], source="manual", evidence="call", actor="Ann", at=NOW, now=NOW
        )
    assert person == 1
    with ledger.write() as book:
        assert suppressing.reconsent(book, ledger.key, MOBILE, BOTH, NOW, NOW) >= 1
        assert suppressing.of_numbers(book, ledger.key, [MOBILE]) == {}
        assert consents.given(book, ledger.key, [MOBILE], "call") == {MOBILE: NOW}
        assert suppressions.broken_link(book) is None
        kinds = [event.kind for event in suppressing.events_of(book, ledger.key, MOBILE)]
    assert kinds[-1] == "reconsent"
