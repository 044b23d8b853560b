"""Lookup services over the simulated world: coverage, noise, silence, lag and price; their words are read with RingTrue's own word tables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.truth_noise import Floats, noise
from benchmarks.truth_settings import Service
from benchmarks.truth_world import ALIVE, DEAD, NONE, OFF, OTHERS, SUSPENDED, Ints, Mask, World
from ringtrue.evidence import OUTCOMES
from ringtrue.lookup_words import comparable, list_price, word_table

_SEEN = {ALIVE: "alive", OTHERS: "alive", OFF: "off", SUSPENDED: "suspended", DEAD: "dead", NONE: "nonexistent"}
_TERMS: dict[str, tuple[str, dict[str, str]]] = {
    "twilio": (
        "line_status",
        {"alive": "active", "off": "unreachable", "suspended": "unreachable", "dead": "inactive", "nonexistent": "inactive", "unknown": "unknown"},
    ),
    "realphonevalidation": (
        "status",
        {
            "alive": "connected", "off": "unreachable", "suspended": "unreachable", "dead": "disconnected", "nonexistent": "invalid phone",
            "unknown": "unknown", "weak_alive": "connected-75", "weak_dead": "disconnected-70",
        },
    ),
    "melissa": (
        "result",
        {"alive": "PS22", "off": "PS01", "suspended": "PS01", "dead": "PE11", "nonexistent": "PE01", "unknown": "PS30"},
    ),
    "alibaba": (
        "status",
        {"alive": "NORMAL", "off": "POWER_OFF", "suspended": "SHUTDOWN", "dead": "NOT_EXIST", "nonexistent": "NOT_EXIST", "unknown": "UNKNOWN"},
    ),
}  # fmt: skip
"""What each stand-in says for what it sees, as the sandbox's stand-ins do."""
_STATES = ("alive", "off", "suspended", "dead", "nonexistent", "unknown", "weak_alive", "weak_dead")
_UNKNOWN = _STATES.index("unknown")


@dataclass(frozen=True)
class Answers:
    """By question: outcome (place in OUTCOMES), strength (NaN: the vocabulary's), cost in US dollars, and whether the service said anything."""

    outcome: Ints
    log_lr: Floats
    cost: Floats
    told: Mask


class Desk:
    """The services of one world, cheapest first. Persistent errors depend on number and service, fresh ones on the day too."""

    def __init__(self, world: World) -> None:
        self.world = world
        settings = world.settings
        chosen = [one for one in settings.harsh_services() if one.name in _TERMS]
        self.services = sorted(chosen, key=_price)
        self.prices = np.array([_price(one) for one in self.services])
        number = np.arange(world.size)
        self.covers = np.zeros((len(self.services), world.size), np.bool_)
        for at, one in enumerate(self.services):
            share = np.array([one.covers(region) for region in range(3)])[world.region]
            reachable = (world.kind == 0) | one.landlines
            self.covers[at] = (share > 0) & reachable
        self.blind = np.array(
            [
                noise(settings.seed, 21, at, number)
                >= np.array([one.covers(region) for region in range(3)])[world.region]
                for at, one in enumerate(self.services)
            ]
        )
        """Numbers that a service is asked about in vain: its list of countries covers them, its data do not."""
        self._meanings = [_meanings(one) for one in self.services]

    def ask(self, service: int, numbers: Ints, day: int) -> Answers:
        """One question about each number. An abstention is charged where the service charges for it; outside its data it is free."""
        one, settings = self.services[service], self.world.settings
        keys = (settings.seed, service, numbers)
        seen = self._see(one, service, numbers, day)
        if one.unsure:
            unsure = noise(*keys, 22) < one.unsure
            seen = np.where(unsure & (seen == 0), _STATES.index("weak_alive"), seen)
            seen = np.where(unsure & (seen == _STATES.index("dead")), _STATES.index("weak_dead"), seen)
        blind = self.blind[service, numbers]
        seen = np.where(blind, _UNKNOWN, seen)
        outcomes, strengths, charges = self._meanings[service]
        cost = np.where(blind, 0.0, charges[seen] * self.prices[service])
        return Answers(outcomes[seen], strengths[seen], cost, seen != _UNKNOWN)

    def _see(self, one: Service, service: int, numbers: Ints, day: int) -> Ints:
        world, settings = self.world, self.world.settings
        state = world.state[numbers, np.maximum(day - one.lag_days, 0)]
        seen = np.array([_STATES.index(_SEEN[at]) for at in range(6)])[state]
        fixed, daily = settings.persistent, 1 - settings.persistent
        key, today = (settings.seed, service, numbers), (settings.seed, service, numbers, day)
        missed = (noise(*key, 23) < one.misses * fixed) | (noise(*today, 23) < one.misses * daily)
        alike = noise(settings.seed, 24, numbers) < one.slanders * fixed * settings.shared
        own = noise(*key, 25) < one.slanders * fixed * (1 - settings.shared)
        slandered = alike | own | (noise(*today, 25) < one.slanders * daily)
        silent = (noise(*key, 26) < one.abstains * fixed) | (noise(*today, 26) < one.abstains * daily)
        gone = (state == DEAD) | (state == NONE)
        seen = np.where(gone & missed, _STATES.index("alive"), seen)
        seen = np.where(~gone & slandered, _STATES.index("dead"), seen)
        return np.where(silent, _UNKNOWN, seen)


def _price(one: Service) -> float:
    price = list_price(one.name, one.product)
    return comparable(price.amount, price.currency)


def _meanings(one: Service) -> tuple[Ints, Floats, Floats]:
    """By state seen: outcome, strength, and whether the answer is charged."""
    field, terms = _TERMS[one.name]
    outcomes, strengths, charged = [], [], []
    for state in _STATES:
        meaning = word_table(one.name).meaning(field, terms.get(state, terms["unknown"]))
        if meaning is None:
            raise ValueError(f"The word table of {one.name} does not know {terms.get(state)!r}.")
        outcomes.append(OUTCOMES.index(meaning.outcome or "lookup_abstained"))
        strengths.append(np.nan if meaning.log_lr is None else meaning.log_lr)
        charged.append(0.0 if meaning.charged is False else 1.0)
    return np.array(outcomes), np.array(strengths), np.array(charged)
