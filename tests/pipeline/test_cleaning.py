"""The jobs beside the syncs, each run as its schedule would run it."""

from __future__ import annotations

import dagster as dg
from sqlalchemy import text

from app.sync import Ran, run_job
from assets.definitions import build
from tests.pipeline.people import in_hubspot, number, person
from tests.pipeline.project import Project


def ran(project: Project, job: str) -> Ran:
    with dg.instance_for_test(temp_dir=str(project.home / "dagster_home")) as instance:
        done = run_job(build(project.settings(), retries=False), instance, job)
    assert done.success, done.failures
    return done


def test_the_quarterly_job_pulls_and_compares_everything_and_mends_what_was_edited(shared: Project) -> None:
    record = person(shared, number())
    first = ran(shared, "sync_hubspot")
    assert in_hubspot(shared, record)["ringtrue_status"] == "unverified"
    with shared.ledger() as ledger, ledger.write() as book:
        # A change that no pull has seen: as if the CRM had lost it without moving its clock.
        book.execute(text("UPDATE contacts SET ours = '{}' WHERE record_id = :id"), {"id": record})
    whole = ran(shared, "clean_quarterly_hubspot").metadata
    everybody = shared.sandbox["hubspot"].count("contacts")
    assert whole["hubspot/contacts"]["records read"] == everybody
    assert whole["hubspot/changes"]["records compared"] == everybody
    assert whole["status"]["numbers"] >= first.metadata["status"]["numbers"]
    assert shared.query("SELECT ours FROM contacts WHERE record_id = :id", id=record) != [("{}",)]


def test_scrub_monthly_cleaning_and_pruning_run(shared: Project) -> None:
    scrubbed = ran(shared, "registry_scrub").metadata
    assert set(scrubbed) == {"registries", "opt_outs", "suppressions"}
    cleaned = ran(shared, "clean_monthly").metadata
    assert {"lookups", "status", "salesforce/writeback", "hubspot/writeback"} <= set(cleaned)
    with shared.ledger() as ledger, ledger.write() as book:
        book.execute(
            text(
                "INSERT INTO inbox (source, event_id, kind, body, received_at, handled_at) VALUES ('twilio', '1', 'sms', '', 1, 2)"
            )
        )
    ran(shared, "prune")
    assert shared.query("SELECT count(*) FROM inbox WHERE event_id = '1'") == [(0,)]
