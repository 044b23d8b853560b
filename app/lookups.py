"""`ringtrue lookups`: the round trip of a service without an interface, and what was spent."""

from __future__ import annotations

import asyncio
import secrets
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from app.console import out, print_json
from assets.deciding import deciding
from assets.lookup_choice import Grounds, choose
from assets.stage import now_ms
from connectors.lookups import roundtrip
from connectors.lookups.active import Active, active
from connectors.lookups.book import LedgerBook
from connectors.lookups.roundtrip import RoundTrip
from connectors.lookups.routes import routes
from connectors.lookups.service import Surroundings
from connectors.lookups.spend import Intent
from connectors.resources import open_ledger
from ringtrue.errors import FileUnreadable, SettingsError
from ringtrue.ledger import spend
from ringtrue.ledger.spend import MILLIONTHS
from ringtrue.settings import load_settings

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
lookups = typer.Typer(
    help="Lookup services: files for a service without an interface, and what was spent.", no_args_is_help=True
)


def _service(chosen: Active) -> RoundTrip:
    own = chosen.settings.services.get(roundtrip.NAME)
    if own is None or not own.enabled:
        raise SettingsError(
            "The round trip of files is switched off: set enabled = true under [lookups.roundtrip] (docs/adding-a-lookup.md)."
        )
    return roundtrip.open_service(own, Surroundings(environ=chosen.environ, folder=Path(chosen.settings.folder)))


@lookups.command("export")
def export(
    most: Annotated[
        int | None, typer.Option("--limit", min=1, help="At most so many numbers, the most valuable.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the numbers worth asking into a file for a service without an interface."""
    settings = load_settings()
    chosen = active(settings)
    service = _service(chosen)
    ledger = open_ledger(settings)
    try:
        grounds = Grounds(deciding(ledger, settings, now_ms()), [service], chosen.settings)
        found = choose(grounds, everything=True).questions
        able = [question for question in found if routes([service], chosen.settings, question)]
        run = f"export-{secrets.token_hex(4)}"
        book = LedgerBook(ledger, run)
        offer = service.facts.offers[0]
        budget = chosen.settings.services[roundtrip.NAME].budget
        going: list[Intent] = []
        declined = Counter[str]()
        full = min(most or offer.batch_size, offer.batch_size)
        place = 0
        while len(going) < full and place < len(able):
            # Many of a list may stand within their lifetime: go on until the file is full.
            some = able[place : place + full - len(going)]
            place += len(some)
            for each in book.reserve(roundtrip.NAME, offer, some, budget):
                if isinstance(each, Intent):
                    going.append(each)
                else:
                    declined[each.reason] += 1
        path: Path | None = None
        if going:
            job = asyncio.run(service.submit([intent.question for intent in going]))
            book.note_job(going, job)
            path = service.path_of(job)
        book.end_run()
    finally:
        ledger.close()
    cost = sum((intent.price for intent in going), Decimal(0))
    if as_json:
        print_json(
            {"file": str(path) if path else None, "numbers": len(going), "cost": str(cost), "declined": dict(declined)}
        )
    elif path is None:
        out.print(
            "Nothing is worth asking now: "
            + (", ".join(f"{count} {why}" for why, count in declined.items()) or "no number is due")
            + "."
        )
    else:
        out.print(f"{len(going)} numbers are in {path}, for {cost} {offer.currency}.")
        out.print("When the answer is there: ringtrue lookups import FILE")


@lookups.command("import")
def import_answers(
    file: Annotated[Path, typer.Argument(help="The answer file, CSV or Excel.")],
    batch: Annotated[
        str | None, typer.Option(help="Id of the batch it answers; by default read from the file's name.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take in an answer file, whole or not at all."""
    if not file.is_file():
        raise FileUnreadable(f"There is no file {file}.")
    settings = load_settings()
    service = _service(active(settings))
    ledger = open_ledger(settings)
    try:
        book = LedgerBook(ledger, f"import-{secrets.token_hex(4)}", groups=_groups(settings.lookups.services))
        jobs = book.jobs(roundtrip.NAME)
        job = _batch_of(file, batch, jobs)
        intents = jobs[job]
        answers = service.read(file, service.facts.offers[0], job, [intent.question for intent in intents])
        book.settle(list(zip(intents, answers, strict=True)))
    finally:
        ledger.close()
    counted = Counter(answer.result for answer in answers)
    words = sum(bool(answer.review) for answer in answers)
    report = {
        "batch": job, "numbers": len(answers), "answered": counted["answered"], "told nothing": counted["abstain"],
        "missing in the file": counted["error"], "unknown words": words,
    }  # fmt: skip
    if as_json:
        print_json(report)
        return
    out.print(", ".join(f"{name}: {value}" for name, value in report.items()))
    if words:
        out.print("Unknown words wait in `ringtrue review`; name them under [lookups.roundtrip.words].")
    out.print("The next sync decides with these answers.")


def _groups(services: dict[str, Any]) -> dict[str, str]:
    return {name: each.group for name, each in services.items() if each.group}


def _batch_of(file: Path, named: str | None, jobs: dict[str, list[Intent]]) -> str:
    """The batch a file answers. Raises FileUnreadable when that cannot be told."""
    waiting = ", ".join(jobs) or "none"
    if named is not None:
        if named not in jobs:
            raise FileUnreadable(f"No batch {named} waits for its answer; waiting: {waiting}.")
        return named
    if file.stem in jobs:
        return file.stem
    if len(jobs) == 1 and not file.stem.startswith("batch-"):
        return next(iter(jobs))
    raise FileUnreadable(
        f"It cannot be told which batch {file.name} answers. Give it the batch's name, or say --batch; waiting: {waiting}."
    )


@lookups.command("spend")
def show_spend(as_json: AsJson = False) -> None:
    """Show questions and money by service and month."""
    ledger = open_ledger(load_settings())
    try:
        with ledger.read() as book:
            months = [period for period in spend.months(book) if period.service != spend.ALL]
    finally:
        ledger.close()
    if as_json:
        print_json([{**period._asdict(), "cost": str(Decimal(period.cost) / MILLIONTHS)} for period in months])
        return
    out.print(spend_table(months))


def spend_table(periods: list[spend.Period]) -> Table:
    """Questions and money by service."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    dated = any(period.period for period in periods)
    for column in (
        *(("month",) if dated else ()),
        "lookups",
        "asked",
        "answered",
        "could not tell",
        "refused",
        "lost",
        "cost",
    ):
        table.add_column(column, justify="left" if column in ("month", "lookups") else "right")
    for period in periods:
        table.add_row(
            *((period.period,) if dated else ()), period.service,
            *(f"{count:,}" for count in (period.asked, period.answered, period.abstained, period.refused, period.lost)),
            f"{Decimal(period.cost) / MILLIONTHS:.2f} {period.currency}",
        )  # fmt: skip
    return table
