"""Privacy requests: all that is held is handed out, and erased from every table and from the files of the database."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sqlalchemy import text

from ringtrue.errors import LedgerError
from ringtrue.ledger import (
    Ledger,
    calls,
    consents,
    dirty,
    journal,
    phones,
    planning,
    privacy,
    review,
    spend,
    suppressing,
    suppressions,
    wiping,
)
from ringtrue.ledger.calls import CallCounts
from ringtrue.ledger.consents import Consent
from ringtrue.ledger.database import fetch, insert_rows
from ringtrue.ledger.journal import Planned
from ringtrue.ledger.personal import RULES
from ringtrue.ledger.phones import PhoneRow
from ringtrue.ledger.schema import metadata
from ringtrue.ledger.suppressions import Suppression, number_key
from ringtrue.records import PulledCall
from tests.ledger.build import LANDLINE, MOBILE, NOW, OTHER, START, pull, read_numbers, record

NAME, EMAIL = "Zebulon Quarterstaff", "zebulon@quarterstaff.example"
TRACES = (b"400123456", b"400 123", b"Zebulon", b"quarterstaff.example", b"1212345678")


def test_every_column_of_the_ledger_says_whose_it_is() -> None:
    """Whoever adds a column says in ringtrue/ledger/personal.py whether it holds somebody's data, and what erasing does with it."""
    for table in metadata.tables.values():
        assert table.name in RULES, f"{table.name} is missing in ringtrue/ledger/personal.py"
        rule = RULES[table.name]
        named = [name for names in rule.columns.values() for name in names.split()]
        assert sorted(named) == sorted(column.name for column in table.columns), table.name
        for name, what in rule.treatment().items():
            assert rule.delete or what != "null" or table.columns[name].nullable, (
                f"{table.name}.{name} cannot become NULL"
            )
    assert set(RULES) == set(metadata.tables)


def call(call_id: str, *records: str, number: str | None, notes: str | None) -> PulledCall:
    return PulledCall(call_id, records, number, "Busy", None, None, "OUTBOUND", 10.0, notes, START, START)


