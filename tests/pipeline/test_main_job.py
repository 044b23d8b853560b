"""The main job through Dagster: messy CRM in, true CRM out, and nothing left to do afterwards."""

from __future__ import annotations

from assets.writeback import Outcome
from tests.pipeline.people import contact, in_hubspot, in_salesforce, lead, national, number, person
from tests.pipeline.project import Project
from tests.pipeline.stages import deliver, plan

CRMS = ("salesforce", "hubspot")


def sync_all(project: Project) -> int:
    """One round of all CRMs; the number of planned changes."""
    planned = 0
    for name in CRMS:
        ran = project.sync(name)
        assert ran.success, ran.failures
        planned += ran.metadata[f"{name}/changes"]["changes"]
    return planned


def sync(project: Project, *names: str) -> Outcome:
    """The stages of one CRM's job after the other, without Dagster."""
    for name in names:
        plan(project.settings(), name)
        outcome = deliver(project.settings(), name)
    return outcome


def test_the_first_round_adds_up_two_make_both_crms_true_and_the_third_has_nothing_to_do(project: Project) -> None:
    ran = project.sync("salesforce")
    assert ran.success, ran.failures
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

    assert sync_all(project) > 0
    sync_all(project)
    before = {name: project.crm_state(name) for name in CRMS}
    for name in CRMS:
        project.sandbox[name].reset_stats()
    assert sync_all(project) == 0
    assert {name: project.crm_state(name) for name in CRMS} == before
    for name in CRMS:
        assert project.sandbox[name].stats()["by_op"].get("write", 0) == 0, "an idle sync writes nothing"


def test_an_opt_out_in_one_crm_flags_every_record_with_the_number_in_both(shared: Project) -> None:
    stopped = number()
    said_so = contact(shared, stopped, DoNotCall=True)
    other = lead(shared, national(stopped), CountryCode="GB", Country="United Kingdom")
    there = person(shared, national(stopped))
    sync(shared, "salesforce", "hubspot")
    assert in_salesforce(shared, other, "Lead")["DoNotCall"] is True
    assert in_hubspot(shared, there)["ringtrue_do_not_call"] == "true"
    assert in_hubspot(shared, there)["ringtrue_status"] == "do_not_call"
    assert in_salesforce(shared, said_so)["DoNotCall"] is True


def test_our_own_flag_read_back_spreads_to_nobody(shared: Project) -> None:
    """One hop: a record that we flagged passes nothing on through its other numbers."""
    common, private = number(), number()
    contact(shared, common, DoNotCall=True)
    contact(shared, common, Phone=private)
    innocent = contact(shared, private)
    for _ in range(3):
        sync(shared, "salesforce")
    assert not in_salesforce(shared, innocent).get("DoNotCall")


def test_an_unticked_flag_is_ticked_again_and_reported(shared: Project) -> None:
    stopped = contact(shared, number(), DoNotCall=True)
    shared.sync("salesforce")
    shared.sandbox["salesforce"].edit("Contact", stopped, {"DoNotCall": False})
    ran = shared.sync("salesforce")
    assert ran.metadata["salesforce/contacts"]["do-not-call unticked"] == 1
    assert in_salesforce(shared, stopped)["DoNotCall"] is True


def test_a_suppressed_number_cannot_come_back_as_callable(shared: Project) -> None:
    stopped = number()
    gone = contact(shared, stopped, DoNotCall=True)
    sync(shared, "salesforce")
    shared.sandbox["salesforce"].delete("Contact", gone)
    again = contact(shared, national(stopped), MailingCountry="United Kingdom", MailingCountryCode="GB")
    sync(shared, "salesforce")
    assert in_salesforce(shared, again)["DoNotCall"] is True
    assert in_salesforce(shared, again)["RingTrue_Status__c"] == "do_not_call"


def test_a_record_shows_the_status_of_its_best_number(shared: Project) -> None:
    good = number()
    mixed = contact(shared, good, Phone="12")
    sync(shared, "salesforce")
    fields = in_salesforce(shared, mixed)
    assert fields["RingTrue_Phone_Status__c"] == "invalid"
    assert fields["RingTrue_MobilePhone_Status__c"] == "unverified"
    assert fields["RingTrue_Status__c"] == "unverified"
    assert fields["RingTrue_Best_Number__c"] == good
    assert fields["Phone"] == "12", "separate_field leaves what was typed"


def test_replace_rewrites_one_sure_number_and_never_a_field_with_two(shared: Project) -> None:
    first, second = number(), number()
    one = person(shared, f"(0){first[3:7]} {first[7:]}")
    two = person(shared, f"{national(second)} / 0121 234 5678")
    extension = person(shared, "0121 234 5678 ext. 12")
    sync(shared, "hubspot")
    assert in_hubspot(shared, one)["phone"] == first
    assert in_hubspot(shared, two)["phone"] == f"{national(second)} / 0121 234 5678"
    assert in_hubspot(shared, extension)["phone"] == "+441212345678 x12"


def test_a_persons_edit_before_the_look_is_not_overwritten(shared: Project) -> None:
    """The pull has seen the old number; the person corrects it before write-back looks."""
    edited = person(shared, national(number()))
    plan(shared.settings(), "hubspot")
    shared.sandbox["hubspot"].edit("contacts", edited, {"phone": "0121 234 5678"})
    outcome = deliver(shared.settings(), "hubspot")
    assert in_hubspot(shared, edited)["phone"] == "0121 234 5678"
    assert outcome.totals["conflict"] == 1
    assert in_hubspot(shared, edited)["ringtrue_status"] == "unverified", "our own fields are written all the same"
