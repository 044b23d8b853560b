"""The simulated world: lines and what becomes of them day by day, who carries which number, who opts out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from benchmarks.truth_noise import noise
from benchmarks.truth_settings import KINDS, REGIONS, Settings

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
States = npt.NDArray[np.int8]

ALIVE, OFF, SUSPENDED, DEAD, OTHERS, NONE = range(6)
"""States of a line: alive, switched off, suspended, without a subscriber, alive with another owner, impossible."""
BEGIN = pd.Timestamp("2026-01-05", tz="UTC")
"""Day 0, a Monday."""
BEGIN_SECONDS = int(BEGIN.timestamp())
DAY = 86_400
MONTH_DAYS = 30.44
NEVER = 10**6
_HOURS_AHEAD = (-5, 8, 6)


@dataclass(frozen=True)
class World:
    """By number: region, kind, source, arrival (day), whether rules refuse it, day of listing, and the state of its line on each day.

    Pairs are (number, contact): who carries which number. `stop` and `withdrawn` are days by contact, NEVER where nothing happens.
    """

    settings: Settings
    names: npt.NDArray[np.object_]
    region: Ints
    kind: Ints
    source: Ints
    arrival: Ints
    refused: Mask
    listed: Ints
    ringing: Mask
    state: States
    pair_number: Ints
    pair_contact: Ints
    pair_arrival: Ints
    stop: Ints
    withdrawn: Ints

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return len(self.names)

    @property
    def contacts(self) -> int:
        """How many contacts there are."""
        return len(self.stop)

    def offset(self, numbers: Ints) -> Ints:
        """Seconds by which local time is ahead of UTC."""
        return np.array(_HOURS_AHEAD)[self.region[numbers]] * 3_600


def make_world(settings: Settings) -> World:
    """Draw the world of these settings."""
    chance = np.random.default_rng([settings.seed, 1])
    size, days = settings.numbers, settings.days
    shares = np.array([settings.share_us, settings.share_cn, settings.share_bd])
    region = np.sort(chance.choice(3, size, p=shares / shares.sum()))
    mix = np.array([[0.50, 0.15, 0.22, 0.13], [0.88, 0.04, 0.08, 0.0], [0.92, 0.03, 0.05, 0.0]])
    kind = (chance.random(size)[:, None] > np.cumsum(mix, axis=1)[region]).sum(axis=1).clip(max=len(KINDS) - 1)
    weights = np.array([source.weight for source in settings.sources], float)
    source = chance.choice(len(weights), size, p=weights / weights.sum())
    fresh = chance.random(size) < settings.new_leads
    arrival = np.where(fresh, chance.integers(1, max(2, days), size), 0)
    begin, refused = _at_arrival(settings, source, fresh, chance)
    contact = np.repeat(np.arange(size), 1 + (chance.random(size) < settings.two_numbers))[:size]
    shuffle = chance.permutation(size)
    contact = contact[np.argsort(shuffle)]
    twice = np.flatnonzero(chance.random(size) < settings.duplicates)
    contacts = int(contact.max()) + 1 + len(twice)
    twice_arrival = np.maximum(arrival[twice], chance.integers(0, days, len(twice)))
    by_month = MONTH_DAYS / max(settings.opt_outs_otherwise, 1e-12)
    stop = np.minimum(chance.exponential(by_month, contacts), NEVER).astype(np.int64)
    mistake = chance.random(contacts) < settings.opt_outs_by_mistake
    withdrawn = np.where(mistake & (stop < NEVER), stop + chance.integers(3, 30, contacts), NEVER)
    is_us = region == 0
    later = np.minimum(chance.exponential(MONTH_DAYS / max(settings.listed_later, 1e-12), size), NEVER).astype(np.int64)
    listed = np.where(is_us, np.where(chance.random(size) < settings.listed, -100, later), NEVER)
    serial = np.arange(size)
    names = np.array(
        [
            f"{('+1200', '+86100', '+880100')[where]}{at:07d}"
            for where, at in zip(region.tolist(), serial.tolist(), strict=True)
        ],
        object,
    )
    return World(
        settings=settings,
        names=names,
        region=region,
        kind=kind,
        source=source,
        arrival=arrival,
        refused=refused,
        listed=listed,
        ringing=noise(settings.seed, 11, serial) < settings.ringing_dead,
        state=_timelines(settings, region, kind, source, arrival, begin, chance),
        pair_number=np.concatenate([serial, twice]),
        pair_contact=np.concatenate([contact, contacts - len(twice) + np.arange(len(twice))]),
        pair_arrival=np.concatenate([arrival, twice_arrival]),
        stop=stop,
        withdrawn=withdrawn,
    )


def _at_arrival(settings: Settings, source: Ints, fresh: Mask, chance: np.random.Generator) -> tuple[States, Mask]:
    """State on the day a lead arrives, and whether the numbering rules refuse the number.

    Of well-formed typos, 45 % were never given to anybody, 35 % reach a stranger and 20 % reached one once, as in the sandbox's world.
    """
    size = len(source)
    harsh = settings.harsh
    table = np.array(
        [
            [
                harsh(one.damaged + one.placeholder, 0.6),
                harsh(one.typo, 0.4),
                harsh(one.wrong_person, 0.3),
                harsh(one.dead, 0.9),
            ]
            for one in settings.sources
        ]
    )[source]
    spoiled, typo, wrong, dead = table.T
    draw, fate = chance.random(size), chance.random(size)
    gone = dead + (1 - dead) * np.where(fresh, 0.0, harsh(settings.dead_at_start))
    state = np.where(chance.random(size) < gone, DEAD, ALIVE)
    state = np.where(draw < spoiled + typo + wrong, OTHERS, state)
    state = np.where((draw < spoiled + typo) & (fate >= 0.35), DEAD, state)
    state = np.where(draw < spoiled, NONE, state)
    caught = chance.random(size)
    refused = np.where(state == NONE, caught >= settings.rules_miss, caught < harsh(settings.rules_lag))
    return state.astype(np.int8), refused & ((state == NONE) | (state == ALIVE))


def _timelines(
    settings: Settings,
    region: Ints,
    kind: Ints,
    source: Ints,
    arrival: Ints,
    begin: States,
    chance: np.random.Generator,
) -> States:
    """The state of every line on every day: exponential times to death, suspension and being switched off."""
    size, days = len(region), settings.days
    bad = np.array([one.dead for one in settings.sources])[source]
    death = np.array(settings.churn())[kind] * (1 + 2 * bad)
    barred = (
        np.array([settings.suspended_us, settings.suspended_cn, settings.suspended_bd])[region] * settings.harshness
    )
    barred = np.where(kind == 0, barred, barred / 10)
    off = np.where(kind == 0, settings.switched_off, 0.0)
    table = np.repeat(begin[:, None], days, axis=1)
    state, since = begin.copy(), arrival.astype(float)
    since[begin == DEAD] -= chance.integers(10, 400, int((begin == DEAD).sum()))
    moving = np.arange(size)
    while len(moving):
        now, count = state[moving], len(moving)
        rates = np.stack(
            [
                np.where((now == ALIVE) | (now == OTHERS), death[moving], 0),
                np.where(now == ALIVE, barred[moving], 0),
                np.where(now == ALIVE, off[moving], 0),
            ]
        )
        with np.errstate(divide="ignore"):
            waits = chance.exponential(1.0, (3, count)) / rates * MONTH_DAYS
        first = waits.argmin(axis=0)
        wait, following = waits.min(axis=0), np.array([DEAD, SUSPENDED, OFF])[first]
        lasting = [
            (now == SUSPENDED, chance.integers(20, 91, count), np.where(chance.random(count) < 0.75, ALIVE, DEAD)),
            (now == OFF, chance.integers(30, 201, count), np.full(count, ALIVE)),
            (now == DEAD, chance.integers(60, 401, count), np.full(count, OTHERS)),
        ]
        for chosen, length, then in lasting:
            wait, following = np.where(chosen, length, wait), np.where(chosen, then, following)
        for_good = ((now == DEAD) & (chance.random(count) >= settings.reassigned)) | (now == NONE)
        since[moving] += np.where(for_good, np.inf, wait)
        moving, following = moving[~for_good], following[~for_good]
        early = since[moving] < days
        moving, following = moving[early], following[early]
        state[moving] = following
        for low in range(0, len(moving), 20_000):
            part = moving[low : low + 20_000]
            later = np.arange(days)[None, :] >= since[part, None]
            table[part] = np.where(later, state[part, None], table[part])
    return table


def region_name(region: int) -> str:
    """US, CN or BD."""
    return REGIONS[region]