def fill(ledger: Ledger) -> None:
    """Zebulon (record z) with two numbers and traces in every table; Ann (record a) shares the landline of OTHER with nobody."""
    pull(
        ledger,
        record("z", Name=NAME, Email=EMAIL, Phone="07400 123456", MobilePhone=LANDLINE, ours={
            "RingTrue_Best_Number__c": MOBILE, "RingTrue_Status__c": "active"}),
        record("a", Name="Ann", Phone=OTHER),
    )  # fmt: skip
    with ledger.write() as book:
        book.execute(text("UPDATE contacts SET phones = replace(phones, '07400 123456', :n)"), {"n": MOBILE})
    read_numbers(ledger)
    with ledger.write() as book:
        calls.store_page(
            book, "dialler", "vicidial",
            [call("c1", number="+44 7400 123456", notes=f"talked to {NAME}"), call("c2", "z", number=None, notes="his sister"),
             call("c3", number=OTHER, notes="Ann, not Zeb")],
            CallCounts(),
            key=ledger.key,
        )  # fmt: skip
        observed = [
            "number",
            "contact_id",
            "kind",
            "source",
            "outcome",
            "raw",
            "detail",
            "observed_at",
            "recorded_at",
            "external_id",
            "run",
        ]
        insert_rows(
            book, "observations", observed,
            [(MOBILE, 0, "call:busy", "calls:dialler", "busy", "Busy", None, NOW, NOW, "c1", "r"),
             (MOBILE, 1, "lookup", "twilio", "alive", '{"number": "+447400123456"}', "x", NOW, NOW, "l1", "r")],
        )  # fmt: skip
        decided = ["number", "contact_id", "status", "line", "reach", "identity", "permission", "confidence", "reason", "evidence",
                   "policy", "decided_at", "current"]  # fmt: skip
        insert_rows(
            book, "decisions", decided,
            [(MOBILE, 0, "active", "alive", "reached", "right", "free", 0.9, f"{NAME} answered", '["observation:1"]', "p", NOW, True)],
        )  # fmt: skip
        journal.add(
            book, "plan", "salesforce",
            [Planned("Contact", "z", 1, {"Phone": ["07400 123456", MOBILE], "RingTrue_Status__c": [None, "active"]}, False, [1])],
            "r", NOW,
        )  # fmt: skip
        book.execute(text("UPDATE changes SET state = 'applied', error = 'refused: 07400-123456'"))
        insert_rows(
            book, "intents",
            ["service", "product", "subject", "kind", "question", "run", "root_run", "state", "current", "cost", "currency",
             "lifetime_days", "answer", "created_at"],
            [("twilio", "line_type", MOBILE, "number", f'{{"number": "{MOBILE}"}}', "r", "r", "answered", True, 5, "USD", 30, "{}", NOW),
             ("zerobounce", "email", EMAIL, "email", f'{{"email": "{EMAIL}"}}', "r", "r", "answered", True, 5, "USD", 30, "{}", NOW)],
        )  # fmt: skip
        insert_rows(book, "lines", ["number", "carrier", "service", "observed_at"], [(MOBILE, "EE", "twilio", NOW)])
        insert_rows(book, "lookup_dates", ["number", "look_at"], [(MOBILE, NOW)])
        insert_rows(book, "email_states", ["email", "state", "wanted_at", "look_at"], [(EMAIL, "good", NOW, NOW)])
        insert_rows(book, "email_preferences", ["connection", "email", "checked_at"], [("hubspot", EMAIL, NOW)])
        insert_rows(
            book,
            "list_members",
            ["connection", "list", "record_id", "status", "seen_at"],
            [("salesforce", "7", "z", "Sent", NOW)],
        )
        insert_rows(book, "holds", ["contact_id", "field", "refused", "since", "run"], [(1, "Phone", MOBILE, NOW, "u")])
        insert_rows(
            book,
            "registry_listings",
            ["number", "name", "kind", "registry_id", "since"],
            [(MOBILE, "tps", "uk_tps", 1, NOW)],
        )
        insert_rows(
            book, "source_arrivals", ["contact_id", "number", "status", "raw", "e164", "verified_at"],
            [(1, MOBILE, "disconnected", "07400 123456", MOBILE, NOW)],
        )  # fmt: skip
        insert_rows(
            book, "rejects", ["stage", "connection", "key", "reason", "run", "at"],
            [("calls", "dialler", "f.csv:3", "07400/123456 is odd", "r", NOW)],
        )  # fmt: skip
        insert_rows(
            book, "inbox", ["source", "event_id", "kind", "connection", "object", "record_id", "body", "received_at"],
            [("dialler", "e1", "call", None, None, None, '{"number": "+44 7400 123456"}', NOW),
             ("salesforce", "e2", "changed", "salesforce", "Contact", "z", "<x>Zebulon</x>", NOW)],
        )  # fmt: skip
        review.add(book, "opt_out", [("remove me", "dialler:c1")], NOW)
        review.add(book, "number", [("07400 123456 / Zeb", MOBILE)], NOW)
        consents.add(book, ledger.key, [Consent("given", "sms", MOBILE, "form", f"form of {EMAIL}", "Bo", NOW)], NOW)
        suppressions.append(
            book, ledger.key, [Suppression("opt_out", "number", MOBILE, None, "flag", "crm_flag:salesforce", "flag", "user", NOW)], NOW
        )  # fmt: skip


def stored(ledger: Ledger) -> bytes:
    """Every byte of the database: its files, or all rows of all tables and the server's statistics."""
    if ledger.is_sqlite:
        path = Path(str(ledger.engine.url.database))
        return b"".join(each.read_bytes() for each in path.parent.glob(path.name + "*") if each.suffix != ".lock")
    with ledger.read() as book:
        rows = [str(fetch(book, f"SELECT t::text FROM {name} AS t")) for name in metadata.tables]
        rows.append(str(fetch(book, "SELECT s::text FROM pg_stats AS s WHERE schemaname = 'public'")))
    return "".join(rows).encode()


