"""Writes the cleaned copy: the original columns as they were, the answers behind them. The file appears whole or not at all, for its owner only."""

from __future__ import annotations

import csv
import io
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import openpyxl
import pyarrow as pa
import pyarrow.compute as pc
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from app.clean.batches import Odd, Row
from connectors.table_files import TableFile

_PLAIN = r"[\d\s().\-/+;,]*(?:(?:x|#|\s[^\W\d_]+[.:]?)\s*\d+)?\s*"
"""What may follow a plus or a minus that runs nothing: numbers as people write them."""


class Writer(Protocol):
    """Takes the list batch by batch."""

    guarded: int
    """Cells of the original that a spreadsheet would have run, and that got an apostrophe."""

    def header(self, added: Sequence[str]) -> None:
        """Write the header with the new columns."""

    def rows(self, rows: Sequence[Row], added: Sequence[pa.Array]) -> None:
        """Write rows with the cells of the new columns."""


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A place to write to that becomes `path` when all went well."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(descriptor)
    try:
        yield Path(name)
        Path(name).replace(path)
    finally:
        Path(name).unlink(missing_ok=True)


@contextmanager
def writing(table: TableFile, path: Path) -> Iterator[Writer]:
    """A writer of the kind of the list: a workbook for a workbook, text with the same separator and quotation marks for a text."""
    with whole_file(path) as place:
        if path.suffix.lower() == ".xlsx":
            sheets = WorkbookWriter(table)
            yield sheets
            sheets.save(place)
            return
        mark = table.encoding not in ("utf-8", "ascii")
        with place.open("w", encoding="utf-8-sig" if mark else "utf-8", newline="") as file:
            yield TextWriter(table, file)
            file.flush()
            os.fsync(file.fileno())


class TextWriter:
    """A text: each line as it was, and the new cells behind it. A workbook's rows are written as lines."""

    def __init__(self, table: TableFile, file: Any) -> None:
        self.guarded = 0
        self._table = table
        self._file = file
        self._delimiter = table.delimiter
        self._end = "\r\n"
        mark = re.escape(self._delimiter)
        tab = "" if self._delimiter == "\t" else "\t"
        # A cell begins at the line's start or behind a separator, in a quotation mark or not.
        self._dangerous = re.compile(f'(?:^|{mark})"?(?:[=@＝＋－＠\r{tab}]|[+-](?!{_PLAIN}(?:["\r\n{mark}]|$)))')

    def header(self, added: Sequence[str]) -> None:
        self._line([*self._table.columns, *added])

    def rows(self, rows: Sequence[Row], added: Sequence[pa.Array]) -> None:
        behind = pc.binary_join_element_wise(*(self._cells(one) for one in added), self._delimiter)
        tails: list[str] = behind.to_numpy(zero_copy_only=False).tolist()
        dangerous, delimiter, write = self._dangerous.search, self._delimiter, self._file.write
        out: list[str] = []
        for row, tail in zip(rows, tails, strict=True):
            original = row.original if isinstance(row.original, str) else self._text(row.cells)
            bare = original.rstrip("\r\n")
            end = original[len(bare) :] or self._end
            if dangerous(bare):
                bare = self._made_safe(row.cells, bare)
            out.append(f"{bare}{delimiter}{tail}{end}")
        write("".join(out))

    def _cells(self, values: pa.Array) -> pa.Array:
        """Values with quotation marks where they need them."""
        needs = pc.match_substring_regex(values, f'["\r\n{re.escape(self._delimiter)}]')
        if not pc.any(needs).as_py():
            return values
        inside = pc.binary_join_element_wise('"', pc.replace_substring(values, '"', '""'), '"', "")
        return pc.if_else(needs, inside, values)

    def _text(self, cells: Sequence[str], *, quote_all: bool = False) -> str:
        line = io.StringIO()
        options: dict[str, Any] = {"quoting": csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL}
        csv.writer(line, delimiter=self._delimiter, lineterminator="", **options).writerow(cells)
        return line.getvalue()

    def _made_safe(self, cells: Sequence[str], bare: str) -> str:
        safe = [_safe(cell) for cell in cells]
        changed = sum(one != cell for one, cell in zip(safe, cells, strict=True))
        self.guarded += changed
        return self._text(safe, quote_all=bare.startswith('"') and bare.endswith('"')) if changed else bare

    def _line(self, cells: Sequence[str]) -> None:
        self._file.write(self._text([_safe(cell) for cell in cells]) + self._end)


_FORMULA = ("=", "@", "＝", "＋", "－", "＠", "\t", "\r")
_HARMLESS = re.compile(rf"[+-]{_PLAIN}")


def _safe(cell: str) -> str:
    """The cell, with an apostrophe before what a spreadsheet would run. Numbers as people write them stay. Source: OWASP, "CSV Injection"."""
    if cell.startswith(_FORMULA) or (cell.startswith(("+", "-")) and not _HARMLESS.fullmatch(cell)):
        return f"'{cell}"
    return cell


class WorkbookWriter:
    """A workbook with one sheet: values and number formats as they were, texts never taken for formulas."""

    def __init__(self, table: TableFile) -> None:
        self.guarded = 0
        self._table = table
        self._book = openpyxl.Workbook(write_only=True)
        self._sheet = self._book.create_sheet("cleaned")

    def header(self, added: Sequence[str]) -> None:
        self._sheet.append([self._plain(name) for name in (*self._table.columns, *added)])

    def rows(self, rows: Sequence[Row], added: Sequence[pa.Array]) -> None:
        width = len(self._table.columns)
        for row, *told in zip(rows, *(one.to_pylist() for one in added), strict=True):
            cells = row.cells if isinstance(row.original, str) else row.original
            kept = [self._kept(cell) for cell in cells[:width]]
            kept += [None] * (width - len(kept))
            self._sheet.append([*kept, *(self._plain(value) for value in told)])

    def save(self, path: Path) -> None:
        """Write the workbook."""
        self._book.save(path)

    def _kept(self, cell: Any) -> Any:
        if isinstance(cell, str):
            return self._plain(cell)
        if isinstance(cell.value, str):
            return self._plain(cell.value)
        if cell.value is None or not getattr(cell, "is_date", False):
            return cell.value
        copy = WriteOnlyCell(self._sheet, value=cell.value)
        copy.number_format = cell.number_format
        return copy

    def _plain(self, text: str) -> Any:
        text = ILLEGAL_CHARACTERS_RE.sub("", text)
        if not text.startswith("="):
            return text or None
        cell = WriteOnlyCell(self._sheet, value=text)
        cell.data_type = "s"
        return cell


def write_odd(path: Path, odd: Sequence[Odd], *, more: bool) -> None:
    """Add rows that could not be read to the file beside the copy, as they stood."""
    flags = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if more else os.O_TRUNC)
    with os.fdopen(os.open(path, flags, 0o600), "w", encoding="utf-8", newline="") as file:
        for one in odd:
            cells = (
                one.original
                if isinstance(one.original, str)
                else "\t".join(str(cell.value or "") for cell in one.original)
            )
            file.write(f"line {one.rejected.line}: {one.rejected.reason}\r\n{cells.rstrip()}\r\n")
