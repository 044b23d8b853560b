"""Regular expressions as automata, read with CPython's own parser.

phonenumbers' metadata uses a small part of the language: literals, sets, categories, groups, alternatives, greedy repeats and `$`.
Anything else raises `UnsupportedPatternError`, so that a new construct is never guessed at.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from re import _constants as sre  # type: ignore[attr-defined]  # typeshed leaves out the parser's private modules
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, Final, NamedTuple

CHAR: Final = 0
SPLIT: Final = 1
SAVE: Final = 2
END: Final = 3
MATCH: Final = 4


class UnsupportedPatternError(ValueError):
    """A pattern uses a construct that the tables cannot hold; its region is read by phonenumbers itself."""


class Node(NamedTuple):
    """One step. `value` is an atom (CHAR), a slot (SAVE) or a tag (MATCH); `after` lists the next steps, preferred first."""

    kind: int
    value: Any
    after: tuple[int, ...]


class Nfa:
    """Patterns compiled into one graph of steps, in order of preference as Python's matcher tries them."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []

    def add(self, pattern: str, tag: Any, flags: int = 0, *, repeat_after: str = "") -> int:
        """Compile a pattern and return its first step. With `repeat_after`, an atom, the match stays true while that atom follows."""
        end = self._node(MATCH, tag)
        if repeat_after:
            loop = len(self.nodes)
            self.nodes += [Node(SPLIT, None, (end, loop + 1)), Node(CHAR, repeat_after, (loop,))]
            end = loop
        return self._sequence(parser.parse(pattern, flags), end)

    def _node(self, kind: int, value: Any, *after: int) -> int:
        self.nodes.append(Node(kind, value, after))
        return len(self.nodes) - 1

    def _sequence(self, items: Sequence[tuple[Any, Any]], after: int) -> int:
        for op, value in reversed(items):
            after = self._item(op, value, after)
        return after

    def _item(self, op: Any, value: Any, after: int) -> int:
        if op is sre.LITERAL:
            return self._node(CHAR, _escape(value), after)
        if op is sre.IN:
            return self._node(CHAR, _set(value), after)
        if op is sre.BRANCH:
            return self._node(SPLIT, None, *[self._sequence(branch, after) for branch in value[1]])
        if op is sre.SUBPATTERN:
            group, add_flags, del_flags, inner = value
            if add_flags or del_flags:
                raise UnsupportedPatternError("flags inside a pattern")
            if group is None:
                return self._sequence(inner, after)
            return self._node(SAVE, 2 * group, self._sequence(inner, self._node(SAVE, 2 * group + 1, after)))
        if op is sre.MAX_REPEAT:
            least, most, inner = value
            return self._repeat(least, most, inner, after)
        if op is sre.AT and value is sre.AT_END:
            return self._node(END, None, after)
        raise UnsupportedPatternError(f"{op} in a pattern")

    def _repeat(self, least: int, most: Any, inner: Any, after: int) -> int:
        if most is sre.MAXREPEAT:
            loop = self._node(SPLIT, None)
            self.nodes[loop] = Node(SPLIT, None, (self._sequence(inner, loop), after))
            start = loop
        else:
            start = after
            for _ in range(most - least):
                start = self._node(SPLIT, None, self._sequence(inner, start), after)
        for _ in range(least):
            start = self._sequence(inner, start)
        return start

    def atoms(self) -> set[str]:
        """Every one-character pattern in use."""
        return {node.value for node in self.nodes if node.kind == CHAR}


def longest(pattern: str) -> int:
    """How many characters the pattern matches at most."""
    return int(parser.parse(pattern).getwidth()[1])


def runs(atom: str, flags: int, text: str) -> list[tuple[int, int]]:
    """Where in a text the one-character pattern matches, as half-open runs."""
    return [match.span() for match in re.finditer(f"(?:{atom})+", text, flags)]


def _escape(code: int) -> str:
    return f"\\U{code:08x}"


def _set(items: Sequence[tuple[Any, Any]]) -> str:
    parts = []
    for op, value in items:
        if op is sre.NEGATE:
            parts.append("^")
        elif op is sre.LITERAL:
            parts.append(_escape(value))
        elif op is sre.RANGE:
            parts.append(f"{_escape(value[0])}-{_escape(value[1])}")
        elif op is sre.CATEGORY and value is sre.CATEGORY_DIGIT:
            parts.append(r"\d")
        elif op is sre.CATEGORY and value is sre.CATEGORY_WORD:
            parts.append(r"\w")
        else:
            raise UnsupportedPatternError(f"{op} {value} in a set")
    return "[" + "".join(parts) + "]"
