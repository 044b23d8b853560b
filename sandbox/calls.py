"""The call history of the seeded world: a few calls for a share of the people, with outcomes that follow from what was true of the line at the time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sandbox.lines import Line
from sandbox.people import DAY, Person, Written
from sandbox.world import Crm, World

CALLED_SHARE = 32
"""Per cent of the people who were called at least once."""
CAMPAIGN_SHARE = 10
"""Per cent of the people on the latest campaign, which tries until somebody or a voicemail answers."""
CAMPAIGN_CALLS = 8
SCREENING_SHARE = 50
"""Per cent of the people on that campaign who answer no caller they do not know, and have no voicemail."""
ANNOUNCED_SHARE, STRANGERS_SHARE = 84, 20
"""Per cent of the barred lines whose announcement was heard lately (two calls, three of five heard it); of the wrong numbers where an agent reached the stranger."""
_HOUR = DAY // 24

SALESFORCE_WORDS: dict[str, tuple[str, ...]] = {
    "connected": ("Connected", "Spoke with contact", "Interested", "Call back later", "Not interested", "Meeting booked"),
    "voicemail": ("Left voicemail", "LVM", "Voicemail"),
    "no_answer": ("No Answer", "no answer", "Rang out"),
    "busy": ("Busy",),
    "live_message": ("Left message with colleague",),
    "wrong_number": ("Wrong Number", "wrong number - different person", "Wrong person"),
    "left_company": ("No longer with company",),
    "disconnected": ("Disconnected", "Not in service", "number disconnected", "Bad Number"),
    "suspended": ("Temporarily suspended", "incoming calls barred"),
    "invalid": ("Invalid Number", "Bad Number"),
    "do_not_call": ("Do Not Call", "DNC - asked to be removed"),
}  # fmt: skip
"""What sales people type or choose as Task.CallDisposition."""

HUBSPOT_OUTCOMES: dict[str, str] = {
    "busy": "9d9162e7-6cf3-4944-bf63-4dff82258764",
    "connected": "f240bbac-87c9-4f6e-bf70-924b57d47db7",
    "live_message": "a4c4c377-d246-4b32-a13b-75a56a4cd0ff",
    "voicemail": "b2cf5968-551e-4856-9783-52b3da59a7d0",
    "no_answer": "73a0d17f-1163-4015-bdd5-ec830791da20",
    "wrong_number": "17b47fee-58de-441e-a44c-c6300d46f273",
    "do_not_call": "6f1c1a52-3f0e-4d0b-9a57-0d7c6a1f3b01",
    "invalid": "6f1c1a52-3f0e-4d0b-9a57-0d7c6a1f3b02",
    "left_company": "6f1c1a52-3f0e-4d0b-9a57-0d7c6a1f3b03",
    "suspended": "6f1c1a52-3f0e-4d0b-9a57-0d7c6a1f3b04",
}
"""The portal's outcomes: HubSpot's six and four of the portal's own (`HUBSPOT_LABELS`)."""

HUBSPOT_LABELS: tuple[tuple[str, str], ...] = (
    (HUBSPOT_OUTCOMES["busy"], "Busy"),
    (HUBSPOT_OUTCOMES["connected"], "Connected"),
    (HUBSPOT_OUTCOMES["live_message"], "Left live message"),
    (HUBSPOT_OUTCOMES["voicemail"], "Left voicemail"),
    (HUBSPOT_OUTCOMES["no_answer"], "No answer"),
    (HUBSPOT_OUTCOMES["wrong_number"], "Wrong number"),
    (HUBSPOT_OUTCOMES["do_not_call"], "Do Not Call"),
    (HUBSPOT_OUTCOMES["invalid"], "Bad Number"),
    (HUBSPOT_OUTCOMES["left_company"], "No longer with company"),
    (HUBSPOT_OUTCOMES["suspended"], "Temporarily suspended"),
)

