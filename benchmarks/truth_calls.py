"""The dialler stand-in: which calls are planned on which day, and what each of them would bring, from the true state of the line at that time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.truth_noise import Floats, noise
from benchmarks.truth_world import ALIVE, BEGIN_SECONDS, DAY, NEVER, NONE, OFF, OTHERS, SUSPENDED, Ints, Mask, World
from ringtrue.outcomes import OUTCOMES, classify

_PICK_UP = np.array([[0.16, 0.18, 0.26], [0.10, 0.14, 0.38], [0.32, 0.28, 0.03], [0.15, 0.15, 0.20]])
"""By kind of line (mobile, landline at home, direct line, VoIP) and part of the day (morning, afternoon, evening): the sandbox's odds."""
_ATTEMPTS_EXPECTED = 3.6
_SHORTEST_GAP = 25

_RAW: dict[str, tuple[str, str, float]] = {
    "sale": ("vicidial", "SALE", 180),
    "talk": ("vicidial", "NI", 45),
    "stop": ("vicidial", "DNC", 20),
    "stranger": ("salesforce", "Wrong Number", 25),
    "machine": ("vicidial", "AM", 12),
    "rang": ("q850", "19", 0),
    "busy": ("sip", "486", 0),
    "away": ("q850", "20", 0),
    "powered_off": ("alibaba_voice", "POWERED_OFF", 0),
    "not_found": ("sip", "404", 0),
    "tone": ("sit", "IC", 0),
    "barred": ("alibaba_voice", "SUSPEND", 0),
    "congestion": ("sip", "503", 0),
}
WORDS = tuple(_RAW)


def outcome_codes() -> Ints:
    """By word: its place in the evidence vocabulary, read with RingTrue's own tables."""
    found = []
    for namespace, word, seconds in _RAW.values():
        told = classify(namespace, word, duration_seconds=seconds)
        if told.outcome is None or not told.sure:
            raise ValueError(f"The outcome tables do not know {namespace} {word}.")
        found.append(OUTCOMES.index(told.outcome))
    return np.array(found)


@dataclass(frozen=True)
class Plan:
    """Planned calls in the order of time: pair, day, seconds since 1970, trunk, word (place in WORDS), campaign. `starts` is where each day begins.

    `campaign_begin` and `campaign_end` are days by campaign; `campaign_pair` says whose it is.
    """

    pair: Ints
    day: Ints
    time: Ints
    trunk: Ints
    word: npt.NDArray[np.int8]
    starts: Ints
    campaign_pair: Ints
    campaign_begin: Ints
    campaign_end: Ints

    def on(self, day: int) -> slice:
        """The calls of a day."""
        return slice(int(self.starts[day]), int(self.starts[day + 1]))


def make_plan(world: World) -> Plan:
    """Campaigns for every pair, up to `attempts` calls each, until somebody speaks. The same plan for every policy."""
    settings, days = world.settings, world.settings.days
    chance = np.random.default_rng([settings.seed, 2])
    pairs = len(world.pair_number)
    mean_gap = pairs * _ATTEMPTS_EXPECTED / (settings.calls_per_day * settings.numbers * 5 / 7)
    gap = np.maximum(mean_gap * chance.lognormal(-0.18, 0.6, pairs), _SHORTEST_GAP)
    start = np.where(
        world.pair_arrival > 0, world.pair_arrival + chance.integers(1, 6, pairs), chance.random(pairs) * gap
    )
    owners, begins, running = [], [], np.flatnonzero(start < days)
    while len(running):
        owners.append(running)
        begins.append(start[running].astype(np.int64))
        start[running] += np.maximum(gap[running] * chance.uniform(0.6, 1.4, len(running)), _SHORTEST_GAP)
        running = running[start[running] < days]
    owner, begin = np.concatenate(owners), np.concatenate(begins)
    steps = chance.integers(1, 6, (len(owner), settings.attempts))
    steps[:, 0] = 0
    day = begin[:, None] + np.cumsum(steps, axis=1)
    day += np.array([0, 0, 0, 0, 0, 2, 1])[day % 7]
    campaign = np.repeat(np.arange(len(owner)), settings.attempts)
    pair, day = owner[campaign], day.ravel()
    numbers = world.pair_number[pair]
    local = chance.uniform(9 * 3_600, 19.9 * 3_600, len(pair)).astype(np.int64)
    time = BEGIN_SECONDS + day * DAY + local - world.offset(numbers)
    trunk = world.region[numbers] * 2 % settings.trunks + chance.integers(0, 2, len(pair))
    inside = day < days
    word = np.zeros(len(pair), np.int8)
    word[inside] = _words(world, numbers[inside], day[inside], local[inside], trunk[inside] % settings.trunks, chance)
    kept = inside & ~_after_talk(word, settings.attempts)
    end = np.zeros(len(owner), np.int64)
    np.maximum.at(end, campaign[kept], day[kept])
    order = np.flatnonzero(kept)
    order = order[np.lexsort((time[order], day[order]))]
    return Plan(
        pair[order],
        day[order],
        time[order],
        trunk[order] % settings.trunks,
        word[order],
        np.searchsorted(day[order], np.arange(days + 1)),
        owner,
        begin,
        end,
    )


