"""`ringtrue clean`: a list in, a cleaned copy and a report out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import pyarrow.compute as pc
import typer
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from app.clean.answers import TOLD, Tally, answer
from app.clean.batches import Batch, batches
from app.clean.columns import Layout, layout_of
from app.clean.report import check_report, write_report
from app.clean.writing import write_odd, writing
from app.console import err, out, print_json
from connectors.table_files import RejectedRow, TableFile
from ringtrue.countries import region_of
from ringtrue.errors import FileUnreadable, SettingsError

SHOWN_ODD = 20
WORKBOOKS = (".xlsx", ".xlsm")
OLD_WORKBOOKS = (".xls", ".ods", ".numbers")
NOT_CHECKED = "not checked (--suppressed checks it against the ledger)"


def clean(
    file: Annotated[Path, typer.Argument(help="The list: CSV or .xlsx.")],
    to: Annotated[
        Path | None, typer.Option("--out", help="The cleaned copy; NAME.cleaned beside the list by default.")
    ] = None,
    region: Annotated[str | None, typer.Option(help="Country of numbers whose row names none, such as US.")] = None,
    column: Annotated[list[str] | None, typer.Option(help="A phone column; found by itself by default.")] = None,
    report: Annotated[
        Path | None, typer.Option(help="The report, .html or .md; NAME.report.html beside the list by default.")
    ] = None,
    suppressed: Annotated[
        bool,
        typer.Option(
            "--suppressed", help="Mark numbers that must not be called, as the ledger of ringtrue.toml knows them."
        ),
    ] = False,
    encoding: Annotated[str | None, typer.Option(help="Encoding of a text file; found by itself by default.")] = None,
    delimiter: Annotated[str | None, typer.Option(help="Separator of a text file; found by itself by default.")] = None,
    sheet: Annotated[
        str | None, typer.Option(help="Sheet of a workbook; the first that holds something by default.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over an older copy and report.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Clean the numbers of a list in a file: a copy with E.164, status and reason behind each phone column, and a report. Needs no CRM."""
    if not file.is_file():
        raise FileUnreadable(f"There is no file {file}.")
    ending = (
        ".xlsx"
        if file.suffix.lower() in WORKBOOKS
        else ".csv"
        if file.suffix.lower() in OLD_WORKBOOKS
        else file.suffix or ".csv"
    )
    copy = to or file.with_name(f"{file.stem}.cleaned{ending}")
    page = check_report(report or file.with_name(f"{file.stem}.report.html"))
    beside = copy.with_name(f"{copy.stem}.not-read.txt")
    _check_places(file, copy, page, beside, force=force)
    table = TableFile(file, encoding=encoding, delimiter=delimiter, sheet=sheet)
    layout = layout_of(table, column or [], region)
    tallies = [Tally(table.columns[place]) for place in layout.phones]
    rows, odd, blank, odd_lines = 0, 0, 0, list[RejectedRow]()
    with ExitStack() as stack:
        permit = stack.enter_context(_permission()) if suppressed else None
        moved = stack.enter_context(_progress(file, quiet=as_json))
        writer = stack.enter_context(writing(table, copy))
        told = (*TOLD, "do not call") if permit else TOLD
        writer.header(_new_names(table.columns, layout.phones, told))
        for batch in batches(table, moved):
            writer.rows(batch, _answers(batch, layout, tallies, permit))
            if batch.odd:
                write_odd(beside, batch.odd, more=bool(odd))
                odd_lines += [one.rejected for one in batch.odd[: SHOWN_ODD - len(odd_lines)]]
            rows, odd, blank = rows + len(batch.cells), odd + len(batch.odd), blank + batch.blank
    permission = "not checked" if permit is None else _permission_words(permit.counts)
    facts = {
        "file": file.name, "rows": rows, "output": copy.name, "region": _region_words(layout, table),
        "do_not_call": permission if permit else NOT_CHECKED, "blank": blank, "odd": odd, "odd_file": beside.name if odd else None,
        "odd_lines": [line._asdict() for line in odd_lines],
    }  # fmt: skip
    write_report(page, facts, tallies)
    if as_json:
        print_json(
            {
                **facts, "output": str(copy), "report": str(page), "odd_file": str(beside) if odd else None, "made_safe": writer.guarded,
                "encoding": table.encoding or None, "delimiter": None if table.is_workbook else table.delimiter,
                "columns": [
                    {"name": one.name, "statuses": one.statuses, "reasons": one.reasons, "types": one.types, "numbers": one.numbers}
                    for one in tallies
                ],
            }
        )  # fmt: skip
        return
    _print_outcome(facts, tallies, copy, page, beside, writer.guarded)


