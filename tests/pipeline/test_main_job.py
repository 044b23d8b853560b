"""The main job through Dagster: messy CRM in, true CRM out, and nothing left to do afterwards."""

from __future__ import annotations

from tests.pipeline.project import Project

CRMS = ("salesforce", "hubspot")


def sync_all(project: Project) -> int:
    """One round of all CRMs; the number of planned changes."""
    planned = 0
    for name in CRMS:
        ran = project.sync(name)
        assert ran.success, ran.failures
        planned += ran.metadata[f"{name}/changes"]["changes"]
    return planned


def test_two_rounds_make_both_crms_true_and_the_third_has_nothing_to_do(project: Project) -> None:
    assert sync_all(project) > 0
    sync_all(project)
    before = {name: project.crm_state(name) for name in CRMS}
    for name in CRMS:
        project.sandbox[name].reset_stats()
    assert sync_all(project) == 0
    assert {name: project.crm_state(name) for name in CRMS} == before
    for name in CRMS:
        assert project.sandbox[name].stats()["by_op"].get("write", 0) == 0, "an idle sync writes nothing"


def test_counts_in_and_out_add_up(project: Project) -> None:
    ran = project.sync("salesforce")
    pulled, numbers, changes, written = (
        ran.metadata[stage] for stage in ("salesforce/contacts", "phones", "salesforce/changes", "salesforce/writeback")
    )
    alive = project.sandbox["salesforce"].count("Contact") + project.sandbox["salesforce"].count("Lead")
    assert pulled["new"] + pulled["changed"] + pulled["unchanged"] == pulled["records read"]
    assert pulled["new"] == alive
    assert numbers["contacts"] == alive
    assert numbers["valid"] + numbers["not valid"] == numbers["numbers"]
    assert changes["records compared"] == changes["records already true"] + changes["records to change"]
    assert written["sent"] == written["planned"] == written["applied"]
    assert pulled["api calls"] > 0


def test_an_opt_out_in_one_crm_flags_every_record_with_the_number_in_both(project: Project) -> None:
    number = "+447400123456"
    in_salesforce = project.sandbox["salesforce"].create(
        "Contact", {"LastName": "One", "MobilePhone": number, "DoNotCall": True}
    )
    other = project.sandbox["salesforce"].create(
        "Lead",
        {
            "LastName": "Two",
            "Company": "X",
            "Status": "Open",
            "Phone": "07400 123456",
            "CountryCode": "GB",
            "Country": "United Kingdom",
        },
    )
    in_hubspot = project.sandbox["hubspot"].create("contacts", {"lastname": "Three", "phone": "+44 7400 123456"})
    sync_all(project)
    sync_all(project)
    assert project.sandbox["salesforce"].record("Lead", other)["fields"]["DoNotCall"] is True
    found = project.sandbox["hubspot"].record("contacts", in_hubspot)["fields"]
    assert found["ringtrue_do_not_call"] == "true"
    assert found["ringtrue_status"] == "do_not_call"
    assert project.sandbox["salesforce"].record("Contact", in_salesforce)["fields"]["DoNotCall"] is True


def test_our_own_flag_read_back_spreads_to_nobody(project: Project) -> None:
    """One hop: a record that we flagged passes nothing on through its other numbers."""
    shared, private = "+447400123456", "+447400123457"
    make = project.sandbox["salesforce"].create
    make("Contact", {"LastName": "Stop", "MobilePhone": shared, "DoNotCall": True})
    make("Contact", {"LastName": "Both", "MobilePhone": shared, "Phone": private})
    third = make("Contact", {"LastName": "Innocent", "MobilePhone": private})
    for _ in range(3):
        assert project.sync("salesforce").success
    assert not project.sandbox["salesforce"].record("Contact", third)["fields"].get("DoNotCall")


def test_an_unticked_flag_is_ticked_again_and_reported(project: Project) -> None:
    crm = project.sandbox["salesforce"]
    stopped = crm.create("Contact", {"LastName": "Stop", "MobilePhone": "+447400123456", "DoNotCall": True})
    project.sync("salesforce")
    crm.edit("Contact", stopped, {"DoNotCall": False})
    ran = project.sync("salesforce")
    assert ran.metadata["salesforce/contacts"]["do-not-call unticked"] == 1
    assert crm.record("Contact", stopped)["fields"]["DoNotCall"] is True


