"""The line fact: alive, suspended, disconnected, and the ways in and out of each."""

from __future__ import annotations

import pandas as pd
import pytest

from ringtrue.policy import Policy
from tests.status.build import NOW, decided, seen

RULE = Policy(mode="rule")
CHINESE = "+8613123456789"
"""A mobile number of a country where lines are often barred, so that one announcement is believed."""
BOTH = pytest.mark.parametrize("policy", [Policy(), RULE], ids=["bayes", "rule"])


@BOTH
def test_nothing_known_is_unverified(policy: Policy) -> None:
    """The exact rule of `unverified`: well-formed, never tried, or tried without a clear result."""
    assert decided(seen("format_valid", "2026-05-01"), policy=policy)["status"] == "unverified"
    assert decided(seen("no_answer", "2026-05-01"), policy=policy)["status"] == "unverified"
    assert decided(seen("error", "2026-05-01"), policy=policy)["status"] == "unverified"
    assert decided(seen("lookup_alive_weak", "2026-05-01", service="melissa"), policy=policy)["status"] == "unverified"


@BOTH
def test_one_hard_signal_is_not_enough(policy: Policy) -> None:
    one = decided(seen("not_assigned", "2026-06-01"), policy=policy)
    assert (one["status"], one["line"]) == ("unverified", "unknown")
    assert "one sign is not enough" in one["reason"]


@BOTH
def test_two_hard_signals_on_two_days_disconnect(policy: Policy) -> None:
    two = decided(seen("not_assigned", "2026-06-01"), seen("intercepted", "2026-06-03"), policy=policy)
    assert (two["status"], two["line"]) == ("disconnected", "disconnected")


@BOTH
def test_two_hard_signals_on_one_day_do_not(policy: Policy) -> None:
    same = [seen("not_assigned", "2026-06-01 09:00"), seen("not_assigned", "2026-06-01 15:00")]
    assert decided(*same, policy=policy)["status"] == "unverified"


@BOTH
@pytest.mark.parametrize("contact", ["reached", "voicemail"])
def test_a_contact_in_between_starts_the_count_again(policy: Policy, contact: str) -> None:
    history = [seen("not_assigned", "2026-06-01"), seen(contact, "2026-06-03"), seen("not_assigned", "2026-06-05")]
    assert decided(*history, policy=policy)["status"] != "disconnected"


def test_a_call_and_a_service_are_independent() -> None:
    history = [
        seen("not_assigned", "2026-06-01 10:00"),
        seen("lookup_dead", "2026-06-01 11:00", service="melissa", log_lr=3.5),
    ]
    assert decided(*history)["status"] == "disconnected"


def test_services_that_resell_one_database_are_one_source() -> None:
    first = seen("lookup_dead", "2026-06-01", service="melissa", log_lr=3.5, prior=0.2)
    again = seen("lookup_dead", "2026-06-02", service="melissa", log_lr=3.5, prior=0.2)
    resold = {**again, "source": "lookup:reseller"}
    other = seen("lookup_dead", "2026-06-02", service="twilio", log_lr=3.5, prior=0.2)
    assert decided(first, again)["status"] == "unverified"
    assert decided(first, resold)["status"] == "unverified"
    assert decided(first, other)["status"] == "disconnected"


def test_weak_failures_alone_never_disconnect() -> None:
    weak = [seen(name, f"2026-05-{day:02d}") for day, name in enumerate(["no_route", "operator_intercept"] * 12, 1)]
    assert decided(*weak, now=pd.Timestamp("2026-05-25", tz="UTC"))["p_dead"] > 0.98
    assert decided(*weak, now=pd.Timestamp("2026-05-25", tz="UTC"))["status"] == "unverified"


def test_no_answer_never_leads_to_disconnected() -> None:
    calls = [seen("no_answer", f"2026-0{month}-{day:02d}") for month in (4, 5) for day in range(1, 29)]
    assert decided(*calls)["line"] != "disconnected"
    assert decided(*calls)["p_dead"] < 0.1


