"""Repair: every case of docs/numbers.md, what is never changed, and the same answers without the kernel."""

from __future__ import annotations

import ast
import json
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import phonenumbers
import pyarrow as pa
import pytest
from phonenumbers import PhoneNumberFormat

from ringtrue.numbering import plans_of
from ringtrue.numbering.listed import listed_reason
from ringtrue.phone import normalize_arrow
from ringtrue.reasons import REASONS
from ringtrue.repair_digits import FOUND, NOTHING, mended, mended_slowly
from tests.numbers.corpus import examples, noise

ROOT = Path(__file__).parents[2]
DOCS = (ROOT / "docs/numbers.md").read_text(encoding="utf-8")


def cases() -> list[tuple[str, str | None, str, list[str], str]]:
    """Case, region, field, numbers and reason of the table in docs/numbers.md."""
    lines = DOCS.split("## Repair cases")[1].split("\n## ")[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| ")][1:]
    return [
        (name, region or None, ast.literal_eval(field.strip("`")), numbers.split(", ") if numbers else [], reason)
        for name, region, field, numbers, reason in rows
    ]


def shown(text: str, region: str | None) -> tuple[list[str], str]:
    """The numbers found in a field, as the table writes them, and the reason of the first row."""
    rows = normalize_arrow([text], region).to_pylist()
    numbers = [
        row["e164"] + (f" x{row['extension']}" if row["extension"] else "") + ("" if row["sure"] else "?")
        for row in rows
        if row["e164"]
    ]
    return numbers, rows[0]["reason"]


@pytest.mark.parametrize(("name", "region", "text", "numbers", "reason"), cases())
def test_documented_case(name: str, region: str | None, text: str, numbers: list[str], reason: str) -> None:
    assert shown(text, region) == (numbers, reason)


def test_documented_cases_in_one_batch_give_the_same_answers() -> None:
    table = cases()
    rows = normalize_arrow([text for _, _, text, _, _ in table], [region for _, region, *_ in table]).to_pylist()
    for at, (name, region, text, _, _) in enumerate(table):
        alone = normalize_arrow([text], region).to_pylist()
        together = [{**row, "row": 0} for row in rows if row["row"] == at]
        assert together == alone, name


def test_every_reason_is_documented() -> None:
    documented = [
        line.split("`")[1] for line in DOCS.split("## Reason codes")[1].splitlines() if line.startswith("| `")
    ]
    assert documented == list(REASONS)


def test_reasons_are_never_missing_and_invalid_numbers_are_not_ok() -> None:
    texts, regions = zip(*noise(7, 20_000), strict=True)
    for row in normalize_arrow(list(texts), list(regions)).to_pylist():
        assert row["reason"] in REASONS
        assert row["valid"] or row["reason"] != "ok"


def test_valid_numbers_are_never_changed() -> None:
    texts, regions = zip(*noise(8, 20_000), strict=True)
    plain = normalize_arrow(list(texts), list(regions), repair=False).to_pylist()
    repaired = normalize_arrow(list(texts), list(regions)).to_pylist()
    first = {row["row"]: row for row in reversed(repaired)}
    assert sorted(first) == list(range(len(texts)))
    for row in plain:
        if row["valid"] and first[row["row"]]["reason"] not in ("placeholder", "fiction_range"):
            assert first[row["row"]] == row, texts[row["row"]]


def test_local_numbers_are_not_offered_as_callable() -> None:
    texts, regions = zip(*noise(9, 20_000), strict=True)
    for row in normalize_arrow(list(texts), list(regions)).to_pylist():
        assert row["e164"] is None or row["valid"] or row["possible"] == "IS_POSSIBLE"


def test_fields_of_any_length_are_read() -> None:
    for text in ("1" * 7_000 + "a", "a1" * 3_000, "1" * 251, "a" * 70_000):
        row = normalize_arrow([text], "US").to_pylist()[0]
        assert (row["e164"], row["valid"]) == (None, False)


def test_no_example_number_is_a_placeholder() -> None:
    for number in examples():
        national = phonenumbers.national_significant_number(number)
        assert listed_reason(number.country_code or 0, national) != "placeholder", national


def test_example_numbers_survive_the_ways_people_write_them() -> None:
    for number in examples():
        e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
        international = phonenumbers.format_number(number, PhoneNumberFormat.INTERNATIONAL)
        region = phonenumbers.region_code_for_number(number)
        for text in (
            f"Tel. {international}",
            f"\u202a{international}\u202c",
            f"{international.replace(' ', '_')}",
            f"'{e164}",
        ):
            row = normalize_arrow([text], region).to_pylist()[0]
            assert (row["e164"], row["sure"]) == (e164, True), text


def test_the_kernel_finds_the_readings_of_digits_that_python_defines() -> None:
    chance = random.Random(11)
    codes = sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE)
    regions = [None, *sorted(phonenumbers.SUPPORTED_REGIONS), *["US", "MX", "IT", "DE", "NZ", "TW"] * 20]
    numbers: list[str] = []
    for _ in range(20_000):
        number = chance.choice(examples())
        digits = phonenumbers.national_significant_number(number)[chance.randrange(2) :] + "7" * chance.randrange(3)
        digits = chance.choice(
            (digits, digits, f"0{digits}", f"1{digits}", f"044{digits}", digits[0] * len(digits), "1234567890")
        )
        code = str(chance.choice((number.country_code, number.country_code, chance.choice(codes))))
        swapped = "".join(chance.sample(code, len(code)))
        front = chance.choice(
            ("", "", code, code * 2, f"{code}00{code}", f"{code}0", f"00{code}", f"011{code}", swapped, digits[:4])
        )
        numbers.append(chance.choice(("", "+")) + front + digits)
    texts = pa.array(numbers, pa.string())
    plans = plans_of(pa.array([chance.choice(regions) for _ in numbers], pa.string()), len(numbers))
    groups = np.array([chance.choice((len(text), chance.randrange(1, 7))) for text in numbers])
    fast, slow = mended(texts, plans, groups), mended_slowly(texts, plans, groups)
    assert len(set(slow.reason.tolist())) == len({NOTHING, *FOUND})
    for row, text in enumerate(numbers):
        one, other = ((found.text[row].as_py(), found.reason[row]) for found in (fast, slow))
        assert one == other, text
        assert not one[0] or fast.sure[row] == slow.sure[row], text


WITHOUT_KERNEL = """
import json, sys
sys.modules["ringtrue.numbering._kernel"] = None
from ringtrue.numbering import kernel_status
from ringtrue.phone import normalize_arrow
texts, regions = json.load(sys.stdin)
print(json.dumps([kernel_status(), normalize_arrow(texts, regions).to_pylist(), normalize_arrow(texts, regions, repair=False).to_pylist()]))
"""


def test_the_same_answers_without_the_kernel() -> None:
    extra = [(text, region) for text, region in noise(10, 1_500)]
    texts, regions = zip(*[(text, region) for _, region, text, _, _ in cases()], *extra, strict=True)
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_KERNEL],
        input=json.dumps([texts, regions]),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    (sentence, fast), repaired, plain = json.loads(done.stdout)
    assert not fast
    assert "compiler" in sentence
    assert plain == normalize_arrow(list(texts), list(regions), repair=False).to_pylist()
    assert repaired == normalize_arrow(list(texts), list(regions)).to_pylist()
