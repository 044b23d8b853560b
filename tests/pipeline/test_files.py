"""Contact lists in a folder: every row is stored or rejected, in any encoding, once."""

from __future__ import annotations

from pathlib import Path

import pytest
from openpyxl import Workbook

from tests.pipeline.people import contact, in_salesforce, number
from tests.pipeline.project import Project
from tests.pipeline.stages import deliver, plan


@pytest.fixture
def imports(shared: Project) -> Path:
    """The folder of lists, empty."""
    folder = shared.home / "imports"
    for path in folder.iterdir():
        path.unlink()
    return folder


def test_rows_of_lists_are_stored_or_rejected_and_a_list_is_read_once(shared: Project, imports: Path) -> None:
    first, second, third, fourth = (number() for _ in range(4))
    rows = [
        "id,name,phone,country,lead source",
        f"1,Ann,{first},GB,Spring Fair",
        f"2,Ben,{second},GB,Spring Fair",
        f"2,Ben again,{second},GB,Spring Fair",
        "3,Short row",
        "4,Cem,12,GB,Web",
    ]
    (imports / "list.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (imports / "chinese.csv").write_bytes(f"编号,姓名,电话,国家\n7,王芳,{third},英国\n".encode("gb18030"))
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    for row in (["id", "name", "phone"], ["9", "Dora", fourth]):
        sheet.append(row)
    book.save(imports / "sheet.xlsx")

    ran = shared.sync("files")
    assert ran.success, ran.failures
    counted = ran.metadata["files/contacts"]
    assert (counted["files"], counted["files refused"]) == (3, 0)
    assert counted["rows read"] == 7
    assert counted["rows read"] == counted["new"] + counted["changed"] + counted["unchanged"] + counted["rejected"]
    stored = shared.query(
        "SELECT object, record_id FROM contacts WHERE connection = 'files' ORDER BY object, record_id"
    )
    assert len(stored) == counted["new"]
    rejected = shared.query("SELECT key, reason FROM rejects WHERE connection = 'files' ORDER BY key")
    assert len(rejected) == counted["rejected"] >= 1
    assert all(reason for _, reason in rejected)
    assert shared.query("SELECT c.name, c.country FROM contacts AS c WHERE c.object = 'chinese.csv'") == [
        ("王芳", "英国")
    ]
    read = {row[0] for row in shared.query(
        "SELECT p.e164 FROM phones AS p JOIN contacts AS c ON c.contact_id = p.contact_id WHERE c.connection = 'files' AND p.valid"
    )}  # fmt: skip
    assert read == {first, second, third, fourth}

    again = shared.sync("files").metadata["files/contacts"]
    assert (again["files unchanged"], again["rows read"]) == (3, 0)
    rows[1] = f"1,Anna,{first},GB,Spring Fair"
    (imports / "list.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    edited = shared.sync("files").metadata["files/contacts"]
    assert (edited["files unchanged"], edited["changed"], edited["new"]) == (2, 1, 0)


def test_a_list_that_cannot_be_read_is_reported_and_the_others_go_on(shared: Project, imports: Path) -> None:
    (imports / "notes.csv").write_text("topic,text\nmeeting,at noon\n", encoding="utf-8")
    (imports / "good.csv").write_text(f"name,phone\nEve,{number()}\n", encoding="utf-8")
    ran = shared.sync("files")
    assert ran.success, ran.failures
    assert ran.metadata["files/contacts"]["files refused"] == 1
    assert ran.metadata["files/contacts"]["new"] == 1
    [check] = [check for check in ran.checks if "all_files_readable" in check]
    assert "notes.csv" in check


def test_an_opt_out_in_a_list_reaches_the_crm(shared: Project, imports: Path) -> None:
    stopped = number()
    record = contact(shared, stopped)
    (imports / "stop.csv").write_text(f"name,phone,do not call\nFay,{stopped},yes\n", encoding="utf-8")
    assert shared.sync("files").success
    plan(shared.settings(), "salesforce")
    deliver(shared.settings(), "salesforce")
    assert in_salesforce(shared, record)["DoNotCall"] is True
