"""Commands about lead sources: trace, report, refund, sources."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from app import complete
from app.console import out, print_json
from app.trace_page import render_trace
from app.tracing import LIMIT, Trace, as_json, trace_subject
from assets.report import pack_of, write_pack, write_privately, write_report
from assets.stage import now_ms
from connectors.resources import open_ledger
from ringtrue.errors import SettingsError
from ringtrue.ledger import source_states
from ringtrue.settings import Settings, load_settings
from ringtrue.source_labels import comparable
from ringtrue.sources import SourceMap, suggest

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]

sources = typer.Typer(help="Lead sources: what they are worth, and which have no name yet.", no_args_is_help=True)


def trace(
    subject: Annotated[str, typer.Argument(help="A number, CONNECTION:RECORD, or a source's name.")],
    full: Annotated[bool, typer.Option("--full", help="Show numbers in full.")] = False,
    html: Annotated[Path | None, typer.Option("--html", help="Write the trace as a page to this file.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Contacts to show.")] = LIMIT,
    as_json_: AsJson = False,
) -> None:
    """Follow a number, a record or a source: source, contact, field, evidence, decision, change, with times."""
    settings = load_settings()
    ledger = open_ledger(settings)
    try:
        found = trace_subject(ledger, settings, subject, full=full, limit=limit)
    finally:
        ledger.close()
    if html is not None:
        write_privately(html, render_trace(found).encode("utf-8"))
    if as_json_:
        print_json(as_json(found))
    elif html is not None:
        out.print(f"Written to {escape(str(html))}.")
    else:
        _print_trace(found)


def _print_trace(found: Trace) -> None:
    out.print(f"[bold]{escape(found.subject)}[/]")
    for line in found.summary:
        out.print(f"  {escape(line)}")
    for way in found.ways:
        state = "" if way.state == "alive" else f" [yellow]{way.state}[/]"
        out.print(f"\n[bold]{escape(way.source)}[/] -> {escape(way.record)}{state}")
        out.print(f"  {escape(way.origin)}", style="dim")
        for step in way.steps:
            out.print(f"  {step.at}  [bold]{step.kind:<10}[/]  {escape(step.text)}", soft_wrap=True)
    if found.more:
        out.print(f"\n{found.more} more contacts are not shown (--limit).")


def report(as_json: AsJson = False) -> None:
    """Write the lead-source report, and the refund packs of sources that cost money, to the folder of [report]."""
    settings = load_settings()
    ledger = open_ledger(settings)
    try:
        path, data, packs = write_report(ledger, settings, datetime.now(UTC))
    finally:
        ledger.close()
    if as_json:
        figures = data.quality[["source", "grade", "bad_share", "bad_low", "bad_high", "leads", "numbers"]]
        print_json(
            {"report": str(path), "refund_packs": [str(pack) for pack in packs], "sources": figures.to_dict("records")}
        )
        return
    out.print(f"Report: {escape(str(path))}", soft_wrap=True)
    for pack in packs:
        out.print(f"Refund pack: {escape(str(pack))}", soft_wrap=True)


def refund(
    source: Annotated[str, typer.Argument(help="The source's name.", autocompletion=complete.sources)],
    folder: Annotated[Path | None, typer.Option(help="Where to write; the folder of [report] by default.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write the numbers of a source that were bad on arrival: a CSV with the numbers in full, and a page that masks them."""
    settings = load_settings()
    slug = slug_of(settings, source)
    now = datetime.now(UTC)
    ledger = open_ledger(settings)
    try:
        table, page, lines = pack_of(ledger, settings, slug, now)
    finally:
        ledger.close()
    paths = write_pack(folder or Path(settings.report.folder), slug, now, table, page)
    if as_json:
        print_json({"source": slug, "numbers": lines, "files": [str(path) for path in paths]})
        return
    out.print(f"{lines} numbers of {escape(SourceMap(settings.sources).label(slug))} were bad on arrival.")
    for path in paths:
        out.print(f"  {escape(str(path))}", soft_wrap=True)


@sources.command("list")
def list_sources(as_json: AsJson = False) -> None:
    """Show each source as last measured, the surely worst first."""
    settings = load_settings()
    ledger = open_ledger(settings)
    try:
        with ledger.read() as book:
            stored = source_states.latest(book)
            states = source_states.states(book)
    finally:
        ledger.close()
    stored.sort(key=lambda row: int(row.figures["blame_rank"]))
    ringing = {slug: state.alarm.since for slug, state in states.items() if state.alarm.ringing}
    if as_json:
        print_json([{**row.figures, "alarm_since": ringing.get(row.source)} for row in stored])
        return
    table = Table(
        "source", "grade", "bad on arrival", "90 %", "checked", "leads", "alarm since", box=None, header_style="bold"
    )
    for row in stored:
        figures = row.figures
        table.add_row(
            escape(str(figures["label"])),
            row.grade or "not enough data",
            f"{figures['bad_share']:.1%}",
            f"{figures['bad_low']:.1%} to {figures['bad_high']:.1%}",
            f"{figures['arrived_invalid'] + figures['arrived_verified']} of {figures['arrived']}",
            f"{figures['leads']}",
            (ringing.get(row.source) or "")[:10],
        )
    out.print(table)


@sources.command("suggest")
def suggest_sources(
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 20, as_json: AsJson = False
) -> None:
    """List the commonest origins that no rule names, with the lines to paste into ringtrue.toml."""
    settings = load_settings()
    ledger = open_ledger(settings)
    try:
        with ledger.read() as book:
            counts = source_states.delivered(book)
    finally:
        ledger.close()
    found = suggest(counts, SourceMap(settings.sources), limit=limit)
    if as_json:
        print_json([suggestion._asdict() for suggestion in found])
        return
    if not found:
        out.print("Every origin has a name.")
    for suggestion in found:
        out.print(f"# {suggestion.contacts} contacts of {', '.join(suggestion.connections)}", markup=False)
        out.print(suggestion.toml, markup=False, soft_wrap=True)


@sources.command("accept")
def accept_source(
    source: Annotated[str, typer.Argument(help="The source's name.", autocompletion=complete.sources)],
    person: Annotated[str, typer.Option("--by", help="Who accepts.", prompt="Your name")],
    as_json: AsJson = False,
) -> None:
    """Take a source's present level as its usual one: its alarm falls silent and learns again, its present grade counts."""
    settings = load_settings()
    slug = slug_of(settings, source)
    ledger = open_ledger(settings)
    try:
        with ledger.write() as book:
            known = source_states.accept(book, slug, person, now_ms())
    finally:
        ledger.close()
    if not known:
        raise SettingsError(f"Nothing was measured of {source!r} yet: run `ringtrue sync` first.")
    if as_json:
        print_json({"source": slug, "accepted_by": person})
    else:
        out.print(
            f"The present level of {escape(SourceMap(settings.sources).label(slug))} is its usual one from now on."
        )


def slug_of(settings: Settings, source: str) -> str:
    """The slug of a source given by slug or label. Raises SettingsError with the names there are."""
    known = SourceMap(settings.sources)
    for slug in known.slugs:
        if source == slug or comparable(source) == comparable(known.label(slug)):
            return slug
    raise SettingsError(f"There is no source {source!r}; there is {', '.join(known.slugs)}.")
