"""`ringtrue replay`: what another policy would have decided over the stored evidence. Nothing is written."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from app.console import out, print_json
from assets.deciding import Deciding, deciding, policy_of
from assets.stage import BATCH, now_ms
from connectors.resources import open_ledger
from ringtrue.errors import SettingsError
from ringtrue.ledger import decisions
from ringtrue.policy import Policy
from ringtrue.settings import load_settings


def read_policy(path: Path) -> Policy:
    """A policy from a TOML file: the values of its [policy] table, or its top level. Raises SettingsError."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"The policy file {path} cannot be read: {error}.") from error
    return Policy.from_mapping(values.get("policy", values))


def moves(way: Deciding) -> Counter[tuple[str, str]]:
    """Numbers by (status now, status if decided this way)."""
    counted = Counter[tuple[str, str]]()
    after = ""
    while True:
        with way.ledger.read() as book:
            numbers = decisions.numbers_after(book, after, BATCH)
            if not numbers:
                return counted
            known = way.evidence(book, numbers)
            current = decisions.current_statuses(book, numbers)
        after = numbers[-1]
        decided = way.decided(known)
        whole = decided[decided["contact"].isna()]
        counted.update(
            (current.get(str(number), "none"), str(status))
            for number, status in zip(whole["number"], whole["status"], strict=True)
        )


def replay(
    policy: Annotated[
        Path | None, typer.Option(help="TOML file with [policy] values; the settings' own by default.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show as a table of moves what another policy would decide today. Writes nothing."""
    settings = load_settings()
    chosen = read_policy(policy) if policy else policy_of(settings)
    ledger = open_ledger(settings)
    try:
        way = deciding(ledger, settings, now_ms(), policy=chosen, learn=False)
        counted = moves(way)
    finally:
        ledger.close()
    rows = [
        {"from": before, "to": after, "numbers": count}
        for (before, after), count in sorted(counted.items(), key=lambda item: (item[0][0] == item[0][1], -item[1]))
    ]
    if as_json:
        print_json({"policy": way.version, "moves": rows})
        return
    table = Table("now", "under this policy", "numbers", title=f"Policy {way.version}", title_justify="left")
    for row in rows:
        table.add_row(
            str(row["from"]), str(row["to"]) if row["to"] != row["from"] else "(stays)", f"{row['numbers']:,}"
        )
    out.print(table if rows else "The ledger holds no numbers yet.")
