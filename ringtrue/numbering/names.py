"""The words of the result columns, in the order in which the kernel numbers them."""

from __future__ import annotations

from typing import Final

import phonenumbers
import pyarrow as pa
from phonenumbers import NumberParseException, PhoneNumberType, ValidationResult

ERRORS: Final = ("INVALID_COUNTRY_CODE", "NOT_A_NUMBER", "TOO_SHORT_AFTER_IDD", "TOO_SHORT_NSN", "TOO_LONG")
"""Names of `NumberParseException.error_type`, in phonenumbers' own numbering."""

POSSIBLE: Final = (
    "IS_POSSIBLE",
    "INVALID_COUNTRY_CODE",
    "TOO_SHORT",
    "TOO_LONG",
    "IS_POSSIBLE_LOCAL_ONLY",
    "INVALID_LENGTH",
)
"""Names of `ValidationResult`, in phonenumbers' own numbering."""

TYPES: Final = (
    "FIXED_LINE",
    "MOBILE",
    "FIXED_LINE_OR_MOBILE",
    "TOLL_FREE",
    "PREMIUM_RATE",
    "SHARED_COST",
    "VOIP",
    "PERSONAL_NUMBER",
    "PAGER",
    "UAN",
    "VOICEMAIL",
    "UNKNOWN",
)
"""Names of `PhoneNumberType`; UNKNOWN, phonenumbers' 99, is 11 here."""

UNKNOWN_TYPE: Final = TYPES.index("UNKNOWN")

REGIONS: Final[tuple[str, ...]] = (*sorted(phonenumbers.SUPPORTED_REGIONS), "001")
"""Every region code phonenumbers knows, and 001 for numbers of no country."""

SCHEMA: Final = pa.schema(
    [
        ("row", pa.int64()),
        ("e164", pa.string()),
        ("extension", pa.string()),
        ("error", pa.dictionary(pa.int8(), pa.string())),
        ("possible", pa.dictionary(pa.int8(), pa.string())),
        ("valid", pa.bool_()),
        ("type", pa.dictionary(pa.int8(), pa.string())),
        ("region", pa.dictionary(pa.int16(), pa.string())),
        ("reason", pa.dictionary(pa.int8(), pa.string())),
        ("sure", pa.bool_()),
    ]
)
"""The columns of `ringtrue.phone.normalize`. Words are dictionary columns: ten million rows hold ten million small integers."""

for _code, _name in enumerate(ERRORS):
    if getattr(NumberParseException, _name) != _code:
        raise ImportError(f"phonenumbers {phonenumbers.__version__} numbers its parse errors differently from 9.0.43.")
for _code, _name in enumerate(POSSIBLE):
    if getattr(ValidationResult, _name) != _code:
        raise ImportError(f"phonenumbers {phonenumbers.__version__} numbers ValidationResult differently from 9.0.43.")
for _code, _name in enumerate(TYPES[:-1]):
    if getattr(PhoneNumberType, _name) != _code:
        raise ImportError(f"phonenumbers {phonenumbers.__version__} numbers PhoneNumberType differently from 9.0.43.")
