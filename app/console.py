"""How the command line speaks: one sentence for an error, JSON where asked for, no traceback for what a person can mend."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import click
import orjson
from rich.console import Console
from rich.markup import escape

from ringtrue.errors import RingTrueError
from ringtrue.masking import mask_text

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)
EXIT_ERROR = 2


def print_json(value: Any) -> None:
    """Print a value as indented JSON, keys in the order given."""
    sys.stdout.write(orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode() + "\n")


def guarded(command: Callable[[], Any]) -> int:
    """Run a command and return the exit code. Our own errors become one sentence on the error stream."""
    try:
        code = command()
    except RingTrueError as error:
        err.print(f"[bold red]Error:[/] {escape(mask_text(str(error)))}", soft_wrap=True)
        return EXIT_ERROR
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        return 130
    return code if isinstance(code, int) else 0