def test_a_doubtful_prior_is_taken_from_the_lead_source() -> None:
    one = seen("not_assigned", "2026-06-01")
    assert decided({**one, "prior": 0.5})["p_dead"] > decided(one)["p_dead"] > decided({**one, "prior": 0.01})["p_dead"]


def test_the_services_own_strength_counts() -> None:
    sure = seen("lookup_dead_weak", "2026-06-01", service="rpv", log_lr=3.0)
    weak = seen("lookup_dead_weak", "2026-06-01", service="rpv")
    assert decided(sure)["p_dead"] > decided(weak)["p_dead"]


def test_strength_is_bounded() -> None:
    wild = seen("lookup_dead", "2026-06-14", service="alibaba", log_lr=400.0)
    most = seen("lookup_dead", "2026-06-14", service="alibaba", log_lr=4.0)
    assert decided(wild)["p_dead"] == decided(most)["p_dead"]


@BOTH
def test_a_sign_of_life_keeps_a_number_active_for_ninety_days(policy: Policy) -> None:
    call = seen("reached", "2026-06-01")
    heard = call["observed_at"]
    assert decided(call, now=heard + pd.Timedelta(days=90), policy=policy)["status"] == "active"
    later = decided(call, now=heard + pd.Timedelta(days=90, seconds=1), policy=policy)
    assert (later["status"], later["line"], later["reach"]) == ("unverified", "unknown", "unknown")
    assert "too long ago" in later["reason"]


def test_a_hard_signal_after_a_conversation_takes_active_away() -> None:
    assert decided(seen("reached", "2026-06-01"), seen("not_assigned", "2026-06-08"))["status"] == "unverified"


def test_the_verdict_fades_and_is_rechecked_then() -> None:
    history = [seen("not_assigned", "2026-06-01"), seen("not_assigned", "2026-06-03")]
    verdict = decided(*history)
    before = decided(*history, now=verdict["recheck_at"] - pd.Timedelta(days=1))
    after = decided(*history, now=verdict["recheck_at"] + pd.Timedelta(days=1))
    assert (before["status"], after["status"]) == ("disconnected", "unverified")
    assert "may belong to somebody new" in after["reason"]
    assert before["confidence"] < verdict["confidence"]


def test_line_types_age_differently() -> None:
    old = seen("reached", "2026-04-01")
    voip, landline = decided({**old, "line_type": "nonfixed_voip"}), decided({**old, "line_type": "landline"})
    assert voip["p_dead"] > landline["p_dead"]


@BOTH
def test_suspended_is_entered_by_one_signal_and_left_by_any_sign_of_life(policy: Policy) -> None:
    barred = seen("suspended", "2026-06-01", CHINESE)
    assert decided(barred, policy=policy)["status"] == "suspended"
    assert decided(barred, seen("no_answer", "2026-06-05", CHINESE), policy=policy)["status"] == "suspended"
    assert decided(barred, seen("switched_off", "2026-06-05", CHINESE), policy=policy)["status"] != "suspended"
    assert decided(barred, seen("reached", "2026-06-05", CHINESE), policy=policy)["status"] == "active"
    blind = seen("lookup_off", "2026-06-05", CHINESE, service="twilio")
    assert decided(barred, blind, policy=policy)["status"] == "suspended", "it says of a barred line that it is off"


def test_suspended_is_asked_again_weekly_and_given_up_after_a_hundred_days() -> None:
    barred = seen("suspended", "2026-03-01", CHINESE)
    start = barred["observed_at"]
    assert decided(barred, now=start + pd.Timedelta(days=2))["recheck_at"] == start + pd.Timedelta(days=7)
    weekly = [
        barred,
        *(
            seen("lookup_suspended", start + pd.Timedelta(days=7 * week), CHINESE, service="alibaba")
            for week in range(1, 14)
        ),
    ]
    assert decided(*weekly, now=start + pd.Timedelta(days=99))["status"] == "suspended"
    gone = decided(*weekly, now=start + pd.Timedelta(days=100))
    assert (gone["status"], gone["line"]) == ("disconnected", "disconnected")
    assert gone["reason"] == "Disconnected: suspended since 1 March and never back"


