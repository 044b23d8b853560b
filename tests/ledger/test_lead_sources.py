"""Numbers by lead source, verdicts on arrival, states and traces, on both databases."""

from __future__ import annotations

import pandas as pd

from ringtrue.cusum import AlarmState
from ringtrue.ledger import Ledger, decisions, dirty, source_numbers, source_states, trace
from ringtrue.ledger.database import insert_rows
from ringtrue.ledger.source_states import SourceState, held_to
from ringtrue.policy import Policy
from ringtrue.source_advice import Fault
from ringtrue.status import decide
from tests.ledger.build import LANDLINE, MOBILE, NOW, OTHER, pull, read_numbers, record

DAY = 86_400_000
FRESH = pd.DataFrame(
    {"number": [MOBILE], "contact": [1], "status": ["disconnected"], "at": [NOW + DAY], "decision": [None]}
)


def observe(ledger: Ledger, number: str, outcome: str, at: int, contact: int = 0, cost: float = 0.0) -> None:
    names = [
        "number",
        "contact_id",
        "kind",
        "source",
        "outcome",
        "observed_at",
        "recorded_at",
        "external_id",
        "cost",
        "run",
    ]
    with ledger.write() as book:
        insert_rows(
            book,
            "observations",
            names,
            [(number, contact, "call", "call:x", outcome, at, at, f"{number}{outcome}{at}", cost, "r")],
        )
        dirty.mark_numbers(book, "status", [number])


def decide_all(ledger: Ledger, now: int) -> None:
    policy = Policy()
    with ledger.write() as book:
        marks = dirty.next_numbers(book, decisions.STAGE, 1_000)
        known = decisions.evidence(book, ledger.key, [number for number, _ in marks], now)
        found = decide(known, policy, pd.Timestamp(now, unit="ms", tz="UTC"))
        decisions.store(book, found, marks, policy.version, now)


def fill(ledger: Ledger) -> None:
    pull(ledger, record("1", Phone=MOBILE, LeadSource="Web"), record("2", Phone=LANDLINE, LeadSource="Fair"))
    pull(ledger, record("9", Phone=MOBILE, LeadSource="Fair"), connection="other")
    read_numbers(ledger)
    observe(ledger, MOBILE, "right_person", NOW + DAY, contact=1, cost=0.5)
    decide_all(ledger, NOW + DAY)


def test_all_rows_of_a_number_come_in_one_batch_whatever_its_size(ledger: Ledger) -> None:
    fill(ledger)
    for size, batches in ((1, 2), (2, 2), (100, 1)):
        with ledger.read() as book:
            found = list(source_numbers.number_batches(book, size))
        people = pd.concat([batch.people for batch in found])
        assert len(found) >= batches - 1
        assert sorted(people["number"]) == sorted([MOBILE, MOBILE, LANDLINE])
        for batch in found:
            assert set(batch.decisions["number"]) <= set(batch.people["number"])
        tried = pd.concat([batch.evidence for batch in found])
        assert tried.set_index("number")["attempts"].to_dict() == {MOBILE: 1}
        assert tried["cost"].tolist() == [0.5]


def test_observations_withdrawn_by_their_source_do_not_count(ledger: Ledger) -> None:
    fill(ledger)
    with ledger.write() as book:
        book.exec_driver_sql("UPDATE observations SET void = true")
        assert all(batch.evidence.empty for batch in source_numbers.number_batches(book))


def test_a_verdict_outlives_the_number_it_was_about(ledger: Ledger) -> None:
    fill(ledger)
    with ledger.write() as book:
        assert source_numbers.keep_arrivals(book, FRESH) == 1
        source_numbers.keep_arrivals(book, FRESH.assign(status="active"))
    pull(ledger, record("1", minutes=5, Phone=OTHER, LeadSource="Web"))
    read_numbers(ledger)
    with ledger.read() as book:
        people = pd.concat([batch.people for batch in source_numbers.number_batches(book)])
        [bad] = source_states.bad_arrivals(book)
    gone = people[(people["number"] == MOBILE) & (people["contact"] == 1)]
    assert gone["kept_status"].tolist() == ["disconnected"]
    row = dict(zip(source_states.BAD_ARRIVAL_COLUMNS, bad, strict=True))
    assert (row["raw"], row["first_status"], row["record_id"]) == (MOBILE, "disconnected", "1")


