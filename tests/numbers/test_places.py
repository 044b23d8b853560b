"""Area codes by place: candidates for local numbers, never used unasked."""

from __future__ import annotations

import pyarrow as pa
import pytest

from ringtrue.phone import normalize_arrow
from ringtrue.places import area_code


@pytest.mark.parametrize(
    ("code", "place", "area"),
    [
        (1, "Jersey City, NJ", "201"),
        (1, "jersey city, nj, United States", "201"),
        (49, "Berlin", "30"),
        (44, "Birmingham", "121"),
        (1, "New York, NY", None),
        (1, "Nowhere", None),
        (1, "", None),
        (999, "Berlin", None),
    ],
)
def test_a_place_with_one_area_code_has_it(code: int, place: str, area: str | None) -> None:
    assert area_code(code, place) == area


def test_a_local_number_gets_a_candidate_from_its_place() -> None:
    raw, places = (
        ["234-5678", "Tel. 234-5678", "234-5678", "234-5678"],
        ["Jersey City, NJ", "Jersey City, NJ", "New York, NY", None],
    )
    rows = normalize_arrow(raw, "US", place=places).to_pylist()
    assert [row["e164"] for row in rows] == ["+12012345678", "+12012345678", None, None]
    assert [row["valid"] for row in rows] == [True, True, False, False]
    assert [row["sure"] for row in rows] == [False, False, True, True]
    assert {row["reason"] for row in rows} == {"missing_area_code"}


def test_a_whole_number_does_not_look_at_its_place() -> None:
    raw = ["(506) 234-5678", "n/a"]
    assert normalize_arrow(raw, "US", place=pa.array(["Jersey City, NJ"] * 2)).equals(normalize_arrow(raw, "US"))
