"""What is true about one telephone line: its type, its network, who answers it and what becomes of it over the years."""

from __future__ import annotations

import math
from bisect import bisect_right
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple, get_args

from sandbox.people import DAY, DIRECT, FAX, HOME, MOBILE, SWITCHBOARD, YEAR, Crowd, Person
from sandbox.places import BY_CODE, Country, Range

State = Literal["never_allocated", "alive", "suspended", "disconnected", "reassigned", "off"]
STATES: tuple[State, ...] = get_args(State)
LineType = Literal["mobile", "landline", "voip"]
WORKING: frozenset[State] = frozenset({"alive", "reassigned", "off"})
"""States in which the line has a subscriber who can be called (off: the phone is switched off, calls go to voicemail or ring out)."""


class LineState(NamedTuple):
    """The state of a line from `since` (epoch ms) until the next one begins.

    `owner` is who holds it then: a person ("p12"), a company ("c3"), a stranger of no CRM ("x99"), or None when nobody does.
    `reassigned` is alive again under another owner.
    """

    state: State
    owner: str | None
    since: int

    @property
    def working(self) -> bool:
        """Whether the line has a subscriber who can be called."""
        return self.state in WORKING


class PickupOdds(NamedTuple):
    """How likely a call is answered by a person, by part of the day at the callee's place."""

    morning: float
    afternoon: float
    evening: float


@dataclass(frozen=True)
class Line:
    """A number of the world and its whole story, including what is still to come after the world's epoch.

    `shared` is a company's switchboard. `registries` maps the name of a do-not-call registry ("us_national", "uk_tps", ...) to the time of listing (ms).
    `network` is the carrier that serves the line, `original_network` the one its range belongs to; they differ where `ported`.
    """

    e164: str
    country: str
    line_type: LineType
    network: str
    original_network: str
    mcc: str
    mnc: str
    ported: bool
    prepaid: bool
    fax: bool
    shared: bool
    region: str
    city: str
    timezone: str
    pickup: PickupOdds
    voicemail: float
    timeline: tuple[LineState, ...]
    registries: dict[str, int] = field(default_factory=dict)

    def state_at(self, moment: datetime | int) -> LineState:
        """The state at a moment (aware datetime or epoch ms). Before the first state it is that first state."""
        at = moment if isinstance(moment, int) else round(moment.timestamp() * 1000)
        place = bisect_right([state.since for state in self.timeline], at)
        return self.timeline[max(0, place - 1)]

    def listed_at(self, moment: datetime | int) -> list[str]:
        """The registries that list the number at a moment."""
        at = moment if isinstance(moment, int) else round(moment.timestamp() * 1000)
        return sorted(name for name, since in self.registries.items() if since <= at)


def make_line(crowd: Crowd, e164: str) -> Line | None:
    """The line of a number in one of the world's ranges, None for any other number."""
    found = crowd.holder(e164)
    if found is None:
        return None
    item, digits, holder, slot = found
    country = BY_CODE[item.country]
    draw = crowd.draws(b"line", int(e164[1:]))
    person = crowd.person(int(holder[1:])) if holder and holder.startswith("p") else None
    line_type = _line_type(item, slot, holder, draw[0])
    carriers = country.carriers
    original = carriers[draw[1] % len(carriers)]
    ported = line_type == "mobile" and draw[2] % 100 < 18
    network = carriers[(draw[1] + 1) % len(carriers)] if ported else original
    company_place = crowd.company(int(holder[1:])).place if holder and holder.startswith("c") else None
    place = country.area_places.get(digits.area) or (person.place if person else company_place) or country.places[0]
    prepaid = line_type == "mobile" and draw[3] % 1000 < country.prepaid * 3000
    timeline = _timeline(crowd, e164, holder, person, prepaid, draw[4:12])
    return Line(
        e164=e164,
        country=country.code,
        line_type=line_type,
        network=network[0],
        original_network=original[0],
        mcc=network[1] if line_type == "mobile" else "",
        mnc=network[2] if line_type == "mobile" else "",
        ported=ported,
        prepaid=prepaid,
        fax=slot == FAX and holder is not None,
        shared=slot == SWITCHBOARD and holder is not None,
        region=place.state,
        city=place.city,
        timezone=place.timezone,
        pickup=_pickup(slot, draw[12]),
        voicemail=0.0 if slot == FAX else 0.85 if line_type == "mobile" else 0.45,
        timeline=timeline,
        registries=_registries(country, slot, holder, crowd.epoch, draw[13], draw[14]),
    )


