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
