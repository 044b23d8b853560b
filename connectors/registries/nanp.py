"""Lists of North American numbers as the US and Canadian registries hand them out: flat text or tagged XML, full or changes.

Flat, full: `202,5551234` or `2025551234`. Flat, changes: area code, number, moment, `A` or `D`. XML: any element whose `val` has seven or ten
digits is a number (seven with the area code of the element around it), `type="A"` or `"D"` makes it a change. FTC, "Complying with the
Telemarketing Sales Rule"; the exact columns of the change list are not published, so every such shape is taken.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, datetime
from typing import IO
from xml.parsers import expat

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.registries.bytes_in import portions
from connectors.registries.entries import Entries, Form
from ringtrue.errors import FileUnreadable

_LINE = r'^"?(?P<area>[2-9]\d{2})"?,?"?(?P<line>\d{7})"?(?:,"?(?P<when>[^",]*)"?(?:,"?(?P<change>[ADad]?)"?)?)?(?:,[^\r\n]*)?\s*$'
_FLAGGED = re.compile(rb'^"?[2-9]\d{2}"?,?"?\d{7}"?,(?:"?[^",]*"?,)?"?[ADad]"?\s*(?:,.*)?$')
_SHORT = r'^"?(?P<area>[2-9]\d{2})"?,?"?(?P<line>\d{7})"?,"?(?P<change>[ADad])"?\s*$'
_DATA = re.compile(rb"\d{7}")
_COUNTRY = 10_000_000_000
_AREA = 10_000_000
_XML_PORTION = 200_000


def read_nanp(stream: IO[bytes], name: str, areas: Collection[int]) -> Entries:
    """Read a list; numbers outside `areas` (the country's area codes) count as bad. Raises FileUnreadable."""
    first = stream.peek(512)[:512] if hasattr(stream, "peek") else b""
    return (
        _read_xml(stream, name, areas)
        if first.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")
        else _read_flat(stream, name, areas)
    )


def _read_flat(stream: IO[bytes], name: str, areas: Collection[int]) -> Entries:
    entries: Entries | None = None
    wanted = pa.array(sorted(areas), pa.int64())
    for portion, unfinished in portions(stream):
        if b"\x00" in portion:
            raise FileUnreadable(f"{name} is no text. Download the flat or the XML list of the registry.")
        lines = portion.decode("latin-1").split("\n")
        if entries is None:
            while lines and (not lines[0].strip() or not _DATA.search(lines[0].encode("latin-1"))) and len(lines) > 1:
                lines.pop(0)
            sample = next((line for line in lines if line.strip()), "").encode("latin-1")
            entries = Entries("change" if _FLAGGED.match(sample.strip()) else "full")
        table = pa.array([line for line in lines if line and not line.isspace()], pa.string())
        _take(entries, table, wanted, name, unfinished)
    if entries is None:
        raise FileUnreadable(f"{name} is empty. Download it again.")
    return entries


def _take(entries: Entries, lines: pa.Array, areas: pa.Array, name: str, unfinished: bool) -> None:
    parts = pc.extract_regex(lines, _LINE)
    change = pc.struct_field(parts, "change")
    if entries.form == "change":
        short = pc.extract_regex(lines, _SHORT)
        change = pc.if_else(pc.is_valid(short), pc.struct_field(short, "change"), change)
    area = pc.cast(pc.struct_field(parts, "area"), pa.int64())
    number = pc.cast(pc.struct_field(parts, "line"), pa.int64())
    good = pc.and_(pc.is_valid(parts), pc.is_in(area, areas))
    flagged = pc.not_equal(pc.fill_null(change, ""), "")
    good = pc.and_(pc.fill_null(good, False), flagged if entries.form == "change" else pc.invert(flagged))
    kept = good.to_numpy(zero_copy_only=False)
    entries.lines += len(lines)
    entries.bad += int(len(lines) - kept.sum())
    if unfinished and len(kept) and not kept[-1]:
        raise FileUnreadable(f"{name} ends in the middle of a line: it is truncated. Download it again.")
    codes = area.filter(good).to_numpy(zero_copy_only=False).astype(np.int64)
    numbers = _COUNTRY + codes * _AREA + number.filter(good).to_numpy(zero_copy_only=False).astype(np.int64)
    found, counts = np.unique(codes, return_counts=True)
    entries.area_codes.update(dict(zip(found.tolist(), counts.tolist(), strict=True)))
    if entries.form == "full":
        entries.add(numbers)
        return
    letters = pc.utf8_upper(change.filter(good)).to_numpy(zero_copy_only=False)
    entries.add_changes(numbers, letters == "D")
    newest = _newest(pc.struct_field(parts, "when").filter(good))
    if newest is not None:
        entries.newest = max(entries.newest or 0, newest)


def _newest(moments: pa.Array) -> int | None:
    """The latest ISO 8601 moment of a column of texts; years sort as text."""
    dated = moments.filter(pc.match_substring_regex(moments, r"^\d{4}-\d{2}-\d{2}"))
    latest = pc.max(dated).as_py() if len(dated) else None
    return _moment(latest) if latest else None


def _moment(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


class _Tags:
    """Collects numbers from XML elements as they open."""

    def __init__(self, name: str, areas: Collection[int]) -> None:
        self._name = name
        self._areas = frozenset(areas)
        self._area: int | None = None
        self._numbers: list[int] = []
        self._removed: list[bool] = []
        self.entries: Entries | None = None
        self.newest: str = ""

    def open(self, _tag: str, attributes: dict[str, str]) -> None:
        value = attributes.get("val", "")
        if len(value) == 3 and value.isdigit():
            self._area = int(value)
        elif len(value) in (7, 10) and value.isdigit():
            self._number(value, attributes.get("type", "").upper(), attributes.get("ts", ""))

    def _number(self, value: str, kind: str, moment: str) -> None:
        if self.entries is None:
            self.entries = Entries("change" if kind in ("A", "D") else "full")
        entries = self.entries
        entries.lines += 1
        area = int(value[:3]) if len(value) == 10 else self._area
        if area is None or area not in self._areas or (entries.form == "change") != (kind in ("A", "D")):
            entries.bad += 1
            return
        entries.area_codes[area] += 1
        self._numbers.append(_COUNTRY + area * _AREA + int(value[-7:]))
        self._removed.append(kind == "D")
        self.newest = max(self.newest, moment)
        if len(self._numbers) >= _XML_PORTION:
            self.flush()

    def flush(self) -> None:
        if self.entries is None or not self._numbers:
            return
        numbers = np.array(self._numbers, np.int64)
        if self.entries.form == "full":
            self.entries.add(numbers)
        else:
            self.entries.add_changes(numbers, np.array(self._removed, np.bool_))
        self._numbers, self._removed = [], []

    def refuse_entities(self, *_: object) -> None:
        raise FileUnreadable(f"{self._name} defines XML entities, which a registry never does. Download it again.")


def _read_xml(stream: IO[bytes], name: str, areas: Collection[int]) -> Entries:
    tags = _Tags(name, areas)
    parser = expat.ParserCreate()
    parser.StartElementHandler = tags.open
    parser.EntityDeclHandler = tags.refuse_entities
    try:
        parser.ParseFile(stream)
    except expat.ExpatError as error:
        raise FileUnreadable(f"{name} is truncated or no XML ({error}). Download it again.") from error
    tags.flush()
    if tags.entries is None:
        raise FileUnreadable(f"{name} holds no numbers. Download the full or the change list of the registry.")
    tags.entries.newest = _moment(tags.newest) if tags.newest else None
    return tags.entries


__all__ = ["Form", "read_nanp"]
