"""What must hold of `decide` whatever the evidence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from ringtrue.evidence import OUTCOMES, Outcome
from ringtrue.policy import Policy
from ringtrue.status import decide
from ringtrue.trunks import trunk_alarms
from tests.status.build import NOW

START = NOW - pd.Timedelta(days=500)
NUMBERS = ("+14155550123", "+8613800138000", "+8801711123456", "+442079460123")
QUICK = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
POLICIES = some.sampled_from([Policy(), Policy(mode="rule"), Policy(language="zh", report_timezone="Asia/Shanghai")])
_WORTH: tuple[Outcome, ...] = (
    "not_assigned",
    "reached",
    "lookup_dead",
    "suspended",
    "wrong_person",
    "no_answer",
    "voicemail",
)


@some.composite
def observation(draw: some.DrawFn) -> dict[str, Any]:
    """Any observation, with those that move much more often."""
    group = draw(some.sampled_from([None, None, "melissa", "alibaba"]))
    return {
        "number": draw(some.sampled_from(NUMBERS)),
        "contact": draw(some.sampled_from([None, "ann", "bob"])),
        "source": f"lookup:{group}"
        if group
        else draw(some.sampled_from(["call:a", "suppression:opt_out", "suppression:uk_tps"])),
        "group": group,
        "outcome": draw(some.sampled_from([*OUTCOMES, *_WORTH, *_WORTH, "gibberish"])),
        "observed_at": START + pd.Timedelta(minutes=draw(some.integers(0, 500 * 24 * 60))),
        "trunk": None if group else draw(some.sampled_from([None, "t1", "t2"])),
        "detail": draw(some.sampled_from([None, "too_short", "placeholder"])),
        "log_lr": draw(some.sampled_from([None, None, 3.5, -3.0])) if group else None,
    }


EVIDENCE = some.lists(observation(), min_size=1, max_size=25)


def result(rows: list[dict[str, Any]], policy: Policy, now: pd.Timestamp = NOW, **more: Any) -> pd.DataFrame:
    """Decisions with the observations' own ids, so that evidence can be compared across orders."""
    return decide(
        pd.DataFrame(rows).assign(id=[str(row.get("id", place)) for place, row in enumerate(rows)]), policy, now, **more
    )


def same(left: pd.DataFrame, right: pd.DataFrame) -> None:
    """Equal to the last digit, evidence included."""
    one, other = (table.assign(evidence=table["evidence"].map(str)).reset_index(drop=True) for table in (left, right))
    pd.testing.assert_frame_equal(one, other, check_categorical=False)


@QUICK
@given(EVIDENCE, POLICIES, some.randoms(use_true_random=False))
def test_the_order_of_arrival_never_matters(rows: list[dict[str, Any]], policy: Policy, chance: Any) -> None:
    rows = [{**row, "id": place} for place, row in enumerate(rows)]
    shuffled = chance.sample(rows, len(rows))
    one, two = result(rows, policy), result(shuffled, policy)
    same(one, two)


@QUICK
@given(EVIDENCE, POLICIES, observation())
def test_more_do_not_call_evidence_never_removes_do_not_call(
    rows: list[dict[str, Any]], policy: Policy, more: dict[str, Any]
) -> None:
    stop = {**more, "outcome": "do_not_call", "source": "suppression:opt_out", "log_lr": None}
    before, after = result(rows, policy), result([*rows, stop], policy)
    held = set(before.loc[before["permission"] == "do_not_call", "number"])
    assert held <= set(after.loc[after["permission"] == "do_not_call", "number"])
    others = [name for name in before.columns if name in ("line", "reach", "p_dead")]
    pd.testing.assert_frame_equal(
        before[before["contact"].isna()].set_index("number")[others],
        after[after["contact"].isna()].set_index("number").loc[before.loc[before["contact"].isna(), "number"], others],
    )


@QUICK
@given(
    EVIDENCE,
    POLICIES,
    some.lists(observation(), max_size=5),
    some.sampled_from(["error", "gibberish", "lookup_abstained", "network_fault", "our_fault", "canceled"]),
)
def test_an_error_never_moves_a_status(
    rows: list[dict[str, Any]], policy: Policy, more: list[dict[str, Any]], word: str
) -> None:
    none = trunk_alarms(pd.DataFrame(rows).iloc[:0], policy)
    errors = [{**row, "outcome": word} for row in more if row["number"] in {known["number"] for known in rows}]
    same(result(rows, policy, alarms=none), result([*rows, *errors], policy, alarms=none))


