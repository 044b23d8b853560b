"""The do-not-call registries of the seeded world as their files: what a caller downloads, with the world's own numbers in it.

One folder for each: US National (a full list, and a change list with the latest listings), UK TPS and CTPS, Canada. Layouts: FTC, "Complying with the Telemarketing
Sales Rule" (area code, number; a change list adds moment and A or D); TPS, one national number a line; LNNTE-DNCL, as the US list.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from sandbox.places import BY_CODE
from sandbox.world import World

FIRST_AGE_DAYS = 10
"""Age of the first full list, so that there is something for a change list to tell."""
RENEWED_AFTER_DAYS = 20
"""A full list is kept for so long at later starts: nobody hands out one that is older than the changes told already."""
_KINDS = {"us_national": "US", "canada": "CA", "uk_tps": "GB", "uk_ctps": "GB"}
_NAMES = {"us_national": "us_national", "canada": "ca_national", "uk_tps": "uk_tps", "uk_ctps": "uk_ctps"}
"""Folder, which is RingTrue's kind too -> the registry's name in the world."""


class Listing(NamedTuple):
    """A number on a registry since a moment (epoch ms)."""

    e164: str
    since: int


def write_registries(world: World, folder: Path) -> None:
    """Write every registry as it stands today, in place of the files that an earlier start wrote. A world of real data has none."""
    if world.real_data:
        return
    today = world.clock()
    listed = {kind: sorted(_strangers(world, country)) for kind, country in _KINDS.items()}
    for name, listing in _listings(world, today):
        for kind, registry in _NAMES.items():
            if name == registry:
                listed[kind].append(listing)
    for kind, listings in listed.items():
        place = folder / kind
        place.mkdir(parents=True, exist_ok=True)
        files = dict(_us_national(place, listings, today) if kind == "us_national" else _full(kind, listings, today))
        for name, text in files.items():
            (place / name).write_text(text, encoding="ascii")
        for old in place.glob(f"{kind}_*.txt"):
            if old.name not in files:
                old.unlink()


def _us_national(place: Path, listings: list[Listing], today: datetime) -> Iterator[tuple[str, str]]:
    """A full list some days old, and what changed since."""
    cut = _cut(place, today)
    cut_ms = round(cut.timestamp() * 1000)
    full = sorted(one.e164 for one in listings if one.since <= cut_ms)
    yield f"us_national_{cut:%Y-%m-%d}_full.txt", "".join(f"{number[2:5]},{number[5:]}\n" for number in full)
    later = sorted((one.since, one.e164) for one in listings if one.since > cut_ms)
    if later:
        lines = (f"{number[2:5]},{number[5:]},{_moment(since)},A\n" for since, number in later)
        yield f"us_national_{today:%Y-%m-%d}_changes.txt", "".join(lines)


def _cut(place: Path, today: datetime) -> datetime:
    """The day of the full list: the one there is already while it is young, else today."""
    day = today.replace(hour=0, minute=0, second=0, microsecond=0)
    kept = sorted(place.glob("us_national_*_full.txt"))
    if not kept:
        return day - timedelta(days=FIRST_AGE_DAYS)
    dated = datetime.strptime(kept[-1].name.split("_")[2], "%Y-%m-%d").replace(tzinfo=UTC)
    return dated if day - dated <= timedelta(days=RENEWED_AFTER_DAYS) else day


def _full(kind: str, listings: list[Listing], today: datetime) -> Iterator[tuple[str, str]]:
    numbers = sorted(one.e164 for one in listings)
    american = kind == "canada"
    lines = (f"{number[2:5]},{number[5:]}\n" if american else f"0{number[3:]}\n" for number in numbers)
    yield f"{kind}_{today:%Y-%m-%d}.txt", "".join(lines)


def _moment(at: int) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _listings(world: World, today: datetime) -> Iterator[tuple[str, Listing]]:
    """What the registries list of the people's numbers today; a number twice where two records repeat one person."""
    for person in world.people():
        if person.same_as is not None:
            continue
        for digits in person.numbers.values():
            line = world.line(digits.e164)
            for name in line.listed_at(today) if line else ():
                yield name, Listing(digits.e164, line.registries[name] if line else 0)


def _strangers(world: World, country: str) -> Iterator[Listing]:
    """A number of nobody in each area: a registry lists far more people than any company knows, and covers every area."""
    place = BY_CODE[country]
    for prefix in place.fixed.prefixes:
        numbers = (f"+{place.calling_code}{prefix}{rest:0{place.fixed.free}d}" for rest in range(10**place.fixed.free))
        free = next(number for number in numbers if (found := world.crowd.holder(number)) and found[2] is None)
        yield Listing(free, 0)
