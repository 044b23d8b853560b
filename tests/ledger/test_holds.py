"""A field that an undo put back is left alone until something else is known of it."""

from __future__ import annotations

from ringtrue.changes import ContactState, NumberState, PlanRules, RecordPlan, plan_record
from ringtrue.records import Status
from tests.ledger.build import MOBILE, NOW, OWN

RULES = PlanRules(own=OWN, mode="separate_field")


def planned(status: Status, *, holds: dict[str, str | None], shown: str | None = None) -> RecordPlan | None:
    """The plan of a record whose one number has a status; `shown` is what its status field holds."""
    known = NumberState("Phone", 0, MOBILE, MOBILE, None, True, True, "MOBILE", status, "why", NOW, 1, False)
    ours = {} if shown is None else {OWN.status: shown}
    state = ContactState(
        1, "Contact", "a", ours, {"Phone": MOBILE}, False, False, None, False, False, False, "id", (known,), holds
    )
    return plan_record(state, RULES)


def test_the_value_that_was_refused_is_not_written_again() -> None:
    plan = planned("disconnected", holds={OWN.status: "disconnected"})
    assert plan is not None
    assert OWN.status not in plan.fields
    assert plan.released == []


def test_another_value_is_written_and_ends_the_hold() -> None:
    plan = planned("active", holds={OWN.status: "disconnected"})
    assert plan is not None
    assert plan.fields[OWN.status] == [None, "active"]
    assert plan.released == [OWN.status]


def test_a_hold_ends_too_when_the_field_says_already_what_is_known_now() -> None:
    plan = planned("active", holds={OWN.status: "disconnected"}, shown="active")
    assert plan is not None
    assert plan.released == [OWN.status]
