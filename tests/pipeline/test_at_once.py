"""What does not wait for the next sync: do-not-call reaches the CRMs within minutes, fresh records are checked within one. Driven by the sensors' own ticks."""

from __future__ import annotations

import signal
import threading
import time
import tomllib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

import dagster as dg
import pytest
import tomli_w
from dagster._core.test_utils import create_run_for_test

from app.sync import Ran, run_job
from assets.definitions import build
from assets.fresh_contacts import MOST_TIMES
from assets.planner import plan_changes
from assets.sensors import DO_NOT_CALL_SECONDS, FRESH_SECONDS
from tests.pipeline.at_once import opt_out, stop_call, told
from tests.pipeline.killing import Deliverer
from tests.pipeline.people import command, contact, in_hubspot, in_salesforce, national, number, person
from tests.pipeline.project import Project
from tests.pipeline.stages import deliver, fresh, plan

BOUND_SECONDS = 300.0
MANY = 104
LAUNCH_SECONDS = 10.0
"""More than a daemon and a code server need from a run request to the run's first step: 2 to 6 seconds on an idle machine."""
_EVENT = count(1)
_DEFINITIONS: dict[str, dg.Definitions] = {}


class Sensors:
    """Ticks of a project's sensors, and the runs they ask for, in this process."""

    def __init__(self, project: Project) -> None:
        self.project = project
        self.home = project.home / f"sensors{next(_EVENT)}"
        self.home.mkdir()

    def definitions(self) -> dg.Definitions:
        """The definitions for the settings in force. They are made once for the same settings."""
        text = self.project.path.read_text(encoding="utf-8")
        if text not in _DEFINITIONS:
            _DEFINITIONS[text] = build(self.project.settings())
        return _DEFINITIONS[text]

    def requests(self, sensor: str) -> tuple[list[str], str]:
        """Jobs that one tick asks for, and why none."""
        with dg.instance_for_test(temp_dir=str(self.home)) as instance:
            [found] = [one for one in self.definitions().sensors or [] if one.name == sensor]
            tick = found.evaluate_tick(dg.build_sensor_context(instance=instance))
        return [str(request.job_name) for request in tick.run_requests or []], tick.skip_message or ""

    def tick(self, sensor: str = "do_not_call") -> dict[str, Ran]:
        """One tick and its runs, by connection."""
        jobs, _ = self.requests(sensor)
        with dg.instance_for_test(temp_dir=str(self.home)) as instance:
            return {job.rpartition("_")[2]: run_job(self.definitions(), instance, job) for job in jobs}


@pytest.fixture
def sensors(shared: Project) -> Sensors:
    """The sensors of the module's project, with nothing left waiting."""
    made = Sensors(shared)
    made.tick()
    return made


def settings(project: Project, **parts: Any) -> None:
    """Put whole tables into the project's settings."""
    values = tomllib.loads(project.path.read_text(encoding="utf-8"))
    project.path.write_text(tomli_w.dumps({**values, **parts}), encoding="utf-8")


def sync(project: Project, *names: str) -> None:
    for name in names or ("salesforce", "hubspot"):
        plan(project.settings(), name)
        deliver(project.settings(), name)


def flagged(project: Project, name: str, record: str) -> bool:
    if name == "salesforce":
        return in_salesforce(project, record)["DoNotCall"] is True
    return in_hubspot(project, record).get("ringtrue_do_not_call") == "true"


def times_set(project: Project, record: str) -> int:
    """How often our flag was written to a HubSpot contact, by its history."""
    seen = project.sandbox["hubspot"].history("contacts", record, "ringtrue_do_not_call")
    return sum(version["new"] == "true" for version in seen)


def test_a_failed_shared_stage_holds_everything_back_but_do_not_call(shared: Project, sensors: Sensors) -> None:
    phone, other = number(), number()
    record, beside = person(shared, national(phone)), person(shared, national(other))
    settings(shared, policy={"mode": "bayes", "no_such_setting": 1})
    ran = shared.sync("hubspot")
    assert not ran.success
    assert not in_hubspot(shared, beside).get("ringtrue_status")
    opt_out(shared, phone)
    assert sensors.tick()["hubspot"].success
    assert flagged(shared, "hubspot", record)
    assert in_hubspot(shared, record)["ringtrue_status"] == "do_not_call"
    assert not in_hubspot(shared, beside).get("ringtrue_status")
    shared.write_settings()
    sync(shared, "hubspot")
    assert in_hubspot(shared, beside)["ringtrue_status"] == "unverified"
    assert flagged(shared, "hubspot", record)
    assert times_set(shared, record) == 1


