"""Contact lists as people save them."""

from __future__ import annotations

import csv
import stat
import tracemalloc
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import openpyxl
import pytest

from connectors.files import FileContacts, RejectedRow, TableFile, write_csv_safely
from connectors.safe_csv import safe_cell
from ringtrue.errors import FileUnreadable
from ringtrue.records import PulledRecord

HEADER = "Name;Telefon;Ort\n"


def save(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes(text.encode(encoding))
    return path


def read(contacts: FileContacts) -> tuple[list[PulledRecord], list[RejectedRow]]:
    pages = list(contacts.pull())
    return [record for page in pages for record in page.records], [row for page in pages for row in page.rejected]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_western_text_is_read_in_every_encoding_spreadsheets_save(tmp_path: Path, encoding: str) -> None:
    text = HEADER + "Jürgen Groß;030 23125 017;Köln\nAnaïs Lefèvre;01 99 00 12 34;Orléans\n"
    records, rejected = read(FileContacts(save(tmp_path / "list.csv", text, encoding)))
    assert [record.values["Name"] for record in records] == ["Jürgen Groß", "Anaïs Lefèvre"]
    assert records[0].values["Telefon"] == "030 23125 017"
    assert rejected == []


def test_chinese_text_is_read_as_gb18030(tmp_path: Path) -> None:
    text = "姓名,手机,城市,来源\n王小明,131 2345 6789,上海,展会\n李娜,010-12345678,北京,官网\n"
    contacts = FileContacts(save(tmp_path / "list.csv", text, "gb18030"))
    records, _ = read(contacts)
    assert contacts.table.encoding == "gb18030"
    assert contacts.fields.phones == ("手机",)
    assert contacts.fields.full_name == "姓名"
    assert contacts.fields.lead_source == ("来源",)
    assert records[1].values["姓名"] == "李娜"


def test_a_late_umlaut_decides_the_encoding(tmp_path: Path) -> None:
    rows = "".join(f"Person {number};030 23125 {number % 1000:03};Berlin\n" for number in range(30_000))
    contacts = FileContacts(save(tmp_path / "list.csv", HEADER + rows + "Zoë;030 23125 999;Köln\n", "cp1252"))
    records, _ = read(contacts)
    assert records[-1].values["Name"] == "Zoë"


@pytest.mark.parametrize("encoding", ["shift_jis", "koi8-r", "iso8859-7"])
def test_an_encoding_outside_the_five_is_refused_in_one_sentence(tmp_path: Path, encoding: str) -> None:
    words = {"shift_jis": "山田太郎さん", "koi8-r": "Иван Петров", "iso8859-7": "Γιώργος Παπαδόπουλος"}[encoding]
    with pytest.raises(FileUnreadable, match="Save it as CSV UTF-8"):
        FileContacts(save(tmp_path / "list.csv", "Name;Phone\n" + f"{words};030 23125 017\n" * 20, encoding))


def test_an_encoding_named_wrongly_in_the_settings_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "list.csv", HEADER + "Jürgen;030 23125 017;Köln\n", "cp1252")
    with pytest.raises(FileUnreadable, match=r"list\.csv is not utf-8"):
        FileContacts(path, encoding="utf-8")
    with pytest.raises(FileUnreadable, match="no encoding 'utf-ate'"):
        FileContacts(path, encoding="utf-ate")


def test_an_encoding_that_breaks_late_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(b"name,phone\n" + b"Ann,+14155550123\n" * 2_000 + "Jürgen,+14155550124\n".encode("cp1252"))
    contacts = FileContacts(path, encoding="utf-8")
    with pytest.raises(FileUnreadable, match=r"list\.csv is not utf-8-sig throughout"):
        read(contacts)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_even_when_another_stands_in_the_values(tmp_path: Path, delimiter: str) -> None:
    header = delimiter.join(["name", "phone", "note"])
    rows = [delimiter.join(["Ann", "+14155550123", "calls back" if delimiter == "," else "nice, kind, busy"])] * 3
    contacts = FileContacts(save(tmp_path / "list.csv", "\n".join([header, *rows]) + "\n"))
    assert contacts.table.delimiter == delimiter
    assert contacts.table.columns == ("name", "phone", "note")


def test_excels_separator_line_is_obeyed(tmp_path: Path) -> None:
    contacts = FileContacts(save(tmp_path / "list.csv", "sep=|\nname|phone\nAnn|+14155550123\n"))
    records, rejected = read(contacts)
    assert [record.values for record in records] == [{"name": "Ann", "phone": "+14155550123"}]
    assert rejected == []


