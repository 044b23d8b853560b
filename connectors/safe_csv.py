"""CSV files that a spreadsheet opens without running anything that stands in them."""

from __future__ import annotations

import csv
import os
import re
import tempfile
from collections.abc import Iterable, Sequence
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


def write_csv_safely(path: Path, header: Sequence[str], rows: Iterable[Sequence[str | None]]) -> int:
    """Write a CSV in UTF-8 with a byte order mark (so that Excel reads it as such) and return the number of rows.

    The file appears whole or not at all, readable by its owner only.
    """
    count = 0
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8-sig", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([safe_cell(cell) for cell in header])
            for row in rows:
                writer.writerow([safe_cell(cell) for cell in row])
                count += 1
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    return count
