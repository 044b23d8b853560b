"""Watches the trunks: finds the stretches in which one was in trouble, keeps them, and has the numbers called in them decided again.

It is done where calls are read and before `status` decides. Everything else that decides takes the alarms as they are kept, so one question costs no look at all calls.
"""

from dataclasses import fields

import pandas as pd
from sqlalchemy import Connection

from ringtrue.ledger import Ledger, trunks
from ringtrue.ledger.trunks import Alarm
from ringtrue.policy import Policy
from ringtrue.trunks import trunk_alarms

DAY_MS = 86_400_000
WATCHED_DAYS = 90
"""How long an alarm follows its calls when these are corrected at the source. After that it stands for ever."""
BASELINE_DAYS = 60
"""The days before an alarm that `trunk_alarms` takes a trunk's usual rate from."""
_SETTINGS = tuple(field.name for field in fields(Policy) if field.name.startswith("trunk_"))


def watch(ledger: Ledger, policy: Policy, now: int) -> tuple[int, int]:
    """Find and keep the alarms of the last 90 days, and those of older calls that came only now. Returns the alarms of these days and the numbers marked."""
    standing = now - WATCHED_DAYS * DAY_MS
    with ledger.read() as connection:
        read, earliest = trunks.unread(connection)
        kept = trunks.alarms(connection)
        found = _found(connection, policy, min(standing, earliest or standing), kept)
    with ledger.write() as connection:
        marked = trunks.remember(connection, found, standing, read)
    return sum(alarm.ends >= standing for alarm in found), marked


def alarms(ledger: Ledger) -> pd.DataFrame:
    """All alarms that were kept, as `decide` takes them: trunk, begins, ends."""
    with ledger.read() as connection:
        return _frame(trunks.alarms(connection))


def alarms_under(ledger: Ledger, policy: Policy, now: int) -> pd.DataFrame:
    """The alarms as another policy finds them, with those that stand. Nothing is written."""
    standing = now - WATCHED_DAYS * DAY_MS
    with ledger.read() as connection:
        kept = trunks.alarms(connection)
        found = _found(connection, policy, standing, kept)
    return _frame([*(alarm for alarm in kept if alarm.ends < standing), *found])


def alike(one: Policy, other: Policy) -> bool:
    """Whether two policies find the same alarms."""
    return all(getattr(one, name) == getattr(other, name) for name in _SETTINGS)


def _found(connection: Connection, policy: Policy, since: int, kept: list[Alarm]) -> list[Alarm]:
    """The alarms that end after a moment, each told from whole baselines: one that began before is found as it was found then."""
    first = min([since, *(alarm.begins for alarm in kept if alarm.ends >= since)])
    table = trunk_alarms(trunks.history(connection, first - BASELINE_DAYS * DAY_MS), policy)
    begins = table["begins"].astype("datetime64[ms, UTC]").astype("int64")
    ends = table["ends"].astype("datetime64[ms, UTC]").astype("int64")
    found = map(Alarm, table["trunk"].astype(str), begins.tolist(), ends.tolist())
    return [alarm for alarm in found if alarm.ends >= since]


def _frame(found: list[Alarm]) -> pd.DataFrame:
    table = pd.DataFrame(found, columns=list(Alarm._fields)).astype({"trunk": "str"})
    for name in ("begins", "ends"):
        table[name] = pd.to_datetime(table[name].astype("int64"), unit="ms", utc=True)
    return table
