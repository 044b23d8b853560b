"""How the command line speaks: one sentence for an error, JSON where asked for, no traceback for what a person can mend."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import typer
from rich.console import Console
from rich.markup import escape

from ringtrue.errors import RingTrueError
from ringtrue.masking import mask_text

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)
EXIT_ERROR = 2


@contextmanager
def steady_console() -> Iterator[Console]:
    """A console that keeps its terminal or file while a job runs: Dagster takes the process's standard output into the log of each stage."""
    try:
        descriptor = os.dup(sys.stdout.fileno())
    except (OSError, ValueError):
        # Standard output is no file of the system's, and Dagster cannot take it.
        yield out
        return
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        yield Console(file=stream, highlight=False, force_terminal=out.is_terminal)


def print_json(value: Any) -> None:
    """Print a value as indented JSON, keys in the order given."""
    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode() + "\n")


def guarded(command: Callable[[], Any]) -> int:
    """Run a command and return the exit code. Our own errors become one sentence on the error stream.

    A defect shows where it happened, with numbers, addresses and secrets masked.
    """
    try:
        code = command()
    except RingTrueError as error:
        err.print(f"[bold red]Error:[/] {escape(mask_text(str(error)))}", soft_wrap=True)
        return EXIT_ERROR
    except (KeyboardInterrupt, typer.Abort):
        return 130
    except Exception:
        err.print(escape(mask_text(traceback.format_exc())), soft_wrap=True)
        return 1
    return code if isinstance(code, int) else 0
