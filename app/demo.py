"""`make demo`: the main job, end to end, against the sandbox, with everything kept in `.demo/`."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from app.console import err, out, print_json
from app.demo_rounds import Plan, RoundEnd, Told, run_rounds
from app.demo_summary import print_summary, summarise
from app.demo_world import alone, home_of, prepare_crms, running_sandbox, running_ui, settle_in, stopped_like_ctrl_c
from app.list_country import guess_country
from app.sync import Ran, SyncFailed
from connectors.files import FileContacts
from ringtrue.errors import FileUnreadable

HOME = Path(".demo")
CONTACTS = 3_000
INTERRUPTED = 130


def demo(
    fresh: Annotated[bool, typer.Option(help="Start over with a new world.")] = False,
    once: Annotated[bool, typer.Option(help="Stop after the jobs instead of keeping the pages up.")] = False,
    data: Annotated[Path | None, typer.Option(help="Load the sandbox CRMs from this contact list.")] = None,
    country: Annotated[
        str | None, typer.Option(help="ISO code of the list's country, where the list does not say.")
    ] = None,
    contacts: Annotated[int, typer.Option(min=1, help="Contacts per CRM in a new world.")] = CONTACTS,
    usual_ports: Annotated[
        bool, typer.Option(help="Take the usual ports where they are free, as bookmarks expect; else any.")
    ] = True,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the summary as JSON and stop; implies --once.")
    ] = False,
) -> None:
    """Run the main job once against the sandbox and show what happened."""
    if data is not None and not data.is_file():
        raise FileUnreadable(f"There is no file {data}. Give the path of a CSV list, as in: make demo DATA=list.csv")
    if data is not None:
        # A list that cannot be used is told before anything is made.
        FileContacts(data)
    home = home_of(HOME, data)
    started = time.monotonic()
    try:
        with ExitStack() as stack:
            stack.enter_context(stopped_like_ctrl_c())
            lock = stack.enter_context(alone(HOME, home))
            if fresh and home.exists():
                shutil.rmtree(home)
            known = home.exists()
            home.mkdir(parents=True, exist_ok=True)
            if data is not None and country is None and not known:
                country = _country_of(data)
            progress = stack.enter_context(_progress(shown=not as_json))
            with _phase(progress, "the sandbox, as it was left" if known else "the sandbox, filled with contacts"):
                ports = stack.enter_context(
                    running_sandbox(home, lock, contacts=contacts, data=data, country=country, usual_ports=usual_ports)
                )
            settings = settle_in(home, ports, real_people=data is not None)
            with _phase(progress, "RingTrue's fields in the CRMs"):
                prepare_crms(settings)
            runs = _rounds(home, progress)
            progress.stop()
            summary = summarise(settings, runs, time.monotonic() - started)
            if as_json:
                print_json(summary.as_json())
            else:
                print_summary(out, summary)
            failures = [failure for rans in runs.values() for ran in rans for failure in ran.failures]
            if failures:
                raise SyncFailed(" ".join(failures))
            if not (once or as_json):
                _keep_up(stack, home, ports["pages"])
    except KeyboardInterrupt:
        out.print("Stopped. Nothing is lost: the next `make demo` goes on from here.")
        raise typer.Exit(INTERRUPTED) from None


def _country_of(data: Path) -> str | None:
    guess = guess_country(data)
    if guess is None:
        return None
    err.print(
        f"The list has no country column. {guess.share:.0%} of its first numbers are valid in {guess.region}, more than anywhere else, "
        f"so it is read as a list from there. COUNTRY={guess.region} FRESH=1 with another code says otherwise.",
        soft_wrap=True,
    )
    return guess.region


def _progress(*, shown: bool) -> Progress:
    """One line for each thing done, on a terminal; nothing where the output goes to a file or a pipe."""
    return Progress(
        SpinnerColumn(finished_text="[green]✓[/]"),
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        TimeElapsedColumn(),
        TextColumn("{task.fields[doing]}", style="dim"),
        console=out,
        disable=not (shown and out.is_terminal),
    )


@contextmanager
def _phase(progress: Progress, description: str) -> Iterator[None]:
    task = progress.add_task(description, total=None, doing="")
    yield
    progress.update(task, total=1, completed=1)


def _rounds(home: Path, progress: Progress) -> dict[str, list[Ran]]:
    """Run the jobs and show how they get on."""
    tasks: dict[int, TaskID] = {}
    steps = 0

    def tell(said: Told) -> None:
        nonlocal steps
        if isinstance(said, Plan):
            steps = said.steps
            return
        if said.turn not in tasks:
            tasks[said.turn] = progress.add_task(f"round {said.turn}", total=steps + 1, doing="")
        if isinstance(said, RoundEnd):
            progress.update(tasks[said.turn], completed=steps + 1, doing=f"{said.changes:,} changes")
        else:
            own = said.name if said.name.startswith(f"{said.connection}/") else f"{said.connection}: {said.name}"
            progress.update(tasks[said.turn], advance=1, doing=own)

    return run_rounds(home / "jobs.log", tell)


def _keep_up(stack: ExitStack, home: Path, pages_port: int) -> None:
    """Keep the Dagster UI and the sandbox's pages up until Ctrl-C, which is the usual end and no failure."""
    try:
        with out.status("starting the Dagster UI") if out.is_terminal else ExitStack():
            address, process = stack.enter_context(running_ui(home))
        out.print(f"Dagster UI:                 {address}/asset-groups")
        out.print(f"As the sales team sees it:  http://127.0.0.1:{pages_port}/")
        out.print("Ctrl-C stops both.")
        process.wait()
    except KeyboardInterrupt:
        out.print("Stopping.")
        return
    raise SyncFailed(f"The Dagster UI stopped by itself; {home / 'dagster.log'} says why.")