def forget(ledger: Ledger, number: str = MOBILE) -> privacy.Request:
    with ledger.write() as book:
        subject = privacy.subject_of(book, number, privacy.carriers(book, number))
        done = privacy.forget(book, ledger.key, subject, "Bo", f"letter of {NAME}, {number}", NOW)
    wiping.wipe(ledger, [*done.counts, "dirty_numbers", "suppressions", "privacy_requests"])
    return done


def test_everything_is_found_and_nothing_of_it_is_left(ledger: Ledger) -> None:
    fill(ledger)
    with ledger.read() as book:
        found = privacy.find(book, ledger.key, privacy.subject_of(book, MOBILE, privacy.carriers(book, MOBILE)))
    assert set(found) == {name for name, rule in RULES.items() if rule.found_by} - {
        "contact_sources",
        "privacy_requests",
    }
    assert [row["call_id"] for row in found["calls"]] == [1, 2]
    for trace in TRACES:
        assert trace in stored(ledger)

    done = forget(ledger)
    after = stored(ledger)
    for trace in (*TRACES, b"sister"):
        assert trace not in after, trace
    assert b"Ann, not Zeb" in after, "what is said of others stays"
    assert OTHER.encode() in after
    assert done.counts["observations"] == 2

    with ledger.read() as book:
        assert suppressions.broken_link(book) is None
        events = suppressing.events_of(book, ledger.key, MOBILE)
        assert [event.source for event in events if event.scope == "number"] == [
            "crm_flag:salesforce",
            "opt_out:privacy",
        ]
        assert {event.number for event in events} == {None}
        assert [each.number for each in suppressions.live_numbers(book, ledger.key, [MOBILE, LANDLINE])].count(
            MOBILE
        ) == 2
        (kind, at, who, why) = privacy.requests(book, ledger.key, MOBILE)[0]
        assert (kind, at, who, why) == ("forget", NOW, "Bo", "letter of (erased), (erased)")
        assert fetch(book, "SELECT number_key FROM privacy_requests") == [(number_key(ledger.key, MOBILE),)]
        # Counts and histories stay, and hang together: the evidence of a number is still one number's.
        assert fetch(book, "SELECT count(*), count(DISTINCT number), min(substr(number, 1, 1)) FROM observations") == [
            (2, 1, "?")
        ]
        assert fetch(book, "SELECT o.number = d.number, d.number = a.number FROM observations AS o, decisions AS d, source_arrivals AS a "
                     "WHERE o.observation_id = 1") in ([(True, True)], [(1, 1)])  # fmt: skip
        (fields,) = fetch(book, "SELECT fields FROM changes")[0]
        assert '"active"' in fields
        assert fields.count("(erased)") == 2


def test_a_record_that_is_still_in_the_crm_is_not_stored_again_and_stays_flagged(ledger: Ledger) -> None:
    fill(ledger)
    forget(ledger)
    counted = pull(ledger, record("z", minutes=5, Name=NAME, Email=EMAIL, Phone=MOBILE, DoNotCall="true", ours={
        "RingTrue_Best_Number__c": MOBILE, "RingTrue_Status__c": "active"}))  # fmt: skip
    assert counted.read == counted.changed == 1
    with ledger.write() as book:
        again = [call("c2", "z", number=MOBILE, notes="his brother")]
        calls.store_page(book, "salesforce", "salesforce", again, CallCounts(), key=ledger.key)
    for trace in (*TRACES, b"brother"):
        assert trace not in stored(ledger), trace
    with ledger.read() as book:
        assert list(suppressions.live_persons(book, [1])) == [1]
        assert dirty.waiting(book, "contact_id", "phones") == 0
        ((flag, ours, phones),) = fetch(book, "SELECT do_not_call, ours, phones FROM contacts WHERE record_id = 'z'")
        assert (bool(flag), ours, phones) == (True, '{"DoNotCall":"true","RingTrue_Status__c":"active"}', "{}")


