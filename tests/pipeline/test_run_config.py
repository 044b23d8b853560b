"""What one run may be told: full, since, one record, a canary."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from assets.contacts import PullConfig, pull
from assets.planner import plan_changes
from assets.writeback import WritebackConfig
from connectors.resources import connect
from ringtrue.errors import SettingsError
from ringtrue.ledger.contacts import PullCounts
from tests.pipeline.people import contact, in_hubspot, number, person
from tests.pipeline.project import Project
from tests.pipeline.stages import deliver, plan


def pulled(project: Project, name: str, **config: Any) -> dict[str, PullCounts]:
    settings = project.settings()
    crm = connect(name, settings.connections[name])
    try:
        with project.ledger() as ledger:
            return pull(ledger, crm, settings, name, PullConfig(**config))[0]
    finally:
        crm.close()


def test_a_canary_sends_so_many_records_and_leaves_the_others_planned(shared: Project) -> None:
    records = [person(shared, number()) for _ in range(5)]
    made = plan(shared.settings(), "hubspot").plan
    assert made.records >= 5
    first = deliver(shared.settings(), "hubspot", config=WritebackConfig(limit=2))
    assert (first.totals["sent"], first.totals["applied"]) == (2, 2)
    assert deliver(shared.settings(), "hubspot", config=WritebackConfig(limit=0)).totals["sent"] == 0
    rest = deliver(shared.settings(), "hubspot")
    assert rest.totals["applied"] == made.records - 2
    assert all(in_hubspot(shared, record)["ringtrue_status"] == "unverified" for record in records)


def test_one_complaint_is_replayed_from_pull_to_write(shared: Project) -> None:
    wanted, other = person(shared, number()), person(shared, number())
    plan(shared.settings(), "hubspot", config=PullConfig(record=wanted))
    assert shared.query("SELECT count(*) FROM contacts WHERE record_id = :id", id=other) == [(0,)]
    plan(shared.settings(), "hubspot")
    deliver(shared.settings(), "hubspot", config=WritebackConfig(record=wanted))
    assert in_hubspot(shared, wanted)["ringtrue_status"] == "unverified"
    assert not in_hubspot(shared, other).get("ringtrue_status")
    deliver(shared.settings(), "hubspot")


def test_a_record_that_there_is_not_is_told(shared: Project) -> None:
    for name, record in (("hubspot", "999999999999"), ("salesforce", "003000000000001AAA")):
        with pytest.raises(SettingsError, match=f"There is no record {record!r}"):
            pulled(shared, name, record=record)


def test_full_reads_every_record_again_and_an_increment_only_what_changed(shared: Project) -> None:
    pulled(shared, "salesforce")
    alive = {name: shared.sandbox["salesforce"].count(name) for name in ("Contact", "Lead")}
    contact(shared, number())
    whole = pulled(shared, "salesforce", full=True)
    assert whole["Contact"].read >= alive["Contact"] + 1
    assert whole["Lead"].read >= alive["Lead"]
    assert whole["Contact"].new == 1
    later = shared.write_settings(salesforce={"overlap_minutes": 0}).connections["salesforce"]
    assert later.overlap_minutes == 0
    pulled(shared, "salesforce")
    assert pulled(shared, "salesforce")["Contact"].read < alive["Contact"]


def test_since_reads_what_changed_since_a_moment(shared: Project) -> None:
    pulled(shared, "hubspot")
    shared.write_settings(hubspot={"overlap_minutes": 0})
    made = person(shared, number())
    since = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    counted = pulled(shared, "hubspot", since=since)
    assert counted["contacts"].new == 1
    assert shared.query("SELECT count(*) FROM contacts WHERE record_id = :id", id=made) == [(1,)]
    with pytest.raises(SettingsError, match="since must be a date like"):
        pulled(shared, "hubspot", since="yesterday")


def test_comparing_everything_again_changes_nothing_that_is_true(shared: Project) -> None:
    plan(shared.settings(), "hubspot")
    deliver(shared.settings(), "hubspot")
    with shared.ledger() as ledger:
        compared = plan_changes(ledger, shared.settings(), "hubspot", "full", full=True)
    assert compared.totals["records compared"] == shared.sandbox["hubspot"].count("contacts")
    assert compared.plan.records == 0


def test_what_vanished_without_a_trace_is_noticed_once_a_day(shared: Project) -> None:
    """A record that no feed shows as deleted is found by comparing ids."""
    record = contact(shared, number())
    pulled(shared, "salesforce")
    with shared.ledger() as ledger, ledger.write() as book:
        ghost = "UPDATE contacts SET record_id = '003000000000009AAA' WHERE record_id = :id"
        book.execute(text(ghost), {"id": record})
        book.execute(text("UPDATE syncs SET last_reconcile_at = last_reconcile_at - 86400000"))
    shared.write_settings(salesforce={"overlap_minutes": 0})
    counted = pulled(shared, "salesforce")
    assert counted["Contact"].deleted == 1
    assert counted["Contact"].new == 1, "and what is there but unknown is read"
