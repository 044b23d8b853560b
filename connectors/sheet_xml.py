"""The rows of a worksheet from its XML by pattern, some forty times as fast as building a cell object for each value.

A worksheet is `<row r="2"><c r="A2" s="1" t="s"><v>17</v></c>...</row>` (ECMA-376, part 1, 18.3.1). Rows that are written like this, as all spreadsheets write them, are
taken apart by regular expressions; a row that is not goes through an XML parser. Sheets with another namespace or a prefix are left to openpyxl.
"""

from __future__ import annotations

import codecs
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from openpyxl.reader.excel import ExcelReader
from openpyxl.styles.stylesheet import apply_stylesheet
from openpyxl.utils import column_index_from_string, get_column_letter
from openpyxl.utils.datetime import from_excel, from_ISO8601
from openpyxl.xml.constants import ARC_STYLE, ARC_THEME, SHARED_STRINGS, SHEET_MAIN_NS

_BLOCK = 1 << 20
_HEAD = 1 << 16
_MOST_CELLS = 1 << 20
_ROW = re.compile(r"<row\b([^>]*?)(?:/>|>(.*?)</row>)", re.DOTALL)
_CELL = re.compile(r'<c r="([A-Z]{1,3})[0-9]+"([^>]*?)(?:/>|>(.*?)</c>)', re.DOTALL)
_CELL_STARTS = ("<c ", "<c>", "<c/")
_NUMBER = re.compile(r'\br="(\d+)"')
_REFERENCE = re.compile(r'(<c r="[A-Z]{1,3})[0-9]+')
_BEGIN = re.compile(r"<sheetData\s*(/?)>")
_ODD = re.compile(r"<!|</\w+:|<extLst")
"""Remarks, marked sections and extensions, which refer to other parts of the workbook."""
_PREFIX = re.compile(r"[\s</](\w+):\w")
_PLAIN_ITEM = re.compile(r'<si><t(?: xml:space="preserve")?>([^<]*)</t></si>')
_ITEM = re.compile(r"<si\b[^>]*?(?:/>|>(.*?)</si>)", re.DOTALL)
_TEXT = re.compile(r"<t\b[^>]*?(?:/>|>(.*?)</t>)", re.DOTALL)
_PHONETIC = re.compile(r"<rPh\b.*?</rPh>", re.DOTALL)
_VALUE = re.compile(r"<v\b[^>]*?>(.*?)</v>", re.DOTALL)
_FORMULA = re.compile(r"<f\b[^>]*?(?:/>|>.*?</f>)", re.DOTALL)
_ATTRIBUTE = re.compile(r'([\w:]+)\s*=\s*["\']([^"\']*)["\']')
_ENTITY = re.compile(r"&(#x[0-9a-fA-F]+|#[0-9]+|[a-z]+);")
_PLACES: dict[str, int] = {}
_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_STRICT = b"http://purl.oclc.org/ooxml/spreadsheetml/main"
_TAG = f"{{{SHEET_MAIN_NS}}}"


class SheetRow(NamedTuple):
    """A row: its number, the XML of its cells, whether that can stand in another workbook as it is, and how many columns it has."""

    line: int
    xml: str
    is_exact: bool
    width: int


@dataclass(frozen=True)
class Book:
    """What is read of a workbook before its rows: its parts by name, sheets by name with part and visibility, styles that show dates."""

    archive: zipfile.ZipFile
    wb: Any
    sheets: dict[str, tuple[str, bool]]
    strings_part: str | None

    @classmethod
    def opened(cls, path: Any) -> Book:
        """Raises what openpyxl and zipfile raise for a file that is no workbook."""
        reader = ExcelReader(path, read_only=True, data_only=True)
        reader.read_manifest()
        reader.read_workbook()
        apply_stylesheet(reader.archive, reader.wb)
        sheets = {
            sheet.name: (rel.target, sheet.state == "visible")
            for sheet, rel in reader.parser.find_sheets()
            if rel.target in reader.valid_files and "worksheet" in rel.Type.rsplit("/", 1)[-1]
        }
        strings = reader.package.find(SHARED_STRINGS)  # type: ignore[no-untyped-call]  # openpyxl's stubs lack it
        return cls(reader.archive, reader.wb, sheets, strings.PartName[1:] if strings is not None else None)

    def is_plain(self, part: str) -> bool:
        """Whether the sheet and the shared texts are in the usual namespace, without a prefix."""
        parts = [(part, b"<worksheet"), *([(self.strings_part, b"<sst")] if self.strings_part else [])]
        usual = f'xmlns="{SHEET_MAIN_NS}"'.encode()
        return all(tag in (head := self._head(name)) and usual in head for name, tag in parts)

    def is_strict(self, part: str) -> bool:
        """Whether the sheet is written in the strict dialect, which openpyxl does not read."""
        return _STRICT in self._head(part)

    def _head(self, part: str) -> bytes:
        with self.archive.open(part) as file:
            return file.read(_HEAD)

    def looks(self) -> dict[str, bytes]:
        """The parts that say what styles look like, by name."""
        return {name: self.archive.read(name) for name in (ARC_STYLE, ARC_THEME) if name in self.archive.namelist()}


