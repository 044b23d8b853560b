"""Identity, permission, reach, and what a record shows."""

from __future__ import annotations

import pandas as pd
import pytest

from ringtrue.policy import Policy
from ringtrue.record_status import record_status
from ringtrue.status import decide
from tests.status.build import NOW, NUMBER, decided, frame, seen

OTHER = "+14155550124"


def test_wrong_person_concerns_one_contact_only() -> None:
    history = [seen("wrong_person", "2026-06-01", contact="ann"), seen("reached", "2026-06-02", contact="bob")]
    assert decided(*history, contact="ann")["status"] == "wrong_person"
    assert decided(*history)["status"] == "active"
    result = decide(frame(history), Policy(), NOW)
    assert set(result["contact"].dropna()) == {"ann"}


def test_a_later_conversation_with_the_right_person_reverses_it() -> None:
    wrong, right = seen("wrong_person", "2026-06-01", contact="ann"), seen("right_person", "2026-06-05", contact="ann")
    assert decided(wrong, right, contact="ann")["identity"] == "right"
    assert decided(right, {**wrong, "observed_at": NOW}, contact="ann")["identity"] == "wrong"
    same = [wrong, {**right, "observed_at": wrong["observed_at"]}]
    assert decided(*same, contact="ann")["identity"] == "wrong"


def test_a_reassigned_number_is_the_wrong_person_for_all() -> None:
    history = [
        seen("right_person", "2026-05-01", contact="ann"),
        seen("lookup_reassigned", "2026-06-01", service="rnd"),
    ]
    assert decided(*history, contact="ann")["status"] == "wrong_person"
    assert decided(*history)["status"] == "wrong_person"
    assert decided(*history, seen("right_person", "2026-06-10", contact="ann"), contact="ann")["identity"] == "right"


def test_a_dead_line_that_answers_again_has_a_new_owner() -> None:
    before = [
        seen("right_person", "2025-06-01", contact="ann"),
        seen("not_assigned", "2026-01-01"),
        seen("not_assigned", "2026-01-05"),
    ]
    assert decided(*before, contact="ann")["identity"] == "right"
    back = decided(*before, seen("reached", "2026-06-10"), contact="ann")
    assert (back["status"], back["identity"]) == ("active", "unknown")
    assert back["new_owner_since"] == pd.Timestamp("2026-06-10 12:00", tz="UTC")
    assert "ask who has the number now" in back["reason"]


def test_do_not_call_survives_a_new_owner_but_an_old_reconsent_does_not() -> None:
    stop = seen("do_not_call", "2025-05-01", source="suppression:opt_out")
    again = seen("reconsent", "2025-06-01", source="consent")
    dead = [seen("not_assigned", "2026-01-01"), seen("not_assigned", "2026-01-05")]
    assert decided(stop, again)["permission"] == "ok"
    assert decided(stop, again, *dead)["permission"] == "ok"
    assert decided(stop, again, *dead, seen("reached", "2026-06-01"))["permission"] == "do_not_call"


@pytest.mark.parametrize("late", ["reached", "not_assigned", "suspended", "format_valid", "error"])
def test_do_not_call_comes_first_and_stays(late: str) -> None:
    stop = seen("do_not_call", "2026-05-01", source="suppression:opt_out")
    result = decided(stop, seen(late, "2026-06-01"))
    assert (result["status"], result["permission"], result["confidence"]) == ("do_not_call", "do_not_call", 1.0)
    assert result["reason"] == "Do not call: asked not to be called on 1 May"
    assert result["dnc_kind"] == "person"


def test_the_line_is_still_told_behind_do_not_call() -> None:
    stop = seen("do_not_call", "2026-05-01", source="suppression:us_national")
    result = decided(stop, seen("not_assigned", "2026-06-01"), seen("not_assigned", "2026-06-03"))
    assert (result["status"], result["line"], result["dnc_kind"]) == ("do_not_call", "disconnected", "registry")