@QUICK
@given(EVIDENCE, POLICIES)
def test_deciding_part_of_the_numbers_equals_deciding_all(rows: list[dict[str, Any]], policy: Policy) -> None:
    alarms = trunk_alarms(pd.DataFrame(rows), policy)
    rows = [{**row, "id": place} for place, row in enumerate(rows)]
    whole = result(rows, policy, alarms=alarms)
    parts = [
        result([row for row in rows if row["number"] == number], policy, alarms=alarms)
        for number in sorted({row["number"] for row in rows})
    ]
    same(whole, pd.concat(parts, ignore_index=True))


@QUICK
@given(EVIDENCE, POLICIES)
def test_the_same_evidence_told_twice_changes_nothing(rows: list[dict[str, Any]], policy: Policy) -> None:
    none = trunk_alarms(pd.DataFrame(rows).iloc[:0], policy)
    once, twice = result(rows, policy, alarms=none), result([*rows, *rows], policy, alarms=none)
    facts = [
        "number",
        "contact",
        "status",
        "line",
        "reach",
        "identity",
        "permission",
        "confidence",
        "reason",
        "recheck_at",
        "p_dead",
    ]
    pd.testing.assert_frame_equal(once[facts], twice[facts])


@QUICK
@given(EVIDENCE, POLICIES, some.floats(0, 1))
def test_a_decision_holds_until_its_recheck_date(rows: list[dict[str, Any]], policy: Policy, share: float) -> None:
    """So that only numbers with new evidence or an expired decision have to be decided again."""
    now = result(rows, policy)
    facts = ["status", "line", "reach", "identity", "permission"]
    for place in range(len(now)):
        ends = now["recheck_at"][place]
        if not pd.isna(ends) and ends <= NOW:
            continue
        span = pd.Timedelta(days=2_000) if pd.isna(ends) else ends - NOW
        later = result(rows, policy, NOW + span * share)
        assert now.loc[place, facts].to_dict() == later.loc[place, facts].to_dict()


@QUICK
@given(EVIDENCE, POLICIES)
def test_every_decision_is_complete_and_explains_itself(rows: list[dict[str, Any]], policy: Policy) -> None:
    decisions = result(rows, policy)
    assert set(decisions.loc[decisions["contact"].isna(), "number"]) == {row["number"] for row in rows}
    assert not decisions.duplicated(["number", "contact"]).any()
    assert decisions["reason"].str.len().between(1, 255).all()
    assert not decisions["reason"].str.contains(r"[{}?]|nan|None").any()
    assert decisions["confidence"].between(0, 1).all()
    assert decisions["p_dead"].between(0, 1).all()
    by_place = dict(enumerate(rows))
    for number, status, evidence in zip(
        decisions["number"], decisions["status"], decisions["evidence"].tolist(), strict=True
    ):
        assert all(by_place[int(one)]["number"] == number for one in evidence)
        assert evidence or status == "unverified"


def test_no_observations_give_no_decisions() -> None:
    empty = pd.DataFrame({"number": [], "source": [], "outcome": [], "observed_at": []})
    decisions = decide(empty, Policy(), NOW)
    assert len(decisions) == 0
    assert {"number", "contact", "status", "reason", "recheck_at", "evidence"} <= set(decisions.columns)


def test_an_observation_without_a_number_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a number"):
        decide(pd.DataFrame([{"number": None, "source": "x", "outcome": "reached", "observed_at": NOW}]), Policy(), NOW)


def test_chunks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    chance = np.random.default_rng(5)
    rows = pd.DataFrame(
        {
            "number": [f"+1415555{place:04d}" for place in chance.integers(0, 300, 2_000)],
            "contact": chance.choice(["a", "b"], 2_000),
            "source": "call:a",
            "outcome": chance.choice([*_WORTH], 2_000),
            "observed_at": NOW - pd.to_timedelta(chance.integers(0, 300 * 86_400, 2_000), unit="s"),
        }
    )
    whole = decide(rows, Policy(), NOW)
    monkeypatch.setattr("ringtrue.status_rows._NUMBERS_PER_CHUNK", 7)
    same(whole, decide(rows, Policy(), NOW))
