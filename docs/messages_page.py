"""Writes docs/messages.md from the code: every sentence with which RingTrue stops, waits or leaves a record out. `make docs` renews the page."""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from ringtrue import errors

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs/messages.md"
ROOMS = ("ringtrue", "connectors", "assets", "app")
GAP = "…"
SHORTEST = 12
"""A text with fewer letters of its own than this says nothing by itself: what stands in it comes from elsewhere."""

HEAD = f"""# Every message

Written from the code by `make docs`: do not edit. Look for the beginning of what you read; {GAP} stands for what differs from case to case. What to do stands in the sentence itself. The kinds say what happens next;
more about the commonest ones: [troubleshooting](troubleshooting.md). Answers of the entry service: [at the door](serve.md).
"""
GROUPS = (
    (
        errors.RetryLater,
        "It passes by itself",
        "Repeated by the call, then by the stage, then by the next run. Nothing is lost.",
    ),
    (
        errors.StopRun,
        "It needs you",
        "Repeating is useless until somebody acts. Nothing is lost: the next run goes on where this one stopped.",
    ),
    (
        errors.SkipRecord,
        "It concerns one record",
        "The others went on. The reason stands on the run's page; the record is tried again by the next run.",
    ),
)


class Sentence(NamedTuple):
    """What an error says: the name of its class, and the text with gaps."""

    kind: str
    text: str


def classes() -> dict[str, type[errors.RingTrueError]]:
    """The tree of ringtrue/errors.py by name, the three roots of `GROUPS` included."""
    found = vars(errors).values()
    return {one.__name__: one for one in found if inspect.isclass(one) and issubclass(one, errors.RingTrueError)}


@cache
def sentences() -> tuple[Sentence, ...]:
    """Every sentence of every error, each once for its class, in the order of its words."""
    found = {
        Sentence(kind, text)
        for room in ROOMS
        for path in sorted((ROOT / room).rglob("*.py"))
        for kind, text in _raised(ast.parse(path.read_text(encoding="utf-8")))
    }
    return tuple(sorted(found, key=lambda one: (one.kind, one.text.lstrip(f"{GAP} ").casefold())))


def _raised(module: ast.Module) -> Iterator[tuple[str, str]]:
    known = classes()
    texts: dict[str, list[ast.expr]] = {}
    for part in module.body:
        if isinstance(part, ast.Assign) and isinstance(part.targets[0], ast.Name):
            texts[part.targets[0].id] = [part.value]
        elif isinstance(part, ast.FunctionDef):
            texts[part.name] = [one.value for one in ast.walk(part) if isinstance(one, ast.Return) and one.value]
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in known and node.args:
            for text in _texts(node.args[0], texts):
                whole = re.sub(rf"(?:{GAP}\s?)+{GAP}", GAP, " ".join(text.split()))
                if len(re.findall(r"\w", whole)) >= SHORTEST:
                    yield node.func.id, whole


def _texts(node: ast.expr, known: dict[str, list[ast.expr]]) -> list[str]:
    """What an expression may say, with gaps for what only a run can tell."""
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    if isinstance(node, ast.JoinedStr):
        return ["".join(str(part.value) if isinstance(part, ast.Constant) else GAP for part in node.values)]
    if isinstance(node, ast.BinOp):
        return [left + right for left in _texts(node.left, known) for right in _texts(node.right, known)]
    if isinstance(node, ast.IfExp):
        return [*_texts(node.body, known), *_texts(node.orelse, known)]
    name = node.func if isinstance(node, ast.Call) else node
    if isinstance(name, ast.Name) and name.id in known:
        return [text for one in known[name.id] for text in _texts(one, {})]
    return [GAP]


def render() -> str:
    """The page."""
    tree, told = classes(), sentences()
    lines = [HEAD]
    for root, title, meaning in GROUPS:
        lines.append(f"## {title}\n\n{meaning}\n")
        for name, kind in tree.items():
            ours = [one for one in told if one.kind == name]
            if issubclass(kind, root) and ours:
                lines.append(f"### {name}\n\n{kind.__doc__}\n")
                lines += [f"* {_plain(one.text)}" for one in ours]
                lines.append("")
    return "\n".join(lines)


def _plain(text: str) -> str:
    """Text that Markdown leaves alone, but for commands in backticks."""
    parts = text.split("`")
    return "`".join(
        part if place % 2 else re.sub(r"([\\|<>*_\[\]])", r"\\\1", part) for place, part in enumerate(parts)
    )


def main() -> None:
    """Write the page."""
    PAGE.write_text(render(), encoding="utf-8")
    sys.stdout.write(f"{PAGE.name} is written.\n")


if __name__ == "__main__":
    main()
