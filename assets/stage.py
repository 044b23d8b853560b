"""What every stage shares: one error sentence instead of a traceback, counts that add up, a masked sample."""

import logging
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import dagster as dg
from dagster import MetadataValue
from sqlalchemy.exc import OperationalError

from connectors.crm import Usage
from ringtrue.errors import RetryLater, RingTrueError
from ringtrue.masking import mask_email, mask_number, mask_text

log = logging.getLogger("connectors.stage")

SAMPLE_ROWS = 10
BATCH = 20_000
"""Rows a stage holds in memory at a time."""


def now_ms() -> int:
    """Milliseconds since 1970."""
    return int(time.time() * 1000)


def root_run(context: dg.AssetExecutionContext | dg.OpExecutionContext) -> str:
    """The run a person started: retries of it count as the same run."""
    return context.run.root_run_id or context.run.run_id


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn our errors into one sentence on the run's page. Those a person must mend are not retried.

    Any other error shows where it happened. Messages of the errors behind it may hold people's data, so they stay out of the log.
    """
    try:
        yield
    except (dg.Failure, dg.RetryRequested):
        raise
    except RingTrueError as error:
        raise dg.Failure(
            description=mask_text(str(error)),
            metadata={"kind": type(error).__name__},
            allow_retries=isinstance(error, RetryLater),
        ) from None
    except Exception as error:
        where = "".join(traceback.format_tb(error.__traceback__))
        raise dg.Failure(
            description=f"Unexpected {type(error).__name__}: {mask_text(str(error))}",
            metadata={"kind": type(error).__name__, "where": MetadataValue.md(f"```\n{where}\n```")},
            # A database that is locked or was restarted comes back; a defect does not go away.
            allow_retries=isinstance(error, OperationalError),
        ) from None


def counts(values: Mapping[str, int | float]) -> dict[str, MetadataValue[Any]]:
    """Numbers as metadata: the UI plots their history."""
    return {
        name: MetadataValue.float(value) if isinstance(value, float) else MetadataValue.int(value)
        for name, value in values.items()
    }


def usage_metadata(usage: Usage) -> dict[str, MetadataValue[Any]]:
    """API calls used by kind, in all, and what is left of the day's allowance."""
    metadata: dict[str, MetadataValue[Any]] = {
        "api calls": MetadataValue.int(usage.total()),
        "api retries": MetadataValue.int(usage.retries),
        "api calls by kind": MetadataValue.json(dict(sorted(usage.calls.items()))),
    }
    if usage.allowed_today is not None and usage.used_today is not None:
        metadata["api calls left today"] = MetadataValue.int(usage.allowed_today - usage.used_today)
    return metadata


def sample(rows: Sequence[Mapping[str, Any]], mask: Mapping[str, str]) -> MetadataValue[Any]:
    """The first rows as a table. `mask` says per column how to hide its value: number, email or text."""
    hide = {"number": mask_number, "email": mask_email, "text": mask_text}
    shown = [
        {
            name: ("" if value is None else hide[mask[name]](str(value)) if name in mask else str(value))
            for name, value in row.items()
        }
        for row in rows[:SAMPLE_ROWS]
    ]
    names = list(shown[0]) if shown else list(mask)
    return MetadataValue.table(
        records=[dg.TableRecord(row) for row in shown],
        schema=dg.TableSchema(columns=[dg.TableColumn(name, "string") for name in names]),
    )


def columns(**described: str) -> dg.TableSchema:
    """Column schema of the table a stage writes: name -> what it holds."""
    return dg.TableSchema(columns=[dg.TableColumn(name, description=text) for name, text in described.items()])
