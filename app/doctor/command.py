"""`ringtrue doctor`: one table of everything that has to be in place."""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.console import out, print_json
from app.doctor import books, connections, machine, services
from app.doctor.finding import Finding, guarded
from ringtrue.errors import SettingsError
from ringtrue.ledger import Ledger
from ringtrue.settings import Settings, load_settings, settings_path

_WIDTH = 200
"""Columns where the output goes to a file or a pipe."""
_MARKS = {"ok": "[green]ok[/]", "warning": "[yellow]warning[/]", "wrong": "[bold red]wrong[/]"}


def doctor(
    offline: Annotated[
        bool, typer.Option("--offline", help="Look at this machine only: no CRM, no lookup service.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Look whether everything is in place: settings, ledger, CRMs, registries, lookups, Dagster. Changes nothing; exit code 1 when something is wrong."""
    found = list(_all(offline=offline))
    counts = Counter(one.state for one in found)
    if as_json:
        print_json(
            {"wrong": counts["wrong"], "warnings": counts["warning"], "findings": [one._asdict() for one in found]}
        )
    else:
        _print(found)
        out.print(f"{counts['wrong']} wrong, {counts['warning']} warnings, {counts['ok']} ok.")
    if counts["wrong"]:
        raise typer.Exit(1)


def _all(*, offline: bool) -> Iterator[Finding]:
    yield from guarded("machine", "facts", machine.facts)
    try:
        settings = load_settings()
    except SettingsError as error:
        said, _, todo = str(error).partition(". ")
        yield Finding("settings", str(settings_path()), "wrong", f"{said}.", todo or "Correct that place.")
        return
    yield Finding("settings", str(settings_path()), "ok", f"readable; {len(settings.connections)} connections")
    rows, ledger = books.look(settings)
    yield from rows
    try:
        yield from _with(settings, ledger, offline=offline)
    finally:
        if ledger is not None:
            ledger.close()


def _with(settings: Settings, ledger: Ledger | None, *, offline: bool) -> Iterator[Finding]:
    now = round(time.time() * 1000)
    if ledger is not None:
        yield from guarded("ledger", "suppressions", partial(books.chain, ledger))
        yield from guarded("ledger", "inbox", partial(books.waiting, ledger, now))
    yield from guarded("dagster", "DAGSTER_HOME", machine.dagster_home)
    for name, connection in settings.connections.items():
        if connection.kind == "files":
            yield from guarded(name, "folder", partial(connections.files, name, connection))
        elif not offline:
            yield from guarded(name, "credentials", partial(connections.crm, name, connection, settings, ledger))
    if ledger is not None:
        yield from guarded("ledger", "plans", partial(books.plans, ledger, settings))
    yield from guarded("registries", "ages", partial(services.registry_ages, settings, ledger, now))
    if not offline:
        yield from guarded("lookups", "services", partial(services.lookups, settings, ledger))
    yield from guarded("entry service", "keys", partial(services.entry, settings))
    yield from guarded("alerts", "ways", partial(services.alerts, settings))


def _print(found: list[Finding]) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("part", "what", "", "found", "what to do"):
        table.add_column(column, overflow="fold")
    part = ""
    for one in found:
        table.add_row(
            escape(one.part) if one.part != part else "",
            escape(one.what),
            _MARKS[one.state],
            escape(one.said),
            escape(one.todo),
        )
        part = one.part
    console = Console(width=None if sys.stdout.isatty() else _WIDTH, highlight=False)
    console.print(table)
