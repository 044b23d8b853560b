"""`ringtrue`: the command line. A command is a line here; its module is imported when it is used."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import typer

from app.console import guarded
from app.lazy import Entry, LazyGroup

ANY_OPTION = {"allow_extra_args": True, "ignore_unknown_options": True}
COMMANDS: Mapping[str, Entry] = {
    "init": Entry(
        "app.setup.command:init",
        "Ask what is needed, try the credentials, and write ringtrue.toml. No secret is written: the file names environment variables.",
    ),
    "doctor": Entry(
        "app.doctor.command:doctor",
        "Look whether everything is in place: settings, ledger, CRMs, registries, lookups, Dagster. Changes nothing; exit code 1 when something is wrong.",
    ),
    "clean": Entry(
        "app.clean.command:clean",
        "Clean the numbers of a list in a file: a copy with E.164, status and reason behind each phone column, and a report. Needs no CRM.",
    ),
    "check": Entry("app.check:check", "Show how numbers are read, and why not."),
    "prepare": Entry(
        "app.commands:prepare", "Create RingTrue's fields, permissions and views in the CRMs. Safe to repeat."
    ),
    "sync": Entry(
        "app.sync:sync", "Run the sync of one or all connections now, in this process, recorded like any other run."
    ),
    "approve": Entry(
        "app.commands:approve",
        "Let a plan run that was stopped for its size. The approval is for its present content only.",
    ),
    "undo": Entry(
        "app.commands:undo_run",
        "Write back what stood in the CRMs before a run, where they still hold what the run wrote. Do-not-call flags stay.",
    ),
    "release": Entry("app.commands:release", "Let RingTrue write fields again that an undo put back."),
    "replay": Entry(
        "app.replay:replay", "Show as a table of moves what another policy would decide today. Writes nothing."
    ),
    "trace": Entry(
        "app.sources:trace",
        "Follow a number, a record or a source: source, contact, field, evidence, decision, change, with times.",
    ),
    "report": Entry(
        "app.sources:report",
        "Write the lead-source report, and the refund packs of sources that cost money, to the folder of [report].",
    ),
    "refund": Entry(
        "app.sources:refund",
        "Write the numbers of a source that were bad on arrival: a CSV with the numbers in full, and a page that masks them.",
    ),
    "demo": Entry("app.demo:demo", "Run the main job once against the sandbox and show what happened."),
    "lookups": Entry(
        "app.lookups:lookups", "Lookup services: files for a service without an interface, and what was spent."
    ),
    "sources": Entry("app.sources:sources", "Lead sources: what they are worth, and which have no name yet."),
    "review": Entry("app.review:reviews", "Look at what no rule could read, and answer it once."),
    "serve": Entry("app.serve.command:serve", "The entry service: web forms, CRM webhooks, diallers, the why page."),
    "suppress": Entry("app.suppress:suppress", "Keep people from being called, and prove it."),
    "blacklist": Entry("app.suppress:blacklist", "Numbers that cannot be reached."),
    "consent": Entry("app.consent:consent", "Record consents to call or to text."),
    "export": Entry(
        "app.privacy:export",
        "Write all that the ledger holds about a number and the people who carry it to one JSON file. Prints counts only.",
    ),
    "forget": Entry(
        "app.privacy:forget",
        "Erase a number and the people who carry it from the ledger. What stays is a keyed hash, so that nobody calls it again.",
    ),
    "backup": Entry(
        "app.backup:backup",
        "Back the ledger up while it is in use: one file with everything as of this moment, the key included. Only its owner can read it.",
    ),
    "restore": Entry(
        "app.backup:restore",
        "Put the ledger back from a backup, made on SQLite or PostgreSQL. Nothing is replaced before all of it is verified.",
    ),
    "sandbox": Entry(
        "app.sandbox:sandbox",
        "Start the stand-ins of all remote systems. Further options go to `python -m sandbox`.",
        ANY_OPTION,
    ),
}
"""A test compares each line with the command's own help."""


class RingTrue(LazyGroup):
    """The commands above."""

    entries = COMMANDS


cli = typer.Typer(
    cls=RingTrue,
    name="ringtrue",
    help="Keeps the phone numbers in a company's CRMs true.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@cli.callback()
def _ringtrue() -> None:
    """Nothing is done before the command: this makes an app without commands of its own a group."""


def main() -> None:
    """Entry point: errors a person can mend are one sentence and exit code 2."""
    sys.exit(guarded(cli))


if __name__ == "__main__":
    main()
