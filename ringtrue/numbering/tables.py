"""The kernel's tables in one file: made once for a phonenumbers version, a Python version and this builder, then read from the cache."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import unicodedata
import zlib
from pathlib import Path
from typing import Final

import numpy as np
import phonenumbers

from ringtrue.numbering.listed import listed_text, repeated

_SOURCES: Final = ("regex.py", "automata.py", "text.py", "names.py", "listed.py", "builder.py", "tables.py")
_ALIGNMENT: Final = 64
_HEAD: Final = 21
_REWRITE: Final = 29


def load() -> bytes:
    """The tables, from the cache when it holds exactly these; otherwise built, and cached where the folder can be written."""
    path = _cache_folder() / f"numbers-{_key()}.bin"
    try:
        found = path.read_bytes()
    except OSError:
        found = b""
    if len(found) > 4 and zlib.crc32(found[4:]) == int.from_bytes(found[:4], "little"):
        return found[4:]
    tables = build()
    try:
        _write(path, zlib.crc32(tables).to_bytes(4, "little") + tables)
    except OSError:
        return tables
    return tables


def build() -> bytes:
    """Compile the installed phonenumbers' metadata and patterns."""
    from ringtrue.numbering.builder import NO_REGION, NumberTables
    from ringtrue.numbering.text import TextTables

    text, numbers = TextTables(), NumberTables()
    pages, page_of = np.unique(text.class_of.reshape(-1, 256), axis=0, return_inverse=True)
    outcomes = [
        bytes((prefix.matched, prefix.end, len(prefix.rewrite), *prefix.rewrite)).ljust(_REWRITE + 3, b"\0")
        for prefix in numbers.outcomes
    ]
    plans = np.zeros(len(numbers.plans), "<u2, <u2, <u2, <u2, <u2, u1, u1, (4,)u1, (24,)u1")
    for at, plan in enumerate(numbers.plans):
        digits = [int(digit) for digit in str(plan.code)]
        plans[at] = (*plan[:5], plan.slow, len(digits), (digits + [0] * 4)[:4], plan.lengths)
    of_code = np.full(1000, 0xFFFF, "<u2")
    of_code[list(numbers.plan_of_code)] = list(numbers.plan_of_code.values())
    of_letters = np.full(1024, -1, "<i2")
    for region, at in numbers.plan_of_region.items():
        if region.isalpha():
            of_letters[(ord(region[0]) & 31) << 5 | (ord(region[1]) & 31)] = at
    sections = [
        page_of.astype("u1"),
        pages.astype("u1"),
        text.digit,
        text.key,
        text.ascii,
        np.array(text.viable.accepts, "u1"),
        np.array(text.extension.accepts, "u1"),
        text.flags.astype("<u2"),
        np.array(text.viable.rows, "<u2"),
        np.array(text.extension.rows, "<u2"),
        np.array(numbers.digits.children, "<u2"),
        np.array(numbers.digits.labels, "<u2"),
        np.array(numbers.prefixes.rows, "<u2"),
        of_code,
        of_letters,
        b"".join(outcomes),
        plans,
    ]
    if len(numbers.digits.children) > 0xFFFF or len(pages) > 256 or max(map(len, outcomes)) > _REWRITE + 3:
        raise OverflowError("phonenumbers' metadata has outgrown the kernel's tables; ringtrue needs an update.")
    return _join(
        [section if isinstance(section, bytes) else section.tobytes() for section in sections],
        text.classes,
        NO_REGION,
        repeated(),
    )


def _join(sections: list[bytes], *numbers: int) -> bytes:
    place = -(-4 * _HEAD // _ALIGNMENT) * _ALIGNMENT
    head, body = [], bytearray()
    for section in sections:
        head.append(place)
        padded = section.ljust(-(-len(section) // _ALIGNMENT) * _ALIGNMENT, b"\0")
        place += len(padded)
        body += padded
    head += [*numbers, place]
    return np.array(head, "<u4").tobytes().ljust(head[0], b"\0") + bytes(body)


def _key() -> str:
    here = Path(__file__).parent
    parts = [phonenumbers.__version__, sys.version, unicodedata.unidata_version, sys.byteorder]
    parts += [(here / name).read_text(encoding="utf-8") for name in _SOURCES]
    parts.append(listed_text())
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path("~/.cache").expanduser()) / "ringtrue"


def _write(path: Path, content: bytes) -> None:
    """Under another name first, so that a process that builds at the same time never reads half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
