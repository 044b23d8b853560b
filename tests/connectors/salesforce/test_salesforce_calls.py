"""The call log and the campaign lists of an org."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.crm import FieldInfo
from connectors.salesforce import SalesforceCrm
from connectors.salesforce_calls import CallQuestion
from ringtrue.errors import FieldMissing
from ringtrue.records import PulledCall
from tests.connectors.salesforce.kit import connect, field, scripted
from tests.stand_ins import StandIn
from tests.wire import Reply, Seen


def calls_of(crm: SalesforceCrm, cursor: str | None = None) -> tuple[dict[str, PulledCall], str]:
    found: dict[str, PulledCall] = {}
    last = ""
    for page in crm.pull_calls(cursor=cursor):
        found |= {call.call_id: call for call in page.calls}
        last = page.cursor
    return found, last


def task(org: StandIn, **fields: Any) -> str:
    return org.create("Task", {"Subject": "Call", "Status": "Completed", "TaskSubtype": "Call", **fields})


@pytest.mark.parametrize("bulk_from_rows", [10_000, 0], ids=["rest", "bulk"])
def test_a_logged_call_with_everything_known_of_it(org: StandIn, bulk_from_rows: int) -> None:
    crm = connect(org.url, bulk_from_rows=bulk_from_rows)
    contact = org.create("Contact", {"LastName": "Called"})
    note = 'Wrong person,\n"ask" again'
    task_id = task(
        org,
        WhoId=contact,
        CallType="Outbound",
        CallDisposition="Wrong Number",
        CallDurationInSeconds=42,
        Description=note,
    )
    call = calls_of(crm)[0][task_id]
    assert call.contact_ids == (contact,)
    assert (call.outcome, call.label, call.status) == ("Wrong Number", "Wrong Number", "Completed")
    assert (call.direction, call.duration_seconds, call.notes) == ("outbound", 42.0, note)
    assert call.number is None
    assert call.started_at is not None
    assert not call.deleted
    crm.close()


def test_calls_are_told_from_other_tasks_and_from_plans(sf: SalesforceCrm, org: StandIn) -> None:
    mail = task(org, TaskSubtype="Email")
    plan = task(org, Status="Not Started")
    typed = task(org, TaskSubtype="Task", CallType="Inbound")
    found, cursor = calls_of(sf)
    assert typed in found
    assert not {mail, plan} & set(found)
    org.edit("Task", plan, {"Status": "Completed"})
    org.delete("Task", typed)
    later, _ = calls_of(sf, cursor)
    assert plan in later
    assert later[typed].deleted


def test_a_log_of_calls_grows_by_its_cursor(sf: SalesforceCrm, org: StandIn) -> None:
    everything, cursor = calls_of(sf)
    assert len(everything) > 50
    new = task(org)
    later, _ = calls_of(sf, cursor)
    assert new in later
    assert len(later) < len(everything)


def test_the_number_dialled_comes_from_a_field_that_settings_name(org: StandIn) -> None:
    crm = connect(org.url, call_number_field="CallObject")
    task_id = task(org, CallObject="+14155550123")
    assert calls_of(crm)[0][task_id].number == "+14155550123"
    crm.close()
    wrong = connect(org.url, call_number_field="Dialled__c")
    with pytest.raises(FieldMissing, match="Dialled__c of Task"):
        calls_of(wrong)
    wrong.close()


def infos(*names: str) -> dict[str, FieldInfo]:
    return {name: FieldInfo(name, name, "string", False, False) for name in names}


def test_orgs_with_a_bare_task_object_are_asked_for_what_they_have() -> None:
    assert CallQuestion(infos("CallType"), None).question.condition == "(CallType != null)"
    with pytest.raises(FieldMissing, match="neither TaskSubtype nor CallType"):
        CallQuestion(infos("Status"), None)


@pytest.mark.parametrize(
    ("completed", "day", "started"),
    [
        ("2026-10-05T15:00:00.000Z", "2026-10-05", datetime(2026, 10, 5, 15, tzinfo=UTC)),
        ("2026-10-05T23:30:00.000Z", "2026-10-06", datetime(2026, 10, 5, 23, 30, tzinfo=UTC)),
        ("2026-10-09T15:00:00.000Z", "2026-10-05", datetime(2026, 10, 5, 12, tzinfo=UTC)),
        ("", "2026-10-05", datetime(2026, 10, 5, 12, tzinfo=UTC)),
        ("", "", datetime(2026, 10, 1, tzinfo=UTC)),
    ],
    ids=["same day", "other zone", "logged later", "old", "undated"],
)
def test_when_a_call_was(completed: str, day: str, started: datetime) -> None:
    asked = CallQuestion(infos("TaskSubtype", "ActivityDate", "CompletedDateTime"), None)
    row = ["00TSb0000000001AAA", "false", "2026-10-01T00:00:00.000Z", "2026-10-09T15:00:00.000Z", day, completed]
    assert asked.calls_of([row])[0].started_at == started


def test_outcomes_are_the_orgs_own_list_where_it_has_one(sf: SalesforceCrm) -> None:
    assert sf.call_outcomes() == {}

    def answer(request: Seen) -> Reply | None:
        if request.path.endswith("/Task/describe"):
            values = [{"value": "wrong", "label": "Wrong number"}, {"value": "busy", "label": None}]
            return Reply({"fields": [field("CallDisposition", "picklist", picklistValues=values)]})
        return None

    with scripted(answer) as server:
        crm = connect(server.url)
        assert crm.call_outcomes() == {"wrong": "Wrong number", "busy": "busy"}
        crm.close()


def test_members_of_campaigns_are_listed_and_removed(sf: SalesforceCrm, org: StandIn) -> None:
    campaigns = [org.create("Campaign", {"Name": f"Dialling {place}"}) for place in range(2)]
    contact = org.create("Contact", {"LastName": "Member"})
    lead = org.create("Lead", {"LastName": "Member", "Company": "Members Ltd"})
    first = org.create("CampaignMember", {"CampaignId": campaigns[0], "ContactId": contact, "Status": "Sent"})
    second = org.create("CampaignMember", {"CampaignId": campaigns[1], "LeadId": lead, "Status": "Sent"})
    listed = [one for page in sf.campaign_members(campaigns) for one in page]
    assert sorted(listed) == sorted([(first, contact, "Sent"), (second, lead, "Sent")])
    results = sf.remove_campaign_members([first, "00vSb000000zzzzAAA", second])
    assert [result.outcome for result in results] == ["applied", "gone", "applied"]
    assert [result.outcome for result in sf.remove_campaign_members([first])] == ["gone"]
    assert [one for page in sf.campaign_members(campaigns) for one in page] == []
    assert sf.remove_campaign_members([]) == []
