"""Writes the cleaned copy: the original columns as they were, the answers behind them. The file appears whole or not at all, for its owner only."""

from __future__ import annotations

import codecs
import csv
import io
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import openpyxl
import pyarrow as pa
import pyarrow.compute as pc
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE, Cell

from app.clean.batches import Batch, Odd
from app.clean.workbook import SheetWriter
from connectors.table_files import TableFile

_PLAIN = r"[\d\s().\-/+;,]*(?:(?:x|#|\s\(?[^\W\d_]+[.:)]?)\s*\d*)?\s*"
"""What may follow a plus or a minus that runs nothing: numbers as people write them."""
_FORMULA = ("=", "@", "＝", "＋", "－", "＠", "\t", "\r")
_STARTS = frozenset((*_FORMULA, "+", "-"))
_HARMLESS = re.compile(rf"[+-]{_PLAIN}")


class Writer(Protocol):
    """Takes the list batch by batch."""

    guarded: int
    """Cells of the original that a spreadsheet would have run, and that got an apostrophe."""

    def header(self, added: Sequence[str]) -> None:
        """Write the header with the new columns."""

    def rows(self, batch: Batch, added: Sequence[pa.Array]) -> None:
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
            book = table.workbook.book() if table.workbook else None
            sheets = SheetWriter(table, book, place) if book else WorkbookWriter(table, place)
            try:
                yield sheets
                sheets.save()
            finally:
                if book:
                    book.archive.close()
            return
        mark = table.encoding not in ("utf-8", "ascii")
        with place.open("wb") as file:
            file.write(codecs.BOM_UTF8 if mark else b"")
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
        self._end: str | None = None
        # A cell begins at the line's start or behind a separator, in a quotation mark or not.
        self._suspicious = f'(?:^|[\n{re.escape(self._delimiter)}])"?[{"".join(map(re.escape, (*_FORMULA, "+", "-")))}]'

    def header(self, added: Sequence[str]) -> None:
        self._line([*self._table.columns, *added])

    def rows(self, batch: Batch, added: Sequence[pa.Array]) -> None:
        if not batch.cells:
            return
        texts = [self._text(cells) for cells in batch.cells] if self._table.is_workbook else batch.originals
        if self._end is None:
            self._end = texts[0][len(texts[0].rstrip("\r\n")) :] or "\r\n"
        bare = self._made_safe(batch, pc.ascii_rtrim(pa.array(texts, pa.large_string()), "\r\n"))
        behind = pc.binary_join_element_wise(*(self._cells(one) for one in added), self._delimiter)
        end, nothing, mark = (pa.scalar(text, pa.large_string()) for text in (self._end, "", self._delimiter))
        tails = pc.binary_join_element_wise(behind.cast(pa.large_string()), end, nothing)
        lines = pc.binary_join_element_wise(bare, tails, mark)
        # The lines lie in memory one behind the other, as they belong into the file.
        _, offsets, characters = lines.buffers()
        first, *_, last = np.frombuffer(offsets, np.int64)[[lines.offset, lines.offset + len(lines)]]
        self._file.write(memoryview(characters)[first:last])

    def _made_safe(self, batch: Batch, bare: pa.Array) -> pa.Array:
        """Lines whose cells a spreadsheet would run, written anew."""
        suspects = np.flatnonzero(pc.match_substring_regex(bare, self._suspicious).to_numpy(zero_copy_only=False))
        told: list[str] = []
        mask = np.zeros(len(bare), dtype=bool)
        for place in suspects.tolist():
            cells = batch.cells[place]
            safe = [_safe(cell) if cell[:1] in _STARTS else cell for cell in cells]
            if safe != cells:
                line = bare[place].as_py()
                told.append(self._text(safe, quote_all=line.startswith('"') and line.endswith('"')))
                mask[place] = True
                self.guarded += sum(one != cell for one, cell in zip(safe, cells, strict=True))
        return pc.replace_with_mask(bare, pa.array(mask), pa.array(told, pa.large_string())) if told else bare

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

    def _line(self, cells: Sequence[str]) -> None:
        self._file.write((self._text([_safe(cell) for cell in cells]) + "\r\n").encode())


def _safe(cell: str) -> str:
    """The cell, with an apostrophe before what a spreadsheet would run. Numbers as people write them stay. Source: OWASP, "CSV Injection"."""
    if cell.startswith(_FORMULA) or (cell.startswith(("+", "-")) and not _HARMLESS.fullmatch(cell)):
        return f"'{cell}"
    return cell


class WorkbookWriter:
    """A workbook with one sheet of a text, or of a workbook whose XML is unusual: values and number formats as they were, texts never taken for formulas."""

    def __init__(self, table: TableFile, path: Path) -> None:
        self.guarded = 0
        self._table, self._path = table, path
        self._book = openpyxl.Workbook(write_only=True)
        self._sheet = self._book.create_sheet("cleaned")

    def header(self, added: Sequence[str]) -> None:
        self._sheet.append([self._plain(name) for name in (*self._table.columns, *added)])

    def rows(self, batch: Batch, added: Sequence[pa.Array]) -> None:
        width = len(self._table.columns)
        rows = batch.originals if self._table.is_workbook else batch.cells
        for row, *told in zip(rows, *(one.to_pylist() for one in added), strict=True):
            kept = [self._kept(cell) for cell in row[:width]]
            kept += [None] * (width - len(kept))
            self._sheet.append([*kept, *(self._plain(value) for value in told)])

    def save(self) -> None:
        """Write the workbook."""
        self._book.save(self._path)

    def _kept(self, cell: Any) -> Any:
        if isinstance(cell, str):
            return self._plain(cell)
        value = self._plain(cell.value) if isinstance(cell.value, str) else cell.value
        if value is None or cell.number_format == "General":
            return value
        copy = value if isinstance(value, Cell) else WriteOnlyCell(self._sheet, value=value)
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
            file.write(f"line {one.rejected.line}: {one.rejected.reason}\r\n{one.original.rstrip()}\r\n")
