"""docs/retention.md: every row names its law and says how sure it is, and what RingTrue keeps follows from the settings."""

from __future__ import annotations

import re

from ringtrue.backup_settings import BackupSettings
from ringtrue.schedule_settings import RetentionSettings
from tests.stand_ins import ROOT

LAWS, KEPT = (ROOT / "docs/retention.md").read_text(encoding="utf-8").split("## What RingTrue keeps")


def rows(text: str) -> list[list[str]]:
    tables = re.findall(r"^\|[-| ]+\|\n((?:\|.*\n?)+)", text, re.MULTILINE)
    return [[cell.strip() for cell in line.strip("|").split("|")] for table in tables for line in table.splitlines()]


def test_every_row_says_where_it_is_from_and_how_sure() -> None:
    found = rows(LAWS)
    assert len(found) > 35
    assert [row for row in found if not re.search(r"\*\*(read|second-hand|unsure)\*\*", row[-1])] == []
    assert [row for row in found if not row[-2] and "**unsure**" not in row[-1]] == []
    assert "not legal advice" in LAWS


def test_what_is_kept_is_what_the_settings_say() -> None:
    retention, backup = RetentionSettings(), BackupSettings()
    told = {re.sub(r"[^a-z_, `]", "", row[3]): row[2] for row in rows(KEPT)}
    assert told["`dropped_changes_days`, `inbox_days` under `retention`"] == (
        f"{retention.dropped_changes_days} and {retention.inbox_days} days"
    )
    assert told["`runs_days`"] == f"{retention.runs_days} days"
    assert told["`reports_days`"] == f"{retention.reports_days} days"
    assert told["`keep`"] == f"the newest {backup.keep}"
