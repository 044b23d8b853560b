"""Applies the changes that a page shows as ```diff blocks: "# file", then lines to take out and lines to put there."""

from __future__ import annotations

import re
from pathlib import Path


def apply_changes(page: str, root: Path) -> None:
    """Make every change in the copy of the program under `root`. What a page takes out must be there, once."""
    for block in re.findall(r"```diff\n(.*?)```", page, re.DOTALL):
        file: Path | None = None
        for name, removed, added in re.findall(r"(?:# (\S+)\n)?((?:-.*\n)+)((?:\+.*\n)*)", block):
            file = root / name if name else file
            assert file is not None, "a block of changes begins with the name of its file"
            before, after = (re.sub(r"^[-+]", "", lines, flags=re.MULTILINE) for lines in (removed, added))
            text = file.read_text(encoding="utf-8")
            assert text.count(before) == 1, f"{file.relative_to(root)} does not hold this once:\n{before}"
            file.write_text(text.replace(before, after), encoding="utf-8")
