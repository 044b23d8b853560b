"""The bulk half of `Crm` for a CRM that has neither bulk jobs nor conditional writes: each method says so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NoReturn

from connectors.crm import BulkJob
from ringtrue.errors import SettingsError
from ringtrue.records import RecordWrite, RowResult


class NoBulk:
    """Raises SettingsError from every method that `has_bulk` and `conditional_writes` guard."""

    kind = ""
    has_bulk = False
    conditional_writes = False

    def write_if_unmodified(self, object_name: str, row: RecordWrite, unmodified_since: datetime) -> RowResult:
        raise SettingsError(
            f"{self.kind} cannot write {object_name} {row.record_id} on condition of {unmodified_since:%Y-%m-%d}: "
            "check its history after the write instead."
        )

    def bulk_open(self, object_name: str, fields: Sequence[str]) -> str:
        self._refuse(f"{object_name}, {len(fields)} fields")

    def bulk_upload(self, job_id: str, object_name: str, rows: Sequence[RecordWrite]) -> None:
        self._refuse(f"{job_id}, {len(rows)} rows of {object_name}")

    def bulk_close(self, job_id: str) -> None:
        self._refuse(job_id)

    def bulk_wait(self, job_id: str) -> BulkJob:
        self._refuse(job_id)

    def bulk_state(self, job_id: str) -> BulkJob:
        self._refuse(job_id)

    def bulk_results(self, job_id: str) -> Iterator[list[RowResult]]:
        self._refuse(job_id)

    def bulk_abort(self, job_id: str) -> None:
        self._refuse(job_id)

    def _refuse(self, what: str) -> NoReturn:
        raise SettingsError(f"{self.kind} has no bulk jobs ({what}): write in batches instead.")
