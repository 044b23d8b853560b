"""Decision against the CRM's values: the smallest set of changes that makes a record true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import Literal, NamedTuple

from ringtrue.fields import OwnFields
from ringtrue.records import BEST_NUMBER_ORDER, NextChannel, Status
from ringtrue.values import moment_of

CALLABLE: frozenset[Status] = frozenset({"active", "unverified", "no_answer"})
"""Statuses under which a number may still be dialled."""
_SHOWN_AS_BEST = CALLABLE | {"suspended"}
_RANK = {status: rank for rank, status in enumerate(BEST_NUMBER_ORDER)}
DAY_MS = 86_400_000
REASON_LENGTH = 255

Fields = dict[str, list[str | None]]


class NumberState(NamedTuple):
    """One number of a contact and its current decision."""

    field: str
    position: int
    raw: str
    e164: str | None
    extension: str | None
    valid: bool
    sure: bool
    type: str | None
    status: Status
    reason: str
    decided_at: int
    decision_id: int
    personal_opt_out: bool
    """The number's do-not-call comes from a person, not from a registry alone."""


class ContactState(NamedTuple):
    """A record as last seen in its CRM, with what is known of its numbers."""

    contact_id: int
    object_name: str
    record_id: str
    ours: Mapping[str, str]
    raw_phones: Mapping[str, str]
    flagged_by_us: bool
    """Our own write set the do-not-call flag, nobody else."""
    opted_out: bool
    """The person is suppressed, whatever the number."""
    opt_out_reason: str | None
    email_usable: bool
    linkedin: bool
    sms_consent: bool
    """A mobile number of the contact may be texted: a consent of its own, newer than any opt-out."""
    why_id: str
    numbers: tuple[NumberState, ...]
    holds: Mapping[str, str | None]


@dataclass(frozen=True)
class PlanRules:
    """What a connection's settings say about writing."""

    own: OwnFields
    mode: Literal["separate_field", "replace"]
    refresh_days: int = 30
    registry_flags: Literal["any", "all"] = "all"
    why_url: str | None = None

    @cached_property
    def places(self) -> dict[str, int]:
        """The record's phone fields, the main one first."""
        return {field: place for place, field in enumerate(self.own.phone_status)}

    @cached_property
    def status_fields(self) -> tuple[tuple[str, str], ...]:
        """Each phone field and the field of its status."""
        return tuple(self.own.phone_status.items())

    @cached_property
    def e164_fields(self) -> tuple[tuple[str, str], ...]:
        """Each phone field and the field of its E.164, where that is a field of its own."""
        return tuple(self.own.phone_e164.items()) if self.mode == "separate_field" else ()

    @cached_property
    def why_prefix(self) -> str:
        """What stands before the opaque id in the why field."""
        return f"{self.why_url.rstrip('/')}/" if self.why_url else ""


class RecordPlan(NamedTuple):
    """The changes of one record: {field: [before, after]}, and the holds of an undo that ended because something else is known now."""

    fields: Fields
    guarded: bool
    decisions: list[int]
    released: list[str]


def best_number(numbers: Sequence[NumberState]) -> NumberState | None:
    """The number to show for a record: best status first, then the order given."""
    return min(numbers, key=lambda number: _RANK[number.status], default=None)


def _in_field_order(numbers: Sequence[NumberState], places: dict[str, int]) -> list[NumberState]:
    """Numbers in the order of the record's phone fields: the main field comes first."""
    return sorted(numbers, key=lambda number: (places.get(number.field, len(places)), number.position))


def is_suppressed(contact: ContactState, rules: PlanRules) -> bool:
    """Whether the record must carry the do-not-call flag.

    A person's own opt-out always; a registry listing when no callable number is left, or when any is listed (`registry_flags`).
    """
    if contact.opted_out:
        return True
    listed = [number for number in contact.numbers if number.status == "do_not_call"]
    if any(number.personal_opt_out for number in listed):
        return True
    if not listed:
        return False
    return rules.registry_flags == "any" or not any(number.status in CALLABLE for number in contact.numbers)


def next_channel(
    contact: ContactState, best: NumberState | None, suppressed: bool, numbers: Sequence[NumberState]
) -> NextChannel:
    """How to reach the person next: the phone while a number may be called, else another way that is allowed.

    `other_number` says that the record's first number is not the one to call. A number nobody ever answers is called again only for want
    of anything else.
    """
    if best is not None and not suppressed and best.status in CALLABLE and best.status != "no_answer":
        return "phone" if best is numbers[0] or numbers[0].status in CALLABLE else "other_number"
    if contact.email_usable:
        return "email"
    if contact.sms_consent:
        return "sms"
    if contact.linkedin:
        return "linkedin"
    return "phone" if best is not None and not suppressed and best.status == "no_answer" else "none"


