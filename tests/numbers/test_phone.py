"""`normalize`: what it takes and what it gives."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
import typer
from typer.testing import CliRunner

from app.check import check
from ringtrue.numbering import oracle
from ringtrue.phone import normalize, normalize_arrow
from tests.numbers.corpus import noise

COLUMNS = ["row", "e164", "extension", "error", "possible", "valid", "type", "region", "reason", "sure"]
TEXTS = ["0121 234 5678", "+33 6 12 34 56 78", None, "junk"]
NUMBERS = ["+441212345678", "+33612345678", None, None]


@pytest.mark.parametrize(
    "raw",
    [
        TEXTS,
        tuple(TEXTS),
        pd.Series(TEXTS),
        pd.Series(TEXTS, dtype="str"),
        pd.Series(TEXTS, dtype="object"),
        pd.Series(TEXTS, dtype=pd.ArrowDtype(pa.string()), index=[9, 7, 5, 3]),
        pd.Series(TEXTS).astype("category"),
        pa.array(TEXTS),
        pa.array(TEXTS, pa.large_string()),
        pa.array(TEXTS, pa.string_view()),
        pa.array(TEXTS).dictionary_encode(),
        pa.chunked_array([TEXTS[:1], TEXTS[1:]]),
        pa.array([None, *TEXTS, None]).slice(1, 4),
    ],
    ids=lambda raw: f"{type(raw).__name__} {getattr(raw, 'dtype', getattr(raw, 'type', ''))}",
)
@pytest.mark.parametrize("repair", [True, False])
def test_every_kind_of_input(raw: Any, repair: bool) -> None:
    frame = normalize(raw, "gb", repair=repair)
    assert list(frame.columns) == COLUMNS
    assert all(isinstance(kind, pd.ArrowDtype) for kind in frame.dtypes)
    assert [None if pd.isna(number) else number for number in frame["e164"]] == NUMBERS
    assert frame["row"].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "region",
    [
        ["GB", None, "zz", "US"],
        ["gb", "gb", "", "Nowhere"],
        pd.Series(["GB", None, "ZZ", "US"]),
        pd.Series(["GB", None, "ZZ", "US"]).astype("category"),
        pa.array(["gb", None, "ZZ", "us"]).dictionary_encode(),
        pa.chunked_array([pa.array(["gb", None]).dictionary_encode(), pa.array(["ZZ", "us"]).dictionary_encode()]),
    ],
)
def test_a_region_for_each_row(region: Any) -> None:
    assert normalize_arrow(TEXTS, region)["e164"].to_pylist() == NUMBERS


def test_a_wrong_count_of_regions_says_so() -> None:
    with pytest.raises(ValueError, match="2 regions for 4 numbers"):
        normalize_arrow(TEXTS, ["GB", "US"])


@pytest.mark.parametrize(
    "empty", [[], pa.array([], pa.string()), pd.Series([], dtype="str"), pa.chunked_array([], pa.string())]
)
@pytest.mark.parametrize("repair", [True, False])
def test_no_rows(empty: Any, repair: bool) -> None:
    assert normalize_arrow(empty, "US", repair=repair).num_rows == 0


def test_numbers_that_pandas_took_for_numbers() -> None:
    assert normalize_arrow([5062345678, None], "US")["e164"].to_pylist() == ["+15062345678", None]
    assert normalize_arrow([5062345678.0, None, float("nan")], "US")["e164"].to_pylist() == ["+15062345678", None, None]
    assert normalize_arrow(pd.Series([447400123456.0, None]), "GB")["e164"].to_pylist() == ["+447400123456", None]


def test_values_of_several_kinds_and_text_that_utf8_cannot_hold() -> None:
    mixed = ["0121 234 5678", 447400123456, None, float("nan"), "\ud800 0121 234 5678"]
    assert normalize_arrow(mixed, "GB")["e164"].to_pylist() == [
        "+441212345678",
        "+447400123456",
        None,
        None,
        "+441212345678",
    ]
    assert normalize_arrow(pd.Series(mixed, dtype="object"), "GB")["reason"].to_pylist() == [
        "ok",
        "ok",
        "empty",
        "empty",
        "ok",
    ]


def test_without_repair_it_is_what_phonenumbers_gives() -> None:
    texts, regions = map(list, zip(*noise(4, 5_000), strict=True))
    rows = normalize_arrow(texts, regions, repair=False).to_pylist()
    for text, region, row in zip(texts, regions, rows, strict=True):
        theirs = oracle.read_one(text, region)
        assert (
            tuple(row[name] for name in ("e164", "extension", "error", "possible", "valid", "type", "region"))
            == theirs[:7]
        ), text


def test_a_batch_and_its_rows_alone_give_the_same() -> None:
    texts, regions = map(list, zip(*noise(5, 2_000), strict=True))
    whole = normalize_arrow(texts, regions).to_pylist()
    alone = [
        {**row, "row": at} for at in range(0, 2_000, 7) for row in normalize_arrow([texts[at]], regions[at]).to_pylist()
    ]
    assert [row for row in whole if row["row"] % 7 == 0] == alone


def runner(*arguments: str) -> str:
    app = typer.Typer()
    app.command()(check)
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return result.output


def test_check_prints_one_object_per_input_and_line() -> None:
    lines = runner("--region", "gb", "--json", "--", "0121 234 5678 / 07400 123456 x12", "n/a").splitlines()
    first, second = map(json.loads, lines)
    assert first["input"] == "0121 234 5678 / 07400 123456 x12"
    assert [list(number) for number in first["numbers"]] == [
        ["e164", "extension", "valid", "type", "region", "sure"]
    ] * 2
    assert [(number["e164"], number["extension"]) for number in first["numbers"]] == [
        ("+441212345678", None),
        ("+447400123456", "12"),
    ]
    assert second == {"input": "n/a", "numbers": [], "reason": "placeholder"}


def test_check_explains_itself() -> None:
    output = runner("--region", "US", "--", "+5062345678", "n/a")
    assert "+15062345678 ?" in output
    assert "suggestion" in output
    assert "placeholder: " in output
