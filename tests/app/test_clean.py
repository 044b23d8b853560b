"""`ringtrue clean`: columns found, originals untouched, nothing dropped, nothing a spreadsheet would run, one sentence for what cannot be read."""

from __future__ import annotations

import csv
import sys
import zipfile
from datetime import date
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import openpyxl
import orjson
import phonenumbers
import pytest

from app.cli import main
from tests.connectors.test_sheet_xml import BODIES, packed

HEAD = "Name,Phone,Country,Note\r\n"


def run(*arguments: str | Path) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["ringtrue", "clean", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
    return int(ended.value.code or 0)


def cleaned(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> dict[str, Any]:
    code = run(*arguments, "--json")
    said = capsys.readouterr()
    assert code == 0, said.err
    found: dict[str, Any] = orjson.loads(said.out)
    return found


def refusal(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    assert run(*arguments) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    return lines[0].removeprefix("Error: ")


def table(path: Path, **options: Any) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file, **options))


def test_originals_stay_and_the_answers_stand_behind_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "list.csv"
    lines = [
        '"Ann ""A"" Ray",07400 123456,GB,"two\r\nlines"\r\n',
        "Bob,+1 506-234-5678 / +1 506-234-5679,United States, spaced \r\n",
        "Cy,,FR,\r\n",
        "Di,12,DE,x\r\n",
        "Ed,+33 6 12 34 56 78 poste 12,FR,last line without an end",
    ]
    file.write_text(HEAD + "".join(lines), encoding="utf-8", newline="")
    told = cleaned(capsys, file)
    written = (tmp_path / "list.cleaned.csv").read_bytes().decode()
    for line in lines:
        assert line.rstrip("\r\n") + "," in written
    rows = table(tmp_path / "list.cleaned.csv")
    assert [row["Phone E.164"] for row in rows] == [
        "+447400123456", "+15062345678; +15062345679", "", "", "+33612345678",
    ]  # fmt: skip
    assert [row["Phone status"] for row in rows] == ["valid", "valid", "empty", "invalid", "valid"]
    assert rows[0]["Phone type"] == "mobile"
    assert rows[4]["Phone extension"] == "12"
    assert rows[3]["Phone reason"]
    assert told["rows"] == 5
    assert told["columns"][0]["statuses"] == {"valid": 3, "empty": 1, "invalid": 1}
    page = (tmp_path / "list.report.html").read_text(encoding="utf-8")
    assert "506" not in page
    assert "123456" not in page
    assert "not checked" in page
    assert file.read_text(encoding="utf-8").startswith("Name,Phone")


@pytest.mark.parametrize(
    ("encoding", "head", "row"),
    [
        ("utf-8-sig", "Name;Telefon;Land", "Jürgen Groß;0171 2345678;Deutschland"),
        ("cp1252", "Name;Telefon;Land", "Jürgen Groß aus Köln;0171 2345678;Deutschland"),
        ("utf-16", "Name\tTelefon\tLand", "Jürgen\t0171 2345678\tDeutschland"),
    ],
)
def test_encoding_and_separator_are_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], encoding: str, head: str, row: str
) -> None:
    file = tmp_path / "liste.csv"
    file.write_text(f"{head}\n{row}\n{row.replace('78', '79')}\n", encoding=encoding)
    told = cleaned(capsys, file)
    mark = told["delimiter"]
    assert table(tmp_path / "liste.cleaned.csv", delimiter=mark)[1]["Telefon E.164"] == "+491712345679"
    assert "Jürgen" in (tmp_path / "liste.cleaned.csv").read_text(encoding="utf-8")


def test_a_chinese_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "名单.csv"
    names = ("王小明", "李雷", "韩梅梅", "欧阳娜娜")
    rows = "".join(f"{name},131 2345 678{at},中国,上海市浦东新区\n" for at, name in enumerate(names))
    file.write_text("姓名,手机号,国家,地址\n" + rows, encoding="gb18030")
    assert cleaned(capsys, file)["encoding"] == "gb18030"
    found = table(tmp_path / "名单.cleaned.csv")
    assert found[0]["手机号 E.164"] == "+8613123456780"
    assert found[3]["姓名"] == "欧阳娜娜"


def test_numbers_tell_a_column_and_a_country_that_nobody_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "list.csv"
    examples = [phonenumbers.example_number_for_type("DE", kind) for kind in (0, 1, 3, 4, 6, 7)]
    phones = [phonenumbers.format_number(one, 2) for one in examples if one]
    lines = [f"P{at},0171 2345{at},{phones[at % len(phones)]},{at}" for at in range(231, 260)]
    file.write_text("who,reach,Phone,desk\n" + "\n".join(lines), encoding="utf-8")
    told = cleaned(capsys, file)
    assert told["region"].startswith("DE")
    assert [one["name"] for one in told["columns"]] == ["reach", "Phone"]


