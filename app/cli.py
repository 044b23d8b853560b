"""`ringtrue`: the command line."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from app import commands
from app.check import check
from app.consent import consent
from app.console import guarded
from app.demo import demo
from app.lookups import lookups
from app.replay import replay
from app.review import reviews
from app.serve.command import serve
from app.sources import refund, report, sources, trace
from app.suppress import blacklist, suppress
from app.sync import sync

cli = typer.Typer(
    name="ringtrue",
    help="Keeps the phone numbers in a company's CRMs true.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
cli.command("check")(check)
cli.command("prepare")(commands.prepare)
cli.command("sync")(sync)
cli.command("approve")(commands.approve)
cli.command("undo")(commands.undo_run)
cli.command("release")(commands.release)
cli.command("replay")(replay)
cli.command("trace")(trace)
cli.command("report")(report)
cli.command("refund")(refund)
cli.command("demo")(demo)
cli.add_typer(lookups, name="lookups")
cli.add_typer(sources, name="sources")
cli.add_typer(reviews, name="review")
cli.add_typer(serve, name="serve")
cli.add_typer(suppress, name="suppress")
cli.add_typer(blacklist, name="blacklist")
cli.add_typer(consent, name="consent")


@cli.command("sandbox", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def sandbox(
    context: typer.Context, home: Annotated[str, typer.Option(help="Folder of the world.")] = ".demo/sandbox"
) -> None:
    """Start the stand-ins of all remote systems. Further options go to `python -m sandbox`."""
    import subprocess

    arguments = [sys.executable, "-m", "sandbox", "--home", home, *context.args]
    raise typer.Exit(subprocess.run(arguments, check=False).returncode)


def main() -> None:
    """Entry point: errors a person can mend are one sentence and exit code 2."""
    code = guarded(lambda: cli(standalone_mode=False))
    sys.exit(code)


if __name__ == "__main__":
    main()
