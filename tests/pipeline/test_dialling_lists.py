"""People who must not or cannot be called come off campaigns and lists, through the journal, and an undo puts them back where that is allowed."""

from __future__ import annotations

import httpx
import pytest

from app.commands import undo_run
from assets.dialling_lists import pull_lists
from assets.email_preferences import run as read_preferences
from assets.stage import now_ms
from connectors.hubspot import HubspotCrm
from connectors.resources import connect
from ringtrue.ledger import list_members, planning
from tests.pipeline.project import Project
from tests.pipeline.stages import deliver, plan

STOPPED, GOOD = "+447400123456", "+447400123457"


def campaign_of(project: Project) -> str:
    return str(next(iter(project.sandbox["salesforce"].records("Campaign")))["record_id"])


def on_campaign(project: Project, campaign: str) -> set[str]:
    return {
        row["fields"].get("ContactId") or row["fields"].get("LeadId")
        for row in project.sandbox["salesforce"].records("CampaignMember")
        if row["fields"]["CampaignId"] == campaign and not row.get("deleted_at")
    }


def three_people(project: Project, campaign: str) -> dict[str, str]:
    crm = project.sandbox["salesforce"]
    people = {
        "stopped": crm.create("Contact", {"LastName": "Stopped", "MobilePhone": STOPPED, "DoNotCall": True}),
        "invalid": crm.create("Contact", {"LastName": "Invalid", "MobilePhone": "12"}),
        "good": crm.create("Contact", {"LastName": "Good", "MobilePhone": GOOD}),
    }
    for record_id in people.values():
        crm.create("CampaignMember", {"CampaignId": campaign, "ContactId": record_id, "Status": "Responded"})
    return people


def test_who_cannot_be_called_comes_off_the_campaign_and_an_undo_puts_back_who_may(project: Project) -> None:
    campaign = campaign_of(project)
    people = three_people(project, campaign)
    project.write_settings(salesforce={"campaigns": [campaign], "remove_from_lists": True})
    ran = project.sync("salesforce")
    assert ran.success, ran.failures
    left = on_campaign(project, campaign)
    assert people["good"] in left
    assert people["stopped"] not in left
    assert people["invalid"] not in left
    rows = project.query(
        "SELECT state, fields FROM changes WHERE object = :name AND record_id = :id",
        name=f"campaign:{campaign}",
        id=people["invalid"],
    )
    assert [(state, fields) for state, fields in rows] == [("applied", f'{{"campaign:{campaign}":["Responded",null]}}')]
    with project.ledger() as ledger, ledger.read() as book:
        assert list_members.planned_calls(book, [GOOD, STOPPED]) == {GOOD: 1}
    again = project.sync("salesforce")
    assert again.metadata["salesforce/changes"]["changes"] == 0, "an idle sync is idle"

    undo_run(ran.run_id, as_json=True)
    back = on_campaign(project, campaign)
    assert people["invalid"] in back
    assert people["stopped"] not in back, "nobody who must not be called is put back"
    member = [
        row["fields"]["Status"]
        for row in project.sandbox["salesforce"].records("CampaignMember")
        if row["fields"].get("ContactId") == people["invalid"] and not row.get("deleted_at")
    ]
    assert member == ["Responded"]
    assert project.sync("salesforce").success
    assert people["invalid"] in on_campaign(project, campaign), "what an undo put back is left there"


@pytest.mark.parametrize("fault", ["drop_after", "drop_before"])
def test_a_lost_answer_of_a_removal_is_settled_by_reading(project: Project, fault: str) -> None:
    assert project.sync("salesforce").success
    campaign = campaign_of(project)
    people = three_people(project, campaign)
    assert project.sync("salesforce").success
    project.write_settings(salesforce={"campaigns": [campaign], "remove_from_lists": True})
    settings = project.settings()
    crm = connect("salesforce", settings.connections["salesforce"])
    with project.ledger() as ledger:
        pull_lists(ledger, crm, "salesforce", settings.connections["salesforce"], now_ms())
    crm.close()
    assert plan(settings, "salesforce", "lists").totals["people to take off lists"] >= 2
    project.sandbox["salesforce"].fault("write", fault, nth=1)
    outcome = deliver(settings, "salesforce", "lists")
    assert outcome.totals["failed"] == 0
    left = on_campaign(project, campaign)
    assert people["stopped"] not in left
    assert people["invalid"] not in left
    assert project.query("SELECT count(*) FROM changes WHERE object LIKE 'campaign:%' AND state <> 'applied'") == [(0,)]


def test_a_hubspot_list_and_its_communication_preferences(project: Project) -> None:
    crm = project.sandbox["hubspot"]
    with httpx.Client(base_url=crm.url, headers={"Authorization": "Bearer sandbox-token"}, trust_env=False) as http:
        made = http.post("/crm/v3/lists", json={"name": "Dial", "objectTypeId": "0-1", "processingType": "MANUAL"})
        list_id = made.json()["list"]["listId"]
        bad = crm.create("contacts", {"lastname": "Bad", "mobilephone": "12", "email": "no.mail@example.com"})
        good = crm.create("contacts", {"lastname": "Good", "mobilephone": GOOD})
        http.put(f"/crm/v3/lists/{list_id}/memberships/add", json=[bad, good])

        def members() -> list[str]:
            rows = http.get(f"/crm/v3/lists/{list_id}/memberships").json()["results"]
            return sorted(row["recordId"] for row in rows)

        assert members() == sorted([bad, good])
        project.write_settings(hubspot={"lists": [list_id], "remove_from_lists": True, "email_preferences": True})
        ran = project.sync("hubspot")
        assert ran.success, ran.failures
        assert members() == [good]
        undo_run(ran.run_id, as_json=True)
        assert members() == sorted([bad, good])
        assert crm.record("contacts", bad)["fields"].get("ringtrue_next_channel") in (None, "", "email")
        path = "/communication-preferences/v4/statuses/no.mail%40example.com/unsubscribe-all"
        assert http.post(path, params={"channel": "EMAIL"}).is_success
    settings = project.settings()
    client = connect("hubspot", settings.connections["hubspot"])
    assert isinstance(client, HubspotCrm)
    later = now_ms() + 8 * 86_400_000
    with project.ledger() as ledger:
        read_preferences(ledger, client, "hubspot", 1_000, later)
    client.close()
    assert project.query("SELECT opted_out FROM email_preferences WHERE email = 'no.mail@example.com'") == [(1,)]
    contact_id = project.query("SELECT contact_id FROM contacts WHERE record_id = :id", id=bad)[0][0]
    with project.ledger() as ledger, ledger.read() as book:
        states = planning.contact_states(book, ledger.key, [(contact_id, 0)], email_good_only=False)
    assert not states[0].email_usable, "whatever the contact's own property says"