def test_only_a_later_reconsent_that_concerns_it_lifts_do_not_call() -> None:
    stop = seen("do_not_call", "2026-05-01", source="suppression:opt_out", contact="ann")
    lift = seen("reconsent", "2026-06-01", source="consent")
    assert decided(stop, lift)["permission"] == "ok"
    assert decided(stop, {**lift, "contact": "ann"})["permission"] == "ok"
    assert decided(stop, {**lift, "contact": "bob"})["permission"] == "do_not_call"
    assert decided(stop, {**lift, "observed_at": stop["observed_at"]})["permission"] == "do_not_call"
    assert decided(stop, lift, {**stop, "observed_at": NOW})["permission"] == "do_not_call"


def test_saying_stop_in_a_call_is_do_not_call_and_a_sign_of_life() -> None:
    result = decided(seen("opted_out", "2026-06-01", contact="ann"))
    assert (result["status"], result["line"], result["reach"]) == ("do_not_call", "alive", "reached")


def _attempts(*times: str, outcome: str = "no_answer") -> list[dict[str, object]]:
    return [seen(outcome, time) for time in times]


SIX = (
    "2026-05-01 16:00",
    "2026-05-03 20:00",
    "2026-05-05 22:00",
    "2026-05-07 16:00",
    "2026-05-09 20:00",
    "2026-05-11 23:00",
)
"""Morning, midday and afternoon in California, over ten days."""


def test_no_answer_by_its_exact_rule() -> None:
    result = decided(*_attempts(*SIX))
    assert (result["status"], result["reach"]) == ("no_answer", "persistent_no_answer")
    assert result["reason"] == "No answer: 6 calls from 1 May to 11 May at different times of day, nobody answered"
    assert len(result["evidence"]) == 6
    assert result["recheck_at"] == pd.Timestamp("2026-05-11 23:00", tz="UTC") + pd.Timedelta(days=90)


@pytest.mark.parametrize(
    "times",
    [
        SIX[:5],
        (*SIX[:5], "2026-05-10 23:00"),
        tuple(f"2026-05-{day:02d} 16:00" for day in range(1, 13)),
        tuple(f"2026-05-{day:02d} {hour}:00" for day, hour in ((1, 16), (3, 20), (5, 16), (7, 16), (9, 20), (11, 20))),
    ],
    ids=["five attempts", "nine days", "one part of the day", "two parts of the day"],
)
def test_no_answer_needs_enough_of_everything(times: tuple[str, ...]) -> None:
    assert decided(*_attempts(*times))["status"] == "unverified"


def test_no_answer_expires() -> None:
    last = pd.Timestamp(SIX[-1], tz="UTC")
    assert decided(*_attempts(*SIX), now=last + pd.Timedelta(days=90))["status"] == "no_answer"
    assert decided(*_attempts(*SIX), now=last + pd.Timedelta(days=90, seconds=1))["status"] == "unverified"


@pytest.mark.parametrize("contact", ["reached", "voicemail"])
def test_no_answer_means_no_contact_in_the_window(contact: str) -> None:
    assert decided(*_attempts(*SIX), seen(contact, "2026-05-06"))["status"] == "active"
    assert decided(*_attempts(*SIX), seen(contact, "2026-05-20"))["status"] == "active"
    assert decided(seen(contact, "2026-02-01"), *_attempts(*SIX))["status"] == "no_answer"


def test_calls_that_were_not_attempts_do_not_count() -> None:
    assert decided(*_attempts(*SIX, outcome="network_fault"))["status"] == "unverified"
    assert decided(*_attempts(*SIX, outcome="canceled"))["status"] == "unverified"


def test_a_call_told_for_several_contacts_is_one_attempt() -> None:
    calls = [{**call, "contact": who} for call in _attempts(*SIX[:3]) for who in ("ann", "bob")]
    assert decided(*calls)["status"] == "unverified"
    hard = [seen("not_assigned", "2026-06-01", contact=who) for who in ("ann", "bob")]
    assert decided(*hard)["p_dead"] == decided(hard[0])["p_dead"]


def test_evening_and_weekend_can_be_asked_for() -> None:
    assert decided(*_attempts(*SIX), policy=Policy(no_answer_evening=True))["status"] == "unverified"
    evening = (*SIX, "2026-05-13 02:00")
    assert decided(*_attempts(*evening), policy=Policy(no_answer_evening=True))["status"] == "no_answer"
    weekday = tuple(time.replace("05-03", "05-04").replace("05-09", "05-08") for time in SIX)
    assert decided(*_attempts(*weekday), policy=Policy(no_answer_weekend=True))["status"] == "unverified"
    assert decided(*_attempts(*SIX), policy=Policy(no_answer_weekend=True))["status"] == "no_answer"


