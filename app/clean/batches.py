"""A list in batches of rows as they stand: bounded memory, and nothing of the original is touched."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from connectors.table_files import RejectedRow, TableFile, cell_text, names_the_separator

BATCH = 50_000


class Row(NamedTuple):
    """A row that fits the header. `cells` are texts; `original` is the text of the line, or the cells of a workbook."""

    cells: list[str]
    original: Any


class Odd(NamedTuple):
    """A row that does not fit the header, as it stands, and why."""

    rejected: RejectedRow
    original: Any


class Batch(NamedTuple):
    """Rows of the list in their order."""

    rows: list[Row]
    odd: list[Odd]


def batches(table: TableFile, moved: Callable[[int], object]) -> Iterator[Batch]:
    """The rows below the header. `moved` is told how far in the file we are: bytes of a text, rows of a workbook."""
    source = _workbook(table, moved) if table.is_workbook else _text(table, moved)
    width = len(table.columns)
    while part := list(itertools.islice(source, BATCH)):
        rows: list[Row] = []
        odd: list[Odd] = []
        for line, cells, original in part:
            if isinstance(cells, str):
                odd.append(Odd(RejectedRow(line, cells), original))
            elif len(cells) == width:
                rows.append(Row(cells, original))
            elif table.is_workbook and len(cells) < width:
                rows.append(Row([*cells, *[""] * (width - len(cells))], original))
            else:
                reason = f"It has {len(cells)} columns where the header has {width}."
                odd.append(Odd(RejectedRow(line, reason), original))
        yield Batch(rows, odd)


def _text(table: TableFile, moved: Callable[[int], object]) -> Iterator[tuple[int, list[str] | str, str]]:
    taken: list[str] = []
    with table.open_text() as file:

        def lines() -> Iterator[str]:
            for line in table.lines(file):
                taken.append(line)
                yield line

        for number, (line, cells) in enumerate(table.records(lines())):
            original = taken[0] if len(taken) == 1 else "".join(taken)
            taken.clear()
            if number % BATCH == 0:
                moved(file.buffer.tell())
            if line <= table.header_line or not cells:
                continue
            if isinstance(cells, str) or any(cells):
                if line == 1 and not isinstance(cells, str) and names_the_separator(cells):
                    continue
                yield line, cells, original


def _workbook(table: TableFile, moved: Callable[[int], object]) -> Iterator[tuple[int, list[str], list[Any]]]:
    width = len(table.columns)
    with table.open_sheet() as sheet:
        for line, found in enumerate(sheet.iter_rows(), start=1):
            if line % 1_000 == 0:
                moved(line)
            if line <= table.header_line:
                continue
            cells = [cell_text(cell.value) for cell in found]
            while len(cells) > width and not cells[-1]:
                cells.pop()
            if any(cells):
                yield line, cells, list(found[: max(width, len(cells))])
