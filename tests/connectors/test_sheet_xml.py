"""Worksheets read by pattern give what openpyxl gives, however they are written."""

from __future__ import annotations

import itertools
import re
import zipfile
from datetime import date, datetime, time, timedelta
from pathlib import Path

import openpyxl
import pytest

from connectors.table_files import TableFile, TableRow
from connectors.workbooks import WorkbookSheet, cell_text
from ringtrue.errors import FileUnreadable

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
STRICT = "http://purl.oclc.org/ooxml/spreadsheetml/main"
HEADER = '<row r="1"><c r="A1" t="inlineStr"><is><t>Name</t></is></c><c r="B1" t="inlineStr"><is><t>Phone</t></is></c><c r="C1" t="inlineStr"><is><t>Third</t></is></c></row>'
SHARED = (
    '<si><t>+44 7400 123456</t></si><si><t xml:space="preserve"> spaced </t></si><si/><si><t/></si>'
    '<si><r><t>07400</t></r><r><rPr><b/></rPr><t xml:space="preserve"> 123457</t></r></si>'
    '<si><t>東京</t><rPh sb="0" eb="2"><t>トウキョウ</t></rPh></si><si><t>A &amp; B &lt;c&gt; &#65;&#x42;</t></si>'
)
BODIES = {
    "shared texts": "".join(
        f'<row r="{at + 2}"><c r="A{at + 2}" t="s"><v>{at}</v></c><c r="B{at + 2}"><v>1</v></c></row>'
        for at in range(7)
    ),
    "numbers": '<row r="2"><c r="A2"><v>2125550123</v></c><c r="B2"><v>4.93316E+12</v></c><c r="C2" t="n"><v>12.5</v></c></row>',
    "kinds": '<row r="2"><c r="A2" t="b"><v>1</v></c><c r="B2" t="e"><v>#N/A</v></c><c r="C2" t="d"><v>2026-05-03T00:00:00</v></c></row>',
    "dates": '<row r="2"><c r="A2" s="1"><v>46145</v></c><c r="B2" s="1"><v>0.5</v></c><c r="C2" s="1"><v>99999999</v></c></row>',
    "formulas": '<row r="2"><c r="A2"><f>SUM(B2:C2)</f><v>3</v></c><c r="B2" t="str"><f t="shared" si="0"/><v>07400 123456</v></c><c r="C2"><f>X</f></c></row>',
    "gaps": '<row r="3"><c r="B3" t="inlineStr"><is><t>07400 123456</t></is></c></row><row r="7" spans="1:3"/><row r="9"><c r="A9"/><c r="C9"><v>1</v></c></row>',
    "no references": '<row><c t="inlineStr"><is><t>Ann</t></is></c><c t="inlineStr"><is><t>07400 123456</t></is></c></row><row><c/><c><v>7</v></c></row>',
    "remarks": '<row r="2"><!-- a <c r="A9"> --><c r="A2" t="inlineStr"><is><t><![CDATA[A & B]]></t></is></c><c r="B2"><v>5</v></c></row>',
    "order of attributes": '<row ht="15" r="2"><c t="inlineStr" r="A2"><is><t>Ann</t></is></c><c s="0" r="B2"><v>7</v></c></row>',
    "runs": '<row r="2"><c r="A2" t="inlineStr"><is><r><t>An</t></r><r><t>n</t></r></is></c><c r="B2"><v>7</v></c></row>',
    "extensions": '<row r="2" xmlns:x14ac="u" x14ac:dyDescent="0.25"><c r="A2"><v>1</v><extLst><ext uri="u" xmlns:x="u"><x:thing/></ext></extLst></c><c r="B2"><v>7</v></c></row>',
    "line ends": '<row r="2"><c r="A2" t="inlineStr"><is><t>one\r\ntwo\rthree&#10;four</t></is></c>\r\n  <c r="B2">\n<v>7</v></c></row>',
    "metadata": '<row r="2"><c r="A2" cm="1"><v>1</v></c><c r="B2" ph="1" s="1"><v>46145</v></c></row>',
    "far to the right": '<row r="2"><c r="A2"><v>1</v></c><c r="B2"><v>7</v></c><c r="XFD2" s="1"/></row>',
    "nothing": "",
}


def packed(path: Path, body: str, *, namespace: str = MAIN, prefix: str = "", date1904: bool = False) -> Path:
    """A workbook of one sheet with these rows below a header."""
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active["A1"] = date(2026, 5, 3)
    book.active["A2"] = "text"
    book.save(path)
    with zipfile.ZipFile(path) as whole:
        parts = {name: whole.read(name).decode() for name in whole.namelist()}
    sheet = f'<worksheet xmlns="{namespace}"><sheetData>{HEADER}{body}</sheetData></worksheet>'
    if prefix:
        sheet = (
            sheet.replace("</", f"</{prefix}:")
            .replace("<", f"<{prefix}:")
            .replace(f"<{prefix}:/{prefix}:", f"</{prefix}:")
        )
        sheet = sheet.replace("xmlns=", f"xmlns:{prefix}=")
    parts["xl/worksheets/sheet1.xml"] = sheet
    parts["xl/sharedStrings.xml"] = f'<sst xmlns="{MAIN}" count="7" uniqueCount="7">{SHARED}</sst>'
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    parts["[Content_Types].xml"] = parts["[Content_Types].xml"].replace(
        "</Types>", f'<Override PartName="/xl/sharedStrings.xml" ContentType="{kind}"/></Types>'
    )
    if date1904:
        parts["xl/workbook.xml"] = re.sub(r"<workbookPr\b", '<workbookPr date1904="1"', parts["xl/workbook.xml"])
    with zipfile.ZipFile(path, "w") as whole:
        for name, text in parts.items():
            whole.writestr(name, text)
    return path