def test_a_crm_that_is_down_delays_no_other_and_gets_its_flags_when_it_is_back(
    shared: Project, sensors: Sensors
) -> None:
    phone = number()
    record, other = contact(shared, phone), person(shared, national(phone))
    sync(shared)
    opt_out(shared, phone)
    shared.write_settings(hubspot={"sandbox_url": "http://127.0.0.1:9"})
    ran = sensors.tick()
    assert ran["salesforce"].success
    assert not ran["hubspot"].success
    assert flagged(shared, "salesforce", record)
    jobs, why = sensors.requests("do_not_call")
    assert jobs == [], "not again and again"
    assert "tried again within 120 seconds" in why
    shared.write_settings()
    assert Sensors(shared).tick()["hubspot"].success
    assert flagged(shared, "hubspot", other)


def test_a_disabled_connection_gets_its_flags_once_it_is_enabled(
    shared: Project, sensors: Sensors, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone = number()
    record, other = contact(shared, phone), person(shared, national(phone))
    sync(shared)
    opt_out(shared, phone)
    with monkeypatch.context() as real:
        # With a token the connection is the real portal, and it is not enabled.
        real.setenv("HUBSPOT_TOKEN", "a-token")
        assert set(sensors.tick()) == {"salesforce"}
        assert sensors.requests("do_not_call")[0] == []
    assert flagged(shared, "salesforce", record)
    assert not flagged(shared, "hubspot", other)
    assert set(sensors.tick()) == {"hubspot"}
    assert flagged(shared, "hubspot", other)


def test_a_flag_that_an_open_plan_holds_is_written_once_and_the_rest_of_the_plan_too(
    shared: Project, sensors: Sensors
) -> None:
    phone = number()
    record = person(shared, national(phone))
    opt_out(shared, phone)
    plan(shared.settings(), "hubspot")
    assert sensors.tick()["hubspot"].success
    assert flagged(shared, "hubspot", record)
    assert not in_hubspot(shared, record).get("ringtrue_phone_status")
    deliver(shared.settings(), "hubspot")
    assert in_hubspot(shared, record)["ringtrue_phone_status"] == "do_not_call"
    assert in_hubspot(shared, record)["phone"] == phone
    assert times_set(shared, record) == 1
    assert plan(shared.settings(), "hubspot").plan.records == 0


def test_it_does_not_wait_behind_a_long_sync_of_the_same_crm(
    shared: Project, sensors: Sensors, deliverer: Deliverer
) -> None:
    """A write-back whose answer takes eight seconds holds the CRM; the flag of another record, and of one that it holds too, is set meanwhile."""
    phones = [number(), number()]
    known = person(shared, national(phones[0]))
    sync(shared, "hubspot")
    planned = person(shared, national(phones[1]))
    plan(shared.settings(), "hubspot")
    deliverer.ready("hubspot")
    shared.sandbox["hubspot"].fault("write", "slow", seconds=8)
    deliverer.go()
    deadline = time.monotonic() + 30
    while not shared.query("SELECT 1 FROM changes WHERE connection = 'hubspot' AND state = 'sending'"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    begun = time.monotonic()
    opt_out(shared, *phones)
    assert sensors.tick()["hubspot"].success
    assert time.monotonic() - begun < 7.5
    assert shared.query("SELECT 1 FROM changes WHERE connection = 'hubspot' AND state = 'sending'"), "the sync goes on"
    assert flagged(shared, "hubspot", known)
    assert flagged(shared, "hubspot", planned)
    assert deliverer.end() == 0
    sync(shared, "hubspot")
    for record in (known, planned):
        assert in_hubspot(shared, record)["ringtrue_status"] == "do_not_call"
        assert flagged(shared, "hubspot", record)
        assert times_set(shared, record) == 1


@pytest.mark.parametrize("at", ["before", "received"])
def test_a_delivery_killed_and_run_again_equals_an_uninterrupted_one(
    shared: Project, sensors: Sensors, deliverer: Deliverer, at: str
) -> None:
    phone = number()
    records = [person(shared, national(phone)) for _ in range(3)]
    sync(shared, "hubspot")
    opt_out(shared, phone)
    process = deliverer.ready("do-not-call hubspot")
    shared.sandbox["hubspot"].fault("write", "kill", pid=process, at=at)
    deliverer.go()
    assert deliverer.end() == -signal.SIGKILL
    shared.sandbox["hubspot"].clear_faults()
    # A sync in between, with the flags in the CRM and no answer to them, takes them for nobody's wish and writes none twice.
    sync(shared, "hubspot")
    sensors.tick()
    assert [flagged(shared, "hubspot", record) for record in records] == [True] * 3
    assert [times_set(shared, record) for record in records] == [1] * 3
    assert sensors.requests("do_not_call")[0] == []
    sync(shared, "hubspot")
    said = shared.query(
        "SELECT count(*) FROM suppressions WHERE source LIKE 'crm_flag:%' AND number = :number", number=phone
    )
    assert said == [(0,)], "our own flag is nobody's wish"


def test_a_flood_waits_for_a_person_and_a_single_opt_out_does_not(shared: Project, sensors: Sensors) -> None:
    phones = [number() for _ in range(6)]
    records = [person(shared, national(phone)) for phone in phones]
    sync(shared, "hubspot")
    settings(shared, guard={"small_plan": 3, "newly_do_not_call_share": 0.01})
    opt_out(shared, *phones[:5], source="import:wrong")
    opt_out(shared, phones[5], source="opt_out:page")
    ran = sensors.tick()["hubspot"]
    assert not ran.success
    assert "5 records would be newly do-not-call by import:wrong" in ran.failures[0]
    assert [flagged(shared, "hubspot", record) for record in records] == [False] * 5 + [True]
    assert sensors.requests("do_not_call")[0] == [], "it does not ask again and again"
    made = plan(shared.settings(), "hubspot").plan
    command("approve", made.plan_id, "--by", "ann")
    deliver(shared.settings(), "hubspot")
    assert all(flagged(shared, "hubspot", record) for record in records)


def test_nothing_is_cleared_by_a_plan_made_before_the_opt_out_was_decided(shared: Project, sensors: Sensors) -> None:
    phone = number()
    record = person(shared, national(phone))
    sync(shared, "hubspot")
    opt_out(shared, phone)
    sensors.tick()
    with shared.ledger() as ledger:
        # The decision is still the one from before, as when the stage `status` failed.
        plan_changes(ledger, shared.settings(), "hubspot", "run")
    deliver(shared.settings(), "hubspot")
    assert flagged(shared, "hubspot", record)
    assert in_hubspot(shared, record)["ringtrue_status"] == "do_not_call"


def test_a_fresh_record_is_checked_at_the_next_tick_and_its_echo_is_no_news(shared: Project, sensors: Sensors) -> None:
    good, stopped = number(), number()
    opt_out(shared, stopped)
    records = [
        person(shared, national(good)),
        person(shared, "12345"),
        person(shared, national(stopped)),
    ]
    lead = contact(shared, good)
    for record in records:
        told(shared, "hubspot", "created", "contacts", record)
    told(shared, "salesforce", "changed", "Contact", lead)
    told(shared, "hubspot", "created", "contacts", "999999999")
    begun = time.monotonic()
    ran = sensors.tick("fresh_contacts")
    assert all(each.success for each in ran.values()), ran
    assert time.monotonic() - begun + FRESH_SECONDS + LAUNCH_SECONDS < 60
    assert in_hubspot(shared, records[0])["ringtrue_status"] == "unverified"
    assert in_hubspot(shared, records[0])["phone"] == good
    assert in_hubspot(shared, records[1])["ringtrue_status"] == "invalid"
    assert in_hubspot(shared, records[2])["ringtrue_status"] == "do_not_call"
    assert flagged(shared, "hubspot", records[2])
    assert in_salesforce(shared, lead)["RingTrue_MobilePhone_E164__c"] == good
    assert sensors.requests("fresh_contacts") == ([], "No record waits.")
    # What we wrote comes back as news from the CRM.
    shared.sandbox["hubspot"].reset_stats()
    for record in records:
        told(shared, "hubspot", "changed", "contacts", record, '{"propertyName":"phone"}')
        told(shared, "hubspot", "changed", "contacts", record, '{"propertyName":"ringtrue_status"}')
    echo = sensors.tick("fresh_contacts")["hubspot"].metadata["hubspot/fresh_contacts"]
    assert (echo["records read"], echo["unchanged"]) == (3, 3)
    assert shared.sandbox["hubspot"].stats()["by_op"].get("write", 0) == 0
    told(shared, "hubspot", "changed", "contacts", records[0], '{"propertyName":"ringtrue_status"}')
    echo = sensors.tick("fresh_contacts")["hubspot"].metadata["hubspot/fresh_contacts"]
    assert echo.get("records read", 0) == 0, "a field of ours is not even read"
    assert sensors.requests("do_not_call")[0] == []
    for name in ("salesforce", "hubspot"):
        plan(shared.settings(), name)
    left = shared.query(
        "SELECT c.record_id FROM changes AS ch JOIN contacts AS c USING (contact_id) WHERE ch.state = 'planned'"
    )
    assert not {row[0] for row in left} & {*records, lead}, "the sync has nothing to add"


def test_a_flag_ticked_in_one_crm_reaches_the_other_without_a_sync(shared: Project, sensors: Sensors) -> None:
    phone = number()
    record, other = contact(shared, phone), person(shared, national(phone))
    sync(shared)
    shared.sandbox["hubspot"].edit("contacts", other, {"do_not_call": "true"})
    told(shared, "hubspot", "changed", "contacts", other, '{"propertyName":"do_not_call"}')
    assert sensors.tick("fresh_contacts")["hubspot"].success
    assert flagged(shared, "hubspot", other)
    assert sensors.tick()["salesforce"].success
    assert flagged(shared, "salesforce", record)


def test_fresh_records_are_left_to_the_sync_while_somebody_has_to_look(shared: Project, sensors: Sensors) -> None:
    phones = [number() for _ in range(5)]
    records = [person(shared, national(phone)) for phone in phones]
    sync(shared, "hubspot")
    settings(shared, guard={"small_plan": 2, "newly_retired_share": 0.01})
    for record in records:
        shared.sandbox["hubspot"].edit("contacts", record, {"phone": "12345"})
        told(shared, "hubspot", "changed", "contacts", record)
    ran = sensors.tick("fresh_contacts")["hubspot"]
    assert ran.success
    assert "newly retired" in str(ran.metadata["hubspot/fresh_contacts"]["left to the sync because"])
    assert in_hubspot(shared, records[0])["ringtrue_status"] == "unverified"
    shared.write_settings()
    sync(shared, "hubspot")
    assert in_hubspot(shared, records[0])["ringtrue_status"] == "invalid"


def test_a_value_that_something_takes_back_each_time_is_left_to_the_sync(shared: Project) -> None:
    phone = number()
    record = person(shared, national(phone))
    for _ in range(MOST_TIMES):
        told(shared, "hubspot", "changed", "contacts", record)
        assert fresh(shared.settings(), "hubspot").objections == []
        assert in_hubspot(shared, record)["phone"] == phone
        shared.sandbox["hubspot"].edit("contacts", record, {"phone": national(phone)})
        with shared.ledger() as ledger, ledger.write() as book:
            # Two seconds after a write its old value may be one that was read before.
            book.exec_driver_sql("UPDATE changes SET changed_at = changed_at - 5000")
    told(shared, "hubspot", "changed", "contacts", record)
    done = fresh(shared.settings(), "hubspot")
    assert "1 records were given the same values 3 times in 24 hours (phone)" in done.objections[0]
    assert in_hubspot(shared, record)["phone"] == national(phone)
    sync(shared, "hubspot")
    assert in_hubspot(shared, record)["phone"] == phone


@pytest.mark.parametrize("by", ["sync", "sensor"])
def test_a_check_that_was_killed_while_it_wrote_is_settled_without_other_news(
    shared: Project, deliverer: Deliverer, by: str
) -> None:
    sensors, phone = Sensors(shared), number()
    record = person(shared, national(phone))
    told(shared, "hubspot", "created", "contacts", record)
    process = deliverer.ready("fresh hubspot")
    shared.sandbox["hubspot"].fault("write", "kill", pid=process, at="before")
    deliverer.go()
    assert deliverer.end() == -signal.SIGKILL
    shared.sandbox["hubspot"].clear_faults()
    assert sensors.requests("fresh_contacts")[0] == [], "it may still be at work"
    if by == "sensor":
        with shared.ledger() as ledger, ledger.write() as book:
            book.exec_driver_sql("UPDATE plans SET created_at = created_at - 200000 WHERE state = 'open'")
        assert sensors.tick("fresh_contacts")["hubspot"].success
        assert sensors.requests("fresh_contacts") == ([], "No record waits.")
        assert in_hubspot(shared, record)["ringtrue_status"] == "unverified"
    sync(shared, "hubspot")
    assert in_hubspot(shared, record)["ringtrue_status"] == "unverified"
    assert in_hubspot(shared, record)["phone"] == phone
    assert shared.query("SELECT 1 FROM changes WHERE state = 'sending'") == []
    assert shared.query("SELECT 1 FROM plans WHERE purpose = 'ahead' AND state = 'open'") == []


def test_beside_a_run_that_goes_on_for_long_another_starts_once_in_two_minutes(
    shared: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    sensors, job = Sensors(shared), "check_fresh_hubspot"
    told(shared, "hubspot", "created", "contacts", "999999998")
    with dg.instance_for_test(temp_dir=str(sensors.home)) as instance:
        create_run_for_test(instance, job_name=job, status=dg.DagsterRunStatus.STARTED)
    assert sensors.requests("fresh_contacts") == ([], "hubspot: it is on its way.")
    monkeypatch.setattr("assets.sensors.LOST_SECONDS", 0.0)
    assert sensors.requests("fresh_contacts")[0] == [job]
    with dg.instance_for_test(temp_dir=str(sensors.home)) as instance:
        instance.report_run_canceled(create_run_for_test(instance, job_name=job, status=dg.DagsterRunStatus.STARTED))
    jobs, why = sensors.requests("fresh_contacts")
    assert jobs == []
    assert "every 120 seconds" in why


def test_the_sensors_run_once_a_connection_may_be_written(
    shared: Project, sensors: Sensors, monkeypatch: pytest.MonkeyPatch
) -> None:
    def states() -> set[dg.DefaultSensorStatus]:
        ours = ("do_not_call", "fresh_contacts")
        return {one.default_status for one in build(shared.settings()).sensors or [] if one.name in ours}

    assert sensors.requests("do_not_call")[0] == []
    assert states() == {dg.DefaultSensorStatus.RUNNING}
    for name, value in {
        "HUBSPOT_TOKEN": "t",
        "SALESFORCE_CONSUMER_KEY": "k",
        "SALESFORCE_CONSUMER_SECRET": "s",
    }.items():
        monkeypatch.setenv(name, value)
    assert states() == {dg.DefaultSensorStatus.STOPPED}


def test_a_tick_costs_milliseconds_and_writes_nothing(shared: Project, sensors: Sensors) -> None:
    def content() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in shared.home.glob("ledger.db*")}

    [sensor] = [one for one in sensors.definitions().sensors or [] if one.name == "do_not_call"]
    before = content()
    with dg.instance_for_test(temp_dir=str(sensors.home)) as instance:
        best = min(_seconds(lambda: sensor.evaluate_tick(dg.build_sensor_context(instance=instance))) for _ in range(5))
    assert best < 0.1
    assert content().get("ledger.db") == before["ledger.db"]


def test_an_opt_out_is_a_flag_in_both_crms_long_before_five_minutes(shared: Project, sensors: Sensors) -> None:
    phones = [number() for _ in range(MANY)]
    people = {phone: (contact(shared, phone), person(shared, national(phone))) for phone in phones}
    sync(shared)
    committed: dict[str, float] = {}
    done = threading.Event()

    def arrive() -> None:
        for place, phone in enumerate(phones):
            if done.wait(0.05):
                return
            (opt_out if place % 2 else stop_call)(shared, phone)
            committed[phone] = time.time()

    coming = ThreadPoolExecutor(1).submit(arrive)
    delays: list[float] = []
    waiting = set(phones)
    try:
        while waiting:
            assert not coming.done() or coming.exception() is None
            begun = time.time()
            due = {phone for phone, moment in list(committed.items()) if phone in waiting and moment <= begun}
            sensors.tick()
            ended = time.time()
            for phone in due:
                record, other = people[phone]
                assert flagged(shared, "salesforce", record), "the next tick after an opt-out delivers it"
                assert flagged(shared, "hubspot", other)
            # The daemon ticks every 30 seconds at most, and it has to start a process: both are added in full.
            delays += [ended - begun + DO_NOT_CALL_SECONDS + LAUNCH_SECONDS] * len(due)
            waiting -= due
    finally:
        done.set()
        coming.result(30)
    delays.sort()
    assert len(delays) == MANY
    assert delays[int(len(delays) * 0.99)] < BOUND_SECONDS
    assert in_salesforce(shared, people[phones[0]][0])["RingTrue_Status__c"] == "do_not_call"
    assert sensors.requests("do_not_call") == ([], "No do-not-call flag waits.")
    # The sync finds the flag and writes the rest; a second one has nothing to do. To it, so many records are unusual.
    settings(shared, guard={"small_plan": 1_000})
    sync(shared)
    assert in_salesforce(shared, people[phones[0]][0])["RingTrue_MobilePhone_Status__c"] == "do_not_call"
    assert max(times_set(shared, other) for _, other in people.values()) == 1
    assert [plan(shared.settings(), name).plan.records for name in ("salesforce", "hubspot")] == [0, 0]


def _seconds(act: Callable[[], object]) -> float:
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun
