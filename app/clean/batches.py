"""A list in batches of rows as they stand: bounded memory, and nothing of the original is touched."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from connectors.table_files import RejectedRow, TableFile, names_the_separator
from connectors.workbooks import WorkbookSheet

BATCH = 50_000
BATCH_CHARACTERS = 1 << 25
_PART = 5_000
_CELL = 100
"""Characters that a cell of a workbook counts for."""


class Odd(NamedTuple):
    """A row that does not fit the header, as it stands, and why."""

    rejected: RejectedRow
    original: str


class Batch(NamedTuple):
    """Rows of the list in their order: their cells as texts, and what stood there: the text of the line, or the row of a workbook."""

    cells: list[list[str]]
    originals: list[Any]
    odd: list[Odd]
    """Also what stands above the header."""
    blank: int
    """Rows without a value, which are in no copy."""


_Rows = Iterator[tuple[int, list[str] | str, Any]]
_ABOVE = "It stands above the header."


def batches(table: TableFile, moved: Callable[[int], object]) -> Iterator[Batch]:
    """The rows below the header. `moved` is told how far in the file we are: bytes of a text, rows of a workbook."""
    source: _Rows = _workbook(table, table.workbook, moved) if table.workbook else _text(table, moved)
    width = len(table.columns)
    while True:
        cells: list[list[str]] = []
        originals: list[Any] = []
        odd: list[Odd] = []
        blank = characters = 0
        while len(cells) + len(odd) < BATCH and characters < BATCH_CHARACTERS:
            before = len(cells) + len(odd) + blank
            for line, found, original in itertools.islice(source, _PART):
                if isinstance(found, str):
                    odd.append(Odd(RejectedRow(line, found), original))
                elif not any(found):
                    blank += 1
                elif len(found) == width:
                    cells.append(found)
                    originals.append(original)
                elif not table.is_workbook and (cut := _without_surplus(found, original, width, table.delimiter)):
                    cells.append(found[:width])
                    originals.append(cut)
                elif table.is_workbook and len(found) < width:
                    cells.append([*found, *[""] * (width - len(found))])
                    originals.append(original)
                else:
                    reason = f"It has {len(found)} columns where the header has {width}."
                    odd.append(Odd(RejectedRow(line, reason), "\t".join(found) if table.is_workbook else original))
            if len(cells) + len(odd) + blank == before:
                break
            characters += (
                sum(map(len, cells[-_PART:])) * _CELL if table.is_workbook else sum(map(len, originals[-_PART:]))
            )
        if not cells and not odd and not blank:
            return
        yield Batch(cells, originals, odd, blank)


def _without_surplus(cells: list[str], original: str, width: int, delimiter: str) -> str | None:
    """The line without the separators of empty cells too many at its end, so that new cells stand under their header. None: it has others."""
    if len(cells) <= width or any(map(str.strip, cells[width:])):
        return None
    bare = original.rstrip("\r\n")
    spaces = "" if delimiter == " " else " *"
    surplus = rf'(?:{re.escape(delimiter)}(?:"{spaces}"|{spaces})){{{len(cells) - width}}}\Z'
    found = re.search(surplus, bare)
    return bare[: found.start()] + original[len(bare) :] if found else None


def _text(table: TableFile, moved: Callable[[int], object]) -> _Rows:
    """Lines are kept until their row is complete: a value may go over several."""
    kept: list[str] = []
    passed = 0
    with table.open_text() as file:

        def lines() -> Iterator[str]:
            for part in table.line_parts(file):
                moved(file.buffer.tell())
                kept.extend(part)
                yield from part

        header = table.header_line
        for line, cells in table.records(lines()):
            end = table.lines_read
            start = line - 1 - passed
            original = kept[start] if end == line else "".join(kept[start : end - passed])
            if start > _PART:
                del kept[:start]
                passed += start
            if line == header or (line == 1 and not isinstance(cells, str) and names_the_separator(cells)):
                continue
            if line > header:
                yield line, cells, original
            elif any(cells):
                yield line, _ABOVE, original


def _workbook(table: TableFile, workbook: WorkbookSheet, moved: Callable[[int], object]) -> _Rows:
    width = len(table.columns)
    with workbook.rows() as rows:
        for line, cells, original in rows:
            if line % 1_000 == 0:
                moved(line)
            if line == table.header_line:
                continue
            while len(cells) > width and not cells[-1]:
                cells.pop()
            if line > table.header_line:
                yield line, cells, original
            elif any(cells):
                yield line, _ABOVE, "\t".join(cells)
