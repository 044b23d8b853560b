"""The file round trip: a batch out, an answer file in, refused whole when it is wrong."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from connectors.lookups.desk import Desk
from connectors.lookups.protocol import Question
from connectors.lookups.report import DeskReport
from connectors.lookups.roundtrip import RoundTripOptions, read_answers
from connectors.lookups.spend import MemoryBook
from ringtrue.errors import FileUnreadable
from tests.lookups.conftest import StandIns

NUMBERS = ("+442079460101", "+442079460102", "+442079460103")
COLUMNS = {"number": "Telefon", "answer": "Ergebnis"}


def questions(numbers: Iterable[str] = NUMBERS) -> list[Question]:
    return [Question(number, "line_status", region="GB") for number in numbers]


def run(lookups: StandIns, book: MemoryBook, **options: Any) -> DeskReport:
    settings = lookups.settings(roundtrip=options)

    async def work() -> DeskReport:
        desk = Desk(lookups.open(settings), book, settings)
        report = await desk.run(questions(), lambda _, answers: not answers)
        await desk.close()
        return report

    return asyncio.run(work())


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_there_and_back(lookups: StandIns, ending: str) -> None:
    options = {
        "format": ending,
        "columns": COLUMNS,
        "words": {"tot": "dead", "lebt": "alive"},
        "prices": {"file": "0.02"},
    }
    book = MemoryBook(run="first")
    first = run(lookups, book, **options)
    assert first.services["roundtrip"].still_open == 3
    (path,) = (lookups.folder / "roundtrip").glob(f"batch-*.{ending}")
    rows = _rows(path)
    assert [row[0] for row in rows] == ["Telefon", *NUMBERS]
    answers = [("Telefon", "Ergebnis"), (NUMBERS[0], "tot"), ("44 2079 460102", "lebt"), (NUMBERS[2], "vielleicht")]
    _write(path.parent / "answers" / path.name, answers)
    second = run(lookups, book.for_run("second"), **options)
    told = second.services["roundtrip"]
    assert (told.fetched, told.answered, told.abstained) == (3, 2, 1)
    assert str(told.cost) == "0.06"
    assert told.unknown_words == {("answer", "vielleicht"): 1}
    kept = {entry.intent.question.subject: entry.answer for entry in book.entries.values()}
    assert [kept[number].line_state for number in NUMBERS if kept[number]] == ["dead", "alive", "unknown"]  # type: ignore[union-attr]


def test_a_wrong_answer_file_leaves_the_job_open(lookups: StandIns) -> None:
    book = MemoryBook(run="first")
    run(lookups, book)
    (path,) = (lookups.folder / "roundtrip").glob("batch-*.csv")
    _write(path.parent / "answers" / path.name, [("phone", "answer"), (NUMBERS[0], "dead")])
    report = run(lookups, book.for_run("second"))
    assert "lacks the column number" in str(report.services["roundtrip"].left_out)
    _write(path.parent / "answers" / path.name, [("number", "answer"), *((number, "dead") for number in NUMBERS)])
    report = run(lookups, book.for_run("third"))
    assert report.services["roundtrip"].answered == 3


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (
            [("+442079460101", "dead"), ("+442079469999", "dead"), ("+442079468888", "dead")],
            "rows 3, 4 hold a number that was not asked",
        ),
        ([("4.42079E+11", "dead")], "row 2 hold a number that a spreadsheet has shortened"),
        ([("+442079460101", "")], "row 2 hold no answer"),
        ([("+442079460101", "dead"), ("+442079460101", "alive")], "row 3 answer the same number in two ways"),
    ],
)
def test_refused_whole_with_the_rows_named(tmp_path: Path, rows: list[tuple[str, str]], said: str) -> None:
    path = tmp_path / "answer.csv"
    _write(path, [("number", "answer"), *rows])
    with pytest.raises(FileUnreadable) as caught:
        read_answers(path, questions(), RoundTripOptions())
    assert said in str(caught.value)
    assert "refused whole" in str(caught.value)
    assert "4420794" not in str(caught.value)


def test_many_wrong_rows_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "answer.csv"
    _write(path, [("number", "answer"), *((f"+4420794{at:05d}", "dead") for at in range(50))])
    with pytest.raises(FileUnreadable, match="and 30 more"):
        read_answers(path, questions(), RoundTripOptions())


def test_another_encoding_is_named_with_its_row(tmp_path: Path) -> None:
    path = tmp_path / "answer.csv"
    path.write_bytes("number,answer,name\n+442079460101,dead,Müller\n".encode("latin-1"))
    with pytest.raises(FileUnreadable, match=r"not in utf-8-sig \(row 2\)"):
        read_answers(path, questions(), RoundTripOptions())
    told = read_answers(path, questions(), RoundTripOptions(encoding="latin-1"))
    assert told == {"+442079460101": {"number": "+442079460101", "answer": "dead"}}


def test_semicolons_and_numbers_that_excel_made_of_them(tmp_path: Path) -> None:
    path = tmp_path / "answer.csv"
    path.write_text("number;answer\n442079460101;dead\n", encoding="utf-8")
    assert set(read_answers(path, questions(), RoundTripOptions())) == {NUMBERS[0]}
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    sheet.append(["number", "answer"])
    sheet.append([442079460101, "dead"])
    book.save(tmp_path / "answer.xlsx")
    assert set(read_answers(tmp_path / "answer.xlsx", questions(), RoundTripOptions())) == {NUMBERS[0]}


def test_a_file_that_is_no_excel_file(tmp_path: Path) -> None:
    path = tmp_path / "answer.xlsx"
    path.write_text("number,answer\n")
    with pytest.raises(FileUnreadable, match="not an Excel file"):
        read_answers(path, questions(), RoundTripOptions())


def _rows(path: Path) -> list[list[str]]:
    if path.suffix == ".csv":
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.reader(file))
    return [
        [str(cell) for cell in row] for row in openpyxl.load_workbook(path).worksheets[0].iter_rows(values_only=True)
    ]


def _write(path: Path, rows: list[tuple[str, str]]) -> None:
    if path.suffix == ".csv":
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(rows)
        return
    book = openpyxl.Workbook()
    for row in rows:
        book.worksheets[0].append(list(row))
    book.save(path)
