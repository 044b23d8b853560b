"""What the shell offers for an argument: names from the settings, ids from the ledger. Silent where there is neither yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, make_url

from connectors.resources import open_ledger
from ringtrue.errors import RingTrueError
from ringtrue.ledger import words
from ringtrue.settings import Settings, load_settings

_MOST = 50


def _settings() -> Settings | None:
    try:
        return load_settings()
    except RingTrueError:
        return None


@contextmanager
def _book() -> Iterator[Connection | None]:
    """The ledger, if there is one: asking for words makes none."""
    settings = _settings()
    ledger = None
    try:
        if settings is not None:
            address = make_url(settings.ledger.url)
            if address.get_backend_name() != "sqlite" or Path(address.database or "").exists():
                ledger = open_ledger(settings)
    except RingTrueError:
        ledger = None
    if ledger is None:
        yield None
        return
    try:
        with ledger.read() as book:
            yield book
    finally:
        ledger.close()


def _from_ledger(told: Callable[[Connection], list[str]], incomplete: str) -> list[str]:
    with _book() as book:
        found = told(book) if book is not None else []
    return [word for word in found if word.startswith(incomplete)][:_MOST]


def connections(incomplete: str) -> list[str]:
    """Names of connections."""
    settings = _settings()
    return [name for name in (settings.connections if settings else ()) if name.startswith(incomplete)]


def crms(incomplete: str) -> list[str]:
    """Names of connections to CRMs."""
    settings = _settings()
    named = settings.connections.items() if settings else ()
    return [name for name, connection in named if connection.kind != "files" and name.startswith(incomplete)]


def plans(incomplete: str) -> list[str]:
    """Ids of open plans."""
    return _from_ledger(words.open_plans, incomplete)


def runs(incomplete: str) -> list[str]:
    """Ids of runs that planned something, the latest first."""
    return _from_ledger(words.plans_run, incomplete)


def undos(incomplete: str) -> list[str]:
    """Ids of undos that hold something."""
    return _from_ledger(words.undos_holding, incomplete)


def sources(incomplete: str) -> list[str]:
    """Names of lead sources that were measured."""
    return _from_ledger(words.sources, incomplete)
