"""Rows that a CRM refuses, edits that come between, records that go: nobody's work is lost and the run says so."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from assets.contacts import PullConfig
from assets.writeback import Outcome
from tests.pipeline.people import await_that, contact, in_hubspot, in_salesforce, lead, national, number, person
from tests.pipeline.project import Project
from tests.pipeline.stages import deliver, plan
from tests.stand_ins import StandIn


def sync(project: Project, name: str) -> Outcome:
    plan(project.settings(), name)
    return deliver(project.settings(), name)


def while_writing(project: Project, name: str, edit: Callable[[StandIn], None]) -> Outcome:
    """Deliver, and let a person's hand in after the look and before the write takes effect."""
    crm = project.sandbox[name]
    crm.reset_stats()
    crm.fault("write", "slow", seconds=2.5)
    with ThreadPoolExecutor(1) as pool:
        delivering: Future[Outcome] = pool.submit(deliver, project.settings(), name)
        await_that(lambda: crm.stats()["by_op"].get("write", 0) >= 1)
        # If-Unmodified-Since counts whole seconds.
        time.sleep(1.1)
        edit(crm)
        return delivering.result()


def test_a_run_whose_rows_failed_is_no_success_and_the_next_one_tries_them_again(shared: Project) -> None:
    held, other = contact(shared, number()), contact(shared, number())
    shared.sandbox["salesforce"].fault("write", "hold_rows", ids=[held])
    ran = shared.sync("salesforce")
    assert not ran.success
    assert any(re.search(r"1 of \d+ changes were refused", failure) for failure in ran.failures), ran.failures
    assert any("all_rows_applied" in check for check in ran.checks)
    assert ran.metadata["salesforce/writeback"]["failed"] == 1
    assert not in_salesforce(shared, held).get("RingTrue_Status__c")
    assert in_salesforce(shared, other)["RingTrue_Status__c"] == "unverified"
    shared.sandbox["salesforce"].clear_faults()
    again = shared.sync("salesforce")
    assert again.success, again.failures
    assert in_salesforce(shared, held)["RingTrue_Status__c"] == "unverified"
    assert again.metadata["salesforce/writeback"]["sent"] == 1


def test_a_row_that_hubspot_refuses_waits_for_the_next_run(shared: Project) -> None:
    held, other = person(shared, number()), person(shared, number())
    shared.sandbox["hubspot"].fault("write", "hold_rows", ids=[held])
    assert sync(shared, "hubspot").totals["failed"] == 1
    assert not in_hubspot(shared, held).get("ringtrue_status")
    assert in_hubspot(shared, other)["ringtrue_status"] == "unverified"
    shared.sandbox["hubspot"].clear_faults()
    assert sync(shared, "hubspot").totals["applied"] == 1
    assert in_hubspot(shared, held)["ringtrue_status"] == "unverified"


def test_a_batch_taken_in_part_is_written_once_each(shared: Project) -> None:
    sync(shared, "salesforce")
    records = [contact(shared, number()) for _ in range(4)]
    shared.sandbox["salesforce"].fault("write", "partial_failure", n=2)
    plan(shared.settings(), "salesforce")
    outcome = deliver(shared.settings(), "salesforce")
    assert (outcome.totals["sent"], outcome.totals["applied"], outcome.totals["failed"]) == (4, 2, 2)
    sync(shared, "salesforce")
    for record in records:
        versions = shared.sandbox["salesforce"].history("Contact", record, "RingTrue_Status__c")
        assert [row["new"] for row in versions] == ["unverified"]


def test_a_record_edited_between_look_and_write_is_looked_at_again(shared: Project) -> None:
    """Salesforce refuses the write with 412; the edit stays and the flag still comes."""
    stopped = number()
    contact(shared, stopped, DoNotCall=True)
    same = contact(shared, stopped)
    plan(shared.settings(), "salesforce")
    outcome = while_writing(shared, "salesforce", lambda crm: crm.edit("Contact", same, {"LastName": "Edited"}))
    fields = in_salesforce(shared, same)
    assert (fields["LastName"], fields["DoNotCall"]) == ("Edited", True)
    assert outcome.totals["failed"] == 0
    assert shared.sandbox["salesforce"].stats()["by_status"].get("412", 0) == 1
    ticks = shared.sandbox["salesforce"].history("Contact", same, "DoNotCall")
    assert [row["new"] for row in ticks if str(row["source"]).startswith("integration")] in ([True], ["true"])


