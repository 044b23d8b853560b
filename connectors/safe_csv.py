"""CSV files that a spreadsheet opens without running anything that stands in them."""

from __future__ import annotations

import csv
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_HARMLESS = re.compile(r"[+-]?\d+(\.\d+)?")


def safe_cell(value: str | None) -> str:
    """A cell that no spreadsheet takes for a formula: an apostrophe goes before what begins like one. Plain numbers and E.164 stay as they are.

    Source: OWASP, "CSV Injection".
    """
    text = "" if value is None else value.replace("\x00", "")
    if text.startswith(_DANGEROUS) and not _HARMLESS.fullmatch(text):
        return "'" + text
    return text


@contextmanager
def safe_csv(path: Path, header: Sequence[str]) -> Iterator[Callable[[Sequence[str | None]], None]]:
    """A CSV to be filled row by row, in UTF-8 with a byte order mark (so that Excel reads it as such).

    The file appears whole or not at all, readable by its owner only.
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file)

            def write(row: Sequence[str | None]) -> None:
                writer.writerow([safe_cell(cell) for cell in row])

            write(header)
            yield write
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_csv_safely(path: Path, header: Sequence[str], rows: Iterable[Sequence[str | None]]) -> int:
    """Write a CSV as `safe_csv` does and return the number of rows."""
    count = 0
    with safe_csv(path, header) as write:
        for row in rows:
            write(row)
            count += 1
    return count
