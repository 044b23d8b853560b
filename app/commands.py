"""Commands that act on CRMs and on the journal: prepare, approve, undo, release."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from app import complete
from app.console import out, print_json
from app.wanted import wanted_feedback, wanted_fields
from assets.delivery import Delivery
from assets.planner import fields_by_object
from assets.stage import now_ms
from connectors.resources import connect, open_ledger, target_of
from ringtrue.errors import PlanRefused, SettingsError
from ringtrue.ledger import Ledger, journal, undo
from ringtrue.settings import Connection, Settings, load_settings

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@contextmanager
def _opened() -> Iterator[tuple[Settings, Ledger]]:
    settings = load_settings()
    ledger = open_ledger(settings)
    try:
        yield settings, ledger
    finally:
        ledger.close()


def crm_connections(settings: Settings, names: list[str] | None) -> dict[str, Connection]:
    """The CRM connections named, or all of them. Raises SettingsError for a name that does not exist."""
    known = {name: connection for name, connection in settings.connections.items() if connection.kind != "files"}
    for name in names or []:
        if name not in known:
            raise SettingsError(
                f"There is no CRM connection {name!r} in the settings; there is {', '.join(known) or 'none'}."
            )
    return {name: known[name] for name in names} if names else known


def prepare(
    connections: Annotated[
        list[str] | None, typer.Argument(help="Connections to prepare; all by default.", autocompletion=complete.crms)
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be created.")] = False,
    as_json: AsJson = False,
) -> None:
    """Create RingTrue's fields, permissions and views in the CRMs. Safe to repeat."""
    settings = load_settings()
    report: dict[str, list[dict[str, str | None]]] = {}
    for name, connection in crm_connections(settings, connections).items():
        crm = connect(name, connection)
        try:
            wanted = wanted_fields(crm, connection, settings.policy.language)
            wanted += wanted_feedback(connection) if name in settings.source_quality.feedback else []
            steps = crm.prepare(wanted, dry_run=dry_run)
        finally:
            crm.close()
        report[name] = [{"what": step.what, "result": step.result, "instruction": step.instruction} for step in steps]
    if as_json:
        print_json(report)
        return
    words = {
        "created": "created",
        "exists": "there already",
        "would_create": "would be created",
        "updated": "updated",
        "by_hand": "by hand",
    }
    for name, rows in report.items():
        out.print(f"[bold]{name}[/]")
        for row in rows:
            out.print(f"  {words[str(row['result'])]:>16}  {row['what']}")
        by_hand = [row["instruction"] for row in rows if row["result"] == "by_hand" and row["instruction"]]
        if by_hand:
            out.print("  What the API cannot do, for a person:")
            for number, instruction in enumerate(by_hand, start=1):
                out.print(f"    {number}. {instruction}")


def approve(
    plan: Annotated[
        str, typer.Argument(help="Id of the plan, as the preview shows it.", autocompletion=complete.plans)
    ],
    person: Annotated[str, typer.Option("--by", help="Who approves.", prompt="Your name")],
    as_json: AsJson = False,
) -> None:
    """Let a plan run that was stopped for its size. The approval is for its present content only."""
    with _opened() as (_, ledger), ledger.write() as book:
        found = journal.find_plan(book, plan)
        if found is None:
            raise PlanRefused(f"There is no plan {plan!r}. The preview <connection>/changes shows the open one.")
        current = journal.open_plan(book, found.connection)
        if current is None or current.plan_id != plan:
            newer = f"; the open one is {current.plan_id}" if current else ""
            raise PlanRefused(f"Plan {plan} was replaced by a newer one{newer}. Look at that one.")
        journal.approve(book, found, person, now_ms())
    if as_json:
        print_json({"plan": plan, "connection": found.connection, "records": found.records, "approved_by": person})
    else:
        out.print(
            f"Plan {plan} is approved: {found.records} records of {found.connection}. Materialize {found.connection}/writeback."
        )


def undo_run(
    run: Annotated[
        str,
        typer.Argument(
            help="Run id, or its first characters, as the Dagster UI shows it.", autocompletion=complete.runs
        ),
    ],
    as_json: AsJson = False,
) -> None:
    """Write back what stood in the CRMs before a run, where they still hold what the run wrote. Do-not-call flags stay."""
    undo_id = f"undo-{secrets.token_hex(4)}"
    report: dict[str, dict[str, int]] = {}
    with _opened() as (settings, ledger):
        with ledger.read() as book:
            run, names = undo.connections_of(book, run)
        if not names:
            raise PlanRefused(
                f"Run {run!r} wrote nothing that could be undone. Run ids stand on the Runs page of the Dagster UI."
            )
        for name in names:
            with ledger.alone(f"writing to {name}"):
                report[name] = _undo_one(ledger, settings, name, run, undo_id)
    if as_json:
        print_json({"run": undo_id, "connections": report})
        return
    for name, counted in report.items():
        out.print(f"{name}: " + ", ".join(f"{count} {what}" for what, count in counted.items()))
    out.print(
        f"Undo {undo_id}. What was put back is held until its decision changes or `ringtrue release --run {undo_id}`. "
        "Do-not-call flags stay: `ringtrue suppress retract` takes one back that was an error."
    )


def _undo_one(ledger: Ledger, settings: Settings, name: str, run: str, undo_id: str) -> dict[str, int]:
    connection = settings.connections[name]
    if not target_of(name, connection).writes(connection):
        raise PlanRefused(f"Writing to {name} is not enabled: set enabled = true under [connections.{name}].")
    own = fields_by_object(ledger, name, connection)
    plan_id = journal.new_plan_id()
    crm = connect(name, connection)
    try:
        delivery = Delivery(ledger, crm, name, own, undo_id, undo_id, connection.bulk_from)
        delivery.settle()
        with ledger.write() as book:
            wanted = undo.undoable(book, name, run, own)
            journal.add(book, plan_id, name, wanted.planned, undo_id, now_ms())
            journal.seal(book, plan_id, name, "undo", undo_id, now_ms(), {"undoes": run})
        delivery.deliver(plan_id)
    finally:
        crm.close()
    with ledger.write() as book:
        ends = undo.finish(book, plan_id, undo_id, now_ms())
    return {
        "put back": ends["applied"] + delivery.totals["put back"],
        "edited since, left alone": ends["conflict"],
        "already as before": ends["superseded"],
        "gone": ends["skipped"],
        "refused": ends["failed"],
        "do-not-call flags kept": wanted.flags_kept,
    }


def release(
    run: Annotated[
        str | None, typer.Option("--run", help="Lift what this undo holds.", autocompletion=complete.undos)
    ] = None,
    record: Annotated[str | None, typer.Option("--record", help="Lift what is held on this record.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Lift every hold.")] = False,
    as_json: AsJson = False,
) -> None:
    """Let RingTrue write fields again that an undo put back."""
    if not (run or record or everything):
        raise SettingsError("Say what to release: --run UNDO, --record ID or --all.")
    with _opened() as (_, ledger), ledger.write() as book:
        count = undo.release(book, run=run, record=record)
    if as_json:
        print_json({"released": count})
    else:
        out.print(f"{count} fields are released; the next sync writes them again.")