def test_each_verdict_goes_into_the_chart_once(ledger: Ledger) -> None:
    fill(ledger)
    with ledger.write() as book:
        source_numbers.keep_arrivals(book, FRESH)
    with ledger.write() as book:
        points = source_states.open_points(book)
        source_states.points_charted(book)
    assert points["status"].tolist() == ["disconnected"]
    with ledger.read() as book:
        assert source_states.open_points(book).empty


def test_states_and_figures_are_kept(ledger: Ledger) -> None:
    state = SourceState(AlarmState(base=0.05, limit=3.0, total=1.5, points=400), "B", None)
    figures = {"source": "web", "label": "Web", "grade": "C", "bad_share": 0.12}
    fault = Fault("too_short", 4, 0.25, "are too short", "check the length")
    with ledger.write() as book:
        source_states.store_states(book, {"web": state})
        for now in (NOW, NOW + 1, NOW + DAY):
            source_states.store_quality(book, [figures], {"web": [fault]}, "run", now)
    with ledger.read() as book:
        assert source_states.states(book) == {"web": state}
        [stored] = source_states.latest(book, "web")
        assert stored.faults == [fault]
        assert stored.measured_at == NOW + DAY
        assert source_states.grades_on(book, source_states.day_of(NOW)) == {"web": "C"}
        assert source_states.grades_on(book, "2020-01-01") == {}
    with ledger.write() as book:
        assert source_states.accept(book, "web", "Ann", NOW)
        assert not source_states.accept(book, "nobody", "Ann", NOW)
        accepted = source_states.states(book)["web"]
    assert accepted == SourceState(AlarmState(points=400), "C", None)


def test_a_fallen_grade_is_remembered_for_thirty_days() -> None:
    good = held_to(SourceState(), "A", NOW)
    fell = held_to(good, "C", NOW)
    assert (fell.grade, fell.fell_at) == ("A", NOW)
    assert held_to(fell, "C", NOW + 29 * DAY) == fell
    assert held_to(fell, "C", NOW + 31 * DAY) == SourceState(grade="C")
    assert held_to(fell, "A", NOW + DAY) == SourceState(grade="A")
    assert held_to(fell, "", NOW + DAY) == fell


def test_leads_are_counted_deleted_or_not_and_those_that_came_again(ledger: Ledger) -> None:
    fill(ledger)
    pull(ledger, record("1", minutes=5, Phone=MOBILE, LeadSource="Fair"), record("2", minutes=5, deleted=True))
    with ledger.read() as book:
        leads = source_states.delivered(book)
        again = source_states.returned(book)
    assert leads["contacts"].sum() == 3
    assert again[["raw", "contacts"]].to_numpy().tolist() == [['{"LeadSource":"Fair"}', 1]]


def test_a_trace_holds_every_station(ledger: Ledger) -> None:
    fill(ledger)
    with ledger.write() as book:
        source_numbers.keep_arrivals(book, FRESH)
    with ledger.read() as book:
        ids = trace.contacts_with(book, [MOBILE], 10)
        [first, second] = trace.trace_contacts(book, ledger.key, ids)
        assert trace.contact_of(book, "other", "9") == [second.contact["contact_id"]]
        assert trace.contacts_from(book, [("other", '{"LeadSource":"Fair"}')], 5) == [second.contact["contact_id"]]
    assert first.contact["record_id"] == "1"
    assert [row["outcome"] for row in first.evidence] == ["right_person"]
    assert second.evidence == [], "what was said about somebody else is not shown"
    assert {row["status"] for row in first.decisions} >= {"active"}
    assert [row["status"] for row in first.arrivals] == ["disconnected"]