def _line_type(item: Range, slot: int, holder: str | None, draw: int) -> LineType:
    if item.kind == "mobile" or (item.kind == "both" and (slot == MOBILE or (holder is None and draw % 10 < 5))):
        return "mobile"
    return "voip" if draw % 100 < (35 if slot in (DIRECT, SWITCHBOARD) else 10) else "landline"


def _pickup(slot: int, draw: int) -> PickupOdds:
    """Mobiles and home lines are answered more in the evening, desks in the morning; people differ by a factor of up to three."""
    liking = 0.5 + draw % 1000 / 1000
    base = {
        MOBILE: (0.16, 0.18, 0.26),
        DIRECT: (0.32, 0.28, 0.03),
        HOME: (0.10, 0.14, 0.38),
        SWITCHBOARD: (0.62, 0.60, 0.04),
        FAX: (0.0, 0.0, 0.0),
    }
    return PickupOdds(*(round(min(0.95, odds * liking), 3) for odds in base.get(slot, (0.15, 0.15, 0.2))))


def _registries(country: Country, slot: int, holder: str | None, epoch: int, draw: int, when: int) -> dict[str, int]:
    share = {MOBILE: 14, HOME: 26, DIRECT: 4}.get(slot, 0)
    if holder is None or country.registry is None or draw % 100 >= share:
        return {}
    # The United Kingdom lists business lines in a registry of their own.
    name = "uk_ctps" if country.registry == "uk_tps" and slot == DIRECT else country.registry
    return {name: epoch - 6 * YEAR + when % (7 * YEAR // DAY) * DAY}


def _timeline(
    crowd: Crowd,
    e164: str,
    holder: str | None,
    person: Person | None,
    prepaid: bool,
    draw: tuple[int, ...],
) -> tuple[LineState, ...]:
    """The line's story.

    Numbers of nobody: 45 % never allocated, 35 % a stranger's, 20 % a stranger's until they were disconnected. A person's line: dead before the lead was created at
    the rate of its lead source; else it dies at 5 % a year (bad sources die faster), lapses for 20 to 90 days where prepaid (half of the times shortly before the epoch), or is switched off for 30 to 200 days.
    A disconnected number is given to a stranger after 60 to 400 days in a third of the cases.
    """
    epoch = crowd.epoch
    start = epoch - (4 * YEAR + draw[0] % (8 * YEAR // DAY) * DAY)
    stranger = f"x{int(e164[1:]) % 2**31}"
    if holder is None:
        given = draw[1] % 100
        if given < 45:
            return (LineState("never_allocated", None, 0),)
        lives = (LineState("never_allocated", None, 0), LineState("alive", stranger, start))
        return lives if given < 80 else (*lives, LineState("disconnected", None, epoch - draw[2] % 900 * DAY))
    lives = (LineState("never_allocated", None, 0), LineState("alive", holder, start))
    begins = person.created_at if person else epoch - 3 * YEAR
    source_dead = person.source.dead if person else 0.01
    if draw[1] / 2**32 < source_dead:
        died = begins - (10 + draw[2] % 600) * DAY
        return (*lives, *_death(max(start + DAY, died), stranger, draw[3], draw[4]))
    years_left = 1 / (0.05 + source_dead / 4)
    fate = draw[5] % 1000 / 1000
    dies = begins + int(YEAR * years_left * -_log(max(1e-6, 1 - draw[6] / 2**32)))
    after_epoch = epoch + 30 * 31 * DAY
    if (prepaid and fate < 0.35) or fate < 0.015:
        recent = epoch - draw[2] % 60 * DAY
        lapse = max(begins, recent) if draw[7] & 1 else begins + (after_epoch - begins) * draw[2] // 2**32
        back = lapse + (20 + draw[7] % 70) * DAY
        if draw[3] % 4:
            return (*lives, LineState("suspended", holder, lapse), LineState("alive", holder, back))
        return (*lives, LineState("suspended", holder, lapse), *_death(back, stranger, draw[3], draw[4]))
    if fate > 0.98:
        away = begins + (after_epoch - begins) * draw[2] // 2**32
        return (*lives, LineState("off", holder, away), LineState("alive", holder, away + (30 + draw[7] % 170) * DAY))
    if dies < after_epoch:
        return (*lives, *_death(dies, stranger, draw[3], draw[4]))
    return lives


def _death(at: int, stranger: str, fate: int, wait: int) -> tuple[LineState, ...]:
    gone = LineState("disconnected", None, at)
    if fate // 4 % 3:
        return (gone,)
    return (gone, LineState("reassigned", stranger, at + (60 + wait % 340) * DAY))


def _log(value: float) -> float:
    """Natural logarithm, rounded so that every machine's C library gives the same world."""
    return round(math.log(value), 9)