@lru_cache(maxsize=4_096)
def _text_of_moment(moment: int) -> str:
    return datetime.fromtimestamp(moment / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def plan_record(contact: ContactState, rules: PlanRules) -> RecordPlan | None:
    """The smallest changes that make the record say what we know, or None when there is nothing to do.

    Reason and checked-at travel with another change, or alone when more than `refresh_days` newer.
    """
    own = rules.own
    seen = contact.ours
    fields: Fields = {}
    by_field: dict[str, NumberState] = {}
    shared: set[str] = set()
    best: NumberState | None = None
    numbers = contact.numbers if len(contact.numbers) < 2 else _in_field_order(contact.numbers, rules.places)
    for number in numbers:
        rank = _RANK[number.status]
        held = by_field.get(number.field)
        if held is not None:
            shared.add(number.field)
        if held is None or rank < _RANK[held.status]:
            by_field[number.field] = number
        if best is None or rank < _RANK[best.status]:
            best = number
    suppressed = is_suppressed(contact, rules)

    for field, name in rules.status_fields:
        shown = by_field.get(field)
        _set(fields, seen, name, shown.status if shown else None)
    for field, name in rules.e164_fields:
        shown = by_field.get(field)
        _set(fields, seen, name, shown.e164 if shown and shown.valid else None)
    _set(fields, seen, own.status, "do_not_call" if suppressed else best.status if best else None)
    usable = best is not None and best.status in _SHOWN_AS_BEST and not suppressed
    _set(fields, seen, own.best_number, best.e164 if usable and best else None)
    nothing_known = best is None and not suppressed
    _set(fields, seen, own.next_channel, None if nothing_known else next_channel(contact, best, suppressed, numbers))
    _set(fields, seen, own.why, None if nothing_known else rules.why_prefix + contact.why_id)

    reason, checked_at = _explain(contact, best, suppressed)
    seen_moment = moment_of(seen.get(own.checked_at)) if own.checked_at in seen else None
    seen_at = int(seen_moment.timestamp() * 1000) if seen_moment else None
    newer = checked_at is not None and (seen_at is None or checked_at - seen_at > rules.refresh_days * DAY_MS)
    if fields or newer:
        _set(fields, seen, own.reason, reason[:REASON_LENGTH] if reason else None)
        if checked_at is None:
            _set(fields, seen, own.checked_at, None)
        elif seen_at is None or checked_at // 1000 != seen_at // 1000:
            fields[own.checked_at] = [seen.get(own.checked_at), _text_of_moment(checked_at)]

    if rules.mode == "replace":
        for field, number in by_field.items():
            if field not in shared and number.valid and number.sure and number.e164 and field in own.phone_status:
                written = f"{number.e164} x{number.extension}" if number.extension else number.e164
                raw = contact.raw_phones.get(field)
                if raw is not None and raw != written:
                    fields[field] = [raw, written]
    released = [] if not contact.holds else _mind_holds(contact, own, fields)
    flagged = seen.get(own.do_not_call) == "true"
    if suppressed and not flagged:
        fields[own.do_not_call] = [seen.get(own.do_not_call), "true"]
    elif not suppressed and flagged and contact.flagged_by_us:
        fields[own.do_not_call] = ["true", "false"]
    if not fields and not released:
        return None
    guarded = (own.do_not_call in fields and not own.do_not_call_is_ours) or not by_field.keys().isdisjoint(fields)
    return RecordPlan(fields, guarded, [number.decision_id for number in contact.numbers], released)


def _mind_holds(contact: ContactState, own: OwnFields, fields: Fields) -> list[str]:
    """Leave alone the fields that an undo put back, as long as the value it refused is all we have to say. Returns holds that ended."""
    released = []
    for name, refused in contact.holds.items():
        if name in fields:
            if fields[name][1] == refused:
                del fields[name]
            else:
                released.append(name)
        elif name not in (own.reason, own.checked_at, *own.phone_status) and contact.ours.get(name) != refused:
            # The field holds what we would write, and that is not what was refused.
            released.append(name)
    return released


def _set(fields: Fields, seen: Mapping[str, str], name: str, wanted: str | None) -> None:
    before = seen.get(name)
    if before != wanted:
        fields[name] = [before, wanted]


def _explain(contact: ContactState, best: NumberState | None, suppressed: bool) -> tuple[str | None, int | None]:
    """Reason and moment to show: those of what makes the status."""
    if suppressed:
        for number in contact.numbers:
            if number.status == "do_not_call":
                return number.reason, number.decided_at
        return contact.opt_out_reason, best.decided_at if best else None
    return (best.reason, best.decided_at) if best else (None, None)
