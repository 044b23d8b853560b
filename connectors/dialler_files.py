"""Call history from a dialler's export, CSV or Excel. Layouts are data: ringtrue/data/diallers/layouts.toml, or columns from the settings."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from functools import cache
from hashlib import blake2b
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from connectors.table_files import RejectedRow, TableFile, TableRow
from ringtrue.errors import FileUnreadable
from ringtrue.records import PulledCall

PAGE_SIZE = 1_000
_ROLES = ("call_id", "number", "number_when_inbound", "outcome", "label", "started_at", "duration", "notes", "trunk", "cause", "record", "direction")  # fmt: skip
_CLOCK = re.compile(r"^(?:(\d+):)?(\d{1,2}):(\d{2})(?:\.\d+)?$")


class CallFilePage(NamedTuple):
    """A batch of calls and of the rows that cannot be used."""

    calls: list[PulledCall]
    rejected: list[RejectedRow]


class Layout(NamedTuple):
    """Which columns of an export hold what."""

    name: str
    namespace: str
    columns: Mapping[str, int]
    times: tuple[str, ...]
    ignored: tuple[str, ...]


def _plain(name: str) -> str:
    return re.sub(r"[\s._-]+", "", name).casefold()


@cache
def _layouts() -> tuple[dict[str, Any], ...]:
    text = files("ringtrue").joinpath("data/diallers/layouts.toml").read_text(encoding="utf-8")
    return tuple(tomllib.loads(text)["layout"])


def find_layout(columns: Sequence[str], mapping: Mapping[str, str], file_name: str) -> Layout:
    """The layout that fits the columns, with the settings' own mapping (role -> column) on top.

    Raises FileUnreadable when the number, the outcome or the date cannot be found.
    """
    place = {_plain(name): position for position, name in reversed(list(enumerate(columns)))}
    for given in mapping.values():
        if _plain(given) not in place:
            raise FileUnreadable(
                f"{file_name} has no column {given!r}: correct the mapping under [connections.files.call_columns]."
            )
    fitting = next(layout for layout in _layouts() if all(_plain(name) in place for name in layout["signature"]))
    found: dict[str, int] = {}
    for role in _ROLES:
        names = [mapping[role]] if role in mapping else fitting.get(role, [])
        position = next((place[_plain(name)] for name in names if _plain(name) in place), None)
        if position is not None:
            found[role] = position
    missing = [role for role in ("number", "outcome", "started_at") if role not in found]
    if missing:
        raise FileUnreadable(
            f"{file_name}: no column for {', '.join(missing)} was recognised among {', '.join(columns[:12])}. "
            "Name it under [connections.files.call_columns]."
        )
    used = set(found.values())
    ignored = tuple(name for position, name in enumerate(columns) if position not in used)
    return Layout(fitting["name"], fitting["namespace"], found, tuple(fitting["times"]), ignored)


class DiallerFile:
    """One export. The same row in a later export is the same call: its id, else a hash of number, time and outcome."""

    def __init__(self, path: Path, *, mapping: Mapping[str, str] | None = None, timezone: str = "UTC") -> None:
        self.table = TableFile(path)
        self.layout = find_layout(self.table.columns, mapping or {}, path.name)
        self._zone: tzinfo = ZoneInfo(timezone)

    def fingerprint(self) -> str:
        """SHA-256 of the file: the same file needs no second import."""
        return self.table.fingerprint()

    def pull(self) -> Iterator[CallFilePage]:
        """Stream all rows; calls plus rejected rows are the rows of the file."""
        calls: list[PulledCall] = []
        rejected: list[RejectedRow] = []
        for row in self.table.rows():
            read = self._read(row) if isinstance(row, TableRow) else row
            if isinstance(read, PulledCall):
                calls.append(read)
            else:
                rejected.append(read)
            if len(calls) + len(rejected) >= PAGE_SIZE:
                yield CallFilePage(calls, rejected)
                calls, rejected = [], []
        if calls or rejected:
            yield CallFilePage(calls, rejected)

    def _read(self, row: TableRow) -> PulledCall | RejectedRow:
        def cell(role: str) -> str | None:
            position = self.layout.columns.get(role)
            return (row.cells[position].strip() or None) if position is not None else None

        direction = (cell("direction") or "outbound").casefold()
        inbound = "inbound" in direction
        number = (cell("number_when_inbound") if inbound else None) or cell("number")
        if not number:
            return RejectedRow(row.line, "It names no number.")
        moment = self._moment(cell("started_at"))
        if moment is None:
            return RejectedRow(row.line, "Its date cannot be read.")
        outcome = cell("outcome")
        identity = cell("call_id") or blake2b(f"{number}\0{moment}\0{outcome}".encode(), digest_size=12).hexdigest()
        record = cell("record")
        return PulledCall(
            call_id=identity,
            contact_ids=(record,) if record else (),
            number=number,
            outcome=outcome,
            label=cell("label"),
            status=None,
            direction="inbound" if inbound else "outbound",
            duration_seconds=_seconds(cell("duration")),
            notes=cell("notes"),
            started_at=moment,
            modified_at=moment,
            trunk=cell("trunk"),
            cause=cell("cause"),
        )

    def _moment(self, text: str | None) -> datetime | None:
        if not text:
            return None
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            for form in self.layout.times:
                try:
                    moment = datetime.strptime(text, form)  # noqa: DTZ007 the zone is set below
                    break
                except ValueError:
                    continue
            else:
                return None
        return moment.replace(tzinfo=moment.tzinfo or self._zone).astimezone(UTC)


def _seconds(text: str | None) -> float | None:
    """Seconds of a duration written as seconds or as a clock (1:02:03, 02:03)."""
    if text is None:
        return None
    clock = _CLOCK.match(text)
    if clock:
        hours, minutes, seconds = (int(part or 0) for part in clock.groups())
        return float(hours * 3600 + minutes * 60 + seconds)
    try:
        return float(text)
    except ValueError:
        return None
