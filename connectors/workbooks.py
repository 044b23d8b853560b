"""The sheet of a workbook that holds a list, as rows of texts: by its XML where it is written as usual, else by openpyxl."""

from __future__ import annotations

import itertools
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, time
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from xml.etree.ElementTree import ParseError

import openpyxl
import pyarrow as pa
from openpyxl.utils.exceptions import InvalidFileException

from connectors.sheet_xml import Book, SheetRow, SheetXml, shared_texts
from ringtrue.errors import FileUnreadable

_Opened = TypeVar("_Opened")
_Rows = Iterator[tuple[int, list[str], Any]]
WORKBOOK_BYTES = 1 << 31
"""A workbook that unpacks to more than two gigabytes is refused: its texts are held in memory by the reader."""
_LAST_ROW = 1 << 20
_LOOKED_AT = 50
"""Rows of a sheet that are looked at to see whether it holds anything."""
_DAMAGED = (zipfile.BadZipFile, zlib.error, ParseError, EOFError, ValueError, IndexError, KeyError)


class WorkbookSheet:
    """The sheet of this name, or the first that holds something. Raises FileUnreadable with one sentence that says what to do."""

    def __init__(self, path: Path, sheet: str | None) -> None:
        self.path, self._sheet = path, sheet
        self._part: str | None = None
        self._strings: pa.Array | None = None

    @contextmanager
    def rows(self) -> Iterator[_Rows]:
        """The rows from top to bottom, blank ones too: line, texts, and the row as it stands, a SheetRow where `book` gives one, else openpyxl's cells.
        Formulas count as the values they had.
        """
        self._check_size()
        with warnings.catch_warnings():
            # openpyxl warns about styles and validations, which we do not read.
            warnings.simplefilter("ignore", UserWarning)
            book = self._opened(Book.opened)
            try:
                yield self._of_part(book, self._chosen_part(book))
            finally:
                book.archive.close()

    def book(self) -> Book | None:
        """The workbook, where its sheet is one that `SheetXml` reads; to be closed by its archive."""
        with self.rows():
            # What is wrong with the sheet is said here.
            part = self._part
        book = self._opened(Book.opened)
        if part is not None and book.is_plain(part):
            return book
        book.archive.close()
        return None

    def _opened(self, how: Callable[[Path], _Opened]) -> _Opened:
        try:
            return how(self.path)
        except (InvalidFileException, OSError, *_DAMAGED) as exc:
            raise FileUnreadable(f"{self.path.name} is not a workbook Excel can open: save it again as .xlsx.") from exc

    def _of_part(self, book: Book, part: str) -> _Rows:
        try:
            if book.is_plain(part):
                yield from self._by_xml(SheetXml(book, part, partial(self._shared, book)))
            else:
                yield from self._by_openpyxl(part, book)
        except _DAMAGED as exc:
            raise FileUnreadable(f"{self.path.name} is damaged or cut short: save it again as .xlsx.") from exc

    def _shared(self, book: Book) -> pa.Array:
        if self._strings is None:
            self._strings = shared_texts(book)
        return self._strings

    def _by_xml(self, sheet: SheetXml) -> _Rows:
        nothing = SheetRow(0, "", is_exact=True, width=0)
        before = 0
        for block in sheet.blocks():
            for values, row in block:
                if row.line > _LAST_ROW:
                    raise IndexError("a worksheet has 1,048,576 rows")
                for line in range(before + 1, row.line):
                    yield line, [], nothing
                before = row.line
                yield before, [value.strip() if type(value) is str else cell_text(value) for value in values], row

    def _by_openpyxl(self, part: str, book: Book) -> _Rows:
        names = {target: name for name, (target, _) in book.sheets.items()}
        whole = self._opened(partial(openpyxl.load_workbook, read_only=True, data_only=True))
        try:
            sheet = whole[names[part]]
            sheet.reset_dimensions()
            for line, found in enumerate(sheet.iter_rows(), start=1):
                yield line, [cell_text(cell.value) for cell in found], list(found)
        finally:
            whole.close()

    def _chosen_part(self, book: Book) -> str:
        if self._part is None:
            self._part = self._choose(book)
        return self._part

    def _choose(self, book: Book) -> str:
        if self._sheet is not None:
            if self._sheet not in book.sheets:
                raise FileUnreadable(f"{self.path.name} has no sheet {self._sheet!r}; it has {', '.join(book.sheets)}.")
            return book.sheets[self._sheet][0]
        visible = [part for part, shown in book.sheets.values() if shown]
        if any(book.is_strict(part) for part in visible):
            raise FileUnreadable(
                f"{self.path.name} is a Strict Open XML workbook: save it as an Excel workbook (.xlsx), which is the first kind in Excel's list."
            )
        for part in visible:
            if any(any(cells) for _, cells, _ in itertools.islice(self._of_part(book, part), _LOOKED_AT)):
                return part
        return next(iter(book.sheets.values()))[0]

    def _check_size(self) -> None:
        try:
            with zipfile.ZipFile(self.path) as parts:
                size = sum(part.file_size for part in parts.infolist())
        except zipfile.BadZipFile as exc:
            raise FileUnreadable(
                f"{self.path.name} is not an .xlsx workbook, or a password protects it. Save it again without one."
            ) from exc
        if size > WORKBOOK_BYTES:
            raise FileUnreadable(f"{self.path.name} unpacks to {size >> 20} MB: save it as CSV UTF-8.")


def cell_text(value: object) -> str:
    """A cell as a person sees it, without exponents: Excel keeps long numbers as floating point."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return str(value).replace("\0", "").strip()
