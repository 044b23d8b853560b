"""Any list of numbers: state lists, litigators, other countries. A table with a column of numbers, or one number a line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from connectors.registries.bytes_in import portions
from connectors.registries.entries import Entries
from connectors.table_files import RejectedRow, TableFile
from ringtrue.errors import FileUnreadable
from ringtrue.ledger.registry_blocks import digits
from ringtrue.phone import normalize_arrow

_BATCH = 50_000


def read(stream: IO[bytes], name: str, region: str) -> Entries:
    """One number a line; what stands behind a comma, semicolon or tab is left out."""
    return collect(_first_cells(stream), name, region)


def read_table(path: Path, column: str, region: str) -> Entries:
    """A CSV or Excel table with a header. Raises FileUnreadable when the column is not in it."""
    return collect(column_of(path, column), path.name, region)


def column_of(path: Path, column: str) -> Iterator[str]:
    """The cells of a column, top to bottom; a row that fits no header is an empty text."""
    table = TableFile(path)
    names = {text.strip().casefold(): place for place, text in enumerate(table.columns)}
    if column.strip().casefold() not in names:
        raise FileUnreadable(
            f"{path.name} has no column {column!r}; it has {', '.join(table.columns)}. Correct `column`."
        )
    place = names[column.strip().casefold()]
    for row in table.rows():
        yield "" if isinstance(row, RejectedRow) else row.cells[place]


def _first_cells(stream: IO[bytes]) -> Iterator[str]:
    for portion, _ in portions(stream):
        for line in portion.decode("utf-8", "replace").split("\n"):
            text = line.replace(";", ",").replace("\t", ",").split(",", 1)[0].strip().strip('"').strip("\ufeff")
            if text:
                yield text


def collect(texts: Iterable[str], name: str, region: str) -> Entries:
    """Texts as numbers of a full list; what is no sure, possible number counts as bad, but for one heading at the top."""
    entries = Entries("full")
    batch: list[str] = []
    for text in texts:
        if not entries.lines and not batch and not any(character.isdigit() for character in text):
            continue
        batch.append(text)
        if len(batch) >= _BATCH:
            _take(entries, batch, region)
            batch = []
    _take(entries, batch, region)
    if not entries.lines:
        raise FileUnreadable(f"{name} holds no numbers. Check that it is the right file.")
    return entries


def _take(entries: Entries, batch: list[str], region: str) -> None:
    if not batch:
        return
    table = normalize_arrow(batch, region)
    columns = (table.column(column).to_pylist() for column in ("row", "e164", "sure"))
    found = {row: e164 for row, e164, sure in zip(*columns, strict=True) if e164 and sure}
    entries.lines += len(batch)
    entries.bad += len(batch) - len(found)
    entries.add(digits(list(found.values())))
