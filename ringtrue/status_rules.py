"""The facts that rest on rules: permission, numbering, identity, and calls that nobody ever answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ringtrue.evidence import OUTCOMES, vocabulary
from ringtrue.local_time import local_hours
from ringtrue.policy import Policy
from ringtrue.status_rows import DAY, EARLIEST, Coded, Codes, Ints, Mask, Rows

SUPPRESSION = "suppression:"


@dataclass(frozen=True, slots=True)
class Permission:
    """By number: the do-not-call row that speaks loudest, -1 for none; by row: whether it is do-not-call evidence in force."""

    row: Codes
    personal: Mask
    in_force: Mask


def permission(rows: Rows, owner_since: Ints, sources: Coded) -> Permission:
    """Do-not-call stays until a recorded re-consent (or a withdrawn entry) that is newer and concerns it lifts it.

    A lift without a contact concerns the whole number, one with a contact only what that contact asked for. A consent from before the number
    changed hands is the former owner's and void; an entry withdrawn as an error stays withdrawn.
    """
    words = vocabulary()
    stops = words.flags("permission", "do_not_call")[rows.outcome]
    consent = rows.outcome == OUTCOMES.index("reconsent")
    lifts = words.flags("permission", "lift")[rows.outcome] & (~consent | (rows.time >= owner_since[rows.number]))
    if lifts.any():
        lifted = np.full(rows.numbers, EARLIEST, np.int64)
        general = np.flatnonzero(lifts & (rows.contact < 0))
        np.maximum.at(lifted, rows.number[general], rows.time[general])
        stops = stops & (rows.time >= lifted[rows.number])
        stops = stops & ~_lifted_by_contact(rows, stops, lifts & (rows.contact >= 0))
    registry = np.array([*(_kind(source) in words.registries for source in sources.texts()), False])[rows.source]
    said, listed = rows.last(stops & ~registry), rows.last(stops & registry)
    return Permission(np.where(said >= 0, said, listed), said >= 0, stops)


def _lifted_by_contact(rows: Rows, stops: Mask, lifts: Mask) -> Mask:
    lifted = np.zeros(len(stops), np.bool_)
    width = int(rows.contact.max(initial=-1)) + 2
    pair = rows.number.astype(np.int64) * width + rows.contact + 1
    position = np.flatnonzero(lifts)
    if len(position):
        keys, place = np.unique(pair[position], return_inverse=True)
        latest = np.full(len(keys), EARLIEST, np.int64)
        np.maximum.at(latest, place, rows.time[position])
        asked = np.flatnonzero(stops & (rows.contact >= 0))
        found = np.minimum(np.searchsorted(keys, pair[asked]), len(keys) - 1)
        lifted[asked] = (keys[found] == pair[asked]) & (rows.time[asked] < latest[found])
    return lifted


def _kind(source: str) -> str:
    return source.removeprefix(SUPPRESSION) if source.startswith(SUPPRESSION) else "call"


@dataclass(frozen=True, slots=True)
class Numbering:
    """By number: the rule or service that says it cannot exist, and the last rule that says it can; -1 for none."""

    refused: Codes
    accepted: Codes


def numbering(rows: Rows, details: Coded) -> Numbering:
    """Whether the number can exist. The last word of the numbering rules counts.

    Published ranges lag behind new ones: a later conversation proves such a refusal wrong. A service's refusal also yields to a later
    sign of life.
    """
    words = vocabulary()
    by_rule = rows.outcome == OUTCOMES.index("format_invalid")
    by_service = rows.outcome == OUTCOMES.index("lookup_invalid")
    fine = rows.outcome == OUTCOMES.index("format_valid")
    accepted = rows.last(fine)
    if not (by_rule.any() or by_service.any()):
        return Numbering(np.full(rows.numbers, -1, np.int32), accepted)
    ranged = np.array([*(detail in words.range_reasons for detail in details.texts()), False])
    refused = rows.last(by_rule | fine)
    refused[(refused >= 0) & (refused == accepted)] = -1
    talked = rows.last(words.flags("reach", "reached")[rows.outcome])
    disproved = (talked > refused) & ranged[rows.detail[refused]] & (refused >= 0)
    refused[disproved] = -1
    service = rows.last(by_service)
    life = rows.last(words.flags("line", "alive")[rows.outcome] & (rows.log_lr <= -2.0))
    service[life > service] = -1
    return Numbering(np.where(refused >= 0, refused, service), accepted)


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """By number: whether nobody ever answers, and the first, last and number of the calls that show it."""

    persistent: Mask
    first: Codes
    last: Codes
    count: Ints
    until: Ints
    calls: Mask


def no_answer(rows: Rows, muted: Mask, owner_since: Ints, numbers: pa.Array, policy: Policy, now: int) -> NoAnswer:
    """Enough calls, over enough days, in enough parts of the local day, and no contact in all that time.

    `numbers` are the chunk's numbers, looked at only where there are enough calls.
    """
    words = vocabulary()
    calls = words.flags("reach", "no_answer")[rows.outcome] & words.flags("attempt", True)[rows.outcome]
    calls = calls & ~muted & ~rows.again & (rows.time >= owner_since[rows.number])
    last = rows.last(calls)
    last_time = rows.time_of(last)
    window = last_time - np.int64(policy.no_answer_window_days * DAY)
    contact = rows.last(words.flags("reach", "reached", "voicemail")[rows.outcome] & ~muted)
    until = last_time + np.int64(policy.no_answer_expires_days * DAY)
    open_ = (last >= 0) & (now <= until) & ((contact < 0) | (rows.time_of(contact) < window))
    calls = calls & open_[rows.number] & (rows.time >= window[rows.number])
    count = rows.count(calls)
    enough = count >= policy.no_answer_attempts
    calls = calls & enough[rows.number]
    first = rows.first(calls)
    persistent = np.zeros(rows.numbers, np.bool_)
    if enough.any():
        at = np.flatnonzero(calls)
        number = rows.number[at]
        persistent = enough & _spread(
            numbers.take(pa.array(number)).to_pylist(), number, rows.time[at], rows.numbers, policy
        )
    return NoAnswer(persistent, first, last, count, until, calls & persistent[rows.number])


def _spread(texts: list[str], number: Codes, time: Ints, size: int, policy: Policy) -> Mask:
    """Whether each number's calls lie far enough apart and in enough parts of the day: before 12, 12 to 14, 14 to 17, from 17 on."""
    day, hour = local_hours(texts, time)
    earliest, latest = np.full(size, 2**62, np.int64), np.zeros(size, np.int64)
    np.minimum.at(earliest, number, day)
    np.maximum.at(latest, number, day)
    part = np.digitize(hour, [12, 14, 17])
    seen = np.zeros((size, 4), np.bool_)
    seen[number, part] = True
    wide: Mask = (latest - earliest >= policy.no_answer_span_days) & (seen.sum(axis=1) >= policy.no_answer_parts_of_day)
    if policy.no_answer_evening:
        wide &= seen[:, 3]
    if policy.no_answer_weekend:
        weekend = np.zeros(size, np.bool_)
        weekend[number[(day + 3) % 7 >= 5]] = True
        wide &= weekend
    return wide