def by_openpyxl(path: Path) -> list[tuple[int, list[str]]]:
    book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    sheet = book.worksheets[0]
    sheet.reset_dimensions()
    rows = [
        (line, [cell_text(value) for value in found]) for line, found in enumerate(sheet.iter_rows(values_only=True), 1)
    ]
    book.close()
    return [(line, cells) for line, cells in rows if any(cells)]


def by_us(path: Path) -> list[tuple[int, list[str]]]:
    with WorkbookSheet(path, None).rows() as rows:
        return [(line, cells) for line, cells, _ in rows if any(cells)]


def trimmed(rows: list[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    return [
        (line, list(reversed(list(itertools.dropwhile(lambda cell: not cell, reversed(cells))))))
        for line, cells in rows
    ]


@pytest.mark.filterwarnings("ignore:Cell .* is marked as a date", "ignore:Unknown extension")
@pytest.mark.parametrize("date1904", [False, True])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_every_way_to_write_a_sheet_reads_as_openpyxl_reads_it(tmp_path: Path, body: str, date1904: bool) -> None:
    path = packed(tmp_path / "list.xlsx", body, date1904=date1904)
    book = WorkbookSheet(path, None).book()
    assert book is not None, "read by pattern"
    book.archive.close()
    assert trimmed(by_us(path)) == trimmed(by_openpyxl(path))


def test_a_sheet_with_a_prefix_is_left_to_openpyxl(tmp_path: Path) -> None:
    path = packed(tmp_path / "list.xlsx", BODIES["numbers"], prefix="x")
    assert WorkbookSheet(path, None).book() is None
    assert by_us(path) == by_openpyxl(path)


def test_a_strict_workbook_says_what_to_save_it_as(tmp_path: Path) -> None:
    path = packed(tmp_path / "list.xlsx", BODIES["numbers"], namespace=STRICT)
    with pytest.raises(FileUnreadable, match="Strict Open XML"):
        TableFile(path)


def test_what_openpyxl_writes_reads_the_same(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.append(["Name", "Phone", "When", "How long", "At", "Worth", "Good"])
    for place in range(3_000):
        moment = datetime.combine(date(2026, 1, 1), time(9)) + timedelta(hours=place, minutes=7)
        book.active.append(
            [
                f'Ann & <{place}>\n"x"',
                f"07400 12{place:04}",
                moment,
                timedelta(minutes=place),
                time(place % 24, 3),
                place / 7,
                place % 2 == 0,
            ]
        )
    book.save(tmp_path / "list.xlsx")
    assert by_us(tmp_path / "list.xlsx") == by_openpyxl(tmp_path / "list.xlsx")
    rows = [row for row in TableFile(tmp_path / "list.xlsx").rows() if isinstance(row, TableRow)]
    assert len(rows) == 3_000


@pytest.mark.parametrize("cut", ["</sheetData></worksheet>", "</row></sheetData></worksheet>"])
def test_a_sheet_that_ends_too_early_is_refused(tmp_path: Path, cut: str) -> None:
    path = packed(tmp_path / "list.xlsx", BODIES["numbers"])
    with zipfile.ZipFile(path) as whole:
        parts = {name: whole.read(name).decode() for name in whole.namelist()}
    parts["xl/worksheets/sheet1.xml"] = parts["xl/worksheets/sheet1.xml"].removesuffix(cut)
    with zipfile.ZipFile(path, "w") as whole:
        for name, text in parts.items():
            whole.writestr(name, text)
    with pytest.raises(FileUnreadable, match="damaged or cut short"):
        TableFile(path)


def test_a_text_that_is_not_there_is_damage(tmp_path: Path) -> None:
    path = packed(tmp_path / "list.xlsx", '<row r="2"><c r="A2" t="s"><v>99</v></c></row>')
    with pytest.raises(FileUnreadable, match="damaged or cut short"):
        TableFile(path)


def test_a_row_beyond_the_last_is_damage(tmp_path: Path) -> None:
    path = packed(
        tmp_path / "list.xlsx",
        '<row r="2"><c r="A2"><v>1</v></c></row><row r="2000000000"><c r="A1"><v>1</v></c></row>',
    )
    with pytest.raises(FileUnreadable, match="damaged or cut short"):
        by_us(path)
