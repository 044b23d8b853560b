"""A list without a country column is read as one from the country that its numbers fit."""

from __future__ import annotations

from pathlib import Path

import phonenumbers
import pytest

from app.list_country import guess_country

KINDS = (0, 1, 3, 4, 6, 7)


def national(region: str) -> list[str]:
    """libphonenumber's example numbers of a country as people there write them."""
    examples = (phonenumbers.example_number_for_type(region, kind) for kind in KINDS)
    return [
        phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL) for number in examples if number
    ]


def write(path: Path, numbers: list[str], extra: str = "") -> Path:
    head = f"name,phone{',country' if extra else ''}"
    rows = [f"Person {at},{number}{',' + extra if extra else ''}" for at, number in enumerate(numbers)]
    path.write_text("\n".join([head, *rows]), encoding="utf-8")
    return path


@pytest.mark.parametrize("region", ["DE", "JP", "AU", "BR", "IN", "CN"])
def test_a_country_that_stands_out_is_found(tmp_path: Path, region: str) -> None:
    guess = guess_country(write(tmp_path / "list.csv", national(region)))
    assert guess is not None
    assert guess.region == region
    assert guess.share >= 0.8


@pytest.mark.parametrize("region", ["ES", "CH"])
def test_where_two_countries_fit_alike_none_is_chosen(tmp_path: Path, region: str) -> None:
    assert guess_country(write(tmp_path / "list.csv", national(region))) is None


def test_a_list_that_names_its_countries_is_not_guessed_at(tmp_path: Path) -> None:
    assert guess_country(write(tmp_path / "list.csv", national("NZ"), "New Zealand")) is None


def test_numbers_from_everywhere_are_nobodys(tmp_path: Path) -> None:
    mixed = [number for region in ("NZ", "DE", "US", "IN", "BR") for number in national(region)]
    assert guess_country(write(tmp_path / "list.csv", mixed)) is None


def test_numbers_in_international_form_need_no_country(tmp_path: Path) -> None:
    examples = (phonenumbers.example_number(region) for region in ("NZ", "DE", "FR", "IN", "BR", "ZA"))
    numbers = [phonenumbers.format_number(one, phonenumbers.PhoneNumberFormat.E164) for one in examples if one]
    assert guess_country(write(tmp_path / "list.csv", numbers)) is None
