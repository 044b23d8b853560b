"""What the why page shows, in plain words: never a whole number, only its country and last digits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from ringtrue.evidence import vocabulary
from ringtrue.ledger.why import Event, Found, Number
from ringtrue.sentences import Dates, Language, labels, phrase, source_name
from ringtrue.settings import Settings

LAST_DIGITS = 4
SUREST = 0.99
"""Nothing is shown as surer than this."""
HELD = "held"
_SYSTEMS = {"salesforce": "Salesforce", "hubspot": "HubSpot"}
_SAID = {"right_person": "said_talked", "wrong_person": "said_wrong_person", "opted_out": "said_stop"}
_NOBODY = frozenset({"no_answer", "no_answer_unclear", "no_response", "timeout_unclear", "answered_briefly"})
_FAILED = frozenset(
    {"call_failed", "network_fault", "our_fault", "canceled", "error", "no_route", "caller_id_blocked", "barred"}
)
_LIKE = {"busy_reported": "busy", "answered_unclear": "reached", "wrong_person_brief": "wrong_person"}


class ShownNumber(NamedTuple):
    """A number as the page shows it."""

    handle: str
    shown: str
    fields: str
    status: str
    label: str
    reason: str | None
    decided: str | None
    sure: str | None


class ShownEvent(NamedTuple):
    """A piece of evidence as the page shows it."""

    moment: str
    date: str
    text: str
    by: str
    number: str | None
    lifted: bool


class Page(NamedTuple):
    """All the page shows."""

    name: str | None
    place: str
    deleted: bool
    stopped: str | None
    numbers: list[ShownNumber]
    choices: list[ShownNumber]
    events: list[ShownEvent]


class Reader:
    """Turns what the ledger knows into a page."""

    def __init__(self, settings: Settings, words: Mapping[str, str], timezone: str, now: int) -> None:
        self._settings, self._words = settings, words
        self._language: Language = settings.policy.language
        self._zone = ZoneInfo(timezone)
        self._dates = Dates(self._language, self._day(now))

    def page(self, found: Found) -> Page:
        """The page of one record."""
        person = found.person
        place = self._words["record_of"].format(object=person.object_name, connection=self._system(person.connection))
        numbers = [self._number(each) for each in _held(found)]
        dialled = {each.handle for each in found.numbers if each.e164}
        shown = {number.number: view.shown for number, view in zip(found.numbers, numbers, strict=True)}
        return Page(
            person.name,
            place,
            person.deleted,
            None if person.suppressed_since is None else self._date(person.suppressed_since),
            numbers,
            [each for each in numbers if each.handle in dialled],
            [self._event(event, shown, len(numbers)) for event in found.events],
        )

    def _number(self, number: Number) -> ShownNumber:
        label = labels(self._language)[number.status]  # type: ignore[index]  # the ledger holds the eight statuses only
        reason = number.reason
        for mark in (": ", "：", ":"):
            reason = reason.removeprefix(label + mark) if reason else reason
        return ShownNumber(
            number.handle,
            self._shown(number),
            ", ".join(number.fields),
            number.status,
            label,
            self._words[HELD] if reason == HELD else None if reason is None else _capital(reason),
            None if number.decided_at is None else self._date(number.decided_at),
            None if number.confidence is None else f"{min(number.confidence, SUREST):.0%}",
        )

    def _shown(self, number: Number) -> str:
        if number.e164 is None:
            return self._words["unreadable"]
        ending = f"{self._words['ending']} {number.e164[-LAST_DIGITS:]}"
        return f"{number.region} · {ending}" if number.region else ending

    def _event(self, event: Event, shown: Mapping[str, str], count: int) -> ShownEvent:
        number = None if count < 2 and event.number else shown.get(event.number or "", self._words["on_person"])
        moment = datetime.fromtimestamp(event.at / 1000, UTC).astimezone(self._zone)
        return ShownEvent(
            moment.isoformat(timespec="minutes"),
            self._date(event.at),
            _capital(self._what(event)),
            self._by(event),
            number,
            event.what == "lifted",
        )

    def _what(self, event: Event) -> str:
        words, outcome = self._words, event.outcome
        if event.what in ("permission", "lifted"):
            listed = outcome in vocabulary().registries
            return (
                words["permission_registry"]
                if listed
                else words.get(f"permission_{outcome}", words["permission_other"])
            )
        if event.what == "said":
            return words[_SAID[outcome]]
        if outcome in words:
            return words[outcome]
        if outcome in _NOBODY:
            return words["call_no_answer"]
        if outcome in _FAILED:
            return words["call_failed"]
        return phrase(self._language, _LIKE.get(outcome, outcome))

    def _by(self, event: Event) -> str:
        words = self._words
        if event.who and (event.what == "said" or event.source == "opt_out:page"):
            return words["by_person"].format(who=event.who)
        if event.what == "lookup":
            return words["by_lookup"].format(source=source_name(self._language, event.source))
        if event.what == "call":
            return words["by_call"].format(source=self._system(event.source.rpartition(":")[2]))
        return words["by_permission"]

    def _system(self, name: str) -> str:
        connection = self._settings.connections.get(name)
        if connection is None or connection.kind == "files":
            return source_name(self._language, name)
        label = _SYSTEMS[connection.kind]
        return label if name == connection.kind else f"{label} ({name})"

    def _day(self, moment: int) -> int:
        there = datetime.fromtimestamp(moment / 1000, UTC).astimezone(self._zone)
        return (there.date() - datetime(1970, 1, 1, tzinfo=UTC).date()).days

    def _date(self, moment: int) -> str:
        return self._dates.one(self._day(moment))


def _held(found: Found) -> list[Number]:
    """The numbers, those somebody asked not to be called on as such at once, before the next decision says so."""
    stopped = {event.number for event in found.events if event.what == "permission"}
    whole = found.person.suppressed_since
    return [
        number._replace(status="do_not_call", reason=HELD, confidence=None, decided_at=None)
        if number.status != "do_not_call" and (whole is not None or number.number in stopped)
        else number
        for number in found.numbers
    ]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
