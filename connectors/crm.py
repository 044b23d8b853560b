"""The protocol every CRM keeps. A new CRM is one file that implements `Crm`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple, Protocol

from connectors.listening import Listening
from ringtrue.fields import FieldMap as FieldMap
from ringtrue.records import PulledCall, PulledRecord, RecordWrite, RowResult


class FieldInfo(NamedTuple):
    """One field as the CRM describes it."""

    name: str
    label: str
    type: str
    writable: bool
    custom: bool
    max_length: int | None = None


class Page(NamedTuple):
    """A batch of pulled records and the cursor to store once the batch is committed. The last page may be empty."""

    records: list[PulledRecord]
    cursor: str


class CallPage(NamedTuple):
    """A batch of pulled calls and the cursor to store once the batch is committed."""

    calls: list[PulledCall]
    cursor: str


class PropertyEdit(NamedTuple):
    """One version of a field's value, newest first, and who wrote it. `ours` is True for our own integration's writes."""

    value: str | None
    at: datetime
    source: str
    ours: bool


@dataclass
class Usage:
    """API calls of one run, by kind, and what the service says is left today (None where it does not say)."""

    calls: dict[str, int] = field(default_factory=dict)
    retries: int = 0
    used_today: int | None = None
    allowed_today: int | None = None

    def total(self) -> int:
        return sum(self.calls.values())

    def count(self, kind: str) -> None:
        self.calls[kind] = self.calls.get(kind, 0) + 1


BulkState = Literal["open", "running", "complete", "failed", "aborted"]


class BulkJob(NamedTuple):
    """State of a bulk write. `open`: never closed, so it never ran and may be abandoned."""

    job_id: str
    state: BulkState
    error: str | None = None


class StepPrepared(NamedTuple):
    """One thing `prepare` made, found in place, would make (dry run), or cannot make and tells a person to do."""

    what: str
    result: Literal["created", "exists", "would_create", "updated", "by_hand"]
    instruction: str | None = None


class Crm(Protocol):
    """A CRM. Every method raises errors of `ringtrue.errors` only; retries of passing faults happen inside.

    Objects are named by the CRM's API names ("Contact", "Lead"; "contacts"). All reads stream in bounded memory.
    """

    kind: str
    usage: Usage
    objects: tuple[str, ...]
    """The objects this connection reads and writes, in pull order."""
    collection_size: int
    """Most records one `write` call takes (Salesforce 200, HubSpot 100)."""
    read_size: int
    """Most ids one `read` call takes (Salesforce 2,000, HubSpot 100)."""
    has_bulk: bool
    """Whether the bulk_ methods may be used."""

    def identity(self) -> str:
        """A stable name of the org or portal behind the credentials (org id, portal id)."""

    def default_fields(self, object_name: str) -> FieldMap:
        """The standard field map of an object; settings may add to it."""

    def available_fields(self, object_name: str) -> FieldMap:
        """The standard field map without what this org lacks or hides from us. Raises FieldMissing when no phone field is left."""

    def describe(self, object_name: str) -> dict[str, FieldInfo]:
        """Every field our user can see, by API name."""

    def pull(
        self, object_name: str, fields: Sequence[str], *, cursor: str | None, since: datetime | None = None
    ) -> Iterator[Page]:
        """Records changed since the cursor (None: all), oldest change first, deleted and merged ones included.

        `since` replaces the cursor's time. An overlap window is re-read; the caller's upsert makes that harmless.
        A cursor is opaque text, valid for the same object.
        """

    def pull_ids(self, object_name: str) -> Iterator[list[str]]:
        """Ids of all living records, for the daily reconcile."""

    def pull_calls(self, *, cursor: str | None, since: datetime | None = None) -> Iterator[CallPage]:
        """Logged calls changed since the cursor, oldest change first."""

    def call_outcomes(self) -> dict[str, str]:
        """The CRM's own outcome list: id or value -> label. Empty where it has none."""

    def read(self, object_name: str, ids: Sequence[str], fields: Sequence[str]) -> dict[str, PulledRecord]:
        """Current values by id (one call for up to `read_size`). Ids that no longer exist are missing, or `deleted` with `merged_into` where known."""

    def write(self, object_name: str, rows: Sequence[RecordWrite]) -> list[RowResult]:
        """Write up to `collection_size` records in one call; one result for each row, in order. One bad row never fails its neighbours.

        The call itself is sent again only when it provably did not arrive (refused connection, 429, 503 before processing, lock): after a lost answer it raises
        ConnectionLost and the journal settles the rows by reading them.
        """

    def write_if_unmodified(self, object_name: str, row: RecordWrite, unmodified_since: datetime) -> RowResult:
        """Write one record unless it was modified later than the moment named. Only where `conditional_writes`."""

    conditional_writes: bool
    keeps_history: bool
    index_lags: bool
    """Whether a pull may hand out a version that is older than a write which was answered already."""

    def history(
        self, object_name: str, ids: Sequence[str], fields: Sequence[str]
    ) -> dict[str, dict[str, list[PropertyEdit]]]:
        """Versions of fields, newest first, by record id and field (HubSpot). Only where `keeps_history`."""

    def bulk_open(self, object_name: str, fields: Sequence[str]) -> str:
        """Open a bulk write job and return its id. Nothing runs before `bulk_close`."""

    def bulk_upload(self, job_id: str, object_name: str, rows: Sequence[RecordWrite]) -> None:
        """Upload the rows of the job, once."""

    def bulk_close(self, job_id: str) -> None:
        """Tell the CRM to run the job."""

    def bulk_wait(self, job_id: str) -> BulkJob:
        """Poll until the job has ended; polls back off and are counted apart in `usage` as kind "poll"."""

    def bulk_state(self, job_id: str) -> BulkJob:
        """The job's state now, without waiting."""

    def bulk_results(self, job_id: str) -> Iterator[list[RowResult]]:
        """A result for every row uploaded, in no particular order; unprocessed rows come back as "retry"."""

    def bulk_abort(self, job_id: str) -> None:
        """Abandon a job that never ran."""

    def prepare(self, wanted: Sequence[WantedField], *, dry_run: bool) -> list[StepPrepared]:
        """Create the fields RingTrue writes, their permissions and views. Idempotent."""

    def listening(self, fields: Mapping[str, Sequence[str]]) -> Listening:
        """What the CRM runs when we write; `fields` are ours by object. What our user may not see is named, not raised."""

    def clock_skew(self) -> float:
        """Seconds that the service's clock is ahead of ours, as its last answer told; 0 within a few seconds."""

    def close(self) -> None:
        """Give connections back."""


FieldKind = Literal["text", "long_text", "picklist", "checkbox", "datetime", "number", "url"]


class WantedField(NamedTuple):
    """A field of our own that `prepare` creates. `options` are (stored key, label) pairs of a picklist."""

    object_name: str
    name: str
    label: str
    kind: FieldKind
    length: int | None = None
    options: tuple[tuple[str, str], ...] = ()
    help_text: str = ""
