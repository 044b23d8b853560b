"""Reads one registry file as its settings say, and refuses it whole when it is not what they say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from connectors.registries import canada, generic, uk_tps, us_national
from connectors.registries.bytes_in import fingerprint, unpacked
from connectors.registries.entries import Entries
from ringtrue.errors import FileUnreadable
from ringtrue.registry_settings import RegistrySettings

_DATE = re.compile(r"(?<!\d)(20\d{2})[-_.]?(0[1-9]|1[0-2])[-_.]?(0[1-9]|[12]\d|3[01])(?!\d)")
_BY_AREA = frozenset({"us_national", "us_state", "canada"})
_TABLES = frozenset({".xlsx", ".xlsm"})


class RegistryFile(NamedTuple):
    """A registry file that was read to its end. `parts` are its area codes; one empty text where the whole registry is one list."""

    path: Path
    sha256: str
    list_date: int
    """Milliseconds: the newest moment a change list names, else the date in the file's name, else when the file was written."""
    parts: dict[str, int]
    entries: Entries

    @property
    def form(self) -> str:
        return self.entries.form


@contextmanager
def read_registry(path: Path, settings: RegistrySettings, now: datetime) -> Iterator[RegistryFile]:
    """Read a file. Raises FileUnreadable with one sentence: truncated, wrong kind, area codes not subscribed, dated in the future."""
    entries = _entries(path, settings)
    try:
        if not entries.lines or entries.bad > settings.bad_share * entries.lines:
            raise FileUnreadable(
                f"{path.name} is no {_WORDS[settings.kind]}: {entries.bad:,} of {entries.lines:,} lines are not its numbers. "
                "Check that it is the right file, or download it again."
            )
        parts = {f"{code:03}": count for code, count in sorted(entries.area_codes.items())} or {"": entries.lines}
        foreign = (
            sorted(set(parts) - set(settings.area_codes)) if settings.area_codes and settings.kind in _BY_AREA else []
        )
        if foreign:
            raise FileUnreadable(
                f"{path.name} holds area code {foreign[0]}{' and others' if len(foreign) > 1 else ''}, which the subscription does not cover. "
                "Correct `area_codes`, or take the file out of the folder."
            )
        yield RegistryFile(path, fingerprint(path), _list_date(path, entries, now), parts, entries)
    finally:
        entries.close()


_WORDS: dict[str, str] = {
    "us_national": "list of the US National Do Not Call Registry",
    "us_state": "list of US numbers",
    "litigator": "list of numbers",
    "uk_tps": "list of UK numbers",
    "uk_ctps": "list of UK numbers",
    "canada": "list of Canadian numbers",
    "france": "list of numbers",
    "registry": "list of numbers",
}


def _entries(path: Path, settings: RegistrySettings) -> Entries:
    if settings.column is not None or path.suffix.lower() in _TABLES:
        if settings.column is None:
            raise FileUnreadable(f"{path.name} is a table: name the column with the numbers in `column`.")
        return generic.read_table(path, settings.column, settings.country)
    with unpacked(path) as stream:
        match settings.kind:
            case "us_national" | "us_state":
                return us_national.read(stream, path.name)
            case "canada":
                return canada.read(stream, path.name)
            case "uk_tps" | "uk_ctps":
                return uk_tps.read(stream, path.name)
            case _:
                return generic.read(stream, path.name, settings.country)


def file_date(path: Path) -> datetime:
    """The date in a file's name, else when it was written. Raises FileUnreadable for a date that does not exist."""
    named = _DATE.search(path.name)
    if named is None:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    try:
        year, month, day = map(int, named.groups())
        return datetime(year, month, day, tzinfo=UTC)
    except ValueError:
        raise FileUnreadable(f"{path.name} bears a date that does not exist. Rename it.") from None


def _list_date(path: Path, entries: Entries, now: datetime) -> int:
    moment = datetime.fromtimestamp(entries.newest / 1000, UTC) if entries.newest is not None else file_date(path)
    if moment > now + timedelta(days=1):
        raise FileUnreadable(
            f"{path.name} is dated {moment:%Y-%m-%d}, in the future. Correct its date, or download it again."
        )
    return int(moment.timestamp() * 1000)
