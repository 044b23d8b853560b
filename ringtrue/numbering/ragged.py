"""Columns put together from parts: rows of a batch replaced by others, texts filled in from templates; by the kernel, or by numpy."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ringtrue.numbering import native
from ringtrue.numbering.arrays import Ints, runs, starts_of, strings, text_parts
from ringtrue.numbering.native import KERNEL

DIGIT = 256
"""In a template code points below this stand for themselves, this + i for digit i of the field."""
_SLACK = 8
"""Bytes behind the end of a bitmap, so that the kernel can write eight at once."""


class Templates(NamedTuple):
    """Texts to be filled in, laid end to end."""

    codes: NDArray[np.int16]
    places: Ints
    """Where each begins; the last entry is the end."""


def spliced(batch: pa.RecordBatch, new: pa.RecordBatch, starts: Ints, ends: Ints) -> pa.RecordBatch:
    """Rows starts[j] to ends[j] of the batch, then row j of the new one, and so on; a last run has no new row behind it."""
    if KERNEL and all(column.offset == 0 for column in (*batch.columns, *new.columns)):
        rows = int((ends - starts).sum()) + len(new)
        columns = [
            _spliced(old, column, starts, ends, rows) for old, column in zip(batch.columns, new.columns, strict=True)
        ]
        return pa.RecordBatch.from_arrays(columns, schema=batch.schema)
    kept = runs(starts, ends - starts)
    place = np.insert(kept, np.cumsum(ends - starts)[:-1], len(batch) + np.arange(len(new)))
    return pa.Table.from_batches([batch, new]).take(pa.array(place)).combine_chunks().to_batches()[0]


def _spliced(old: pa.Array, new: pa.Array, starts: Ints, ends: Ints, rows: int) -> pa.Array:
    kind = old.type
    if pa.types.is_dictionary(kind):
        return pa.DictionaryArray.from_arrays(
            _spliced(old.indices, new.indices, starts, ends, rows), old.dictionary, safe=False
        )
    known = None
    if old.null_count or new.null_count:
        known = _put(0, _validity(old), _validity(new), starts, ends, rows)
    before, after = old.buffers(), new.buffers()
    if not pa.types.is_string(kind):
        width = 0 if pa.types.is_boolean(kind) else kind.bit_width // 8
        return pa.Array.from_buffers(kind, rows, [known, _put(width, before[1], after[1], starts, ends, rows)])
    offsets = pa.allocate_buffer(4 * (rows + 1))
    before_text, after_text = before[2] or pa.py_buffer(b""), after[2] or pa.py_buffer(b"")
    text = pa.allocate_buffer(before_text.size + after_text.size)
    used = native.kernel.splice(-1, before[1], before_text, after[1], after_text, starts, ends, offsets, text)
    return pa.StringArray.from_buffers(rows, offsets, text.slice(0, used), known)


def _validity(column: pa.Array) -> pa.Buffer:
    return column.buffers()[0] or pa.py_buffer(b"\xff" * -(-len(column) // 8))


def _put(width: int, old: pa.Buffer, new: pa.Buffer, starts: Ints, ends: Ints, rows: int) -> pa.Buffer:
    """Values of a width in bytes; a width of 0 is a bit."""
    out = pa.allocate_buffer(rows * width if width else -(-rows // 8) + _SLACK)
    native.kernel.splice(width, old, b"", new, b"", starts, ends, out, bytearray())
    return out


def filled(texts: pa.Array, templates: Templates, fields: Ints, which: Ints) -> pa.Array:
    """For each entry the template `which`, with the digits of the text `fields`."""
    lengths = np.diff(templates.places)[which]
    size = int(lengths.sum())
    if KERNEL and size:
        _, offsets, data = texts.buffers()
        wide = pa.types.is_large_string(texts.type)
        out, text = pa.allocate_buffer(4 * (len(which) + 1)), pa.allocate_buffer(size)
        native.kernel.fill(
            data or b"", offsets, wide, texts.offset, fields, which, templates.codes, templates.places, out, text
        )
        return pa.StringArray.from_buffers(len(which), out, text)
    codes = templates.codes[runs(templates.places[:-1][which], lengths)]
    content, offsets = text_parts(texts)
    is_digit = (content >= ord("0")) & (content <= ord("9"))
    first_digit = starts_of(is_digit.astype(np.int64))[offsets[:-1]]
    copied = codes >= DIGIT
    places = np.repeat(first_digit[fields], lengths)[copied] + codes[copied] - DIGIT
    codes[copied] = content[is_digit][places]
    return strings(codes.astype(np.uint8), starts_of(lengths))
