"""The benchmark of the main job in small: it runs to its end, and the calls are those of the formula."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import calls
from benchmarks.main_job import run


def test_a_first_sync_the_one_behind_it_and_an_idle_one_make_the_calls_of_the_formula(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deviations = run(300, tmp_path, dlt=False, dagster=False, apart=False)
    assert deviations == []
    shown = capsys.readouterr().out
    assert "salesforce/writeback" in shown
    assert "Changes planned by an idle sync: 0" in shown


def test_pages_and_batches_of_the_formula() -> None:
    assert (
        calls.salesforce_pull({"Contact": 70_000, "Lead": 30_000}, first=True, bulk_from=5_000) == 1 + 2 + 2 + 2 + 2 + 1
    )
    assert calls.salesforce_pull({"Contact": 0, "Lead": 4_000}, first=False, bulk_from=5_000) == 1 + 2 + 2 + 1
    assert calls.hubspot_pull(100_000, first=True) == 1 + 1 + 1_000 + 1
    assert calls.hubspot_writeback(guarded=150, free=30) == 2 + 2 + 2 + 2 + 1 + 1
    assert calls.salesforce_writeback({"Contact": 40}, {"Lead": 60_000}, bulk_from=5_000) == 1 + 2 + 1 + 40 + 12
