"""`ringtrue check`: what would RingTrue make of these numbers?"""

from __future__ import annotations

import sys
from typing import Annotated, Any, Final

import orjson
import typer
from rich.console import Console
from rich.table import Table

from ringtrue.phone import normalize_arrow
from ringtrue.reasons import REASONS

_WIDTH: Final = 200
"""Columns where the output goes to a file or a pipe."""
SHOWN: Final = ("e164", "extension", "valid", "type", "region", "sure")


def check(
    raw: Annotated[
        list[str], typer.Argument(help="Numbers as somebody typed them; put -- before them if one begins with a dash.")
    ],
    region: Annotated[str | None, typer.Option(help="Country to read national numbers in, such as US.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per input and line.")] = False,
) -> None:
    """Show how numbers are read, and why not."""
    rows = normalize_arrow(raw, region).to_pylist()
    if as_json:
        for at, text in enumerate(raw):
            typer.echo(orjson.dumps(_answer(text, [row for row in rows if row["row"] == at])).decode())
        return
    table = Table("input", "number", "ext.", "valid", "type", "region", "reason", box=None, header_style="bold")
    for row in rows:
        number = "" if row["e164"] is None else row["e164"] if row["sure"] else f"{row['e164']} ?"
        cells = (number, row["extension"], "yes" if row["valid"] else "no", row["type"], row["region"], row["reason"])
        table.add_row(repr(raw[row["row"]]), *[cell or "" for cell in cells])
    console = Console(width=None if sys.stdout.isatty() else _WIDTH, soft_wrap=True, highlight=False, markup=False)
    console.print(table)
    for reason in dict.fromkeys(row["reason"] for row in rows if row["reason"] != "ok"):
        console.print(f"{reason}: {REASONS[reason]}")
    if not all(row["sure"] for row in rows):
        console.print("?: a suggestion for the review queue, never used unasked.")


def _answer(text: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The numbers in one text, and the reason of the first row: why it reads as it does, or why there is none."""
    numbers = [{name: row[name] for name in SHOWN} for row in rows if row["e164"] is not None]
    return {"input": text, "numbers": numbers, "reason": rows[0]["reason"]}
