"""Any table file (CSV in its dialects, .xlsx) as a stream of text rows with line numbers, in bounded memory.

Everything is text: `0612345678` keeps its zero and `NA` stays Namibia. A row that does not fit the header comes out as a `RejectedRow` with its
line and reason; a file that does not fit at all raises FileUnreadable.
"""

from __future__ import annotations

import csv
import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple, TextIO

from connectors.file_encoding import ADVICE, Encoding, sniff_encoding
from connectors.workbooks import WorkbookSheet
from ringtrue.errors import FileUnreadable

DELIMITERS = ",;\t|"
SAMPLE_ROWS = 300
LONGEST_LINE = 1 << 24
LINES_AT_ONCE = 500


class TableRow(NamedTuple):
    """A row with as many cells as the header, and the line it begins in."""

    line: int
    cells: list[str]


class RejectedRow(NamedTuple):
    """A row that cannot be used, and why."""

    line: int
    reason: str


class TableFile:
    """A table file with one header row. `encoding`, `delimiter` and `sheet` override what is found out.

    Raises FileUnreadable with one sentence that says what to do.
    """

    def __init__(
        self, path: Path, *, encoding: str | None = None, delimiter: str | None = None, sheet: str | None = None
    ) -> None:
        self.path = path
        if not path.is_file():
            raise FileUnreadable(f"There is no file {path}: check the path.")
        self.is_workbook = path.suffix.lower() in {".xlsx", ".xlsm"}
        self.workbook = WorkbookSheet(path, sheet) if self.is_workbook else None
        self._encoding = Encoding("")
        self._delimiter = delimiter or ","
        if path.suffix.lower() in {".xls", ".ods", ".numbers"}:
            raise FileUnreadable(f"{path.name} is a {path.suffix} workbook: save it as .xlsx or as CSV UTF-8.")
        if not self.is_workbook:
            self._encoding = _known_encoding(path, encoding) if encoding else sniff_encoding(path)
            self._delimiter = delimiter or self._sniff_delimiter()
        self._above: list[RejectedRow] = []
        self.columns: tuple[str, ...] = ()
        self.header_line = 0
        """Line of the header; 0 where the file begins with its first contact."""
        self._skip = 0
        self.lines_read = 0
        self._find_header()

    @property
    def encoding(self) -> str:
        """The codec of a text file; empty for a workbook."""
        return self._encoding.name

    @property
    def delimiter(self) -> str:
        return self._delimiter

    def fingerprint(self) -> str:
        """SHA-256 of the file's bytes: the same file needs no second import."""
        digest = sha256()
        with self.path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        return digest.hexdigest()

    def sample(self) -> list[list[str]]:
        """Cells of the first rows that fit."""
        return [row.cells for row in itertools.islice(self.rows(), SAMPLE_ROWS) if isinstance(row, TableRow)]

    def rows(self) -> Iterator[TableRow | RejectedRow]:
        """Stream all rows below the header. Blank lines are no rows."""
        yield from self._above
        width = len(self.columns)
        for line, cells in itertools.islice(self._raw(), self._skip, None):
            if isinstance(cells, str):
                yield RejectedRow(line, cells)
                continue
            if len(cells) == width:
                yield TableRow(line, cells)
            elif self._fits(cells):
                yield TableRow(line, [*cells[:width], *[""] * (width - len(cells))])
            else:
                yield RejectedRow(line, f"It has {len(cells)} columns where the header has {width}.")

    def _fits(self, cells: Sequence[str]) -> bool:
        """Empty cells too many do no harm. Cells too few are normal in a workbook; in a text file the line is broken."""
        width = len(self.columns)
        return (
            len(cells) == width
            or (len(cells) > width and not any(cells[width:]))
            or (self.is_workbook and len(cells) < width)
        )

    def _raw(self) -> Iterator[tuple[int, list[str] | str]]:
        """Lines and cells, or a reason in place of cells."""
        return self._workbook_rows(self.workbook) if self.workbook else self._text_rows()

    def _find_header(self) -> None:
        top = [(line, cells) for line, cells in itertools.islice(self._raw(), SAMPLE_ROWS) if isinstance(cells, list)]
        if not top:
            raise FileUnreadable(f"{self.path.name} holds no rows.")
        usual = Counter(_filled(cells) for _, cells in top).most_common(1)[0][0]
        # A title or a note may stand above the header, in a cell of its own.
        place = next((at for at, (_, cells) in enumerate(top) if _filled(cells) > 1), 0) if usual > 1 else 0
        self._above = [RejectedRow(line, "It stands above the header.") for line, _ in top[:place]]
        line, cells = top[place]
        self._skip, self.header_line = place + 1, line
        # A column may go without a name, but not one that nobody fills.
        widest = max(_filled(below) for _, below in top)
        header = cells[: max(_filled(cells), min(len(cells), widest))]
        if _looks_like_data(header):
            self._skip, self.header_line, self._above = 0, 0, []
            header = [""] * len(header)
        self.columns = _unique(header)
        below = top[self._skip :]
        fitting = sum(self._fits(cells) for _, cells in below)
        if fitting < len(below) / 2:
            raise FileUnreadable(
                f"Most rows of {self.path.name} do not have the {len(self.columns)} columns of its header (line {line}): "
                "check the separator, or remove what stands above the header."
            )

    @contextmanager
    def open_text(self) -> Iterator[TextIO]:
        """The text of the file, its line ends as they are."""
        with self.path.open(encoding=self._encoding.name, newline="") as file:
            try:
                yield file
            except UnicodeDecodeError as exc:
                raise FileUnreadable(f"{self.path.name} is not {self._encoding.name} throughout. {ADVICE}") from exc

    def line_parts(self, file: TextIO) -> Iterator[list[str]]:
        """Lines with their ends, without NUL characters, some thousand at a time. Raises FileUnreadable for one without an end in sight."""
        lines = iter(partial(file.readline, LONGEST_LINE), "")
        read = 0
        while part := list(itertools.islice(lines, LINES_AT_ONCE)):
            longest = max(part, key=len)
            if len(longest) >= LONGEST_LINE:
                raise FileUnreadable(
                    f"Line {read + part.index(longest) + 1} of {self.path.name} is longer than {LONGEST_LINE >> 20} million characters: "
                    "that is no list of rows."
                )
            read += len(part)
            yield [text.replace("\0", "") for text in part] if self._encoding.has_nul else part

    def lines(self, file: TextIO) -> Iterator[str]:
        """The same line by line."""
        return itertools.chain.from_iterable(self.line_parts(file))

    def records(self, lines: Iterator[str]) -> Iterator[tuple[int, list[str] | str]]:
        """The line each row begins in and its cells as they stand, or a reason in place of cells. A blank line is a row without cells.

        `lines_read` tells the line it ends in.
        """
        reader = csv.reader(lines, delimiter=self._delimiter, strict=True)
        self.lines_read = before = 0
        while True:
            try:
                for cells in reader:
                    self.lines_read = reader.line_num
                    yield before + 1, cells
                    before = self.lines_read
            except csv.Error as exc:
                self.lines_read = reader.line_num
                yield before + 1, self._broken(exc, before + 1)
                before = self.lines_read
            else:
                return

    def _text_rows(self) -> Iterator[tuple[int, list[str] | str]]:
        with self.open_text() as file:
            for line, cells in self.records(self.lines(file)):
                if isinstance(cells, str):
                    yield line, cells
                elif any(cells) and not (line == 1 and names_the_separator(cells)):
                    yield line, [cell.strip() for cell in cells]

    def _broken(self, exc: csv.Error, line: int) -> str:
        if "field limit" in str(exc):
            raise FileUnreadable(
                f"A value in line {line} of {self.path.name} has more than {csv.field_size_limit():,} characters: correct that line. "
                "Perhaps a quotation mark opens in it and never closes."
            ) from exc
        if "unexpected end" in str(exc):
            raise FileUnreadable(
                f"A quotation mark that opens in line {line} of {self.path.name} never closes: correct that line."
            ) from exc
        return "A quotation mark stands in the middle of a value."

    def _sniff_delimiter(self) -> str:
        with self.open_text() as file:
            head = list(itertools.islice(self.lines(file), 60))
        if head and head[0].startswith("sep=") and len(head[0].strip()) == 5:
            return head[0][4]
        best, best_score = ",", (0.0, 0)
        for delimiter in DELIMITERS:
            widths = [len(row) for row in _lenient(head, delimiter) if any(row)]
            width, rows = Counter(widths).most_common(1)[0] if widths else (1, 0)
            score = (rows / max(len(widths), 1), width) if width > 1 else (0.0, 0)
            # A separator that cuts every row alike beats one that makes more columns of some.
            if (round(score[0], 1), score[1]) > (round(best_score[0], 1), best_score[1]):
                best, best_score = delimiter, score
        return best

    def _workbook_rows(self, workbook: WorkbookSheet) -> Iterator[tuple[int, list[str] | str]]:
        with workbook.rows() as rows:
            for line, cells, _ in rows:
                if any(cells):
                    yield line, cells


