"""What is done within minutes instead of at the next sync: the sensors `do_not_call` and `fresh_contacts`, and a job for each connection and each of them.

A tick asks the ledger whether anything waits, which costs milliseconds and writes nothing. There is no cursor: what waits stays marked until it is done.
"""

import os
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition
from dagster._core.storage.dagster_run import FINISHED_STATUSES, NOT_FINISHED_STATUSES
from sqlalchemy import Connection as Book

from connectors.resources import target_of
from ringtrue.fields import own_fields
from ringtrue.ledger import waiting
from ringtrue.settings import Connection, Settings, load_settings

DO_NOT_CALL_SECONDS = 30
FRESH_SECONDS = 20
RETRY_SECONDS = 120.0
"""How long after a failure a connection is tried again: a CRM that is down costs one short run every two minutes. So does a run that goes
on for long. A plan that is open for longer than this has lost its run."""
LOST_SECONDS = 600.0
"""A run that has been going for so long is no longer the only one. Two deliveries do not meet: they take turns at the ledger."""
PRIORITY = {"dagster/priority": "10"}


class Quick(NamedTuple):
    """Jobs that do not wait for a sync, and the sensors that start them."""

    jobs: list[UnresolvedAssetJobDefinition]
    sensors: list[dg.SensorDefinition]


def do_not_call_job(name: str) -> str:
    """Name of the job that delivers do-not-call flags to one connection."""
    return f"deliver_do_not_call_{name}"


def fresh_job(name: str) -> str:
    """Name of the job that checks new and changed records of one connection."""
    return f"check_fresh_{name}"


def build_quick(settings: Settings) -> Quick:
    """Both sensors with their jobs. They run as soon as one connection may be written."""
    crms = {name: connection for name, connection in settings.connections.items() if connection.kind != "files"}
    flags = {
        name: _job(do_not_call_job(name), name, "do_not_call", "Sets do-not-call flags that wait, and nothing else.")
        for name in crms
    }
    fresh = {
        name: _job(fresh_job(name), name, "fresh_contacts", "Checks records that the CRM has just told us about.")
        for name in crms
    }
    if not crms:
        return Quick([], [])
    running = any(target_of(name, connection).writes(connection) for name, connection in crms.items())
    status = dg.DefaultSensorStatus.RUNNING if running else dg.DefaultSensorStatus.STOPPED

    @dg.sensor(
        name="do_not_call",
        jobs=list(flags.values()),
        minimum_interval_seconds=DO_NOT_CALL_SECONDS,
        default_status=status,
        description="Starts the delivery of do-not-call flags as soon as somebody opted out, for each CRM by itself.",
    )
    def do_not_call(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        yield from _requests(context, "No do-not-call flag waits.", do_not_call_job, _flags_wait)

    @dg.sensor(
        name="fresh_contacts",
        jobs=list(fresh.values()),
        minimum_interval_seconds=FRESH_SECONDS,
        default_status=status,
        description="Starts the check of records that a webhook or an outbound message told us about.",
    )
    def fresh_contacts(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        yield from _requests(context, "No record waits.", fresh_job, _records_wait)

    return Quick([*flags.values(), *fresh.values()], [do_not_call, fresh_contacts])


def _job(job_name: str, name: str, stage: str, description: str) -> UnresolvedAssetJobDefinition:
    # No tag `connection`: these runs do not wait for a sync of the same CRM.
    return dg.define_asset_job(
        job_name,
        selection=dg.AssetSelection.assets(dg.AssetKey([name, stage])),
        tags={**PRIORITY, "quick": name},
        description=description,
    )


def _requests(
    context: dg.SensorEvaluationContext,
    nothing: str,
    job_of: Callable[[str], str],
    waits: Callable[[Book, dict[str, Connection], Callable[[str], bool]], list[str]],
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    settings = load_settings()
    crms = {
        name: connection
        for name, connection in settings.connections.items()
        if connection.kind != "files" and target_of(name, connection).writes(connection)
    }
    password = os.environ.get(settings.ledger.password_variable) if settings.ledger.password_variable else None
    held_back: dict[str, str] = {}

    def may_start(name: str) -> bool:
        if why := _why_not_now(context.instance, job_of(name)):
            held_back[name] = f"{name}: {why}"
        return not why

    try:
        with waiting.glance(settings.ledger.url, password) as book:
            found = waits(book, crms, may_start)
    except waiting.NotThere:
        yield dg.SkipReason("There is no ledger yet, or it cannot be read.")
        return
    for name in found:
        # No run key: it would hold back every later run of the same name.
        yield dg.RunRequest(job_name=job_of(name), tags={"quick": name})
    if not found:
        yield dg.SkipReason(" ".join(held_back.values()) or nothing)


def _flags_wait(book: Book, crms: dict[str, Connection], may_start: Callable[[str], bool]) -> list[str]:
    found = []
    for name, connection in crms.items():
        assert connection.kind != "files"  # noqa: S101 left out by the caller
        flag = own_fields(connection.kind, (), connection.do_not_call_property).do_not_call
        if waiting.do_not_calls(book, name, flag) and may_start(name):
            found.append(name)
    if not found and waiting.opt_outs(book):
        # Any delivery turns the flags that people set into opt-outs first.
        found = [name for name in crms if may_start(name)][:1]
    return found


def _records_wait(book: Book, crms: dict[str, Connection], may_start: Callable[[str], bool]) -> list[str]:
    lost = round((time.time() - RETRY_SECONDS) * 1_000)
    return [
        name
        for name, connection in crms.items()
        if (waiting.records(book, connection.kind, name) or waiting.left_open(book, name, lost)) and may_start(name)
    ]


def _why_not_now(instance: dg.DagsterInstance, job_name: str) -> str | None:
    """Why a job is not started at this tick: it runs, it failed a moment ago, or another run was started beside a long one a moment ago."""
    now = time.time()
    going = _newest(instance, job_name, NOT_FINISHED_STATUSES)
    if going is not None and now - going.create_timestamp.timestamp() < LOST_SECONDS:
        return "it is on its way."
    ended = _newest(instance, job_name, FINISHED_STATUSES)
    if ended is None or not ended.end_time or now - ended.end_time >= RETRY_SECONDS:
        return None
    if ended.dagster_run.status == dg.DagsterRunStatus.FAILURE:
        return f"the last run failed; it is tried again within {RETRY_SECONDS:.0f} seconds."
    if going is not None:
        return f"a run goes on for long; another is started beside it every {RETRY_SECONDS:.0f} seconds."
    return None


def _newest(
    instance: dg.DagsterInstance, job_name: str, statuses: Iterable[dg.DagsterRunStatus]
) -> dg.RunRecord | None:
    found = instance.get_run_records(dg.RunsFilter(job_name=job_name, statuses=list(statuses)), limit=1)
    return found[0] if found else None
