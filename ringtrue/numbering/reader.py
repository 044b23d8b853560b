"""Reads batches of texts exactly as phonenumbers does."""

from __future__ import annotations

import pyarrow as pa

from ringtrue.numbering import oracle
from ringtrue.numbering.names import ERRORS, POSSIBLE, REGIONS, SCHEMA, TYPES
from ringtrue.reasons import REASONS

_REASON_OF_POSSIBLE = {
    "IS_POSSIBLE": "unassigned_range",
    "INVALID_COUNTRY_CODE": "unknown_country_code",
    "TOO_SHORT": "too_short",
    "TOO_LONG": "too_long",
    "IS_POSSIBLE_LOCAL_ONLY": "missing_area_code",
    "INVALID_LENGTH": "wrong_length",
}
_REASON_OF_ERROR = {
    "NOT_A_NUMBER": "not_a_number",
    "TOO_SHORT_AFTER_IDD": "too_short",
    "TOO_SHORT_NSN": "too_short",
    "TOO_LONG": "too_long",
}


def _reason(text: str | None, region: str | None, reading: oracle.Reading) -> str:
    if reading.valid:
        return "ok"
    if reading.possible is not None:
        return _REASON_OF_POSSIBLE[reading.possible]
    if text is None or not text.strip():
        return "empty"
    if reading.error == "INVALID_COUNTRY_CODE":
        return "unknown_country_code" if "+" in text or "＋" in text or region in REGIONS else "no_country"
    return _REASON_OF_ERROR[str(reading.error)]


def _words(values: list[str | None], words: tuple[str, ...], index: pa.DataType) -> pa.DictionaryArray:
    position = {word: at for at, word in enumerate(words)}
    codes = [None if value is None else position[value] for value in values]
    return pa.DictionaryArray.from_arrays(pa.array(codes, index), pa.array(words, pa.string()))


def read(texts: pa.Array, regions: pa.Array) -> pa.RecordBatch:
    """One row per text, with the columns of SCHEMA."""
    raw, codes = texts.to_pylist(), regions.to_pylist()
    rows = oracle.read_rows(raw, codes)
    reasons = [_reason(*row) for row in zip(raw, codes, rows, strict=True)]
    return pa.RecordBatch.from_arrays(
        [
            pa.array(range(len(rows)), pa.int64()),
            pa.array([row.e164 for row in rows], pa.string()),
            pa.array([row.extension for row in rows], pa.string()),
            _words([row.error for row in rows], ERRORS, pa.int8()),
            _words([row.possible for row in rows], POSSIBLE, pa.int8()),
            pa.array([row.valid for row in rows], pa.bool_()),
            _words([row.type for row in rows], TYPES, pa.int8()),
            _words([row.region for row in rows], REGIONS, pa.int16()),
            _words(list(reasons), tuple(REASONS), pa.int8()),
            pa.array([True] * len(rows), pa.bool_()),
        ],
        schema=SCHEMA,
    )


def kernel_status() -> tuple[str, bool]:
    """A sentence about how numbers are read on this machine, and whether it is the fast way."""
    return "Numbers are read by phonenumbers itself, row by row: right, but slow.", False
