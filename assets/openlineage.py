"""OpenLineage events of finished runs: what each stage read and wrote, column by column, with the counts of its run.

A sensor sends them after the run, from the event log: a collector that is down delays no sync and loses nothing, and a run that was killed is reported too.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg
from dagster import DagsterEventType

from assets.lineage import Graph, table_of
from connectors.openlineage import HttpEmitter, emitters
from ringtrue.errors import RingTrueError
from ringtrue.openlineage import Dataset, Event, EventType, Metrics, OpenLineageSettings, run_event, step_run_id
from ringtrue.settings import load_settings

KINDS: dict[DagsterEventType, EventType] = {
    DagsterEventType.STEP_START: "START",
    DagsterEventType.STEP_SUCCESS: "COMPLETE",
    DagsterEventType.STEP_FAILURE: "FAIL",
    DagsterEventType.RUN_START: "START",
    DagsterEventType.RUN_SUCCESS: "COMPLETE",
    DagsterEventType.RUN_FAILURE: "FAIL",
    DagsterEventType.RUN_CANCELED: "ABORT",
}
_RUN_KINDS = frozenset(kind for kind in KINDS if kind.value.startswith("PIPELINE"))
FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
RUNS_A_TICK = 20


@dataclass(frozen=True)
class Stages:
    """The assets behind step names, what each reads, and their columns."""

    graph: Graph
    by_step: Mapping[str, dg.AssetKey]
    upstream: Mapping[dg.AssetKey, Sequence[dg.AssetKey]]


def stages_of(assets: Sequence[dg.AssetsDefinition | dg.AssetSpec], graph: Graph) -> Stages:
    """Read the stages off the definitions."""
    executed = [asset for asset in assets if isinstance(asset, dg.AssetsDefinition)]
    return Stages(
        graph,
        {asset.op.name: key for asset in executed for key in asset.keys},
        {key: sorted(asset.asset_deps[key]) for asset in executed for key in asset.keys},
    )


def events_of_run(instance: dg.DagsterInstance, run_id: str, stages: Stages, deployment: str) -> list[Event]:
    """The events of one run in order of time: the run itself, and each stage as a run of its own below it."""
    run = instance.get_run_by_id(run_id)
    if run is None:
        return []
    log = instance.all_logs(run_id)
    written: dict[dg.AssetKey, Mapping[str, dg.MetadataValue]] = {}
    observed: dict[dg.AssetKey, int] = {}
    for entry in log:
        event = entry.dagster_event
        if event is None or event.asset_key is None:
            continue
        if event.is_step_materialization:
            written[event.asset_key] = event.step_materialization_data.materialization.metadata
        elif event.event_type == DagsterEventType.ASSET_OBSERVATION:
            numbers = event.asset_observation_data.asset_observation.metadata.get("numbers")
            if numbers is not None and isinstance(numbers.value, int):
                observed[event.asset_key] = numbers.value
    events: list[Event] = []
    for entry in log:
        event = entry.dagster_event
        if event is None or event.event_type not in KINDS:
            continue
        kind, at = KINDS[event.event_type], datetime.fromtimestamp(entry.timestamp, UTC)
        if event.event_type in _RUN_KINDS:
            error = event.message if kind == "FAIL" else None
            events.append(run_event(kind, at=at, run_id=run_id, job=run.job_name, deployment=deployment, error=error))
            continue
        step = entry.step_key or ""
        key = stages.by_step.get(step)
        if key is None:
            continue
        events.append(
            run_event(
                kind,
                at=at,
                run_id=step_run_id(run_id, step),
                job="/".join(key.path),
                inputs=[_input(stages, upstream, observed) for upstream in stages.upstream[key]],
                outputs=[_output(stages, key, written.get(key), done=kind == "COMPLETE")],
                deployment=deployment,
                parent=(run_id, run.job_name),
                error=_reason(event) if kind == "FAIL" else None,
                engine_version=dg.__version__,
            )
        )
    return events


def send_run(instance: dg.DagsterInstance, run_id: str, stages: Stages, settings: OpenLineageSettings) -> int:
    """Send one run's events to where the settings say. Returns how many. Raises RetryLater or StopRun when they are not taken."""
    found = emitters(settings)
    if not found:
        return 0
    events = events_of_run(instance, run_id, stages, settings.deployment)
    for emitter in found:
        with closing(emitter) if isinstance(emitter, HttpEmitter) else nullcontext():
            for event in events:
                emitter.emit(event)
    return len(events)


def build_openlineage(stages: Stages) -> dg.SensorDefinition:
    """The sensor that reports finished runs, each one once it is written; a run that was not taken is sent again at the next tick."""

    @dg.sensor(
        name="openlineage",
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Sends OpenLineage events of finished runs to the collector or file that [openlineage] names.",
    )
    def openlineage(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        """Takes the runs that ended since the last tick, oldest first."""
        since = float(context.cursor) if context.cursor else datetime.now(UTC).timestamp() - 60
        records = context.instance.get_run_records(
            dg.RunsFilter(statuses=FINISHED, updated_after=datetime.fromtimestamp(since, UTC)),
            limit=RUNS_A_TICK,
            order_by="update_timestamp",
            ascending=True,
        )
        sent = 0
        for record in records:
            try:
                sent += send_run(context.instance, record.dagster_run.run_id, stages, load_settings().openlineage)
            except RingTrueError as error:
                return dg.SkipReason(f"{sent} events sent; then: {error} The rest is sent at the next tick.")
            context.update_cursor(str(record.update_timestamp.timestamp()))
        if context.cursor is None:
            context.update_cursor(str(since))
        return dg.SkipReason(f"{sent} events of {len(records)} runs sent.")

    return openlineage


def _input(stages: Stages, key: dg.AssetKey, observed: Mapping[dg.AssetKey, int]) -> Dataset:
    rows = observed.get(key)
    return Dataset(
        "/".join(key.path),
        stages.graph.openlineage(key),
        metrics=None if rows is None else Metrics(rows=rows),
    )


def _output(
    stages: Stages, key: dg.AssetKey, metadata: Mapping[str, dg.MetadataValue] | None, *, done: bool
) -> Dataset:
    table = table_of(key)
    counted = metadata.get(table.rows) if metadata and table and done else None
    rows = counted.value if counted is not None and isinstance(counted.value, int) else None
    return Dataset("/".join(key.path), stages.graph.openlineage(key), rows_written=rows)


def _reason(event: dg.DagsterEvent) -> str:
    data = event.step_failure_data
    if data.user_failure_data is not None and data.user_failure_data.description:
        return data.user_failure_data.description
    return data.error.message.strip() if data.error else "a stage failed without a reason"