def test_what_a_spreadsheet_would_run_is_made_safe_and_numbers_are_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "list.csv"
    rows = ['=HYPERLINK("x"),+44 7400 123456,GB,-1', '"@SUM(1)",(07400) 123457,GB,"-2+3+cmd|\' /C calc\'!A0"']
    file.write_text(HEAD + "\r\n".join(rows).replace('=HYPERLINK("x")', '"=HYPERLINK(""x"")"'), newline="")
    told = cleaned(capsys, file)
    first, second = table(tmp_path / "list.cleaned.csv")
    assert told["made_safe"] == 3
    assert (first["Name"], first["Phone"], first["Note"]) == ('\'=HYPERLINK("x")', "+44 7400 123456", "-1")
    assert (second["Name"], second["Note"][:2]) == ("'@SUM(1)", "'-")
    assert second["Phone E.164"] == "+447400123457"


def test_rows_that_do_not_fit_are_kept_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "list.csv"
    file.write_text(HEAD + "A,07400 123456,GB,\nB,07400 123457,GB,one,two\nC,07400 123458,GB,\n", encoding="utf-8")
    told = cleaned(capsys, file)
    assert (told["rows"], told["odd"]) == (2, 1)
    kept = Path(told["odd_file"])
    assert "B,07400 123457,GB,one,two" in kept.read_text(encoding="utf-8")
    assert kept.stat().st_mode & 0o777 == 0o600
    assert "line 3" in (tmp_path / "list.report.html").read_text(encoding="utf-8")


def test_nothing_is_lost_for_separators_at_the_end_blank_rows_or_a_title(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "list.csv"
    lines = [
        "Name,Phone,",
        "Ann,415-555-2671,",
        'Bob,415-555-2672,""',
        "Cy,415-555-2673, ,,",
        ",,",
        "",
        "Di,415-555-2674,,x",
    ]
    file.write_text("Leads of May\r\n" + "\r\n".join(lines) + "\r\n", newline="")
    told = cleaned(capsys, file, "--region", "US")
    assert (told["rows"], told["blank"], told["odd"]) == (3, 2, 2)
    copied = table(tmp_path / "list.cleaned.csv")
    assert [row["Name"] for row in copied] == ["Ann", "Bob", "Cy"]
    assert [row["Phone E.164"][:8] for row in copied] == ["+1415555"] * 3
    assert all(None not in row for row in copied)
    left = Path(told["odd_file"]).read_text(encoding="utf-8")
    assert "line 1: It stands above the header.\nLeads of May" in left
    assert "Di,415-555-2674,,x" in left
    assert "2 blank rows were left out" in (tmp_path / "list.report.html").read_text(encoding="utf-8")


def test_number_formats_of_a_workbook_stay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["Our leads"])
    sheet.append(["Name", "Mobile", "ZIP", "Share", "Day"])
    for place in range(3):
        sheet.append([f"P{place}", f"07400 12345{place}", 2134, 0.25, date(2026, 5, 3)])
        for cell, shown in zip(sheet[3 + place][2:4], ("00000", "0%"), strict=True):
            cell.number_format = shown
    book.save(tmp_path / "list.xlsx")
    told = cleaned(capsys, tmp_path / "list.xlsx", "--region", "GB")
    found = openpyxl.load_workbook(tmp_path / "list.cleaned.xlsx").active
    assert found is not None
    formats = [cell.number_format for cell in found[2][:5]]
    assert formats[:4] == ["General", "General", "00000", "0%"]
    assert "yy" in formats[4]
    assert "Our leads" in Path(told["odd_file"]).read_text(encoding="utf-8")


@pytest.mark.filterwarnings("ignore:Cell .* is marked as a date", "ignore:Unknown extension")
@pytest.mark.parametrize("date1904", [False, True])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_workbook_keeps_its_cells_however_it_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], body: str, date1904: bool
) -> None:
    """Values and formats stay, formulas are the values they had, blank rows are left out, and no part is left that refers to what is gone."""
    more = (
        '<row r="20"><c r="B20" t="inlineStr"><is><t>07400 123456</t></is></c><c r="C20" s="1"><v>46145</v></c></row>'
    )
    path = packed(tmp_path / "list.xlsx", body + more, date1904=date1904)
    cleaned(capsys, path, "--region", "GB", "--column", "Phone", "--report", tmp_path / "r.md")
    copy = tmp_path / "list.cleaned.xlsx"
    with zipfile.ZipFile(copy) as parts:
        assert parts.testzip() is None
        for name in parts.namelist():
            ElementTree.fromstring(parts.read(name))
    before, after = (openpyxl.load_workbook(one, data_only=True).worksheets[0] for one in (path, copy))
    rows = [row[:3] for row in before.iter_rows(min_row=2) if any(cell.value not in (None, "") for cell in row)]
    kept = list(after.iter_rows(min_row=2))
    for row, found in zip(rows, kept, strict=True):
        assert [(one.value or None, one.number_format) for one in row if one.value] == [
            (one.value or None, one.number_format) for one in found[:3] if one.value
        ]
        assert all(cell.data_type != "f" for cell in found)
    assert [cell.value for cell in after[1]][:5] == ["Name", "Phone", "Third", "Phone E.164", "Phone status"]
    assert [cell.value for cell in kept[-1]][3:5] == ["+447400123456", "valid"]


