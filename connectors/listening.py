"""Who listens to the fields we write: automation of the CRM that a write of ours sets off."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

MOST_READ = 20
"""Definitions that are read whole, each with a call of its own; of the others only the name is known."""


class Listener(NamedTuple):
    """One flow, rule, trigger or workflow that is switched on. `fields` are ours that its definition names; `read` is false where nobody looked."""

    kind: str
    name: str
    object_name: str
    fields: tuple[str, ...] = ()
    read: bool = True


class Listening(NamedTuple):
    """What listens, and what our user may not see."""

    listeners: list[Listener]
    unseen: tuple[str, ...] = ()


def named_in(definition: Any, fields: Iterable[str]) -> tuple[str, ...]:
    """The fields that a definition names anywhere as a whole word or path, such as `DoNotCall` or `$Record.DoNotCall`."""
    words: set[str] = set()
    for text in _texts(definition):
        words.update(
            part for part in text.replace("{", " ").replace("}", " ").replace(".", " ").replace("!", " ").split()
        )
    return tuple(name for name in fields if name in words)


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
