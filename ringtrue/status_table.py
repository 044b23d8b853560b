"""Facts -> the result rows: displayed status, confidence, re-check date and the evidence each decision rests on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ringtrue.evidence import OUTCOMES, vocabulary
from ringtrue.policy import Policy
from ringtrue.records import STATUSES, Status
from ringtrue.status_bayes import MONTH, NEVER
from ringtrue.status_reasons import Facts, hard_run
from ringtrue.status_rows import DAY, EARLIEST, Codes, Floats, Ints, Mask

LINES = ("alive", "suspended", "disconnected", "nonexistent", "unknown")
REACHES = ("reached", "voicemail", "persistent_no_answer", "unknown")
IDENTITIES = ("right", "wrong", "unknown")
PERMISSIONS = ("ok", "do_not_call")
DNC_KINDS = ("person", "registry")

_CODE: dict[Status, int] = {status: place for place, status in enumerate(STATUSES)}
_REFUSED_BY_SERVICE = 0.98


@dataclass(frozen=True, slots=True)
class Standing:
    """By number: the facts as codes, the status for everybody, and when the first of them ends by itself (NEVER if none does)."""

    line: Codes
    reach: Codes
    until: Ints
    talked: Codes


def standing(facts: Facts, policy: Policy, now: int) -> Standing:
    """The facts of each number that do not depend on the contact."""
    rows, line, words = facts.rows, facts.line, vocabulary()
    state = np.full(rows.numbers, LINES.index("unknown"), np.int32)
    state[line.alive] = LINES.index("alive")
    state[line.suspended] = LINES.index("suspended")
    state[line.dead] = LINES.index("disconnected")
    state[facts.numbering.refused >= 0] = LINES.index("nonexistent")
    reach = np.full(rows.numbers, REACHES.index("unknown"), np.int32)
    until = line.until.copy()
    present = rows.time >= line.owner_since[rows.number]
    stale = np.int64(policy.alive_days * DAY)
    talked = np.full(rows.numbers, -1, np.int32)
    for word in ("voicemail", "reached"):
        last = rows.last(words.flags("reach", word)[rows.outcome] & present)
        ends = rows.time_of(last) + stale
        recent = (last >= 0) & (now <= ends)
        reach[recent] = REACHES.index(word)
        until = np.where(recent, np.minimum(until, ends), until)
        talked = np.maximum(talked, last)
    quiet = facts.no_answer
    reach[quiet.persistent] = REACHES.index("persistent_no_answer")
    until = np.where(quiet.persistent, np.minimum(until, quiet.until), until)
    return Standing(state, reach, until, talked)


def table(
    facts: Facts,
    numbers: pa.Array,
    contacts: pa.Array,
    ids: pa.Array | None,
    write: Callable[[Facts, Codes, Codes, Codes], pa.Array],
    policy: Policy,
    now: int,
) -> pa.Table:
    """The result rows of one chunk, ordered by number and contact."""
    rows, who = facts.rows, facts.identity
    stand = standing(facts, policy, now)
    number = np.concatenate([np.arange(rows.numbers, dtype=np.int32), who.pair_number])
    contact = np.concatenate([np.full(rows.numbers, -1, np.int32), who.pair_contact])
    identity_row = np.concatenate([who.number_row, who.pair_row])
    if len(who.pair_number):
        order = np.lexsort((contact, number))
        number, contact, identity_row = number[order], contact[order], identity_row[order]
    wrong = vocabulary().flags("identity", "wrong")
    identity = np.full(len(number), IDENTITIES.index("unknown"), np.int32)
    known = identity_row >= 0
    identity[known] = np.where(wrong[rows.outcome[identity_row[known]]], IDENTITIES.index("wrong"), 0)
    status = _status(facts, stand, number, identity)
    return pa.table(
        {
            "number": numbers if len(number) == len(numbers) else numbers.take(pa.array(number)),
            "contact": contacts.take(pa.array(contact, mask=contact < 0)),
            "status": _words(status, STATUSES),
            "line": _words(stand.line[number], LINES),
            "reach": _words(stand.reach[number], REACHES),
            "identity": _words(identity, IDENTITIES),
            "permission": _words((facts.permission.row[number] >= 0).astype(np.int32), PERMISSIONS),
            "confidence": _confidence(facts, policy, now, number, status),
            "reason": write(facts, number, status, identity_row),
            "recheck_at": _moments(stand.until[number], NEVER),
            "evidence": _evidence(facts, number, status, identity_row, ids, policy, now),
            "p_dead": facts.line.p_dead[number],
            "dnc_kind": _words(
                np.where(facts.permission.row < 0, -1, np.where(facts.permission.personal, 0, 1)).astype(np.int32)[
                    number
                ],
                DNC_KINDS,
            ),
            "new_owner_since": _moments(facts.line.owner_since[number], EARLIEST),
        }
    )


def _words(codes: Codes, words: tuple[str, ...]) -> pa.Array:
    indices = pa.array(codes.astype(np.int8), mask=codes < 0)
    return pa.DictionaryArray.from_arrays(indices, pa.array(words, pa.string()))


def _moments(seconds: Ints, missing: int | np.int64) -> pa.Array:
    none = seconds == missing
    return pa.array(np.where(none, 0, seconds) * 1_000_000, pa.timestamp("us", "UTC"), mask=none)


def _status(facts: Facts, stand: Standing, number: Codes, identity: Codes) -> Codes:
    """The first of the eight that holds, in the order of `records.STATUSES`."""
    line = stand.line[number]
    return np.select(
        [
            facts.permission.row[number] >= 0,
            line == LINES.index("nonexistent"),
            line == LINES.index("disconnected"),
            line == LINES.index("suspended"),
            identity == IDENTITIES.index("wrong"),
            stand.reach[number] == REACHES.index("persistent_no_answer"),
            line == LINES.index("alive"),
        ],
        [np.int32(_CODE[status]) for status in STATUSES[:-1]],
        np.int32(_CODE["unverified"]),
    ).astype(np.int32)


def _confidence(facts: Facts, policy: Policy, now: int, number: Codes, status: Codes) -> Floats:
    rows, line = facts.rows, facts.line
    sure = np.zeros(len(number))
    sure[status == _CODE["do_not_call"]] = 1.0
    refused = facts.numbering.refused[number]
    by_service = np.zeros(len(number), np.bool_)
    if len(rows.outcome):
        by_service = rows.outcome[refused] == OUTCOMES.index("lookup_invalid")
    sure = np.where(status == _CODE["invalid"], np.where(by_service, _REFUSED_BY_SERVICE, 1.0), sure)
    p = line.p_dead[number]
    gone = p if policy.mode == "bayes" else np.where(line.dead_suspended[number], p, policy.rule_confidence)
    sure = np.where(status == _CODE["disconnected"], gone, sure)
    since = (now - rows.time_of(line.suspended_last)[number]) / MONTH
    sure = np.where(status == _CODE["suspended"], np.exp(-policy.suspended_hazard * np.maximum(since, 0)), sure)
    sure[status == _CODE["wrong_person"]] = policy.wrong_person_confidence
    tries = facts.no_answer.count[number]
    quiet = 1 - policy.pick_up_a / (policy.pick_up_a + policy.pick_up_b + tries)
    sure = np.where(status == _CODE["no_answer"], quiet, sure)
    sure = np.where(status == _CODE["active"], 1 - p, sure)
    rounded: Floats = np.round(sure, 4)
    return rounded


def _evidence(
    facts: Facts, number: Codes, status: Codes, identity_row: Codes, ids: pa.Array | None, policy: Policy, now: int
) -> pa.Array:
    """Lists of observation ids. Where a contact's own status differs from the number's, the row that says who answers is the evidence."""
    rows = facts.rows
    whole = np.append(True, number[1:] != number[:-1])
    shown = status[whole]
    used = _used(facts, shown[rows.number], policy, now)
    lists = _lists(rows.count(used), rows.place[used], ids)
    if whole.all():
        return lists
    differs = (status != shown[number]) & (identity_row >= 0)
    alone = _lists(differs.astype(np.int64), rows.place[identity_row[differs]], ids)
    pick = np.where(differs, len(lists) + np.arange(len(number)), number)
    return pa.concat_arrays([lists, alone]).take(pa.array(pick))


def _lists(counts: Ints, places: Ints, ids: pa.Array | None) -> pa.Array:
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    values = pa.array(places) if ids is None else ids.take(pa.array(places))
    return pa.ListArray.from_arrays(pa.array(offsets), values)


def _used(facts: Facts, status: Codes, policy: Policy, now: int) -> Mask:
    """By row: whether the displayed status of its number rests on it."""
    rows, line, words = facts.rows, facts.line, vocabulary()
    place = np.arange(len(rows.time))
    present = rows.time >= line.owner_since[rows.number]
    told = rows.outcome == OUTCOMES.index("format_valid")
    speaks = (
        (rows.log_lr != 0) | words.flags("attempt", True)[rows.outcome] | words.flags("line", "suspended")[rows.outcome]
    )
    suspended = words.flags("line", "suspended")[rows.outcome]
    since = line.suspended_first[rows.number]
    pause = suspended & (since >= 0) & (place >= since)
    living = words.flags("line", "alive")[rows.outcome] & present & (now - rows.time <= policy.alive_days * DAY)
    silent = ~(rows.count(speaks) > 0)[rows.number]
    chosen: Mask = np.select(
        [status == _CODE[name] for name in STATUSES],
        [
            facts.permission.in_force,
            place == facts.numbering.refused[rows.number],
            hard_run(facts) | (pause & line.dead_suspended[rows.number]),
            pause,
            place == facts.identity.number_row[rows.number],
            facts.no_answer.calls,
            living,
            speaks | (told & silent & (place == facts.numbering.accepted[rows.number])),
        ],
        False,
    ).astype(np.bool_)
    return chosen
