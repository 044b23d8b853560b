"""The one gate for writing, and the guard: what would change too much waits for a person."""

from __future__ import annotations

import signal
import tomllib
from typing import Any

import dagster as dg
import pytest
import tomli_w
from sqlalchemy import text

from assets.definitions import build
from assets.jobs import build_jobs
from assets.writeback import Outcome, WritebackConfig, write_back
from connectors.resources import connect
from ringtrue.errors import PlanRefused, SettingsError
from ringtrue.ledger import Ledger, journal, plan_history
from tests.pipeline.killing import Deliverer
from tests.pipeline.people import command, in_hubspot, national, number, person
from tests.pipeline.project import Project
from tests.pipeline.stages import deliver, plan

STRICT = {"small_plan": 0, "newly_do_not_call_share": 0.01, "records_changed_share": 0.01}


def guard(project: Project, **limits: Any) -> None:
    """Put limits into the project's settings."""
    values = tomllib.loads(project.path.read_text(encoding="utf-8"))
    project.path.write_text(tomli_w.dumps({**values, "guard": limits}), encoding="utf-8")


def opted_out(project: Project) -> str:
    """A person whose flag makes a plan with a new do-not-call."""
    return person(project, number(), do_not_call="true")


def flagged(project: Project, record: str) -> bool:
    return in_hubspot(project, record).get("ringtrue_do_not_call") == "true"


