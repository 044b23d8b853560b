"""A service without an interface: a batch goes out as a CSV or Excel file, and the file that comes back is read.

The answer file is taken whole or refused whole, with the rows named. It is laid into `<folder>/roundtrip/answers/` under the name of the batch.
"""

from __future__ import annotations

import csv
import re
import secrets
import zipfile
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import openpyxl
import orjson
from openpyxl.utils.exceptions import InvalidFileException
from pydantic import Field

from connectors.lookups.protocol import Answer, Kind, Offer, Question, ServiceFacts
from connectors.lookups.reading import Reading, error_answer
from connectors.lookups.service import Options, Product, Surroundings, make_limits, make_offers, read_options
from ringtrue.errors import FileUnreadable, ServiceUnavailable, SettingsError
from ringtrue.lookup_settings import ServiceSettings
from ringtrue.lookup_words import word_table

NAME = "roundtrip"
_ROWS_NAMED = 20
_SCIENTIFIC = re.compile(r"[\d.,]+[eE]\+?\d+")


class RoundTripOptions(Options):
    """How the files look.

    `columns`: number and answer are needed, carrier may be named. `words` maps the service's words to those of `data/lookups/roundtrip.toml`
    (dead, alive, suspended, ...); a word it does not name is read as it stands, else kept for review.
    """

    format: Literal["csv", "xlsx"] = "csv"
    encoding: str = "utf-8-sig"
    columns: dict[str, str] = Field(default_factory=lambda: {"number": "number", "answer": "answer"})
    words: dict[str, str] = Field(default_factory=dict)
    kinds: tuple[Kind, ...] = ("line_status",)
    located_in: str = "ZZ"
    """Region where the service stands, for numbers that may not leave their country. ZZ: not known, so counted as outside."""


class RoundTrip:
    """A `JobService` whose jobs are files."""

    def __init__(self, facts: ServiceFacts, folder: Path, options: RoundTripOptions) -> None:
        self._facts, self._folder, self._options = facts, folder, options
        self._table = word_table(NAME)

    @property
    def facts(self) -> ServiceFacts:
        return self._facts

    async def close(self) -> None:
        """Nothing is held open."""

    async def ask(self, offer: Offer, questions: Sequence[Question]) -> AsyncIterator[Answer]:
        """A file cannot be waited for: the desk uses `submit` and `collect`."""
        job_id = await self.submit(questions)
        async for answer in self.collect(offer, job_id, questions):
            yield answer

    async def submit(self, questions: Sequence[Question]) -> str:
        """Write the batch; the job is the file's name without its ending."""
        job_id = f"batch-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        (self._folder / "answers").mkdir(exist_ok=True, mode=0o700)
        path = self._folder / f"{job_id}.{self._options.format}"
        partial = path.with_name(path.name + ".part")
        header = [self._options.columns["number"], "question"]
        rows = [[question.subject, question.kind] for question in questions]
        if self._options.format == "csv":
            with partial.open("w", encoding=self._options.encoding, newline="") as file:
                csv.writer(file).writerows([header, *rows])
        else:
            _write_excel(partial, header, rows)
        partial.chmod(0o600)
        partial.replace(path)
        return job_id

    async def collect(self, offer: Offer, job_id: str, questions: Sequence[Question]) -> AsyncIterator[Answer]:
        """Read the answer file. Raises ServiceUnavailable as long as there is none, FileUnreadable when it is wrong."""
        found = sorted((self._folder / "answers").glob(f"{job_id}.*"))
        if not found:
            raise ServiceUnavailable(
                f"The answer to {job_id} is not there yet. Lay it into roundtrip/answers/ as {job_id}.csv or {job_id}.xlsx."
            )
        for answer in self.read(found[0], offer, job_id, questions):
            yield answer

    def read(self, path: Path, offer: Offer, job_id: str, questions: Sequence[Question]) -> list[Answer]:
        """One answer for each question from an answer file, wherever it lies. Raises FileUnreadable; see `read_answers`."""
        told = read_answers(path, questions, self._options)
        answers = []
        for question in questions:
            row = told.get(question.subject)
            if row is None:
                answers.append(
                    error_answer(
                        self._table,
                        question,
                        offer,
                        "RecordRefused",
                        "the answer file lacks this number",
                        cost=offer.price,
                    )
                )
                continue
            reading = Reading(self._table)
            word = row["answer"]
            reading.take("answer", self._options.words.get(word, word))
            answers.append(
                reading.answer(
                    question,
                    offer,
                    body=orjson.dumps(row),
                    latency_ms=0,
                    carrier=row.get("carrier"),
                    external_id=job_id,
                )
            )
        return answers

    def path_of(self, job_id: str) -> Path:
        """Where a batch lies that was handed out."""
        return self._folder / f"{job_id}.{self._options.format}"


