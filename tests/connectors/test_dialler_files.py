"""Dialler exports: the four layouts, what is not known is listed, nothing is lost."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.dialler_files import DiallerFile
from ringtrue.errors import FileUnreadable

NUMBER = "+12015550123"


def write(folder: Path, text: str, name: str = "export.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("layout", "text", "outcome"),
    [
        ("vicidial", f"call_date,phone_number_dialed,status,length_in_sec,uniqueid\n2026-11-02 10:00:00,{NUMBER},ADC,4,1.1\n", "ADC"),
        ("five9", f'CALL ID,TIMESTAMP,DISPOSITION,DNIS,ANI,TALK TIME\n7,"Mon, 02 Nov 2026 10:00:00",No Answer,{NUMBER},+12015550100,00:00:04\n', "No Answer"),
        ("twilio", f"Call Sid,From,To,Status,Start Time,Duration,Direction\nCA1,+12015550100,{NUMBER},no-answer,10:00:00 UTC 2026-11-02,4,outbound-api\n", "no-answer"),
        ("generic", f"Datum;Telefon;Ergebnis;Dauer\n02.11.2026 10:00;{NUMBER};nicht erreicht;4\n", "nicht erreicht"),
    ],
)  # fmt: skip
def test_a_layout_is_recognised_by_its_columns(tmp_path: Path, layout: str, text: str, outcome: str) -> None:
    export = DiallerFile(write(tmp_path, text))
    assert export.layout.name == layout
    [page] = export.pull()
    assert page.rejected == []
    [call] = page.calls
    assert (call.number, call.outcome, call.duration_seconds) == (NUMBER, outcome, 4.0)
    assert call.started_at == datetime(2026, 11, 2, 10, tzinfo=UTC)


def test_unknown_columns_are_listed_and_bad_rows_rejected_with_their_line(tmp_path: Path) -> None:
    text = f"date,phone,result,mood\n2026-11-02 10:00:00,{NUMBER},busy,fine\n2026-11-02 10:00:00,,busy,\nyesterday,{NUMBER},busy,\n"
    export = DiallerFile(write(tmp_path, text))
    assert export.layout.ignored == ("mood",)
    [page] = export.pull()
    assert len(page.calls) == 1
    assert [(row.line, row.reason) for row in page.rejected] == [
        (3, "It names no number."),
        (4, "Its date cannot be read."),
    ]


def test_a_mapping_from_the_settings_wins_and_a_wrong_one_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, f"when,whom,what\n2026-11-02,{NUMBER},busy\n")
    with pytest.raises(FileUnreadable, match="number, outcome, started_at"):
        DiallerFile(path)
    export = DiallerFile(path, mapping={"number": "whom", "outcome": "what", "started_at": "when"})
    assert next(export.pull()).calls[0].outcome == "busy"
    with pytest.raises(FileUnreadable, match="no column 'nowhere'"):
        DiallerFile(path, mapping={"number": "nowhere"})


def test_local_time_is_read_in_the_settings_time_zone(tmp_path: Path) -> None:
    path = write(tmp_path, f"call_date,phone_number_dialed,status\n2026-07-02 10:00:00,{NUMBER},A\n")
    [call] = next(DiallerFile(path, timezone="America/New_York").pull()).calls
    assert call.started_at == datetime(2026, 7, 2, 14, tzinfo=UTC)


def test_an_inbound_call_is_about_the_caller(tmp_path: Path) -> None:
    text = f"Call Sid,From,To,Status,Start Time,Duration,Direction\nCA1,{NUMBER},+12015550100,completed,10:00:00 UTC 2026-11-02,40,inbound\n"
    [call] = next(DiallerFile(write(tmp_path, text)).pull()).calls
    assert (call.number, call.direction) == (NUMBER, "inbound")
