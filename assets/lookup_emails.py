"""Whose e-mail address is worth checking: that of somebody whom no number reaches, so that e-mail would be the next channel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from assets.lookup_choice import Grounds
from connectors.lookups.protocol import Question
from ringtrue.changes import CALLABLE
from ringtrue.ledger import emails, lookups, suppressions

_BATCH = 5_000
_REACHED_BY_PHONE = CALLABLE - {"no_answer"}


def choose_emails(grounds: Grounds, contacts: npt.NDArray[np.int64], registry_flags: str) -> list[Question]:
    """Note the addresses that would be a next channel of these contacts, and return every address that is due, newest contacts first."""
    for start in range(0, len(contacts), _BATCH):
        with grounds.ledger.read() as connection:
            people = emails.of_contacts(connection, contacts[start : start + _BATCH].tolist())
            wanted = _unreachable(grounds, connection, [contact for contact, _ in people], registry_flags)
        with grounds.ledger.write() as connection:
            emails.want(connection, [email for contact, email in people if contact in wanted], grounds.now)
    with grounds.ledger.read() as connection:
        due = emails.due(connection, grounds.now)
    return [Question(email, "email", value=1.0 / place) for place, email in enumerate(due, start=1)]


def _unreachable(grounds: Grounds, connection: Any, contacts: Sequence[int], registry_flags: str) -> set[int]:
    """Contacts that opted out of calls, or that no number reaches."""
    pairs = lookups.numbers_of(connection, contacts)
    decided = grounds.way.decided(grounds.way.evidence(connection, list({number for _, number in pairs})))
    decided = decided.assign(contact=decided["contact"].astype("Int64").fillna(0).astype("int64"))
    status = dict(
        zip(zip(decided["number"], decided["contact"], strict=True), decided["status"].astype(str), strict=True)
    )
    listed = decided[decided["status"] == "do_not_call"]
    silent = set(listed["number"] if registry_flags == "any" else listed.loc[listed["dnc_kind"] == "person", "number"])
    reached: set[int] = set()
    stopped: set[int] = set(suppressions.live_persons(connection, contacts))
    for contact, number in pairs:
        shown = status.get((number, 0), "unverified")
        if shown != "do_not_call":
            shown = status.get((number, contact), shown)
        if number in silent:
            stopped.add(contact)
        elif shown in _REACHED_BY_PHONE:
            reached.add(contact)
    # Where nothing is known of a person, nothing is suggested either.
    return ({contact for contact, _ in pairs} - reached) | stopped
