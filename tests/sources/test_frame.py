"""What a number was when it arrived: decided in time, decided before, judged afterwards, kept when the contact is mended."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from ringtrue.policy import Policy
from ringtrue.source_frame import TIMELESS, Arrivals, StatusHistory, arrivals, past_limits
from ringtrue.source_replay import judge_past

DAY = 86_400_000
BEGIN = 1_767_225_600_000  # 2026-01-01
A, B = "+447400123456", "+441212345678"


def person(number: str = A, contact: int = 1, source: str = "web", created: int = 0, **more: Any) -> dict[str, Any]:
    moment = BEGIN + created * DAY
    usual = {"reason": "ok", "seen": moment, "kept_status": None, "kept_at": None}
    return {"number": number, "contact": contact, "source": source, "created": moment, **usual, **more}


def said(status: str, day: float, number: str = A, contact: int = 0, **more: Any) -> dict[str, Any]:
    usual = {"line": "unknown", "reach": "unknown", "permission": "ok", "current": True}
    at = BEGIN + round(day * DAY)
    return {
        "number": number,
        "contact": contact,
        "decision": round(day * 10) + 1,
        "status": status,
        "at": at,
        **usual,
        **more,
    }


def judged(
    people: list[dict[str, Any]], decisions: list[dict[str, Any]], past: list[dict[str, Any]] | None = None
) -> Arrivals:
    frame = pd.DataFrame(people).astype({"source": "category", "kept_at": "float64"})
    evidence = pd.DataFrame(
        {"number": [A], "attempts": [2], "cost": [0.01], "earliest": [BEGIN], "latest": [BEGIN + 59 * DAY]}
    )
    then = None if past is None else pd.DataFrame(past, columns=["number", "contact", "status", "at"])
    return arrivals(frame, pd.DataFrame(decisions), evidence, arrival_days=7, past=then)


def first(found: Arrivals) -> tuple[Any, float]:
    row = found.frame.iloc[0]
    return row["first_status"], (row["first_verified_at"] - row["created_at"]) / pd.Timedelta(days=1)


def test_the_first_decision_that_says_something_counts() -> None:
    found = judged(
        [person()], [said("unverified", 0, current=False), said("disconnected", 3, current=False), said("active", 5)]
    )
    assert first(found) == ("disconnected", 3)
    assert found.fresh["status"].tolist() == ["disconnected"]
    assert found.frame["status"].tolist() == ["active"]


def test_what_was_found_later_than_the_window_is_no_verdict_on_the_source() -> None:
    found = judged([person()], [said("unverified", 0, current=False), said("disconnected", 30)])
    assert found.fresh.empty


def test_a_number_known_to_be_dead_is_bad_the_moment_it_arrives() -> None:
    found = judged([person(created=100)], [said("disconnected", 3)])
    assert first(found) == ("disconnected", 0)


def test_a_text_that_can_be_no_number_was_none_on_the_first_day() -> None:
    late = person(seen=BEGIN + 400 * DAY)
    found = judged([late], [said("invalid", 400, line="nonexistent", at=TIMELESS)], past=[])
    assert first(found) == ("invalid", 0)
    found = judged([late], [said("invalid", 400, line="nonexistent")], past=[])
    assert found.fresh.empty


def test_contacts_first_seen_late_are_left_out_unless_the_past_is_judged() -> None:
    late = person(seen=BEGIN + 400 * DAY)
    assert judged([late], [said("disconnected", 401)]).fresh.empty
    then = {"number": A, "contact": 1, "status": "disconnected", "at": BEGIN + 2 * DAY}
    found = judged([late], [said("unverified", 401)], past=[then])
    assert first(found) == ("disconnected", 2)
    assert found.fresh["decision"].isna().all()


@pytest.mark.parametrize(("line", "status"), [("disconnected", "disconnected"), ("alive", "active"), ("unknown", None)])
def test_a_do_not_call_hides_the_line_but_not_what_is_known_of_it(line: str, status: str | None) -> None:
    found = judged([person()], [said("do_not_call", 1, line=line, permission="do_not_call")])
    assert found.fresh["status"].tolist() == ([status] if status else [])
    assert found.frame["do_not_call"].tolist() == [True]


def test_somebody_elses_number_is_a_fact_about_one_contact() -> None:
    people = [person(), person(contact=2, source="fair")]
    found = judged(people, [said("active", 2), said("wrong_person", 2, contact=2)])
    by_source = found.frame.set_index("source")
    assert by_source["first_status"].to_dict() == {"web": "active", "fair": "wrong_person"}
    assert by_source["status"].to_dict() == {"web": "active", "fair": "wrong_person"}


def test_a_verdict_once_given_stays() -> None:
    kept = person(kept_status="disconnected", kept_at=float(BEGIN + DAY))
    found = judged([kept], [said("active", 9)])
    assert first(found) == ("disconnected", 1)
    assert found.fresh.empty


def test_a_good_number_dies_when_it_was_seen_dead_not_when_that_was_decided() -> None:
    found = judged([person()], [said("active", 1, current=False), said("disconnected", 60)])
    assert found.frame["died_at"].iloc[0] == pd.Timestamp(BEGIN + 59 * DAY, unit="ms", tz="UTC")
    assert found.frame["attempts"].tolist() == [2]


def test_each_source_counts_a_number_once_by_its_first_contact() -> None:
    people = [person(contact=2, created=5), person(contact=1), person(contact=3, source="fair", created=9)]
    found = judged(people, [said("active", 6)])
    assert found.fresh[["contact"]].to_numpy().ravel().tolist() == [1, 3]
    assert len(found.frame) == 2


def seen(outcome: str, day: float, contact: int | None = None, source: str = "twilio") -> dict[str, Any]:
    at = pd.Timestamp(BEGIN + round(day * DAY), unit="ms", tz="UTC")
    return {
        "number": A, "contact": contact, "source": source, "group": source, "outcome": outcome, "observed_at": at,
        "trunk": None, "log_lr": None, "id": f"observation:{day}", "detail": None,
    }  # fmt: skip


def past(*observations: dict[str, Any], limit: int = 7) -> list[tuple[str, int]]:
    limits = pd.DataFrame({"number": [A], "contact": [1], "limit": [BEGIN + limit * DAY]})
    frame = pd.DataFrame(observations).astype({"contact": "Int64", "log_lr": "float64"})
    found = judge_past(frame, limits, Policy())
    return [(str(status), int(at)) for status, at in zip(found["status"], found["at"], strict=True)]


def test_the_past_is_judged_by_what_was_known_then() -> None:
    alive = seen("right_person", 3, contact=1, source="call:salesforce")
    assert past(alive) == [("active", BEGIN + 3 * DAY)]
    assert past(seen("lookup_dead", 1), seen("not_assigned", 3, source="call:salesforce")) == [
        ("disconnected", BEGIN + 3 * DAY)
    ]
    assert past(seen("wrong_person", 2, contact=1, source="call:salesforce"))[0][0] == "wrong_person"


def test_what_came_after_the_first_days_does_not_count() -> None:
    dead_later = [seen("lookup_dead", 20), seen("not_assigned", 25, source="call:salesforce")]
    assert past(*dead_later) == []
    assert past(seen("right_person", 3, contact=1, source="call:salesforce"), *dead_later)[0][0] == "active"


def test_only_contacts_of_before_the_first_pull_are_judged_afterwards() -> None:
    people = pd.DataFrame([person(), person(contact=2, seen=BEGIN + 400 * DAY), person(B, 3, seen=BEGIN + 400 * DAY)])
    evidence = pd.DataFrame({"number": [A], "earliest": [BEGIN + DAY]})
    assert past_limits(people, evidence, 7)["contact"].tolist() == [2]


def test_statuses_at_the_end_of_each_week() -> None:
    history = StatusHistory()
    rows = [said("unverified", 0), said("active", 8), said("active", 15), said("unverified", 15, number=B)]
    history.add(pd.DataFrame(rows).rename(columns={"at": "decided"}))
    table = history.table().pivot_table(index="week", columns="status", values="numbers")
    assert table["unverified"].tolist() == [1, 0, 1]
    assert table["active"].tolist() == [0, 1, 1]
    assert StatusHistory().table().empty