def test_zeros_na_and_long_numbers_survive(tmp_path: Path) -> None:
    text = "id,name,mobile,country\n007,NA,0612345678,NA\n8,null,+4470000000000,GB\n"
    records, _ = read(FileContacts(save(tmp_path / "list.csv", text)))
    assert records[0].record_id == "007"
    assert records[0].values == {"id": "007", "name": "NA", "mobile": "0612345678", "country": "NA"}
    assert records[1].values["mobile"] == "+4470000000000"


def test_broken_rows_are_rejected_with_line_and_reason_and_everything_adds_up(tmp_path: Path) -> None:
    text = (
        "name,phone,city\n"
        "Ann,+14155550123,Reno\n"
        "Bob,+14155550124\n"
        "\n"
        '"Cleo\nof Alexandria",+14155550125,Alexandria\n'
        "Dora,+14155550126,Troy,extra\n"
        "Eve,+14155550127,Eden,,\n"
        '"Finn" the fox,+14155550128,Fargo\n'
        "Ann,+14155550123,Reno\n"
        "Gus,+14155550129,Gary\n"
    )
    records, rejected = read(FileContacts(save(tmp_path / "list.csv", text)))
    assert [record.values["name"] for record in records] == ["Ann", "Cleo\nof Alexandria", "Eve", "Gus"]
    assert rejected == [
        RejectedRow(3, "It has 2 columns where the header has 3."),
        RejectedRow(7, "It has 4 columns where the header has 3."),
        RejectedRow(9, "A quotation mark stands in the middle of a value."),
        RejectedRow(10, "A row above it has the same id or the same content."),
    ]


def test_a_quotation_mark_that_never_closes_is_named_by_line(tmp_path: Path) -> None:
    text = "name,phone\nAnn,+14155550123\n" + '"Bob,+14155550124\n' + "Cleo,+14155550125\n" * 2_000
    with pytest.raises(FileUnreadable, match=r"opens in line 3 of list\.csv never closes"):
        read(FileContacts(save(tmp_path / "list.csv", text)))


def test_a_file_whose_rows_do_not_fit_its_header_is_refused(tmp_path: Path) -> None:
    text = "name,phone\n" + "Ann,+14155550123,Reno,NV\n" * 20
    with pytest.raises(FileUnreadable, match="do not have the 2 columns"):
        FileContacts(save(tmp_path / "list.csv", text))


def test_no_phone_column_is_one_sentence_that_names_the_columns(tmp_path: Path) -> None:
    text = "id,name,birthday,amount\n1,Ann,1990-02-03,12345\n2,Bob,1991-03-04,67890\n"
    with pytest.raises(
        FileUnreadable, match=r"no column with phone numbers \(its columns: id, name, birthday, amount\)"
    ):
        FileContacts(save(tmp_path / "list.csv", text))


@pytest.mark.parametrize(
    ("header", "phones"),
    [
        (["Mobile Phone", "Phone Type", "Fax", "Work phone (ext)"], ("Mobile Phone",)),
        (["MobilePhone", "Phone_2", "phone_status", "x"], ("MobilePhone", "Phone_2")),
        (["Telefonnummer", "Handy", "Telefax", "Notiz"], ("Telefonnummer", "Handy")),
        (["Téléphone", "Portable", "Ville", "Pays"], ("Téléphone", "Portable")),
        (["Teléfono", "Móvil", "Ciudad", "País"], ("Teléfono", "Móvil")),
        (["Номер телефона", "Мобильный", "Город", "Страна"], ("Номер телефона", "Мобильный")),
        (["电话号码", "手机", "传真", "城市"], ("电话号码", "手机")),
        (["電話番号", "携帯", "都道府県", "備考"], ("電話番号", "携帯")),
        (["전화번호", "휴대폰", "도시", "메모"], ("전화번호", "휴대폰")),
        (["رقم الهاتف", "جوال", "المدينة", "البلد"], ("رقم الهاتف", "جوال")),
        (["मोबाइल", "फ़ोन", "शहर", "देश"], ("मोबाइल", "फ़ोन")),
        (["মোবাইল", "ফোন", "শহর", "দেশ"], ("মোবাইল", "ফোন")),
        (["Số điện thoại", "Di động", "x", "y"], ("Số điện thoại", "Di động")),
    ],
)
def test_phone_columns_are_found_in_many_languages(tmp_path: Path, header: list[str], phones: tuple[str, ...]) -> None:
    rows = [["+14155550123", "+14155550124", "mobile", "x"], ["+14155550125", "+14155550126", "work", "y"]]
    if header[1] == "Phone Type":
        rows = [["+14155550123", "mobile", "+14155550124", "+1 415 555 0125"]]
    path = tmp_path / "list.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    assert FileContacts(path).fields.phones == phones