def _records(**columns: object) -> pd.DataFrame:
    return pd.DataFrame(columns)


def test_a_dead_landline_beside_a_live_mobile_is_not_a_dead_contact() -> None:
    decisions = decide(
        frame(
            [
                seen("not_assigned", "2026-06-01"),
                seen("not_assigned", "2026-06-03"),
                seen("reached", "2026-06-01", OTHER),
            ]
        ),
        Policy(),
        NOW,
    )
    shown = record_status(_records(record=["r", "r"], number=[NUMBER, OTHER]), decisions)
    assert shown.to_dict("records") == [{"record": "r", "status": "active", "best_number": OTHER, "number": OTHER}]


def test_a_record_without_any_decision_is_unverified() -> None:
    decisions = decide(frame([seen("reached", "2026-06-01")]), Policy(), NOW)
    shown = record_status(_records(record=["r"], number=[OTHER]), decisions)
    assert shown["status"].tolist() == ["unverified"]


def test_a_personal_opt_out_stops_the_record_and_a_registry_only_when_no_number_is_left() -> None:
    observations = [
        seen("do_not_call", "2026-06-01", source="suppression:us_national"),
        seen("reached", "2026-06-01"),
        seen("reached", "2026-06-01", OTHER),
    ]
    numbers = _records(record=["r", "r", "s"], number=[NUMBER, OTHER, NUMBER])
    decisions = decide(frame(observations), Policy(), NOW)
    shown = record_status(numbers, decisions)
    assert shown["status"].tolist() == ["active", "do_not_call"]
    assert shown["best_number"].tolist()[0] == OTHER
    assert shown["best_number"].isna().tolist() == [False, True]
    strict = record_status(numbers, decisions, Policy(registry_flags="any"))
    assert strict["status"].tolist() == ["do_not_call", "do_not_call"]
    personal = [{**observations[0], "source": "suppression:opt_out"}, *observations[1:]]
    shown = record_status(numbers, decide(frame(personal), Policy(), NOW))
    assert shown["status"].tolist() == ["do_not_call", "do_not_call"]


def test_a_suppressed_record_is_do_not_call_whatever_its_numbers() -> None:
    decisions = decide(frame([seen("reached", "2026-06-01")]), Policy(), NOW)
    shown = record_status(_records(record=["r"], number=[NUMBER], suppressed=[True]), decisions)
    assert shown["status"].tolist() == ["do_not_call"]


def test_a_contacts_own_decision_comes_before_the_numbers() -> None:
    decisions = decide(frame([seen("wrong_person", "2026-06-01", contact="ann")]), Policy(), NOW)
    numbers = _records(record=["r1", "r2"], number=[NUMBER, NUMBER], contact=["ann", "bob"])
    assert record_status(numbers, decisions)["status"].tolist() == ["wrong_person", "active"]


def test_among_equals_the_first_position_wins() -> None:
    decisions = decide(frame([seen("reached", "2026-06-01"), seen("reached", "2026-06-01", OTHER)]), Policy(), NOW)
    numbers = _records(record=["r", "r"], number=[NUMBER, OTHER], position=[2, 1])
    assert record_status(numbers, decisions)["best_number"].tolist() == [OTHER]


def test_an_entry_withdrawn_as_an_error_stays_withdrawn_when_the_number_changes_hands() -> None:
    flag = {"contact": "c1", "source": "suppression:crm_flag"}
    dead = [seen("not_assigned", "2026-03-01"), seen("not_assigned", "2026-03-04"), seen("reached", "2026-06-01")]
    withdrawn = [seen("do_not_call", "2026-01-10", **flag), seen("opt_out_retracted", "2026-01-20", **flag)]
    consented = [seen("do_not_call", "2026-01-10", **flag), seen("reconsent", "2026-01-20", **flag)]
    assert decided(*withdrawn, *dead)["permission"] == "ok"
    assert decided(*consented, *dead)["permission"] == "do_not_call"
