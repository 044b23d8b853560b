"""Lookup services: each is one file here and one table of words in `ringtrue/data/lookups`."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path

from connectors.lookups.protocol import LookupService
from connectors.lookups.service import Surroundings
from ringtrue.errors import SettingsError
from ringtrue.lookup_settings import LookupsSettings

__all__ = ["available", "open_services"]


def available() -> list[str]:
    """The names of the services that have a table of words."""
    tables = Path(importlib.import_module("ringtrue").__path__[0]) / "data" / "lookups"
    return sorted(path.stem for path in tables.glob("*.toml") if importlib.util.find_spec(f"{__name__}.{path.stem}"))


def open_services(
    settings: LookupsSettings, around: Surroundings | None = None
) -> tuple[list[LookupService], list[str]]:
    """Open every service that is switched on. Returns them, and one sentence for each that cannot be opened: the others go on.

    Raises SettingsError for a table of a service that does not exist.
    """
    around = around or Surroundings()
    opened: list[LookupService] = []
    left_out: list[str] = []
    known = available()
    for name in settings.services:
        if name not in known:
            raise SettingsError(f"ringtrue.toml: there is no lookup service {name!r}; choose from {', '.join(known)}.")
    for name, service in settings.enabled.items():
        module = importlib.import_module(f"{__name__}.{name}")
        try:
            opened.append(module.open_service(service, around))
        except SettingsError as error:
            left_out.append(f"{name} was left out: {error}")
    return opened, left_out