_NOTES = {
    "disconnected": "Recording: the number you have dialled is not in service.",
    "suspended": "Recording: this subscriber cannot be reached at the moment, incoming calls are barred.",
    "do_not_call": "Asked not to be called again.",
    "wrong_number": "Someone else answered and does not know our contact.",
    "left_company": "Has left the company.",
}
_HUBSPOT_STATUS = {
    "no_answer": "NO_ANSWER",
    "busy": "BUSY",
    "disconnected": "FAILED",
    "invalid": "FAILED",
    "suspended": "FAILED",
}


class PastCall(NamedTuple):
    """A call someone made before the world's epoch. `outcome` is a key of SALESFORCE_WORDS, `at` epoch ms, `detail` a random number for choices of wording."""

    person: Person
    crm: Crm
    field: Written
    at: int
    outcome: str
    seconds: int
    detail: int


def past_calls(world: World, person: Person, crm: Crm, written: list[Written]) -> Iterator[PastCall]:
    """The calls to a person that a CRM has on record; `written` are the person's fields there. A person in both CRMs was called from one of them."""
    yield from _campaign(world, person, crm, written)
    yield from _lately(world, person, crm, written)
    draw = world.crowd.draws(b"calls", person.serial)
    told_agent = person.opt_out is not None and person.opt_out.where == "call"
    if draw[0] % 100 >= CALLED_SHARE and not told_agent:
        return
    if person.crms == "both" and crm != ("salesforce", "hubspot")[draw[1] % 2]:
        return
    fields = [field for field in written if field.e164 and field.field != "fax"]
    if not fields:
        return
    count = 1 + (draw[2] % 3 if draw[3] % 5 else 4)
    times = sorted(_calling_time(person, world.epoch_ms, draw[4 + place]) for place in range(count))
    opted = world.opted_out_at(person)
    for place, at in enumerate(times):
        if opted is not None and at > opted:
            break
        field = fields[(draw[9] + place // 2) % len(fields)]
        outcome, seconds = _outcome(world, person, field, at, draw[10 + place])
        yield PastCall(person, crm, field, at, outcome, seconds, draw[15] + place)
    if told_agent and opted is not None:
        yield PastCall(person, crm, fields[draw[9] % len(fields)], opted, "do_not_call", 20 + draw[15] % 60, draw[15])


def _campaign(world: World, person: Person, crm: Crm, written: list[Written]) -> Iterator[PastCall]:
    """The calls of the latest campaign: a few people were tried again and again in the last weeks, at different times of day."""
    draw = world.crowd.draws(b"campaign", person.serial)
    if draw[0] % 100 >= CAMPAIGN_SHARE or (person.crms == "both" and crm != ("salesforce", "hubspot")[draw[1] % 2]):
        return
    fields = [field for field in written if field.e164 and field.field != "fax"]
    opted = world.opted_out_at(person)
    if not fields or opted is not None:
        return
    field = fields[draw[2] % len(fields)]
    zone = ZoneInfo(person.place.timezone)
    for place in range(CAMPAIGN_CALLS):
        day = datetime.fromtimestamp(world.epoch_ms / 1000, UTC).astimezone(zone) - timedelta(
            days=3 + 5 * (CAMPAIGN_CALLS - place)
        )
        moment = day.replace(hour=(10, 14, 18)[place % 3], minute=draw[3] % 60, second=place)
        at = int(moment.timestamp() * 1000)
        if at <= person.created_at:
            continue
        outcome, seconds = _outcome(world, person, field, at, draw[4 + place])
        if draw[13] % 100 < SCREENING_SHARE and seconds:
            outcome, seconds = "no_answer", 0
        yield PastCall(person, crm, field, at, outcome, seconds, draw[4 + place])
        if outcome in ("connected", "voicemail", "wrong_number", "live_message", "left_company"):
            return


def _lately(world: World, person: Person, crm: Crm, written: list[Written]) -> Iterator[PastCall]:
    """What the dialler and its agents met in the last two weeks: the carrier's announcement where a line is barred, a stranger where it is in other hands."""
    if world.opted_out_at(person) is not None:
        return
    draw = world.crowd.draws(b"lately", person.serial)
    if person.crms == "both" and crm != ("salesforce", "hubspot")[draw[0] % 2]:
        return
    for place, field in enumerate(field for field in written if field.e164 and field.field != "fax"):
        at = world.epoch_ms - (2 + draw[1 + place] % 12) * DAY - draw[1 + place] % (8 * _HOUR)
        truth = world.truth(person, field.e164, at)
        if truth.line is None or at <= person.created_at:
            continue
        if truth.line.state == "suspended" and draw[8 + place] % 100 < ANNOUNCED_SHARE:
            yield PastCall(person, crm, field, at, "suspended", 0, draw[15] + place)
        elif truth.line.working and truth.right_person is False and draw[8 + place] % 100 < STRANGERS_SHARE:
            yield PastCall(person, crm, field, at, "wrong_number", 12 + draw[15] % 30, draw[15] + place)


def answer_odds(line: Line, at: int) -> float:
    """How likely a person answers the line at a moment (epoch ms), by the hour at the line's place; next to nothing at night."""
    hour = datetime.fromtimestamp(at / 1000, UTC).astimezone(ZoneInfo(line.timezone)).hour
    if 8 <= hour < 12:
        return line.pickup.morning
    if 12 <= hour < 17:
        return line.pickup.afternoon
    return line.pickup.evening if 17 <= hour < 21 else 0.01


def _calling_time(person: Person, epoch: int, draw: int) -> int:
    """A moment in office hours at the callee's place, between the record's creation and the epoch."""
    earliest = person.created_at + _HOUR // 60
    at = earliest + (epoch - earliest) * draw // 2**32
    day = datetime.fromtimestamp(at // DAY * DAY // 1000, UTC)
    offset = ZoneInfo(person.place.timezone).utcoffset(day.replace(tzinfo=None)) or timedelta()
    office = (9 + draw % 8) * _HOUR + draw // 8 % 3600 * 1000
    return min(epoch, max(earliest, at // DAY * DAY + office - round(offset.total_seconds() * 1000)))


def _outcome(world: World, person: Person, field: Written, at: int, draw: int) -> tuple[str, int]:
    """(outcome, talk seconds) of a call to a field's number."""
    line = world.line(field.e164 or "")
    truth = world.truth_on_line(person, line, at)
    state = truth.line.state if truth.line else "never_allocated"
    if line is None or state == "never_allocated":
        return "invalid", 0
    if state == "disconnected":
        return ("disconnected", 0) if draw % 10 < 8 else ("no_answer", 0)
    if state == "suspended":
        return ("suspended", 0) if draw % 10 < 6 else ("no_answer", 0)
    chance, odds = draw / 2**32, 0.0 if state == "off" else answer_odds(line, at)
    if chance < odds:
        if truth.right_person is False:
            return ("wrong_number" if draw % 10 < 9 else "connected"), 8 + draw % 40
        if line.shared:
            return ("connected", "live_message", "left_company")[
                0 if draw % 20 < 12 else 1 if draw % 20 < 19 else 2
            ], 15 + draw % 200
        return "connected", 12 + draw % 600
    if chance < odds + (1 - odds) * line.voicemail * 0.6:
        return "voicemail", 12 + draw % 30
    return ("busy", 0) if draw % 25 == 0 else ("no_answer", 0)


def salesforce_words(call: PastCall) -> tuple[str, str | None]:
    """(CallDisposition, note) as the sales person left them."""
    words = SALESFORCE_WORDS[call.outcome]
    return words[call.detail % len(words)], _NOTES.get(call.outcome) if call.detail % 3 else None


def hubspot_words(call: PastCall) -> tuple[str, str, str | None]:
    """(hs_call_disposition, hs_call_status, note): agents have no word for a dead line and choose "Bad Number" or, with a note, "No answer"."""
    note = _NOTES.get(call.outcome)
    outcome = call.outcome
    if outcome == "disconnected":
        outcome = "invalid" if call.detail % 5 < 3 else "no_answer"
    return HUBSPOT_OUTCOMES[outcome], _HUBSPOT_STATUS.get(call.outcome, "COMPLETED"), note
