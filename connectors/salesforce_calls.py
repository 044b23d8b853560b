"""Logged calls (Task) and campaign lists (CampaignMember)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from connectors.crm import FieldInfo
from connectors.salesforce_ids import chunked, quoted_ids
from connectors.salesforce_pull import Question
from connectors.salesforce_records import META, select, shape_of
from connectors.salesforce_session import SalesforceSession
from connectors.salesforce_write import COLLECTION_SIZE, results_of
from ringtrue.errors import FieldMissing
from ringtrue.records import PulledCall, RowResult

_CALL_FIELDS = (
    "WhoId",
    "Status",
    "CallType",
    "CallDisposition",
    "CallDurationInSeconds",
    "CallObject",
    "Description",
    "ActivityDate",
    "CompletedDateTime",
)
_PERSON_PREFIXES = ("003", "00Q")
_TASK_META = tuple(name for name in META if name != "MasterRecordId")


class CallQuestion:
    """How to ask an org for calls, by what its Task object has, and how to read the answer.

    A Task is a call when its subtype says so or it has a call type; open ones are plans and are left out. Salesforce keeps no number with a call:
    `number_field` names the custom field that holds it, if the org has one.
    """

    def __init__(
        self, infos: Mapping[str, FieldInfo], number_field: str | None, trunk_field: str | None = None
    ) -> None:
        for name in (number_field, trunk_field):
            if name is not None and name not in infos:
                raise FieldMissing(
                    f"Our Salesforce user sees no field {name} of Task. Correct the setting or give the user read access."
                )
        self._number_field = number_field
        self._trunk_field = trunk_field
        wanted = [name for name in (*_CALL_FIELDS, number_field, trunk_field) if name and name in infos]
        self._shape = shape_of(wanted, infos, _TASK_META)
        signs = {"TaskSubtype": "TaskSubtype = 'Call'", "CallType": "CallType != null"}
        either = " OR ".join(sign for name, sign in signs.items() if name in infos)
        if not either:
            raise FieldMissing(
                "Our Salesforce user sees neither TaskSubtype nor CallType of Task. Give the user read access to them."
            )
        closed = " AND IsClosed = true" if "IsClosed" in infos else ""
        self.question = Question("Task", self._shape, f"({either}){closed}")

    def calls_of(self, rows: Sequence[list[str]]) -> list[PulledCall]:
        """Pulled rows as calls. `outcome` is the disposition as written; `direction` is lower case."""
        return [self._call(dict(zip(self._shape.columns, row, strict=True))) for row in rows]

    def _call(self, row: dict[str, str]) -> PulledCall:
        who = row.get("WhoId", "")
        duration = row.get("CallDurationInSeconds", "")
        outcome = row.get("CallDisposition") or None
        return PulledCall(
            call_id=row["Id"],
            contact_ids=(who,) if who.startswith(_PERSON_PREFIXES) else (),
            number=(row.get(self._number_field) or None) if self._number_field else None,
            outcome=outcome,
            label=outcome,
            status=row.get("Status") or None,
            direction=row.get("CallType", "").lower() or None,
            duration_seconds=float(duration) if duration else None,
            notes=row.get("Description") or None,
            started_at=_started(row),
            modified_at=datetime.fromisoformat(row["SystemModstamp"]),
            trunk=(row.get(self._trunk_field) or None) if self._trunk_field else None,
            deleted=row["IsDeleted"] == "true",
        )


def _started(row: Mapping[str, str]) -> datetime | None:
    """When the call was: the moment its task was completed or created, unless the task's own date says another day (a call logged later)."""
    logged = row.get("CompletedDateTime") or row.get("CreatedDate") or ""
    moment = datetime.fromisoformat(logged) if logged else None
    day = row.get("ActivityDate") or ""
    if not day:
        return moment
    noon = datetime.fromisoformat(day[:10]).replace(hour=12, tzinfo=UTC)
    # Within a day and a half of noon the difference may be the time zone.
    return moment if moment is not None and abs((moment - noon).total_seconds()) <= 129_600 else noon


def campaign_members(
    session: SalesforceSession, campaign_ids: Sequence[str]
) -> Iterator[list[tuple[str, str, str | None]]]:
    """(member id, contact or lead id, status) of everybody on the campaigns, a page at a time."""
    for some in chunked(campaign_ids, 200):
        soql = select(("Id", "ContactId", "LeadId", "Status"), "CampaignMember", f"CampaignId IN ({quoted_ids(some)})")
        for page in session.query_rows(soql, deleted_too=False):
            yield [(one["Id"], one["ContactId"] or one["LeadId"], one["Status"]) for one in page]


def remove_campaign_members(session: SalesforceSession, member_ids: Sequence[str]) -> list[RowResult]:
    """Take people off their campaigns by deleting the membership, 200 a call; results in order. "gone": it was not there any more."""
    results: list[RowResult] = []
    for some in chunked(member_ids, COLLECTION_SIZE):
        quoted_ids(some)
        answer = session.json("DELETE", "composite/sobjects", params={"ids": ",".join(some), "allOrNone": "false"})
        results += results_of(some, answer, "CampaignMember")
    return results
