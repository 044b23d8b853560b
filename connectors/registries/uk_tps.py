"""The UK's Telephone Preference Service and its corporate twin: one number a line, national (`020...`) or with 44 (PECR 2003, reg. 21 and 26)."""

from __future__ import annotations

from typing import IO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.registries.bytes_in import portions
from connectors.registries.entries import Entries
from ringtrue.errors import FileUnreadable

_LINE = r'^"?(?:\+?44|0)(?P<number>[1-9]\d{8,9})"?(?:[,;\t].*)?\s*$'
_BLANKS = r"[ ()\-]"


def read(stream: IO[bytes], name: str) -> Entries:
    """Read a list. Raises FileUnreadable when it is truncated."""
    entries = Entries("full")
    for portion, unfinished in portions(stream):
        texts = [line for line in portion.decode("latin-1").split("\n") if line and not line.isspace()]
        if not entries.lines and texts and not any(character.isdigit() for character in texts[0]):
            texts.pop(0)
        lines = pa.array(texts, pa.string())
        parts = pc.extract_regex(pc.replace_substring_regex(lines, _BLANKS, ""), _LINE)
        kept = pc.is_valid(parts).to_numpy(zero_copy_only=False)
        if unfinished and len(kept) and not kept[-1]:
            raise FileUnreadable(f"{name} ends in the middle of a line: it is truncated. Download it again.")
        national = pc.struct_field(parts, "number").drop_null()
        digits = pc.cast(pc.binary_join_element_wise("44", national, ""), pa.int64())
        entries.add(digits.to_numpy(zero_copy_only=False).astype(np.int64))
        entries.lines += len(lines)
        entries.bad += int(len(lines) - kept.sum())
    if not entries.lines:
        raise FileUnreadable(f"{name} is empty. Download it again.")
    return entries
