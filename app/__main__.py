"""Starts the command line. Ctrl-C while it is still loading is no traceback either."""

from __future__ import annotations

import sys


def main() -> None:
    """Entry point of `ringtrue` and of `python -m app`."""
    try:
        from app.cli import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    run()


if __name__ == "__main__":
    main()
