"""Which runs are this project's: others may run on the same Dagster."""

import dagster as dg

AD_HOC = "__ASSET_JOB"
"""Job of a run that somebody started from the graph."""
PROCESS_TAG = "ringtrue/process"
"""Run tag of the command line: which process carries a run out."""


def location_of(run: dg.DagsterRun) -> str | None:
    """The code location a run was launched from; None for one of the command line."""
    return run.remote_job_origin.location_name if run.remote_job_origin is not None else None


def is_ours(run: dg.DagsterRun, location: str | None) -> bool:
    """Whether a run is of this project: launched from its code location, or by its command line."""
    where = location_of(run)
    return PROCESS_TAG in run.tags if where is None else where == location
