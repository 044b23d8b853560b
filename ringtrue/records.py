"""The words used everywhere: what a CRM holds, what we know, what we decide, what we change."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NamedTuple, get_args

Status = Literal[
    "do_not_call", "invalid", "disconnected", "suspended", "wrong_person", "no_answer", "active", "unverified"
]
Line = Literal["alive", "suspended", "disconnected", "nonexistent", "unknown"]
Reach = Literal["reached", "voicemail", "persistent_no_answer", "unknown"]
Identity = Literal["right", "wrong", "unknown"]
Permission = Literal["ok", "do_not_call"]
NextChannel = Literal["phone", "email", "sms", "linkedin", "other_number", "none"]

STATUSES: tuple[Status, ...] = get_args(Status)
"""The eight statuses, highest precedence first: the order in which one number's facts are shown."""

BEST_NUMBER_ORDER: tuple[Status, ...] = (
    "active",
    "unverified",
    "no_answer",
    "suspended",
    "wrong_person",
    "disconnected",
    "invalid",
    "do_not_call",
)
"""The order in which a record's numbers are preferred. A suppressed number is never the best one."""


class PulledRecord(NamedTuple):
    """A contact or lead as a CRM handed it over.

    `values` holds every field asked for by its API name, as text: booleans "true"/"false", date-times ISO 8601 in UTC ending in "Z", None where empty.
    """

    record_id: str
    values: dict[str, str | None]
    created_at: datetime | None
    modified_at: datetime
    deleted: bool = False
    merged_into: str | None = None
    merged_from: tuple[str, ...] = ()


class PulledCall(NamedTuple):
    """A call as a CRM or a dialler recorded it. `outcome` is the raw word, code or GUID; `label` what the CRM shows for it."""

    call_id: str
    contact_ids: tuple[str, ...]
    number: str | None
    outcome: str | None
    label: str | None
    status: str | None
    direction: str | None
    duration_seconds: float | None
    notes: str | None
    started_at: datetime | None
    modified_at: datetime
    trunk: str | None = None
    deleted: bool = False
    cause: str | None = None
    """SIP response, Q.850 cause or SIP Reason header, where the dialler kept it."""


class RecordWrite(NamedTuple):
    """New values for one record, by API name, as text; None clears the field."""

    record_id: str
    values: dict[str, str | None]
    parent: str | None = None
    """Account of the record: siblings share a batch, so that they do not lock each other out."""


RowOutcome = Literal["applied", "retry", "failed", "gone", "changed"]


class RowResult(NamedTuple):
    """What became of one record's write.

    applied: the CRM took it. retry: may work later (lock, limit). failed: refused, `reason` says why. gone: deleted, or merged into `merged_into`.
    changed: the record was modified after the moment we named, nothing was written.
    """

    record_id: str
    outcome: RowOutcome
    reason: str | None = None
    merged_into: str | None = None
