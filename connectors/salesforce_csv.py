"""CSV as Bulk API 2.0 speaks it: pages of results from a file, rows of a write into a file."""

from __future__ import annotations

import csv
import io
import tempfile
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import IO

import requests

from connectors.http import translate_transport_error
from ringtrue.errors import ConnectionLost, SchemaChanged, ServiceUnavailable
from ringtrue.records import RecordWrite

CLEAR = "#N/A"
"""The cell that sets a field to null. An empty cell leaves the field as it is."""

_CHUNK_BYTES = 1 << 20
_LONGEST_FIELD = 1 << 20
"""Characters. Long text areas hold 131,072, which is just past what the csv module takes by default."""


class HalfPage(ConnectionLost):
    """The connection broke inside a page of results: fetch the page again."""


class Downloaded:
    """A page of results in an unnamed temporary file, NUL bytes taken out and counted. Close it to free the space."""

    def __init__(self, response: requests.Response) -> None:
        self.file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115  closed by close()
        self.nul_bytes = 0
        try:
            for chunk in response.iter_content(_CHUNK_BYTES):
                if b"\0" in chunk:
                    self.nul_bytes += chunk.count(b"\0")
                    chunk = chunk.replace(b"\0", b"")
                self.file.write(chunk)
            self.file.seek(0)
            if self.file.read(len(BOM_UTF8)) != BOM_UTF8:
                self.file.seek(0)
        except requests.RequestException as exc:
            self.close()
            raise HalfPage(str(translate_transport_error(exc))) from exc
        except BaseException:
            self.close()
            raise
        finally:
            response.close()

    def close(self) -> None:
        """Give the space back."""
        self.file.close()


def batches(page: Downloaded, columns: Sequence[str], size: int) -> Iterator[list[list[str]]]:
    """The rows of a page in the order of `columns`, up to `size` at a time.

    The header row may be there, be repeated, stand in another order, or be missing. Newlines inside fields are kept. Raises SchemaChanged for columns
    we did not ask for and ServiceUnavailable for rows that are cut off.
    """
    csv.field_size_limit(_LONGEST_FIELD)
    width = len(columns)
    text = io.TextIOWrapper(page.file, encoding="utf-8", newline="")
    try:
        reader = csv.reader(text)
        first = next(reader, None)
        if first is None:
            return
        order = _order(first, columns)
        rows: Iterable[list[str]] = reader if order is not None else chain([first], reader)
        moved = order is not None and order != list(range(width))
        source = iter(rows)
        while chunk := list(islice(source, size)):
            if set(map(len, chunk)) != {width}:
                chunk = _whole(chunk, width)
            chunk = [row for row in chunk if row[0] != columns[0]] if not moved else _moved(chunk, order or [], columns)
            if chunk:
                yield chunk
    except (csv.Error, UnicodeDecodeError) as exc:
        raise SchemaChanged(f"A page of Bulk results cannot be read as CSV in UTF-8: {type(exc).__name__}.") from exc
    finally:
        text.detach()


def _order(first: list[str], columns: Sequence[str]) -> list[int] | None:
    """Where each wanted column stands in a header row; None when the row is no header but data."""
    if columns[0] not in first:
        return None
    missing = [name for name in columns if name not in first]
    if missing or len(first) != len(columns):
        raise SchemaChanged(f"Bulk results came with other columns than asked for: {', '.join(missing) or 'too many'}.")
    return [first.index(name) for name in columns]


def _whole(chunk: list[list[str]], width: int) -> list[list[str]]:
    kept = [row for row in chunk if row]
    if any(len(row) != width for row in kept):
        raise ServiceUnavailable(
            f"A page of Bulk results holds a row that has not {width} columns: it was cut off on the way."
        )
    return kept


def _moved(chunk: list[list[str]], order: list[int], columns: Sequence[str]) -> list[list[str]]:
    return [[row[place] for place in order] for row in chunk if row[order[0]] != columns[0]]


def picked(page: Downloaded, columns: Sequence[str], size: int) -> Iterator[list[tuple[str, ...]]]:
    """The named columns of a page that has others too, up to `size` rows at a time. A page without a header is empty."""
    csv.field_size_limit(_LONGEST_FIELD)
    text = io.TextIOWrapper(page.file, encoding="utf-8", newline="")
    try:
        reader = csv.reader(text)
        header = next(reader, [])
        if not header:
            return
        missing = [name for name in columns if name not in header]
        if missing:
            raise SchemaChanged(f"Bulk results came without the column {', '.join(missing)}.")
        places = [header.index(name) for name in columns]
        rows = (row for row in reader if row and row != header)
        while chunk := list(islice(rows, size)):
            if any(len(row) != len(header) for row in chunk):
                raise ServiceUnavailable("A page of Bulk results holds a row that was cut off on the way.")
            yield [tuple(row[place] for place in places) for row in chunk]
    except (csv.Error, UnicodeDecodeError) as exc:
        raise SchemaChanged(f"A page of Bulk results cannot be read as CSV in UTF-8: {type(exc).__name__}.") from exc
    finally:
        text.detach()


def csv_of(rows: Iterable[RecordWrite], fields: Sequence[str] = ()) -> bytes:
    """Rows of a write as CSV: real quoting, LF, cleared fields as `#N/A`, fields that a row does not name left empty.

    The columns are the union of what all rows name. Rows are sorted by their parent, so that siblings fall into one batch of the server and do not
    lock each other out.
    """
    ordered = sorted(rows, key=lambda row: (row.parent or "", row.record_id))
    names = dict.fromkeys(fields)
    for row in ordered:
        if not row.values.keys() <= names.keys():
            names.update(dict.fromkeys(row.values))
    columns = tuple(names)
    untouched = [""] * len(columns)
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["Id", *columns])
    for row in ordered:
        values = row.values
        if None in values.values() or "" in values.values():
            # Empty text clears the field like None does, the same as over JSON.
            values = {name: value or CLEAR for name, value in values.items()}
        writer.writerow([row.record_id, *map(values.get, columns, untouched)])
    # NUL is no character of a CSV.
    return text.getvalue().replace("\0", "").encode()
