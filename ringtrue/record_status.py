"""A record's status from its numbers' decisions: what a contact, or one phone field, shows in the CRM."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ringtrue.policy import Policy
from ringtrue.records import BEST_NUMBER_ORDER, STATUSES
from ringtrue.status_rows import Ints, Mask

_DO_NOT_CALL = STATUSES.index("do_not_call")
_UNVERIFIED = STATUSES.index("unverified")


def record_status(numbers: pd.DataFrame, decisions: pd.DataFrame, policy: Policy | None = None) -> pd.DataFrame:
    """One row per record: record, status, best_number (null where none may be called), number (the one the status is of).

    `numbers` has the columns record and number, one row for each number a record carries; optional: contact (the contact's key in the
    observations; a decision for this contact and number comes before the number's), position (which number comes first among equals;
    else their order), suppressed (true where the record itself is under a live suppression). `decisions` are what `decide` returned.

    A record is do-not-call if it is suppressed, or one of its numbers was opted out by a person, or, after `policy.registry_flags`, any or
    all of its numbers are listed in registries. Otherwise it has the status of its best number, in the order of
    `records.BEST_NUMBER_ORDER`; a suppressed number is never the best one. A number without a decision counts as unverified.

    For the status of one phone field, pass the field as `record`.
    """
    policy = policy or Policy()
    status, kind = _decided(numbers, decisions)
    record, names = pd.factorize(numbers["record"])
    preference = np.empty(len(STATUSES), np.int64)
    for place, name in enumerate(BEST_NUMBER_ORDER):
        preference[STATUSES.index(name)] = place
    position = numbers["position"].to_numpy() if "position" in numbers.columns else np.arange(len(numbers))
    order = np.lexsort((position, preference[status], record))
    best = order[np.append(True, record[order][1:] != record[order][:-1])] if len(order) else order
    stopped = _stopped(numbers, status, kind, record, len(names), policy)
    shown = np.where(stopped, _DO_NOT_CALL, status[best])
    number = numbers["number"].to_numpy()[best]
    none = status[best] == _DO_NOT_CALL
    return pd.DataFrame(
        {
            "record": names,
            "status": pd.Categorical.from_codes(shown, pd.Index([*STATUSES])),
            "best_number": pd.Series(number, dtype=numbers["number"].dtype).mask(none),
            "number": number,
        }
    )


def _decided(numbers: pd.DataFrame, decisions: pd.DataFrame) -> tuple[Ints, Ints]:
    """By row of `numbers`: the status as its place in STATUSES, and 1 for a personal opt-out, 0 for a registry's, -1 for none."""
    general = decisions[decisions["contact"].isna()]
    place = pd.Index(general["number"]).get_indexer(pd.Index(numbers["number"]))
    codes = general["status"].astype(pd.CategoricalDtype(list(STATUSES))).cat.codes.to_numpy().astype(np.int64)
    status = np.where(place >= 0, np.append(codes, _UNVERIFIED)[place], _UNVERIFIED)
    personal = (general["dnc_kind"] == "person").to_numpy().astype(np.int64)
    listed = (general["dnc_kind"] == "registry").to_numpy()
    kind = np.where(place >= 0, np.append(np.where(personal == 1, 1, np.where(listed, 0, -1)), -1)[place], -1)
    own = decisions[decisions["contact"].notna()]
    if "contact" in numbers.columns and len(own):
        pairs = pd.MultiIndex.from_arrays([own["contact"], own["number"]])
        found = pairs.get_indexer(pd.MultiIndex.from_arrays([numbers["contact"], numbers["number"]]))
        own_codes = own["status"].astype(pd.CategoricalDtype(list(STATUSES))).cat.codes.to_numpy().astype(np.int64)
        status = np.where(found >= 0, np.append(own_codes, _UNVERIFIED)[found], status)
    return status, kind


def _stopped(numbers: pd.DataFrame, status: Ints, kind: Ints, record: Ints, size: int, policy: Policy) -> Mask:
    stop = kind == 1
    if policy.registry_flags == "any":
        stop = stop | (kind == 0)
    if "suppressed" in numbers.columns:
        stop = stop | numbers["suppressed"].to_numpy(dtype=np.bool_)
    stopped: Mask = np.bincount(record[stop], minlength=size) > 0
    callable_numbers = np.bincount(record[status != _DO_NOT_CALL], minlength=size)
    stopped |= callable_numbers == 0
    return stopped
