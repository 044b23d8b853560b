"""The ledger: reachable, migrated, private, its chain whole; what waits in it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from app.doctor import machine
from app.doctor.finding import Finding, State
from connectors.resources import open_ledger, target_of
from ringtrue.errors import LedgerError
from ringtrue.ledger import Ledger, health, inbox, journal, suppressions
from ringtrue.settings import Settings

_PART = "ledger"
CHAIN_EVENTS = 200_000
"""The newest events whose hashes are computed again; `ringtrue suppress prove` checks all."""
INBOX_MINUTES = 15.0
INBOX_HOURS_WRONG = 6.0
MINUTE_MS = 60_000


def look(settings: Settings) -> tuple[list[Finding], Ledger | None]:
    """The file or server, and the ledger opened where that changes nothing."""
    variable = settings.ledger.password_variable
    password = os.environ.get(variable) if variable else None
    if variable and not password:
        return [
            Finding(
                _PART,
                "password",
                "wrong",
                f"{variable} is not set.",
                f"Set {variable} to the password of the ledger's database.",
            )
        ], None
    try:
        found = health.look(settings.ledger.url, password=password)
    except LedgerError as error:
        said, _, todo = str(error).partition(". ")
        return [Finding(_PART, "reachable", "wrong", f"{said}.", todo)], None
    size = found.file.stat().st_size if found.file is not None and found.exists else 0
    rows = [machine.disk(found.file.parent if found.file else Path(), size)]
    if not found.exists:
        return [
            *rows,
            Finding(_PART, "reachable", "warning", "There is no ledger yet.", "The first `ringtrue sync` makes it."),
        ], None
    rows.append(Finding(_PART, "reachable", "ok", f"{found.server}, {size >> 20} MB" if found.file else found.server))
    if found.file is not None:
        rows += _private(found.file)
    if found.behind:
        return [
            *rows,
            Finding(
                _PART,
                "migrated",
                "warning",
                "It is older than this program.",
                "Back it up; the next command that uses it migrates it.",
            ),
        ], None
    rows.append(Finding(_PART, "migrated", "ok", "as this program needs it"))
    try:
        return rows, open_ledger(settings)
    except LedgerError as error:
        said, _, todo = str(error).partition(". ")
        return [*rows, Finding(_PART, "key", "wrong", f"{said}.", todo)], None


def _private(file: Path) -> Iterator[Finding]:
    for path in (file, file.with_suffix(".key")):
        if path.is_file() and stat.S_IMODE(path.stat().st_mode) & 0o077:
            mode = f"{stat.S_IMODE(path.stat().st_mode):04o}"
            yield Finding(
                _PART,
                "private",
                "wrong",
                f"{path} has mode {mode}: others may read people's numbers.",
                f"Run `chmod 600 {path}`.",
            )
            return
    yield Finding(_PART, "private", "ok", "only its owner may read it")


def chain(ledger: Ledger) -> Iterator[Finding]:
    """The hash chain of the suppressions."""
    with ledger.read() as book:
        events = suppressions.totals(book).events
        broken = suppressions.broken_link(book, newest=CHAIN_EVENTS)
    if broken is not None:
        yield Finding(
            _PART,
            "suppressions",
            "wrong",
            f"The chain of hashes is broken at event {broken}.",
            "Restore a backup from before, and find out who wrote to the database.",
        )
        return
    checked = min(events, CHAIN_EVENTS)
    yield Finding(_PART, "suppressions", "ok", f"{events:,} events; the chain of the newest {checked:,} is whole")


def waiting(ledger: Ledger, now: int) -> Iterator[Finding]:
    """What came in at the door and was not handled yet."""
    with ledger.read() as book:
        sources = inbox.depth(book)
    if not sources:
        yield Finding(_PART, "inbox", "ok", "empty")
    for source, (count, oldest) in sources.items():
        minutes = (now - oldest) / MINUTE_MS
        said = f"{source}: {count:,} waiting, the oldest for {minutes:,.0f} minutes"
        state: State = "ok"
        todo = ""
        if minutes > INBOX_MINUTES:
            state = "wrong" if minutes > INBOX_HOURS_WRONG * 60 else "warning"
            todo = f"Look at the sensors and the runs in the Dagster UI; `ringtrue sync {source}` handles what waits."
        yield Finding(_PART, "inbox", state, said, todo)


def plans(ledger: Ledger, settings: Settings) -> Iterator[Finding]:
    """Plans that a person has to let pass."""
    from assets.plan_limits import judge

    for name, connection in settings.connections.items():
        if connection.kind == "files" or not target_of(name, connection).writes(connection):
            continue
        with ledger.read() as book:
            plan = journal.open_plan(book, name)
        if plan is None or not plan.records:
            yield Finding(name, "plan", "ok", "nothing is waiting to be written")
            continue
        verdict = judge(ledger, settings, name, plan)
        if verdict.reasons:
            yield Finding(
                name,
                "plan",
                "warning",
                f"Plan {plan.plan_id} waits for a person: {' '.join(verdict.reasons)}",
                f"Look at {name}/changes, then run `ringtrue approve {plan.plan_id}`.",
            )
        else:
            yield Finding(name, "plan", "ok", f"{plan.records:,} records are about to be written")
