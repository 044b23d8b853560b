from typing_extensions import Buffer

def read(
    tables: Buffer,
    data: Buffer,
    offsets: Buffer,
    wide: bool,
    validity: Buffer | None,
    first: int,
    count: int,
    plans: Buffer,
    codes: Buffer,
    e164: Buffer,
    extensions: Buffer,
    bits: Buffer,
    reasons: Buffer,
    slow: Buffer,
    /,
) -> int: ...
def plans(
    tables: Buffer,
    data: Buffer,
    offsets: Buffer,
    wide: bool,
    validity: Buffer | None,
    first: int,
    count: int,
    out: Buffer,
    /,
) -> None: ...
