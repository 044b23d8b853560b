"""Campaigns people joined, and the journal of what CRMs were told, on both databases."""

from __future__ import annotations

import orjson

from ringtrue.ledger import Ledger, campaigns, feedback
from ringtrue.ledger.database import fetch
from tests.ledger.build import MOBILE, NOW, pull, record

HOUR = 3_600_000


def test_a_campaign_joined_at_once_brought_the_contact_and_later_ones_stand_beside_it(ledger: Ledger) -> None:
    pull(ledger, record("1", Phone=MOBILE, LeadSource="Web"), record("2", Phone=MOBILE))
    joins = [
        ("1", "Spring", NOW + HOUR),
        ("1", "Autumn", NOW + 2 * HOUR),
        ("2", "Autumn", NOW + 99 * HOUR),
        ("9", "X", NOW),
    ]
    with ledger.write() as book:
        assert campaigns.store_joins(book, "salesforce", joins) == (1, 2)
        assert campaigns.store_joins(book, "salesforce", joins)[0] == 0
        first = dict(fetch(book, "SELECT record_id, first_source FROM contacts"))
        later = fetch(book, "SELECT source FROM contact_sources ORDER BY contact_id")
    assert orjson.loads(first["1"]) == {"LeadSource": "Web", "campaign": "Spring"}
    assert first["2"] == "{}"
    assert later == [('{"campaign":"Autumn"}',), ('{"campaign":"Autumn"}',)]


def test_the_journal_knows_what_each_record_was_last_told(ledger: Ledger) -> None:
    with ledger.write() as book:
        feedback.begin(
            book, "hubspot", "contacts", {"1": {"grade": [None, "A"]}, "2": {"grade": [None, "B"]}}, "run", NOW
        )
    with ledger.write() as book:
        first, second = feedback.sending(book, "hubspot")
        feedback.end(book, [(first.feedback_id, "applied", None), (second.feedback_id, "failed", "locked")], NOW)
        assert feedback.sending(book, "hubspot") == []
        assert feedback.last_told(book, "hubspot", "contacts", ["1", "2"]) == {"1": {"grade": "A"}}
        assert feedback.last_told(book, "other", "contacts", ["1"]) == {}


def test_living_records_come_in_portions(ledger: Ledger) -> None:
    pull(ledger, *(record(str(place), Phone=MOBILE) for place in range(5)))
    with ledger.read() as book:
        portions = list(feedback.living(book, "salesforce", "Contact", 2))
    assert [len(portion) for portion in portions] == [2, 2, 1]
