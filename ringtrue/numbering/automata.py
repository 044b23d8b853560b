"""Deterministic tables out of the patterns' graphs: three constructions, one for each way phonenumbers uses a pattern."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from ringtrue.numbering.regex import CHAR, END, MATCH, SAVE, SPLIT, Nfa, UnsupportedPatternError

MAX_DIGITS: Final = 17
"""phonenumbers' limit for a national number; longer ones are refused before any pattern is tried."""

TERMINAL: Final = 0x8000
"""Set on an entry of the prefix table that is an outcome, not a state."""

Symbols = dict[str, int]
"""Atom -> bit set of the symbols it matches."""


def _closures(nfa: Nfa) -> Callable[[Iterable[int]], frozenset[int]]:
    known: dict[int, frozenset[int]] = {}

    def of_one(start: int) -> frozenset[int]:
        found = known.get(start)
        if found is None:
            seen, stack = set(), [start]
            while stack:
                at = stack.pop()
                if at in seen:
                    continue
                seen.add(at)
                node = nfa.nodes[at]
                if node.kind in (SPLIT, SAVE):
                    stack += node.after
                elif node.kind == END:
                    raise UnsupportedPatternError("$ in a pattern that is matched in full")
            found = known[start] = frozenset(at for at in seen if nfa.nodes[at].kind in (CHAR, MATCH))
        return found

    return lambda starts: frozenset().union(*[of_one(start) for start in starts])


class DigitTables:
    """Acyclic automata over digits with labels on their states, minimal because equal states are stored once."""

    def __init__(self) -> None:
        self.children: list[list[int]] = []
        self.labels: list[int] = []
        self._states: dict[tuple[int, ...], int] = {}
        self._sinks: dict[int, int] = {}

    def add(
        self, nfa: Nfa, starts: Iterable[int], symbols: Symbols, label: Callable[[int, frozenset[Any]], int]
    ) -> int:
        """Determinise; `label(length, tags of the patterns matched)` names a state. Returns the first state."""
        closure = _closures(nfa)
        steps = {
            at: (tuple(digit for digit in range(10) if symbols[node.value] >> digit & 1), closure(node.after))
            for at, node in enumerate(nfa.nodes)
            if node.kind == CHAR
        }
        tags = {at: node.value for at, node in enumerate(nfa.nodes) if node.kind == MATCH}
        known: dict[tuple[int, frozenset[int]], int] = {}

        def build(depth: int, live: frozenset[int]) -> int:
            state = known.get((depth, live))
            if state is not None:
                return state
            name = label(depth, frozenset(tags[at] for at in live if at in tags))
            if not live:
                state = self._sink(name)
            else:
                after: list[set[int]] = [set() for _ in range(10)]
                if depth < MAX_DIGITS:
                    for at in live:
                        if at in steps:
                            digits, targets = steps[at]
                            for digit in digits:
                                after[digit] |= targets
                built: dict[frozenset[int], int] = {}
                children = []
                for targets in map(frozenset, after):
                    if targets not in built:
                        built[targets] = build(depth + 1, targets)
                    children.append(built[targets])
                state = self._state(name, children)
            known[depth, live] = state
            return state

        return build(0, closure(starts))

    def _state(self, label: int, children: list[int]) -> int:
        key = (label, *children)
        state = self._states.get(key)
        if state is None:
            state = self._states[key] = len(self.children)
            self.children.append(children)
            self.labels.append(label)
        return state

    def _sink(self, label: int) -> int:
        if label not in self._sinks:
            self._sinks[label] = len(self.children)
            self.children.append([len(self.children)] * 10)
            self.labels.append(label)
        return self._sinks[label]


Outcome = tuple[int, tuple[tuple[int, int], ...] | None]
"""Where the match ended (-1: none) and, for each group, its span."""


