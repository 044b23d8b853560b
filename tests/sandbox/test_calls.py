"""The call history follows from what was true of the lines; nobody is called after saying stop."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from sandbox.calls import PastCall, hubspot_words, past_calls, salesforce_words
from sandbox.load import hubspot_id
from sandbox.world import World
from tests.stand_ins import running_sandbox

EPOCH = datetime(2026, 11, 20, 9, tzinfo=UTC)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(
        tmp_path_factory.mktemp("calls") / "world.db", seed=11, contacts=3000, epoch=EPOCH, clock=lambda: EPOCH
    )
    yield world
    world.close()


@pytest.fixture(scope="module")
def calls(world: World) -> list[PastCall]:
    return [
        call
        for person in world.members("hubspot")
        for call in past_calls(world, person, "hubspot", world.written(person, "hubspot"))
    ]


def test_outcomes_follow_the_state_of_the_line(world: World, calls: list[PastCall]) -> None:
    assert len(calls) > 1000
    for call in calls:
        assert call.person.created_at <= call.at <= world.epoch_ms
        truth = world.truth(call.person, call.field.e164, call.at)
        if call.outcome == "do_not_call":
            continue
        assert truth.line is not None
        if truth.line.state == "disconnected":
            assert call.outcome in ("disconnected", "no_answer")
        elif truth.line.state == "never_allocated":
            assert call.outcome == "invalid"
        elif truth.line.working:
            assert call.outcome not in ("disconnected", "invalid", "suspended")
        if call.outcome == "wrong_number":
            assert truth.right_person is False
        if call.outcome in ("connected", "live_message", "left_company", "wrong_number"):
            assert call.seconds >= 8
    assert {
        "connected",
        "voicemail",
        "no_answer",
        "busy",
        "wrong_number",
        "disconnected",
        "invalid",
        "do_not_call",
    } <= Counter(call.outcome for call in calls).keys()


def test_nobody_is_called_after_saying_stop(world: World, calls: list[PastCall]) -> None:
    for call in calls:
        said = world.opted_out_at(call.person)
        assert said is None or call.at <= said


def test_agents_use_the_words_their_crm_offers(calls: list[PastCall]) -> None:
    dead = [call for call in calls if call.outcome == "disconnected"]
    assert {hubspot_words(call)[0] for call in dead} == {
        "6f1c1a52-3f0e-4d0b-9a57-0d7c6a1f3b02",
        "73a0d17f-1163-4015-bdd5-ec830791da20",
    }
    assert len({salesforce_words(call)[0] for call in calls}) > 12


def test_the_world_can_be_asked_and_changed_over_http(tmp_path: Path) -> None:
    with running_sandbox(tmp_path, "--seed", "11", "--contacts", "60", "--epoch", EPOCH.isoformat()) as sandbox:
        pages = f"http://127.0.0.1:{sandbox.ports['pages']}/__sandbox__"
        http = httpx.Client(trust_env=False)
        about = http.get(f"{pages}/world").json()
        assert (about["seed"], about["contacts"], about["epoch"]) == (11, 60, EPOCH.isoformat())
        same = World(tmp_path / "copy.db", seed=11, contacts=60, epoch=EPOCH)
        person = next(
            one
            for one in same.members("hubspot")
            if one.opt_out is None and any(field.kind == "plain" for field in same.written(one, "hubspot"))
        )
        same.close()
        record = hubspot_id(person)
        fields = http.get(f"{pages}/truth", params={"crm": "hubspot", "id": record}).json()["fields"]
        number = next(field["e164"] for field in fields if field["kind"] == "plain")
        assert (
            http.post(f"{pages}/line", json={"e164": number, "state": "suspended", "owner": person.pid}).json()["now"][
                "state"
            ]
            == "suspended"
        )
        http.post(f"{pages}/stop", json={"pid": person.pid})
        truth = http.get(f"{pages}/truth", params={"crm": "hubspot", "id": record}).json()["fields"]
        assert {field["status"] for field in truth if field["e164"]} == {"do_not_call"}
        http.post(f"{pages}/clock", json={"now": "2028-01-01T00:00:00+00:00"})
        sandbox["hubspot"].edit("contacts", record, {"city": "Berlin"})
        changed = datetime.fromtimestamp(sandbox["hubspot"].record("contacts", record)["modified_at"] / 1000, UTC)
        assert changed.date().isoformat() == "2028-01-01"
        assert http.post(f"{pages}/line", json={"e164": number, "state": "asleep"}).status_code == 400
        assert http.get(f"{pages}/truth", params={"crm": "hubspot", "id": "900000000001"}).status_code == 404
        http.close()
