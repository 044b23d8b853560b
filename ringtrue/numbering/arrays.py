"""Small tools on Arrow strings and numpy: ragged texts built without a loop."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bytes = NDArray[np.uint8]
Flags = NDArray[np.bool_]


def text_parts(texts: pa.Array) -> tuple[Bytes, Ints]:
    """The bytes of an array of strings without nulls, and where each text begins; the last entry is the end."""
    if not len(texts):
        return np.empty(0, np.uint8), np.zeros(1, np.int64)
    _, offsets, data = texts.buffers()
    kind = np.int64 if pa.types.is_large_string(texts.type) else np.int32
    ends = np.frombuffer(offsets, kind, len(texts) + 1, texts.offset * np.dtype(kind).itemsize).astype(np.int64)
    content = (
        np.frombuffer(data, np.uint8)[ends[0] : ends[-1]] if data is not None and len(data) else np.empty(0, np.uint8)
    )
    return content, ends - ends[0]


def text_sizes(texts: pa.Array) -> NDArray[np.integer]:
    """The length of each text in bytes; the texts have no nulls, or nothing behind them."""
    if not len(texts):
        return np.empty(0, np.int32)
    kind = np.int64 if pa.types.is_large_string(texts.type) else np.int32
    ends = np.frombuffer(texts.buffers()[1], kind, len(texts) + 1, texts.offset * np.dtype(kind).itemsize)
    return np.diff(ends)


def starts_of(lengths: Ints) -> Ints:
    """Where runs of these lengths begin when laid end to end; the last entry is the end."""
    return np.concatenate(([0], np.cumsum(lengths, dtype=np.int64)))


def runs(starts: Ints, lengths: Ints) -> Ints:
    """The positions of ragged runs, one after the other: run i is starts[i], starts[i] + 1, ..."""
    places = starts_of(lengths)
    return np.arange(places[-1]) + np.repeat(starts - places[:-1], lengths)


def strings(content: Bytes, offsets: Ints, known: Flags | None = None) -> pa.Array:
    """An array of strings from its parts."""
    validity = None if known is None else pa.py_buffer(np.packbits(known, bitorder="little"))
    buffers = [validity, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(np.ascontiguousarray(content))]
    return pa.Array.from_buffers(pa.string(), len(offsets) - 1, buffers)


def decoded(texts: pa.Array) -> list[str]:
    """The texts as Python strings, null as empty; bytes that are no UTF-8, which Arrow does not forbid, as the replacement character."""
    wide = pa.types.is_large_string(texts.type)
    raw = texts.cast(pa.large_binary() if wide else pa.binary()).to_pylist()
    return [(text or b"").decode("utf-8", "replace") for text in raw]
