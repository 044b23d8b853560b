"""Cleaning a list: rows a second of `ringtrue clean` as a person starts it, and its memory. `python -m benchmarks.clean [ROWS] [xlsx]`."""

from __future__ import annotations

import csv
import os
import random
import resource
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from xml.sax.saxutils import escape

import openpyxl
import phonenumbers

ROOT = Path(__file__).resolve().parent.parent
REGIONS = ("US", "GB", "DE", "FR", "NZ", "IN", "BR", "CN")
DAMAGE = ("", "", "", "", "", "", "", " ext 12", " (home)", "9")


def write_list(path: Path, rows: int) -> None:
    """A made-up list: name, company, phone, mobile, country and two more columns; one field in ten is damaged, one in twelve empty."""
    chance = random.Random(7)
    examples = [
        (region, phonenumbers.format_number(number, form))
        for region in REGIONS
        for kind in (0, 1, 3)
        if (number := phonenumbers.example_number_for_type(region, kind))
        for form in (phonenumbers.PhoneNumberFormat.NATIONAL, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    ]
    with path.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(("Id", "Name", "Company", "Phone", "Mobile", "Country", "Lead Source"))
        for row in range(rows):
            region, written = chance.choice(examples)
            # The last two digits vary, so that few numbers are the same.
            phone = written[:-2] + f"{chance.randrange(100):02}" + chance.choice(DAMAGE)
            mobile = "" if row % 12 == 0 else chance.choice(examples)[1]
            out.writerow((f"00Q{row:09}", f"Person {row}", f"Company {row % 977}, Ltd", phone, mobile, region, "Web"))


def as_workbook(path: Path) -> Path:
    """The list as Excel saves it: every text once, in a part of its own."""
    book = path.with_suffix(".xlsx")
    places: dict[str, int] = {}
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    # Styles, types and relations are those of an empty workbook.
    empty = openpyxl.Workbook()
    empty.save(book)
    with zipfile.ZipFile(book) as parts:
        others = {name: parts.read(name) for name in parts.namelist() if "sheet1" not in name}
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    types = others["[Content_Types].xml"].decode()
    others["[Content_Types].xml"] = types.replace(
        "</Types>", f'<Override PartName="/xl/sharedStrings.xml" ContentType="{kind}"/></Types>'
    ).encode()
    with zipfile.ZipFile(book, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as parts:
        for name, content in others.items():
            parts.writestr(name, content)
        with (
            path.open(encoding="utf-8", newline="") as file,
            parts.open("xl/worksheets/sheet1.xml", "w", force_zip64=True) as sheet,
        ):
            sheet.write(f'<worksheet xmlns="{main}"><sheetData>'.encode())
            for line, row in enumerate(csv.reader(file), start=1):
                cells = (
                    f'<c r="{column}{line}" t="s"><v>{places.setdefault(text, len(places))}</v></c>'
                    for column, text in zip("ABCDEFG", row, strict=True)
                    if text
                )
                sheet.write(f'<row r="{line}" spans="1:7">{"".join(cells)}</row>'.encode())
            sheet.write(b"</sheetData></worksheet>")
        with parts.open("xl/sharedStrings.xml", "w", force_zip64=True) as strings:
            strings.write(f'<sst xmlns="{main}" count="{len(places)}" uniqueCount="{len(places)}">'.encode())
            for text in places:
                strings.write(f"<si><t>{escape(text)}</t></si>".encode())
            strings.write(b"</sst>")
    return book


def main() -> None:
    """Write the list (as a workbook where the second word says `xlsx`), clean it in a process of its own and print one line of the table."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with TemporaryDirectory() as folder:
        path = Path(folder) / "list.csv"
        write_list(path, rows)
        if "xlsx" in sys.argv[2:]:
            path = as_workbook(path)
        before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "app.cli", "clean", str(path), "--json"],
            cwd=ROOT,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        wall = time.perf_counter() - begun
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print(
            f"| {rows:,} | {path.suffix} | {path.stat().st_size >> 20} | {wall:.1f} | {cpu:.1f} | {rows / cpu:,.0f} | {after.ru_maxrss >> 10} | {os.getloadavg()[0]:.1f} |"
        )


if __name__ == "__main__":
    main()