def test_a_workbook_comes_back_as_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["Name", "Mobile", "Country", "Worth"])
    sheet.append(["Ann", 447400123456, "GB", 12.5])
    sheet.append(["Bob", "07400 123457", "GB", None])
    sheet.append(["Cy", "'=1+1", "GB", 3])
    book.save(tmp_path / "list.xlsx")
    cleaned(capsys, tmp_path / "list.xlsx", "--report", tmp_path / "r.md")
    found = openpyxl.load_workbook(tmp_path / "list.cleaned.xlsx").active
    assert found is not None
    rows = list(found.values)
    assert rows[0][4:6] == ("Mobile E.164", "Mobile status")
    assert rows[1][:5] == ("Ann", 447400123456, "GB", 12.5, "+447400123456")
    assert rows[2][4:6] == ("+447400123457", "valid")
    assert all(cell.data_type != "f" for row in found.iter_rows() for cell in row)
    assert (tmp_path / "r.md").read_text(encoding="utf-8").startswith("# list.xlsx: 3 rows")


def test_what_cannot_be_read_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def made(name: str, content: bytes) -> Path:
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    assert "no file" in refusal(capsys, tmp_path / "none.csv")
    assert "empty" in refusal(capsys, made("empty.csv", b""))
    assert "--column" in refusal(capsys, made("names.csv", b"Name,Town\nAnn,Bath\nBob,York\n"))
    assert "no column 'Fon'" in refusal(capsys, made("a.csv", b"Name,Phone\nAnn,07400 123456\n"), "--column", "Fon")
    assert "two-letter" in refusal(capsys, tmp_path / "a.csv", "--region", "Britain")
    assert "none of the encodings" in refusal(capsys, made("b.csv", b"Name,Phone\n\x81\x8d\x8f,1\n" * 9))
    assert "never closes" in refusal(capsys, made("c.csv", b'Name,Phone\nAnn,"07400 123456\n' + b"B,1\n" * 9))
    assert "characters" in refusal(capsys, made("d.csv", b"Name,Phone\nAnn," + b"7" * 10_000_000 + b"\nBob,1\n"))
    book = openpyxl.Workbook()
    for row in range(3_000):
        book.active.append([f"Ann {row}", "07400 123456"])  # type: ignore[union-attr]
    book.save(tmp_path / "whole.xlsx")
    short = (tmp_path / "whole.xlsx").read_bytes()[:20_000]
    assert "xlsx" in refusal(capsys, made("short.xlsx", short))
    assert "password protects it" in refusal(capsys, made("locked.xlsx", b"\xd0\xcf\x11\xe0" * 99))
    assert "save it as .xlsx" in refusal(capsys, made("old.xls", b"\xd0\xcf\x11\xe0" * 99))
    copy = tmp_path / "a.cleaned.csv"
    copy.write_text("mine")
    assert "--force" in refusal(capsys, tmp_path / "a.csv")
    assert copy.read_text() == "mine"
    assert "stays as it is" in refusal(capsys, tmp_path / "a.csv", "--out", tmp_path / "a.csv", "--force")


def test_do_not_call_is_marked_where_asked_and_never_guessed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "list.csv"
    file.write_text("Name,Phone\nAnn,+447400123456\nBob,+15062345678\nCy,+33612345678\n", encoding="utf-8")
    settings = tmp_path / "ringtrue.toml"
    settings.write_text(f'[ledger]\nurl = "sqlite:///{tmp_path}/ledger.db"\n')
    monkeypatch.setenv("RINGTRUE_SETTINGS", str(settings))
    assert "no ledger" in refusal(capsys, file, "--suppressed")
    assert not list(tmp_path.glob("*cleaned*"))
    monkeypatch.setattr(
        sys, "argv", ["ringtrue", "suppress", "add", "+33612345678", "--by", "Ann", "--evidence", "asked"]
    )
    with pytest.raises(SystemExit):
        main()
    capsys.readouterr()
    told = cleaned(capsys, file, "--suppressed")
    rows = table(tmp_path / "list.cleaned.csv")
    assert [row["Phone do not call"].partition(":")[0] for row in rows] == ["not checked", "not checked", "yes"]
    assert told["do_not_call"].startswith("1 fields must not be called, 2 could not be checked")