def test_a_number_of_several_people_stays_with_the_others(ledger: Ledger) -> None:
    pull(ledger, record("z", Name=NAME, Phone=MOBILE), record("b", Name="Bea Other", Phone=MOBILE))
    read_numbers(ledger)
    with ledger.write() as book:
        subject = privacy.subject_of(book, MOBILE, privacy.record_of(book, "salesforce", "z"))
        assert subject.numbers == ()
        privacy.forget(book, ledger.key, subject, "Bo", "letter", NOW)
    with ledger.read() as book:
        assert fetch(book, "SELECT contact_id, number FROM phones") == [(2, MOBILE)]
        assert suppressions.live_numbers(book, ledger.key, [MOBILE]) == []
        assert list(suppressions.live_persons(book, [1, 2])) == [1]


def test_a_call_that_comes_again_without_its_people_or_with_an_erased_number_stays_empty(ledger: Ledger) -> None:
    fill(ledger)
    forget(ledger)
    with ledger.write() as book:
        again = [
            call("c1", number="07400-123456", notes="talked to Zebulon"),
            call("c2", number=OTHER, notes="his sister"),
            call("c3", number=OTHER, notes="Ann, not Zeb"),
            call("c4", "z", number=MOBILE, notes="his sister"),
            call("c5", "a", number=MOBILE, notes="Ann has it now"),
        ]
        for _ in range(2):
            calls.store_page(book, "dialler", "vicidial", again[:1], CallCounts(), key=ledger.key, region="GB")
            calls.store_page(book, "dialler", "vicidial", again[2:], CallCounts(), key=ledger.key)
        z = [call("s1", "z", number=MOBILE, notes="his sister")]
        calls.store_page(book, "salesforce", "salesforce", z, CallCounts(), key=ledger.key)
        for _ in range(2):
            without = [call("s1", number=OTHER, notes="his sister")]
            calls.store_page(book, "salesforce", "salesforce", without, CallCounts(), key=ledger.key)
        found = fetch(book, "SELECT external_id, number, notes, records FROM calls ORDER BY external_id")
    assert found == [
        ("c1", None, None, "[]"),
        ("c2", None, None, '["z"]'),
        ("c3", OTHER, "Ann, not Zeb", "[]"),
        ("c4", None, None, '["z"]'),
        ("c5", MOBILE, "Ann has it now", '["a"]'),
        ("s1", None, None, '["z"]'),
    ]


def test_what_stages_under_way_had_read_before_is_neither_stored_nor_sent(ledger: Ledger) -> None:
    fill(ledger)
    pull(ledger, record("z", minutes=1, Name=NAME, Email=EMAIL, Phone=MOBILE, MobilePhone=OTHER))
    with ledger.write() as book:
        marks = dirty.next_contacts(book, phones.STAGE, 10)
        numbers = dirty.next_numbers(book, "status", 10, "")
    rows = [PhoneRow(1, "Phone", 0, MOBILE, MOBILE, MOBILE, None, True, True, None, "GB", "MOBILE")]
    assert [key for key, _ in marks] == [1]
    assert MOBILE in [number for number, _ in numbers]
    forget(ledger)
    asking = [spend.Asking(number, "number", "{}") for number in (MOBILE, OTHER)]
    product = spend.Product("twilio", "line_status", 5, "USD", 30.0)
    with ledger.write() as book:
        phones.store(book, marks, rows)
        assert dirty.standing(book, "number", "status", [mark for mark in numbers if mark[0] == MOBILE]) == []
        assert phones.forgotten(book, [1, 2]) == {1}
        first, second = spend.reserve(
            book, product, asking, spend.Limits(None, None, None), key=ledger.key, run="r", root_run="r", now=NOW
        )
        assert first == spend.Refused("forgotten")
        assert isinstance(second, spend.Open)
    for trace in TRACES:
        assert trace not in stored(ledger), trace


