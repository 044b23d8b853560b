"""Registry files as regulators hand them out. Numbers are fiction or libphonenumber's examples."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

TODAY = datetime(2026, 11, 24, 12, tzinfo=UTC)
NOW = int(TODAY.timestamp() * 1000)


def day(ago: int) -> str:
    """The date of some days ago, as in file names."""
    return (TODAY - timedelta(days=ago)).strftime("%Y-%m-%d")


def flat(folder: Path, area: str, lines: Iterable[str], *, ago: int = 1, comma: bool = True) -> Path:
    """A flat full list of one area code."""
    path = folder / f"full_{area}_{day(ago)}.txt"
    path.write_text("".join(f"{area}{',' if comma else ''}{line}\r\n" for line in lines))
    return path


def changes(folder: Path, rows: Iterable[tuple[str, str, str]], *, ago: int = 0) -> Path:
    """A flat change list: (area code, number, A or D)."""
    path = folder / f"change_{day(ago)}.txt"
    path.write_text("".join(f"{area},{line},{day(ago)}T04:11:00,{what}\n" for area, line, what in rows))
    return path


def xml(folder: Path, area: str, lines: Iterable[str], *, kind: str = "full", what: str = "", ago: int = 1) -> Path:
    """A tagged list of one area code."""
    path = folder / f"{kind}_{area}_{day(ago)}.xml"
    flag = f' type="{what}" ts="{day(ago)}T04:11:00"' if what else ""
    body = "".join(f'<ph val="{line}"{flag}/>' for line in lines)
    path.write_text(
        f'<?xml version="1.0"?><list type="{kind}" level="ac" val="{area}"><ac val="{area}">{body}</ac></list>'
    )
    return path


def fiction(first: int, count: int) -> list[str]:
    """Seven-digit numbers, from 5550000 + first on."""
    return [f"{5_550_000 + first + place}" for place in range(count)]