def test_a_suppressed_number_cannot_come_back_as_callable(project: Project) -> None:
    crm = project.sandbox["salesforce"]
    stopped = crm.create("Contact", {"LastName": "Stop", "MobilePhone": "+447400123456", "DoNotCall": True})
    project.sync("salesforce")
    crm.delete("Contact", stopped)
    again = crm.create(
        "Contact",
        {
            "LastName": "Stop",
            "MobilePhone": "07400 123 456",
            "MailingCountry": "United Kingdom",
            "MailingCountryCode": "GB",
        },
    )
    project.sync("salesforce")
    assert crm.record("Contact", again)["fields"]["DoNotCall"] is True
    assert crm.record("Contact", again)["fields"]["RingTrue_Status__c"] == "do_not_call"


def test_a_record_shows_the_status_of_its_best_number(project: Project) -> None:
    crm = project.sandbox["salesforce"]
    mixed = crm.create("Contact", {"LastName": "Mixed", "Phone": "12", "MobilePhone": "+447400123456"})
    project.sync("salesforce")
    fields = crm.record("Contact", mixed)["fields"]
    assert fields["RingTrue_Phone_Status__c"] == "invalid"
    assert fields["RingTrue_MobilePhone_Status__c"] == "unverified"
    assert fields["RingTrue_Status__c"] == "unverified"
    assert fields["RingTrue_Best_Number__c"] == "+447400123456"
    assert fields["Phone"] == "12", "separate_field leaves what was typed"


def test_replace_rewrites_one_sure_number_and_never_a_field_with_two(project: Project) -> None:
    crm = project.sandbox["hubspot"]
    one = crm.create("contacts", {"lastname": "One", "phone": "(0)7400 123456", "hs_country_region_code": "GB"})
    two = crm.create(
        "contacts", {"lastname": "Two", "phone": "07400 123456 / 0121 234 5678", "hs_country_region_code": "GB"}
    )
    extension = crm.create(
        "contacts", {"lastname": "Three", "phone": "0121 234 5678 ext. 12", "hs_country_region_code": "GB"}
    )
    project.sync("hubspot")
    assert crm.record("contacts", one)["fields"]["phone"] == "+447400123456"
    assert crm.record("contacts", two)["fields"]["phone"] == "07400 123456 / 0121 234 5678"
    assert crm.record("contacts", extension)["fields"]["phone"] == "+441212345678 x12"


def test_a_persons_edit_before_the_look_is_not_overwritten(project: Project) -> None:
    """The pull has seen the old number; the person corrects it before write-back looks."""
    crm = project.sandbox["hubspot"]
    edited = crm.create("contacts", {"lastname": "Edited", "phone": "07400 123456", "hs_country_region_code": "GB"})
    project.write_settings(hubspot={"do_not_call": {}})
    from assets.contacts import PullConfig, pull
    from assets.opt_outs import OptOutsConfig
    from assets.opt_outs import run as run_opt_outs
    from assets.phones import PhonesConfig
    from assets.phones import run as run_phones
    from assets.planner import plan_changes
    from assets.status import StatusConfig
    from assets.status import run as run_status
    from assets.writeback import WritebackConfig, write_back
    from connectors.resources import connect

    settings = project.settings()
    client = connect("hubspot", settings.connections["hubspot"])
    with project.ledger() as ledger:
        pull(ledger, client, settings, "hubspot", PullConfig())
        run_phones(ledger, settings, PhonesConfig())
        run_opt_outs(ledger, settings, OptOutsConfig())
        run_status(ledger, settings, StatusConfig())
        plan_changes(ledger, settings, "hubspot", "run")
        crm.edit("contacts", edited, {"phone": "0121 234 5678"})
        outcome = write_back(ledger, client, settings, "hubspot", "run", "run", WritebackConfig())
    client.close()
    fields = crm.record("contacts", edited)["fields"]
    assert fields["phone"] == "0121 234 5678"
    assert outcome.totals["conflict"] == 1
    assert fields["ringtrue_status"] == "unverified", "our own fields are written all the same"


def test_no_number_stands_in_full_in_metadata_or_logs(project: Project) -> None:
    number = "7400123456"
    project.sandbox["salesforce"].create(
        "Contact", {"LastName": "Shy", "MobilePhone": "+44" + number, "Email": "shy.person@example.com"}
    )
    ran = project.sync("salesforce")
    text = repr(ran.metadata)
    assert number not in text
    assert "shy.person@" not in text
    for path in (project.home / "dagster_home").rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert number.encode() not in content, path.name
            assert b"shy.person@" not in content, path.name