def test_suspended_then_not_exist_is_disconnected_at_once() -> None:
    history = [
        seen("suspended", "2026-05-01", CHINESE),
        seen("lookup_dead", "2026-06-01", CHINESE, service="alibaba", log_lr=4.5),
    ]
    assert decided(*history)["status"] == "disconnected"
    weaker = [
        seen("suspended", "2026-05-30", CHINESE),
        seen("lookup_dead", "2026-06-01", CHINESE, service="alibaba", log_lr=3.0),
    ]
    assert decided(*weaker)["status"] == "suspended"


def test_a_suspension_that_nobody_hears_of_again_lapses_and_never_retires_the_number() -> None:
    barred = seen("suspended", "2026-03-01", CHINESE)
    start = barred["observed_at"]
    assert decided(barred, now=start + pd.Timedelta(days=20))["status"] == "suspended"
    for days in (22, 99, 101, 300):
        assert decided(barred, now=start + pd.Timedelta(days=days))["status"] == "unverified"
    again = seen("suspended", start + pd.Timedelta(days=95), CHINESE)
    assert decided(barred, again, now=start + pd.Timedelta(days=101))["status"] == "suspended"


def test_one_failed_call_after_a_suspension_is_no_end() -> None:
    history = [seen("suspended", "2026-06-01", CHINESE), seen("not_assigned", "2026-06-08", CHINESE)]
    assert decided(*history)["status"] == "suspended"
    assert decided(*history, seen("not_assigned", "2026-06-11", CHINESE))["status"] != "suspended"


def test_where_lines_are_seldom_barred_a_second_announcement_is_needed() -> None:
    first, same_day = seen("suspended", "2026-06-01 09:00"), seen("suspended", "2026-06-01 15:00")
    assert decided(first)["status"] == "unverified"
    assert decided(first, same_day)["status"] == "unverified", "one fault can speak twice on a day"
    second = seen("suspended", "2026-06-04")
    assert decided(first, second)["status"] == "suspended"
    assert decided(first, seen("voicemail", "2026-06-02"), second)["status"] != "suspended", "it came back between"
    assert (
        decided(first, seen("suspended", "2026-06-10"), policy=Policy(suspended_lapse_days=7))["status"] != "suspended"
    )
    assert decided(first, policy=Policy(suspended_from=0.5))["status"] == "suspended"


def test_a_service_that_sees_suspensions_is_believed_at_once() -> None:
    assert decided(seen("lookup_suspended", "2026-06-10", service="roundtrip"))["status"] == "suspended"


def test_landlines_are_seldom_barred_anywhere() -> None:
    once = {**seen("suspended", "2026-06-10", "+861012345678"), "line_type": "landline"}
    assert decided(once)["status"] == "unverified"


def test_a_lone_announcement_does_not_bring_a_dead_line_back() -> None:
    dead = [seen("not_assigned", "2026-06-01"), seen("not_assigned", "2026-06-03")]
    assert decided(*dead, seen("suspended", "2026-06-08"))["status"] == "disconnected"


def test_an_old_sign_of_death_confirms_nothing() -> None:
    """The number may have been given to somebody else in between (the US gives numbers out again after 45 days)."""
    old = seen("not_assigned", "2026-01-05")
    assert decided(old, seen("not_assigned", "2026-06-05"))["status"] == "unverified"
    assert decided(old, seen("not_assigned", "2026-03-05"))["status"] == "disconnected"
    assert decided(old, seen("not_assigned", "2026-06-05"), policy=RULE)["status"] == "disconnected"


