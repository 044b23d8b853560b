"""The pages of messages: all of them are there, and none that the code does not say any more."""

from __future__ import annotations

import re

from docs.messages_page import GAP, PAGE, classes, render, sentences
from tests.stand_ins import ROOT

TROUBLE = (ROOT / "docs/troubleshooting.md").read_text(encoding="utf-8")


def words(text: str) -> str:
    """A message without its gaps and its punctuation, so that a gap may be left out at the end."""
    return " ".join(re.findall(r"[^\s…]+", re.sub(rf"\s*{GAP}\s*", f" {GAP} ", text)))


def beginnings() -> list[str]:
    tables = re.findall(r"^\| the message begins .*?(?=\n\n|\Z)", TROUBLE, re.MULTILINE | re.DOTALL)
    cells = [line.split(" | ")[0].removeprefix("| ") for table in tables for line in table.splitlines()[2:]]
    return [cell for cell in cells if not cell.startswith("no message")]


def test_every_message_is_on_its_page() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "docs/messages.md is old: run make docs"


def test_troubleshooting_speaks_of_messages_that_exist() -> None:
    known = [words(one.text) for one in sentences()]
    shown = beginnings()
    assert len(shown) > 40
    assert [text for text in shown if not any(message.startswith(words(text)) for message in known)] == []


def test_troubleshooting_says_of_every_error_what_happens_next() -> None:
    leaves = {name for name, kind in classes().items() if not kind.__subclasses__()}
    assert leaves - set(re.findall(r"`(\w+)`", TROUBLE)) == set()