def test_a_forgotten_number_on_a_new_record_is_flagged_at_once(ledger: Ledger) -> None:
    fill(ledger)
    forget(ledger)
    pull(ledger, record("n", Name="New Record", Phone=MOBILE), record("o", Name="Other", Phone=OTHER))
    read_numbers(ledger)
    with ledger.write() as book:
        (new,) = privacy.record_of(book, "salesforce", "n")
        (other,) = privacy.record_of(book, "salesforce", "o")
        dirty.forget_contacts(book, "do_not_call:salesforce", [1, new, other])
        phones.mark_erased_stops(book, ledger.key, [new, other])
        marked = dirty.next_contacts(book, "do_not_call:salesforce", 10)
        assert [key for key, _ in marked] == [new]
        found = planning.contact_states(book, ledger.key, [(new, 0), (other, 0)], email_good_only=False)
        assert {state.contact_id: state.opted_out for state in found} == {new: True, other: False}


@pytest.mark.parametrize(
    ("others", "one"),
    [
        ([("  john   SMITH ", None)], True),
        ([("John Smith", "JS@a.example")], True),
        ([("John Smith", "john@b.example")], False),
        ([(None, "info@c.example")], False),
        ([(None, None)], False),
        ([("Joan Smith", None)], False),
        ([], True),
    ],
)
def test_namesakes_and_nameless_records_are_not_taken_for_one_person(
    tmp_path: Path, others: list[tuple[str | None, str | None]], one: bool
) -> None:
    ledger = Ledger.open(f"sqlite:///{tmp_path}/ledger.db")
    pull(
        ledger,
        record("z", Name="John Smith", Email="js@a.example", Phone=MOBILE),
        *(record(f"o{place}", Name=name, Email=email, Phone=MOBILE) for place, (name, email) in enumerate(others)),
        record("m", Name="Smith, J.", Phone=MOBILE),
    )
    pull(ledger, record("m", minutes=1, deleted=True, merged_into="z"))
    read_numbers(ledger)
    with ledger.read() as book:
        subject = privacy.subject_of(book, MOBILE, privacy.carriers(book, MOBILE))
    ledger.close()
    assert len(subject.people) == 2 + len(others)
    assert privacy.one_person(subject) is one


def test_a_deleted_person_and_one_merged_into_them_are_found(ledger: Ledger) -> None:
    pull(ledger, record("z", Phone="+44 7400 123456"), record("y", Name="Old Record", Phone=OTHER))
    pull(ledger, record("y", minutes=1, deleted=True, merged_into="z"), record("z", minutes=2, deleted=True))
    read_numbers(ledger)
    with ledger.read() as book:
        assert fetch(book, "SELECT count(*) FROM phones") == [(0,)]
        subject = privacy.subject_of(book, MOBILE, privacy.carriers(book, MOBILE))
    assert [record_id for _, record_id in subject.people] == ["z", "y"]


def test_what_is_under_way_is_settled_first(ledger: Ledger) -> None:
    fill(ledger)
    with ledger.write() as book:
        book.execute(text("UPDATE changes SET state = 'sending'"))
    with pytest.raises(LedgerError, match="not settled"):
        forget(ledger)
    with ledger.write() as book:
        book.execute(text("UPDATE changes SET state = 'applied'"))
        book.execute(text("UPDATE intents SET state = 'open' WHERE service = 'twilio'"))
    with pytest.raises(LedgerError, match="no answer yet"):
        forget(ledger)
    with ledger.read() as book:
        assert fetch(book, "SELECT count(*) FROM privacy_requests") == [(0,)]


def test_a_number_is_recognised_however_it_is_written(ledger: Ledger) -> None:
    with ledger.read() as book:
        pattern = privacy.subject_of(book, MOBILE, []).pattern
    for written in ("+447400123456", "07400 123456", "0044 (7400) 123-456", "7400.123.456"):
        assert re.sub(r"\W", "", pattern.sub("", f"call {written} now")) == "callnow", written
    for other in ("+447400123457", "4001234567", "order 2026-11-27"):
        assert not pattern.search(other), other
