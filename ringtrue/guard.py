"""A run that would change too much stops: the planned changes are compared with limits, and past one a person decides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ringtrue.changes import Fields
from ringtrue.fields import OwnFields
from ringtrue.settings import GuardSettings

RETIRED = frozenset({"disconnected", "invalid", "wrong_person"})
TALLY = ("records", "newly retired", "newly do-not-call", "reversed decisions")


def tally(plans: Iterable[tuple[Fields, OwnFields]]) -> Counter[str]:
    """Count what a plan does to records: changed, newly retired, newly do-not-call, reversed (dead to alive or back).

    The first status of a record is no change: new records come in any number.
    """
    counted = Counter[str]()
    for fields, own in plans:
        pair = fields.get(own.status)
        first_fill = pair is not None and pair[0] is None
        counted["records"] += not first_fill
        if pair is not None and not first_fill:
            before, after = pair
            counted["newly retired"] += after in RETIRED and before not in RETIRED
            counted["reversed decisions"] += (before in RETIRED and after == "active") or (
                before == "active" and after in RETIRED
            )
        flag = fields.get(own.do_not_call)
        counted["newly do-not-call"] += flag is not None and flag[1] == "true"
    return counted


def objections(counted: Counter[str], living: int, limits: GuardSettings, *, first: bool) -> list[str]:
    """Why a person should look first; empty when the plan may run. `living` is the number of records of the connection."""
    if first:
        return ["This would be the first time anything is written to this CRM."]
    if not living:
        return []
    shares = {
        "records": limits.records_changed_share,
        "newly retired": limits.newly_retired_share,
        "newly do-not-call": limits.newly_do_not_call_share,
        "reversed decisions": limits.reversed_share,
    }
    return [
        f"{counted[name]} {name} are {counted[name] / living:.0%} of {living} records; the limit is {limit:.0%}."
        for name, limit in shares.items()
        if counted[name] > limits.small_plan and counted[name] / living > limit
    ]
