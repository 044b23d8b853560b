"""Ids with checksum, and times as the wire writes them."""

from __future__ import annotations

import pytest

from sandbox.salesforce_ids import (
    KEY_PREFIXES,
    checksum,
    csv_time,
    json_time,
    long_id,
    parse_time,
    record_id,
    record_number,
)


def test_the_checksum_is_salesforces() -> None:
    assert checksum("003D000000QUbrd") == "IAD"


@pytest.mark.parametrize("number", [0, 1, 61, 62, 123_456, 62**9 - 1])
def test_ids_can_be_told_back(number: int) -> None:
    identifier = record_id("Contact", number)
    assert len(identifier) == 18
    assert record_number(identifier) == number
    assert long_id(identifier[:15]) == identifier
    assert long_id(identifier.lower()[:15] + identifier[15:]) == identifier, "lost case is repaired from the checksum"


def test_ids_sort_by_number() -> None:
    identifiers = [record_id("Lead", number) for number in range(0, 50_000, 7)]
    assert identifiers == sorted(identifiers)


@pytest.mark.parametrize("text", ["", "003", "003D000000QUbr!", "003D000000QUbrdIA", "003D000000QUbrd999"])
def test_what_is_no_id_is_told_so(text: str) -> None:
    assert long_id(text) is None


def test_prefixes_tell_objects_apart() -> None:
    assert len(set(KEY_PREFIXES.values())) == len(KEY_PREFIXES)


def test_times() -> None:
    assert json_time(1_793_491_200_123) == "2026-11-01T00:00:00.123+0000"
    assert csv_time(1_793_491_200_123) == "2026-11-01T00:00:00.123Z"
    for text in ("2026-11-01T00:00:00.123+0000", "2026-11-01T00:00:00.123Z", "2026-11-01T01:00:00.123+01:00"):
        assert parse_time(text) == 1_793_491_200_123
    with pytest.raises(ValueError, match="offset"):
        parse_time("2026-11-01T00:00:00")
