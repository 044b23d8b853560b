"""OpenLineage events (https://openlineage.io, spec 2-0-2) as plain dictionaries: what a run read and wrote, column by column, and how good it was.

Only builders: sending is `connectors/openlineage.py`. Events hold names, types and counts, never a value of a record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final, Literal, Protocol
from uuid import UUID, uuid5

from pydantic import BaseModel, ConfigDict, Field

from ringtrue.masking import mask_text

EventType = Literal["START", "RUNNING", "COMPLETE", "ABORT", "FAIL", "OTHER"]
Event = dict[str, Any]

SPEC: Final = "https://openlineage.io/spec"
CORE: Final = f"{SPEC}/2-0-2/OpenLineage.json#/$defs/"
FACETS: Final[dict[str, str]] = {
    "schema": "1-2-0/SchemaDatasetFacet",
    "columnLineage": "1-2-0/ColumnLineageDatasetFacet",
    "dataQualityMetrics": "1-0-1/DataQualityMetricsDatasetFacet",
    "dataSource": "1-0-1/DatasourceDatasetFacet",
    "documentation": "1-1-0/DocumentationDatasetFacet",
    "outputStatistics": "1-0-2/OutputStatisticsOutputDatasetFacet",
    "parent": "1-2-0/ParentRunFacet",
    "processing_engine": "1-1-1/ProcessingEngineRunFacet",
    "errorMessage": "1-0-1/ErrorMessageRunFacet",
    "jobType": "2-0-4/JobTypeJobFacet",
}
"""Version and name of each facet's schema."""
_STEPS: Final = UUID("5a0a3f5c-3a36-5c2e-9c9c-6b1a4d1f2e77")


class OpenLineageSettings(BaseModel):
    """`[openlineage]`: off unless a collector's address or a file is named."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str | None = None
    """A collector's address; `/api/v1/lineage` is added where it has no path."""
    api_key_variable: str | None = None
    """Environment variable with the collector's key."""
    file: str | None = None
    """A file to append events to, one JSON object a line."""
    deployment: str = Field(default="default", pattern=r"^[A-Za-z0-9._-]{1,60}$")
    """Names this installation among those that report to the same collector."""


class Emitter(Protocol):
    """Takes events to where they are kept. Raises RetryLater or StopRun when it cannot."""

    def emit(self, event: Event) -> None:
        """Send one event."""


@dataclass(frozen=True)
class Column:
    """One column of a dataset. `comes_from` names (dataset, column) pairs it is made from; `how` is IDENTITY, TRANSFORMATION, AGGREGATION, FILTER or JOIN."""

    name: str
    type: str = "string"
    description: str = ""
    comes_from: tuple[tuple[str, str], ...] = ()
    how: Literal["IDENTITY", "TRANSFORMATION", "AGGREGATION", "FILTER", "JOIN"] = "TRANSFORMATION"
    masking: bool = False
    """Whether the transformation hides the original value."""


@dataclass(frozen=True)
class Metrics:
    """How many rows a dataset has, and counts by column."""

    rows: int
    nulls: Mapping[str, int] = field(default_factory=dict)
    distinct: Mapping[str, int] = field(default_factory=dict)
    sums: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Dataset:
    """A table, an object of a CRM, a lead source. Its name is the Dagster asset key joined by slashes."""

    name: str
    columns: Sequence[Column] = ()
    description: str = ""
    metrics: Metrics | None = None
    uri: str = ""
    rows_written: int | None = None
    """For outputs: rows this run wrote."""


def namespace(deployment: str = "default") -> str:
    """Namespace of our jobs and datasets: one per deployment, so that two installations do not mix in one collector."""
    return f"ringtrue://{deployment}"


def step_run_id(run_id: str, step: str) -> str:
    """The id of one asset's part of a Dagster run: the same whenever it is computed, so that a retry adds to it."""
    return str(uuid5(_STEPS, f"{run_id}/{step}"))