@dataclass(frozen=True, slots=True)
class Identity:
    """Who answers. `number_row` by number: what concerns everybody. Pairs of number and contact with the row that decides, -1 for none."""

    number_row: Codes
    pair_number: Codes
    pair_contact: Codes
    pair_row: Codes


def identity(rows: Rows, owner_since: Ints) -> Identity:
    """The last word on each (contact, number) counts, of the present owner's time; at the same moment, "wrong" wins.

    What is said of a number without a contact (a reassignment) concerns all its contacts.
    """
    words = vocabulary()
    says = ~words.flags("identity", "none")[rows.outcome]
    counts = says & (rows.time >= owner_since[rows.number])
    own = (says | ~words.flags("permission", "none")[rows.outcome]) & (rows.contact >= 0)
    none = np.full(rows.numbers, -1, np.int32)
    if not (counts.any() or own.any()):
        empty = np.zeros(0, np.int32)
        return Identity(none, empty, empty, empty)
    wrong = words.flags("identity", "wrong")[rows.outcome]
    number_row = _latest(rows, np.flatnonzero(counts & (rows.contact < 0)), wrong, rows.number, none)
    width = int(rows.contact.max(initial=-1)) + 1
    position = np.flatnonzero(own)
    keys, place = np.unique(
        rows.number[position].astype(np.int64) * max(width, 1) + rows.contact[position], return_inverse=True
    )
    pair_of_row = np.full(len(says), -1, np.int32)
    pair_of_row[position] = place
    pair_row = _latest(rows, position[counts[position]], wrong, pair_of_row, np.full(len(keys), -1, np.int32))
    pair_number, pair_contact = (keys // max(width, 1)).astype(np.int32), (keys % max(width, 1)).astype(np.int32)
    general = number_row[pair_number] if len(keys) else pair_row
    later = (rows.time_of(general) * 2 + wrong_of(wrong, general)) > (
        rows.time_of(pair_row) * 2 + wrong_of(wrong, pair_row)
    )
    return Identity(
        number_row, pair_number, pair_contact, np.where((general >= 0) & ((pair_row < 0) | later), general, pair_row)
    )


def wrong_of(wrong: Mask, positions: Codes) -> Ints:
    """1 where the row says "wrong", else 0; also 0 where there is no row."""
    if not len(wrong):
        return np.zeros(len(positions), np.int64)
    return np.where(positions >= 0, wrong[positions], False).astype(np.int64)


def _latest(rows: Rows, position: Ints, wrong: Mask, owner: Codes, found: Codes) -> Codes:
    order = np.lexsort((position, wrong[position], rows.time[position]))
    chosen = position[order]
    found[owner[chosen]] = chosen
    return found