def test_a_service_asked_again_and_again_is_one_opinion() -> None:
    monthly = [seen("lookup_dead", f"2026-0{month}-01", service="alibaba", log_lr=4.5) for month in range(1, 7)]
    assert decided(*monthly)["status"] == "unverified"
    assert decided(*monthly, seen("not_assigned", "2026-06-05"))["status"] == "disconnected"
    second = seen("lookup_dead", "2026-06-05", service="twilio", log_lr=3.0)
    assert decided(*monthly, second)["status"] == "disconnected"
    talked = seen("reached", "2026-06-02")
    assert decided(*monthly, talked, seen("not_assigned", "2026-06-05"))["status"] != "disconnected"


def test_a_suspended_line_has_a_subscriber() -> None:
    dead = [seen("not_assigned", "2026-05-01"), seen("not_assigned", "2026-05-03")]
    assert decided(*dead, seen("lookup_suspended", "2026-06-01", service="alibaba"))["status"] == "suspended"


def test_numbers_that_cannot_exist_are_certain() -> None:
    bad = decided(seen("format_invalid", "2026-06-01", detail="too_short"))
    assert (bad["status"], bad["line"], bad["confidence"]) == ("invalid", "nonexistent", 1.0)
    assert bad["reason"] == "Invalid: too few digits for a number of this country"


def test_the_last_numbering_rule_counts() -> None:
    bad, good = seen("format_invalid", "2026-05-01", detail="unassigned_range"), seen("format_valid", "2026-06-01")
    assert decided(bad, good)["status"] == "unverified"
    assert decided(good, seen("format_invalid", "2026-06-02", detail="unassigned_range"))["status"] == "invalid"


def test_a_conversation_proves_a_lagging_range_table_wrong() -> None:
    talk = seen("reached", "2026-06-10")
    assert decided(seen("format_invalid", "2026-06-01", detail="unassigned_range"), talk)["status"] == "active"
    assert decided(seen("format_invalid", "2026-06-01", detail="placeholder"), talk)["status"] == "invalid"
    assert decided(seen("format_invalid", "2026-06-12", detail="unassigned_range"), talk)["status"] == "invalid"


def test_a_services_refusal_yields_to_a_later_sign_of_life() -> None:
    refused = seen("lookup_invalid", "2026-05-01", service="twilio")
    assert decided(refused)["status"] == "invalid"
    assert decided(refused, seen("format_valid", "2026-05-02"))["status"] == "invalid"
    assert decided(refused, seen("reached", "2026-06-01"))["status"] == "active"


def test_rule_mode_needs_a_day_between() -> None:
    first = seen("not_assigned", "2026-06-01 10:00")
    assert decided(first, seen("not_assigned", "2026-06-02 09:59"), policy=RULE)["status"] == "unverified"
    assert decided(first, seen("not_assigned", "2026-06-02 10:00"), policy=RULE)["status"] == "disconnected"


def test_rule_mode_expires() -> None:
    history = [seen("not_assigned", "2026-01-01"), seen("not_assigned", "2026-01-03")]
    verdict = decided(*history, policy=RULE)
    assert verdict["recheck_at"] == pd.Timestamp("2027-01-03 12:00", tz="UTC")
    assert decided(*history, policy=RULE, now=verdict["recheck_at"] + pd.Timedelta(days=1))["status"] == "unverified"


def test_out_of_order_for_a_week_counts_more() -> None:
    week = [seen("out_of_order", "2026-06-01"), seen("out_of_order", "2026-06-08")]
    days = [seen("out_of_order", "2026-06-01"), seen("out_of_order", "2026-06-07")]
    assert decided(*week)["p_dead"] > decided(*days)["p_dead"] + 0.1


def test_future_and_ancient_observations_move_nothing() -> None:
    dead = [seen("not_assigned", "1989-12-30"), seen("not_assigned", NOW + pd.Timedelta(days=2))]
    assert decided(*dead)["status"] == "unverified"
    assert decided(*dead)["evidence"] == []
