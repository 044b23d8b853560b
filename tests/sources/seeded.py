"""Calls and lookups of the seeded world's numbers in the first days after each contact was created: what a company would have learned by then."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ringtrue.ledger import Ledger, dirty
from ringtrue.ledger.database import fetch, insert_rows
from ringtrue.settings import Settings
from ringtrue.source_names import SourceMap
from sandbox.load import person_of
from sandbox.world import World

DAY_MS = 86_400_000
KINDS = {"dead": ("lookup_dead", "not_assigned"), "wrong": ("wrong_person",), "right": ("lookup_alive", "right_person")}


def world_of(home: Path) -> World:
    """The world behind a running sandbox."""
    return World(home / "world.db")


def _truths(ledger: Ledger, world: World) -> Iterator[tuple[int, str, str, str, bool, int, str]]:
    """(contact, number, connection, raw source, readable, created, truth) of every number of a CRM contact."""
    with ledger.read() as book:
        rows = fetch(
            book,
            "SELECT p.contact_id, p.number, c.connection, c.first_source, p.e164, c.record_id, c.created_at FROM phones AS p "
            "JOIN contacts AS c ON c.contact_id = p.contact_id WHERE c.connection <> 'files' ORDER BY p.contact_id, p.field",
        )
    for contact, number, connection, raw, e164, record, created in rows:
        person = person_of(world, connection, record)
        if person is None:
            continue
        line = world.line(e164) if e164 else None
        truth = "invalid"
        if line is not None:
            state = line.state_at(created + 2 * DAY_MS)
            owners = (person.pid, f"c{person.company.serial}")
            dead = state.state in ("disconnected", "never_allocated")
            truth = "dead" if dead else "wrong" if state.owner not in owners else "right"
        yield contact, number, connection, raw, e164 is not None, created, truth


def tell_the_truth(ledger: Ledger, world: World, *, share: float = 0.85, seed: int = 3) -> int:
    """Record what a lookup and a call found in the first days, for a share of the readable numbers. Returns how many were checked."""
    rng = np.random.default_rng(seed)
    rows: list[tuple[Any, ...]] = []
    checked: set[str] = set()
    for contact, number, _, _, readable, created, truth in _truths(ledger, world):
        if not readable or number in checked or rng.random() > share:
            continue
        checked.add(number)
        for outcome in KINDS.get(truth, ()):
            looked_up = outcome.startswith("lookup")
            at = created + (DAY_MS if looked_up else 3 * DAY_MS)
            source, kind = ("twilio", "lookup") if looked_up else ("calls:salesforce", "call")
            about = contact if outcome in ("wrong_person", "right_person") else 0
            cost = 0.008 if looked_up else 0.0
            rows.append((number, about, kind, source, outcome, at, at, f"{number}:{outcome}", cost, "seeded"))
    names = [
        "number",
        "contact_id",
        "kind",
        "source",
        "outcome",
        "observed_at",
        "recorded_at",
        "external_id",
        "cost",
        "run",
    ]
    with ledger.write() as book:
        insert_rows(book, "observations", names, rows, on_conflict="DO NOTHING")
        dirty.mark_numbers(book, "status", checked)
    return len(checked)


def true_shares(ledger: Ledger, world: World, settings: Settings) -> dict[str, tuple[float, int]]:
    """True share of each source's numbers that were bad when they arrived, and how many it brought."""
    sources = SourceMap(settings.sources)
    seen: dict[str, dict[str, bool]] = defaultdict(dict)
    for _, number, connection, raw, _, _, truth in _truths(ledger, world):
        seen[sources.slug(connection, raw)].setdefault(number, truth != "right")
    return {slug: (sum(bad.values()) / len(bad), len(bad)) for slug, bad in seen.items()}
