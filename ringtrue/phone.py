"""Raw text and a default region -> E.164, extension, validity, reason, region and line type; vectorised.

Columns of the result, one row for each number found and at least one for each input:

row        position of the input, from 0
e164       the number, null where there is nothing to dial
extension  digits after the number, or null
error      name of phonenumbers' parse error, or null
possible   name of phonenumbers' ValidationResult, null where the text does not parse
valid      phonenumbers' is_valid_number; with repair, false for placeholders and fiction ranges
type       name of phonenumbers' PhoneNumberType, null where the text does not parse
region     where the number is from, null where nothing says so
reason     a code of `ringtrue.reasons.REASONS`, never null; `ok` where the number is valid as entered
sure       false: a suggestion for the review queue, not to be used unasked

With `repair=False` there is one row per input and `e164` is what phonenumbers gives for anything that parses. With repair,
`e164` is null unless the number is valid or its length is possible: a local number without its area code is not callable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ringtrue import numbering
from ringtrue.repair import repair as mend

if TYPE_CHECKING:
    import pandas as pd

_STRINGS = (pa.string(), pa.large_string())


def normalize(raw: Any, region: Any, *, repair: bool = True, place: Any = None) -> pd.DataFrame:
    """Read numbers out of texts; an Arrow-backed DataFrame with the columns described above.

    `raw` is a pandas Series, an Arrow array or a list; `region` one code or one per row, upper or lower case, or None. `place`, one per row,
    is the town of the address: with it, a number that lacks only its area code comes with a candidate, never sure.
    """
    import pandas as pd

    table = normalize_arrow(raw, region, repair=repair, place=place)
    frame: pd.DataFrame = table.to_pandas(types_mapper=pd.ArrowDtype)
    return frame


def normalize_arrow(raw: Any, region: Any, *, repair: bool = True, place: Any = None) -> pa.Table:
    """`normalize` without pandas."""
    texts = _texts(raw)
    places = None if place is None else _texts(place)
    plans = numbering.plans_of(_regions(region), len(texts))
    if not repair:
        return pa.Table.from_batches(numbering.read(texts, plans))
    first, parts = 0, []
    for batch in numbering.read(texts, plans, dialable=True):
        span = slice(first, first + len(batch))
        towns = None if places is None else places[span]
        parts.append(mend(batch, texts[span], plans[span], towns))
        first += len(batch)
    return pa.Table.from_batches(parts)


def _texts(raw: Any) -> pa.Array:
    array = _array(raw)
    return array if array.type in _STRINGS else array.cast(pa.string())


def _regions(region: Any) -> pa.Array | str | None:
    if region is None or isinstance(region, str):
        return region
    array = _array(region)
    return array if pa.types.is_dictionary(array.type) or array.type in _STRINGS else array.cast(pa.string())


def _array(values: Any) -> pa.Array:
    """One Arrow array; values of several kinds, and text that UTF-8 cannot hold, as text."""
    if not isinstance(values, pa.Array | pa.ChunkedArray):
        try:
            values = pa.array(values, from_pandas=True)
        except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError):
            values = pa.array([_text(value) for value in values], pa.string())
    if isinstance(values, pa.ChunkedArray):
        values = values.chunk(0) if values.num_chunks == 1 else values.combine_chunks()
    return values


def _text(value: Any) -> str | None:
    if value is None or value != value:  # NaN is how pandas writes nothing, and differs from itself
        return None
    return str(value).encode("utf-8", "replace").decode("utf-8")