class SheetXml:
    """The rows of one worksheet as values and as XML. `strings` are the workbook's shared texts, read by `shared_texts` when a row needs them."""

    def __init__(self, book: Book, part: str, strings: Callable[[], pa.Array]) -> None:
        self._book, self._part, self._strings = book, part, strings

    def blocks(self) -> Iterator[list[tuple[list[Any], SheetRow]]]:
        """Rows with the values of their cells (a text, a number, a date, None), some thousand at a time; rows left out in the file are missing."""
        line = 0
        for text in self._row_texts():
            cells = _CELL.findall(text)
            usual = len(cells) == sum(map(text.count, _CELL_STARTS)) and not _ODD.search(text)
            rows = [(match.group(1), match.group(2) or "") for match in _ROW.finditer(text)]
            if not usual:
                rows = [(match.group(1), _rewritten(match.group(0))) for match in _ROW.finditer(text)]
                cells = _CELL.findall("".join(inner for _, inner in rows))
            counts = np.array([inner.count("<c ") for _, inner in rows], np.int64)
            values, widths, exact = self._table(cells, counts)
            found: list[tuple[list[Any], SheetRow]] = []
            for (attributes, inner), row, width, same in zip(rows, values, widths, exact, strict=True):
                number = _NUMBER.search(attributes)
                line = int(number.group(1)) if number else line + 1
                found.append((row, SheetRow(line, inner, usual and same and "<f" not in inner, width)))
            yield found

    def _table(
        self, cells: list[tuple[str, str, str]], counts: NDArray[np.int64]
    ) -> tuple[list[list[Any]], list[int], list[bool]]:
        """By row, `counts` cells each: the values, how many columns there are, and whether the cells refer to nothing but styles and texts."""
        if not cells:
            return [[] for _ in counts], [0] * len(counts), [True] * len(counts)
        columns, attributes, contents = zip(*cells, strict=True)
        place = np.fromiter((_PLACES.get(column) or _place(column) for column in columns), np.int64, len(cells)) - 1
        row = np.repeat(np.arange(len(counts)), counts)
        widths = np.zeros(len(counts), np.int64)
        np.maximum.at(widths, row, place + 1)
        exact = np.ones(len(counts), np.bool_)
        filled = np.fromiter(map(bool, contents), np.bool_, len(cells))
        width = int(place[filled].max(initial=-1)) + 1
        if width * len(counts) > _MOST_CELLS and len(counts) > 1:
            half = len(counts) // 2
            cut = int(counts[:half].sum())
            first, second = self._table(cells[:cut], counts[:half]), self._table(cells[cut:], counts[half:])
            return [*first[0], *second[0]], [*first[1], *second[1]], [*first[2], *second[2]]
        table = np.full((len(counts), width), None, dtype=object)
        kinds = {text: number for number, text in enumerate(dict.fromkeys(attributes))}
        kind_of = np.fromiter(map(kinds.__getitem__, attributes), np.int64, len(cells))
        for text, number in kinds.items():
            kind, style, bare = _told(text)
            chosen = kind_of == number
            if not bare:
                exact[row[chosen]] = False
            at = np.flatnonzero(chosen & filled)
            inside = [contents[one] for one in at.tolist()]
            if kind == "s":
                indices = [int(one[3:-4] if one.startswith("<v>") else _value(one) or 0) for one in inside]
                told = self._strings().take(pa.array(indices, pa.int64())).to_numpy(zero_copy_only=False)
            else:
                told = np.empty(len(at), dtype=object)
                told[:] = [self._plain(kind, style, one) for one in inside]
            table[row[at], place[at]] = told
        return table.tolist(), widths.tolist(), exact.tolist()

    def _row_texts(self) -> Iterator[str]:
        """The XML of whole rows, in parts of a megabyte or so. Raises EOFError when the sheet ends too early."""
        decoder = codecs.getincrementaldecoder("utf-8")()
        with self._book.archive.open(self._part) as file:
            kept = ""
            begun = False
            while block := file.read(_BLOCK):
                kept += decoder.decode(block)
                if not begun:
                    start = _BEGIN.search(kept)
                    if start is None:
                        continue
                    begun, kept = True, kept[start.end() :]
                    if start.group(1):
                        return
                end = kept.find("</sheetData")
                if end >= 0:
                    yield kept[:end]
                    return
                cut = kept.rfind("</row>") + len("</row>")
                if cut >= len("</row>"):
                    yield kept[:cut]
                    kept = kept[cut:]
        raise EOFError("the sheet has no end")

    def _plain(self, kind: str, style: str, content: str) -> Any:
        if kind == "inlineStr":
            return _rich(content)
        value = content[3:-4] if content.startswith("<v>") and content.endswith("</v>") else _value(content)
        if not value:
            return None
        if kind == "n":
            return self._number(value, style)
        if kind == "b":
            return bool(int(value))
        if kind == "d":
            return from_ISO8601(value)  # type: ignore[no-untyped-call]  # openpyxl's stubs lack it
        return plain(value)

    def _number(self, value: str, style: str) -> Any:
        number: float = float(value) if "." in value or "E" in value or "e" in value else int(value)
        wb = self._book.wb
        if style and int(style) in wb._date_formats:
            timedelta = int(style) in wb._timedelta_formats
            try:
                return from_excel(number, wb.epoch, timedelta=timedelta)
            except (OverflowError, ValueError):
                return "#VALUE!"
        return number


