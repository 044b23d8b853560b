"""docs/never.md names a test for everything that may never happen; each of them is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NAMED = sorted(
    set(re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", (ROOT / "docs/never.md").read_text(encoding="utf-8")))
)


@pytest.mark.parametrize(("path", "name"), NAMED)
def test_the_test_of_a_rule_is_there(path: str, name: str) -> None:
    assert re.search(rf"^def {name}\(", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)


def test_every_rule_has_a_test() -> None:
    for section in (ROOT / "docs/never.md").read_text(encoding="utf-8").split("\n## ")[1:]:
        assert "::test_" in section, section.partition("\n")[0]
