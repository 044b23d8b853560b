"""Contact lists in files: CSV and Excel as they come, streamed as the records every other connection pulls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

from connectors.crm import FieldMap
from connectors.file_columns import find_columns, no_words
from connectors.safe_csv import write_csv_safely
from connectors.table_files import RejectedRow, TableFile, TableRow
from ringtrue.records import PulledRecord

__all__ = ["FileContacts", "FilePage", "RejectedRow", "TableFile", "write_csv_safely"]

PAGE_SIZE = 1_000


class FilePage(NamedTuple):
    """A batch of contacts and of the rows that cannot be used, in the order of the file."""

    records: list[PulledRecord]
    rejected: list[RejectedRow]


class FileContacts:
    """A contact list in a file. Columns are found by themselves; `mapping` (kind -> column or columns) overrides.

    `fields` names the columns by what they hold, `fingerprint` tells an unchanged file. The id of a record is its id column, else a hash of its
    cells: the same row in a later copy of the file is the same record. Raises FileUnreadable with one sentence that says what to do.
    """

    kind = "file"
    object_name = "contacts"

    def __init__(
        self,
        path: Path,
        *,
        mapping: Mapping[str, str | Sequence[str]] | None = None,
        encoding: str | None = None,
        delimiter: str | None = None,
        sheet: str | None = None,
    ) -> None:
        self.table = TableFile(path, encoding=encoding, delimiter=delimiter, sheet=sheet)
        found = find_columns(self.table.columns, self.table.sample(), mapping or {}, path.name)
        self.fields: FieldMap = found.fields
        self.record_id_column = found.record_id

    def fingerprint(self) -> str:
        """SHA-256 of the file: the same file needs no second import."""
        return self.table.fingerprint()

    def pull(self, fields: Sequence[str] | None = None, *, page_size: int = PAGE_SIZE) -> Iterator[FilePage]:
        """Stream all rows in pages. `values` holds the columns asked for (all columns by default); yes-or-no columns as "true"/"false".

        A row that repeats an id or is the same as an earlier one is rejected, so that records plus rejected rows are the rows of the file.
        """
        columns = self.table.columns
        wanted = [(name, columns.index(name)) for name in (fields or columns)]
        flags = [name for name in (*self.fields.do_not_call, *self.fields.email_opt_out) if name in (fields or columns)]
        place = columns.index(self.record_id_column) if self.record_id_column else None
        changed = datetime.fromtimestamp(self.table.path.stat().st_mtime, UTC)
        no = no_words()
        seen: set[int] = set()
        records: list[PulledRecord] = []
        rejected: list[RejectedRow] = []
        for row in self.table.rows():
            if isinstance(row, TableRow):
                record_id = (row.cells[place] if place is not None else "") or content_id(row.cells)
                # Eight bytes for each row keep a file of a million rows under a hundred megabytes.
                mark = hash(record_id)
                if mark in seen:
                    rejected.append(RejectedRow(row.line, "A row above it has the same id or the same content."))
                else:
                    seen.add(mark)
                    values = {name: row.cells[at] or None for name, at in wanted}
                    for name in flags:
                        values[name] = _flag(values[name], no)
                    records.append(PulledRecord(record_id, values, None, changed))
            else:
                rejected.append(row)
            if len(records) + len(rejected) >= page_size:
                yield FilePage(records, rejected)
                records, rejected = [], []
        if records or rejected:
            yield FilePage(records, rejected)


def content_id(cells: Sequence[str]) -> str:
    """An id that a row keeps as long as its cells stay the same."""
    return blake2b("\x1f".join(cells).encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()


def _flag(value: str | None, no: frozenset[str]) -> str | None:
    """A wish not to be called is never lost to spelling: whatever is not a no is a yes."""
    if value is None:
        return None
    return "false" if value.casefold() in no else "true"