def _after_talk(word: npt.NDArray[np.int8], attempts: int) -> Mask:
    """Calls that a conversation earlier in the campaign has made superfluous."""
    talk = (word <= WORDS.index("stranger")).reshape(-1, attempts)
    before = np.greater(np.cumsum(talk, axis=1) - talk, 0)
    return np.asarray(before.ravel(), np.bool_)


def _words(
    world: World, number: Ints, day: Ints, local: Ints, trunk: Ints, chance: np.random.Generator
) -> npt.NDArray[np.int8]:
    settings = world.settings
    state = world.state[number, day]
    draw, detail, fault = chance.random((3, len(number)))
    part = np.digitize(local // 3_600, [12, 17])
    liking = (0.5 + noise(settings.seed, 12, number)) * settings.pick_up
    pick = np.minimum(_PICK_UP[world.kind[number], part] * liking, 0.95)
    machine = np.array([settings.voicemail_us, settings.voicemail_cn, settings.voicemail_bd])[world.region[number]]
    away = np.where(world.region[number] == 0, 0.01, 0.06)
    code = {word: place for place, word in enumerate(WORDS)}
    stranger = (state == OTHERS) & (detail < 0.9)
    talk = np.select(
        [stranger, (state == ALIVE) & (detail < settings.opt_outs_in_calls), detail < 0.4],
        [code["stranger"], code["stop"], code["sale"]],
        code["talk"],
    )
    f404, tone, barred = (
        settings.harsh(one) for one in (settings.false_404, settings.false_intercept, settings.false_suspended)
    )
    living = _drawn(
        draw,
        [
            (f404, "not_found"),
            (tone, "tone"),
            (barred, "barred"),
            (pick, talk),
            (0.037, "busy"),
            (away, "powered_off"),
            (0.01, "congestion"),
        ],
        (1 - pick) * machine,
        detail,
    )
    off = _drawn(draw, [(f404, "not_found"), (tone, "tone"), (0.4, "powered_off"), (0.2, "away")], machine, detail)
    held = _drawn(
        draw, [(settings.suspended_heard, "barred"), (0.03, "not_found"), (0.03, "tone"), (0.04, "busy")], 0.0, detail
    )
    dead = _drawn(
        draw,
        [(0.45, "not_found"), (0.30, "tone"), (0.06, "away"), (0.02, "busy"), (0.05, "machine"), (barred, "barred")],
        0.0,
        detail,
    )
    silent = _drawn(draw, [(0.05, "machine"), (0.02, "busy")], 0.0, detail)
    word = np.select(
        [
            state == OFF,
            state == SUSPENDED,
            (state == ALIVE) | (state == OTHERS),
            world.ringing[number] & (state != NONE),
        ],
        [off, held, living, silent],
        dead,
    )
    faulty = noise(settings.seed, 13, trunk, day) < settings.harsh(settings.fault_days)
    return np.where(faulty & (fault < settings.fault_share), code["not_found"], word).astype(np.int8)


def _drawn(
    draw: Floats, table: list[tuple[float | Floats, str | Ints]], machine: float | Floats, detail: Floats
) -> Ints:
    """The word whose share of [0, 1) the draw falls into; what is left is a machine or ringing."""
    edge, bounds, words = np.zeros(len(draw)), [], []
    for share, word in table:
        edge = edge + share
        bounds.append(draw < edge)
        words.append(word if isinstance(word, np.ndarray) else np.full(len(draw), WORDS.index(word)))
    rest = np.where(detail < machine, WORDS.index("machine"), WORDS.index("rang"))
    return np.asarray(np.select(bounds, words, rest))


def listed_pairs(plan: Plan, day: int, notice: int) -> Mask:
    """By campaign: whether it runs or begins within the notice."""
    running: Mask = (plan.campaign_begin <= day + notice) & (plan.campaign_end >= day) & (plan.campaign_end < NEVER)
    return running
