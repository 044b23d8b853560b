"""Salesforce as a Crm: contacts and leads, on simple-salesforce.

The parts: `salesforce_session` is the one door, `salesforce_pull` and `salesforce_bulk` read, `salesforce_write` and `salesforce_ingest` write,
`salesforce_calls` knows tasks and campaigns, `salesforce_prepare` makes our fields.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from connectors.crm import BulkJob, CallPage, FieldInfo, FieldMap, Page, PropertyEdit, StepPrepared, Usage, WantedField
from connectors.http import TokenBucket
from connectors.listening import Listening
from connectors.salesforce_auth import ClientCredentials, Credentials, JwtCredentials, PasswordCredentials
from connectors.salesforce_bulk import QueryResults, open_query, wait_for_query
from connectors.salesforce_calls import CallQuestion, campaign_members, remove_campaign_members
from connectors.salesforce_campaigns import members_of, read_memberships, write_memberships
from connectors.salesforce_errors import GRANT
from connectors.salesforce_ids import api_name
from connectors.salesforce_ingest import Ingest, split
from connectors.salesforce_listeners import listening
from connectors.salesforce_origins import CampaignJoin, campaign_joins, campaign_names
from connectors.salesforce_prepare import prepare
from connectors.salesforce_pull import Puller, PullSettings, Question, gathered
from connectors.salesforce_records import (
    DEFAULT_FIELDS,
    OBJECTS,
    as_contacts,
    conversion_of,
    infos_of,
    pruned,
    records_of,
    select,
    shape_of,
)
from connectors.salesforce_session import SalesforceSession, Wire
from connectors.salesforce_write import COLLECTION_SIZE, READ_SIZE, read_rows, write_if_unmodified, write_rows
from ringtrue.errors import FieldMissing, SchemaChanged, SettingsError
from ringtrue.list_objects import is_list
from ringtrue.records import PulledRecord, RecordWrite, RowResult

__all__ = ["ClientCredentials", "JwtCredentials", "PasswordCredentials", "SalesforceCrm", "SalesforceSettings"]


@dataclass(frozen=True)
class SalesforceSettings:
    """How one connection behaves. Sizes are rows; see the parts for what they mean."""

    objects: tuple[str, ...] = OBJECTS
    wire: Wire = field(default_factory=Wire)
    pull: PullSettings = field(default_factory=PullSettings)
    bulk_write_rows: int = 100_000
    call_number_field: str | None = None
    """API name of the Task field that holds the number dialled, where the org has one."""
    call_trunk_field: str | None = None
    calls_per_second: float | None = None
    """An upper limit of our own; Salesforce limits by the day and by long calls at the same time, not by the second."""


class SalesforceCrm:
    """One Salesforce org. Build it with `connect`; nothing is sent before the first question."""

    kind = "salesforce"
    collection_size = COLLECTION_SIZE
    read_size = READ_SIZE
    has_bulk = True
    conditional_writes = True
    keeps_history = False
    index_lags = False

    def __init__(self, session: SalesforceSession, settings: SalesforceSettings) -> None:
        self.usage: Usage = session.usage
        self.objects: tuple[str, ...] = settings.objects
        self.bulk_rows: int = settings.bulk_write_rows
        """Most rows of one bulk job; `bulk_split` cuts to it."""
        self.nul_bytes = 0
        """NUL bytes taken out of pulled values so far."""
        self._session = session
        self._settings = settings
        self._infos: dict[str, dict[str, FieldInfo]] = {}
        self._ingest = Ingest(session, polling=settings.pull.polling, most_rows=settings.bulk_write_rows)

    @classmethod
    def connect(
        cls,
        credentials: Credentials,
        *,
        base_url: str | None = None,
        settings: SalesforceSettings | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> SalesforceCrm:
        """A connection to the org behind the credentials. `base_url` sends everything to a stand-in instead.

        Raises SettingsError for credentials that cannot work. Logging in waits for the first call.
        """
        settings = settings or SalesforceSettings()
        for name in settings.objects:
            if name not in DEFAULT_FIELDS:
                raise SettingsError(
                    f"RingTrue keeps Contact and Lead of Salesforce, not {name}. Correct `objects` of the connection."
                )
        rate = settings.calls_per_second
        bucket = TokenBucket(rate, max(1.0, rate), sleep=sleep) if rate else None
        session = SalesforceSession(
            credentials, usage=Usage(), wire=settings.wire, base_url=base_url, sleep=sleep, bucket=bucket
        )
        return cls(session, settings)

    def identity(self) -> str:
        """The org's id, 18 characters."""
        return self._session.login.org_id

    def default_fields(self, object_name: str) -> FieldMap:
        """The standard field map of Contact or Lead, whether or not this org has all of it."""
        return DEFAULT_FIELDS[object_name]

    def available_fields(self, object_name: str, field_map: FieldMap | None = None) -> FieldMap:
        """A field map (default: the standard one) without what this org lacks or hides, such as MailingCountryCode.

        Raises FieldMissing when no phone field is left.
        """
        wanted = field_map or self.default_fields(object_name)
        left = pruned(wanted, self.describe(object_name))
        if not left.phones:
            raise FieldMissing(
                f"Our Salesforce user sees none of the phone fields {', '.join(wanted.phones)} of {object_name}. Give the user read access to them."
            )
        return left

    def listening(self, fields: Mapping[str, Sequence[str]]) -> Listening:
        """Flows, workflow rules and Apex triggers that run when we write; `fields` are ours by object."""
        return listening(self._session, fields)

    def clock_skew(self) -> float:
        """Seconds that Salesforce's clock is ahead of ours, as its last answer told; 0 within five seconds."""
        return self._session.clock_skew

    def describe(self, object_name: str) -> dict[str, FieldInfo]:
        """Every field our user can see, by API name. Asked once per connection; `prepare` forgets it."""
        if object_name not in self._infos:
            answer = self._session.sf.restful(f"sobjects/{api_name(object_name)}/describe")
            if not answer or "fields" not in answer:
                raise SchemaChanged(f"Salesforce described {object_name} without its fields.")
            self._infos[object_name] = infos_of(answer)
        return self._infos[object_name]

    def pull(
        self, object_name: str, fields: Sequence[str], *, cursor: str | None, since: datetime | None = None
    ) -> Iterator[Page]:
        """Records changed since the cursor, deleted and merged ones included.

        Small pulls come oldest change first, large ones by Bulk in no order; either way every page's cursor may be stored once the page is (see
        `salesforce_pull`). A `since` later than the cursor leaves the cursor where it is.
        """
        shape = shape_of(self._seen(object_name, fields), self.describe(object_name))
        puller = Puller(self._session, self._settings.pull)
        batches = puller.pull(Question(object_name, shape), cursor=cursor, since=since)
        leads = object_name == "Lead"
        for records, place in gathered(batches, partial(records_of, shape), self._settings.pull.page_rows):
            yield Page(as_contacts(records) if leads else records, place)
        self.nul_bytes += puller.nul_bytes

    def pull_ids(self, object_name: str) -> Iterator[list[str]]:
        """Ids of all living records, converted leads left out: by REST up to `bulk_from_rows`, by Bulk above."""
        name, pull = api_name(object_name), self._settings.pull
        living = "IsConverted = false" if conversion_of(name, self.describe(name)) else ""
        soql = select(("Id",), name, living)
        count = int(self._session.query(select(("COUNT()",), name, living), deleted_too=False)["totalSize"])
        if count <= pull.bulk_from_rows:
            for page in self._session.query_rows(soql, deleted_too=False):
                yield [one["Id"] for one in page]
            return
        job = wait_for_query(self._session, open_query(self._session, soql, deleted_too=False), pull.polling)
        results = QueryResults(self._session, job, ("Id",), page_rows=pull.bulk_page_rows, batch_rows=pull.page_rows)
        for batch in results:
            yield [row[0] for row in batch.rows]

    def pull_calls(self, *, cursor: str | None, since: datetime | None = None) -> Iterator[CallPage]:
        """Logged calls changed since the cursor, archived and deleted ones included."""
        asked = CallQuestion(self.describe("Task"), self._settings.call_number_field, self._settings.call_trunk_field)
        puller = Puller(self._session, self._settings.pull)
        batches = puller.pull(asked.question, cursor=cursor, since=since)
        for calls, place in gathered(batches, asked.calls_of, self._settings.pull.page_rows):
            yield CallPage(calls, place)
        self.nul_bytes += puller.nul_bytes

    def call_outcomes(self) -> dict[str, str]:
        """Value -> label of the call result, where the org made it a picklist; empty where it is free text."""
        answer = self._session.sf.restful("sobjects/Task/describe")
        for one in (answer or {}).get("fields", []):
            if one["name"] == "CallDisposition":
                return {item["value"]: item.get("label") or item["value"] for item in one.get("picklistValues") or []}
        return {}

    def read(self, object_name: str, ids: Sequence[str], fields: Sequence[str]) -> dict[str, PulledRecord]:
        """Current values of up to 2,000 records by id. Deleted ones come as `deleted` with no values; ids that never were are missing.

        A converted lead comes as `deleted`, merged into its contact.
        """
        if is_list(object_name):
            return read_memberships(self._session, object_name, ids)
        infos = self.describe(object_name)
        asked = dict.fromkeys([*self._seen(object_name, fields), *conversion_of(object_name, infos)])
        found = read_rows(self._session, object_name, ids, tuple(asked), infos)
        return dict(zip(found, as_contacts(list(found.values())), strict=True)) if object_name == "Lead" else found

    def write(self, object_name: str, rows: Sequence[RecordWrite]) -> list[RowResult]:
        """Write up to 200 records in one call; results in order. Raises ConnectionLost when it is not known what was written."""
        if is_list(object_name):
            return write_memberships(self._session, object_name, rows)
        return write_rows(self._session, object_name, rows, self.describe(object_name))

    def write_if_unmodified(self, object_name: str, row: RecordWrite, unmodified_since: datetime) -> RowResult:
        """Write one record unless it was modified later than the moment, in whole seconds."""
        return write_if_unmodified(self._session, object_name, row, unmodified_since, self.describe(object_name))

    def history(
        self, object_name: str, ids: Sequence[str], fields: Sequence[str]
    ) -> dict[str, dict[str, list[PropertyEdit]]]:
        """Nothing: Salesforce keeps versions only of fields for which an admin switched field history on. See `keeps_history`."""
        del object_name, ids, fields
        return {}

    def bulk_open(self, object_name: str, fields: Sequence[str]) -> str:
        """Open an update job and return its id."""
        return self._ingest.open(object_name, fields)

    def bulk_split(self, rows: Sequence[RecordWrite]) -> Iterator[list[RecordWrite]]:
        """Rows in portions that each fit one job, siblings side by side."""
        return split(rows, self._settings.bulk_write_rows)

    def bulk_upload(self, job_id: str, object_name: str, rows: Sequence[RecordWrite]) -> None:
        """Upload the rows of a job, once. Raises ConnectionLost when it is not known whether they arrived: abandon the job then."""
        api_name(object_name)
        self._ingest.upload(job_id, rows)

    def bulk_close(self, job_id: str) -> None:
        """Let the job run."""
        self._ingest.close(job_id)

    def bulk_wait(self, job_id: str) -> BulkJob:
        """Poll until the job has ended. Raises FieldMissing when it failed because of a column."""
        return self._ingest.wait(job_id)

    def bulk_state(self, job_id: str) -> BulkJob:
        """The job's state now. Raises RecordGone for a job that Salesforce does not know any more."""
        return self._ingest.state(job_id)

    def bulk_results(self, job_id: str) -> Iterator[list[RowResult]]:
        """A result for every row uploaded, in no order."""
        return self._ingest.results(job_id)

    def bulk_abort(self, job_id: str) -> None:
        """Abandon a job that never ran."""
        self._ingest.abort(job_id)

    def campaign_joins(self, since: datetime | None) -> Iterator[tuple[list[CampaignJoin], datetime | None]]:
        """Who joined which campaign since a moment, a page at a time with its latest change."""
        return campaign_joins(self._session, since)

    def campaign_names(self) -> dict[str, str]:
        """Name of every campaign, by id."""
        return campaign_names(self._session)

    def campaign_members(self, campaign_ids: Sequence[str]) -> Iterator[list[tuple[str, str, str | None]]]:
        """(member id, contact or lead id, status) of everybody on the campaigns, a page at a time."""
        return campaign_members(self._session, campaign_ids)

    def campaign_people(self, campaign_id: str) -> Iterator[list[tuple[str, str]]]:
        """(contact or lead id, status) of everybody on a campaign, a page at a time."""
        return members_of(self._session, campaign_id)

    def remove_campaign_members(self, member_ids: Sequence[str]) -> list[RowResult]:
        """Take people off their campaigns; results in order, "gone" for who was not on it any more."""
        return remove_campaign_members(self._session, member_ids)

    def prepare(self, wanted: Sequence[WantedField], *, dry_run: bool) -> list[StepPrepared]:
        """Create the fields, their permissions, page section and list view. Idempotent."""
        steps = prepare(self._session, wanted, dry_run=dry_run)
        self._infos.clear()
        return steps

    def close(self) -> None:
        """Give connections back."""
        self._session.close()

    def _seen(self, object_name: str, fields: Sequence[str]) -> Sequence[str]:
        """The fields, if our user sees them all; FieldMissing naming those it does not."""
        infos = self.describe(object_name)
        missing = [name for name in fields if name not in infos]
        if missing:
            raise FieldMissing(f"Our Salesforce user sees no field {', '.join(missing)} of {object_name}. {GRANT}")
        return fields
