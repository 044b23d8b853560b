"""The world is the same for the same seed, its numbers are what phonenumbers calls valid, and its lead sources are as bad as they say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import phonenumbers
import pytest

from sandbox.people import SWITCHBOARD
from sandbox.places import COUNTRIES
from sandbox.world import World, Written

EPOCH = datetime(2026, 11, 20, 9, tzinfo=UTC)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(
        tmp_path_factory.mktemp("world") / "world.db", seed=3, contacts=4000, epoch=EPOCH, clock=lambda: EPOCH
    )
    yield world
    world.close()


def test_the_same_seed_makes_the_same_world_and_another_seed_another(world: World, tmp_path: Path) -> None:
    same = World(tmp_path / "same.db", seed=3, contacts=4000, epoch=EPOCH)
    other = World(tmp_path / "other.db", seed=4, contacts=4000, epoch=EPOCH)
    assert list(same.people(100, 50)) == list(world.people(100, 50))
    assert list(other.people(100, 50)) != list(world.people(100, 50))
    same.close()
    other.close()


def test_a_restart_keeps_seed_size_epoch_and_changes(tmp_path: Path) -> None:
    first = World(tmp_path / "world.db", seed=3, contacts=100, epoch=EPOCH)
    number = next(iter(first.person(0).numbers.values())).e164
    first.set_line(number, "suspended", "p0", EPOCH)
    first.say_stop("p5", EPOCH)
    first.close()
    again = World(tmp_path / "world.db", seed=99, contacts=5)
    assert (again.seed, again.contacts, again.epoch) == (3, 100, EPOCH)
    line = again.line(number)
    assert line is not None
    assert line.state_at(EPOCH).state == "suspended"
    assert again.truth(again.person(5), None, EPOCH).opted_out
    again.close()


@pytest.mark.parametrize("country", COUNTRIES, ids=lambda country: country.code)
def test_every_range_holds_valid_numbers_of_its_kind(country: object) -> None:
    for item in {country.mobile, country.fixed}:  # type: ignore[attr-defined]  # parametrize hands objects over untyped
        for place in range(0, item.size, max(1, item.size // 1500)):
            prefix, rest = divmod(place, 10**item.free)
            code = country.calling_code  # type: ignore[attr-defined]  # as above
            text = f"+{code}{item.prefixes[prefix]}{rest:0{item.free}d}"
            number = phonenumbers.parse(text)
            assert phonenumbers.is_valid_number(number), text
            assert phonenumbers.region_code_for_number(number) == item.country, text
            assert phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) == text
            kinds = {"mobile": {1}, "fixed": {0}, "both": {2}}[item.kind]
            assert phonenumbers.number_type(number) in kinds, text


def test_every_number_finds_its_holder(world: World) -> None:
    for person in world.people(0, 1500):
        for slot, digits in person.numbers.items():
            line = world.line(digits.e164)
            assert line is not None
            owners = {state.owner for state in line.timeline}
            assert (f"c{person.company.serial}" if slot == SWITCHBOARD else person.pid) in owners
            assert line.country == person.country


def test_each_crm_holds_as_many_people_as_asked_and_a_third_stand_in_both(world: World) -> None:
    salesforce = {person.serial: person for person in world.members("salesforce")}
    hubspot = {person.serial: person for person in world.members("hubspot")}
    assert len(salesforce) == len(hubspot) == 4000
    both = salesforce.keys() & hubspot.keys()
    assert 0.3 < len(both) / 4000 < 0.4
    assert 0.25 < sum(person.is_lead for person in salesforce.values()) / 4000 < 0.35
    flagged = {one.opt_out.where for serial in both if (one := salesforce[serial]).opt_out is not None}
    assert flagged >= {"salesforce", "hubspot", "both", "call"}


def test_people_were_created_in_order_over_the_three_years_before_the_epoch(world: World) -> None:
    created = [person.created_at for person in world.people(0)]
    assert created[0] > (EPOCH - timedelta(days=3 * 365 + 1)).timestamp() * 1000
    assert created[-1] <= EPOCH.timestamp() * 1000
    assert all(later > earlier - 24 * 3_600_000 for earlier, later in pairwise(created))
    assert all(person.created_at <= person.modified_at <= world.epoch_ms for person in world.people(0, 2000))


def test_a_clean_writing_is_read_back_as_the_number_meant(world: World) -> None:
    for person in world.members("hubspot"):
        for field in world.written(person, "hubspot"):
            if field.kind == "plain":
                parsed = phonenumbers.parse(field.raw, person.country)
                assert (
                    phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164) == field.e164 == field.meant
                )


def test_lead_sources_bring_the_share_of_bad_numbers_they_say(world: World) -> None:
    fields: dict[str, list[Written]] = {}
    for person in world.people(0):
        if person.same_as is None:
            fields.setdefault(person.source.slug, []).extend(world.written(person, "salesforce"))
    for source in world.lead_sources():
        kinds = Counter(field.kind for field in fields[source.slug])
        total = sum(kinds.values())
        for kind in ("damaged", "placeholder", "typo", "wrong_person"):
            assert abs(kinds[kind] / total - getattr(source, kind)) < 0.035, (source.slug, kind)


def test_a_purchased_list_is_dead_where_a_referral_is_alive(world: World) -> None:
    dead: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for person in world.members("salesforce"):
        for field in world.written(person, "salesforce"):
            if field.kind in ("plain", "readable") and field.e164:
                line = world.line(field.e164)
                assert line is not None
                total[person.source.slug] += 1
                dead[person.source.slug] += line.state_at(person.created_at).state in ("disconnected", "reassigned")
    rates = {slug: dead[slug] / total[slug] for slug in total}
    assert rates["purchased_list"] > 0.25
    assert rates["referral"] < 0.08


def test_truth_tells_wrong_persons_opt_outs_and_lines_that_never_were(world: World) -> None:
    people = list(world.people(0, 3000))
    opted = next(person for person in people if person.opt_out and person.numbers and person.same_as is None)
    assert world.truth(opted, next(iter(opted.numbers.values())).e164).status == "do_not_call"
    statuses = Counter(
        world.truth(person, field.e164).status for person in people for field in world.written(person, "hubspot")
    )
    assert set(statuses) == {"active", "disconnected", "invalid", "do_not_call", "wrong_person", "suspended"}
    wrong = next(
        (person, field)
        for person in people
        for field in world.written(person, "hubspot")
        if field.kind == "wrong_person"
    )
    assert world.truth(wrong[0], wrong[1].e164).right_person is not True
    assert world.line("+881612345678") is None


def test_line_states_come_true_as_the_clock_moves(tmp_path: Path) -> None:
    now = [EPOCH]
    world = World(tmp_path / "world.db", seed=3, contacts=60, epoch=EPOCH, clock=lambda: now[0])
    person = next(one for one in world.people(0) if one.opt_out is None)
    number = next(iter(person.numbers.values())).e164
    world.set_line(number, "alive", person.pid, EPOCH - timedelta(days=1))
    world.set_line(number, "disconnected", None, EPOCH + timedelta(days=10))
    world.set_line(number, "reassigned", "x77", EPOCH + timedelta(days=100))
    seen = []
    for days in (0, 11, 101):
        now[0] = EPOCH + timedelta(days=days)
        seen.append(world.truth(person, number).status)
    assert seen == ["active", "disconnected", "wrong_person"]
    world.close()