def test_a_phone_column_without_a_telling_header_is_found_by_its_content(tmp_path: Path) -> None:
    text = "who,a,b,c\n" + "".join(
        f"Person {n},2024-01-{n % 28 + 1:02},(415) 555-{n:04},{10000 + n}\n" for n in range(100, 130)
    )
    assert FileContacts(save(tmp_path / "list.csv", text)).fields.phones == ("b",)


def test_an_e_mail_column_without_a_telling_header_is_found_by_its_content(tmp_path: Path) -> None:
    text = "who,where to,phone\nAnn,ann@example.com,+14155550123\nBob,bob@example.com,+14155550124\n"
    assert FileContacts(save(tmp_path / "list.csv", text)).fields.email == "where to"


def test_a_column_headed_phone_that_holds_none_is_no_phone_column(tmp_path: Path) -> None:
    text = "name,phone,tel\nAnn,yes,+14155550123\nBob,no,+14155550124\n"
    assert FileContacts(save(tmp_path / "list.csv", text)).fields.phones == ("tel",)


def test_a_list_without_a_header_is_read_from_its_first_row(tmp_path: Path) -> None:
    contacts = FileContacts(save(tmp_path / "list.csv", "Ann,+14155550123\nBob,+14155550124\n"))
    records, _ = read(contacts)
    assert contacts.fields.phones == ("column 2",)
    assert len(records) == 2


def test_one_number_a_line_is_a_list_too(tmp_path: Path) -> None:
    records, _ = read(FileContacts(save(tmp_path / "numbers.txt", "+14155550123\n+14155550124\n")))
    assert [record.values["column 1"] for record in records] == ["+14155550123", "+14155550124"]


def test_all_kinds_of_columns_are_found(tmp_path: Path) -> None:
    header = "Record ID,First Name,Last Name,Email,Phone,Country,State,City,Zip,Company,Owner,Lead Source,Do Not Call,Email Opt Out,LinkedIn URL"
    row = "9,Ann,Lee,ann@example.com,+14155550123,US,NV,Reno,89501,Acme,Sam,Spring fair,x,no,https://example.com/in/ann"
    contacts = FileContacts(save(tmp_path / "list.csv", f"{header}\n{row}\n"))
    found = contacts.fields
    assert contacts.record_id_column == "Record ID"
    assert (found.first_name, found.last_name, found.email) == ("First Name", "Last Name", "Email")
    assert (found.country, found.state, found.city, found.postal_code) == (("Country",), ("State",), "City", "Zip")
    assert (found.account, found.owner, found.lead_source) == ("Company", "Owner", ("Lead Source",))
    assert (found.do_not_call, found.email_opt_out, found.linkedin) == (
        ("Do Not Call",),
        ("Email Opt Out",),
        "LinkedIn URL",
    )
    records, _ = read(contacts)
    assert (records[0].values["Do Not Call"], records[0].values["Email Opt Out"]) == ("true", "false")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("yes", "true"),
        ("2024-05-01", "true"),
        ("please don't", "true"),
        ("是", "true"),
        ("Nein", "false"),
        ("0", "false"),
        ("否", "false"),
        ("", None),
    ],
)
def test_a_wish_not_to_be_called_is_never_lost_to_spelling(tmp_path: Path, written: str, meant: str | None) -> None:
    records, _ = read(FileContacts(save(tmp_path / "list.csv", f"name,phone,DNC\nAnn,+14155550123,{written}\n")))
    assert records[0].values["DNC"] == meant


def test_the_mapping_of_the_settings_overrides_what_is_found(tmp_path: Path) -> None:
    path = save(tmp_path / "list.csv", "who,phone,line two\nAnn,+14155550123,+14155550124\n")
    contacts = FileContacts(path, mapping={"phone": ["line two"], "full_name": "who"})
    assert contacts.fields.phones == ("line two",)
    assert contacts.fields.full_name == "who"
    with pytest.raises(FileUnreadable, match="no column 'line 3'"):
        FileContacts(path, mapping={"phone": "line 3"})
    with pytest.raises(FileUnreadable, match="to 'telephone': use one of"):
        FileContacts(path, mapping={"telephone": "phone"})