def test_a_disabled_connection_shows_its_plan_and_sends_nothing(
    shared: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = opted_out(shared)
    planned = plan(shared.settings(), "hubspot").plan.records
    assert planned > 0
    # With a token the connection is the real portal, and it is not enabled: nothing is even asked of it.
    monkeypatch.setenv("HUBSPOT_TOKEN", "a-token")
    definitions = build(shared.settings())
    with dg.instance_for_test() as instance:
        result = dg.materialize(
            [definitions.get_assets_def(["hubspot", "writeback"])],
            instance=instance,
            resources=definitions.resources,
            selection=[dg.AssetKey(["hubspot", "writeback"])],
        )
    assert result.success
    [event] = result.get_asset_materialization_events()
    metadata = event.step_materialization_data.materialization.metadata
    assert (metadata["planned"].value, metadata["sent"].value) == (planned, 0)
    [check] = [one for one in result.get_asset_check_evaluations() if one.check_name == "gate_is_open"]
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "enabled = true" in str(check.description)
    assert not flagged(shared, record)
    [schedule] = [one for one in build_jobs(shared.settings())[1] if one.name == "hubspot_schedule"]
    assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED
    monkeypatch.delenv("HUBSPOT_TOKEN")
    deliver(shared.settings(), "hubspot")


def test_the_first_enabled_run_asks(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = project.write_settings(hubspot={"enabled": True})
    record = person(project, number(), do_not_call="true")
    made = plan(settings, "hubspot").plan
    crm = connect("hubspot", settings.connections["hubspot"])

    def write(ledger: Ledger) -> Outcome:
        # With a token the connection counts as the real portal; `crm` still speaks to the sandbox.
        with monkeypatch.context() as real:
            real.setenv("HUBSPOT_TOKEN", "a-token")
            return write_back(ledger, crm, settings, "hubspot", "run", "run", WritebackConfig())

    with project.ledger() as ledger:
        with pytest.raises(PlanRefused, match="first time anything is written to this CRM"):
            write(ledger)
        assert not flagged(project, record)
        assert command("approve", made.plan_id, "--by", "ann")["approved_by"] == "ann"
        assert write(ledger).totals["applied"] == made.records
        later = person(project, number(), do_not_call="true")
        plan(settings, "hubspot")
        write(ledger)
        assert flagged(project, later), "only the first run asks"
    crm.close()


def test_past_a_limit_nothing_is_written_until_a_person_approves_this_content(shared: Project) -> None:
    guard(shared, **STRICT)
    record = opted_out(shared)
    made = plan(shared.settings(), "hubspot").plan
    shared.sandbox["hubspot"].reset_stats()
    with pytest.raises(PlanRefused, match=r"newly do-not-call are \d+% of \d+ records; the limit is 1%") as caught:
        deliver(shared.settings(), "hubspot")
    assert f"ringtrue approve {made.plan_id}" in str(caught.value)
    assert shared.sandbox["hubspot"].stats()["by_op"].get("write", 0) == 0

    command("approve", made.plan_id, "--by", "ann")
    other = opted_out(shared)
    newer = plan(shared.settings(), "hubspot").plan
    with pytest.raises(PlanRefused, match="newly do-not-call"):
        deliver(shared.settings(), "hubspot")
    with pytest.raises(PlanRefused, match="replaced by a newer one"):
        command("approve", made.plan_id, "--by", "ann")
    assert not flagged(shared, record)

    with pytest.raises(PlanRefused, match="approval is for another plan"):
        deliver(shared.settings(), "hubspot", config=WritebackConfig(approve=made.hash, approved_by="bob"))
    done = deliver(shared.settings(), "hubspot", config=WritebackConfig(approve=newer.hash, approved_by="bob"))
    assert done.totals["failed"] == 0
    assert flagged(shared, record)
    assert flagged(shared, other)
    with shared.ledger() as ledger, ledger.read() as book:
        approved = journal.find_plan(book, newer.plan_id)
    assert approved is not None
    assert approved.approved_by == "bob"


def test_far_more_than_usual_waits_although_no_share_is_passed_and_the_preview_says_why(shared: Project) -> None:
    guard(shared, small_plan=3, usual_least_plans=5, newly_do_not_call_share=1.0, records_changed_share=1.0)
    settings = shared.settings()
    with shared.ledger() as ledger, ledger.write() as book:
        for place in range(30):
            passed = f"passed{place:02}"
            book.execute(
                text(
                    "INSERT INTO plans (plan_id, connection, purpose, created_at, run, records, fields, hash, summary, state) "
                    "SELECT :id, connection, purpose, created_at, run, records, fields, hash, '{}', 'closed' FROM plans WHERE connection = 'hubspot' LIMIT 1"
                ),
                {"id": passed},
            )
            plan_history.note_passed(book, passed, {"newly do-not-call": place % 2}, first=False)
    records = [opted_out(shared) for _ in range(12)]
    made = plan(settings, "hubspot").plan
    definitions = build(settings)
    with dg.instance_for_test() as instance:
        result = dg.materialize(
            [definitions.get_assets_def(["hubspot", "changes"])],
            instance=instance,
            resources=definitions.resources,
            selection=[dg.AssetKey(["hubspot", "changes"])],
        )
    [check] = result.get_asset_check_evaluations()
    assert (check.check_name, check.passed, check.severity) == ("not_too_much", False, dg.AssetCheckSeverity.ERROR)
    [event] = result.get_asset_materialization_events()
    shown = event.step_materialization_data.materialization.metadata
    newer = str(shown["plan"].value)
    for said in (str(check.description), str(shown["why it stops"].value)):
        assert "newly do-not-call are unusually many: the last" in said
    assert f"ringtrue approve {newer}" in str(check.description)
    assert shown["plan hash"].value == made.hash
    assert "| newly do-not-call | 1" in str(shown["limits"].value)
    with pytest.raises(PlanRefused, match=r"newly do-not-call are unusually many.*`ringtrue approve"):
        deliver(settings, "hubspot")
    command("approve", newer, "--by", "ann")
    deliver(settings, "hubspot")
    assert all(flagged(shared, record) for record in records)


def test_an_approval_outlives_a_sync_that_brought_nothing_new(shared: Project) -> None:
    guard(shared, **STRICT)
    record = opted_out(shared)
    made = plan(shared.settings(), "hubspot").plan
    command("approve", made.plan_id, "--by", "ann")
    plan(shared.settings(), "hubspot", "the next hour")
    deliver(shared.settings(), "hubspot")
    assert flagged(shared, record)


def test_what_a_crash_left_of_a_plan_that_passed_is_not_stopped_again(shared: Project, deliverer: Deliverer) -> None:
    guard(shared, **STRICT)
    records = [opted_out(shared), person(shared, national(number()), do_not_call="true")]
    made = plan(shared.settings(), "hubspot").plan
    command("approve", made.plan_id, "--by", "ann")
    shared.sandbox["hubspot"].fault("write", "kill", pid=deliverer.ready("hubspot"), at="before")
    deliverer.go()
    assert deliverer.end() == -signal.SIGKILL
    shared.sandbox["hubspot"].clear_faults()
    assert not any(flagged(shared, record) for record in records)
    plan(shared.settings(), "hubspot", "second")
    deliver(shared.settings(), "hubspot", "second")
    assert all(flagged(shared, record) for record in records)


def test_a_plan_too_old_is_not_carried_out(shared: Project) -> None:
    record = opted_out(shared)
    made = plan(shared.settings(), "hubspot").plan
    with shared.ledger() as ledger, ledger.write() as book:
        book.execute(
            text("UPDATE plans SET created_at = created_at - 25 * 3600000 WHERE plan_id = :id"), {"id": made.plan_id}
        )
    with pytest.raises(PlanRefused, match="is 25 hours old; at most 24 are allowed"):
        deliver(shared.settings(), "hubspot")
    assert not flagged(shared, record)
    plan(shared.settings(), "hubspot")
    deliver(shared.settings(), "hubspot")
    assert flagged(shared, record), "a new plan takes over what the old one held"


def test_nothing_is_sent_whose_decision_changed_since(shared: Project) -> None:
    record = person(shared, number())
    plan(shared.settings(), "hubspot")
    with shared.ledger() as ledger, ledger.write() as book:
        book.execute(
            text(
                "INSERT INTO dirty_contacts SELECT 'changes:hubspot', contact_id, 1 FROM contacts WHERE record_id = :record"
            ),
            {"record": record},
        )
    deliver(shared.settings(), "hubspot")
    assert not in_hubspot(shared, record).get("ringtrue_status")
    plan(shared.settings(), "hubspot")
    deliver(shared.settings(), "hubspot")
    assert in_hubspot(shared, record)["ringtrue_status"] == "unverified"


def test_an_approval_names_a_plan_that_there_is(shared: Project) -> None:
    with pytest.raises(PlanRefused, match="There is no plan"):
        command("approve", "none", "--by", "ann")
    with pytest.raises(SettingsError, match="Say what to release"):
        command("release")
