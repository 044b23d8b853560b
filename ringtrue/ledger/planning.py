"""What the planner needs of a batch of contacts: values last seen, numbers, decisions, suppressions, holds."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from sqlalchemy import Connection

from ringtrue.changes import ContactState, NumberState
from ringtrue.ledger import beside, consents, dirty
from ringtrue.ledger.database import batch_of, fetch, take_turns
from ringtrue.ledger.emails import GOOD, REFUSES_EMAIL
from ringtrue.ledger.suppressions import LIVE, PERSONAL, erased_stops, live_persons, number_key

PERSON_REASON = {
    "en": "Do not call: this person asked not to be called",
    "zh": "拒绝来电：此人要求不要再打",
}

NUMBER_REASON = {
    "en": "Do not call: somebody asked not to be called on this number",
    "zh": "拒绝来电：有人要求不要再拨打此号码",
}


def contact_states(
    connection: Connection, key: bytes, marks: Sequence[tuple[int, int]], *, email_good_only: bool, language: str = "en"
) -> list[ContactState]:
    """The living contacts behind marks of a changes stage, with all that `plan_record` looks at.

    `email_good_only`: an e-mail address counts as usable only when a service found it good.
    """
    contact_ids = [contact_id for contact_id, _ in marks]
    good = f"AND {GOOD}" if email_good_only else ""
    with batch_of(connection, contact_ids) as batch:
        people = fetch(
            connection,
            "SELECT c.contact_id, c.object, c.record_id, c.ours, c.phones, c.do_not_call_ours, "
            f"c.email IS NOT NULL AND NOT c.email_opt_out AND NOT {REFUSES_EMAIL} {good}, c.linkedin IS NOT NULL, c.why_id "
            f"FROM {batch} AS b JOIN contacts AS c ON c.contact_id = b.key WHERE c.deleted_at IS NULL ORDER BY c.contact_id",
        )
        lines = fetch(
            connection,
            "SELECT p.contact_id, p.field, p.position, p.raw, p.e164, p.extension, p.valid, p.sure, p.type, "
            "d.status, d.reason, d.decided_at, d.decision_id, 0, p.number "
            f"FROM {batch} AS b JOIN phones AS p ON p.contact_id = b.key "
            "JOIN decisions AS d ON d.number = p.number AND d.contact_id = 0 AND d.current "
            "ORDER BY p.contact_id, p.field, p.position",
        )
        own_facts = {
            (row[0], row[1]): row[2:]
            for row in fetch(
                connection,
                "SELECT d.contact_id, d.number, d.status, d.reason, d.decided_at, d.decision_id "
                f"FROM {batch} AS b JOIN decisions AS d ON d.contact_id = b.key WHERE d.current AND d.contact_id <> 0",
            )
        }
        holds: dict[int, dict[str, str | None]] = {}
        for contact_id, field, refused in fetch(
            connection,
            f"SELECT h.contact_id, h.field, h.refused FROM {batch} AS b JOIN holds AS h ON h.contact_id = b.key",
        ):
            holds.setdefault(contact_id, {})[field] = refused
        stopped = set(
            fetch(
                connection,
                f"SELECT DISTINCT p.contact_id, p.number FROM {batch} AS b JOIN phones AS p ON p.contact_id = b.key "
                f"JOIN suppressions AS s ON s.number = p.number WHERE {PERSONAL} AND {LIVE}",
            )
        )
        stopped |= erased_stops(connection, key, contact_ids)
        persons = live_persons(connection, contact_ids)
    personal = _personal(connection, key, {row[_NUMBER] for row in lines if row[_STATUS] == "do_not_call"})
    numbers: dict[int, list[NumberState]] = {}
    for row in lines:
        state = NumberState._make(row[1:_NUMBER])
        if row[_STATUS] == "do_not_call":
            state = state._replace(personal_opt_out=row[_NUMBER] in personal)
        elif (row[0], row[_NUMBER]) in stopped:
            # Somebody said stop since the number was decided. The flag may stand in the CRM already.
            state = state._replace(status="do_not_call", reason=NUMBER_REASON[language], personal_opt_out=True)
        elif own_facts and (own_fact := own_facts.get((row[0], row[_NUMBER]))) is not None:
            state = state._replace(**dict(zip(_DECIDED, own_fact, strict=True)))
        numbers.setdefault(row[0], []).append(state)
    reasons = dict.fromkeys(persons, PERSON_REASON[language])
    decided = {(row[0], row[_NUMBER]) for row in lines} if stopped else set()
    for contact_id, number in stopped:
        if (contact_id, number) not in decided:
            reasons.setdefault(contact_id, NUMBER_REASON[language])
    texting = _may_be_texted(connection, key, numbers)
    none: dict[str, str | None] = {}
    return [
        ContactState(
            person[0],
            person[1],
            person[2],
            orjson.loads(person[3]),
            orjson.loads(person[4]),
            bool(person[5]),
            person[0] in reasons,
            reasons.get(person[0]),
            bool(person[6]),
            bool(person[7]),
            person[0] in texting,
            person[8],
            tuple(numbers.get(person[0], ())),
            holds.get(person[0], none),
        )
        for person in people
    ]


def still_to_plan(
    connection: Connection,
    connection_name: str,
    marks: Sequence[tuple[int, int]],
    states: Sequence[ContactState],
    read_at: int,
) -> Sequence[tuple[int, int]]:
    """Of marks of a changes stage, those whose contacts may be planned from the states read at `read_at` (ms).

    Left out are contacts that a delivery ahead of the sync planned meanwhile, is writing to, or wrote to since, and those marked again. What was
    read of them is old; their marks stay, where there still are any.
    """
    take_turns(connection, f"sending to {connection_name}")
    standing = dirty.standing(connection, "contact_id", dirty.changes_stage(connection_name), marks)
    written = beside.written(connection, connection_name, [key for key, _ in standing], read_at, planned_too=True)
    if not written:
        return standing
    seen = {state.contact_id: {**state.raw_phones, **state.ours} for state in states if state.contact_id in written}
    return [mark for mark in standing if mark[0] not in seen or not written.overtook(mark[0], seen[mark[0]])]


_STATUS, _NUMBER = 9, 14
"""Places of a number's status and its key in a row of a contact's numbers."""
_DECIDED = ("status", "reason", "decided_at", "decision_id")
_MOBILE = frozenset({"MOBILE", "FIXED_LINE_OR_MOBILE"})
_TEXTABLE = frozenset({"active", "unverified", "no_answer", "do_not_call"})
"""Statuses of a number that a text message may reach. Do-not-call is about calls; texting it needs a consent of its own."""


def _may_be_texted(connection: Connection, key: bytes, numbers: dict[int, list[NumberState]]) -> set[int]:
    """Contacts with a mobile number that somebody consented to have texted."""
    if not consents.any_given(connection, "sms"):
        return set()
    mobile: dict[str, list[int]] = {}
    for contact_id, held in numbers.items():
        for number in held:
            if number.e164 and number.type in _MOBILE and number.status in _TEXTABLE:
                mobile.setdefault(number.e164, []).append(contact_id)
    allowed = consents.may_text(connection, key, list(mobile))
    return {contact_id for number in allowed for contact_id in mobile[number]}


def _personal(connection: Connection, key: bytes, numbers: set[str]) -> set[str]:
    """Of numbers that must not be called, those that a person asked about (a registry alone does not flag the record)."""
    if not numbers:
        return set()
    by_key = {number_key(key, number): number for number in numbers}
    with batch_of(connection, list(by_key)) as batch:
        rows = fetch(
            connection,
            f"SELECT DISTINCT s.number_key FROM {batch} AS b JOIN suppressions AS s ON s.number_key = b.key "
            f"WHERE s.scope = 'number' AND s.source NOT LIKE 'registry:%' AND {LIVE}",
        )
    return {by_key[row[0]] for row in rows}


def mark_all(connection: Connection, connection_name: str) -> int:
    """Mark every living record of a connection to be compared again."""
    return dirty.mark_by_query(
        connection,
        "contact_id",
        "SELECT 'changes:' || c.connection AS stage, c.contact_id AS key FROM contacts AS c "
        "WHERE c.connection = :connection AND c.deleted_at IS NULL",
        {"connection": connection_name},
    )