def read_answers(path: Path, questions: Sequence[Question], options: RoundTripOptions) -> dict[str, dict[str, str]]:
    """The rows of an answer file by number: `answer`, and `carrier` where the file has it.

    Raises FileUnreadable, naming the rows, for another encoding, missing columns, numbers that were not asked, numbers Excel has shortened,
    empty answers, and two different answers for one number. Nothing is taken from a file that is refused.
    """
    lines = _lines(path, options)
    header = next(lines, (0, []))[1]
    places = {name.strip().casefold(): at for at, name in enumerate(header)}
    missing = [column for column in options.columns.values() if column.strip().casefold() not in places]
    if missing:
        raise FileUnreadable(
            f"The answer file {path.name} lacks the column {', '.join(missing)}; it has {', '.join(header) or 'none'}. "
            "Name its columns under [lookups.roundtrip.columns]."
        )
    at = {field: places[column.strip().casefold()] for field, column in options.columns.items()}
    asked = {_key(question.subject): question.subject for question in questions}
    told: dict[str, dict[str, str]] = {}
    wrong: dict[str, list[int]] = {}
    for number, cells in lines:
        if not any(cells):
            continue
        row = {field: cells[place].strip() if place < len(cells) else "" for field, place in at.items()}
        subject = asked.get(_key(row["number"]))
        if _SCIENTIFIC.fullmatch(row["number"]):
            wrong.setdefault("hold a number that a spreadsheet has shortened", []).append(number)
        elif subject is None:
            wrong.setdefault("hold a number that was not asked", []).append(number)
        elif not row["answer"]:
            wrong.setdefault("hold no answer", []).append(number)
        elif told.get(subject, row)["answer"] != row["answer"]:
            wrong.setdefault("answer the same number in two ways", []).append(number)
        else:
            told[subject] = row
    if wrong:
        said = "; ".join(f"{_rows(rows)} {what}" for what, rows in wrong.items())
        raise FileUnreadable(f"The answer file {path.name} is refused whole: {said}. Correct it and lay it in again.")
    return told


def _key(number: str) -> str:
    return number.casefold() if "@" in number else re.sub(r"\D", "", number)


def _rows(rows: Sequence[int]) -> str:
    shown = ", ".join(str(row) for row in rows[:_ROWS_NAMED])
    more = f" and {len(rows) - _ROWS_NAMED} more" if len(rows) > _ROWS_NAMED else ""
    return f"{'row' if len(rows) == 1 else 'rows'} {shown}{more}"


def _lines(path: Path, options: RoundTripOptions) -> Iterator[tuple[int, list[str]]]:
    """Numbered rows as text, from 1 as a spreadsheet counts them."""
    if path.suffix.casefold() == ".xlsx":
        yield from enumerate(_excel_rows(path), start=1)
        return
    try:
        text = path.read_bytes().decode(options.encoding)
    except UnicodeDecodeError as exc:
        before = exc.object[: exc.start].count(b"\n") + 1
        raise FileUnreadable(
            f"The answer file {path.name} is not in {options.encoding} (row {before}). Save it as UTF-8, or set encoding under [lookups.roundtrip]."
        ) from exc
    except LookupError as exc:
        raise SettingsError(f"lookups.roundtrip.encoding: there is no encoding {options.encoding!r}.") from exc
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    yield from enumerate(csv.reader(text.splitlines(), delimiter=delimiter), start=1)


def _excel_rows(path: Path) -> Iterator[list[str]]:
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (InvalidFileException, zipfile.BadZipFile, KeyError, OSError) as exc:
        raise FileUnreadable(f"The answer file {path.name} is not an Excel file. Save it as .xlsx or as CSV.") from exc
    try:
        for row in book.worksheets[0].iter_rows(values_only=True):
            yield [_cell(value) for value in row]
    finally:
        book.close()


def _cell(value: object) -> str:
    """A number keeps its digits: Excel hands them over as an integer or a float."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value)


def _write_excel(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("questions")
    for row in (header, *rows):
        sheet.append(list(row))
    book.save(path)


def read_kinds(settings: ServiceSettings) -> tuple[Kind, ...]:
    """What the service behind the files can be asked."""
    return read_options(NAME, settings, RoundTripOptions).kinds


def open_service(settings: ServiceSettings, around: Surroundings) -> RoundTrip:
    """The round trip as the settings want it."""
    options = read_options(NAME, settings, RoundTripOptions)
    lacking: Mapping[str, None] = dict.fromkeys(field for field in ("number", "answer") if field not in options.columns)
    if lacking:
        raise SettingsError(
            f"ringtrue.toml: lookups.{NAME}.columns must name the column of {' and of '.join(lacking)}."
        )
    product = Product("file", options.kinds, batch_size=50_000, job=True)
    facts = ServiceFacts(
        name=NAME,
        offers=make_offers(NAME, settings, [product], ("file",)),
        limits=make_limits(settings, 1, 1),
        located_in=options.located_in,
    )
    return RoundTrip(facts, around.folder / NAME, options)
