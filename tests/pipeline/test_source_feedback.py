"""Campaigns bring contacts, and CRMs are told what their sources are worth: once, and only where it changed."""

from __future__ import annotations

import json
import tomllib

import pytest
import tomli_w
from typer.testing import CliRunner

from app.cli import cli
from assets.source_feedback import tell
from assets.stage import now_ms
from connectors.resources import connect
from ringtrue.errors import FieldMissing
from ringtrue.ledger import source_states
from tests.pipeline.project import Project

CAMPAIGN = "Win-back calls"


@pytest.fixture
def told(project: Project) -> Project:
    """The project with feedback switched on, its fields not yet made."""
    values = tomllib.loads(project.path.read_text(encoding="utf-8"))
    values["sources"]["win_back"] = {"label": "Win back", "match": [{"field": "campaign", "value": CAMPAIGN}]}
    # The first rule that matches wins: a campaign says more than the lead source it belongs to.
    values["sources"] = {"win_back": values["sources"].pop("win_back"), **values["sources"]}
    values["source_quality"] = {"feedback": ["salesforce", "hubspot"]}
    values["lookups"] = {}
    project.path.write_text(tomli_w.dumps(values), encoding="utf-8")
    return project


def prepare(name: str) -> None:
    done = CliRunner().invoke(cli, ["prepare", name, "--json"])
    assert done.exit_code == 0, done.output


def campaign(project: Project) -> str:
    [found] = [one for one in project.sandbox["salesforce"].records("Campaign") if one["fields"]["Name"] == CAMPAIGN]
    return str(found["record_id"])


def test_a_campaign_is_a_source_and_is_told_its_grade(told: Project) -> None:
    crm = told.sandbox["salesforce"]
    for place in range(40):
        person = crm.create("Contact", {"LastName": f"C{place}", "Phone": f"4.4{place:03d}E+11", "LeadSource": "Web"})
        crm.create("CampaignMember", {"CampaignId": campaign(told), "ContactId": person, "Status": "Sent"})
    assert "run `ringtrue prepare salesforce`" in " ".join(told.sync("salesforce").failures)
    prepare("salesforce")
    ran = told.sync("salesforce")
    assert ran.success, ran.failures
    origins = told.query("SELECT first_source FROM contacts WHERE first_source LIKE '%campaign%'")
    assert len(origins) == 40
    assert json.loads(origins[0][0]) == {"LeadSource": "Web", "campaign": CAMPAIGN}
    fields = crm.record("Campaign", campaign(told))["fields"]
    assert fields["RingTrue_Source_Grade__c"] == "F"
    assert ran.metadata["salesforce/source_feedback"]["applied"] == 1
    assert told.sync("salesforce").metadata["salesforce/source_feedback"]["applied"] == 0
    others = [one for one in crm.records("Campaign") if one["record_id"] != campaign(told)]
    assert not any(one["fields"].get("RingTrue_Source_Grade__c") for one in others), "a dialling list is no source"


def test_a_campaign_joined_later_is_kept_beside_the_first_source(told: Project) -> None:
    crm = told.sandbox["salesforce"]
    told.sync("salesforce")
    [(person,)] = told.query(
        "SELECT record_id FROM contacts WHERE object = 'Contact' AND connection = 'salesforce' ORDER BY created_at LIMIT 1"
    )
    crm.create("CampaignMember", {"CampaignId": campaign(told), "ContactId": person, "Status": "Sent"})
    told.sync("salesforce")
    [(first, later)] = told.query(
        "SELECT c.first_source, s.source FROM contacts AS c JOIN contact_sources AS s ON s.contact_id = c.contact_id "
        "WHERE c.record_id = :person AND s.source LIKE '%Win-back%'",
        person=person,
    )
    assert "campaign" not in first
    assert json.loads(later) == {"campaign": CAMPAIGN}


def test_hubspot_contacts_are_told_once_and_an_answer_that_was_lost_is_settled(told: Project) -> None:
    told.sync("hubspot")
    settings = told.settings()
    figures = {"source": "purchased_list", "grade": "D"}
    crm = connect("hubspot", settings.connections["hubspot"])
    with told.ledger() as ledger:
        with ledger.write() as book:
            source_states.store_quality(book, [figures], {}, "run", now_ms() + 86_400_000)
        with pytest.raises(FieldMissing, match="ringtrue prepare hubspot"):
            tell(ledger, crm, settings, "hubspot", "run")
        prepare("hubspot")
        crm.close()
        crm = connect("hubspot", settings.connections["hubspot"])
        first = tell(ledger, crm, settings, "hubspot", "run")
        again = tell(ledger, crm, settings, "hubspot", "run")
        with ledger.write() as book:
            book.exec_driver_sql("UPDATE source_feedback SET state = 'sending'")
        settled = tell(ledger, crm, settings, "hubspot", "run")
    crm.close()
    assert 5 < first["applied"] < first["records looked at"], "nothing is written where there is no grade"
    assert again["applied"] == 0
    assert (settled["settled"], settled["applied"]) == (first["applied"], 0)
    graded = [
        one["fields"]["ringtrue_source_grade"]
        for one in told.sandbox["hubspot"].records("contacts")
        if one["fields"].get("ringtrue_source_grade")
    ]
    assert graded == ["D"] * first["applied"]