def names_the_separator(cells: Sequence[str]) -> bool:
    """Whether a first row is Excel's own note of the separator, such as `sep=;`."""
    return bool(cells) and cells[0].startswith("sep=") and not any(cells[1:])


def _known_encoding(path: Path, name: str) -> Encoding:
    try:
        "".encode(name)
    except LookupError as exc:
        raise FileUnreadable(f"There is no encoding {name!r} for {path.name}: correct the name.") from exc
    # A byte order mark is no part of the first header, whether or not there is one.
    plain = name.lower().replace("_", "-") in {"utf-8", "utf8"}
    return Encoding("utf-8-sig" if plain else name, has_nul=True)


def _lenient(lines: Sequence[str], delimiter: str) -> Iterator[list[str]]:
    try:
        yield from csv.reader(lines, delimiter=delimiter)
    except csv.Error:
        return


def _filled(cells: Sequence[str]) -> int:
    """Columns up to the last one that holds something."""
    return max((place for place, cell in enumerate(cells, start=1) if cell), default=0)


def _looks_like_data(header: Sequence[str]) -> bool:
    """Whether the first row is a contact and no header: people do not head a column with a number of seven digits or an address."""
    return any(sum(character.isdigit() for character in cell) >= 7 or "@" in cell for cell in header)


def _unique(header: Sequence[str]) -> tuple[str, ...]:
    names: list[str] = []
    for place, cell in enumerate(header, start=1):
        name = " ".join(cell.split()) or f"column {place}"
        copies = sum(other == name or other.startswith(f"{name} (") for other in names)
        names.append(f"{name} ({copies + 1})" if copies else name)
    return tuple(names)
