"""Which runs are this project's: others may run on the same Dagster."""

from collections.abc import Collection

import dagster as dg

AD_HOC = "__ASSET_JOB"
"""Job of a run that somebody started from the graph. All projects of a Dagster have one of this name."""


def location_of(run: dg.DagsterRun) -> str | None:
    """The code location a run was launched from; None for one of the command line."""
    return run.remote_job_origin.location_name if run.remote_job_origin is not None else None


def is_ours(run: dg.DagsterRun, jobs: Collection[str], location: str | None) -> bool:
    """Whether a run is of this project. `jobs` are its jobs, `location` its code location where that is known."""
    where = location_of(run)
    if where is not None and location is not None and where != location:
        return False
    return run.job_name in jobs or (run.job_name == AD_HOC and where == location)