def run_event(
    kind: EventType,
    *,
    at: datetime,
    run_id: str,
    job: str,
    inputs: Sequence[Dataset] = (),
    outputs: Sequence[Dataset] = (),
    deployment: str = "default",
    parent: tuple[str, str] | None = None,
    error: str | None = None,
    engine_version: str | None = None,
) -> Event:
    """A RunEvent. `run_id` is a UUID; `parent` is (run id, job name) of the Dagster run the step belongs to; `error` is shown masked."""
    where = namespace(deployment)
    run_facets: dict[str, Any] = {}
    if parent is not None:
        run_facets["parent"] = _facet(
            "parent", run={"runId": str(UUID(parent[0]))}, job={"namespace": where, "name": parent[1]}
        )
    if engine_version is not None:
        run_facets["processing_engine"] = _facet("processing_engine", name="dagster", version=engine_version)
    if error is not None:
        run_facets["errorMessage"] = _facet("errorMessage", message=mask_text(error), programmingLanguage="python")
    job_type = _facet("jobType", processingType="BATCH", integration="DAGSTER", jobType="ASSET")
    return {
        "eventType": kind,
        "eventTime": _time(at),
        "producer": producer(),
        "schemaURL": f"{CORE}RunEvent",
        "run": {"runId": str(UUID(run_id)), "facets": run_facets},
        "job": {"namespace": where, "name": job, "facets": {"jobType": job_type}},
        "inputs": [_dataset(dataset, where) for dataset in inputs],
        "outputs": [_output(dataset, where) for dataset in outputs],
    }


def dataset_event(dataset: Dataset, *, at: datetime, deployment: str = "default") -> Event:
    """A DatasetEvent: what is known of a dataset outside a run, such as a lead source's schema and description."""
    return {
        "eventTime": _time(at),
        "producer": producer(),
        "schemaURL": f"{CORE}DatasetEvent",
        "dataset": _dataset(dataset, namespace(deployment)),
    }


def producer() -> str:
    """Who made the event: this program and its version, as a URI."""
    try:
        return f"urn:ringtrue:{version('ringtrue')}"
    except PackageNotFoundError:
        return "urn:ringtrue:source"


def _dataset(dataset: Dataset, where: str) -> dict[str, Any]:
    facets: dict[str, Any] = {}
    if dataset.columns:
        facets["schema"] = _facet("schema", fields=[_schema_field(column) for column in dataset.columns])
    lineage = {column.name: _lineage(column, where) for column in dataset.columns if column.comes_from}
    if lineage:
        facets["columnLineage"] = _facet("columnLineage", fields=lineage)
    if dataset.description:
        facets["documentation"] = _facet("documentation", description=dataset.description)
    if dataset.uri:
        facets["dataSource"] = _facet("dataSource", name=dataset.name, uri=dataset.uri)
    if dataset.metrics is not None:
        facets["dataQualityMetrics"] = _metrics(dataset.metrics)
    return {"namespace": where, "name": dataset.name, "facets": facets}


def _output(dataset: Dataset, where: str) -> dict[str, Any]:
    written = dataset.rows_written
    facets = {} if written is None else {"outputStatistics": _facet("outputStatistics", rowCount=written)}
    return {**_dataset(dataset, where), "outputFacets": facets}


def _schema_field(column: Column) -> dict[str, Any]:
    described = {"description": column.description} if column.description else {}
    return {"name": column.name, "type": column.type, **described}


def _lineage(column: Column, where: str) -> dict[str, Any]:
    kind = "INDIRECT" if column.how in ("FILTER", "JOIN") else "DIRECT"
    transformation = {"type": kind, "subtype": column.how, "masking": column.masking}
    return {
        "inputFields": [
            {"namespace": where, "name": name, "field": source, "transformations": [transformation]}
            for name, source in column.comes_from
        ]
    }


def _metrics(metrics: Metrics) -> dict[str, Any]:
    columns: dict[str, dict[str, Any]] = {}
    for key, values in (("nullCount", metrics.nulls), ("distinctCount", metrics.distinct), ("sum", metrics.sums)):
        for name, value in values.items():
            columns.setdefault(name, {})[key] = value
    return _facet("dataQualityMetrics", rowCount=metrics.rows, columnMetrics=columns)


def _facet(name: str, /, **content: Any) -> dict[str, Any]:
    path = FACETS[name]
    definition = path.split("/")[1]
    return {"_producer": producer(), "_schemaURL": f"{SPEC}/facets/{path}.json#/$defs/{definition}", **content}


def _time(at: datetime) -> str:
    if at.tzinfo is None:
        raise ValueError("an event's time needs a time zone")
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
