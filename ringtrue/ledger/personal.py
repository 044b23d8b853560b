"""Which column of the ledger holds whose data: what `ringtrue export` hands out, and what `ringtrue forget` does with each column.

One entry a table; a test fails when a table or a column is missing. What a privacy request finds:

    number    rows of the number
    key       rows of its keyed hash
    person    rows of the people who carry it
    email     rows of their e-mail addresses
    record    rows of their records in the CRMs
    call      calls to the number or to them
    text      rows whose texts name the number, the address or the full name

What erasing does with a column:

    keep        nothing: it says nothing about anybody, or proves what was agreed or asked
    null        becomes NULL
    empty       becomes '' (or '{}' where JSON stands)
    pseudonym   a random key of the same form in all rows: counts and histories stay, whose they are is gone
    redact      number, address and full name are taken out of the text
    fields      values of fields that hold numbers or words are taken out of {field: value} or {field: [before, after]}
    false, now  becomes false; becomes the moment of the request where it is empty
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

FoundBy = Literal["number", "key", "person", "email", "record", "call", "text"]
Treatment = Literal["keep", "null", "empty", "pseudonym", "redact", "fields", "false", "now"]
ERASED = "(erased)"
"""Stands where a value was taken out of a change. An undo leaves such a field alone."""


class Rule(NamedTuple):
    """One table. `subject` is the column that the number or address stands in; `searched` are texts that may name somebody."""

    columns: Mapping[Treatment, str]
    found_by: tuple[FoundBy, ...] = ()
    delete: bool = False
    """Rows go as a whole: nothing of them is needed when the person is gone."""
    subject: str = "number"
    searched: tuple[str, ...] = ()

    def treatment(self) -> dict[str, Treatment]:
        """What happens to each column."""
        return {name: what for what, names in self.columns.items() for name in names.split()}


def _nobody(columns: str) -> Rule:
    return Rule({"keep": columns})


RULES: Mapping[str, Rule] = {
    "meta": _nobody("name value"),
    "contacts": Rule(
        {
            "keep": "contact_id connection object record_id source first_source do_not_call do_not_call_ours flagged_at email_opt_out "
            "why_id created_at modified_at first_seen_at deleted_at merged_into",
            "null": "name email country state place owner account linkedin",
            "empty": "phones",
            "fields": "ours",
            "now": "forgotten_at",
        },
        ("person",),
    ),
    "contact_sources": Rule({"keep": "contact_id source seen_at"}, ("person",)),
    "phones": Rule(
        {"null": "contact_id field position raw number e164 extension valid sure reason region type"},
        ("person",),
        delete=True,
    ),
    "dirty_contacts": _nobody("stage contact_id token"),
    "dirty_numbers": Rule({"null": "stage number token"}, ("number",), delete=True),
    "dirty_calls": _nobody("stage call_id token"),
    "calls": Rule(
        {
            "keep": "call_id connection external_id namespace records outcome label status cause direction duration_seconds trunk "
            "started_at modified_at deleted",
            "null": "number notes",
        },
        ("call", "text"),
        searched=("number", "notes"),
    ),
    "observations": Rule(
        {
            "keep": "observation_id contact_id kind source source_group outcome trunk log_lr observed_at recorded_at external_id void "
            "cost run",
            "pseudonym": "number",
            "null": "raw detail",
        },
        ("number", "person"),
    ),
    "decisions": Rule(
        {
            "keep": "decision_id contact_id status line reach identity permission confidence evidence policy decided_at recheck_at",
            "pseudonym": "number",
            "redact": "reason",
            "false": "current",
        },
        ("number", "person"),
    ),
    "suppressions": Rule(
        {
            "keep": "event_id kind scope number_key contact_id cause source evidence actor second_person lifts at recorded_at "
            "previous_hash hash",
            "null": "number",
        },
        ("key", "person"),
    ),
    "plans": _nobody(
        "plan_id connection purpose created_at run records fields hash summary state approved_by approved_at approved_hash"
    ),
    "changes": Rule(
        {
            "keep": "change_id plan_id connection object record_id contact_id guarded decisions state attempts batch job run root_run "
            "undoes cleared changed_at",
            "fields": "fields",
            "redact": "error",
        },
        ("person",),
    ),
    "holds": Rule({"null": "contact_id field refused since run"}, ("person",), delete=True),
    "syncs": _nobody("connection object cursor last_pull_at last_full_at last_reconcile_at"),
    "rejects": Rule(
        {"null": "reject_id stage connection key reason run at"}, ("text",), delete=True, searched=("key", "reason")
    ),
    "review": Rule(
        {"null": "review_id kind subject text suggestion count first_seen_at answer answered_by answered_at"},
        ("call", "text"),
        delete=True,
        searched=("text", "suggestion"),
    ),
    "source_arrivals": Rule(
        {
            "keep": "contact_id status reason verified_at decision_id charted",
            "pseudonym": "number",
            "null": "raw e164",
        },
        ("number", "person"),
    ),
    "source_quality": _nobody("source day measured_at grade figures faults run"),
    "source_states": _nobody("source alarm grade fell_at accepted_by accepted_at"),
    "source_feedback": _nobody("feedback_id connection object record_id fields state error run changed_at"),
    "inbox": Rule(
        {
            "keep": "inbox_id source event_id kind connection object record_id occurred_at received_at",
            "empty": "body",
            "now": "handled_at",
        },
        ("record", "text"),
        searched=("body",),
    ),
    "intents": Rule(
        {
            "keep": "intent_id service product kind run root_run run_over state cost currency lifetime_days job result created_at "
            "closed_at",
            "pseudonym": "subject",
            "empty": "question",
            "null": "answer",
            "redact": "reason",
            "false": "current",
        },
        ("number", "email"),
        subject="subject",
    ),
    "spend": _nobody("service period currency asked answered abstained refused lost disagreed cost"),
    "lines": Rule({"null": "number line_type carrier ported listed service observed_at"}, ("number",), delete=True),
    "email_states": Rule(
        {"null": "email state service observed_at wanted_at look_at"}, ("email",), delete=True, subject="email"
    ),
    "lookup_dates": Rule({"null": "number look_at"}, ("number",), delete=True),
    "registries": _nobody(
        "registry_id name kind region form file sha256 numbers added removed area_codes san list_date loaded_at base state reason "
        "context run"
    ),
    "registry_parts": _nobody("name part registry_id list_date numbers"),
    "registry_blocks": _nobody("name block members"),
    "registry_listings": Rule({"null": "number name kind registry_id since"}, ("number",), delete=True),
    "scrubs": _nobody("scrub_id run at whole numbers listed newly_listed delisted registries"),
    "consents": Rule(
        {
            "keep": "consent_id kind channel number_key source actor second_person at recorded_at",
            "null": "number",
            "redact": "evidence",
        },
        ("key",),
    ),
    "list_members": Rule({"null": "connection list record_id status seen_at"}, ("record",), delete=True),
    "email_preferences": Rule(
        {"null": "connection email opted_out checked_at"}, ("email",), delete=True, subject="email"
    ),
    "privacy_requests": Rule({"keep": "request_id kind number_key actor reason counts at"}, ("key",)),
}
"""A registry's own list (`registry_blocks`) is kept: it is the law's list, not ours, and says only that a number is on it."""

_DIGITS = re.compile(r"\d(?:[\s().\-/]?\d){6,}")


def says_nothing_of_anybody(field: str, value: str | None) -> bool:
    """Whether a field's value may stay when the person is erased: a flag, a status, a moment, an opaque id; not a number, not free words."""
    name = field.lower().removesuffix("__c")
    if value is None or value in ("true", "false"):
        return True
    if not name.startswith("ringtrue_") or name.endswith(("_e164", "_best_number")):
        return False
    return not name.endswith("_reason") or not _DIGITS.search(value)


def without_person(values: Mapping[str, Any]) -> dict[str, Any]:
    """Field values as last seen, or [before, after] pairs, without what tells of the person. Pairs keep their field, marked `(erased)`."""
    kept: dict[str, Any] = {}
    for field, value in values.items():
        if isinstance(value, list):
            kept[field] = [one if says_nothing_of_anybody(field, one) else ERASED for one in value]
        elif says_nothing_of_anybody(field, value):
            kept[field] = value
    return kept
