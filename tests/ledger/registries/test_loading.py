"""Registry files: taken when right, refused whole with one sentence when wrong; what was in force stays."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import pytest

from assets.registries import State, freshness, run
from ringtrue.ledger import Ledger, registries, suppressions
from ringtrue.ledger.database import fetch
from ringtrue.registry_settings import RegistrySettings
from ringtrue.settings import Settings
from tests.ledger.registries.files import NOW, changes, day, fiction, flat, xml


def load(ledger: Ledger, settings: Settings, now: int = NOW) -> State:
    return run(ledger, settings, "run", now)["national"]


def listed(ledger: Ledger, *numbers: str) -> list[str]:
    with ledger.read() as book:
        return [row.number for row in registries.check(book, numbers)]


def load_only(ledger: Ledger, kind: str, path: Path, **more: object) -> State:
    registry = RegistrySettings.model_validate({"kind": kind, "file": str(path), **more})
    return run(ledger, Settings(registries={kind: registry}), "run", NOW)[kind]


@pytest.mark.parametrize("comma", [True, False])
def test_a_flat_full_list_with_or_without_comma(ledger: Ledger, national: Settings, folder: Path, comma: bool) -> None:
    flat(folder, "202", fiction(100, 50), comma=comma)
    state = load(ledger, national)
    assert (state.taken, state.numbers, state.refused) == (1, 50, [])
    assert listed(ledger, "+12025550100", "+12025550099", "+12025550149", "+12025550150") == [
        "+12025550100",
        "+12025550149",
    ]


def test_xml_full_and_change_lists(ledger: Ledger, national: Settings, folder: Path) -> None:
    xml(folder, "415", fiction(100, 10), ago=2)
    xml(folder, "415", fiction(200, 3), kind="change", what="A", ago=1)
    xml(folder, "415", fiction(100, 2), kind="removal", what="D", ago=0)
    state = load(ledger, national)
    assert (state.taken, state.numbers, state.refused) == (3, 11, [])
    assert listed(ledger, "+14155550100", "+14155550102", "+14155550200") == ["+14155550102", "+14155550200"]


def test_zipped_files_are_told_by_content(ledger: Ledger, national: Settings, folder: Path) -> None:
    plain = flat(folder, "202", fiction(0, 20))
    with zipfile.ZipFile(folder / f"wrong-ending_{day(1)}.txt.dat", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(plain, "list.txt")
    (folder / f"other_{day(0)}.bin").write_bytes(gzip.compress(b"415,5550101\n415,5550102\n"))
    plain.unlink()
    state = load(ledger, national)
    assert (state.taken, state.numbers) == (2, 22)


def test_a_new_full_list_replaces_its_own_area_code_only(ledger: Ledger, national: Settings, folder: Path) -> None:
    flat(folder, "202", fiction(0, 10), ago=3)
    flat(folder, "415", fiction(0, 10), ago=3)
    load(ledger, national)
    flat(folder, "202", fiction(5, 10), ago=1)
    assert load(ledger, national).numbers == 20
    assert listed(ledger, "+12025550000", "+12025550014", "+14155550000") == ["+12025550014", "+14155550000"]


def test_the_last_word_on_a_number_counts_in_a_change_list(ledger: Ledger, national: Settings, folder: Path) -> None:
    flat(folder, "202", fiction(0, 10), ago=3)
    changes(
        folder, [("202", "5550001", "D"), ("202", "5550099", "A"), ("202", "5550099", "D"), ("202", "5550001", "A")]
    )
    load(ledger, national)
    assert listed(ledger, "+12025550001", "+12025550099") == ["+12025550001"]


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda path: path.write_text(path.read_text()[:-6]), "truncated"),
        (lambda path: path.write_text(path.read_text() + "".join(f"0121234{n:04}\n" for n in range(50))), "is no list of the US"),
        (lambda path: path.write_text(path.read_text().replace("202,", "415,").replace("415,", "303,")), "does not cover"),
        (lambda path: path.write_bytes(gzip.compress(path.read_bytes())[:-12]), "truncated or damaged"),
        (lambda path: path.write_bytes(b""), "is empty"),
        (lambda path: path.write_text("416,5550101\n" * 100), "is no list of the US"),
        (lambda path: path.write_text("\n".join(path.read_text().split("\n")[:5]) + "\n"), "cut short"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_whole_and_the_version_before_stays(
    ledger: Ledger, national: Settings, folder: Path, spoil: object, sentence: str
) -> None:
    flat(folder, "202", fiction(0, 500), ago=3)
    load(ledger, national)
    spoil(flat(folder, "202", fiction(1_000, 500), ago=1))  # type: ignore[operator]  # a function of the path
    state = load(ledger, national)
    assert state.taken == 0
    assert len(state.refused) == 1
    assert sentence in state.refused[0]
    assert state.numbers == 500
    assert listed(ledger, "+12025550000", "+12025551000") == ["+12025550000"]
    again = load(ledger, national)
    assert again.refused == state.refused, "the check stays red until a person acts"
    with ledger.read() as book:
        assert fetch(book, "SELECT count(*) FROM registries WHERE state = 'refused'") == [(1,)], "and is not read again"


def test_truncated_xml_and_entities_are_refused(ledger: Ledger, national: Settings, folder: Path) -> None:
    path = xml(folder, "202", fiction(0, 100))
    path.write_text(path.read_text()[:-30])
    assert "truncated" in load(ledger, national).refused[0]
    path.write_text('<!DOCTYPE l [<!ENTITY a "5550100">]><l><ac val="202"><ph val="&a;"/></ac></l>')
    assert "entities" in load(ledger, national).refused[0]


def test_a_change_list_needs_a_base_that_is_not_old(ledger: Ledger, national: Settings, folder: Path) -> None:
    changes(folder, [("202", "5550101", "A")], ago=0)
    assert "no full list is loaded" in load(ledger, national).refused[0]
    flat(folder, "202", fiction(0, 10), ago=40)
    state = load(ledger, national)
    assert state.taken == 1
    assert "40 days old" in state.refused[0]
    flat(folder, "202", fiction(0, 10), ago=1)
    state = load(ledger, national)
    assert state.taken == 2, "the waiting change list is taken as soon as its base is there"
    assert state.refused == []


def test_an_older_file_and_one_from_the_future_are_refused(ledger: Ledger, national: Settings, folder: Path) -> None:
    flat(folder, "202", fiction(0, 10), ago=1)
    load(ledger, national)
    flat(folder, "202", fiction(0, 12), ago=9)
    flat(folder, "415", fiction(0, 12), ago=-9)
    refused = " ".join(load(ledger, national).refused)
    assert "older than the list in force" in refused
    assert "in the future" in refused


def test_uk_canada_and_other_lists(ledger: Ledger, folder: Path) -> None:
    tps = folder / f"tps_{day(1)}.csv"
    tps.write_text("Number\n01212345678\n+44 7400 123456\n447400123457,x\n")
    assert load_only(ledger, "uk_tps", tps).numbers == 3
    assert listed(ledger, "+441212345678", "+447400123456", "+447400123457") != []
    canada = folder / f"dncl_{day(1)}.txt"
    canada.write_text("416,5550101\n6135550102\n")
    assert load_only(ledger, "canada", canada, area_codes=["416", "613"]).numbers == 2
    table = folder / f"litigators_{day(1)}.csv"
    table.write_text("name,phone\nA,(202) 555-0143\nB,202-555-0144\n")
    assert load_only(ledger, "litigator", table, column="Phone").numbers == 2
    lines = folder / f"bloctel_{day(1)}.txt"
    lines.write_text("01 23 45 67 89\n+33123456780\n")
    assert load_only(ledger, "france", lines).numbers == 2
    table.write_text("name,phone\nA,(202) 555-0143\n\n")
    assert "no column" in load_only(ledger, "litigator", table, column="tel").refused[0]


def test_a_us_list_is_no_uk_list(ledger: Ledger, folder: Path) -> None:
    assert "is no list of UK numbers" in load_only(ledger, "uk_tps", flat(folder, "202", fiction(0, 50))).refused[0]


def test_the_chain_holds_hash_and_count_of_every_file(ledger: Ledger, national: Settings, folder: Path) -> None:
    path = flat(folder, "202", fiction(0, 10))
    load(ledger, national)
    from connectors.registries.bytes_in import fingerprint

    with ledger.read() as book:
        (kind, evidence) = fetch(book, "SELECT kind, evidence FROM suppressions")[0]
        assert suppressions.broken_link(book) is None
        assert suppressions.totals(book).live == 0
    assert kind == "import"
    assert fingerprint(path) in evidence
    assert '"numbers":10' in evidence
    assert "10-123" in evidence


def test_the_check_turns_yellow_before_and_red_after_the_legal_age(
    ledger: Ledger, national: Settings, folder: Path
) -> None:
    settings = national.registries["national"]
    colour = {}
    flat(folder, "202", fiction(0, 10), ago=0)
    assert not freshness("national", settings, load(ledger, national), NOW).passed, "415 has no list"
    flat(folder, "415", fiction(0, 10), ago=0)
    for days in (1, 23, 26, 31, 33):
        now = NOW + days * registries.DAY_MS
        result = freshness("national", settings, load(ledger, national, now), now)
        colour[days] = "green" if result.passed else result.severity.value
    assert colour == {1: "green", 23: "green", 26: "WARN", 31: "WARN", 33: "ERROR"}


def test_a_file_loaded_in_error_can_be_withdrawn(ledger: Ledger, national: Settings, folder: Path) -> None:
    flat(folder, "202", fiction(0, 10))
    load(ledger, national)
    with ledger.write() as book:
        assert registries.withdraw(book, 1) == "national"
        assert registries.withdraw(book, 1) is None
    assert listed(ledger, "+12025550000") == []
    assert load(ledger, national).oldest is None, "nothing is in force, so nobody is callable on it"
