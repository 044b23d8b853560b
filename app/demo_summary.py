"""What `make demo` prints at the end: what was pulled, found, changed and spent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table

from app.lookups import spend_table
from app.sync import Ran
from assets.planner import fields_by_object
from connectors.resources import open_ledger
from ringtrue.ledger import decisions, spend
from ringtrue.ledger import shown as shown_by
from ringtrue.records import STATUSES
from ringtrue.sentences import labels
from ringtrue.settings import Settings

LINES = (
    "contacts pulled",
    "of them new",
    "numbers found",
    "records changed",
    "fields changed",
    "flagged do-not-call",
    "refused by the CRM",
    "API calls",
)


def count(ran: Ran, stage: str, name: str) -> int:
    """A count that a stage of a run left in its metadata; 0 where it did not run."""
    value = ran.metadata.get(stage, {}).get(name, 0)
    return value if isinstance(value, int) else 0


def totals_of(name: str, runs: Sequence[Ran], flags: frozenset[str]) -> Counter[str]:
    """What a connection's runs did, added up. `flags` names its do-not-call fields."""
    totals = Counter[str]()
    for ran in runs:
        pull, preview, sent = f"{name}/contacts", f"{name}/changes", f"{name}/writeback"
        fields: Mapping[str, Any] = ran.metadata.get(preview, {}).get("fields") or {}
        totals["contacts pulled"] += count(ran, pull, "records read") + count(ran, pull, "rows read")
        totals["of them new"] += count(ran, pull, "new")
        totals["numbers found"] += count(ran, "phones", "numbers")
        totals["records changed"] += count(ran, sent, "applied")
        totals["fields changed"] += count(ran, preview, "fields in the plan")
        totals["flagged do-not-call"] += sum(fields.get(flag, 0) for flag in flags)
        totals["refused by the CRM"] += count(ran, sent, "failed")
        totals["API calls"] += sum(count(ran, stage, "api calls") for stage in ran.metadata)
        totals["changes"] += count(ran, preview, "changes")
    return totals


class Summary(NamedTuple):
    """What the demo did, by connection, by status, by lookup service."""

    connections: dict[str, dict[str, int | float]]
    numbers: dict[str, int]
    """Numbers by status."""
    records: dict[str, dict[str, int]]
    """Records of each CRM by the status they show."""
    spent: list[spend.Period]
    changes: int
    """How many changes the runs planned."""
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """The same for programs."""
        return {**self._asdict(), "spent": [one._asdict() for one in self.spent]}


def summarise(settings: Settings, runs: Mapping[str, Sequence[Ran]], seconds: float) -> Summary:
    """Read from the runs and the ledger what happened. Folders of files without a contact are left out."""
    ledger = open_ledger(settings)
    try:
        totals, fields = {}, {}
        for name, connection in settings.connections.items():
            own = {} if connection.kind == "files" else fields_by_object(ledger, name, connection)
            flags = frozenset(one.do_not_call for one in own.values())
            totals[name] = totals_of(name, runs.get(name, ()), flags)
            fields[name] = own
        with ledger.read() as book:
            statuses = decisions.status_counts(book)
            statuses["wrong_person"] = decisions.wrong_persons(book)
            shows = {
                name: shown_by.statuses(book, name, {one.status for one in own.values()})
                for name, own in fields.items()
            }
            spent = spend.totals(book, [ran.run_id for rans in runs.values() for ran in rans])
    finally:
        ledger.close()
    shown = [
        name
        for name, counted in totals.items()
        if counted["contacts pulled"] or settings.connections[name].kind != "files"
    ]
    return Summary(
        {
            name: {
                **{line: totals[name][line] for line in LINES},
                "seconds": round(sum(ran.seconds for ran in runs.get(name, ())), 1),
            }
            for name in shown
        },
        {status: statuses.get(status, 0) for status in STATUSES},
        {name: {status: shows[name].get(status, 0) for status in STATUSES} for name in shown if shows[name]},
        spent,
        sum(counted["changes"] for counted in totals.values()),
        round(seconds, 1),
    )


def print_summary(out: Console, summary: Summary) -> None:
    """Print the tables. The line `changes: N` counts the changes that the runs planned."""
    table = Table("", *summary.connections, box=None, header_style="bold", pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for line in LINES:
        table.add_row(line, *(f"{counted[line]:,}" for counted in summary.connections.values()))
    table.add_row("seconds", *(f"{counted['seconds']:,.1f}" for counted in summary.connections.values()))
    out.print(table)
    out.print()
    english, chinese = labels("en"), labels("zh")
    numbers = Table(
        "status", "", "numbers", *(f"records, {name}" for name in summary.records), box=None, header_style="bold",
        pad_edge=False,
    )  # fmt: skip
    for column in numbers.columns[2:]:
        column.justify = "right"
    for status in STATUSES:
        records = (f"{shown[status]:,}" for shown in summary.records.values())
        numbers.add_row(english[status], chinese[status], f"{summary.numbers[status]:,}", *records)
    out.print(numbers)
    out.print()
    if summary.spent:
        out.print(spend_table(summary.spent))
        out.print()
    out.print(f"changes: {summary.changes}")
    out.print(f"seconds: {summary.seconds:.1f}")
