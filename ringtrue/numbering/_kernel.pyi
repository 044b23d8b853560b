import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Buffers = bytes | pa.Buffer | NDArray[np.generic]

def read(
    tables: Buffers,
    data: Buffers,
    offsets: Buffers,
    wide: bool,
    validity: Buffers | None,
    first: int,
    count: int,
    plans: Buffers,
    codes: Buffers,
    e164: Buffers,
    extensions: Buffers,
    bits: Buffers,
    reasons: Buffers,
    slow: Buffers,
    /,
) -> int: ...
def plans(
    tables: Buffers,
    data: Buffers,
    offsets: Buffers,
    wide: bool,
    validity: Buffers | None,
    first: int,
    count: int,
    out: Buffers,
    /,
) -> None: ...
def splice(
    width: int,
    old: Buffers,
    old_text: Buffers,
    new: Buffers,
    new_text: Buffers,
    starts: Buffers,
    ends: Buffers,
    out: Buffers | bytearray,
    out_text: Buffers | bytearray,
    /,
) -> int: ...
def fill(
    data: Buffers,
    offsets: Buffers,
    wide: bool,
    first: int,
    fields: Buffers,
    which: Buffers,
    codes: Buffers,
    places: Buffers,
    out: Buffers,
    out_text: Buffers,
    /,
) -> int: ...
def mend(
    tables: Buffers,
    data: Buffers,
    offsets: Buffers,
    first: int,
    count: int,
    plans: Buffers,
    first_groups: Buffers,
    old: Buffers,
    zeros: Buffers,
    reasons: Buffers,
    sure: Buffers,
    out: Buffers,
    out_text: Buffers,
    /,
) -> int: ...