class PrefixTables:
    """Leftmost, first-preferred matching with groups, as `re.match` does it: threads in order, unrolled by position.

    A row has eleven entries: ten digits and the end of the text.
    """

    def __init__(self) -> None:
        self.rows: list[list[int]] = []

    def add(
        self, pattern: str, groups: int, symbols_of: Callable[[Nfa], Symbols], outcome: Callable[[Any], int]
    ) -> int:
        """Compile a pattern; `outcome(None or (end, spans))` numbers what a match leads to. Returns the first row."""
        nfa = Nfa()
        start = nfa.add(pattern, None)
        symbols = symbols_of(nfa)
        known: dict[Any, int] = {}
        none = (-1,) * (2 * groups + 2)

        def follow(
            at: int, slots: tuple[int, ...], where: int, threads: list[tuple[int, tuple[int, ...]]], seen: set[int]
        ) -> tuple[int, tuple[int, ...]] | None:
            """Add the threads that begin at a step; the match, if one is reached, cuts off all that follow."""
            if at in seen:
                return None
            seen.add(at)
            node = nfa.nodes[at]
            if node.kind == MATCH:
                return where, slots
            if node.kind in (CHAR, END):
                threads.append((at, slots))
                return None
            if node.kind == SAVE:
                slots = (*slots[: node.value], where, *slots[node.value + 1 :])
            for target in node.after:
                match = follow(target, slots, where, threads, seen)
                if match is not None:
                    return match
            return None

        def number(match: tuple[int, tuple[int, ...]] | None) -> int:
            if match is None:
                return TERMINAL | outcome(None)
            end, slots = match
            spans = tuple((slots[2 * group], slots[2 * group + 1]) for group in range(1, groups + 1))
            return TERMINAL | outcome((end, spans))

        def build(depth: int, threads: tuple[Any, ...], best: Any) -> int:
            if not threads:
                return number(best)
            key = (depth, threads, best)
            if key in known:
                return known[key]
            row = known[key] = len(self.rows)
            entries = [0] * 11
            self.rows.append(entries)
            for digit in range(10):
                after: list[tuple[int, tuple[int, ...]]] = []
                seen: set[int] = set()
                found = best
                for at, slots in threads:
                    node = nfa.nodes[at]
                    if node.kind == CHAR and symbols[node.value] >> digit & 1:
                        match = follow(node.after[0], slots, depth + 1, after, seen)
                        if match is not None:
                            found = match
                            break
                entries[digit] = build(depth + 1, tuple(after), found)
            entries[10] = number(self._at_end(nfa, threads, depth, follow) or best)
            return row

        first: list[tuple[int, tuple[int, ...]]] = []
        best = follow(start, none, 0, first, set())
        return build(0, tuple(first), best)

    @staticmethod
    def _at_end(nfa: Nfa, threads: tuple[Any, ...], depth: int, follow: Callable[..., Any]) -> Any:
        for at, slots in threads:
            if nfa.nodes[at].kind == END:
                match = follow(nfa.nodes[at].after[0], slots, depth, [], set())
                if match is not None:
                    return match
        return None


class TextTable:
    """An automaton over character classes; state 0 is the dead one, state 1 the first."""

    def __init__(self, nfa: Nfa, start: int, symbols: Symbols, classes: int, *, backwards: bool = False) -> None:
        edges, starts, finals = _edges(nfa, start, symbols)
        if backwards:
            edges = [(after, mask, at) for at, mask, after in edges]
            starts, finals = finals, starts
        leaving: dict[int, list[tuple[int, int]]] = {}
        for at, mask, after in edges:
            leaving.setdefault(at, []).append((mask, after))
        states: dict[frozenset[int], int] = {frozenset[int](): 0, frozenset(starts): 1}
        self.rows: list[list[int]] = [[0] * classes, []]
        self.accepts: list[bool] = [False, bool(finals & starts)]
        todo = [frozenset(starts)]
        while todo:
            live = todo.pop()
            row = [0] * classes
            for symbol in range(classes):
                reached = frozenset(to for at in live for mask, to in leaving.get(at, ()) if mask >> symbol & 1)
                if reached not in states:
                    states[reached] = len(self.rows)
                    self.rows.append([])
                    self.accepts.append(bool(reached & finals))
                    todo.append(reached)
                row[symbol] = states[reached]
            self.rows[states[live]] = row


def _edges(nfa: Nfa, start: int, symbols: Symbols) -> tuple[list[tuple[int, int, int]], set[int], set[int]]:
    """The graph without its empty steps: an edge leads from one consuming step to the next; -1 is the match."""
    closure = _closures(nfa)

    def places(starts: Iterable[int]) -> set[int]:
        return {-1 if nfa.nodes[at].kind == MATCH else at for at in closure(starts)}

    edges = [
        (at, symbols[node.value], after)
        for at, node in enumerate(nfa.nodes)
        if node.kind == CHAR
        for after in places(node.after)
    ]
    return edges, places([start]), {-1}
