"""HubSpot as a `Crm`: contacts, calls, lists and properties of one portal, over hubspot-api-client's transport."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from connectors.crm import (
    CallPage,
    FieldInfo,
    FieldMap,
    Page,
    PropertyEdit,
    StepPrepared,
    Usage,
    WantedField,
)
from connectors.http import RetryPolicy, Timeouts
from connectors.hubspot_calls import pull_call_pages, read_outcomes
from connectors.hubspot_fields import default_map, describe_object, keep_known
from connectors.hubspot_listeners import listening
from connectors.hubspot_lists import email_opt_outs, read_members, remove_members
from connectors.hubspot_membership import read_memberships, write_memberships
from connectors.hubspot_paths import Paths
from connectors.hubspot_prepare import prepare_portal
from connectors.hubspot_pull import Puller, list_rows
from connectors.hubspot_read import read_history, read_records
from connectors.hubspot_records import MERGE_FIELDS, RecordReader
from connectors.hubspot_wire import POLICY, TIMEOUTS, Wire, utc_now
from connectors.hubspot_write import BATCH_SIZE, write_rows
from connectors.listening import Listening
from connectors.no_bulk import NoBulk
from ringtrue.errors import CredentialRefused, FieldMissing, SettingsError
from ringtrue.list_objects import is_list
from ringtrue.records import PulledRecord, RecordWrite, RowResult

OVERLAP = timedelta(minutes=15)


class HubspotCrm(NoBulk):
    """One portal. Reads stream; writes are batches of 100 with a result for each row; see `Crm` for what each method promises.

    `own_source_id` is the app id that HubSpot writes into the history of values we wrote. A private app's token knows its own; where neither
    says, every value written by a program counts as ours in `history`.
    """

    kind = "hubspot"
    collection_size = BATCH_SIZE
    read_size = 100
    keeps_history = True
    index_lags = True
    objects: tuple[str, ...] = ("contacts",)

    def __init__(self, wire: Wire, *, overlap: timedelta = OVERLAP, own_source_id: str | None = None) -> None:
        self.usage = wire.usage
        self._wire = wire
        self._overlap = overlap
        self._own_source_id = own_source_id
        self._described: dict[str, dict[str, FieldInfo]] = {}
        self._outcomes: dict[str, str] | None = None
        self._identity: str | None = None
        self._about_token: dict[str, Any] | None = None

    @classmethod
    def connect(
        cls,
        token: str,
        *,
        base_url: str | None = None,
        paths: str = "v3",
        overlap: timedelta = OVERLAP,
        own_source_id: str | None = None,
        daily_share: float = 0.8,
        searches_per_second: float = 4.0,
        bucket_folder: Path | None = None,
        timeouts: Timeouts = TIMEOUTS,
        policy: RetryPolicy = POLICY,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], datetime] = utc_now,
    ) -> HubspotCrm:
        """Connect with a service key or a private app's token. No call is made before one is needed.

        `paths`: "v3", or "2026-09" for the date-versioned paths. `overlap`: how far a delta looks back, for HubSpot's index lag.
        `daily_share`: the share of the portal's daily calls at which we stop. `sleep` and `clock` are for tests.
        """
        usage = Usage()
        wire = Wire(
            token,
            Paths.of(paths),
            usage,
            base_url=base_url,
            daily_share=daily_share,
            searches_per_second=searches_per_second,
            bucket_folder=bucket_folder,
            timeouts=timeouts,
            policy=policy,
            sleep=sleep,
            clock=clock,
        )
        return cls(wire, overlap=overlap, own_source_id=own_source_id)

    @property
    def paths(self) -> str:
        """The family of paths in use."""
        return self._wire.paths.family

    def identity(self) -> str:
        """The portal id. A token that may not see the account is asked what it says about itself."""
        if self._identity is None:
            self._identity = self._ask_identity()
        return self._identity

    def _ask_identity(self) -> str:
        answer = self._wire.send(
            "account", "GET", self._wire.paths.account(), what="read the account", allow=(403, 404)
        )
        portal = answer.data.get("portalId") if answer.status == 200 else self._token_info().get("hubId")
        if not portal:
            raise CredentialRefused(
                "HubSpot does not say which portal this token belongs to: give it the scope account-info.security.read or oauth."
            )
        return str(portal)

    def _token_info(self) -> dict[str, Any]:
        """What HubSpot says about a private app's token (portal and app id); empty for other kinds of tokens."""
        if self._about_token is None:
            answer = self._wire.send(
                "account",
                "POST",
                self._wire.paths.token_info(),
                body={"tokenKey": self._wire.token},
                what="read what the token is for",
                allow=(400, 403, 404),
            )
            self._about_token = answer.data if answer.status == 200 else {}
        return self._about_token

    def listening(self, fields: Mapping[str, Sequence[str]]) -> Listening:
        """Workflows that run when we write; `fields` are ours by object."""
        return listening(self._wire, fields)

    def clock_skew(self) -> float:
        """Seconds that HubSpot's clock is ahead of ours, as its last answer told; 0 within five seconds."""
        return self._wire.clock_skew

    def default_fields(self, object_name: str) -> FieldMap:
        """The standard field map. HubSpot has no do-not-call property of its own: settings add the portal's."""
        return default_map(object_name)

    def available_fields(self, object_name: str) -> FieldMap:
        """The standard field map without what this portal does not have."""
        return keep_known(default_map(object_name), self.describe(object_name))

    def describe(self, object_name: str) -> dict[str, FieldInfo]:
        """Every property the token can see, by name. Asked once for each connection."""
        if object_name not in self._described:
            self._described[object_name] = describe_object(self._wire, object_name)
        return self._described[object_name]

    def pull(
        self, object_name: str, fields: Sequence[str], *, cursor: str | None, since: datetime | None = None
    ) -> Iterator[Page]:
        """Records changed since the cursor (None: all), archived ones as `deleted`, survivors of merges with `merged_from`.

        Within a page and a window records come in the order of their ids. Raises FieldMissing for a property the portal does not have.
        """
        reader = self._reader(object_name, fields)
        puller = Puller(
            self._wire, object_name, (*reader.fields, *self._merge_fields(object_name)), overlap=self._overlap
        )
        for raw in puller.pages(cursor, since):
            yield Page([reader(row) for row in raw.rows], raw.cursor)

    def pull_ids(self, object_name: str) -> Iterator[list[str]]:
        """Ids of all living records, a hundred at a time."""
        for rows, _ in list_rows(self._wire, object_name, ("hs_object_id",)):
            yield [row["id"] for row in rows]

    def pull_calls(self, *, cursor: str | None, since: datetime | None = None) -> Iterator[CallPage]:
        """Logged calls changed since the cursor, each with its contacts and the portal's label of its outcome."""
        yield from pull_call_pages(self._wire, cursor, since, overlap=self._overlap, outcomes=self.call_outcomes())

    def call_outcomes(self) -> dict[str, str]:
        """The portal's call outcomes: GUID -> label."""
        if self._outcomes is None:
            self._outcomes = read_outcomes(self._wire)
        return self._outcomes

    def read(self, object_name: str, ids: Sequence[str], fields: Sequence[str]) -> dict[str, PulledRecord]:
        """Current values by id; a merged-away id comes back `deleted` with `merged_into`, an unknown one is missing."""
        if is_list(object_name):
            return read_memberships(self._wire, object_name, ids)
        return read_records(self._wire, object_name, ids, self._reader(object_name, fields))

    def write(self, object_name: str, rows: Sequence[RecordWrite]) -> list[RowResult]:
        """Update up to 100 records by id; one result for each row, in order."""
        if len(rows) > self.collection_size:
            raise SettingsError(f"HubSpot takes {self.collection_size} records a call, not {len(rows)}.")
        if is_list(object_name):
            return write_memberships(self._wire, object_name, rows)
        return write_rows(self._wire, object_name, rows)

    def history(
        self, object_name: str, ids: Sequence[str], fields: Sequence[str]
    ) -> dict[str, dict[str, list[PropertyEdit]]]:
        """Versions of fields, newest first, by record id and field. Lists keep none."""
        if is_list(object_name):
            return {}
        own = self._own_source_id or self._token_info().get("appId")
        return read_history(self._wire, object_name, ids, fields, str(own) if own else None)

    def list_members(self, list_ids: Sequence[str]) -> Iterator[list[tuple[str, str]]]:
        """Pages of (list id, record id) of the lists named."""
        return read_members(self._wire, list_ids)

    def remove_list_members(self, list_id: str, record_ids: Sequence[str]) -> list[RowResult]:
        """Take records out of a manual or snapshot list; one result for each, in order."""
        return remove_members(self._wire, list_id, record_ids)

    def email_opt_outs(self, emails: Iterable[str]) -> dict[str, bool]:
        """By address: whether it has opted out of all of the portal's e-mail."""
        return email_opt_outs(self._wire, emails)

    def prepare(self, wanted: Sequence[WantedField], *, dry_run: bool) -> list[StepPrepared]:
        """Create the RingTrue property group and the properties wanted. Idempotent."""
        steps = prepare_portal(self._wire, wanted, dry_run=dry_run)
        self._described.clear()
        return steps

    def close(self) -> None:
        """Give connections back."""
        self._wire.close()

    def _reader(self, object_name: str, fields: Sequence[str]) -> RecordReader:
        known = self.describe(object_name)
        if missing := [name for name in fields if name not in known]:
            raise FieldMissing(
                f"HubSpot has no property {', '.join(missing)} on {object_name}, or hides it from this token: "
                "run `ringtrue prepare`, or take it out of ringtrue.toml."
            )
        moments = frozenset(name for name in fields if known[name].type == "datetime")
        return RecordReader(fields, moments)

    @staticmethod
    def _merge_fields(object_name: str) -> tuple[str, ...]:
        return MERGE_FIELDS if object_name == "contacts" else ()
