"""The sensor that tells people of failed runs and red checks, after the run: a webhook that is down fails nothing, and nothing is lost."""

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import dagster as dg
from dagster import DagsterEventType
from dagster._core.storage.tags import WILL_RETRY_TAG

from assets.run_owner import AD_HOC, is_ours
from connectors.alerts import Way, ways
from ringtrue.alerting import TRIES, Alerts, Ended, Finding
from ringtrue.errors import RecordRefused, RingTrueError
from ringtrue.settings import load_settings

LOOKED_AT = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
"""A run that was cancelled was stopped by a person."""
_EVENTS = {
    DagsterEventType.STEP_FAILURE,
    DagsterEventType.STEP_SUCCESS,
    DagsterEventType.ASSET_CHECK_EVALUATION,
    DagsterEventType.RUN_FAILURE,
}
RUNS_A_TICK = 50
SENDING_SECONDS = 30.0
"""A tick may take a minute; what is left waits for the next one."""


def findings(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Iterator[Finding]:
    """How each stage and check of a run stands, and the run itself where no stage tells why it failed."""
    failed = ""
    told = False
    sentences: list[str] = []
    checks: list[Finding] = []
    for entry in instance.all_logs(run.run_id, of_type=_EVENTS):
        event = entry.dagster_event
        if event is None:
            continue
        subject = (entry.step_key or "").replace("__", "/")
        if event.event_type == DagsterEventType.STEP_FAILURE:
            told = True
            sentences.append(reason_of(event))
            yield Finding("stage", subject, sentences[-1])
        elif event.event_type == DagsterEventType.STEP_SUCCESS:
            yield Finding("stage", subject)
        elif event.event_type == DagsterEventType.RUN_FAILURE:
            failed = event.message or "The run failed."
        else:
            result = event.asset_check_evaluation_data
            red = not result.passed and result.severity == dg.AssetCheckSeverity.ERROR
            name = f"{'/'.join(result.asset_key.path)}: {result.check_name}"
            checks.append(Finding("check", name, (result.description or "The check failed.") if red else ""))
    for check in checks:
        # A stage that stopped for this very reason has told it already.
        if not (check.sentence and any(check.sentence in sentence for sentence in sentences)):
            yield check
    if not told:
        yield Finding("job", name_of(run), failed)


def name_of(run: dg.DagsterRun) -> str:
    """The job's name, as a person says it."""
    return "Materialization" if run.job_name == AD_HOC else run.job_name


def reason_of(event: dg.DagsterEvent) -> str:
    """The sentence of the error that a stage failed with."""
    data = event.step_failure_data
    if data.user_failure_data is not None and data.user_failure_data.description:
        return data.user_failure_data.description
    return data.error.message.strip() if data.error else "It failed without a reason; look at the run."


def deliver(state: Alerts, found: Mapping[str, Way]) -> tuple[int, list[str]]:
    """Send what waits, oldest first, each way by itself. Returns how many were sent, and one sentence for each way that is in trouble."""
    until = time.monotonic() + SENDING_SECONDS
    sent = 0
    troubles: list[str] = []
    for name, tell in found.items():
        for message in state.waiting:
            if name not in message.ways:
                continue
            if time.monotonic() > until:
                break
            try:
                tell(message.title, message.text)
            except RecordRefused as error:
                if not message.given_up(name):
                    troubles.append(f"{name}: {error}")
                    break
                troubles.append(f"{name}: {message.title!r} was given up after {TRIES} tries: {error}")
                continue
            except RingTrueError as error:
                troubles.append(f"{name}: {error}")
                break
            message.ways.remove(name)
            sent += 1
    state.waiting = [message for message in state.waiting if set(message.ways) & set(found)]
    return sent, troubles


def link_to(ui_url: str | None, run_id: str) -> str:
    """Where to look at a run."""
    return f"{ui_url.rstrip('/')}/runs/{run_id}" if ui_url else f"Run {run_id} in the Dagster UI."


def build_alerts() -> dg.SensorDefinition:
    """The sensor over all runs of this project. It remembers in its cursor, so that it also speaks when the ledger cannot be reached."""

    @dg.sensor(
        name="alerts",
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells of failed runs and red checks, once each, and when they are well again, as [alerts] says.",
    )
    def alerts(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        """Takes the runs that ended since the last tick, oldest first, and sends what is new and what still waits."""
        settings = load_settings().alerts
        found = ways(settings)
        if context.cursor:
            state = Alerts.model_validate_json(context.cursor)
        else:
            state = Alerts.starting(datetime.now(UTC).timestamp() - 60)
        origin = context.code_location_origin
        location = origin.location_name if origin is not None else None
        records = context.instance.get_run_records(
            dg.RunsFilter(statuses=LOOKED_AT, updated_after=datetime.fromtimestamp(state.after, UTC)),
            limit=RUNS_A_TICK + state.listed_again(),
            order_by="update_timestamp",
            ascending=True,
        )
        looked_at = 0
        for record in records:
            run = record.dagster_run
            moment = record.update_timestamp.replace(tzinfo=UTC).timestamp()
            if not state.is_new(run.run_id, moment):
                continue
            looked_at += 1
            if not is_ours(run, location) or run.tags.get(WILL_RETRY_TAG) == "true":
                continue
            ended = Ended(run.run_id, name_of(run), record.end_time or moment, run.is_failure)
            state.take(ended, findings(context.instance, run), list(found), link_to(settings.ui_url, run.run_id))
        sent, troubles = deliver(state, found)
        context.update_cursor(state.model_dump_json())
        for trouble in troubles:
            context.log.warning("Not every alert was sent. %s", trouble)
        waits = f" {len(state.waiting)} wait. {' '.join(troubles)}" if troubles else ""
        return dg.SkipReason(f"{looked_at} runs looked at, {sent} messages sent.{waits}")

    return alerts