def _place(column: str) -> int:
    """The place of a column, from 1 on, and a note of it."""
    return _PLACES.setdefault(column, column_index_from_string(column))


def _told(attributes: str) -> tuple[str, str, bool]:
    """Type and style of a cell by what stands behind its reference, and whether nothing else does."""
    told = dict(_ATTRIBUTE.findall(attributes))
    return told.get("t", "n"), told.get("s", ""), not set(told) - {"s", "t"}


def _value(content: str) -> str | None:
    found = _VALUE.search(content)
    return found.group(1) if found else None


def _rewritten(text: str) -> str:
    """The cells of a row that is written in an unusual way (without references, with remarks, marked sections, extensions) as everybody writes them."""
    names = " ".join(f'xmlns:{name}="{name}"' for name in set(_PREFIX.findall(text)) - {"xml", "xmlns"})
    row = ElementTree.fromstring(f'<x xmlns="{SHEET_MAIN_NS}" {names}>{text}</x>')[0]  # noqa: S314 no declaration stands before it
    cells = []
    place = 0
    for cell in row.iter(f"{_TAG}c"):
        named = re.match(r"[A-Z]+", cell.get("r", ""))
        place = column_index_from_string(named.group()) if named else place + 1
        kind = cell.get("t", "n")
        value = cell.find(f"{_TAG}v")
        inner = f"<v>{escaped(value.text or '')}</v>" if value is not None else ""
        if kind == "inlineStr":
            runs = [*cell.findall(f"{_TAG}is/{_TAG}t"), *cell.findall(f"{_TAG}is/{_TAG}r/{_TAG}t")]
            inner = f"<is><t>{escaped(''.join(run.text or '' for run in runs))}</t></is>"
        cells.append(f'<c r="{get_column_letter(place)}1"{_attributes(kind, cell.get("s", ""))}>{inner}</c>')
    return "".join(cells)


def _attributes(kind: str, style: str) -> str:
    return (f' s="{style}"' if style else "") + (f' t="{kind}"' if kind != "n" else "")


def shared_texts(book: Book) -> pa.Array:
    """The texts that cells refer to by their place, as an Arrow array."""
    parts = list(_texts(book.archive, book.strings_part)) if book.strings_part else []
    return pa.concat_arrays(parts) if parts else pa.array([], pa.large_string())


def _texts(archive: zipfile.ZipFile, part: str) -> Iterator[pa.Array]:
    decoder = codecs.getincrementaldecoder("utf-8")()
    kept = ""
    with archive.open(part) as file:
        while True:
            block = file.read(_BLOCK)
            kept += decoder.decode(block, final=not block)
            last = kept.rfind("</si>")
            cut = len(kept) if not block else last + len("</si>") if last >= 0 else 0
            text = kept[:cut]
            found = _PLAIN_ITEM.findall(text)
            if len(found) == text.count("<si"):
                items = [plain(item) if "&" in item or "\r" in item else item for item in found]
            else:
                items = [_rich(item) for item in _ITEM.findall(text)]
            yield pa.array(items, pa.large_string())
            kept = kept[cut:]
            if not block:
                return


def _rich(inner: str) -> str:
    """The text of an item: its runs one behind the other, without the reading aids of Japanese."""
    if "<rPh" in inner:
        inner = _PHONETIC.sub("", inner)
    return plain("".join(_TEXT.findall(inner)))


def plain(text: str) -> str:
    """The text behind its XML."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _ENTITY.sub(_entity, text) if "&" in text else text


def _entity(match: re.Match[str]) -> str:
    name = match.group(1)
    if name.startswith("#x"):
        return chr(int(name[2:], 16))
    return chr(int(name[1:])) if name.startswith("#") else _NAMED.get(name, match.group())


def escaped(text: str) -> str:
    """The XML of a text."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def row_xml(row: SheetRow, number: int, width: int) -> str:
    """The cells of a row below `width` columns as row `number`, without what would refer to other parts of the workbook."""
    if not row.is_exact or row.width > width:
        cells = (
            (column, kind, style, _FORMULA.sub("", content))
            for column, attributes, content in _CELL.findall(row.xml)
            for kind, style, _ in (_told(attributes),)
            if column_index_from_string(column) <= width
        )
        return "".join(
            f'<c r="{column}{number}"{_attributes(kind if content else "n", style)}>{content}</c>'
            for column, kind, style, content in cells
        )
    return row.xml if number == row.line else _REFERENCE.sub(rf"\g<1>{number}", row.xml)


def columns_named(count: int) -> Sequence[str]:
    """The letters of the first columns."""
    return [get_column_letter(place) for place in range(1, count + 1)]
