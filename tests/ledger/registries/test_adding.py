"""docs/adding-a-registry.md does what it says: its reader, its changes and its settings make a registry that gates its country."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import orjson

from tests.docs.changes import apply_changes
from tests.stand_ins import ROOT

TRY = """
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from connectors.registries import read_registry
from ringtrue.errors import FileUnreadable
from ringtrue.registry_freshness import stale_reason
from ringtrue.settings import load_settings

settings = load_settings(Path("ringtrue.toml"))
quiet = settings.registries["quiet"]
now = datetime(2026, 11, 24, tzinfo=UTC)
told = {}
for path in quiet.paths():
    try:
        with read_registry(path, quiet, now) as found:
            told[path.name] = [number for some in found.entries.numbers() for number in some.tolist()]
            dates = {("quiet", ""): found.list_date}
    except FileUnreadable as error:
        told[path.name] = str(error)
late = int((now + timedelta(days=31)).timestamp() * 1000)
for when, dates in ((int(now.timestamp() * 1000), dates), (late, dates), (late, {})):
    reason = stale_reason(settings.registries, dates, settings.dialing_list.registries_required, when)
    told.setdefault("reasons", []).append(reason("+32470123456"))
print(json.dumps(told))
"""


def test_the_page_makes_a_registry(tmp_path: Path) -> None:
    page = (ROOT / "docs/adding-a-registry.md").read_text(encoding="utf-8")
    for package in ("ringtrue", "connectors"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "connectors/registries/quiet_line.py").write_text(code, encoding="utf-8")
    apply_changes(page, tmp_path)
    (tmp_path / "ringtrue.toml").write_text(re.findall(r"```toml\n(.*?)```", page, re.DOTALL)[1], encoding="utf-8")
    folder = tmp_path / "registries/quiet"
    folder.mkdir(parents=True)
    (sample,) = re.findall(r"```\n(0470.*?)```", page, re.DOTALL)
    (folder / "quiet_2026-11-20.txt").write_text(sample, encoding="ascii")
    (folder / "short_2026-11-21.txt").write_text(sample.partition("#END")[0], encoding="ascii")
    (folder / "other_2026-11-22.txt").write_text("name;town\nAnn;Ghent\n#END 2\n", encoding="ascii")
    done = subprocess.run(
        [sys.executable, "-c", TRY],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    told = orjson.loads(done.stdout)
    assert sorted(told["quiet_2026-11-20.txt"]) == [3225512345, 32470123456]
    assert "truncated" in told["short_2026-11-21.txt"]
    assert "is no list of the Quiet Line" in told["other_2026-11-22.txt"]
    fresh, old, missing = told["reasons"]
    assert fresh is None
    assert "at most 30 are allowed" in old
    assert "was never loaded" in missing