def test_ids_stay_the_same_in_a_later_copy_of_the_file(tmp_path: Path) -> None:
    first = save(tmp_path / "a.csv", "name,phone\nAnn,+14155550123\nBob,+14155550124\n")
    later = save(tmp_path / "b.csv", "name,phone\nZed,+14155550129\nBob,+14155550124\n")
    ids = {record.values["name"]: record.record_id for record in read(FileContacts(first))[0]}
    again = {record.values["name"]: record.record_id for record in read(FileContacts(later))[0]}
    assert ids["Bob"] == again["Bob"]
    assert FileContacts(first).fingerprint() != FileContacts(later).fingerprint()


def make_workbook(path: Path, sheets: dict[str, Sequence[Sequence[object]]]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    book.save(path)
    return path


def test_a_workbook_is_read_as_text(tmp_path: Path) -> None:
    rows: list[list[object]] = [
        ["Exported by Ann"],
        [],
        ["Name", "Phone", "Since", "VIP"],
        ["Ann", 14155550123, 2024.5, True],
        ["Bob", "020 7946 0000", None],
    ]
    path = make_workbook(tmp_path / "list.xlsx", {"Notes": [], "Contacts": rows})
    records, rejected = read(FileContacts(path))
    assert records[0].values == {"Name": "Ann", "Phone": "14155550123", "Since": "2024.5", "VIP": "true"}
    assert records[1].values == {"Name": "Bob", "Phone": "020 7946 0000", "Since": None, "VIP": None}
    assert rejected == [RejectedRow(1, "It stands above the header.")]


def test_a_sheet_is_chosen_by_name(tmp_path: Path) -> None:
    path = make_workbook(
        tmp_path / "list.xlsx", {"Old": [["Phone"], ["+14155550123"]], "New": [["Phone"], ["+14155550124"]]}
    )
    assert read(FileContacts(path, sheet="New"))[0][0].values == {"Phone": "+14155550124"}
    with pytest.raises(FileUnreadable, match="no sheet 'Newer'; it has Old, New"):
        FileContacts(path, sheet="Newer")


def test_a_zip_that_is_no_workbook_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "list.xlsx"
    with zipfile.ZipFile(path, "w") as parts:
        parts.writestr("hello.txt", "hello")
    with pytest.raises(FileUnreadable, match="is not a workbook Excel can open"):
        FileContacts(path)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("list.xlsx", b"not a workbook", "is not an .xlsx workbook, or a password protects it"),
        ("list.xls", b"old", "save it as .xlsx or as CSV UTF-8"),
        ("list.csv", b"", "is empty"),
        ("list.csv", b"\n\n\n", "holds no rows"),
        ("list.csv", bytes(range(256)) * 8, "list.csv is"),
    ],
)
def test_files_that_are_no_lists_are_refused_in_one_sentence(
    tmp_path: Path, name: str, content: bytes, says: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(FileUnreadable, match=says):
        FileContacts(path)


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(FileUnreadable, match="There is no file"):
        TableFile(tmp_path / "nowhere.csv")


def test_a_large_file_streams_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    with path.open("w", encoding="utf-8") as file:
        file.write("id,name,phone,city\n")
        file.writelines(f"{n},Person {n},+1415555{n % 10_000:04},Reno\n" for n in range(100_000))
    contacts = FileContacts(path)
    tracemalloc.start()
    count = sum(len(page.records) for page in contacts.pull())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 100_000
    assert peak < 25_000_000


def test_exports_run_no_formula_and_keep_numbers(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    rows: list[list[str | None]] = [
        ["=HYPERLINK(1)", "+14155550123", "-12.5"],
        ["@SUM(1)", "+1 415 555 0123", None],
        ['Ann, "A"', "", "+cmd|' /C calc'!A0"],
    ]
    assert write_csv_safely(path, ["name", "phone", "note"], rows) == 3
    with path.open(encoding="utf-8-sig", newline="") as file:
        assert list(csv.reader(file))[1:] == [
            ["'=HYPERLINK(1)", "+14155550123", "-12.5"],
            ["'@SUM(1)", "'+1 415 555 0123", ""],
            ['Ann, "A"', "", "'+cmd|' /C calc'!A0"],
        ]
    assert path.read_bytes().startswith(b"\xef\xbb\xbf")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert safe_cell("\tx") == "'\tx"


def test_a_failed_export_leaves_the_old_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    write_csv_safely(path, ["phone"], [["+14155550123"]])
    before = path.read_bytes()

    def rows() -> Iterator[Sequence[str]]:
        yield ["+14155550124"]
        raise FileUnreadable("The source broke.")

    with pytest.raises(FileUnreadable):
        write_csv_safely(path, ["phone"], rows())
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
