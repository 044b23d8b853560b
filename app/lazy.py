"""A command group that imports a command's module when the command is used: listing them costs nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from importlib import import_module
from typing import Any, NamedTuple

import typer
from rich.markup import escape
from typer.core import TyperCommand, TyperGroup


class Entry(NamedTuple):
    """Where a command is ("module:attribute", a function or a Typer app), and the first line of its help."""

    target: str
    help: str
    context_settings: dict[str, Any] | None = None


def loaded(name: str, entry: Entry) -> Any:
    """The command itself, its texts ready to be shown as they stand."""
    module, _, attribute = entry.target.partition(":")
    found = getattr(import_module(module), attribute)
    # A group of one: Typer makes commands only as parts of an app.
    carrier = typer.Typer(add_completion=False)
    carrier.callback()(_nothing)
    if isinstance(found, typer.Typer):
        carrier.add_typer(found, name=name)
    else:
        carrier.command(name, context_settings=entry.context_settings)(found)
    command = typer.main.get_group(carrier).commands[name]
    _as_it_stands(command)
    return command


def _nothing() -> None:
    """Makes the carrier a group."""


def _as_it_stands(command: Any) -> None:
    """Typer reads help as Rich markup, which would swallow a settings table such as [report]."""
    command.help = escape(command.help) if command.help else command.help
    for one in command.params:
        if getattr(one, "help", None):
            one.help = escape(one.help)
    for child in getattr(command, "commands", {}).values():
        _as_it_stands(child)


class Commands(MutableMapping[str, Any]):
    """Commands by name; one that was not used yet is imported when it is asked for."""

    def __init__(self, entries: Mapping[str, Entry], ready: Mapping[str, Any]) -> None:
        self._entries = entries
        self._ready = dict(ready)

    def listed(self, name: str) -> Any:
        """The command as far as a list of commands needs it, or None."""
        if name in self._ready or name not in self._entries:
            return self._ready.get(name)
        return TyperCommand(name=name, help=escape(self._entries[name].help))

    def __getitem__(self, name: str) -> Any:
        if name not in self._ready and name in self._entries:
            self._ready[name] = loaded(name, self._entries[name])
        return self._ready[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._ready[name] = command

    def __delitem__(self, name: str) -> None:
        del self._ready[name]

    def __iter__(self) -> Iterator[str]:
        yield from self._entries
        yield from (name for name in self._ready if name not in self._entries)

    def __len__(self) -> int:
        return len(self._entries.keys() | self._ready.keys())


class LazyGroup(TyperGroup):
    """A Typer group whose class attribute `entries` names its commands; those registered the usual way come behind."""

    entries: Mapping[str, Entry] = {}

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands = Commands(self.entries, self.commands)

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 Click's form
        """Names in the order of the table."""
        return list(self.commands)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 Click's form
        """A command for the list of commands."""
        commands = self.commands
        return commands.listed(cmd_name) if isinstance(commands, Commands) else commands.get(cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """The command to run, imported now."""
        self.commands.get(args[0])
        return super().resolve_command(ctx, args)