def _check_places(file: Path, copy: Path, page: Path, beside: Path, *, force: bool) -> None:
    if copy.suffix.lower() in OLD_WORKBOOKS:
        raise SettingsError(f"A {copy.suffix} workbook cannot be written: name the copy .xlsx or .csv.")
    for path in (copy, page, beside):
        if path.resolve() == file.resolve():
            raise SettingsError(f"{path} is the list itself, which stays as it is: choose another name.")
        if not path.parent.is_dir():
            raise SettingsError(f"There is no folder {path.parent}: make it, or choose another place.")
        if path.exists() and not force:
            raise SettingsError(f"{path} is there already: add --force to write over it, or choose another name.")
    beside.unlink(missing_ok=True)


def _new_names(columns: tuple[str, ...], phones: tuple[int, ...], told: tuple[str, ...]) -> list[str]:
    taken = set(columns)
    names: list[str] = []
    for place in phones:
        for what in told:
            name = f"{columns[place]} {what}"
            names.append(name if name not in taken else f"{name} (2)")
            taken.add(name)
    return names


def _answers(batch: Batch, layout: Layout, tallies: list[Tally], permit: Any) -> list[pa.Array]:
    rows = batch.cells
    regions: Any = layout.region
    if layout.countries:
        regions = pc.coalesce(
            *(_codes([row[at] for row in rows]) for at in layout.countries), pa.scalar(layout.region, pa.string())
        )
    towns = [", ".join(filter(None, (row[at] for at in layout.towns))) for row in rows] if layout.towns else None
    cells: list[pa.Array] = []
    for place, tally in zip(layout.phones, tallies, strict=True):
        one = answer([row[place] for row in rows], regions, towns, tally)
        cells += one
        if permit:
            cells.append(pa.array(permit.told(one[0].to_pylist()), pa.string()))
    return cells


def _codes(countries: list[str]) -> pa.Array:
    """The country code of each row, null where none is understood."""
    written = pc.dictionary_encode(pa.array(countries, pa.string()))
    known = pa.array([region_of(country) for country in written.dictionary.to_pylist()], pa.string())
    return known.take(written.indices)


def _permission() -> Any:
    # The database is opened only where it is asked for: cleaning a file needs none.
    from app.clean.permission import permission

    return permission()


@contextmanager
def _progress(file: Path, *, quiet: bool) -> Iterator[Callable[[int], object]]:
    """A bar on the error stream, for people only. A workbook does not tell how long it is."""
    if quiet or not err.is_terminal:
        yield lambda _: None
        return
    total = None if file.suffix.lower() in WORKBOOKS else file.stat().st_size
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task(escape(file.name), total=total)
        yield lambda place: bar.update(task, completed=place)


def _permission_words(counts: Any) -> str:
    return f"{counts['yes']:,} fields must not be called, {counts['not checked']:,} could not be checked, {counts['no']:,} are free"


def _region_words(layout: Layout, table: TableFile) -> str:
    if layout.countries:
        named = ", ".join(table.columns[place] for place in layout.countries)
        return f"column {named}" + (f", else {layout.region}" if layout.region else "")
    if layout.region is None:
        return "none (--region names one)"
    return f"{layout.region}, by what most numbers fit" if layout.guessed else layout.region


def _print_outcome(
    facts: dict[str, Any], tallies: list[Tally], copy: Path, page: Path, beside: Path, guarded: int
) -> None:
    table = Table("column", "valid", "suggestion", "incomplete", "invalid", "empty", box=None, header_style="bold")
    for one in tallies:
        counts = (f"{one.statuses[word]:,}" for word in ("valid", "suggestion", "incomplete", "invalid", "empty"))
        table.add_row(escape(one.name), *counts)
    out.print(table)
    out.print(f"{facts['rows']:,} rows. Country of numbers without one: {escape(facts['region'])}.")
    out.print(f"Do-not-call: {facts['do_not_call']}.")
    if facts["odd"]:
        out.print(
            f"{facts['odd']:,} rows stand above the header or do not fit it: {escape(str(beside))}", soft_wrap=True
        )
    if facts["blank"]:
        out.print(f"{facts['blank']:,} blank rows were left out.")
    if guarded:
        out.print(f"{guarded:,} cells that a spreadsheet would run as a formula got an apostrophe.")
    out.print(f"Cleaned copy: {escape(str(copy))}", soft_wrap=True)
    out.print(f"Report: {escape(str(page))}", soft_wrap=True)
