"""Which of the encodings that spreadsheets save a text file is in. Guesses between five and refuses the rest.

Order: a byte order mark; NUL bytes at every second place (UTF-16 without a mark); strict UTF-8 over the whole file; then GB18030 or
Windows-1252, told apart by how bytes above 0x7F stand: in Chinese they come in pairs, in Western text alone between ASCII letters.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ringtrue.errors import FileUnreadable

BLOCK = 1 << 20
SAMPLE = 1 << 18
SURE_BYTES = 40
ADVICE = "Save it as CSV UTF-8."

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_HIGH_RUN = re.compile(rb"[\x80-\xff]+")
_GB_PAIR = re.compile(rb"[\xa1-\xf7][\xa1-\xfe]")
_CHINESE = re.compile("[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]")


class Encoding(NamedTuple):
    """A codec name, and whether the text holds NUL characters that must be dropped."""

    name: str
    has_nul: bool = False


def sniff_encoding(path: Path) -> Encoding:
    """Find the encoding of a text file in bounded memory. Raises FileUnreadable when none of the five fits."""
    with path.open("rb") as file:
        head = file.read(SAMPLE)
    for mark, name in _MARKS:
        if head.startswith(mark):
            return Encoding(name)
    if not head:
        raise FileUnreadable(f"{path.name} is empty.")
    if wide := _utf16_without_mark(head):
        return Encoding(wide)
    if head.count(0) > len(head) // 100:
        raise FileUnreadable(f"{path.name} is not a text file. {ADVICE}")
    utf8, has_nul = _is_utf8(path)
    if utf8:
        return Encoding("utf-8", has_nul)
    high = b"\n".join(_lines_with_high_bytes(path))
    if _is_chinese(high):
        return Encoding("gb18030", has_nul)
    if _is_western(high):
        return Encoding("cp1252", has_nul)
    raise FileUnreadable(f"{path.name} is in none of the encodings UTF-8, UTF-16, Windows-1252 and GB18030. {ADVICE}")


def _utf16_without_mark(head: bytes) -> str | None:
    even, odd = head[0::2].count(0), head[1::2].count(0)
    half = max(len(head) // 2, 1)
    if odd > half * 0.4 and even < half * 0.1:
        return "utf-16-le"
    if even > half * 0.4 and odd < half * 0.1:
        return "utf-16-be"
    return None


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            yield block


def _is_utf8(path: Path) -> tuple[bool, bool]:
    decoder = codecs.getincrementaldecoder("utf-8")()
    has_nul = False
    try:
        for block in _blocks(path):
            has_nul = has_nul or b"\0" in block
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False, any(b"\0" in block for block in _blocks(path))
    return True, has_nul


def _lines_with_high_bytes(path: Path) -> Iterator[bytes]:
    """Lines that are not plain ASCII, up to the sample's size, from anywhere in the file."""
    taken = 0
    with path.open("rb") as file:
        while (line := file.readline(BLOCK)) and taken < SAMPLE:
            if not line.isascii():
                taken += len(line)
                yield line


def _is_chinese(text: bytes) -> bool:
    try:
        decoded = text.decode("gb18030")
    except UnicodeDecodeError:
        return False
    high = sum(len(run) for run in _HIGH_RUN.findall(text))
    # Bytes of Chinese characters spread over the whole range; Cyrillic and Greek letters of other encodings all lie in its upper part.
    low = sum(byte < 0xC0 for run in _HIGH_RUN.findall(text) for byte in run)
    if high >= SURE_BYTES and low < 0.15 * high:
        return False
    paired = sum(len(pair) for run in _HIGH_RUN.findall(text) for pair in _GB_PAIR.findall(run))
    beyond = sum(not character.isascii() for character in decoded)
    return paired >= 0.8 * high and len(_CHINESE.findall(decoded)) >= 0.8 * beyond


def _is_western(text: bytes) -> bool:
    try:
        decoded = text.decode("cp1252")
    except UnicodeDecodeError:
        return False
    runs = [len(run) for run in _HIGH_RUN.findall(text)]
    alone = sum(length == 1 for length in runs)
    beyond = [character for character in decoded if not character.isascii()]
    letters = sum(
        character.isalpha() or character in "\u00a0\u2013\u2014\u2018\u2019\u201c\u201d\u20ac\u00b0\u00a7"
        for character in beyond
    )
    return alone >= 0.7 * len(runs) and letters >= 0.7 * len(beyond)
