"""The next channel: what is allowed and likely to reach the person, in the order phone, e-mail, SMS, LinkedIn."""

from __future__ import annotations

import pytest

from ringtrue.changes import ContactState, NumberState, PlanRules, plan_record
from ringtrue.fields import own_fields
from ringtrue.records import Status

OWN = own_fields("salesforce", ("Phone", "MobilePhone"))


def number(status: Status, field: str = "Phone") -> NumberState:
    e164 = "+441212345678" if field == "Phone" else "+447400123456"
    return NumberState(field, 0, e164, e164, None, True, True, "MOBILE", status, status, 0, 1, status == "do_not_call")


@pytest.mark.parametrize(
    ("statuses", "email", "sms", "linkedin", "wanted"),
    [
        (["active"], True, True, True, "phone"),
        (["unverified"], True, True, True, "phone"),
        (["disconnected", "active"], True, True, True, "other_number"),
        (["disconnected"], True, True, True, "email"),
        (["disconnected"], False, False, True, "linkedin"),
        (["disconnected"], False, False, False, "none"),
        (["invalid"], False, False, True, "linkedin"),
        (["suspended"], True, False, False, "email"),
        (["wrong_person"], False, False, False, "none"),
        (["no_answer"], True, True, False, "email"),
        (["no_answer"], False, True, True, "sms"),
        (["no_answer"], False, False, True, "linkedin"),
        (["no_answer"], False, False, False, "phone"),
        (["do_not_call"], True, False, True, "email"),
        (["do_not_call"], False, False, True, "linkedin"),
        (["do_not_call"], False, True, True, "sms"),
        (["do_not_call"], False, False, False, "none"),
        (["active", "do_not_call"], False, False, False, "none"),
        ([], True, True, True, None),
    ],
)  # fmt: skip
def test_next_channel(statuses: list[Status], email: bool, sms: bool, linkedin: bool, wanted: str | None) -> None:
    numbers = tuple(number(status, field) for status, field in zip(statuses, ("Phone", "MobilePhone"), strict=False))
    contact = ContactState(1, "Contact", "003", {}, {}, False, False, None, email, linkedin, sms, "why", numbers, {})
    plan = plan_record(contact, PlanRules(OWN, "separate_field"))
    fields = plan.fields if plan else {}
    assert fields.get(OWN.next_channel, [None, None])[1] == wanted
