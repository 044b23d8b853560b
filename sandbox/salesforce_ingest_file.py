"""The CSV of an ingest upload: read in chunks, with the reasons for which a whole job fails."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sandbox.salesforce_jobs import DELIMITERS, LINE_ENDINGS, Job

NULL = "#N/A"
"""The cell that sets a field to null; an empty cell leaves it as it is."""


class JobFailed(Exception):
    """The job as a whole cannot be worked on; the message is its `errorMessage`."""


class Upload:
    """The rows of an uploaded file, open inside `with`. Reading raises JobFailed where header, line ends or encoding are wrong."""

    def __init__(self, path: Path, job: Job) -> None:
        self._source = path.open(encoding="utf-8", newline="")
        self._ending = LINE_ENDINGS[job["lineEnding"]]
        self._name = job["lineEnding"]
        self._reader = csv.reader(self._lines(), delimiter=DELIMITERS[job["columnDelimiter"]], strict=True)
        self.header: list[str] = []

    def __enter__(self) -> Upload:
        return self

    def __exit__(self, *_: object) -> None:
        self._source.close()

    def read_header(self) -> None:
        """Fill `header` from the first row."""
        header = self._next()
        if header is None:
            raise JobFailed("InvalidBatch : Failed to read the header row: the file is empty")
        self.header = header

    def chunk(self, size: int) -> list[list[str]]:
        """The next rows, at most `size`; none at the end of the file."""
        rows: list[list[str]] = []
        while len(rows) < size and (row := self._next()) is not None:
            if row:
                rows.append(row)
        return rows

    def _next(self) -> list[str] | None:
        try:
            return next(self._reader, None)
        except (csv.Error, UnicodeDecodeError) as exc:
            raise JobFailed(f"InvalidBatch : The file is not valid UTF-8 CSV: {exc}") from exc

    def _lines(self) -> Iterator[str]:
        for line in self._source:
            if line.endswith("\n") and line.endswith("\r\n") != (self._ending == "\r\n"):
                raise JobFailed(
                    f"ClientInputError : LineEnding is invalid on user data. Current LineEnding setting is {self._name}"
                )
            yield line


def check(path: Path, job: Job) -> None:
    """Read a whole upload once. Raises JobFailed at the first thing wrong with it, so that a broken file changes nothing."""
    with Upload(path, job) as upload:
        upload.read_header()
        while upload.chunk(1000):
            pass


def values_of(header: list[str], row: list[str]) -> dict[str, Any]:
    """The values a row sets: empty cells are left out, #N/A is None."""
    return {name: None if cell == NULL else cell for name, cell in zip(header, row, strict=True) if cell != ""}
