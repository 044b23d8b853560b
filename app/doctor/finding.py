"""What a check found."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Literal, NamedTuple

from ringtrue.errors import RingTrueError
from ringtrue.masking import mask_text

State = Literal["ok", "warning", "wrong"]


class Finding(NamedTuple):
    """One line of the table: which part, what was looked at, how it is, and for what is not right one sentence what to do."""

    part: str
    what: str
    state: State
    said: str
    todo: str = ""


def guarded(part: str, what: str, look: Callable[[], Iterator[Finding]]) -> list[Finding]:
    """The findings of a group. An error of ours is a finding too: its sentence says what to do, and the other groups go on."""
    found: list[Finding] = []
    try:
        found.extend(look())
    except RingTrueError as error:
        said, _, todo = mask_text(str(error)).partition(". ")
        found.append(
            Finding(
                part, what, "wrong", said.rstrip(".") + ".", todo or "Correct that, then run `ringtrue doctor` again."
            )
        )
    return found


def joined(names: Iterable[str], most: int = 6) -> str:
    """A few names, and how many more there are."""
    listed = list(names)
    more = f" and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(listed[:most]) + more
