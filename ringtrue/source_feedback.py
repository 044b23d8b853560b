"""The fields in which a CRM is told about its lead sources."""

from __future__ import annotations

from typing import Literal, NamedTuple


class FeedbackField(NamedTuple):
    """One field: API name, label, help."""

    name: str
    label: str
    help_text: str


def feedback_object(kind: Literal["salesforce", "hubspot"]) -> str:
    """The object that carries the fields: a campaign at Salesforce, the contact at HubSpot."""
    return "Campaign" if kind == "salesforce" else "contacts"


def feedback_fields(kind: Literal["salesforce", "hubspot"]) -> tuple[FeedbackField, FeedbackField]:
    """Grade, and the day since which the alarm rings."""
    grade, alarm = (
        ("RingTrue_Source_Grade__c", "RingTrue_Source_Alarm__c")
        if kind == "salesforce"
        else ("ringtrue_source_grade", "ringtrue_source_alarm")
    )
    return (
        FeedbackField(
            grade, "RingTrue Source Grade", "How good the numbers of this lead source are on arrival, A to F."
        ),
        FeedbackField(alarm, "RingTrue Source Alarm", "Since when more of its numbers are bad than usual."),
    )
