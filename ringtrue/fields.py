"""Which fields of a CRM record mean what, and which fields are ours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class FieldMap:
    """Which API names of one CRM object mean what. Empty tuples and None where the object has no such field."""

    phones: tuple[str, ...]
    first_name: str | None = None
    last_name: str | None = None
    full_name: str | None = None
    email: str | None = None
    country: tuple[str, ...] = ()
    """First non-empty one counts; ISO code fields before free text."""
    state: tuple[str, ...] = ()
    city: str | None = None
    postal_code: str | None = None
    owner: str | None = None
    account: str | None = None
    lead_source: tuple[str, ...] = ()
    """All are kept, joined into the raw source that `ringtrue/sources.py` maps."""
    do_not_call: tuple[str, ...] = ()
    """Flags that mean "do not call this person" when true."""
    email_opt_out: tuple[str, ...] = ()
    linkedin: str | None = None
    extra: tuple[str, ...] = ()

    def all_fields(self) -> tuple[str, ...]:
        """Every API name of the map, each once, in a stable order."""
        single = (
            self.first_name,
            self.last_name,
            self.full_name,
            self.email,
            self.city,
            self.postal_code,
            self.owner,
            self.account,
            self.linkedin,
        )
        many = (
            *self.phones,
            *self.country,
            *self.state,
            *self.lead_source,
            *self.do_not_call,
            *self.email_opt_out,
            *self.extra,
        )
        return tuple(dict.fromkeys([*many, *(name for name in single if name)]))


@dataclass(frozen=True)
class OwnFields:
    """API names of the fields RingTrue writes on one CRM object. `prepare` creates all but a mapped do-not-call flag."""

    status: str
    reason: str
    best_number: str
    checked_at: str
    next_channel: str
    why: str
    do_not_call: str
    do_not_call_is_ours: bool
    """False for the standard or a mapped flag: people edit it, so it is read before it is written."""
    phone_status: dict[str, str] = field(default_factory=dict)
    phone_e164: dict[str, str] = field(default_factory=dict)

    def names(self) -> Iterator[str]:
        """Every field we write, the do-not-call flag included."""
        yield from (self.status, self.reason, self.best_number, self.checked_at, self.next_channel, self.why)
        yield self.do_not_call
        yield from self.phone_status.values()
        yield from self.phone_e164.values()


def own_fields(
    kind: Literal["salesforce", "hubspot"], phones: tuple[str, ...], do_not_call: str | None = None
) -> OwnFields:
    """Names of our fields: `RingTrue_Status__c` on Salesforce, `ringtrue_status` on HubSpot.

    `do_not_call` names an existing flag to use; Salesforce has the standard `DoNotCall`.
    """
    if kind == "salesforce":
        return OwnFields(
            status="RingTrue_Status__c",
            reason="RingTrue_Reason__c",
            best_number="RingTrue_Best_Number__c",
            checked_at="RingTrue_Checked_At__c",
            next_channel="RingTrue_Next_Channel__c",
            why="RingTrue_Why__c",
            do_not_call=do_not_call or "DoNotCall",
            do_not_call_is_ours=False,
            phone_status={name: f"RingTrue_{name.removesuffix('__c')}_Status__c" for name in phones},
            phone_e164={name: f"RingTrue_{name.removesuffix('__c')}_E164__c" for name in phones},
        )
    return OwnFields(
        status="ringtrue_status",
        reason="ringtrue_reason",
        best_number="ringtrue_best_number",
        checked_at="ringtrue_checked_at",
        next_channel="ringtrue_next_channel",
        why="ringtrue_why",
        do_not_call=do_not_call or "ringtrue_do_not_call",
        do_not_call_is_ours=do_not_call is None,
        phone_status={name: f"ringtrue_{name}_status" for name in phones},
        phone_e164={name: f"ringtrue_{name}_e164" for name in phones},
    )
