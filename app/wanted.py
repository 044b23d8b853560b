"""The CRM fields RingTrue writes, as `prepare` creates them."""

from __future__ import annotations

from typing import Literal, get_args

from connectors.crm import Crm, WantedField
from ringtrue.changes import REASON_LENGTH
from ringtrue.fields import own_fields
from ringtrue.records import NextChannel
from ringtrue.sentences import labels
from ringtrue.settings import Connection
from ringtrue.source_feedback import feedback_fields, feedback_object

CHANNEL_LABELS: dict[Literal["en", "zh"], dict[str, str]] = {
    "en": {
        "phone": "Phone", "email": "E-mail", "sms": "SMS", "linkedin": "LinkedIn", "other_number": "Another number", "none": "None",
    },
    "zh": {"phone": "电话", "email": "电子邮件", "sms": "短信", "linkedin": "领英", "other_number": "其他号码", "none": "无"},
}  # fmt: skip


def wanted_fields(crm: Crm, connection: Connection, language: Literal["en", "zh"]) -> list[WantedField]:
    """Every field of ours on every object of a connection. The CRM stores the English keys, people see the labels."""
    assert connection.kind != "files"  # noqa: S101 files have no fields; callers pass CRMs only
    statuses = tuple((str(key), label) for key, label in labels(language).items())
    channels = tuple((key, CHANNEL_LABELS[language][key]) for key in get_args(NextChannel))
    wanted: list[WantedField] = []
    for object_name in crm.objects:
        described = crm.describe(object_name)
        phones = connection.phones.get(object_name) or crm.available_fields(object_name).phones
        own = own_fields(connection.kind, phones, connection.do_not_call_property)

        def add(name: str, label: str, kind: str, help_text: str, length: int | None = None) -> None:
            options = statuses if kind == "status" else channels if kind == "channel" else ()
            stored = "picklist" if options else kind
            wanted.append(WantedField(object_name, name, label, stored, length, options, help_text))  # type: ignore[arg-type]  # noqa: B023 add is used up in this turn

        add(own.status, "RingTrue Phone Status", "status", "What is known about the best number of this record.")
        add(own.reason, "RingTrue Reason", "text", "Why the status is what it is.", REASON_LENGTH)
        add(own.best_number, "RingTrue Best Number", "text", "The number to call, in international form.", 40)
        add(own.checked_at, "RingTrue Checked At", "datetime", "When the status was last decided.")
        add(own.next_channel, "RingTrue Next Channel", "channel", "How to reach this person next.")
        add(own.why, "RingTrue Why", "text", "Opens what is known about this record's numbers.", REASON_LENGTH)
        if own.do_not_call_is_ours:
            add(
                own.do_not_call,
                "RingTrue Do Not Call",
                "checkbox",
                "Somebody asked not to be called, or a registry lists the number.",
            )
        for field in phones:
            label = described[field].label if field in described else field
            add(own.phone_status[field], f"RingTrue {label} Status"[:40], "status", f"What is known about {label}.")
            if connection.mode == "separate_field":
                add(
                    own.phone_e164[field], f"RingTrue {label} E.164"[:40], "text", f"{label} in international form.", 40
                )
    return wanted


def wanted_feedback(connection: Connection) -> list[WantedField]:
    """The fields in which a CRM is told about its lead sources, where `[source_quality] feedback` names it."""
    assert connection.kind != "files"  # noqa: S101 files have no fields; callers pass CRMs only
    return [
        WantedField(feedback_object(connection.kind), field.name, field.label, "text", 20, (), field.help_text)
        for field in feedback_fields(connection.kind)
    ]
