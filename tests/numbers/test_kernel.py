"""The kernel against phonenumbers: not one difference, and a difference names the text.

RINGTRUE_FUZZ_SEED picks one of the parts of the million random texts; without it the day does, so that four days read them all.
`make fuzz` reads all parts and more.
"""

from __future__ import annotations

import datetime
import os

import pyarrow as pa
import pytest

from ringtrue.numbering import kernel_status, plans_of, read
from ringtrue.numbering.reader import CHUNK, COUNTS
from ringtrue.phone import normalize_arrow
from tests.numbers.compare import mismatches
from tests.numbers.corpus import SUPPORTED, examples, neighbours, noise, table_edges

PARTS = 4
ROWS = 1_000_000 // PARTS

pytestmark = pytest.mark.skipif(not kernel_status()[1], reason="the kernel is not built: phonenumbers reads everything")


def seed_of_the_day() -> int:
    return int(os.environ.get("RINGTRUE_FUZZ_SEED", datetime.datetime.now(datetime.UTC).toordinal() % PARTS))


def assert_same(wrong: list[str]) -> None:
    assert not wrong, f"{len(wrong)} texts are read differently, among them:\n" + "\n".join(wrong[:20])


def test_every_transition_of_every_table() -> None:
    assert_same(mismatches(table_edges()))


def test_example_numbers_of_every_region_and_type_with_their_neighbours() -> None:
    assert len({number.country_code for number in examples()}) > 200
    assert_same(mismatches(neighbours()))


def test_random_texts() -> None:
    before, slow_before = COUNTS.rows, COUNTS.slow
    assert_same(mismatches(noise(seed_of_the_day(), ROWS)))
    assert (COUNTS.slow - slow_before) / (COUNTS.rows - before) < 0.05


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "+",
            "++",
            "+0",
            "00",
            "1",
            "12",
            "12-",
            "1-2",
            "123",
            "+1",
            "+12",
            "0" * 251,
            " " * 251,
            "1" * 250,
            "é" * 200,
        ),
        *(
            "٠٨٠٠ FLOWERS",
            "+0049 30 1234567",
            "+1 310 1234",
            "15 1234 5678",
            "020/x303",
            "(530) 583-6985 x302/x2303",
            "1\n",
            "1\n2\n3",
        ),
        *(
            "tel:030-123456;phone-context=+49",
            "a;phone-context=a.com20",
            "030 123456;isub=12",
            ";phone-context=",
            "İ123ı",
            "ſ12345Kelvin",
        ),
        *(
            "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖",
            "12345\x0067",
            "+1" * 20,
            "0" * 40 + "1234567",
            "1234567 ext 1234567890123456789012",
            "~1234567#12",
            "1234567,,,12#",
        ),
    ],
)
def test_hard_texts_in_every_region(text: str) -> None:
    assert_same(mismatches((text, region) for region in (*SUPPORTED, None, "ZZ", "001", "")))


def test_the_longest_batches_and_slices_read_as_their_rows() -> None:
    texts, regions = map(list, zip(*noise(3, 5_000), strict=True))
    texts[7] = regions[7] = None
    times = CHUNK // 5_000 + 8
    whole = pa.table({"text": pa.array(texts * times, pa.string()), "region": pa.array(regions * times, pa.string())})
    rows = pa.Table.from_batches(
        read(whole["text"].combine_chunks(), plans_of(whole["region"].combine_chunks(), len(whole)))
    )
    assert rows.num_rows == len(whole)
    assert rows["row"].to_pylist() == list(range(len(whole)))
    for first in (0, 5_000, CHUNK - 3, len(whole) - 5_000):
        part = whole.slice(first, 5_000)
        alone = pa.Table.from_batches(
            read(
                part["text"].combine_chunks().cast(pa.large_string()),
                plans_of(part["region"].combine_chunks(), len(part)),
            )
        )
        assert alone.drop_columns("row").equals(rows.slice(first, len(part)).drop_columns("row").combine_chunks())


def test_broken_utf8_is_read_without_harm() -> None:
    fields = [
        b"+1506\xff2345678",
        b"\xf0\x9f",
        b"123\xc3",
        b"\xff;isub=12",
        b"Tel \xe9\xff 0121 234 5678",
        b"\x80\xff@example.com",
    ]
    texts = pa.array(fields, pa.binary()).view(pa.string())
    assert pa.Table.from_batches(read(texts, plans_of("US", len(fields))))["valid"].to_pylist() == [False] * len(fields)
    assert "+441212345678" in normalize_arrow(texts, "GB")["e164"].to_pylist()
    digits_to_lenient_eyes = pa.array([b"+15062345678 ext " + b"\xef\x3c\x91" * 7], pa.binary()).view(pa.string())
    assert normalize_arrow(digits_to_lenient_eyes, "GB")["valid"].to_pylist() == [True]
