"""Writes the cleaned copy of a workbook: the rows' XML as it stood, with its styles, and the new cells behind it."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from app.clean.batches import Batch
from connectors.sheet_xml import Book, columns_named, escaped, row_xml
from connectors.table_files import TableFile

_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPES = "application/vnd.openxmlformats-officedocument"
_PARTS = {
    "xl/workbook.xml": ("officeDocument", f"{_TYPES}.spreadsheetml.sheet.main+xml"),
    "xl/worksheets/sheet1.xml": ("worksheet", f"{_TYPES}.spreadsheetml.worksheet+xml"),
    "xl/styles.xml": ("styles", f"{_TYPES}.spreadsheetml.styles+xml"),
    "xl/theme/theme1.xml": ("theme", f"{_TYPES}.theme+xml"),
    "xl/sharedStrings.xml": ("sharedStrings", f"{_TYPES}.spreadsheetml.sharedStrings+xml"),
}
"""Kind of relationship and content type by name of part (ECMA-376, part 1, 12.3 and annex A)."""
_SHEET, _STRINGS = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_QUICK = 1
"""Level of compression: the sheet is repetitive, and higher levels take four times as long for a sixth less."""
_BLOCK = 1 << 20
_TAIL = 64
_REPEATS = 10
"""A column whose values repeat this often is written as shared texts."""
_NOT_IN_XML = "[\x00-\x08\x0b\x0c\x0e-\x1f]"


class SheetWriter:
    """A workbook with one sheet: cells with their types and formats as they were, formulas as the values they had, new texts never taken for formulas."""

    def __init__(self, table: TableFile, book: Book, path: Path) -> None:
        self.guarded = 0
        self._table, self._book = table, book
        self._zip = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=_QUICK)
        self._sheet = self._zip.open(_SHEET, "w", force_zip64=True)
        self._sheet.write(f'{_XML}<worksheet xmlns="{_MAIN}"><sheetData>'.encode())
        self._shared = _count(book)
        self._words: dict[str, int] = {}
        self._row = 1
        self._packer = ThreadPoolExecutor(1)
        self._packed: Future[int] | None = None

    def header(self, added: Sequence[str]) -> None:
        names = [*self._table.columns, *added]
        cells = (
            f'<c r="{column}1" t="inlineStr"><is><t>{escaped(re.sub(_NOT_IN_XML, "", name))}</t></is></c>'
            for column, name in zip(columns_named(len(names)), names, strict=True)
        )
        self._sheet.write(f'<row r="1">{"".join(cells)}</row>'.encode())

    def rows(self, batch: Batch, added: Sequence[pa.Array]) -> None:
        if not batch.cells:
            return
        width = len(self._table.columns)
        first = self._row + 1
        self._row += len(batch.originals)
        kept = [row_xml(row, number, width) for number, row in enumerate(batch.originals, first)]
        numbers = pa.array(np.arange(first, self._row + 1)).cast(pa.large_string())
        columns = columns_named(width + len(added))[width:]
        behind = [self._cells(column, numbers, values) for column, values in zip(columns, added, strict=True)]
        parts = ['<row r="', numbers, '">', pa.array(kept, pa.large_string()), *behind, "</row>"]
        rows = pc.binary_join_element_wise(*map(_large, parts), _large(""))
        _, offsets, characters = rows.buffers()
        bounds = np.frombuffer(offsets, np.int64)[[rows.offset, rows.offset + len(rows)]]
        # Packing lets go of the interpreter, so the next batch is read meanwhile.
        self._wait()
        self._packed = self._packer.submit(self._sheet.write, memoryview(characters)[bounds[0] : bounds[1]])

    def save(self) -> None:
        """Write what is left and the parts around the sheet."""
        self._wait()
        self._packer.shutdown()
        self._sheet.write(b"</sheetData></worksheet>")
        self._sheet.close()
        parts = {"xl/workbook.xml": self._workbook().encode(), **self._book.looks()}
        for name, content in parts.items():
            self._zip.writestr(name, content)
        self._write_strings()
        names = [_SHEET, _STRINGS, *parts]
        self._zip.writestr("[Content_Types].xml", _content_types(names))
        self._zip.writestr("_rels/.rels", _relations({"xl/workbook.xml": "xl/workbook.xml"}))
        inside = {name: name.removeprefix("xl/") for name in names if name != "xl/workbook.xml"}
        self._zip.writestr("xl/_rels/workbook.xml.rels", _relations(inside))
        self._zip.close()

    def _wait(self) -> None:
        if self._packed is not None:
            self._packed.result()

    def _cells(self, column: str, numbers: pa.Array, values: pa.Array) -> pa.Array:
        """The cells of a new column; nothing where there is nothing to tell."""
        encoded = pc.dictionary_encode(values)
        words = encoded.dictionary
        if len(words) * _REPEATS <= len(values):
            inner = [f'" t="s"><v>{self._word(word)}</v></c>' for word in words.to_pylist()]
            told = pa.array(inner, pa.large_string()).take(encoded.indices)
        else:
            safe = pc.replace_substring_regex(values.cast(pa.large_string()), _NOT_IN_XML, "")
            for mark, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
                safe = pc.replace_substring(safe, mark, entity)
            told = pc.binary_join_element_wise(
                _large('" t="inlineStr"><is><t>'), safe, _large("</t></is></c>"), _large("")
            )
        cells = pc.binary_join_element_wise(_large(f'<c r="{column}'), numbers, told, _large(""))
        return pc.if_else(pc.equal(values, ""), _large(""), cells)

    def _word(self, word: str) -> int:
        return self._words.setdefault(word, self._shared + len(self._words))

    def _workbook(self) -> str:
        epoch = '<workbookPr date1904="1"/>' if self._book.wb.epoch.year == 1904 else ""
        sheet = '<sheets><sheet name="cleaned" sheetId="1" r:id="rId1"/></sheets>'
        return f'{_XML}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}">{epoch}{sheet}</workbook>'

    def _write_strings(self) -> None:
        """The shared texts of the original, and ours behind them."""
        ours = "".join(f"<si><t>{escaped(re.sub(_NOT_IN_XML, '', word))}</t></si>" for word in self._words).encode()
        part = self._book.strings_part
        with self._zip.open(_STRINGS, "w", force_zip64=True) as out:
            if not part or not self._shared:
                out.write(f'{_XML}<sst xmlns="{_MAIN}">'.encode() + ours + b"</sst>")
                return
            with self._book.archive.open(part) as file:
                # The counts of texts would no longer be true; they may be left out.
                kept = re.sub(rb'\s(?:uniqueCount|count)="\d*"', b"", file.read(_BLOCK), count=2)
                while block := file.read(_BLOCK):
                    out.write(kept[:-_TAIL])
                    kept = kept[-_TAIL:] + block
            end = kept.rfind(b"</sst")
            out.write(kept[:end] + ours + b"</sst>")


def _large(value: pa.Array | str) -> pa.Array | pa.Scalar:
    return pa.scalar(value, pa.large_string()) if isinstance(value, str) else value


def _count(book: Book) -> int:
    """How many shared texts the workbook has."""
    if not book.strings_part:
        return 0
    count, kept = 0, b""
    with book.archive.open(book.strings_part) as file:
        while block := file.read(_BLOCK):
            text = kept + block
            count += len(re.findall(rb"<si[\s/>]", text))
            kept = re.search(rb"<?s?i?\Z", text).group()  # type: ignore[union-attr]  # it matches the empty end too
    return count


def _content_types(names: Sequence[str]) -> str:
    kinds = "".join(f'<Override PartName="/{name}" ContentType="{_PARTS[name][1]}"/>' for name in names)
    relations = '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    return f'{_XML}<Types xmlns="{_PACKAGE}/content-types">{relations}{kinds}</Types>'


def _relations(targets: dict[str, str]) -> str:
    inside = "".join(
        f'<Relationship Id="rId{place}" Type="{_OFFICE}/{_PARTS[name][0]}" Target="{target}"/>'
        for place, (name, target) in enumerate(targets.items(), start=1)
    )
    return f'{_XML}<Relationships xmlns="{_PACKAGE}/relationships">{inside}</Relationships>'