def test_an_edit_that_slips_in_between_look_and_write_is_restored_and_reported(shared: Project) -> None:
    """HubSpot cannot refuse the write: the history shows afterwards what it overtook."""
    typed, corrected = number(), number()
    record = person(shared, national(typed))
    plan(shared.settings(), "hubspot")
    outcome = while_writing(shared, "hubspot", lambda crm: crm.edit("contacts", record, {"phone": national(corrected)}))
    assert in_hubspot(shared, record)["phone"] == national(corrected)
    assert outcome.totals["edits restored"] == 1
    assert shared.query("SELECT count(*) FROM changes WHERE error LIKE '%slipped in%'") == [(1,)]
    sync(shared, "hubspot")
    assert in_hubspot(shared, record)["phone"] == corrected, "the corrected number is read like any other"
    assert in_hubspot(shared, record)["ringtrue_best_number"] == corrected


def test_records_deleted_or_merged_between_plan_and_write_are_skipped(shared: Project) -> None:
    gone, loser, survivor = (contact(shared, number()) for _ in range(3))
    person_gone, person_loser, person_survivor = (person(shared, national(number())) for _ in range(3))
    for name in ("salesforce", "hubspot"):
        plan(shared.settings(), name)
    shared.sandbox["salesforce"].delete("Contact", gone)
    shared.sandbox["salesforce"].merge("Contact", survivor, loser)
    shared.sandbox["hubspot"].delete("contacts", person_gone)
    kept = shared.sandbox["hubspot"].merge("contacts", person_survivor, person_loser)
    for name in ("salesforce", "hubspot"):
        outcome = deliver(shared.settings(), name)
        assert outcome.totals["failed"] == 0, outcome.errors
        assert outcome.totals["skipped"] >= 2
        sync(shared, name)
    assert in_salesforce(shared, survivor)["RingTrue_Status__c"] == "unverified"
    assert in_hubspot(shared, kept)["ringtrue_status"] == "unverified"
    dead = shared.query(
        "SELECT count(*) FROM contacts WHERE record_id IN (:a, :b) AND deleted_at IS NOT NULL", a=gone, b=loser
    )
    assert dead == [(2,)]


def test_the_survivor_of_a_merge_takes_the_do_not_call_over(shared: Project) -> None:
    stopped = contact(shared, number(), DoNotCall=True)
    survivor = contact(shared, number())
    person_stopped, person_survivor = person(shared, number(), do_not_call="true"), person(shared, number())
    for name in ("salesforce", "hubspot"):
        sync(shared, name)
    shared.sandbox["salesforce"].merge("Contact", survivor, stopped)
    kept = shared.sandbox["hubspot"].merge("contacts", person_survivor, person_stopped)
    for name in ("salesforce", "hubspot"):
        sync(shared, name)
    assert in_salesforce(shared, survivor)["DoNotCall"] is True
    assert in_salesforce(shared, survivor)["RingTrue_Status__c"] == "do_not_call"
    assert in_hubspot(shared, kept)["ringtrue_do_not_call"] == "true"


def test_a_converted_lead_is_gone_to_its_contact_and_hands_its_do_not_call_on(shared: Project) -> None:
    crm = shared.sandbox["salesforce"]
    stopped, plain = lead(shared, number(), DoNotCall=True), lead(shared, number())
    sync(shared, "salesforce")
    became = crm.call("POST", "/convert", body={"id": stopped})["contact"]
    crm.edit("Contact", became, {"DoNotCall": False})
    plan(shared.settings(), "salesforce")
    crm.call("POST", "/convert", body={"id": plain})
    outcome = deliver(shared.settings(), "salesforce")
    assert outcome.totals["failed"] == 0, outcome.errors
    assert in_salesforce(shared, became)["DoNotCall"] is True
    sync(shared, "salesforce")
    merged = shared.query(
        "SELECT merged_into FROM contacts WHERE record_id = :lead AND deleted_at IS NOT NULL", lead=stopped
    )
    assert merged == [(became,)]
    everything = PullConfig(full=True)
    assert plan(shared.settings(), "salesforce", config=everything).plan.records == 0, (
        "nothing is planned for a lead that was converted"
    )


def test_a_lead_converted_between_plan_and_write_is_skipped(shared: Project) -> None:
    crm = shared.sandbox["salesforce"]
    shared.write_settings(salesforce={"bulk_from": 1})
    going, by_bulk = lead(shared, number()), lead(shared, number())
    plan(shared.settings(), "salesforce")
    for record in (going, by_bulk):
        crm.call("POST", "/convert", body={"id": record})
    outcome = deliver(shared.settings(), "salesforce")
    assert outcome.totals["failed"] == 0, outcome.errors
    assert outcome.totals["skipped"] == 2
