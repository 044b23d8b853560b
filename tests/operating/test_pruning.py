"""Old runs go with all that belongs to them; what the UI shows of an asset stays, and so do other projects' runs."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
from dagster._core.storage.event_log.schema import AssetCheckExecutionsTable
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from sqlalchemy import select

from assets.pruning import prune_reports, prune_runs
from assets.run_owner import PROCESS_TAG

OURS = {PROCESS_TAG: "test"}


@dg.asset(check_specs=[dg.AssetCheckSpec("is_fine", asset="numbers")])
def numbers(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
    context.log_event(dg.AssetObservation("lead_source", metadata={"leads": 3}))
    yield dg.MaterializeResult(
        metadata={"rows": 3}, check_results=[dg.AssetCheckResult(check_name="is_fine", passed=True)]
    )


@dg.asset
def report() -> None:
    """Made once, by the first run alone."""


def logs(instance: dg.DagsterInstance) -> set[str]:
    folder = Path(instance.storage_directory())
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def test_runs_go_with_events_checks_and_logs_but_for_the_last_of_each_asset() -> None:
    with dg.instance_for_test() as instance:
        storage = instance.event_log_storage
        assert isinstance(storage, SqliteEventLogStorage)

        def run(*assets: dg.AssetsDefinition, tags: dict[str, str] = OURS) -> str:
            result = dg.materialize(list(assets), instance=instance, tags=tags)
            assert result.success
            return result.run_id

        first = run(report, numbers)
        middle = [run(numbers)]
        others = run(numbers, tags={})
        last = run(numbers)
        for run_id in (first, *middle, others, last):
            place = Path(instance.storage_directory()) / run_id / "compute_logs"
            place.mkdir(parents=True, exist_ok=True)
            (place / "step.err").write_text("a line")
        now = datetime.now(UTC)
        assert prune_runs(instance, now - timedelta(days=90), None) == (0, 0)
        assert prune_runs(instance, now + timedelta(hours=1), None) == (1, 2)

        assert {run.run_id for run in instance.get_runs()} == {first, others, last}
        assert logs(instance) >= {first, others, last}
        assert logs(instance).isdisjoint(middle)
        for run_id in middle:
            assert not Path(storage.path_for_shard(run_id)).exists()
        with storage.index_connection() as connection:
            checked = {row[0] for row in connection.execute(select(AssetCheckExecutionsTable.c.run_id))}
        assert checked == {first, others, last}
        for asset, run_id in ((report, first), (numbers, last)):
            event = instance.get_latest_materialization_event(asset.key)
            assert event is not None
            assert event.run_id == run_id
        [seen] = instance.fetch_observations(dg.AssetKey("lead_source"), limit=1).records
        assert seen.run_id == last


def test_reports_go_by_the_date_in_their_name_and_nothing_else_goes(tmp_path: Path) -> None:
    names = ["lead-sources-2025-09-30.html", "refund-spring_fair-2025-09-30.csv", "refund-spring_fair-2025-09-30.html"]
    stay = ["lead-sources-2025-10-01.html", "notes-2025-09-30.html", "lead-sources-2025-09-30.html.bak"]
    for name in (*names, *stay):
        (tmp_path / name).write_text("x")
    assert prune_reports(tmp_path, datetime(2025, 10, 1, tzinfo=UTC)) == 3
    assert {path.name for path in tmp_path.iterdir()} == set(stay)
    assert prune_reports(tmp_path / "none", datetime(2025, 10, 1, tzinfo=UTC)) == 0
